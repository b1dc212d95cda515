"""When to try again: pure arithmetic over an attempt number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 86_400.0


def _names_error(error: object) -> bool:
    """An error class, or the qualified name of one (`requests.exceptions.Timeout`)."""
    if isinstance(error, str):
        return "." in error
    return isinstance(error, type) and issubclass(error, BaseException)


def class_names(*errors: type[BaseException] | str) -> tuple[str, ...]:
    """Qualified names, so that a policy can be compared with what came from another process."""
    return tuple(e if isinstance(e, str) else f"{e.__module__}.{e.__qualname__}" for e in errors)


def _room(delays: Sequence[float], jitter: float) -> float:
    """A `longest` that cuts none of the given delays."""
    return max((DAY, *delays)) * (1 + max(jitter, 0.0))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late an action is tried again.

    `attempts` is the number of tries in all, the first included. The delay before try n + 1 is
    `first * factor ** (n - 1)` seconds, or the n-th of `delays` (its last one from then on);
    never more than `longest` seconds. `jitter` spreads each delay by up to that share to either
    side. An error whose class, or one of whose bases, is in `permanent` is not tried again.
    """

    attempts: int = 3
    first: float = 60.0
    factor: float = 2.0
    delays: tuple[float, ...] = ()
    longest: float = DAY
    jitter: float = 0.0
    permanent: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        given: object = self.permanent  # what a caller gave, whatever it was told to give
        if not isinstance(given, tuple) or not all(map(_names_error, given)):
            raise ValueError(
                "RetryPolicy: permanent must be a tuple of error classes, or of names with module"
            )
        if self.attempts < 1:
            raise ValueError("RetryPolicy: attempts must be at least 1")
        if (
            not self.first >= 0
            or self.factor <= 0
            or self.longest <= 0
            or min(self.delays, default=0) < 0
        ):
            raise ValueError("RetryPolicy: delays must not be negative")
        if not 0 <= self.jitter <= 1:
            raise ValueError("RetryPolicy: jitter must be between 0 and 1")

    @classmethod
    def never(cls) -> RetryPolicy:
        """One try, as Action Scheduler itself does."""
        return cls(attempts=1)

    @classmethod
    def fixed(cls, seconds: float, *, attempts: int = 3, jitter: float = 0.0) -> RetryPolicy:
        return cls(attempts, delays=(seconds,), longest=_room((seconds,), jitter), jitter=jitter)

    @classmethod
    def steps(cls, *seconds: float, jitter: float = 0.0) -> RetryPolicy:
        """One retry for each delay: `steps(60, 300, 900)` tries four times."""
        longest = _room(seconds, jitter)
        return cls(len(seconds) + 1, delays=seconds, longest=longest, jitter=jitter)

    def exhausted(self, attempt: int) -> bool:
        """True when try number `attempt` was the last."""
        return attempt >= self.attempts

    def gives_up_on(self, lineage: Sequence[str]) -> bool:
        return not set(class_names(*self.permanent)).isdisjoint(lineage)

    def delay(self, attempt: int, *, chance: random.Random | None = None) -> float:
        """Seconds to wait after try number `attempt` (from 1) failed."""
        if self.delays:
            base = min(self.delays[min(attempt, len(self.delays)) - 1], self.longest)
        else:
            base = self._grown(attempt)
        if self.jitter:
            base *= 1 + self.jitter * (chance or random).uniform(-1, 1)
        return min(base, self.longest)

    def _grown(self, attempt: int) -> float:
        try:
            return min(self.first * float(self.factor) ** (attempt - 1), self.longest)
        except OverflowError:
            return self.longest
