"""Several sites at a time: a process for each, so that the flood or the outage of one holds up no
other. The processes are the runner's own commands, called with the site's name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING

from runner.core.summary import Summary

if TYPE_CHECKING:
    from runner.core.clock import Clock
    from runner.core.signals import Stop

TURN = 10.0
"""Seconds that a site's run may begin actions for, while others wait for their turn."""

TICK = 0.05
"""Seconds between looks at the processes."""

LONGEST_REST = 60.0
"""Seconds before a site's daemon that ends again and again is started once more."""

HEALTHY = 60.0
"""Seconds after which a daemon counts as one that had worked."""

_FORGOTTEN = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNNER_SITE"}
"""Of the environment: what is for the process that systemd has started."""

_BOOTSTRAP = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # ends with the process that started it (Linux)
except (AttributeError, OSError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(0)
sys.path[:] = sys.argv[3:3 + int(sys.argv[2])]
from runner.cli import main
main(sys.argv[3 + int(sys.argv[2]):])
"""

Say = Callable[[str, str, bool], object]
"""Hears a site's name, a line, and whether it is for stderr."""


@dataclass(slots=True)
class Total:
    """What the turns of one site came to; `code` is the exit code of the last, `problem` its last
    word where it could not work."""

    summary: Summary = field(default_factory=Summary)
    code: int = 0
    problem: str = ""

    def add(self, found: Summary) -> None:
        for name, value in asdict(found).items():
            if name in {"contended", "stopped"}:
                setattr(self.summary, name, value)
            else:
                setattr(self.summary, name, getattr(self.summary, name) + value)


class Process:
    """A command at work on one site; its lines are told as they come."""

    def __init__(self, site: str, arguments: Sequence[str], tell: Say, now: float) -> None:
        self.site = site
        self.began = now
        path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109
        command = [sys.executable, "-c", _BOOTSTRAP, str(os.getpid()), str(len(path)), *path]
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter
            [*command, *arguments, "--site", site],
            env={name: value for name, value in os.environ.items() if name not in _FORGOTTEN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            start_new_session=True,  # a terminal's Ctrl-C is for the first process alone
        )
        streams = ((self._process.stdout, False), (self._process.stderr, True))
        self._readers = [
            threading.Thread(target=self._read, args=(stream, tell, wrong), daemon=True)
            for stream, wrong in streams
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], tell: Say, wrong: bool) -> None:
        with stream:
            for line in stream:
                tell(self.site, line.rstrip("\n"), wrong)

    def ended(self) -> int | None:
        """The exit code as a shell gives it, None while it works."""
        code = self._process.poll()
        if code is None:
            return None
        for reader in self._readers:
            reader.join(1)  # what it forked may hold the pipe open
        return 128 - code if code < 0 else code

    def signal(self, number: int) -> None:
        self._process.send_signal(number)


class Signals:
    """Passes on to processes what this one was asked for."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._sent = 0
        self._reloads = stop.reloads

    def pass_on(self, processes: Sequence[Process]) -> None:
        wanted = 2 if self._stop.now else int(bool(self._stop.asked))
        while self._sent < wanted:
            self._sent += 1
            for process in processes:
                process.signal(signal.SIGTERM)
        if self._stop.reloads > self._reloads:
            self._reloads = self._stop.reloads
            for process in processes:
                process.signal(signal.SIGHUP)


class Rounds:
    """`runner run` on each of many sites, some at a time. While there are more sites than places,
    a site that is not done after its turn goes to the end of the line."""

    def __init__(
        self, sites: Sequence[str], arguments: Sequence[str], stop: Stop, clock: Clock, tell: Say
    ) -> None:
        self._arguments = arguments
        self._stop = stop
        self._clock = clock
        self._tell = tell
        self._waiting = deque(sites)
        self._said: dict[str, str] = {}
        self._worked: dict[str, Process] = {}
        self.totals = {site: Total() for site in sites}

    def run(self, at_once: int, seconds: float) -> dict[str, Total]:
        """`seconds` is the time limit of all together, 0 for none."""
        signals = Signals(self._stop)
        end = self._clock.monotonic() + seconds if seconds else 0.0
        crowded = len(self.totals) > at_once
        while self._worked or (self._waiting and not self._over(end)):
            while self._waiting and len(self._worked) < at_once and not self._over(end):
                self._begin(self._waiting.popleft(), self._limit(end, crowded=crowded))
            signals.pass_on([*self._worked.values()])
            self._collect(end)
            self._clock.sleep(TICK)
        return self.totals

    def _over(self, end: float) -> bool:
        return bool(self._stop.asked) or bool(end and self._clock.monotonic() >= end)

    def _limit(self, end: float, *, crowded: bool) -> float:
        left = max(end - self._clock.monotonic(), 0.1) if end else 0.0
        return min(filter(None, (left, TURN if crowded else 0.0)), default=0.0)

    def _begin(self, site: str, limit: float) -> None:
        given = [*self._arguments, "--json", *(["--time-limit", f"{limit:g}"] if limit else [])]
        self._worked[site] = Process(site, given, self._heard, self._clock.monotonic())

    def _heard(self, site: str, line: str, wrong: bool) -> None:
        if not wrong and line.startswith("{"):
            self._said[site] = line
        else:
            self.totals[site].problem = line
            self._tell(site, line, wrong)

    def _collect(self, end: float) -> None:
        for site, process in [*self._worked.items()]:
            if (code := process.ended()) is None:
                continue
            del self._worked[site]
            total, said = self.totals[site], self._said.pop(site, "")
            total.code = code
            if said:
                found = Summary(**json.loads(said))
                total.add(found)
                if found.stopped == "time limit" and not self._over(end):
                    self._waiting.append(site)


class Keeper:
    """`runner work` on each of many sites. One that ends is started again, later each time."""

    def __init__(
        self, sites: Sequence[str], arguments: Sequence[str], stop: Stop, clock: Clock, tell: Say
    ) -> None:
        self._sites = sites
        self._arguments = arguments
        self._stop = stop
        self._clock = clock
        self._tell = tell
        self._worked: dict[str, Process] = {}
        self._due: dict[str, float] = dict.fromkeys(sites, 0.0)
        self._rests: dict[str, float] = {}

    def run(self, alive: Callable[[], object]) -> int:
        """Until told to stop; the worst exit code of those that then ended."""
        signals, worst = Signals(self._stop), 0
        while self._worked or not self._stop.asked:
            now = self._clock.monotonic()
            for site in [site for site, due in self._due.items() if due <= now]:
                if not self._stop.asked:
                    del self._due[site]
                    self._worked[site] = Process(site, self._arguments, self._tell, now)
            signals.pass_on([*self._worked.values()])
            for site, process in [*self._worked.items()]:
                if (code := process.ended()) is not None:
                    del self._worked[site]
                    worst = max(worst, code if self._stop.asked else 0)
                    self._rest(process, code)
            alive()
            self._clock.sleep(TICK)
        return worst

    def _rest(self, process: Process, code: int) -> None:
        """When the site's daemon is started again."""
        if self._stop.asked:
            return
        site, now = process.site, self._clock.monotonic()
        healthy = now - process.began >= HEALTHY
        rest = 1.0 if healthy else min(self._rests.get(site, 0.5) * 2, LONGEST_REST)
        self._rests[site], self._due[site] = rest, now + rest
        self._tell(site, f"ended with {code}, starts again in {rest:g} s", True)
