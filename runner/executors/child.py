"""One child, as the runner sees it: started, given an action, asked, killed, reaped. Nothing here
waits for the child, or another child's result would wait too."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.errors import HandlerError
from runner.core.limits import MAXRSS_UNIT
from runner.core.model import HandlerFailure
from runner.executors.call import Job
from runner.executors.output import Output
from runner.executors.wire import Mailbox, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.core.model import Action, Receipt

START_TIMEOUT = 60.0
"""Seconds a child may take to import the handlers."""

GRACE = 1.0
"""Seconds that a child may live on after it closed its channel."""

SEND_TIMEOUT = 1.0
"""Seconds to write to a channel. It takes a job at once, unless the child stopped reading."""

_MEGABYTE = 1024 * 1024

_BOOTSTRAP = (
    "import sys; fd, parent, *sys.path = sys.argv[1:]; "
    "from runner.child_main import main; main(int(fd), int(parent))"
)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a child is told at its start: handlers as `module:attribute`, from which level on what
    they log is shown, whether as JSON, how far it stands back for others (a nice value), and where
    the site is, for handlers that settle their action: None is nowhere."""

    handlers: Sequence[str]
    log_level: str = "INFO"
    json_output: bool = False
    nice: int = 0
    site: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to; `memory` is the child's peak in bytes; `settled` says that the handler
    has settled the action itself."""

    failure: HandlerFailure | None
    memory: int
    settled: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended: exit code, -n for signal n, None when nobody can tell; peak memory in
    bytes, 0 when unknown."""

    code: int | None
    memory: int

    def __str__(self) -> str:
        """In words, for the log: only what is known."""
        if self.code is None:
            how = "nobody knows how"
        elif self.code >= 0:
            how = f"exit code {self.code}"
        else:
            how = f"killed by {_signal_name(-self.code)}"
        if self.memory:
            how += f", peak memory {self.memory // _MEGABYTE} MB"
        return how + (" (out of memory?)" if self.code == -signal.SIGKILL else "")


