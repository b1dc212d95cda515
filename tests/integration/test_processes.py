"""Children that run handlers, without a database."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from pathlib import Path

import pytest
from support.executors import action, drain, processes, run
from support.waiting import gone, until

from runner import HandlerError
from runner.executors.child import GRACE, Child

JOBS = """
import asyncio, ctypes, os, pathlib, signal, stat, time
from runner import Context, Handlers, SoftTimeout

handlers = Handlers()
kept = []

@handlers.on("ok")
def ok(*args): pass

@handlers.on("slow", timeout=0.2)
def slow(): time.sleep(60)

@handlers.on("pid")
def pid():
    pathlib.Path("pid").write_text(str(os.getpid()))

@handlers.on("gated")
def gated():
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)

@handlers.on("grows")
def grows(size):
    kept.append(bytearray(size))
    pid()

@handlers.on("dies")
def dies(code): os._exit(code)

@handlers.on("segfaults")
def segfaults(): ctypes.string_at(0)

@handlers.on("eats_and_dies")
def eats_and_dies(size):
    grows(size)
    os.kill(os.getpid(), signal.SIGKILL)

@handlers.on("looks", timeout=20)
def looks(context: Context):
    pathlib.Path("begun").touch()
    while not context.cancelled:
        if pathlib.Path("go").exists():
            raise LookupError("nobody cancelled it")
        time.sleep(0.01)

@handlers.on("cleans_up", timeout=20, soft_timeout=0.2)
def cleans_up():
    try:
        time.sleep(60)
    finally:
        pathlib.Path("cleaned").touch()

@handlers.on("awaits", timeout=20, soft_timeout=0.2)
async def awaits():
    try:
        await asyncio.sleep(60)
    finally:
        pathlib.Path("cleaned").touch()

@handlers.on("goes_on", timeout=0.5, soft_timeout=0.1)
def goes_on():
    try:
        time.sleep(60)
    except SoftTimeout:
        time.sleep(60)

@handlers.on("in_time", timeout=20, soft_timeout=0.3)
def in_time(): pass

@handlers.on("waits")
def waits(): time.sleep(0.5)

# ------------------------------------------------------------------ bad neighbours

def channel():
    found = [int(name) for name in os.listdir("/proc/self/fd")]
    return next(fd for fd in found if stat.S_ISSOCK(mode(fd)))

def mode(fd):
    try:
        return os.fstat(fd).st_mode
    except OSError:  # the one that listed
        return 0

@handlers.on("is_stopped", timeout=0.5)
def is_stopped():
    os.kill(os.getpid(), signal.SIGSTOP)

@handlers.on("is_deaf", timeout=0.5)
def is_deaf():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@handlers.on("closes_its_channel", timeout=20)
def closes_its_channel():
    os.close(channel())
    time.sleep(60)

@handlers.on("closes_and_dies", timeout=20)
def closes_and_dies():
    os.close(channel())
    time.sleep(0.2)
    os._exit(3)

@handlers.on("says_half", timeout=0.5)
def says_half():
    os.write(channel(), b"\\x00\\x00\\x10\\x00{")
    time.sleep(60)

@handlers.on("talks_nonsense", timeout=20)
def talks_nonsense():
    os.write(channel(), b"\\xff" * 100)
    time.sleep(60)

@handlers.on("answers_for_another", timeout=20)
def answers_for_another():
    text = b'{"id": 12345, "failure": null, "memory": 0}'
    os.write(channel(), len(text).to_bytes(4, "big") + text)
    time.sleep(60)

@handlers.on("answers_oddly", timeout=20)
def answers_oddly():
    text = b'{"id": 0, "failure": {"x": 1}, "memory": 0}'
    os.write(channel(), len(text).to_bytes(4, "big") + text)
    time.sleep(60)

@handlers.on("floods_its_channel", timeout=20)
def floods_its_channel():
    text = b'{"id": 12345}'
    while True:
        os.write(channel(), (len(text).to_bytes(4, "big") + text) * 1000)

@handlers.on("floods_its_output", timeout=0.5)
def floods_its_output():
    while True:
        os.write(1, b"x" * 100_000)
