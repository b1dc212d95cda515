"""Calls handlers in this very process: for debugging. A time limit cannot be kept here."""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from typing import TYPE_CHECKING

from runner.core.model import NO_RECEIPT, Attempt
from runner.executors import logs
from runner.executors.call import Job, call
from runner.executors.settling import Settling, no_settler
from runner.handlers.context import never

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.clock import Clock
    from runner.core.model import Action, Receipt
    from runner.executors.settling import Settler
    from runner.handlers.registry import Handlers


class Inline:
    """One action at a time; `finished` is where it is called."""

    def __init__(
        self, handlers: Handlers, clock: Clock, settler: Callable[[], Settler] = no_settler
    ) -> None:
        self._handlers = handlers
        self._clock = clock
        self._settler = cache(settler)
        self._waiting: list[tuple[Action, Receipt]] = []

    def room(self) -> int:
        return 1 - len(self._waiting)

    def prepare(self) -> None:
        """Nothing to start."""

    def submit(self, action: Action, receipt: Receipt = NO_RECEIPT) -> None:
        self._waiting.append((action, receipt))

    def busy(self) -> bool:
        return bool(self._waiting)

    def finished(self, wait: float) -> list[Attempt]:  # noqa: ARG002  it cannot be interrupted
        """Calls what was submitted; `wait` is ignored."""
        attempts = []
        while self._waiting:
            action, receipt = self._waiting.pop()
            began = self._clock.monotonic()
            settling = Settling(Job.of(action, receipt), self._settler, began)
            with contextlib.redirect_stdout(sys.stderr):
                failure = call(self._handlers, settling.job, never, settling)
            logs.traceback(failure, action.id)
            elapsed = self._clock.monotonic() - began
            settling.end()
            attempts.append(Attempt(action, elapsed, failure, settled=settling.done))
        return attempts

    def cancel(self, action_id: int) -> None:
        """Nobody can be told: the handler keeps this very thread busy."""

    def close(self) -> None:
        self._waiting.clear()
