"""Handlers in children that can be killed.

The runner keeps the time, the heartbeat and all writing; a child only calls handlers. A child is
a fresh interpreter, not a fork: it inherits no database connection, and neither does the one that
replaces it after a kill.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from runner.core.errors import HandlerError
from runner.core.model import Attempt, HandlerFailure
from runner.executors.call import Job
from runner.executors.wire import receive, send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.clock import Clock
    from runner.core.model import Action
    from runner.core.signals import Stop
    from runner.handlers.registry import Handlers

START_TIMEOUT = 60.0
"""Seconds a child may take to import the handlers."""

_BOOTSTRAP = (
    "import sys; fd, parent, *sys.path = sys.argv[1:]; "
    "from runner.executors.child import main; main(int(fd), int(parent))"
)


class Child:
    """One child process and the action it runs."""

    def __init__(self, names: Sequence[str], log_level: str) -> None:
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.process = self._spawn(theirs.fileno())
        self.death = _death_watch(self.process.pid)
        self.action: Action | None = None
        self.began = 0.0
        self.deadline = 0.0
        self.channel.settimeout(START_TIMEOUT)
        self._get_ready({"handlers": list(names), "log_level": log_level})

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        path = [entry or str(os.getcwd()) for entry in sys.path]  # noqa: PTH109
        try:
            return subprocess.Popen(  # noqa: S603  our own interpreter
                [sys.executable, "-c", _BOOTSTRAP, str(descriptor), str(os.getpid()), *path],
                pass_fds=(descriptor,),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what handlers print must not mix with the runner's own output
                start_new_session=True,  # a terminal's Ctrl-C is for the runner alone
            )
        except OSError as error:
            self.channel.close()
            raise HandlerError(f"cannot start a process for handlers: {error}") from error

    def _get_ready(self, orders: dict[str, object]) -> None:
        answer = None
        with contextlib.suppress(TimeoutError, ConnectionError):
            send(self.channel, orders)
            answer = receive(self.channel)
        if not answer or "ready" not in answer:
            self.kill()
            raise HandlerError((answer or {}).get("refused") or "the handler process did not start")

    def start(self, action: Action, timeout: float, now: float) -> None:
        self.action, self.began, self.deadline = action, now, now + timeout
        with contextlib.suppress(ConnectionError):  # a dead child is noticed when it is read
            send(self.channel, Job.of(action).message())

    def result(self) -> tuple[HandlerFailure | None, int]:
        """What the call came to, and the child's peak memory in bytes.

        The child is gone afterwards if it died.
        """
        if self.died():
            self.channel.settimeout(0.0)  # a fork may hold the channel: wait for nobody
        answer = None
        with contextlib.suppress(TimeoutError, BlockingIOError, ValueError):
            answer = receive(self.channel)
        if answer is None or self.action is None or answer.get("id") != self.action.id:
            return self._obituary(), 0
        failure = answer["failure"]
        return (None if failure is None else _failure(failure)), answer["memory"]

    def _obituary(self) -> HandlerFailure:
        """Why the process died, with pid and exit code or signal."""
        try:
            code = self.process.wait(1)  # it closed its end: it is dying, if not dead
        except subprocess.TimeoutExpired:
            code = None
        pid = self.process.pid
        self.kill()
        if code is None:
            return HandlerFailure("crash", f"the handler process {pid} closed its channel")
        how = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        return HandlerFailure("crash", f"the handler process {pid} died: {how}")

    def died(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """Kills the child and what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.close()
        if self.death is not None:
            os.close(self.death)
            self.death = None


class Processes:
    """`count` children, started by `prepare`. `names` are handlers as `module:attribute`."""

    def __init__(
        self,
        handlers: Handlers,
        names: Sequence[str],
        stop: Stop,
        clock: Clock,
        *,
        count: int = 1,
        log_level: str = "INFO",
    ) -> None:
        self._handlers = handlers
        self._names = names
        self._stop = stop
        self._clock = clock
        self._count = count
        self._log_level = log_level
        self._children: list[Child] = []

    def room(self) -> int:
        """Actions that could be called right now."""
        return self._count - sum(child.action is not None for child in self._children)

    def busy(self) -> bool:
        return any(child.action for child in self._children)

    def prepare(self) -> None:
        """Starts the children that are missing, so that one that cannot start is known before
        an action begins. Raises HandlerError."""
        for child in [c for c in self._children if c.action is None and c.died()]:
            self._bury(child)
        while len(self._children) < self._count:
            self._children.append(Child(self._names, self._log_level))

    def submit(self, action: Action) -> None:
        """Starts the action's handler in an idle child; there must be room."""
        child = next(child for child in self._children if child.action is None)
        child.start(action, self._handlers[action.hook].timeout, self._clock.monotonic())

    def finished(self, wait: float) -> list[Attempt]:
        """Waits up to `wait` seconds for a result; kills what is over its time limit."""
        running = [child for child in self._children if child.action]
        if not running:
            return []
        now = self._clock.monotonic()
        patience = min(wait, *(child.deadline - now for child in running))
        readable = self._wait(running, max(patience, 0.0))
        now = self._clock.monotonic()
        attempts = []
        for child in running:
            if child.channel in readable:
                attempts.append(self._end(child))
            elif self._stop.now:
                attempts.append(self._end(child, _INTERRUPTED))
            elif now >= child.deadline:
                attempts.append(self._end(child, self._overrun(child)))
        return attempts

    def _wait(self, running: Sequence[Child], seconds: float) -> set[object]:
        channels = {child.channel.fileno(): child.channel for child in running}
        channels |= {child.death: child.channel for child in running if child.death is not None}
        poll = select.poll()
        for descriptor in (*channels, self._stop.wakeup):
            poll.register(descriptor, select.POLLIN)
        return {channels.get(descriptor) for descriptor, _ in poll.poll(seconds * 1000)}

    def _overrun(self, child: Child) -> HandlerFailure:
        seconds = child.deadline - child.began
        return HandlerFailure("timeout", f"timed out after {seconds:g} seconds and was killed")

    def _end(self, child: Child, killed: HandlerFailure | None = None) -> Attempt:
        action = child.action
        assert action is not None  # noqa: S101  only running children end
        failure, memory = (killed, 0) if killed else child.result()
        if killed or child.died():
            self._bury(child)
        child.action = None
        return Attempt(action, self._clock.monotonic() - child.began, failure, memory)

    def _bury(self, child: Child) -> None:
        child.kill()
        self._children.remove(child)

    def close(self) -> None:
        for child in self._children:
            child.kill()
        self._children.clear()


def _death_watch(pid: int) -> int | None:
    """A descriptor that becomes readable when the process dies (Linux): its channel may live on
    in what it forked."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # another system, an old kernel, or a sandbox
        return None


_INTERRUPTED = HandlerFailure("interrupted", "the runner was told to stop at once")


def _failure(fields: dict[str, object]) -> HandlerFailure:
    lineage = fields.pop("lineage", ())
    return HandlerFailure(**fields, lineage=tuple(lineage))  # type: ignore[arg-type]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
