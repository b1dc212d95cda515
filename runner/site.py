"""A WordPress site as its database tells it: tables, time zone, versions, PHP's runner."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compat.action_scheduler import (
    INSTALLED,
    NEWEST_SCHEMA,
    PRIORITIES,
    RUN_QUEUE_EVENT,
    TABLES,
)
from compat.site_time import SiteZone
from compat.tables import PREFIX, Shape, UnknownShape, shape
from runner.core.errors import Busy, ConfigError, DatabaseError, SiteError
from runner.core.installed import Installed
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.storage.db import Database, Row


OWN_TABLES = (
    "migrations", "workers", "leases", "attempts", "held",
    "dead_letters", "pauses", "rates", "locks", "skips",
    "minutes", "census", "failures", "accounts", "sessions", "sign_ins", "audit",
    "alerts", "messages", "silences", "looks",
)  # fmt: skip
"""The runner's own, made by `runner migrate`."""

JOB_TABLES = {"job_log": "wpkite_job_log", "job_letters": "wpkite_dead_letters"}
"""The WPKite job manager's, which a site may have."""

PEOPLE_TABLES = {"people": "users", "people_meta": "usermeta", "network_meta": "sitemeta"}
"""WordPress's own, of its accounts; in a network of sites under the network's prefix."""

OWN_SCHEMA = 5
"""Number of the newest migration in `sql/schema`."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Table names of one site, quoted for SQL."""

    prefix: str

    def plain(self, table: str) -> str:
        return f"{self.prefix}actionscheduler_{table}"

    def own(self, table: str) -> str:
        return f"{self.prefix}runner_{table}"

    def identifiers(self) -> dict[str, str]:
        names = {table: f"`{self.plain(table)}`" for table in TABLES}
        names |= {table: f"`{self.own(table)}`" for table in OWN_TABLES}
        names |= {key: f"`{self.prefix}{table}`" for key, table in JOB_TABLES.items()}
        names |= {key: f"`{self.prefix}{table}`" for key, table in PEOPLE_TABLES.items()}
        names |= {"attempts_index": f"`{self.own('attempt_index')}`"}
        return names | {"options": f"`{self.prefix}options`"}


@dataclass(frozen=True, slots=True)
class Site:
    """Facts read at connect. `database` is its name, `parked` says whether there are parked
    actions. `schema` is the store's version option, empty when there is none;
    `php_scheduled` says whether WP-Cron holds the event that starts PHP's own runner; `migrated`
    whether the runner's own tables are all there; `null_dates` whether a last attempt can be NULL
    (since Action Scheduler 3.3); `installed` is None where the runner was not installed beside
    PHP's."""

    tables: Tables
    shape: Shape
    zone: SiteZone
    server: str
    schema: str
    url: str
    php_scheduled: bool
    skip_locked: bool
    log_charset: str
    database: str = ""
    parked: bool = False
    migrated: bool = False
    null_dates: bool = True
    installed: Installed | None = None

    @property
    def name(self) -> str:
        """What people call it: its address, without the scheme."""
        return self.url.partition("://")[2].rstrip("/") or self.database or "this site"


def check_prefix(prefix: str) -> Tables:
    """Raises ConfigError for a table prefix that WordPress could not have."""
    if not PREFIX.fullmatch(prefix):
        raise ConfigError(f"the table prefix {prefix!r} is not made of letters, digits and _ alone")
    return Tables(prefix)


def discover(database: Database, tables: Tables, *, lock: str | None = None) -> Site:
    """Reads the site's facts in one round trip, and takes the named lock with them.

    Raises SiteError when the tables cannot be used, Busy when another run holds the lock.
    """
    queries = Queries("site.sql", database.dialect, tables.identifiers() | {"moved": MOVED})
    facts = _facts(database, queries, tables, lock)
    if any(row["kind"] == "lock" and str(row["value"]) != "1" for row in facts):
        raise Busy("another run is at work on this site (--force runs beside it)")
    options = {row["item"]: row["value"] or "" for row in facts if row["kind"] == "option"}
    server = next(str(row["value"]) for row in facts if row["kind"] == "server")
    found = shape_of(facts, tables)
    _refuse(options)
    _refuse_engines(facts)
    _refuse_null(facts, tables)
    return Site(
        tables=tables,
        shape=found,
        zone=SiteZone.from_options(
            options.get("timezone_string", ""), options.get("gmt_offset", "")
        ),
        server=server,
        schema=options.get("schema-ActionScheduler_StoreSchema", "").partition(".")[0],
        url=options.get("siteurl", ""),
        php_scheduled=f'"{RUN_QUEUE_EVENT}"' in options.get("cron", ""),
        skip_locked=has_skip_locked(server),
        log_charset=_log_charset(facts),
        database=next((str(row["value"]) for row in facts if row["kind"] == "database"), ""),
        parked=any(row["kind"] == "parked" for row in facts),
        migrated=_migrated(database, tables, facts),
        null_dates=not _is_filled(facts, "last_attempt_gmt"),
        installed=Installed.read(options.get(INSTALLED, "")),
    )


