"""Makes a site-like queue in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from compat import args, schedules
from compat.site_time import SiteZone, sql_date
from runner.site import Tables
from runner.storage.queries import Queries, load

if TYPE_CHECKING:
    from pathlib import Path

    from compat.schedules import Schedule

PRODUCTS, MAILS, IMAGES = 100, 80, 40
_ZONE = SiteZone("Europe/Budapest")
_PREFIX = "wp_"

Args = list[Any] | dict[str, Any]


def build(path: Path, now: int | None = None) -> int:
    """Writes the file anew; returns the number of due actions. `now` is in epoch seconds."""
    now = int(time.time()) if now is None else now
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        _tables(connection)
        _options(connection)
        actions = _actions(now)
        for number, action in enumerate(actions, 1):
            _insert(connection, number, action, now)
    connection.close()
    return len(actions)


def _tables(connection: sqlite3.Connection) -> None:
    queries = Queries("upstream.sql", "sqlite", Tables(_PREFIX).identifiers())
    names = {name.partition("@")[0] for name in load("upstream.sql") if name.endswith("@sqlite")}
    for name in sorted(names, key=lambda name: name.endswith("_index")):
        connection.execute(queries[name])


def _options(connection: sqlite3.Connection) -> None:
    options = {
        "siteurl": "https://demo.example",
        "timezone_string": _ZONE.name,
        "gmt_offset": "0",
        "cron": "a:0:{}",
        "action_scheduler_migration_status": "complete",
        "schema-ActionScheduler_StoreSchema": "8.0.0",
        "schema-ActionScheduler_LoggerSchema": "3.0.0",
    }
    connection.executemany(
        f"INSERT INTO {_PREFIX}options (option_name, option_value) VALUES (?, ?)",  # noqa: S608
        options.items(),
    )
    connection.execute(f"INSERT INTO {_PREFIX}actionscheduler_groups (slug) VALUES ('demo')")  # noqa: S608


def _actions(now: int) -> list[tuple[str, Args, Schedule]]:
    once = schedules.simple(now - 60)
    return [
        *(("demo_sync_product", [n, "shop"], once) for n in range(1, PRODUCTS + 1)),
        *(
            ("demo_send_mail", {"user_id": n, "template": "welcome"}, once)
            for n in range(1, MAILS + 1)
        ),
        *(("demo_describe_image", {"id": n, "alt": "Über „Größe“"}, once) for n in range(IMAGES)),
        ("demo_clean_carts", [], schedules.interval(now - 90, 3600)),
    ]


def _insert(
    connection: sqlite3.Connection, number: int, action: tuple[str, Args, Schedule], now: int
) -> None:
    hook, values, schedule = action
    stored = args.store(values)
    at = schedule.at or now
    connection.execute(
        f"INSERT INTO {_PREFIX}actionscheduler_actions (hook, status, scheduled_date_gmt,"  # noqa: S608
        " scheduled_date_local, args, extended_args, schedule, group_id)"
        " VALUES (?, 'pending', ?, ?, ?, ?, ?, 1)",
        (hook, sql_date(at), _ZONE.local(at), stored.args, stored.extended,
         schedule.to_bytes().decode()),
    )  # fmt: skip
    connection.execute(
        f"INSERT INTO {_PREFIX}actionscheduler_logs (action_id, message, log_date_gmt,"  # noqa: S608
        " log_date_local) VALUES (?, 'action created', ?, ?)",
        (number, sql_date(now), _ZONE.local(now)),
    )
