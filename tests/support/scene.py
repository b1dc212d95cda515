"""What scenarios of the chaos tests share: a site, real runners on it, and what must hold after."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter, defaultdict
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Self

from support.cli import Cli
from support.site import SiteDatabase
from support.waiting import catches, children, gone, until

from compat.action_scheduler import COMPLETE, STARTED

if TYPE_CHECKING:
    from pathlib import Path

FULL = os.environ.get("RUNNER_TEST_CHAOS") == "full"
"""The long form of every scenario (`./dev chaos`)."""

LEASE = int(os.environ.get("RUNNER_TEST_LEASE", "2"))
"""Seconds after which what a dead runner left is taken back: by its lease or, on a site without
the runner's own tables, by its silence."""

DUE = 1_700_000_000

SETTLE = r"THEN 'in-progress' ELSE .*'in-progress' AND action_id IN \([0-9]"
"""The statement that records results, as a proxy sees it."""

JOBS = """
import os, pathlib, time
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(1), timeout=60)
here = pathlib.Path(__file__).parent
effects = os.open(here / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def effect(context):
    line = f"{context.action_id} {os.getppid()} {time.monotonic():.3f}\\n"
    os.write(effects, line.encode())

def wait_for(name):
    while not (here / name).exists():
        time.sleep(0.01)
"""

_WHY = re.compile(
    "its worker died|the handler process [0-9]+ (died|lost its channel)|its handler was not called"
)


def pick(short, full):
    """The size of a scenario in its short or long form."""
    return full if FULL else short


class Effect(NamedTuple):
    """One call of a handler: of which action, in a child of which runner, at which second."""

    action: int
    runner: int
    at: float


class Scene:
    """A site on the server, a folder with its handlers, and the runners started there in a mode.
    `tables`: whether the site has the runner's own."""

    def __init__(
        self, server, folder: Path, jobs: str, *, tables: bool = True, mode: str = "native"
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.site = SiteDatabase.create(server)
        self.tables = tables
        self.mode = mode
        self.processes: list[subprocess.Popen[bytes]] = []
        self._numbers = count(1)
        environ = {
            "RUNNER_DSN": self.site.url, "RUNNER_MODE": mode,
            "RUNNER_HANDLERS": "jobs:handlers",
            ("RUNNER_LEASE" if tables else "RUNNER_EXPIRY"): str(LEASE),
        }  # fmt: skip
        if tables:
            self.site.migrate()
        self.cli = Cli(folder, environ)
        self.cli.module("jobs", JOBS + jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Starts `runner …`; what it complains of is in `complaints`."""
        with self._complaints(next(self._numbers)).open("wb") as stderr:
            process = subprocess.Popen(
                self.cli.command(*arguments, "--quiet"), cwd=self.folder,
                env=self.cli.env(**environ), stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def work(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        return self.start("work", "--sleep", "0.05", *arguments, **environ)

    def _complaints(self, number: int) -> Path:
        return self.folder / f"stderr{number}"

    def complaints(self, process: subprocess.Popen[bytes]) -> str:
        return self._complaints(self.processes.index(process) + 1).read_text()

    def touch(self, name: str) -> None:
        (self.folder / name).touch()

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def effects(self) -> list[Effect]:
        """Every call of a handler, in their order."""
        if not self.has("effects"):
            return []
        lines = (self.folder / "effects").read_text().splitlines()
        return [Effect(int(a), int(b), float(c)) for a, b, c in map(str.split, lines)]

    def calls(self) -> Counter[int]:
        """Calls of each action's handler."""
        return Counter(effect.action for effect in self.effects())

    def is_abandoned(self) -> bool:
        """Whether all that is claimed or runs may be taken back: nobody has kept it alive."""
        if self.tables:
            return not self.site.own("leases", "expires_at >= UTC_TIMESTAMP()")
        return not self._count(
            "claim_id > 0 AND status IN ('pending', 'in-progress')"
            f" AND last_attempt_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - {LEASE})"
        )

    def is_done(self) -> bool:
        """Whether nothing is left to do: neither now nor by a retry that waits."""
        return not self._count(
            "status = 'in-progress' OR (status = 'pending'"
            " AND (scheduled_date_gmt < UTC_TIMESTAMP() + INTERVAL 1 MINUTE OR scheduled_date_gmt"
            " BETWEEN '2800-01-01' AND UTC_TIMESTAMP() + INTERVAL 800 YEAR + INTERVAL 1 MINUTE))"
        )

    def _count(self, where: str) -> int:
        return self.site.run(f"SELECT COUNT(*) FROM {self.site.table('actions')} WHERE {where}")[0][
            0
        ]

    def finish(self, seconds: float = 60) -> None:
        """Other runners finish what dead ones left, once they count as dead; then all that is still
        at work is told to end, and ends well."""
        until(self.is_abandoned, LEASE + 20, every=0.1)
        until(lambda: self.is_done() or self.run(), seconds, every=0.1)
        self.end()

    def run(self) -> bool:
        """One run from cron beside what is at work. Whether nothing is left then."""
        process = self.start("run", "--force")
        assert process.wait(60) == 0, self.complaints(process)
        return self.is_done()

    def end(self) -> None:
        """Every daemon that lives ends on SIGTERM, a run by itself; none complains by its code."""
        alive = [process for process in self.processes if process.poll() is None]
        for process in alive:
            if "work" in process.args:
                until(lambda: catches(process.pid, signal.SIGTERM))  # noqa: B023  awaited here
                process.send_signal(signal.SIGTERM)
        for process in alive:
            code = process.wait(30)
            assert code == 0, (code, self.complaints(process))

    def check(self) -> None:
        """What holds after any accident: PHP finds nothing of ours in the way, no claim lives, and
        the log explains every further start of an action."""
        assert not self._count("status = 'in-progress' OR (claim_id > 0 AND status = 'pending')")
        claims = self.site.run(
            f"SELECT claim_id FROM {self.site.table('claims')} JOIN {self.site.table('actions')}"
            " USING (claim_id) WHERE status IN ('pending', 'in-progress')"
        )
        assert not claims
        if self.tables:
            assert self.site.own("locks") == []
        if self.mode == "parked":
            assert not self._count("claim_id > 0")
            assert not self._count("status <> 'pending' AND scheduled_date_gmt >= '2800-01-01'")
            assert self.site.own("held") == []
        calls, logs = self.calls(), self.logs()
        for action, lines in logs.items():
            assert is_explained(lines), (action, lines)
            assert lines.count(COMPLETE) <= 1, (action, lines)
            assert calls[action] <= lines.count(STARTED), (action, calls[action], lines)

    def logs(self) -> dict[int, list[str]]:
        """Each action's story."""
        found = defaultdict(list)
        logs = self.site.table("logs")
        for action, line in self.site.run(f"SELECT action_id, message FROM {logs} ORDER BY log_id"):
            found[action].append(line)
        return found


def is_explained(lines: list[str]) -> bool:
    """Whether a death, or a call that did not come about, is told of between any two starts."""
    told = True
    for line in lines:
        if line == STARTED and not told:
            return False
        told = line != STARTED and (told or bool(_WHY.search(line)))
    return True


def kill(pid: int) -> None:
    """SIGKILL; returns when the process is gone."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))


def kill_runner(process: subprocess.Popen[bytes]) -> None:
    """The runner alone; its children must follow it by themselves."""
    left = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: all(gone(child) for child in left))
