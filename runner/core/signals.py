"""Signals only set a flag: the first asks for a clean end, the second for an end now."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Stop:
    """What the signals asked for. `reloads` counts how often fresh children were wanted.

    `wakeup` is a file descriptor that becomes readable when the end should come now, so that
    whoever waits for a handler can wait for this as well.
    """

    def __init__(self) -> None:
        self.asked = ""
        self.now = False
        self.number = 0
        self.reloads = 0
        self.wakeup, self._bell = os.pipe()
        os.set_inheritable(self.wakeup, False)
        os.set_inheritable(self._bell, False)

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        if self.number:
            self.hurry()
        self.asked = self.asked or signal.Signals(number).name
        self.number = self.number or number

    def _reload(self, _number: int, _frame: FrameType | None = None) -> None:
        self.reloads += 1

    def end(self, why: str) -> None:
        """Asks for a clean end without a signal."""
        self.asked = self.asked or why

    def hurry(self) -> None:
        """Asks for an end now."""
        if not self.now:
            self.now = True
            os.write(self._bell, b"!")

    def close(self) -> None:
        os.close(self.wakeup)
        os.close(self._bell)

    @contextmanager
    def listening(self, *, reloads: bool = False) -> Iterator[Stop]:
        """Listens to SIGTERM, SIGINT and, unless `nohup` shut it out, SIGHUP in the block. With
        `reloads`, SIGHUP asks for fresh children instead of ending the run."""
        handlers: dict[int, Any] = {signal.SIGTERM: self.ask, signal.SIGINT: self.ask}
        if reloads:
            handlers[signal.SIGHUP] = self._reload
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handlers[signal.SIGHUP] = self.ask
        before = {number: signal.signal(number, call) for number, call in handlers.items()}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
