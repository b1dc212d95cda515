"""Handlers in threads of this process: for I/O-bound ones, many of which may wait at a time.

A thread cannot be killed. When its time is over the action is settled as timed out all the same,
and the thread is given up: what it still does is not looked at, and its place stays taken until
it ends. There is no soft deadline, and one handler's memory is everybody's.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from functools import cache
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from runner.core.errors import HandlerError
from runner.core.model import NO_RECEIPT, Attempt, HandlerFailure
from runner.executors import logs
from runner.executors.call import DEAD_LETTER_TIMEOUT, Job, call
from runner.executors.settling import Settling, no_settler

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.clock import Clock
    from runner.core.model import Action, Receipt
    from runner.core.signals import Stop
    from runner.executors.settling import Settler
    from runner.handlers.registry import Handlers

PATIENCE = 5.0
"""Seconds to wait for a place when every thread is held by a handler over its time."""


class Threads:
    """`count` threads, started by `prepare`. Each makes a `settler` when a handler wants it."""

    def __init__(
        self,
        handlers: Handlers,
        stop: Stop,
        clock: Clock,
        *,
        count: int,
        settler: Callable[[], Settler] = no_settler,
    ) -> None:
        self._handlers = handlers
        self._stop = stop
        self._clock = clock
        self._count = count
        self._settler = settler
        self._places: list[Place] = []
        self._ended: SimpleQueue[tuple[Place, HandlerFailure | None, bool]] = SimpleQueue()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._stdout = _Stdout(sys.stdout)
        sys.stdout = self._stdout

    def room(self) -> int:
        """Actions that could be called right now; when nothing runs, after `prepare`."""
        missing = self._count - len(self._places)
        return len(self._idle()) + missing or (0 if self.busy() else 1)

    def busy(self) -> bool:
        return bool(self._running())

    def prepare(self) -> None:
        """Starts the threads that are missing. When every one is held by a handler over its time,
        waits a little; then raises HandlerError, since only a new process has new threads."""
        while len(self._places) < self._count:
            self._places.append(Place(self._handlers, self._settler, self._note))
        until = self._clock.monotonic() + PATIENCE
        while not self._idle() and not self.busy():
            left = until - self._clock.monotonic()
            if left <= 0 or self._stop.now:
                raise HandlerError(
                    f"every one of the {self._count} threads is held by a handler over its time"
                    " limit: a thread cannot be killed"
                )
            self._listen(left)

    def submit(self, action: Action, receipt: Receipt = NO_RECEIPT, why: str | None = None) -> None:
        """Starts the action's handler in an idle thread; there must be room. With `why`, its
        `on_dead_letter` functions instead."""
        timeout = self._handlers.find(action).timeout if why is None else DEAD_LETTER_TIMEOUT
        self._idle()[0].start(
            Job.of(action, receipt, why), action, timeout, self._clock.monotonic()
        )

    def finished(self, wait: float) -> list[Attempt]:
        """Waits up to `wait` seconds for a result; gives up what is over its time limit."""
        running = self._running()
        if not running:
            return []
        now = self._clock.monotonic()
        attempts = self._listen(min(wait, *(place.deadline - now for place in running)))
        now = self._clock.monotonic()
        return attempts + [a for place in self._running() if (a := self._overdue(place, now))]

    def cancel(self, action_id: int) -> None:
        """The action is not wanted any more: `context.cancelled` is true from now on."""
        for place in self._running():
            if place.action and place.action.id == action_id:
                place.cancelled.set()

    def close(self) -> None:
        """Ends the idle threads. Nobody waits for the others: they end with the process."""
        for place in self._places:
            place.inbox.put(None)
        self._bell.close()
        self._ring.close()
        if len(self._idle()) == len(self._places) and sys.stdout is self._stdout:
            sys.stdout = self._stdout.real

    def _idle(self) -> list[Place]:
        return [place for place in self._places if place.action is None]

    def _running(self) -> list[Place]:
        return [place for place in self._places if place.action and not place.given_up]

    def _note(self, place: Place, failure: HandlerFailure | None, settled: bool) -> None:
        """Called in the thread that has ended a call."""
        self._ended.put((place, failure, settled))
        with contextlib.suppress(OSError):  # it rings already, or nobody listens any more
            self._ring.send(b"!")

    def _listen(self, seconds: float) -> list[Attempt]:
        """Waits for a result, or for an end that is wanted now."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(self._stop.wakeup, select.POLLIN)
        poll.poll(max(seconds, 0.0) * 1000)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        now = self._clock.monotonic()
        attempts = []
        while not self._ended.empty():
            place, failure, settled = self._ended.get()
            if place.action and not place.given_up:  # what comes too late is dropped
                elapsed = now - place.began
                attempts.append(Attempt(place.action, elapsed, failure, settled=settled))
            place.action, place.given_up = None, False
        return attempts

    def _overdue(self, place: Place, now: float) -> Attempt | None:
        if self._stop.now:
            kind, text = "interrupted", "the runner was told to stop at once"
        elif now >= place.deadline:
            seconds = place.deadline - place.began
            kind, text = "timeout", f"timed out after {seconds:g} seconds"
        else:
            return None
        place.given_up = True
        place.cancelled.set()  # should the handler ask, it can leave off
        assert place.action is not None  # noqa: S101  it runs
        failure = HandlerFailure(kind, f"{text}; its thread may still be running")
        return Attempt(place.action, now - place.began, failure)


class Place:
    """One thread and the action it runs. `given_up`: its action is settled, and it still runs."""

    def __init__(
        self,
        handlers: Handlers,
        settler: Callable[[], Settler],
        note: Callable[[Place, HandlerFailure | None, bool], None],
    ) -> None:
        self.inbox: SimpleQueue[Job | None] = SimpleQueue()
        self.action: Action | None = None
        self.given_up = False
        self.began = 0.0
        self.deadline = 0.0
        self.cancelled = threading.Event()
        self._handlers = handlers
        self._settler = cache(settler)
        self._note = note
        try:
            threading.Thread(target=self._serve, name="handler", daemon=True).start()
        except RuntimeError as error:
            raise HandlerError(f"cannot start a thread for handlers: {error}") from error

    def start(self, job: Job, action: Action, timeout: float, now: float) -> None:
        self.action, self.began, self.deadline = action, now, now + timeout
        self.cancelled = threading.Event()
        self.inbox.put(job)

    def _serve(self) -> None:
        while (job := self.inbox.get()) is not None:
            settling = Settling(job, self._settler, self.began)
            failure = call(self._handlers, job, self.cancelled.is_set, settling)
            logs.traceback(failure, job.id)
            self._note(self, failure, settling.done)
            settling.end()


class _Stdout:
    """stdout for the thread that made this; stderr for all others: what handlers print must not
    mix with the runner's own output."""

    def __init__(self, real: IO[str]) -> None:
        self.real = real
        self._owner = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        stream = self.real if threading.get_ident() == self._owner else sys.stderr
        return getattr(stream, name)
