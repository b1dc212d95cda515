"""What handlers in children print: line by line on stderr, with the id of their action."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import threading
import time
from pathlib import Path

import pytest
from support.executors import action, drain, processes, run
from support.waiting import until

JOBS = r"""
import os, pathlib, subprocess, sys, time
from runner import Handlers

handlers = Handlers()

@handlers.on("ok")
def ok(): pass

@handlers.on("prints")
def prints():
    print("from Python")
    print("to stderr", file=sys.stderr)
    os.write(1, b"from C\n")
    subprocess.run(["echo", "from a program"], check=True)

@handlers.on("says")
def says(*texts):
    for text in texts:
        os.write(1, text.encode("latin-1"))
        time.sleep(0.05 * (len(texts) > 1))  # so that they are read one by one

@handlers.on("gated")
def gated():
    print("begun", flush=True)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)

@handlers.on("dies")
def dies():
    os.write(1, b"last words")
    os._exit(1)

@handlers.on("floods")
def floods(megabytes, step, text="x"):
    for _ in range(megabytes * 1_000_000 // step):
        os.write(1, text.encode() * (step // len(text)))

@handlers.on("leaves")
def leaves():
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    pathlib.Path("pid").write_text(str(left.pid))
"""


@pytest.fixture
def executor(tmp_path, monkeypatch):
    with processes(tmp_path, monkeypatch, JOBS, count=1) as pool:
        pool.folder = tmp_path
        yield pool


def shown(executor, capfd) -> list[str]:
    """All lines that were shown, once the children are gone."""
    executor.close()
    out, err = capfd.readouterr()
    assert out == ""
    return err.splitlines()


def test_everything_carries_the_action_s_id(executor, capfd):
    """Whether it comes from Python, from C or from another program; in order."""
    run(executor, "prints", 7)
    run(executor, "prints", 8)
    said = ["to stderr", "from C", "from a program"]
    lines = shown(executor, capfd)
    assert [line for line in lines if "Python" not in line] == [
        f"[action {number}] {text}" for number in (7, 8) for text in said
    ]
    assert "[action 7] from Python" in lines
    assert "[action 8] from Python" in lines


def test_quiet_actions_are_not_remembered(executor):
    """Nothing is kept of those that print nothing, however many."""
    for number in range(10):
        run(executor, "ok", number)
    assert len(executor._children[0].output._marks) == 1


def test_many_actions_keep_their_lines_apart(executor, capfd):
    """Also where a line is not ended, and however soon the next action follows."""
    for number in range(200):
        run(executor, "says", number, json.dumps([f"{number}\n" if number % 2 else f"{number}"]))
    assert shown(executor, capfd) == [f"[action {number}] {number}" for number in range(200)]


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        ("a\nb\r\n\nc", ["a", "b", "", "c"]),
        ("\x1b[31mred\x07\x00\tend\n", ["\\x1b[31mred\\x07\\x00\tend"]),
        ("10%\r20%\n", ["10%\\r20%"]),
        ("\xff\xfe\n", ["\\xff\\xfe"]),
        ("\xc5\xb1\xe2\x80\xae\n", ["ű\\u202e"]),
        ("\x9b31m\xc2\x9b31m\n", ["\\x9b31m\\x9b31m"]),
        ("", []),
    ],
    ids=repr,
)
def test_what_is_printed_does_not_drive_a_terminal(executor, capfd, printed, lines):
    """Control characters and bytes that are no text are made visible; text stays text."""
    run(executor, "says", 1, json.dumps([printed]))
    assert shown(executor, capfd) == [f"[action 1] {line}" for line in lines]


def test_a_character_that_comes_in_two_parts_is_one(executor, capfd):
    """A part may end inside it."""
    run(executor, "says", 1, json.dumps(["\xc5", "\xb1\n"]))
    assert shown(executor, capfd) == ["[action 1] ű"]


def test_a_line_is_shown_while_its_action_runs(executor, capfd):
    """Nobody has to wait for the end of a long handler."""
    executor.prepare()
    executor.submit(action("gated", 3))
    seen = []
    until(lambda: seen.append(capfd.readouterr().err) or "[action 3] begun\n" in "".join(seen))
    (executor.folder / "go").touch()
    assert drain(executor)[0].failure is None


def test_the_last_words_of_a_child_are_shown(executor, capfd):
    """Though the line was not ended and the process died."""
    run(executor, "dies", 5)
    assert shown(executor, capfd) == ["[action 5] last words"]


def test_a_hundred_megabytes_fill_no_memory(executor, capfd):
    """All of it is shown, in lines of a bounded length, and the runner stays as small as it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Path(os.devnull).open("w") as null, Sink(null.fileno()):
        attempt = run(executor, "floods", 1, "[100, 100000]")
        assert attempt.failure is None
        executor.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


class Sink:
    """stderr goes elsewhere in the block."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> None:
        self.kept = os.dup(2)
        os.dup2(self.descriptor, 2)

    def __exit__(self, *_error: object) -> None:
        os.dup2(self.kept, 2)
        os.close(self.kept)


def test_a_line_without_an_end_is_shown_in_pieces(executor, capfd):
    """Each of them with the id; nothing is lost."""
    run(executor, "floods", 1, '[1, 1000, "0123456789"]')
    lines = shown(executor, capfd)
    assert all(re.fullmatch(r"\[action 1\] \d+", line) and len(line) < 90_000 for line in lines)
    assert "".join(line.removeprefix("[action 1] ") for line in lines) == "0123456789" * 100_000


def test_a_slow_reader_of_stderr_holds_only_who_prints(tmp_path, monkeypatch, capfd):
    """Results come all the same, and the time limit ends the one that waits for its output."""
    text = JOBS.replace('@handlers.on("floods")', '@handlers.on("floods", timeout=1)')
    reader, writer = os.pipe()
    with Sink(writer), processes(tmp_path, monkeypatch, text, count=2) as pool:
        try:
            pool.prepare()
            pool.submit(action("floods", 0, "[1, 1000]"))
            done, slowest = {}, 0.0
            while 0 not in done:
                if pool.room():
                    pool.submit(action("ok", len(done) + 1))
                asked = time.monotonic()
                done |= {a.action.id: a for a in pool.finished(10)}
                slowest = max(slowest, time.monotonic() - asked)
        finally:  # what waits to write would wait for ever
            threading.Thread(target=empty, args=(reader,), daemon=True).start()
    os.close(writer)
    assert done[0].failure.message == "timed out after 1 seconds and was killed"
    assert done[0].elapsed < 2
    assert len(done) > 20
    assert slowest < 0.8


def empty(reader: int) -> None:
    while os.read(reader, 65536):
        pass
    os.close(reader)


def test_what_a_handler_leaves_does_not_hold_the_end(executor, capfd):
    """A process with a session of its own may keep the pipe for ever."""
    run(executor, "leaves")
    began = time.monotonic()
    executor.close()
    os.kill(int((executor.folder / "pid").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < 1


def test_an_stderr_that_is_gone_harms_nobody(executor, capfd):
    """What is printed is then lost, no more."""
    reader, writer = os.pipe()
    os.close(reader)
    with Sink(writer):
        assert run(executor, "floods", 1, "[1, 1000]").failure is None
        assert run(executor, "ok", 2).failure is None
    os.close(writer)


def test_an_stderr_that_never_blocks_gets_everything(executor):
    """Some supervisors hand over such a pipe: it is waited for."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with Sink(writer):
        executor.prepare()
        executor.submit(action("floods", 1, "[1, 10000]"))
        text = b""
        while text.count(b"x") < 1_000_000:
            text += os.read(reader, 65536)
        assert drain(executor)[0].failure is None
    os.close(reader)
    os.close(writer)
