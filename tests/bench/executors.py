"""What isolation costs: children against calls in the runner's own process, interleaved."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

from bench.handlers import HOOKS, idempotent, sleeping
from bench.handlers import handlers as nothing
from support.engine import Engine
from support.fill import fill
from support.site import SiteDatabase

from runner.app import Progress
from runner.config import Settings
from runner.core.clock import SystemClock
from runner.core.signals import Stop

EXECUTORS = ("inline", "processes:1", "processes:2", "processes:4")
SLEEP = 0.010
"""Seconds that the sleeping handler takes."""

CHILDREN = 4
MANY = 100_000
SAMPLES = 10


def measure(server, actions: int, rounds: int, *, as_json: bool) -> bool:
    """Prints ratios; whether the promised ones were reached."""
    empty: dict[str, list[float]] = {name: [] for name in EXECUTORS}
    ideal: list[float] = []
    for number in range(rounds):
        for name in EXECUTORS:
            _progress(f"round {number + 1} of {rounds}: {name}")
            empty[name].append(_rate(server, nothing, "handlers", name, actions))
        _progress(f"round {number + 1} of {rounds}: {SLEEP * 1000:g} ms handlers")
        ideal.append(_steady(server, actions) * SLEEP / CHILDREN)
    _progress(f"{MANY} actions")
    memory = _memory(server)
    _progress("")
    ratios = {
        name: statistics.median(r / i for r, i in zip(empty[name], empty["inline"], strict=True))
        for name in EXECUTORS
    }
    facts = {
        "actions": actions,
        "actions_per_s": {name: round(statistics.median(empty[name]), 1) for name in EXECUTORS},
        "ratio_to_inline": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "of_ideal": round(statistics.median(ideal), 3),
        "of_ideal_min_max": [round(min(ideal), 3), round(max(ideal), 3)],
        "parent_mb": [round(m / 1e6, 1) for m in memory],
    }
    print(json.dumps(facts)) if as_json else _show(server, facts, rounds)
    return ratios["processes:2"] >= 0.6 and statistics.median(ideal) >= 0.9


def _show(server, facts: dict, rounds: int) -> None:
    version = server.execute("SELECT VERSION()")[0][0]
    print(
        f"{version}, every commit synced, own tables; strict: a result is on disk before the same"
    )
    print(f"worker begins its next action; {facts['actions']} actions, {rounds} rounds, medians")
    for name in EXECUTORS:
        rate, ratio = facts["actions_per_s"][name], facts["ratio_to_inline"][name]
        print(f"no-op handlers  {name:<13}{rate:>8.0f}/s{ratio:>7.2f} of inline")
    low, high = facts["of_ideal_min_max"]
    print(
        f"{SLEEP * 1000:g} ms handlers  processes:{CHILDREN}  {facts['of_ideal']:.2f} of the ideal, once started ({low:.2f} to {high:.2f})"
    )
    print(f"memory of the parent over {MANY:,} idempotent actions, MB: {facts['parent_mb']}")


def _rate(server, handlers, name: str, executor: str, actions: int) -> float:
    site = SiteDatabase.create(server)
    site.migrate()
    fill(site, actions, "due", hooks=HOOKS, now=int(time.time()))
    began = time.perf_counter()
    _run(site, handlers, name, executor)
    seconds = time.perf_counter() - began
    site.drop()
    return actions / seconds


def _steady(server, actions: int) -> float:
    """Actions a second of sleeping handlers, once the children have started: from the first
    result to the last."""
    site = SiteDatabase.create(server)
    site.migrate()
    fill(site, actions, "due", hooks=HOOKS, now=int(time.time()))
    moments: list[float] = []
    _run(
        site,
        sleeping,
        "sleeping",
        f"processes:{CHILDREN}",
        settled=lambda _: moments.append(_now()),
    )
    site.drop()
    return (len(moments) - 1) / (moments[-1] - moments[0])


def _now() -> float:
    return time.perf_counter()


def _memory(server) -> list[float]:
    """Resident bytes of this process, the children's parent, after each tenth of many actions."""
    site = SiteDatabase.create(server)
    site.migrate()
    fill(site, MANY, "due", hooks=HOOKS, now=int(time.time()))
    count, found = 0, []

    def settled(_event) -> None:
        nonlocal count
        count += 1
        if count % (MANY // SAMPLES) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found.append(pages * os.sysconf("SC_PAGESIZE"))

    _run(site, idempotent, "idempotent", "processes:2", batch=100, settled=settled)
    site.drop()
    return found


def _run(site, handlers, name: str, executor: str, *, batch: int = 25, settled=None) -> None:
    engine = Engine(site, handlers, SystemClock())
    engine.app.names = [f"bench.handlers:{name}"]
    stop = Stop()
    options = Settings(mode="native", batch_size=batch, executor=executor)
    try:
        summary = engine.app.run(options, stop, Progress(subscribers=[settled] if settled else []))
    finally:
        stop.close()
    assert summary.completed == summary.claimed == sum(site.statuses().values()), "voids the figure"


def _progress(text: str) -> None:
    sys.stderr.write(f"{text:<60}\r")
