"""Tells the site's `on_dead_letter` functions of actions that have failed for good.

They are code of the site's, which may hang or crash, so they are called in a place of their own:
one child more, or one thread more, which no action waits for. A thread here minds that place.
"""

from __future__ import annotations

import math
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from runner.core.errors import HandlerError
from runner.core.events import Settled
from runner.core.model import Dead
from runner.executors.call import DEAD_LETTER_TIMEOUT
from runner.handlers.callbacks import ON_DEAD_LETTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.clock import Clock
    from runner.core.events import Event
    from runner.core.model import Action
    from runner.core.signals import Stop
    from runner.executors.processes import Processes
    from runner.executors.threads import Threads
    from runner.handlers.registry import Handlers

TICK = 0.2
"""Seconds between looks whether the runner is to end."""

CLOSING = 3.0
"""Seconds that the end of the place itself is waited for."""


class DeadLetters:
    """One death after the other, in the order in which they were recorded. `make` gives the
    place at the first one; nothing else uses it."""

    def __init__(
        self,
        make: Callable[[], Processes | Threads],
        handlers: Handlers,
        stop: Stop,
        clock: Clock,
        tell: Callable[[str], object],
    ) -> None:
        self._make = make
        self._handlers = handlers
        self._stop = stop
        self._clock = clock
        self._tell = tell
        self._until = math.inf  # from `close` on, when the wait is over
        self._letters: SimpleQueue[tuple[Action, str] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def event(self, event: Event) -> None:
        """A subscriber of events: notes a death, and waits for nobody."""
        if not isinstance(event, Settled) or not isinstance(event.settlement.outcome, Dead):
            return
        action, outcome = event.settlement.action, event.settlement.outcome
        if not self._handlers.callbacks(ON_DEAD_LETTER, action.hook, action.type):
            return
        self._letters.put((action, outcome.why))
        if self._thread is None:
            work, place = self._work, self._make()
            thread = threading.Thread(target=work, args=[place], name="dead letters", daemon=True)
            thread.start()
            self._thread = thread

    def close(self) -> None:
        """Waits for what is still to be told, as long as one of them may take, and not at all
        when the end is to be now."""
        self._until = self._clock.monotonic() + DEAD_LETTER_TIMEOUT
        self._letters.put(None)
        if self._thread:
            self._thread.join(DEAD_LETTER_TIMEOUT + CLOSING)

    def _is_over(self) -> bool:
        return self._stop.now or self._clock.monotonic() >= self._until

    def _work(self, place: Processes | Threads) -> None:
        untold = 0
        try:
            while letter := self._letters.get():
                untold += not self._deliver(place, *letter)
        finally:
            place.close()
        if untold:
            self._tell(f"the end came before on_dead_letter was done ({untold} left)")

    def _deliver(self, place: Processes | Threads, action: Action, why: str) -> bool:
        """Whether it has been tried while there was time."""
        if self._is_over():
            return False
        try:
            place.prepare()
            place.submit(action, why=why)
            while place.busy() and not self._is_over():
                for attempt in place.finished(TICK):
                    if attempt.failure:
                        self._tell(f"action {action.id}: on_dead_letter {attempt.failure.message}")
        except HandlerError as error:
            self._tell(f"action {action.id}: on_dead_letter was not called: {error}")
        return not place.busy()
