"""Creating many actions at once, against a loop that inserts each with its log line and commits."""

from __future__ import annotations

import statistics
import time

from support.queue import caller
from support.site import SiteDatabase

from compat import args, schedules
from compat.site_time import sql_date
from runner import NewAction, Queue

NOW = 1_795_413_900
GUARANTEE = "all or none, on disk when answered"


def measure(server, actions: int, rounds: int) -> None:
    """Interleaved rounds on one table; prints the medians and the ratio's range."""
    site = SiteDatabase.create(server)
    group = site.group("g")
    with Queue.open(site.url) as queue, caller(site, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
        pairs = [
            (_many(queue, actions, NOW + n), _loop(connection, group, actions, NOW + n))
            for n in range(rounds)
        ]
    site.drop()
    many, loop = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = [slow / quick for quick, slow in pairs]
    print(
        f"{actions} actions: many {many:.3f} s ({GUARANTEE}), loop {loop:.3f} s (two commits"
        f" each): {statistics.median(ratios):.1f} times as fast"
        f" ({min(ratios):.1f} to {max(ratios):.1f})"
    )


def _many(queue: Queue, count: int, at: int) -> float:
    begin = time.perf_counter()
    queue.many([NewAction("h", [n], at=at + n, group="g") for n in range(count)])
    return time.perf_counter() - begin


def _loop(connection, group: int, count: int, at: int) -> float:
    begin = time.perf_counter()
    with connection.cursor() as cursor:
        for n in range(count):
            date = sql_date(at + n)
            row = ("h", date, date, schedules.simple(at + n).to_bytes().decode(), group,
                   args.store([n]).args)  # fmt: skip
            cursor.execute(
                "INSERT INTO wp_actionscheduler_actions (hook, status, scheduled_date_gmt,"
                " scheduled_date_local, schedule, group_id, args)"
                " VALUES (%s, 'pending', %s, %s, %s, %s, %s)",
                row,
            )
            cursor.execute(
                "INSERT INTO wp_actionscheduler_logs (action_id, message, log_date_gmt,"
                " log_date_local) VALUES (%s, 'action created', %s, %s)",
                (cursor.lastrowid, date, date),
            )
    return time.perf_counter() - begin
