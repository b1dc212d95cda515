"""When a run stops: time, count, memory, batches, a signal. `reached()` says why."""

from __future__ import annotations

import resource
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.core.clock import Clock
    from runner.core.signals import Stop

MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ru_maxrss."""


@dataclass(slots=True)
class Limits:
    """Every limit is off when 0. Times are seconds, memory is the peak of this process or of a
    child in bytes; `memory_seen` is what children told of themselves. Several workers may share
    one: what each may begin it takes first."""

    clock: Clock
    stop: Stop
    seconds: float = 0
    jobs: int = 0
    batches: int = 0
    memory: int = 0
    started: float = field(init=False)
    jobs_begun: int = 0
    batches_claimed: int = 0
    memory_seen: int = 0
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.started = self.clock.monotonic()

    def elapsed(self) -> float:
        return self.clock.monotonic() - self.started

    def reached(self) -> str | None:
        """The limit that ends the run after the current action, or None."""
        if self.stop.asked:
            return f"signal {self.stop.asked}"
        if self.seconds and self.elapsed() >= self.seconds:
            return "time limit"
        if self.jobs and self.jobs_begun >= self.jobs:
            return "max jobs"
        if self.memory and max(peak_memory(), self.memory_seen) >= self.memory:
            return "memory limit"
        return None

    def room(self) -> int | None:
        """Actions that may still be taken, or None for any number."""
        return max(self.jobs - self._taken, 0) if self.jobs else None

    def take(self, wanted: int) -> int:
        """How many of so many actions may begin; they count until they are given back."""
        with self._lock:
            taken = min(wanted, self.jobs - self._taken) if self.jobs else wanted
            self._taken += taken
            return taken

    def give_back(self, count: int) -> None:
        """These did not begin after all."""
        with self._lock:
            self._taken -= count

    def began(self) -> None:
        with self._lock:
            self.jobs_begun += 1

    def no_more_batches(self) -> bool:
        return bool(self.batches) and self.batches_claimed >= self.batches

    def rest(self, seconds: float) -> None:
        """A pause; a limit or a signal ends it."""
        until = self.clock.monotonic() + seconds
        while not self.reached() and (left := until - self.clock.monotonic()) > 0:
            self.clock.sleep(min(left, 0.1))


def peak_memory() -> int:
    """Peak resident memory of this process and its ended children, in bytes."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) * MAXRSS_UNIT
