"""Messages between the runner and its children: JSON, each behind its length in four bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from typing import Any

LONGEST = 16 * 1024 * 1024
"""Bytes of a message at most: an answer holds an error's class, text and traceback."""

_PART = 16 * 1024  # a buffer for more costs more than a second read
_PARTS = 16
_LENGTH = struct.Struct("!I")


def pack(message: object) -> bytes:
    data = json.dumps(message).encode()
    return _LENGTH.pack(len(data)) + data


def send(channel: socket.socket, message: object) -> None:
    channel.sendall(pack(message))


class Mailbox:
    """What arrives on a channel, message by message, however it is cut.

    `closed` says that the other end is gone. What is no message raises ValueError.
    """

    def __init__(self, channel: socket.socket) -> None:
        self.closed = False
        self._channel = channel
        self._data = bytearray()
        self._messages: deque[Any] = deque()

    def wait(self) -> Any:
        """The next message, or None when the other end is gone."""
        while not self._messages:
            if self.closed:
                return None
            self._fetch(0)
        return self._messages.popleft()

    def look(self) -> list[Any]:
        """What has arrived by now; waits for nobody, and reads only so much at a time."""
        for _ in range(_PARTS):
            if self.closed or self._fetch(socket.MSG_DONTWAIT) < _PART:
                break
        messages = [*self._messages]
        self._messages.clear()
        return messages

    def _fetch(self, flags: int) -> int:
        """Takes one part from the channel; how many bytes it had."""
        try:
            part = self._channel.recv(_PART, flags)
        except BlockingIOError:
            return 0
        except ConnectionError:
            part = b""
        self.closed = not part
        self._data += part
        while message := self._whole():
            self._messages.append(json.loads(message))
        return len(part)

    def _whole(self) -> bytes:
        """Takes the first message's bytes when all of them are here. None has no bytes."""
        if len(self._data) < _LENGTH.size:
            return b""
        size = _LENGTH.unpack_from(self._data)[0]
        if not 0 < size <= LONGEST:
            raise ValueError(f"a message of {size} bytes")
        end = _LENGTH.size + size
        if len(self._data) < end:
            return b""
        message = bytes(self._data[_LENGTH.size : end])
        del self._data[:end]
        return message
