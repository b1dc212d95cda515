"""Makes a site-like queue in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from compat.site_time import SiteZone
from runner.core.clock import SystemClock
from runner.core.new_action import NewAction
from runner.operations.enqueue import Enqueue
from runner.site import Tables, discover
from runner.storage.db import Database
from runner.storage.queries import Queries, load
from runner.storage.sqlite import SQLite

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTS, MAILS, IMAGES = 100, 80, 40
_ZONE = SiteZone("Europe/Budapest")
_PREFIX = "wp_"
_GROUP = "demo"


def build(path: Path, now: int | None = None) -> int:
    """Writes the file anew; returns the number of due actions. `now` is in epoch seconds."""
    moment = int(time.time()) if now is None else now
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        _tables(connection)
        _options(connection)
    connection.close()
    database = Database(SQLite(str(path), now=lambda: moment), SystemClock())
    site = discover(database, Tables(_PREFIX))
    made = Enqueue(database, site).many(_actions(moment))
    database.close()
    return len(made)


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


def _actions(now: int) -> list[NewAction]:
    once, group = now - 60, _GROUP
    return [
        *(
            NewAction("demo_sync_product", [n, "shop"], at=once, group=group)
            for n in range(1, PRODUCTS + 1)
        ),
        *(
            NewAction("demo_send_mail", {"user_id": n, "template": "welcome"}, at=once, group=group)
            for n in range(1, MAILS + 1)
        ),
        *(
            NewAction("demo_describe_image", {"id": n, "alt": "Über „Größe“"}, at=once, group=group)
            for n in range(IMAGES)
        ),
        NewAction("demo_clean_carts", at=now - 90, every=3600, group=group),
    ]