def _migrated(database: Database, tables: Tables, facts: list[Row]) -> bool:
    """Whether our own tables are all there. Raises SiteError for those of a newer runner."""
    there = {row["name"] for row in facts if row["kind"] == "column"}
    if tables.own("migrations") not in there:
        return False
    queries = Queries("migrate.sql", database.dialect, tables.identifiers())
    newest = max((int(row["number"]) for row in database.query(queries["applied"])), default=0)
    if newest > OWN_SCHEMA:
        raise newer_tables(newest, OWN_SCHEMA)
    return newest == OWN_SCHEMA and all(tables.own(table) in there for table in OWN_TABLES)


def newer_tables(found: int, known: int) -> SiteError:
    return SiteError(
        f"the runner's own tables are of version {found}, made by a newer runner; this one knows"
        f" version {known}: update the runner here"
    )


def _facts(database: Database, queries: Queries, tables: Tables, lock: str | None) -> list[Row]:
    names = [tables.plain(table) for table in TABLES]
    names += [tables.own(table) for table in OWN_TABLES]
    parts = [queries["probe"], queries["options"]]
    if database.dialect == "mysql":
        parts.append(queries["parked"])
    if lock:
        parts.append(queries["named_lock"])
    database.connect()
    try:
        text = "\nUNION ALL\n".join(parts)
        return database.query(text, tables=names, lock=lock, installed=INSTALLED)
    except DatabaseError as error:
        # Without one of the tables, or the right to read it, say what the rest looks like first.
        shape_of(database.query(queries["probe"], tables=names), tables)
        raise SiteError(f"cannot read {tables.prefix}options: {error}") from error


def shape_of(facts: list[Row], tables: Tables) -> Shape:
    """Reads the tables' shape from the rows of `probe`. Raises SiteError."""
    columns: dict[str, dict[str, bool]] = {}
    indexes: dict[str, tuple[str, ...]] = {}
    for row in facts:
        table = str(row["name"]).removeprefix(f"{tables.prefix}actionscheduler_")
        if table not in TABLES:
            continue
        if row["kind"] == "column":
            required = str(row["value"]).startswith("required")
            columns.setdefault(table, {})[row["item"]] = required
        elif row["kind"] == "index" and table == "actions":
            indexes[row["item"]] = tuple(str(row["value"]).split(","))
    try:
        return shape(columns, indexes)
    except UnknownShape as error:
        raise SiteError(
            f"the Action Scheduler tables of prefix {tables.prefix!r} cannot be used: {error}."
            " Check the prefix; if a table was lost, run `wp action-scheduler fix-schema`"
        ) from error


def _is_filled(facts: list[Row], column: str) -> bool:
    """Whether a column has a default instead of NULL."""
    return any(row["item"] == column and str(row["value"]) == "filled" for row in facts)


def _log_charset(facts: list[Row]) -> str:
    """Character set of the log messages: a collation's name begins with it."""
    for row in facts:
        if row["kind"] == "column" and row["item"] == "message":
            return str(row["value"]).partition(" ")[2].partition("_")[0] or "utf8mb4"
    return "utf8mb4"


def _refuse(options: dict[str, str]) -> None:
    schema = options.get("schema-ActionScheduler_StoreSchema", "").partition(".")[0]
    if schema.isdigit() and int(schema) > NEWEST_SCHEMA:
        raise SiteError(
            f"the site's Action Scheduler uses schema {schema}; this runner knows schemas 3 to"
            f" {NEWEST_SCHEMA}. Update the runner"
        )
    if options.get("action_scheduler_migration_status") != "complete":
        raise SiteError(
            "Action Scheduler's migration of this site is not complete, so actions may still live"
            " in posts. Let WordPress run its queue (the hook action_scheduler/migration_hook)"
            " until option action_scheduler_migration_status says complete"
        )


def _refuse_null(facts: list[Row], tables: Tables) -> None:
    """What undoes a turn that lost a row is a NULL which this column must refuse."""
    logs = tables.plain("logs")
    for row in facts:
        column = row["kind"] == "column" and (row["name"], row["item"]) == (logs, "action_id")
        if column and str(row["value"]).startswith("optional"):
            raise SiteError(
                f"column action_id of table {logs} takes NULL, which Action Scheduler's own does"
                f" not: change it with ALTER TABLE {logs} MODIFY action_id bigint unsigned NOT NULL"
            )


