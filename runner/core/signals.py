"""Signals only set a flag: the first asks for a clean end, the second for an end now."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

from contextlib import contextmanager


class Stop:
    """What the signals asked for.

    `wakeup` is a file descriptor that becomes readable when the end should come now, so that
    whoever waits for a handler can wait for this as well.
    """

    def __init__(self) -> None:
        self.asked = ""
        self.now = False
        self.number = 0
        self.wakeup, self._bell = os.pipe()
        os.set_inheritable(self.wakeup, False)
        os.set_inheritable(self._bell, False)

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        if self.asked and not self.now:
            self.now = True
            os.write(self._bell, b"!")
        self.asked = self.asked or signal.Signals(number).name
        self.number = self.number or number

    def close(self) -> None:
        os.close(self.wakeup)
        os.close(self._bell)

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Listens to SIGTERM, SIGINT and, unless `nohup` shut it out, SIGHUP in the block."""
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self.ask) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
