"""`runner purge` beside a daemon: what claims take meanwhile, and what is left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.cli import Cli
from support.engine import Engine, handlers_for
from support.fill import fill
from support.site import SiteDatabase

from runner import NewAction, Queue
from runner.core.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 25
EVERY = 0.05
"""Seconds between two claims that are measured."""

FEED = 20
"""Actions a second that are created for the daemon."""

RATIO = 2.0
LINES = 3
"""Log lines of an action, as many as Action Scheduler writes."""

GONE, KEPT, PROBED, WORKED = "py_gone", "py_kept", "py_probed", "py_worked"
JOBS = f"""
from runner import Handlers
handlers = Handlers()

@handlers.on({WORKED!r})
def work(number): ...
"""
WORK = ("work", "--handlers", "jobs:handlers", "--queues", "*:2", "--quiet")
PURGE = ("purge", "--hook", GONE, "--status", "complete", "--yes", "--json")


def measure(server, rows: int, quiet: int, *, as_json: bool) -> bool:
    """Prints the figures; whether the promises were kept."""
    sys.stderr.write(f"filling {rows:,} actions with {LINES * rows:,} log lines …\n")
    site = SiteDatabase.create(server)
    site.migrate()
    _fill(site, rows)
    before = _left(site)
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(Path(folder), {"RUNNER_DSN": site.url, "RUNNER_MODE": "native"})
        cli.module("jobs", JOBS)
        with _daemon(cli), _feeding(site), _probing(site) as probe:
            time.sleep(3)
            calm = probe.during(lambda: time.sleep(quiet))
            sys.stderr.write("purging …\n")
            purge = _Purge(cli)
            busy = probe.during(purge.wait)
            calm_again = probe.during(lambda: time.sleep(quiet))
    facts = {
        "rows": rows,
        **_times("quiet", calm), **_times("purging", busy), **_times("quiet_again", calm_again),
        "ratio": round(_p99(busy) / max(_p99(calm), 0.001), 2),
        "seconds": round(purge.seconds, 1),
        "actions_per_s": round(rows / purge.seconds),
        "memory_mb": purge.memory(),
        "deleted": purge.told["actions"],
        "lines_deleted": purge.told["log_lines"],
        "waited_s": round(purge.told["waited"], 1),
        "as_expected": _as_expected(site, rows, purge.told, before),
    }  # fmt: skip
    print(json.dumps(facts)) if as_json else _show(site, facts)
    site.drop()
    return bool(facts["as_expected"]) and facts["ratio"] <= RATIO


def _show(site, facts: dict) -> None:
    version = site.run("SELECT VERSION()")[0][0]
    print(f"{facts['rows']:,} finished actions purged beside a daemon on {version}; every commit")
    print(f"synced to disk. Claims of {BATCH} with {EVERY * 1000:g} ms between them, in ms")
    for name in ("quiet", "purging", "quiet_again"):
        median, p99 = facts[f"{name}_median_ms"], facts[f"{name}_p99_ms"]
        many = facts[f"{name}_claims"]
        print(f"{name.replace('_', ' '):<14}median {median:>7.1f}   p99 {p99:>7.1f}   of {many}")
    print(f"p99 while purging {facts['ratio']:.2f} of the quiet one (wanted: {RATIO:g} at most)")
    print(
        f"{facts['deleted']:,} actions and {facts['lines_deleted']:,} log lines in"
        f" {facts['seconds']:.0f} s ({facts['actions_per_s']:,} actions/s), of which"
        f" {facts['waited_s']:.0f} s waiting; memory of the purge by tenths: {facts['memory_mb']} MB"
    )
    print(f"exactly the expected rows are left: {'yes' if facts['as_expected'] else 'NO'}")


def _fill(site, rows: int) -> None:
    now = int(time.time())
    fill(site, rows, "complete", hooks=(GONE,), now=now)
    fill(site, 10_000, "complete", hooks=(KEPT,), now=now)
    fill(site, 5_000, "due", hooks=(PROBED,), now=now)
    for number in range(LINES):
        site.run(
            f"INSERT INTO {site.table('logs')} (action_id, message, log_date_gmt, log_date_local)"
            f" SELECT action_id, 'line {number}', scheduled_date_gmt, scheduled_date_local"
            f" FROM {site.table('actions')}"
        )
    site.run(f"ANALYZE TABLE {site.table('logs')}")


def _left(site) -> tuple:
    """Rows, and a sum of their ids, of what is to stay."""
    return tuple(
        site.run(
            f"SELECT COUNT(*), SUM(action_id), (SELECT COUNT(*) FROM {site.table('logs')} AS l"
            f" JOIN {site.table('actions')} AS b ON b.action_id = l.action_id WHERE b.hook = '{hook}')"
            f" FROM {site.table('actions')} WHERE hook = '{hook}' AND claim_id IN (0, 9000000)"
        )[0]
        for hook in (KEPT, PROBED)
    )


def _as_expected(site, rows: int, told: dict, before: tuple) -> bool:
    orphans = site.run(
        f"SELECT COUNT(*) FROM {site.table('logs')} AS l LEFT JOIN {site.table('actions')} AS a"
        " ON a.action_id = l.action_id WHERE a.action_id IS NULL"
    )[0][0]
    gone = site.run(f"SELECT COUNT(*) FROM {site.table('actions')} WHERE hook = '{GONE}'")[0][0]
    failed = site.run(f"SELECT COUNT(*) FROM {site.table('actions')} WHERE status = 'failed'")[0][0]
    told_right = (told["actions"], told["log_lines"], told["left"]) == (rows, rows * LINES, 0)
    return (orphans, gone, failed) == (0, 0, 0) and told_right and _left(site) == before


@contextmanager
def _daemon(cli: Cli) -> Iterator[None]:
    daemon = cli.start(*WORK)
    try:
        yield
        assert daemon.poll() is None, "voids the figure"
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)


@contextmanager
def _feeding(site) -> Iterator[None]:
    """New actions for the daemon, so many a second."""
    ended = threading.Event()

    def feed() -> None:
        with Queue.open(site.url) as queue:
            while not ended.wait(1):
                queue.many(NewAction(WORKED, [n]) for n in range(FEED))

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Probe:
    """Claims and hands back, again and again; keeps the milliseconds of each claim."""

    def __init__(self, source) -> None:
        self._source = source
        self._times: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(EVERY):
            began = time.perf_counter()
            claim = self._source.claim(BATCH, expired=True)
            self._times.append((time.perf_counter() - began) * 1000)
            assert len(claim.actions) == BATCH
            self._source.release(claim, claim.actions)

    def during(self, work) -> list[float]:
        first = len(self._times)
        work()
        return self._times[first:]


@contextmanager
def _probing(site) -> Iterator[_Probe]:
    engine = Engine(site, handlers_for(PROBED), SystemClock())
    probe = _Probe(engine.source())
    thread = threading.Thread(target=probe.run)
    thread.start()
    try:
        yield probe
        assert thread.is_alive(), "voids the figure"
    finally:
        probe.ended.set()
        thread.join()
        engine.close()


class _Purge:
    """The command as a process, with its memory by the second."""

    def __init__(self, cli: Cli) -> None:
        self._process = cli.start(*PURGE)
        self._memory: list[int] = []
        self.seconds = 0.0
        self.told: dict = {}

    def wait(self) -> None:
        began = time.perf_counter()
        while True:
            try:
                out, err = self._process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                self._memory.append(_resident(self._process.pid))
        self.seconds = time.perf_counter() - began
        assert self._process.returncode == 0, err
        self.told = json.loads(out)

    def memory(self) -> list[int]:
        """Megabytes at each tenth of its time."""
        seen = self._memory or [0]
        return [seen[len(seen) * tenth // 10] for tenth in range(10)]


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _times(name: str, times: list[float]) -> dict:
    ordered = sorted(times)
    return {
        f"{name}_claims": len(ordered),
        f"{name}_median_ms": round(ordered[len(ordered) // 2], 2),
        f"{name}_p99_ms": round(_p99(ordered), 2),
    }


def _p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) * 99 // 100, len(times) - 1)]
