"""The only module that reads this machine's clock. Deadlines are monotonic; what is written to
the database comes from the database's own clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds, only good for differences."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def utc_now() -> str:
    """The time of this machine as ISO 8601, for log lines alone: nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
