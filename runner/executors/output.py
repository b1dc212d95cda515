"""What a child prints, its C code and what it started included, goes line by line to the runner's
stderr with the id of the action.

A thread of its own for each child: whatever is printed, results are not read later for it. It
holds one part and one unfinished line; when stderr is slow the pipe fills, and only that child
waits.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import select
import struct
import termios
import threading
from collections import deque

from runner.executors.logs import LABEL, as_objects

LONGEST_LINE = 8192
"""Characters of a line that is not finished; more are shown as a line of their own."""

_PART = 64 * 1024
_STDERR = 2
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the writing direction: data must not drive a terminal."""

_one_at_a_time = threading.Lock()
"""Held while a part is written to stderr, so that children do not cut each other's lines."""


class Output:
    """The pipe that a child writes to. `writer` is its end, to be closed here once it has it. With
    `as_json` each line is shown as a JSON object."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._reader, self.writer = os.pipe()
        self._lock = threading.Lock()
        self._taken = 0  # bytes read from the pipe so far
        self._shown = 0  # of these, what has been written to stderr
        self._ended = False
        self._marks: deque[tuple[int, int]] = deque()
        self._action: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._unfinished = ""
        self._thread = threading.Thread(target=self._copy, name="output", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # a thread too many
            os.close(self._reader)
            os.close(self.writer)
            raise

    def belongs_to(self, action_id: int) -> None:
        """From here on what comes is this action's; what the pipe holds now is not."""
        with self._lock:
            if not self._ended:
                at = self._taken + _waiting(self._reader)
                if self._marks and self._marks[-1][0] == at:
                    self._marks.pop()
                self._marks.append((at, action_id))

    def drain(self, seconds: float) -> None:
        """Waits until all that was printed so far is written, but no longer than that. The pipe
        may live on in what a handler started, so its end is not waited for."""
        for _ in range(int(seconds * 100)):
            if self.drained():
                return
            self._thread.join(0.01)

    def drained(self) -> bool:
        with self._lock:
            if self._ended:
                return True
            shown = self._shown == self._taken and not self._unfinished
            return shown and not _waiting(self._reader)

    def _copy(self) -> None:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while True:
            poll.poll()
            with self._lock:
                part = os.read(self._reader, _PART)
                begin, self._taken = self._taken, self._taken + len(part)
                marks = self._due_marks()
            self._show(part, begin, marks)
            with self._lock:
                self._shown = self._taken
                if not part:
                    self._ended = True
                    os.close(self._reader)
                    return

    def _due_marks(self) -> list[tuple[int, int]]:
        due = []
        while self._marks and self._marks[0][0] < self._taken:
            due.append(self._marks.popleft())
        return due

    def _show(self, part: bytes, begin: int, marks: list[tuple[int, int]]) -> None:
        done = 0
        for at, action_id in marks:
            self._lines(part[done : at - begin])
            self._finish_line()
            self._action = action_id
            done = at - begin
        self._lines(part[done:])
        if not part:
            self._finish_line()

    def _lines(self, part: bytes) -> None:
        text = (self._unfinished + self._decoder.decode(part)).replace("\r\n", "\n")
        *lines, self._unfinished = text.split("\n")
        if len(self._unfinished) > LONGEST_LINE:
            lines.append(self._unfinished)
            self._unfinished = ""
        if lines:
            self._write(lines)

    def _finish_line(self) -> None:
        rest = self._unfinished + self._decoder.decode(b"", final=True)
        self._unfinished = ""
        if rest:
            self._write([rest])

    def _write(self, lines: list[str]) -> None:
        data = self._shown_as(lines).encode()
        with _one_at_a_time, contextlib.suppress(OSError):  # stderr is gone: nobody reads it
            while data:
                data = data[_write(data) :]

    def _shown_as(self, lines: list[str]) -> str:
        if self._as_json:
            return as_objects(lines, self._action)
        label = "" if self._action is None else LABEL.format(self._action)
        text = label + f"\n{label}".join(lines) + "\n"
        return _UNSAFE.sub(lambda c: repr(c[0])[1:-1], text)


def _write(data: bytes) -> int:
    """Bytes that stderr took. It may be one that never blocks: it is waited for."""
    try:
        return os.write(_STDERR, data)
    except BlockingIOError:
        poll = select.poll()
        poll.register(_STDERR, select.POLLOUT)
        poll.poll()
        return 0


def _waiting(reader: int) -> int:
    """Bytes in the pipe."""
    return int(struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0\0\0\0"))[0])
