"""How fast bulk work may go: the size of its batches, the rests between them, and a brake."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.core.clock import Clock
    from runner.core.limits import Limits

SMALLEST = 10
"""Rows of a batch however slow the server is: else nothing would get done."""

FIRST = 50
"""Rows of the first batch, from which the rest is found out."""

STEP = 0.25
"""Seconds between two looks whether the brake may be let go."""

SAID_AFTER = 5.0
"""Seconds of waiting after which it is said why: short waits are the daily business."""


OTHERS = 4
"""A rest is so many times what the batch took: that much of the time is the others'."""


@dataclass(slots=True)
class Pace:
    """Batches of at most `most` rows that take `limit` seconds each, and rests between them.
    `pause` is the shortest rest."""

    limit: float
    most: int
    pause: float = 0.0
    size: int = 0

    def __post_init__(self) -> None:
        self.size = min(self.most, FIRST)

    def heed(self, seconds: float) -> float:
        """A batch of `size` rows took so long: what its successor may have. Returns the rest."""
        if seconds > self.limit:
            self.size = max(self.size // 2, min(SMALLEST, self.most))
        elif seconds < self.limit / 2:
            self.size = min(self.size + max(self.size // 4, 1), self.most)
        return max(seconds * OTHERS, self.pause)


class Gauge(Protocol):
    def __call__(self) -> str | None:
        """Why one has to wait, None when all is well."""
        ...


@dataclass(slots=True)
class Brake:
    """Waits until no gauge tells a reason any more; a limit or a signal ends that too. `tell` hears
    the reason of a long wait, once a wait. `waited` is in seconds."""

    limits: Limits
    gauges: Sequence[Gauge]
    tell: Callable[[str], object]
    waited: float = 0.0

    def wait(self) -> None:
        began, told = None, False
        while not self.limits.reached() and (why := self._why()):
            began = self.limits.clock.monotonic() if began is None else began
            if not told and self.limits.clock.monotonic() - began >= SAID_AFTER:
                told = True
                self.tell(why)
            self.limits.rest(STEP)
        if began is not None:
            self.waited += self.limits.clock.monotonic() - began

    def _why(self) -> str | None:
        return next((why for gauge in self.gauges if (why := gauge())), None)


class SlowLook:
    """Tells that a look takes longer than the fastest one seen by more than `limit` seconds: the
    way to the server is in both, so that a distant one does not count as a slow one."""

    def __init__(self, look: Callable[[], object], clock: Clock, limit: float) -> None:
        self._look = look
        self._clock = clock
        self._limit = limit
        self.fastest = math.inf

    def __call__(self) -> str | None:
        began = self._clock.monotonic()
        self._look()
        seconds = self._clock.monotonic() - began
        self.fastest = min(self.fastest, seconds)
        if seconds - self.fastest <= self._limit:
            return None
        return f"a look at the queue takes {seconds * 1000:.0f} ms"
