"""The claim on a large table: rows read, row locks, milliseconds."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from support.engine import Engine, handlers_for
from support.fill import fill
from support.measure import counting_locks, rows_read
from support.site import SiteDatabase

from compat.action_scheduler import INSTALLED
from runner.core.clock import SystemClock

MIXES = ("due", "future", "complete")
HOOKS = tuple(f"py_hook_{n}" for n in range(5))
OTHERS = tuple(f"php_hook_{n}" for n in range(45))
BATCH, TRIES = 25, 15
BOUND = 4 * BATCH * len(HOOKS)


@dataclass
class Line:
    """One table's figures; times in milliseconds."""

    rows: int
    mix: str
    claim_ms: float
    idle_ms: float
    rows_read: int
    locked: int
    ratio: float | None = None

    def within(self) -> bool:
        return self.rows_read <= BOUND and self.locked <= BOUND


def measure(
    server, sizes: tuple[int, ...], mixes: tuple[str, ...], *, mode: str, as_json: bool
) -> bool:
    """Prints a line for each size and mix; False when a bound was broken."""
    if not as_json:
        print(
            f"one {mode} claim of {BATCH} for {len(HOOKS)} hooks among 50; bound {BOUND} rows read and"
            f" locked; ratio to the claim at {min(sizes):,} rows"
        )
        print(
            f"{'rows':>10}  {'mix':<9}{'claim ms':>10}{'ratio':>7}{'idle look ms':>14}"
            f"{'rows read':>11}{'locked':>8}"
        )
    within = True
    for mix in mixes:
        smallest = None
        for size in sorted(sizes):
            line = _one(server, size, mix, mode)
            smallest = smallest or line.claim_ms
            line.ratio = round(line.claim_ms / smallest, 2)
            print(json.dumps(asdict(line)) if as_json else _text(line), flush=True)
            within &= line.within()
    return within


def _text(line: Line) -> str:
    return (
        f"{line.rows:>10,}  {line.mix:<9}{line.claim_ms:>10.1f}{line.ratio:>7.2f}"
        f"{line.idle_ms:>14.1f}{line.rows_read:>11}{line.locked:>8}"
    )


def _one(server, size: int, mix: str, mode: str) -> Line:
    sys.stderr.write(f"filling {size:,} rows ({mix}) …\n")
    site = SiteDatabase.create(server)
    now = int(time.time())
    fill(site, size, mix, hooks=(*HOOKS, *OTHERS), now=now)
    if mix != "due":
        fill(site, 2_000, "due", hooks=HOOKS, now=now)
    if mode == "parked":
        _park(site)
    engine = Engine(site, handlers_for(*HOOKS), SystemClock(), mode)
    database = engine.database()
    source = engine.source(database)
    times = [_claim(source) for _ in range(TRIES)]
    before = rows_read(database)
    with counting_locks(server, source) as counts:
        _claim(source)
    read = rows_read(database) - before
    absent = Engine(site, handlers_for(*(f"absent_{n}" for n in range(5))), SystemClock(), mode)
    idle = absent.source()
    looks = [_look(idle) for _ in range(TRIES)]
    engine.close()
    absent.close()
    site.drop()
    claim_ms, idle_ms = (round(statistics.median(list_), 2) for list_ in (times, looks))
    return Line(size, mix, claim_ms, idle_ms, read, max(counts))


def _park(site) -> None:
    """What is pending of our hooks, as after `runner install`."""
    site.set_option(INSTALLED, json.dumps({"mode": "parked", "hooks": HOOKS}))
    names = ", ".join(f"'{hook}'" for hook in HOOKS)
    site.run(
        f"UPDATE {site.table('actions')} SET scheduled_date_gmt = scheduled_date_gmt +"
        f" INTERVAL 800 YEAR WHERE hook IN ({names}) AND status = 'pending'"
    )
    site.run(f"ANALYZE TABLE {site.table('actions')}")


def _look(source) -> float:
    """Milliseconds of a claim that finds nothing."""
    began = time.perf_counter()
    assert source.claim(BATCH) is None
    return (time.perf_counter() - began) * 1000


def _claim(source) -> float:
    """Claims once and hands back; milliseconds of the claim."""
    began = time.perf_counter()
    claim = source.claim(BATCH, expired=True)
    elapsed = (time.perf_counter() - began) * 1000
    assert len(claim.actions) == BATCH
    source.release(claim, claim.actions)
    return elapsed
