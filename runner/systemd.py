"""Tells systemd how a service is: one datagram a message (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Notifier:
    """`address` is NOTIFY_SOCKET, empty where nobody listens; `every` is how many seconds may pass
    between signs of life (half of WATCHDOG_USEC), 0 when none are wanted."""

    address: str = ""
    every: float = 0.0
    last: float = 0.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        wanted = environ.get("WATCHDOG_USEC", "")
        pid = environ.get("WATCHDOG_PID") or str(os.getpid())
        every = int(wanted) / 2_000_000 if wanted.isdecimal() and pid == str(os.getpid()) else 0.0
        return cls(environ.get("NOTIFY_SOCKET", ""), every)

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self, now: float) -> None:
        """A sign of life if one is due. `now` is monotonic seconds."""
        if self.every and now - self.last >= self.every / 2:
            self.last = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        try:
            with socket.socket(socket.AF_UNIX, kind) as channel:
                channel.sendto(message.encode(), address)
        except OSError:
            return  # whoever listened is gone: no reason to stop working
