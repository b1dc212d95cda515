"""A handler that runs longer than PHP's cleaner lets an action run, beside that cleaner."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from interop.wordpress import GROUP, Enqueued, until

from compat.action_scheduler import REVIVED, TIMEOUT

JOBS = """
import time
from pathlib import Path
from runner import Handlers

handlers = Handlers()

@handlers.on("py_interop_long", timeout=3600)
def long(number):
    with open("calls", "a") as calls:
        calls.write(f"{number}\\n")
    while not Path("enough").exists():
        time.sleep(0.01)
"""

STORY = ["action created", "action started via Python runner", "action complete via Python runner"]


pytestmark = pytest.mark.timeout(900)


class Times(NamedTuple):
    """In seconds: the silence after which PHP's cleaner takes work for abandoned, how long the
    handler runs, and the rest between two runs of the cleaner."""

    period: int
    lasts: int
    every: int


QUICK = Times(5, 15, 1)
REAL = Times(TIMEOUT, TIMEOUT + 60, 60)


@pytest.fixture
def times(pytestconfig) -> Times:
    return REAL if pytestconfig.getoption("--real-times") else QUICK


@pytest.fixture
def ids(site, cli) -> list[int]:
    """Two actions of one claim: one that runs long, one that waits behind it."""
    cli.module("jobs", JOBS)
    when = site.now() - 60
    return site.enqueue(
        [Enqueued("single", "py_interop_long", [n], when + n, None, f"{GROUP}long") for n in (1, 2)]
    )


def states(site, ids) -> list[tuple]:
    """Status and claim of each."""
    rows = site.rows()
    return [(rows[id_]["status"], rows[id_]["claim_id"]) for id_ in ids]


@contextmanager
def at_work(cli, times):
    """A run in the middle of its first call, which lasts until the file `enough` is there."""
    command = ("run", "--handlers", "jobs:handlers", "--quiet")
    runner = cli.start(*command, RUNNER_EXPIRY=str(times.period))
    try:
        until("the first call", (cli.folder / "calls").exists)
        yield runner
    finally:
        runner.kill()
        runner.communicate()


def cleanings(site, times):
    """PHP's own runner, which begins with the cleaner, again and again while the handler runs."""
    began = site.now()
    period = None if times == REAL else times.period  # without one, PHP's own holds
    for at in range(times.every, times.lasts + 1, times.every):
        moment = began + at
        until("the next", lambda moment=moment: site.now() >= moment, seconds=times.every + 30)
        site.php("run_queue", hooks=[], period=period)
        yield at


def test_phps_cleaner_leaves_a_long_handler_alone(site, cli, ids, times):
    """The running action and the one behind it stay claimed while the cleaner runs again and
    again; each is called once and ends complete, and the log tells of nothing else."""
    with at_work(cli, times) as runner:
        held = states(site, ids)
        assert [status for status, _ in held] == ["in-progress", "pending"]
        for at in cleanings(site, times):
            assert states(site, ids) == held, f"after {at} s"
        (cli.folder / "enough").touch()
        said = runner.communicate(timeout=60)
    assert (runner.returncode, *said) == (0, "", "")
    assert (cli.folder / "calls").read_text() == "1\n2\n"
    for id_ in ids:
        row = site.row(id_)
        assert (row["status"], row["attempts"]) == ("complete", "1")
        assert site.logs(id_) == STORY


def test_phps_cleaner_fails_a_handler_whose_runner_is_frozen(site, cli, ids, times):
    """What the test above would see without a heartbeat: the runner's process is stopped, and
    PHP's cleaner fails the action. Let go on, the runner still holds the claim: the handler's own
    outcome counts, and the log tells of both."""
    with at_work(cli, times) as runner:
        runner.send_signal(signal.SIGSTOP)
        assert any(states(site, ids)[0][0] == "failed" for _ in cleanings(site, times))
        assert "Python" not in site.logs(ids[0])[-1]
        runner.send_signal(signal.SIGCONT)
        (cli.folder / "enough").touch()
        runner.communicate(timeout=60)
    assert site.row(ids[0])["status"] == "complete"
    assert site.logs(ids[0])[-2:] == [REVIVED, STORY[-1]]
    assert (cli.folder / "calls").read_text() == "1\n"  # PHP has failed the one that waited
