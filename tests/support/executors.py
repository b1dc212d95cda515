"""Executors driven directly, without a database."""

from __future__ import annotations

from contextlib import contextmanager

from compat import schedules
from runner.core.clock import SystemClock
from runner.core.model import Action
from runner.core.signals import Stop
from runner.executors.processes import Processes
from runner.handlers import loading


def action(hook: str, number: int = 1, args: str = "[]") -> Action:
    return Action(number, hook, args, schedules.asynchronous(), 0, "", 10, 0)


@contextmanager
def processes(folder, monkeypatch, text: str, **options):
    """A pool of children for the handlers of this text; `stop` is an attribute of it."""
    (folder / "process_jobs.py").write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    stop, names = Stop(), ["process_jobs:handlers"]
    executor = Processes(loading.load(names), names, stop, SystemClock(), **options)
    executor.stop = stop
    try:
        yield executor
    finally:
        executor.close()
        stop.close()
        loading.sys.modules.pop("process_jobs", None)


def run(executor, hook: str, number: int = 1, args: str = "[]"):
    """Runs one action as the loop does, and gives its attempt."""
    executor.prepare()
    executor.submit(action(hook, number, args))
    (attempt,) = drain(executor)
    return attempt


def drain(executor, wait: float = 10) -> list:
    """Every attempt that is under way."""
    attempts = []
    while executor.busy():
        attempts += executor.finished(wait)
    return attempts