"""


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """Starts pools; whatever is left of them is killed."""
    opened = []

    def start(**options):
        opened.append(processes(tmp_path, monkeypatch, JOBS, **options))
        return opened[-1].__enter__()

    yield start
    (tmp_path / "go").touch()
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def executor(pool):
    return pool(count=2)


def finish(executor, hooks: list[str]):
    """Runs one action of each hook, at once, and gives their failures by number."""
    executor.prepare()
    for number, hook in enumerate(hooks):
        executor.submit(action(hook, number))
    return {a.action.id: a.failure and a.failure.kind for a in drain(executor)}


def test_a_slow_one_does_not_delay_the_other(executor):
    """Two children: one is killed at its limit, the other's result is its own."""
    assert finish(executor, ["slow", "ok"]) == {0: "timeout", 1: None}
    assert executor.room() == 2
    assert finish(executor, ["ok", "ok"]) == {0: None, 1: None}


def test_a_child_that_died_while_idle_costs_no_attempt(executor):
    """It is replaced before the next action begins."""
    executor.prepare()
    for child in executor._children:
        os.kill(child.process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
    assert finish(executor, ["ok", "ok"]) == {0: None, 1: None}


def test_nothing_is_left_open(executor):
    """Kills and replacements leak neither descriptors nor processes."""
    finish(executor, ["ok", "ok"])
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(3):
        finish(executor, ["slow", "slow"])
    finish(executor, ["ok", "ok"])
    until(lambda: executor.prepare() or len([*Path("/dev/fd").iterdir()]) == before)
    pids = [child.process.pid for child in executor._children]
    executor.close()
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    until(lambda: len([*Path("/dev/fd").iterdir()]) == before - 2 * 3)


def test_a_second_signal_ends_what_runs(executor):
    """The wait is woken at once and both actions come back as interrupted."""
    executor.prepare()
    executor.submit(action("slow", 1))
    executor.stop.ask(signal.SIGTERM)
    executor.stop.ask(signal.SIGTERM)
    assert [a.failure.kind for a in executor.finished(60)] == ["interrupted"]


def test_a_second_signal_keeps_a_result_that_is_there(executor):
    """What has returned is not called interrupted, or it would run twice."""
    executor.prepare()
    executor.submit(action("ok", 1))
    child = executor._children[0]
    select.select([child.channel], [], [], 30)
    executor.stop.ask(signal.SIGTERM)
    executor.stop.ask(signal.SIGTERM)
    assert [a.failure for a in executor.finished(60)] == [None]


def test_without_a_death_watch_a_death_is_noticed(executor, monkeypatch):
    """Old kernels and sandboxes have none: the closed channel tells."""
    monkeypatch.setattr(os, "pidfd_open", refuse)
    executor.prepare()
    executor.submit(action("slow", 1))
    os.kill(executor._children[0].process.pid, signal.SIGKILL)
    (attempt,) = executor.finished(60)
    assert "killed by SIGKILL" in attempt.failure.message
    executor.prepare()
    executor.submit(action("closes_and_dies", 2))
    (attempt,) = executor.finished(60)
    assert "exit code 3" in attempt.failure.message
    assert attempt.elapsed < GRACE


def refuse(_pid: int) -> int:
    raise OSError(38, "Function not implemented")


BAD = {
    "is_stopped": "timed out after 0.5 seconds and was killed",
    "is_deaf": "timed out after 0.5 seconds and was killed",
    "closes_its_channel": r"the handler process \d+ lost its channel and was killed",
    "says_half": "timed out after 0.5 seconds and was killed",
    "talks_nonsense": r"the handler process \d+ lost its channel and was killed",
    "answers_for_another": r"the handler process \d+ lost its channel and was killed",
    "answers_oddly": r"the handler process \d+ lost its channel and was killed",
    "floods_its_channel": r"the handler process \d+ lost its channel and was killed",
    "floods_its_output": "timed out after 0.5 seconds and was killed",
}


def test_a_bad_neighbour_delays_nobody(pool, subtests, capfd):
    """While one of three children misbehaves the others' results come at once, and it is settled
    at its limit, or one second after its channel was of no more use."""
    executor = pool(count=3)
    for hook, fate in BAD.items():
        with subtests.test(hook):
            executor.prepare()
            executor.submit(action(hook, 0))
            number, slowest, ended = 0, 0.0, []
            began = time.monotonic()
            while not ended and time.monotonic() - began < 3:
                while executor.room():
                    number += 1
                    executor.submit(action("ok", number))
                asked = time.monotonic()
                attempts = executor.finished(10)
                slowest = max(slowest, time.monotonic() - asked)
                ended += [a for a in attempts if a.action.id == 0]
                assert all(a.failure is None for a in attempts if a.action.id)
            drain(executor)
            assert re.fullmatch(fate, ended[0].failure.message)
            assert time.monotonic() - began < 3
            assert number > 20
            assert slowest < 0.8
    capfd.readouterr()


def test_a_kill_that_takes_its_time_delays_nobody(pool, monkeypatch):
    """A child that does not die when it is killed is settled, replaced and reaped later."""
    executor = pool(count=2)
    executor.prepare()
    monkeypatch.setattr(Child, "_killall", lambda _: None)
    executor.submit(action("slow", 0))
    stubborn = executor._children[0].process.pid
    executor.submit(action("gated", 1))
    (slow,) = executor.finished(10)
    assert slow.failure.kind == "timeout"
    assert slow.elapsed < 2
    assert not gone(stubborn)
    assert executor.finished(30) == []  # its replacement is ready
    assert executor.room() == 1
    executor.submit(action("ok", 2))
    assert [a.action.id for a in executor.finished(10)] == [2]
    os.kill(stubborn, signal.SIGKILL)
    until(lambda: gone(stubborn))
    Path("go").touch()
    assert [a.action.id for a in executor.finished(10)] == [1]
    executor.prepare()
    assert executor._dying == []
    monkeypatch.undo()


def test_closing_waits_for_nobody_for_ever(pool, monkeypatch):
    """A child that no kill ends holds the runner for a moment only."""
    executor = pool(count=1)
    executor.prepare()
    (child,) = executor._children
    monkeypatch.setattr(Child, "_killall", lambda _: None)
    os.kill(child.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 4
    monkeypatch.undo()
    child._killall()
    assert child.gone(5)


def pids(executor, count: int, **call) -> list[int]:
    """In which process each of so many actions ran."""
    hook = "grows" if call else "pid"
    args = f"[{call['size']}]" if call else "[]"
    seen = []
    for number in range(count):
        assert run(executor, hook, number, args).failure is None
        seen.append(int(Path("pid").read_text()))
    return seen


def test_a_child_is_replaced_after_so_many_calls(pool):
    """Before the next action begins, and not earlier."""
    a, b, c, d, e = pids(pool(count=1, max_calls=2), 5)
    assert (a, c) == (b, d)
    assert len({a, c, e}) == 3
    assert gone(a)


def test_a_child_that_holds_too_much_is_replaced(pool):
    """What it holds now counts, not its peak; without a limit it is kept."""
    megabytes = 1024 * 1024
    limited, free = pool(count=1, max_memory=80 * megabytes), pool(count=1)
    a, b, c, d = pids(limited, 4, size=40 * megabytes)
    assert (a, c) == (b, d)
    assert a != c
    assert len(set(pids(free, 4, size=40 * megabytes))) == 1


def test_a_worn_child_finishes_what_was_marked_ahead(pool):
    """Without `prepare` no action begins, so none waits for a new process between the two."""
    executor = pool(count=1, max_calls=1)
    first = pids(executor, 1)[0]
    executor.submit(action("pid", 2))
    assert drain(executor)[0].failure is None
    assert int(Path("pid").read_text()) == first
    assert pids(executor, 1) != [first]


def test_a_child_that_died_inside_a_window_is_replaced(pool):
    """Its next action finds a process all the same, and is not called crashed."""
    executor = pool(count=1)
    first = pids(executor, 1)[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first))
    executor.submit(action("pid", 2))
    assert drain(executor)[0].failure is None
    assert int(Path("pid").read_text()) != first


def test_a_replacement_gets_ready_beside_those_that_run(pool):
    """Nobody waits for it; `finished` tells when there is room again."""
    executor = pool(count=2, max_calls=1)
    executor.prepare()
    executor.submit(action("gated", 1))
    executor.submit(action("ok", 2))
    assert [a.action.id for a in executor.finished(10)] == [2]
    assert executor.room() == 0
    began = time.monotonic()
    executor.prepare()
    assert time.monotonic() - began < 0.05
    assert (executor.finished(30), executor.room()) == ([], 1)
    Path("go").touch()
    assert [a.action.id for a in executor.finished(10)] == [1]


def test_a_replacement_that_cannot_start_is_told_and_tried_again(pool, monkeypatch):
    """What runs is not disturbed, those that are left go on, and a mended module is found."""
    monkeypatch.setattr("runner.executors.processes.RETRY", 0.3)
    told = []
    executor = pool(count=2, tell=told.append)
    executor.prepare()
    executor.submit(action("gated", 1))
    executor.submit(action("dies", 2, "[1]"))
    mended = Path("process_jobs.py").read_text()
    Path("process_jobs.py").write_text("raise ValueError('half a deploy')")
    assert [a.action.id for a in executor.finished(10)] == [2]
    assert executor.finished(0.2) == []
    Path("go").touch()
    assert [a.failure for a in executor.finished(10)] == [None]
    executor.prepare()
    assert executor.room() == 1
    assert told
    assert all("half a deploy" in text for text in told)
    Path("process_jobs.py").write_text(mended)
    until(lambda: executor.prepare() or executor.room() == 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import os; os._exit(7)", "the handler process did not start: exit code 7"),
        ("import os; os.closerange(3, 4096)", "the handler process did not start: exit code 1"),
        ("import ctypes; ctypes.string_at(0)", "did not start: killed by SIGSEGV"),
        ("import time; time.sleep(60)", "did not start in time"),
        ("handlers = 3", "process_jobs:handlers is a int"),
    ],
)
def test_a_child_that_cannot_start_says_why(pool, monkeypatch, text, why, capfd):
    """Before any action begins; the others' start is not waited for."""
    monkeypatch.setattr("runner.executors.child.START_TIMEOUT", 2.0)
    executor = pool(count=2)
    Path("process_jobs.py").write_text(text)
    with pytest.raises(HandlerError, match=why):
        executor.prepare()
    capfd.readouterr()


