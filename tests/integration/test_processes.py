"""Children that run handlers, without a database."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from compat import schedules
from runner.core.clock import SystemClock
from runner.core.model import Action
from runner.core.signals import Stop
from runner.executors.processes import Processes
from runner.handlers import loading

JOBS = """
import os, time
from runner import Handlers

handlers = Handlers()

@handlers.on("ok")
def ok(*args): pass

@handlers.on("slow", timeout=0.2)
def slow(): time.sleep(60)

@handlers.on("pid")
def pid():
    open("pid", "w").write(str(os.getpid()))
"""


@pytest.fixture
def executor(tmp_path, monkeypatch):
    (tmp_path / "process_jobs.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    stop = Stop()
    names = ["process_jobs:handlers"]
    executor = Processes(loading.load(names), names, stop, SystemClock(), count=2)
    executor.stop = stop
    yield executor
    executor.close()
    stop.close()
    loading.sys.modules.pop("process_jobs", None)


def action(hook: str, number: int = 1) -> Action:
    return Action(number, hook, "[]", schedules.asynchronous(), 0, "", 10, 0)


def finish(executor, hooks: list[str]):
    """Runs one action of each hook, at once, and gives their failures by number."""
    executor.prepare()
    for number, hook in enumerate(hooks):
        executor.submit(action(hook, number))
    attempts = []
    while executor.busy():
        attempts += executor.finished(10)
    return {a.action.id: a.failure and a.failure.kind for a in attempts}


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
    assert len([*Path("/dev/fd").iterdir()]) == before
    pids = [child.process.pid for child in executor._children]
    executor.close()
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


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
    assert attempt.failure.message.endswith("killed by SIGKILL")


def refuse(_pid: int) -> int:
    raise OSError(38, "Function not implemented")
