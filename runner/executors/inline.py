"""Calls handlers in this very process: for debugging. A time limit cannot be kept here."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from runner.core.model import Attempt
from runner.executors import logs
from runner.executors.call import Job, call

if TYPE_CHECKING:
    from runner.core.clock import Clock
    from runner.core.model import Action
    from runner.handlers.registry import Handlers


class Inline:
    """One action at a time; `finished` is where it is called."""

    def __init__(self, handlers: Handlers, clock: Clock) -> None:
        self._handlers = handlers
        self._clock = clock
        self._waiting: list[Action] = []

    def room(self) -> int:
        return 1 - len(self._waiting)

    def prepare(self) -> None:
        """Nothing to start."""

    def submit(self, action: Action) -> None:
        self._waiting.append(action)

    def busy(self) -> bool:
        return bool(self._waiting)

    def finished(self, wait: float) -> list[Attempt]:  # noqa: ARG002  it cannot be interrupted
        """Calls what was submitted; `wait` is ignored."""
        attempts = []
        while self._waiting:
            action = self._waiting.pop()
            began = self._clock.monotonic()
            with contextlib.redirect_stdout(sys.stderr):
                failure = call(self._handlers, Job.of(action))
            logs.traceback(failure, action.id)
            attempts.append(Attempt(action, self._clock.monotonic() - began, failure))
        return attempts

    def cancel(self, action_id: int) -> None:
        """Nobody can be told: the handler keeps this very thread busy."""

    def close(self) -> None:
        self._waiting.clear()