def test_a_second_signal_ends_the_wait_for_a_start(pool):
    """However long the handlers take to import, no action begins then."""
    executor = pool(count=1)
    Path("process_jobs.py").write_text("import time; time.sleep(60)")
    executor.stop.ask(signal.SIGTERM)
    executor.stop.ask(signal.SIGTERM)
    with pytest.raises(HandlerError, match="told to stop"):
        executor.prepare()


MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("hook", "args", "fate"),
    [
        ("dies", "[3]", "exit code 3"),
        ("segfaults", "[]", "killed by SIGSEGV"),
        ("eats_and_dies", f"[{500 * MEGABYTE}]", r"killed by SIGKILL, peak memory 5\d\d MB \(out of memory\?\)"),
    ],
)  # fmt: skip
def test_a_death_has_a_name(executor, hook, args, fate):
    """Pid, exit code or signal, and the peak of its memory where that is known: it is not when the
    runner itself has used more, since a process counts what it was started from."""
    executor.prepare()
    pid = executor._children[0].process.pid
    attempt = run(executor, hook, args=args)
    told = rf"the handler process {pid} died: {fate}"
    assert attempt.failure.kind == "crash"
    assert re.fullmatch(told, attempt.failure.message), attempt.failure.message
    assert hook != "eats_and_dies" or attempt.memory > 500 * MEGABYTE