def _refuse_engines(facts: list[Row]) -> None:
    """Nothing can be undone in a table without transactions, so no claim could be trusted."""
    for row in facts:
        if row["kind"] == "engine":
            raise SiteError(
                f"table {row['name']} is {row['value']}, which has no transactions: change it with"
                f" ALTER TABLE {row['name']} ENGINE = InnoDB"
            )


def has_skip_locked(server: str) -> bool:
    """MariaDB from 10.6.0, MySQL from 8.0.1: the test that Action Scheduler makes."""
    if server.startswith("SQLite"):
        return False
    numbers = re.findall(r"(\d+)\.(\d+)\.(\d+)", server.replace("5.5.5-", "", 1))
    version = tuple(int(n) for n in numbers[0]) if numbers else (0, 0, 0)
    return version >= ((10, 6, 0) if "MariaDB" in server else (8, 0, 1))


def lock_name(database: Database, site: Site, what: str) -> str:
    """Of a named lock for one site: a server's names are of all its databases, and a database may
    hold several sites."""
    place = f"{database.driver.home}\0{site.tables.prefix}"
    return f"runner:{what}:{hashlib.sha256(place.encode()).hexdigest()[:40]}"


@contextmanager
def alone(database: Database, site: Site, what: str, seconds: int = 0) -> Iterator[bool]:
    """Whether nobody else does this to the site meanwhile, or has ended within so many seconds. A
    SQLite file is locked by each of its writes, and has one daemon."""
    if database.dialect != "mysql":
        yield True
        return
    queries, lock = Queries("site.sql", "mysql", {}), lock_name(database, site, what)
    taken = database.query(queries["take_lock"], lock=lock, seconds=seconds)[0]["taken"]
    try:
        yield bool(taken)
    finally:
        if taken:
            database.try_query(queries["give_lock"], lock=lock)


def action_queries(site: Site, dialect: str, *, parked: bool = False) -> Queries:
    """The statements on Action Scheduler's tables, made for this site; with `parked`, those that
    hold rows beside a live PHP runner."""
    over = "parked.sql" if parked else ""
    return Queries("action_scheduler.sql", dialect, identifiers(site, dialect), over=over)


MOVED = "COALESCE(scheduled_date_local, '2000-01-01') < '2800-01-01'"
"""Tells a parked date from a true one so far ahead, whose local date is as late."""

_TRUE_DATE = (
    f"CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {MOVED}"
    " THEN scheduled_date_gmt - INTERVAL 800 YEAR ELSE scheduled_date_gmt END"
)
"""Of an action that may be parked. In a SQLite file none is: no PHP runner works there."""

_RECURS = (
    "(schedule LIKE 'O:32:\"ActionScheduler_IntervalSchedule\"%'"
    " OR schedule LIKE 'O:28:\"ActionScheduler_CronSchedule\"%')"
)
"""Tells a recurring action by how its schedule begins."""


def identifiers(site: Site, dialect: str) -> dict[str, str]:
    """What fills the braces of `action_scheduler.sql` for this site."""
    mysql = dialect == "mysql"
    found = site.shape

    def hint(index: str | None) -> str:
        return f"FORCE INDEX (`{index}`)" if mysql and index else ""

    return site.tables.identifiers() | {
        "hook_index": hint(found.hook_index),
        "claim_index": hint(found.claim_index),
        "retention_index": hint(found.retention_index),
        "now": "UNIX_TIMESTAMP(NOW(6))" if mysql else "UNIX_TIMESTAMP()",
        "dual": "FROM DUAL" if mysql else "",
        "row_count": "ROW_COUNT()" if mysql else "changes()",
        "true_date": _TRUE_DATE if mysql else "scheduled_date_gmt",
        "moved": MOVED,
        "recurs": _RECURS,
        "parked_now": "UTC_TIMESTAMP() + INTERVAL 800 YEAR" if mysql else "'2800-01-01'",
        "by_key": "FORCE INDEX (PRIMARY)" if mysql else "",
        "lock": "FOR UPDATE" if mysql else "",
        "lock_free": ("FOR UPDATE SKIP LOCKED" if site.skip_locked else "FOR UPDATE")
        if mysql
        else "",
        "priority": "priority" if found.priority else "10",
        "priorities": ", ".join(map(str, range(PRIORITIES[0], PRIORITIES[1] + 1))),
        "priority_column": "priority," if found.priority else "",
        "priority_value": ":priority," if found.priority else "",
        "release_unique_key": ", unique_key = NULL" if found.unique_key else "",
        "turn_unique_key": (
            ", unique_key = CASE WHEN status = 'pending' THEN unique_key ELSE NULL END"
            if found.unique_key
            else ""
        ),
    }
