"""Actions a second with a handler that does nothing, interleaved with the reference loop."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass, field

from bench import peer_huey, reference
from bench.handlers import HOOKS, handlers, idempotent
from support.engine import Engine
from support.fill import fill
from support.site import SiteDatabase

from runner.config import Settings
from runner.core.clock import SystemClock
from runner.core.signals import Stop

COUNTERS = ("Com_commit", "Com_insert", "Com_update", "Com_delete")


@dataclass
class Case:
    """One line of the result; figures of its rounds."""

    case: str
    executor: str
    batch: int
    guarantee: str = "strict"
    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    statements: float | None = None
    commits: float | None = None

    def facts(self) -> dict:
        return {
            "case": self.case, "executor": self.executor, "batch": self.batch,
            "guarantee": self.guarantee,
            "actions_per_s": round(statistics.median(self.rates), 1),
            "ratio": round(statistics.median(self.ratios), 2),
            "ratio_min": round(min(self.ratios), 2), "ratio_max": round(max(self.ratios), 2),
            "statements_per_action": _rounded(self.statements),
            "commits_per_action": _rounded(self.commits),
        }  # fmt: skip


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)


def cases(batches: tuple[int, ...]) -> list[Case]:
    """What is compared, in the order in which each round runs it."""
    found = []
    for batch in batches:
        found.append(Case("reference", "inline", batch))
        for guarantee in ("strict", "idempotent"):
            found += [Case("runner", name, batch, guarantee) for name in ("inline", "processes:1")]
        if peer_huey.installed():
            found.append(Case("huey", "threads:1", batch, peer_huey.GUARANTEE))
    return found


def measure(
    server,
    actions: int,
    rounds: int,
    batches: tuple[int, ...],
    *,
    own_tables: bool = False,
    as_json: bool,
) -> None:
    version = server.execute("SELECT VERSION()")[0][0]
    compared = cases(batches)
    for number in range(rounds):
        for case in compared:
            sys.stderr.write(f"round {number + 1} of {rounds}: {case.case} {case.executor} …   \r")
            rate = _round(server, case, actions, own_tables=own_tables)
            case.rates.append(rate)
            peer = next(c for c in compared if c.case == "reference" and c.batch == case.batch)
            case.ratios.append(rate / peer.rates[number])
    sys.stderr.write(" " * 60 + "\r")
    if as_json:
        for case in compared:
            print(json.dumps(case.facts()))
        return
    print(
        f"{version}, every commit synced; {actions} actions, {rounds} interleaved rounds, medians"
        + (", with leases and attempts" if own_tables else "")
    )
    print("strict: a result is on disk before the same worker begins its next action")
    print("idempotent: results of up to 150 ms are recorded together; a crash may run them again")
    if peer_huey.installed():
        print("at most once: huey on SQLite with fsync; it has no batches and records no results")
    else:
        print("huey is not installed, so it is not compared with (.venv/bin/pip install huey)")
    print(
        f"{'case':<11}{'executor':<13}{'batch':>5}{'actions/s':>11}{'ratio (min-max)':>22}{'statements':>12}{'commits':>9}  guarantee"
    )
    for case in compared:
        f = case.facts()
        ratio = f"{f['ratio']:.2f} ({f['ratio_min']:.2f}-{f['ratio_max']:.2f})"
        print(f"{f['case']:<11}{f['executor']:<13}{f['batch']:>5}{f['actions_per_s']:>11.0f}{ratio:>22}"
              f"{_shown(case.statements):>12}{_shown(case.commits):>9}  {f['guarantee']}")  # fmt: skip


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _round(server, case: Case, actions: int, *, own_tables: bool) -> float:
    if case.case == "huey":
        return peer_huey.drain(actions)
    site = SiteDatabase.create(server)
    if own_tables:
        site.migrate()
    fill(site, actions, "due", hooks=HOOKS, now=int(time.time()))
    before, statements = server.status(*COUNTERS), server.statements()
    began = time.perf_counter()
    done = _reference(server, site, case) if case.case == "reference" else _runner(site, case)
    seconds = time.perf_counter() - began
    after, statements = server.status(*COUNTERS), server.statements() - statements
    started = site.run(
        "SELECT COUNT(*) FROM wp_actionscheduler_logs WHERE message LIKE 'action started%'"
    )
    complete = site.statuses().get("complete", 0)
    assert done == complete == started[0][0] == actions, "a wrong count voids the figure"
    case.statements = statements / actions
    case.commits = _commits(case, before, after) / actions
    site.drop()
    return actions / seconds


def _commits(case: Case, before: dict, after: dict) -> int:
    """Commits that wrote. Outside a transaction every write commits by itself: all writes of the
    reference loop, and the runner's DELETE of a claims row."""
    alone = ["com_delete"] if case.case == "runner" else ["com_insert", "com_update", "com_delete"]
    return sum(after[name] - before[name] for name in ["com_commit", *alone])


def _reference(server, site, case: Case) -> int:
    connection = server.admin(site.name)
    try:
        return reference.drain(connection, case.batch)
    finally:
        connection.close()


def _runner(site, case: Case) -> int:
    chosen = {"strict": handlers, "idempotent": idempotent}[case.guarantee]
    engine = Engine(site, chosen, SystemClock())
    names = {"strict": "handlers", "idempotent": "idempotent"}
    engine.app.names = [f"bench.handlers:{names[case.guarantee]}"]
    stop = Stop()
    options = Settings(mode="native", batch_size=case.batch, executor=case.executor)
    try:
        return engine.app.run(options, stop).completed
    finally:
        stop.close()