class Child:
    """One child process and the action it runs.

    `orders` are the first message to it: over the channel, since they hold a password. `ready`
    once it has imported the handlers; `hung_up` when its channel is of no more use;
    `worn` when it is to be replaced; `deadline` is the monotonic time at which it is killed.
    """

    def __init__(self, orders: Orders, now: float) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        with theirs:
            self.output = Output(as_json=orders.json_output)
            try:
                self.process = _spawn(theirs.fileno(), self.output.writer)
            finally:
                os.close(self.output.writer)
        self.death = _death_watch(self.process.pid)
        self.ready = False
        self.worn = False
        self.calls = 0
        self.action: Action | None = None
        self.began = now
        self.deadline = now + START_TIMEOUT
        self.end: End | None = None
        self._parent_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._killed = False
        self._mailbox = Mailbox(self.channel)
        self.hung_up = not self._send(asdict(orders))

    @property
    def useless(self) -> bool:
        return self._killed or self.hung_up or self.end is not None

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it that we did not send."""
        return self.end is not None and self.end.code is not None and self.end.code < 0

    def start(
        self, action: Action, receipt: Receipt, timeout: float, now: float, why: str | None = None
    ) -> None:
        """Hands over an action (see Job). A dead child is noticed when it is asked."""
        self.action, self.began, self.deadline = action, now, now + timeout
        self.calls += 1
        self.output.belongs_to(action.id)
        self.hung_up = not self._send(Job.of(action, receipt, why).message())

    def cancel(self) -> None:
        """Tells the handler that its action is not wanted any more, should it ask."""
        if self.action:
            self._send({"cancel": self.action.id})

    def _send(self, message: object) -> bool:
        """Whether it could be sent."""
        data = pack(message)
        try:
            data = data[self.channel.send(data) :]
            if data:  # more than the socket takes at a time
                self.channel.settimeout(SEND_TIMEOUT)
                self.channel.sendall(data)
                self.channel.setblocking(False)
        except OSError:
            return False
        return True

    def greeted(self, now: float) -> bool:
        """Whether it is ready. Raises HandlerError when it cannot be."""
        for message in self._look():
            if "refused" in message:
                raise HandlerError(message["refused"])
            self.ready = "ready" in message
        if self.died():
            raise HandlerError(f"the handler process did not start: {self.end}")
        self._mind(now)
        if now >= self.deadline and not self.ready:
            raise HandlerError("the handler process did not start in time")
        return self.ready

    def answer(self) -> Answer | None:
        """What the call came to, once it has ended or the child has died."""
        answer = self._read()
        if not answer and self.died() and self.end:
            answer = self._read()  # what it said before it died counts
            return answer or Answer(self._obituary(), self.end.memory)
        return answer

    def _read(self) -> Answer | None:
        """The answer, if it has come. Whoever says anything else is not listened to any more."""
        for message in self._look():
            try:
                if self.action and message["id"] == self.action.id:
                    failure, memory = _failure(message["failure"]), int(message["memory"])
                    return Answer(failure, memory, bool(message["settled"]))
            except (TypeError, LookupError, ValueError):
                pass  # as good as a stranger's
            self.hung_up = True
        return None

    def give_up(self, now: float, *, at_once: HandlerFailure | None) -> Answer | None:
        """Kills it when its time is over, or when there is a reason to do so at once."""
        self._mind(now)
        if not at_once and now < self.deadline:
            return None
        self.kill()
        if at_once:
            return Answer(at_once, 0)
        if self.hung_up:
            return Answer(self._obituary(), 0)
        seconds = self.deadline - self.began
        text = f"timed out after {seconds:g} seconds and was killed"
        return Answer(HandlerFailure("timeout", text), 0)

    def _mind(self, now: float) -> None:
        """A child that hung up is given little time to die by itself."""
        if self.hung_up:
            self.deadline = min(self.deadline, now + GRACE)

    def _look(self) -> list[dict[str, Any]]:
        if self.hung_up:
            return []
        try:
            messages = self._mailbox.look()
        except (OSError, ValueError):
            messages, self.hung_up = [], True
        self.hung_up = self.hung_up or self._mailbox.closed
        return [message if isinstance(message, dict) else {} for message in messages]

    def died(self) -> bool:
        """Whether it has ended; it is reaped then, and what it started is killed."""
        if self.end is None:
            try:
                pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            except ChildProcessError:  # reaped by another, or SIGCHLD is ignored
                self.end = End(None, 0)
            else:
                if not pid:
                    return False
                # A process counts the peak of what it was started from as its own.
                known = usage.ru_maxrss > self._parent_memory
                peak = usage.ru_maxrss * MAXRSS_UNIT if known else 0
                self.end = End(os.waitstatus_to_exitcode(status), peak)
            self._killall()
            self.process.returncode = self.end.code or 0
        return True

    def _obituary(self) -> HandlerFailure:
        """Why it is of no more use, with pid, exit code or signal, and peak memory."""
        fate = f"died: {self.end}" if self.end else "lost its channel and was killed"
        return HandlerFailure("crash", f"the handler process {self.process.pid} {fate}")

    def memory(self) -> int:
        """What it holds now, in bytes; 0 where that cannot be read."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_bytes().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * resource.getpagesize()

    def kill(self) -> None:
        """Kills it and what it started, and does not wait for its end: see `gone`."""
        if self.end is None:
            self._killed = True
            self._killall()
        self.channel.close()

    def _killall(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def gone(self, seconds: float = 0.0) -> bool:
        """Whether a killed child has left nothing behind; waits no longer than that."""
        poll = select.poll()
        if self.death is not None:
            poll.register(self.death, select.POLLIN)
        for _ in range(int(seconds * 100)):
            if self.died():
                break
            poll.poll(10)
        if not self.died():
            return False
        if self.death is not None:
            os.close(self.death)
            self.death = None
        self.output.drain(seconds)
        return self.output.drained()


def _spawn(channel: int, output: int) -> subprocess.Popen[bytes]:
    path = [entry or str(os.getcwd()) for entry in sys.path]  # noqa: PTH109
    return subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _BOOTSTRAP, str(channel), str(os.getpid()), *path],
        pass_fds=(channel,),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # a terminal's Ctrl-C is for the runner alone
    )


def _death_watch(pid: int) -> int | None:
    """A descriptor that becomes readable when the process dies (Linux): its channel may live on
    in what it forked."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # another system, an old kernel, or a sandbox
        return None


def _failure(fields: dict[str, Any] | None) -> HandlerFailure | None:
    if fields is None:
        return None
    return HandlerFailure(**(fields | {"lineage": tuple(fields["lineage"])}))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
