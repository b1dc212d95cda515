"""PHP's own runner beside a busy daemon, against the same runner alone; interleaved."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from interop.wordpress import GROUP, Unusable, WordPress, until
from support.cli import Cli

from runner import NewAction, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEP = 0.020
"""Seconds that the daemon's handlers take."""

CHILDREN = 2
WAITING = 1000
"""Actions of Python that are due at the start: more than the daemon does meanwhile."""

HOOK = "py_interop_bench"
JOBS = f"""
import time
from runner import Handlers
handlers = Handlers()

@handlers.on({HOOK!r})
def sleeping(number):
    time.sleep({SLEEP})
"""
WORK = ("work", "--handlers", "jobs:handlers", "--queues", f"*:{CHILDREN}", "--quiet")


def measure(path: str | None, actions: int, rounds: int, *, as_json: bool) -> bool:
    """Prints PHP's rates and their ratio; whether the promised one was reached."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        site = WordPress.at(path, kept)
    except Unusable as error:
        sys.exit(str(error))
    alone, beside, python = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(Path(folder), {"RUNNER_WP_PATH": str(site.path)})
        cli.module("jobs", JOBS)
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1} of {rounds}\r")
            site.clean()
            alone.append(_php(site, actions))
            with _daemon(site, cli):
                before, began = _completed(site), time.perf_counter()
                beside.append(_php(site, actions))
                python.append((_completed(site) - before) / (time.perf_counter() - began))
    site.clean()
    ratios = [b / a for a, b in zip(alone, beside, strict=True)]
    facts = {
        "actions": actions,
        "alone_per_s": round(statistics.median(alone), 1),
        "beside_per_s": round(statistics.median(beside), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min_max": [round(min(ratios), 3), round(max(ratios), 3)],
        "python_per_s": round(statistics.median(python), 1),
    }
    print(json.dumps(facts)) if as_json else _show(site, facts, rounds)
    return statistics.median(ratios) >= 0.9


def _show(site: WordPress, facts: dict, rounds: int) -> None:
    server = site.run("SELECT VERSION()")[0][0]
    low, high = facts["ratio_min_max"]
    print(f"Action Scheduler {site.facts['version']} on {server}: PHP's own runner, one process;")
    print(f"{facts['actions']} actions that do nothing, {rounds} rounds, medians")
    print(f"alone                                        {facts['alone_per_s']:>7.0f}/s")
    print(
        f"beside `runner work` ({CHILDREN} children, {SLEEP * 1000:g} ms handlers)"
        f" {facts['beside_per_s']:>6.0f}/s  {facts['ratio']:.2f} of that ({low:.2f} to {high:.2f})"
    )
    print(f"Python did meanwhile                         {facts['python_per_s']:>7.0f}/s")


def _php(site: WordPress, actions: int) -> float:
    """PHP's actions a second."""
    answer = site.php("throughput", actions=actions)
    assert answer["done"] == actions, "voids the figure"
    return actions / answer["seconds"]


def _completed(site: WordPress) -> int:
    return int(site.run(
        f"SELECT COUNT(*) FROM {site.table('actions')} WHERE hook = '{HOOK}'"
        " AND status = 'complete'"
    )[0][0])  # fmt: skip


@contextmanager
def _daemon(site: WordPress, cli: Cli) -> Iterator[None]:
    """The runner installed and at work on actions that are due; afterwards all of it is gone."""
    installed = cli("install", "--handlers", "jobs:handlers")
    assert installed.returncode == 0, installed.stderr
    with Queue.open(site.url) as queue:
        queue.many(NewAction(HOOK, [n], group=f"{GROUP}bench") for n in range(WAITING))
    daemon = cli.start(*WORK)
    try:
        until("the daemon's first results", lambda: _completed(site) > CHILDREN * 10)
        yield
        assert daemon.poll() is None, "voids the figure"
        assert _completed(site) < WAITING, "voids the figure: nothing was left to do"
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)
        site.clean()
        assert cli("uninstall", "--drop-tables").returncode == 0
