"""What looking after a site's health costs on a large queue: one look, a scrape of the metrics, and
the chart of a day by the minute; and that the look finds what is wrong there."""

from __future__ import annotations

import json
import statistics
import time

from bench.page import fill_site
from support.measure import statements_sent
from support.page import connected
from support.site import SiteDatabase

from runner.core.thresholds import Thresholds
from runner.operations.figures import Figures
from runner.operations.health.watch import Plan, look
from runner.operations.metrics import exposition
from web import charts

HOOKS, DAYS = 100, 7
"""Of the figures by the minute."""

ROUNDS = 9


def measure(server, rows: int, *, as_json: bool) -> bool:
    """Prints the figures; whether the promised one was reached."""
    site = SiteDatabase.create(server)
    try:
        fill_site(site, rows)
        _minutes(site)
        database, found = connected(site)
        plan = Plan(Thresholds())
        figures = Figures(database, found)
        facts = {
            "rows": rows,
            "look": _timed(lambda: look(database, found, plan)),
            "metrics": _timed(lambda: exposition(database, found, "0")),
            "day": _timed(lambda: _chart(figures)),
        }
        wrong = sorted({f.rule for j in look(database, found, plan).judged for f in j.findings})
        site.run("INSERT INTO wp_runner_pauses VALUES ('hook', 'shop_sync', NULL, '', 'me', NOW())")
        facts["look_while_paused"] = _timed(lambda: look(database, found, plan))
        database.close()
    finally:
        site.drop()
    facts["found"] = wrong
    print(json.dumps(facts)) if as_json else _show(facts, server)
    assert "overdue" in wrong, "voids the figures"
    return facts["day"]["ms"] < 50


def _minutes(site) -> None:
    """A week of a hundred hooks that do something each minute."""
    now = int(time.time()) // 60 * 60
    site.run("DELETE FROM wp_runner_minutes")
    hooks = ["", *(f"hook_{number}" for number in range(HOOKS))]
    for hour in range(DAYS * 24):
        values = ",".join(
            f"(FROM_UNIXTIME({now - (hour * 60 + minute) * 60}), '{hook}', 5, 0, 0, 7, 1, 2, 3, 4)"
            for minute in range(60)
            for hook in hooks
        )
        site.run(
            "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, waiting, wait_p50,"
            f" wait_p95, run_p50, run_p95) VALUES {values}"
        )
    site.run("ANALYZE TABLE wp_runner_minutes")


def _chart(figures: Figures) -> str:
    day = figures.day(int(time.time()))
    assert sum(bucket.done for bucket in day) > 1400 * 5, "voids the figure"
    return charts.day(day, [""] * len(day), [""] * len(day))


def _timed(do) -> dict:
    """The median of so many rounds in milliseconds, and the statements of one."""
    with statements_sent() as asked:
        do()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        do()
        took.append((time.perf_counter() - began) * 1000)
    return {
        "ms": round(statistics.median(took), 1),
        "min_max": [round(min(took), 1), round(max(took), 1)],
        "statements": len(asked),
    }


def _show(facts: dict, server) -> None:
    print(
        f"{facts['rows']:,} actions, {DAYS} days of {HOOKS} hooks by the minute, on {server.version}"
    )
    names = {
        "look": "one look at all rules", "look_while_paused": "the same, a hook with a backlog paused",
        "metrics": "one scrape of /metrics", "day": "a day by the minute, charted",
    }  # fmt: skip
    for key, name in names.items():
        low, high = facts[key]["min_max"]
        print(
            f"{name:<42}{facts[key]['ms']:>8} ms ({low} to {high}), {facts[key]['statements']} statements"
        )
    print(f"found wrong: {', '.join(facts['found'])}")
