"""Whether and when to try again: pure, over an error's names and an attempt number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 86_400.0

RETRY, PERMANENT = "retry", "permanent"
"""What a classifier may answer."""

ON_CRASH = ("retry", "fail", "ask")
"""What may become of an action whose process or worker died: nobody knows how far it came."""


def _names_error(error: object) -> bool:
    """An error class, or the qualified name of one (`requests.exceptions.Timeout`)."""
    if isinstance(error, str):
        return "." in error
    return isinstance(error, type) and issubclass(error, BaseException)


def _check_errors(option: str, errors: object) -> None:
    """`errors` is what a caller gave, whatever it was told to give."""
    if not isinstance(errors, tuple) or not all(map(_names_error, errors)):
        raise ValueError(
            f"RetryPolicy: {option} must be a tuple of error classes, or of names with module"
        )


def class_names(*errors: type[BaseException] | str) -> tuple[str, ...]:
    """Qualified names, so that a policy can be compared with what came from another process."""
    return tuple(e if isinstance(e, str) else f"{e.__module__}.{e.__qualname__}" for e in errors)


def _named(errors: Sequence[type[BaseException] | str], lineage: Sequence[str]) -> bool:
    return not set(class_names(*errors)).isdisjoint(lineage)


def _room(delays: Sequence[float], jitter: float) -> float:
    """A `longest` that cuts none of the given delays."""
    return max((DAY, *delays)) * (1 + max(jitter, 0.0))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late an action is tried again.

    `attempts` is the number of tries in all, the first included. The delay before try n + 1 is
    `first * factor ** (n - 1)` seconds, or the n-th of `delays` (its last one from then on);
    never more than `longest` seconds. `jitter` spreads each delay by up to that share to either
    side.

    `retry_on` and `give_up_on` hold error classes, or qualified names of such; a base stands for
    all that derive from it. What is in `give_up_on` is permanent: it is not tried again. What is
    in `retry_on` is tried again, and then nothing else is, unless the handler's classifier says
    so.
    """

    attempts: int = 3
    first: float = 60.0
    factor: float = 2.0
    delays: tuple[float, ...] = ()
    longest: float = DAY
    jitter: float = 0.0
    retry_on: tuple[type[BaseException] | str, ...] = ()
    give_up_on: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        _check_errors("retry_on", self.retry_on)
        _check_errors("give_up_on", self.give_up_on)
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

    @classmethod
    def exponential(
        cls, first: float, factor: float = 2.0, *, attempts: int = 3, jitter: float = 0.0
    ) -> RetryPolicy:
        """Each delay is `factor` times the last: `exponential(30, 4, attempts=5)` waits 30, 120,
        480 and 1920 seconds; `exponential(60, attempts=4)` 60, 120 and 240. At most a day."""
        return cls(attempts, first, factor, jitter=jitter)

    def exhausted(self, attempt: int) -> bool:
        """True when try number `attempt` was the last."""
        return attempt >= self.attempts

    def why_permanent(self, lineage: Sequence[str], verdict: str = "") -> str:
        """Why an error is not tried again; "" when it may be.

        `lineage` names its class and bases, `verdict` is its classifier's: RETRY, PERMANENT, "".
        The lists are stronger than the classifier, and giving up is stronger than retrying.
        """
        if _named(self.give_up_on, lineage):
            return "named in give_up_on"
        if _named(self.retry_on, lineage) or verdict == RETRY:
            return ""
        if verdict == PERMANENT:
            return "its classifier says so"
        return "not named in retry_on" if self.retry_on else ""

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
