"""An end for what talks to another machine, however slowly that one goes on answering."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


AGAIN = 0.5
"""Seconds between cuts."""


class Cut:
    """Whether the time was over."""

    over = False


@contextlib.contextmanager
def deadline(seconds: float, connection: Callable[[], socket.socket | None]) -> Iterator[Cut]:
    """After so many seconds the connection is cut, so that what waits for it fails: again and
    again, since one that was still being made when the time was over would go on."""
    cut, ended = Cut(), threading.Event()

    def watch() -> None:
        rest = seconds
        while not ended.wait(rest):
            cut.over, rest = True, AGAIN
            if found := connection():
                with contextlib.suppress(OSError):
                    found.shutdown(socket.SHUT_RDWR)

    watcher = threading.Thread(target=watch, name="deadline", daemon=True)
    watcher.start()
    try:
        yield cut
    finally:
        ended.set()
