"""A site's database for one test: the real tables, and rows as Action Scheduler makes them."""

from __future__ import annotations

import itertools
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT

from compat import args as argtexts
from compat import schedules
from compat.site_time import SiteZone, sql_date
from runner.core.clock import SystemClock
from runner.operations.migrate import Migrate
from runner.site import Tables, check_prefix, discover
from runner.storage.db import Database
from runner.storage.mysql import MySQL
from runner.storage.queries import Queries, load

_numbers = itertools.count(1)
GOLDEN = Path(__file__).parents[1] / "golden"
REAL = Path(__file__).parents[1] / "data" / "realsite.sql"
"""What a real WordPress with WooCommerce left: its queue, and its one account, admin."""

PEOPLE = ("wp_users", "wp_usermeta")
_OF_TABLE = re.compile(r"(?:CREATE TABLE|INSERT INTO) `(\w+)`")

ZERO = "0000-00-00 00:00:00"
OPTIONS = {
    "siteurl": "http://shop.test",
    "timezone_string": "Europe/Budapest",
    "gmt_offset": "0",
    "cron": "a:0:{}",
    "action_scheduler_migration_status": "complete",
    "schema-ActionScheduler_StoreSchema": "8.0.1795327311",
    "schema-ActionScheduler_LoggerSchema": "3.0.1795327311",
}
PHP_CRON = 'a:1:{i:1;a:1:{s:26:"action_scheduler_run_queue";a:0:{}}}'


def golden(file: str) -> list[dict]:
    """Records of a golden file."""
    with (GOLDEN / file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@dataclass
class SiteDatabase:
    """A database with a site's tables, reached as administrator (the test's own eyes)."""

    server: object
    name: str
    prefix: str = "wp_"
    connection: object = None
    groups: dict[str, int] = field(default_factory=dict)

    @classmethod
    def create(
        cls, server, options: dict[str, str] | None = None, prefix: str = "wp_", tables: bool = True
    ):
        name = f"runner_test_{next(_numbers)}"
        server.execute(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        site = cls(server, name, prefix)
        site.reconnect()
        if tables:
            site.create_tables(OPTIONS | (options or {}))
        return site

    def reconnect(self) -> None:
        """After the server has been started again."""
        self.connection = self.server.admin(self.name)
        self.run("SET sql_mode = '', time_zone = '+00:00'")

    def create_tables(self, options: dict[str, str]) -> None:
        queries = Queries("upstream.sql", "mysql", Tables(self.prefix).identifiers())
        for name in load("upstream.sql"):
            if "@" not in name:
                self.run(queries[name])
        for name, value in options.items():
            self.set_option(name, value)

    def migrate(self) -> None:
        """Makes the runner's own tables, as `runner migrate` does."""
        tables = check_prefix(self.prefix)
        database = Database(MySQL(self.dsn, tables.plain("actions")), SystemClock())
        Migrate(database, discover(database, tables)).run()
        database.close()

    def own(self, table: str, where: str = "1") -> list[dict]:
        """Rows of one of the runner's own tables."""
        with self.connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(f"SELECT * FROM {self.prefix}runner_{table} WHERE {where} ORDER BY 1")
            return list(cursor.fetchall())

    def drop(self) -> None:
        self.connection.close()
        self.server.execute(  # a transaction that a failed test left open must not hang the rest
            "SET lock_wait_timeout = 30", f"DROP DATABASE IF EXISTS {self.name}"
        )

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    @property
    def dsn(self):
        return self.server.dsn(self.name)

    def run(self, statement: str, values=None) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def set_option(self, name: str, value: str) -> None:
        self.run(
            f"REPLACE INTO {self.prefix}options (option_name, option_value) VALUES (%s, %s)",
            (name, value),
        )

    def table(self, name: str) -> str:
        return f"{self.prefix}actionscheduler_{name}"

    def load_dump(self, path: Path, only: tuple[str, ...] = ()) -> None:
        """Runs a dump made by the command line client: all of it, or what makes these tables."""
        statements = path.read_text(encoding="utf-8").split(";\n")
        if only:
            statements = [text for text in statements if _makes(text, only)]
        connection = pymysql.connect(
            host=self.server.host, port=self.server.port, user=self.server.user,
            password=self.server.password, database=self.name, autocommit=True, charset="utf8mb4",
            client_flag=CLIENT.MULTI_STATEMENTS,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(";\n".join(statements))
            while cursor.nextset():
                pass

    def group(self, slug: str) -> int:
        if slug not in self.groups:
            self.run(f"INSERT INTO {self.table('groups')} (slug) VALUES (%s)", (slug,))
            self.groups[slug] = self.run("SELECT LAST_INSERT_ID()")[0][0]
        return self.groups[slug]

    def add(self, hook: str, args=(), *, at: int, schedule=None, group: str = "", **columns) -> int:
        """Inserts one pending action, dated `at`, as the API would."""
        schedule = schedule or schedules.simple(at)
        stored = argtexts.store(list(args) if isinstance(args, tuple) else args)
        zone = SiteZone("Europe/Budapest")
        row = {
            "hook": hook, "status": "pending", "scheduled_date_gmt": sql_date(at),
            "scheduled_date_local": zone.local(at), "priority": 10, "args": stored.args,
            "extended_args": stored.extended, "group_id": self.group(group),
            "schedule": schedule if isinstance(schedule, (str, type(None))) else schedule.to_bytes().decode(),
        } | columns  # fmt: skip
        action_id = self.insert("actions", row)
        self.insert("logs", {"action_id": action_id, "message": "action created",
                             "log_date_gmt": sql_date(at), "log_date_local": zone.local(at)})  # fmt: skip
        return action_id

    def insert(self, table: str, row: dict) -> int:
        names = ", ".join(f"`{name}`" for name in row)
        marks = ", ".join(["%s"] * len(row))
        self.run(f"INSERT INTO {self.table(table)} ({names}) VALUES ({marks})", tuple(row.values()))
        return self.run("SELECT LAST_INSERT_ID()")[0][0]

    def rows(self, table: str = "actions", where: str = "1") -> list[dict]:
        """Rows with every value as text, as PHP would see them."""
        key = {
            "actions": "action_id",
            "logs": "log_id",
            "claims": "claim_id",
            "groups": "group_id",
        }[table]
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self.table(table)} WHERE {where} ORDER BY {key}")
            names = [column[0] for column in cursor.description]
            return [
                {n: None if v is None else str(v) for n, v in zip(names, row, strict=True)}
                for row in cursor.fetchall()
            ]

    def row(self, action_id: int) -> dict:
        rows = self.rows("actions", f"action_id = {action_id}")
        return rows[0] if rows else {}

    def logs(self, action_id: int) -> list[str]:
        return [row["message"] for row in self.rows("logs", f"action_id = {action_id}")]

    def statuses(self) -> dict[str, int]:
        return dict(
            self.run(f"SELECT status, COUNT(*) FROM {self.table('actions')} GROUP BY status")
        )


def _makes(statement: str, tables: tuple[str, ...]) -> bool:
    """Whether it makes or fills one of these tables; what is about none sets the session."""
    found = _OF_TABLE.match(statement)
    return found is None or found[1] in tables


@contextmanager
def real_site(server):
    """The database that a real WordPress left, without the runner's own tables."""
    site = SiteDatabase.create(server, tables=False)
    try:
        site.load_dump(REAL)
        yield site
    finally:
        site.drop()
