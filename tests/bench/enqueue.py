"""Actions created a second: many at once, one by one, and by a loop of raw statements."""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from dataclasses import dataclass, field

from support.site import SiteDatabase

from compat import args, schedules
from compat.site_time import sql_date
from runner import NewAction, Queue

AT = 1_900_000_000
INSERT = (
    "INSERT INTO wp_actionscheduler_actions (hook, status, scheduled_date_gmt,"
    " scheduled_date_local, priority, args, schedule, group_id)"
    " VALUES ('bench', 'pending', %s, %s, 10, %s, %s, 1)"
)
LOG = (
    "INSERT INTO wp_actionscheduler_logs (action_id, message, log_date_gmt, log_date_local)"
    " VALUES (%s, 'action created', UTC_TIMESTAMP(), UTC_TIMESTAMP())"
)


@dataclass
class Case:
    """A way to create actions, and its rates."""

    name: str
    guarantee: str
    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def facts(self) -> dict:
        return {
            "case": self.name, "guarantee": self.guarantee,
            "actions_per_s": round(statistics.median(self.rates), 1),
            "ratio": round(statistics.median(self.ratios), 2),
            "ratio_min": round(min(self.ratios), 2), "ratio_max": round(max(self.ratios), 2),
        }  # fmt: skip


def measure(server, actions: int, rounds: int, *, as_json: bool) -> None:
    """Each action has a date and args of its own."""
    site = SiteDatabase.create(server)
    cases = [
        Case("raw loop", "row and log line apart"),
        Case("Queue.schedule", "row with its log line"),
        Case("Queue.many", "all or none"),
    ]
    with Queue.open(site.url) as queue:
        queue.schedule("bench", AT, group="bench")  # the group is there, as it mostly is
        ways = [_raw, _single, _many]
        for number in range(rounds):
            for case, way in zip(cases, ways, strict=True):
                sys.stderr.write(f"round {number + 1} of {rounds}: {case.name} …   \r")
                case.rates.append(_rate(site, queue, way, actions))
                case.ratios.append(case.rates[-1] / cases[0].rates[-1])
    site.drop()
    sys.stderr.write(" " * 60 + "\r")
    _print([case.facts() for case in cases], actions, rounds, as_json=as_json)


def _rate(site, queue, way, actions: int) -> float:
    dates = [next(_dates) for _ in range(actions)]
    before = _count(site)
    began = time.perf_counter()
    way(site, queue, dates)
    seconds = time.perf_counter() - began
    assert _count(site) == (before[0] + actions, before[1] + actions), "a wrong count voids it"
    return actions / seconds


_dates = itertools.count(AT)


def _count(site) -> tuple[int, int]:
    actions, logs = (f"SELECT COUNT(*) FROM {site.table(name)}" for name in ("actions", "logs"))
    return site.run(actions)[0][0], site.run(logs)[0][0]


def _raw(site, _queue, dates: list[int]) -> None:
    with site.connection.cursor() as cursor:
        for at in dates:
            text = args.store([at]).args
            schedule = schedules.simple(at).to_bytes().decode()
            cursor.execute(INSERT, (sql_date(at), sql_date(at), text, schedule))
            cursor.execute(LOG, (cursor.lastrowid,))


def _single(_site, queue, dates: list[int]) -> None:
    for at in dates:
        queue.schedule("bench", at, [at], group="bench")


def _many(_site, queue, dates: list[int]) -> None:
    queue.many([NewAction("bench", [at], at=at, group="bench") for at in dates])


def _print(lines: list[dict], actions: int, rounds: int, *, as_json: bool) -> None:
    if as_json:
        for line in lines:
            print(json.dumps(line))
        return
    print(f"every commit synced; {actions} actions, {rounds} interleaved rounds, medians")
    print(f"{'case':<17}{'actions/s':>11}{'ratio (min-max)':>21}  guarantee")
    for line in lines:
        ratio = f"{line['ratio']:.2f} ({line['ratio_min']:.2f}-{line['ratio_max']:.2f})"
        print(f"{line['case']:<17}{line['actions_per_s']:>11.0f}{ratio:>21}  {line['guarantee']}")
