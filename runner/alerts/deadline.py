"""An end for what talks to another machine, however slowly that one goes on answering."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cut:
    """Whether the time was over."""

    over = False


@contextlib.contextmanager
def deadline(seconds: float, connection: Callable[[], socket.socket | None]) -> Iterator[Cut]:
    """After so many seconds the connection is cut, so that what waits for it fails."""
    cut = Cut()

    def end() -> None:
        cut.over = True
        if found := connection():
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