def test_a_handler_learns_that_its_action_was_canceled(executor):
    """Only of its own, and a word that comes too late is for nobody."""
    executor.prepare()
    executor.submit(action("looks", 1))
    executor.submit(action("looks", 2))
    until(lambda: Path("begun").exists())
    executor.cancel(99)
    executor.cancel(1)
    assert [(a.action.id, a.failure) for a in executor.finished(10)] == [(1, None)]
    Path("go").touch()
    (other,) = executor.finished(10)
    assert "nobody cancelled it" in other.failure.message
    late = {"cancel": 3}  # as if it had been on its way when the action ended
    for child in executor._children:
        child._send(late)
    Path("go").unlink()
    Path("begun").unlink()
    executor.submit(action("looks", 4))
    until(lambda: Path("begun").exists())
    for child in executor._children:
        child._send(late)
    Path("go").touch()
    assert "nobody cancelled it" in drain(executor)[0].failure.message


@pytest.mark.parametrize("hook", ["cleans_up", "awaits"])
def test_a_soft_deadline_lets_a_handler_clean_up(executor, hook):
    """It ends with SoftTimeout, an error like any other; the child lives on."""
    executor.prepare()
    before = [child.process.pid for child in executor._children]
    attempt = run(executor, hook)
    assert (attempt.failure.kind, attempt.failure.error_class) == ("error", "SoftTimeout")
    assert attempt.failure.message == "still running after 0.2 seconds"
    assert Path("cleaned").exists()
    assert [child.process.pid for child in executor._children] == before


def test_the_hard_deadline_counts_though_the_soft_one_is_caught(executor):
    """A handler that goes on is killed."""
    assert run(executor, "goes_on").failure.message == "timed out after 0.5 seconds and was killed"


def test_a_soft_deadline_that_was_met_is_forgotten(pool):
    """It does not ring in the action that follows."""
    executor = pool(count=1)
    assert run(executor, "in_time").failure is None
    assert run(executor, "waits", 2).failure is None
