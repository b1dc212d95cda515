"""How a run ends before its work does: asked politely, asked twice, or killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.waiting import gone, until

DUE = 1_700_000_000
RUN = ("run", "--handlers", "jobs:handlers")

JOBS = """
import os, pathlib, time
from runner import Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(60, attempts=2))
here = pathlib.Path(__file__).parent

@handlers.on("gated")
@handlers.on("once", retry=RetryPolicy.never())
def gated(number=0):
    (here / "pid.new").write_text(str(os.getpid()))
    (here / "pid.new").rename(here / f"begun{number}")
    while not (here / "go").exists():
        time.sleep(0.01)

@handlers.on("quick")
def quick():
    pass
"""


def state(pid: int) -> str:
    return status(pid)["State"]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def send(process, number: int) -> None:
    """Sends a signal, and awaits that the process has taken it and waits again."""
    process.send_signal(number)
    bit = 1 << (number - 1)
    until(lambda: process.poll() is not None or not int(status(process.pid)["ShdPnd"], 16) & bit)
    until(lambda: process.poll() is not None or state(process.pid).startswith("S"))


@pytest.fixture
def started(cli, site):
    """Starts a run and returns it once its first handler is at work; kills what is left of it."""
    processes = []
    cli.module("jobs", JOBS)

    def start(*arguments: str, **environ: str):
        process = cli.start(*RUN, *arguments, **environ)
        processes.append(process)
        until(lambda: (cli.folder / "begun0").exists() or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        return process, int((cli.folder / "begun0").read_text())

    yield start
    (cli.folder / "go").touch()
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def untouched(site, *actions: int) -> bool:
    rows = [site.row(action) for action in actions]
    return all(
        (row["status"], row["claim_id"], row["attempts"]) == ("pending", "0", "0") for row in rows
    ) and all(site.logs(action) == ["action created"] for action in actions)


BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@BOTH
def test_a_signal_ends_the_run_after_the_current_action(cli, site, started, number):
    """The action at work is finished, what waits is handed back, the exit code is 0."""
    first, *rest = [site.add("gated", (n,), at=DUE) for n in range(3)]
    process, child = started("--batch-size", "3")
    assert os.getsid(child) != os.getsid(process.pid)  # a terminal's Ctrl-C spares the handler
    send(process, number)
    assert process.poll() is None
    assert site.row(first)["status"] == "in-progress"
    (cli.folder / "go").touch()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "completed 1" in out
    assert f"signal {number.name}" in out
    assert site.row(first)["status"] == "complete"
    assert untouched(site, *rest)
    assert site.rows("claims") == []
    assert gone(child)


@pytest.mark.parametrize(
    ("number", "hook"),
    [(signal.SIGTERM, "gated"), (signal.SIGTERM, "once"), (signal.SIGINT, "gated")],
)
def test_a_second_signal_ends_the_run_at_once(cli, site, started, number, hook):
    """The handler is killed and judged, what waits is handed back, the exit code is 128 + n."""
    first, *rest = [site.add(hook, (n,), at=DUE) for n in range(3)]
    process, child = started("--batch-size", "3")
    send(process, number)
    assert process.poll() is None
    send(process, number)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (128 + number, "")
    row, logs = site.row(first), site.logs(first)
    assert len(logs) == 3
    assert "told to stop at once" in logs[-1]
    if hook == "gated":
        assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "1", "0")
        assert "will be retried at" in logs[-1]
    else:
        assert (row["status"], row["attempts"]) == ("failed", "1")
    assert untouched(site, *rest)
    assert site.rows("claims") == []
    assert gone(child)


def test_another_signal_counts_as_the_second(cli, site, started):
    """Ctrl-C after SIGTERM ends at once; the exit code tells of the first."""
    site.add("gated", at=DUE)
    process, _ = started()
    send(process, signal.SIGTERM)
    send(process, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_signal_ends_an_inline_run_after_the_current_action(cli, site, started):
    """Without a child it is the same: the handler is finished, the rest handed back."""
    first, second = [site.add("gated", (n,), at=DUE) for n in range(2)]
    process, child = started("--inline")
    assert child == process.pid
    process.send_signal(signal.SIGTERM)
    (cli.folder / "go").touch()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert site.row(first)["status"] == "complete"
    assert untouched(site, second)


def test_a_signal_ends_the_pause_between_batches(cli, site):
    """A run that rests for minutes hears of its end at once, and nothing more begins."""
    cli.module("jobs", JOBS)
    first, second = [site.add("quick", at=DUE) for _ in range(2)]
    process = cli.start(*RUN, "--batch-size", "1", "--pause", "600")
    try:
        until(lambda: site.row(first)["status"] == "complete" and not site.rows("claims"))
        send(process, signal.SIGTERM)
        until(lambda: process.poll() is not None, 3)
    finally:
        process.kill()
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert untouched(site, second)


def disconnected(site) -> bool:
    """Whether the server has noticed that no ordinary account is connected to the site."""
    return not site.run(
        "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()",
        (site.name,),
    )


@pytest.fixture
def killed(cli, site, server, started):
    """Kills a runner at DUE + 10, inside the first of its three actions."""

    def kill(hook: str) -> list[int]:
        actions = [site.add(hook, (n,), at=DUE) for n in range(3)]
        with server.frozen(DUE + 10):
            process, child = started("--batch-size", "3")
            process.kill()
            process.communicate(timeout=10)
            until(lambda: gone(child))
            until(lambda: disconnected(site))
        (cli.folder / "go").touch()
        return actions

    return kill


def test_a_killed_runner_takes_its_handler_along_and_leaves_its_claim(cli, site, server, killed):
    """Nothing runs on unwatched; the rows stay claimed, and a run before the expiry lets them be."""
    killed("gated")
    left = site.rows()
    token = left[0]["claim_id"]
    assert token != "0"
    assert [(row["status"], row["claim_id"]) for row in left] == [
        ("in-progress", token), ("pending", token), ("pending", token),
    ]  # fmt: skip
    assert [row["claim_id"] for row in site.rows("claims")] == [token]
    with server.frozen(DUE + 10):
        early = cli(*RUN, RUNNER_EXPIRY="1")
    assert (early.returncode, early.stdout, site.rows()) == (0, "nothing is due\n", left)


@pytest.mark.parametrize("hook", ["gated", "once"])
def test_what_a_killed_runner_left_is_taken_back(cli, site, server, killed, hook):
    """After the expiry what had begun is judged and what had not is reset; all is settled."""
    first, *rest = killed(hook)
    with server.frozen(DUE + 12):
        done = cli(*RUN, RUNNER_EXPIRY="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "taken back 3" in done.stdout
    for action in rest:
        assert site.row(action)["status"] == "complete"
        assert site.logs(action) == [
            "action created", "action reset", "action started via Python runner",
            "action complete via Python runner",
        ]  # fmt: skip
    row, logs = site.row(first), site.logs(first)
    assert len(logs) == 3
    assert "its worker died: nothing was heard of it for 1 seconds" in logs[-1]
    if hook == "once":
        assert (row["status"], row["attempts"]) == ("failed", "1")
        return
    assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "1", "0")
    with server.frozen(DUE + 100):
        assert cli(*RUN).returncode == 0
    assert (site.row(first)["status"], site.row(first)["attempts"]) == ("complete", "2")


def test_what_is_not_ours_is_not_taken_back(cli, site, server):
    """Expired rows of hooks without a handler here are another's, however old."""
    cli.module("jobs", JOBS)
    columns = {"at": DUE, "claim_id": 7, "last_attempt_gmt": "2020-01-01 00:00:00"}
    site.add("php", status="in-progress", **columns)
    site.add("php", **columns)
    site.add("QUICK", status="in-progress", **columns)
    before = site.rows(), site.rows("logs")
    with server.frozen(DUE + 10):
        done = cli(*RUN, RUNNER_EXPIRY="1")
    assert (done.returncode, done.stdout) == (0, "nothing is due\n")
    assert (site.rows(), site.rows("logs")) == before
