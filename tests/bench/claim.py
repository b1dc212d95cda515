"""The claim on a large table: rows read, row locks, milliseconds."""

from __future__ import annotations

import statistics
import sys
import time

from support.engine import Engine, handlers_for
from support.fill import fill
from support.measure import counting_locks, rows_read
from support.site import SiteDatabase

from runner.core.clock import SystemClock

MIXES = ("due", "future", "complete")
HOOKS = tuple(f"py_hook_{n}" for n in range(5))
OTHERS = tuple(f"php_hook_{n}" for n in range(45))
BATCH, TRIES = 25, 9


def measure(server, rows: int, mixes: tuple[str, ...]) -> bool:
    """Prints a line for each mix; False when a bound was broken."""
    bound = 4 * BATCH * len(HOOKS)
    print(
        f"one claim of {BATCH} for {len(HOOKS)} hooks among 50; bound {bound} rows read and locked"
    )
    print(
        f"{'rows':>10}  {'mix':<9}{'claim ms':>10}{'idle look ms':>14}{'rows read':>11}{'locked':>8}"
    )
    within = True
    for mix in mixes:
        sys.stderr.write(f"filling {rows:,} rows ({mix}) …\n")
        site = SiteDatabase.create(server)
        now = int(time.time())
        fill(site, rows, mix, hooks=(*HOOKS, *OTHERS), now=now)
        if mix != "due":
            fill(site, 2_000, "due", hooks=HOOKS, now=now)
        within &= _one(server, site, rows, mix, bound)
        site.drop()
    return within


def _one(server, site, rows: int, mix: str, bound: int) -> bool:
    engine = Engine(site, handlers_for(*HOOKS), SystemClock())
    database = engine.database()
    source = engine.source(database)
    times = [_claim(source) for _ in range(TRIES)]
    before = rows_read(database)
    with counting_locks(server, source) as counts:
        _claim(source)
    read, locked = rows_read(database) - before, max(counts)
    absent = Engine(site, handlers_for(*(f"absent_{n}" for n in range(5))), SystemClock())
    idle = absent.source()
    began = time.perf_counter()
    for _ in range(TRIES):
        assert idle.claim(BATCH) is None
    idle_ms = (time.perf_counter() - began) * 1000 / TRIES
    engine.close()
    absent.close()
    print(
        f"{rows:>10,}  {mix:<9}{statistics.median(times):>10.1f}{idle_ms:>14.1f}"
        f"{read:>11}{locked:>8}",
        flush=True,
    )
    return read <= bound and locked <= bound


def _claim(source) -> float:
    """Claims once and hands back; milliseconds of the claim."""
    began = time.perf_counter()
    claim = source.claim(BATCH, expired=True)
    elapsed = (time.perf_counter() - began) * 1000
    assert len(claim.actions) == BATCH
    source.release(claim, claim.actions)
    return elapsed
