"""A handler's soft deadline: an exception inside it, so that it can clean up before it is killed.

An alarm only reaches the main thread, and code in C not before it returns: the hard deadline,
which a child is killed at, is what counts.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from runner.core.errors import SoftTimeout

if TYPE_CHECKING:
    from types import FrameType


class SoftDeadline:
    """Raises SoftTimeout in the block when it takes longer than `seconds`; None is no limit, and
    outside the main thread there is none."""

    def __init__(self, seconds: float | None) -> None:
        main = threading.current_thread() is threading.main_thread()
        self._seconds = seconds if main else None
        self._inside = False
        self._before: object = None

    def __enter__(self) -> None:
        if self._seconds is not None:
            self._inside = True
            self._before = signal.signal(signal.SIGALRM, self._ring)
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_error: object) -> None:
        if self._inside:
            self._inside = False  # an alarm from here on is too late to be one
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)  # type: ignore[arg-type]

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._inside and self._seconds is not None:
            raise SoftTimeout(self._seconds)
