"""What a worker tells of while it works: facts that are on record, after they are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.model import Action, Settlement


@dataclass(frozen=True, slots=True)
class Settled:
    """An outcome is recorded; `settlement.attempt` says how the call went. `queue` is the worker
    queue, empty where there is none."""

    settlement: Settlement
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """An action of ours turned out to be another's, or canceled: nothing was recorded for it."""

    action: Action
    queue: str = ""


Event = Settled | Lost
Subscriber = Callable[[Event], object]


def on_stderr(text: str) -> None:
    """Says it in one line. Nobody who reads it is no reason to stop working."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"runner: {' '.join(text.split())}\n")
        sys.stderr.flush()


class Events:
    """The subscribers of one worker, each told in turn, in the worker's own thread.

    What goes wrong in one changes no outcome and ends no run: `tell` hears of it, once.
    """

    def __init__(
        self,
        subscribers: Sequence[Subscriber] = (),
        *,
        queue: str = "",
        tell: Callable[[str], object] = on_stderr,
    ) -> None:
        self._subscribers = subscribers
        self._queue = queue
        self._tell = tell
        self._told = False

    def settled(self, settlement: Settlement) -> None:
        self._emit(Settled(settlement, self._queue))

    def lost(self, action: Action) -> None:
        self._emit(Lost(action, self._queue))

    def say(self, text: str) -> None:
        """Something beside the work, in words."""
        with contextlib.suppress(Exception):  # nobody hears it: no reason to stop
            self._tell(text)

    def _emit(self, event: Event) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001  whatever it is, the work goes on
                self._complain(f"an event was not passed on: {type(error).__name__}: {error}")

    def _complain(self, text: str) -> None:
        if not self._told:
            self._told = True
            self.say(text)
