"""What a check is, what it looks at, and what it finds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from compat.action_scheduler import INSTALLED, PARKED_FROM, PARKED_YEARS, PLUGIN_FACTS, TABLES
from runner.core.errors import RunnerError
from runner.core.installed import Installed
from runner.site import MOVED, OWN_TABLES
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from runner.site import Tables
    from runner.storage.db import Database, Row

LIMIT = 10_000
"""Rows that a check looks at: it answers at once, whatever the table holds."""

_NAMED = 5
"""Names that a detail lists before it counts the rest."""

_OPTIONS = (
    "cron",
    "timezone_string",
    "gmt_offset",
    "siteurl",
    "action_scheduler_migration_status",
    "schema-ActionScheduler_StoreSchema",
    INSTALLED,
    PLUGIN_FACTS,
)


class Severity(StrEnum):
    """`unknown` is what nothing could be told about: it is neither good nor bad."""

    OK = "ok"
    INFO = "info"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check saw: a number or a fact, what it means, what to do, and whom it concerns."""

    severity: Severity
    fact: int | str
    meaning: str
    advice: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict under the check's code, which never changes."""

    code: str
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code} | asdict(self.verdict)


def ok(fact: int | str, meaning: str) -> Verdict:
    return Verdict(Severity.OK, fact, meaning)


def info(fact: int | str, meaning: str, advice: str = "", details: Iterable[str] = ()) -> Verdict:
    return Verdict(Severity.INFO, fact, meaning, advice, tuple(details))


def unknown(fact: int | str, meaning: str, advice: str) -> Verdict:
    return Verdict(Severity.UNKNOWN, fact, meaning, advice)


def warning(fact: int | str, meaning: str, advice: str, details: Iterable[str] = ()) -> Verdict:
    return Verdict(Severity.WARNING, fact, meaning, advice, tuple(details))


def error(fact: int | str, meaning: str, advice: str, details: Iterable[str] = ()) -> Verdict:
    return Verdict(Severity.ERROR, fact, meaning, advice, tuple(details))


@dataclass
class Patient:
    """A site under examination. `hooks` have a handler here; `trouble` says why handlers could not
    be loaded. `lease` and `expiry` are the settings, in seconds; `clock` is this host's; `folder`
    is that of the site's must-use plugins, None when its files are not known."""

    database: Database
    tables: Tables
    hooks: Sequence[str] = ()
    trouble: str = ""
    mode: str = "auto"
    lease: int = 45
    expiry: int = 300
    clock: Callable[[], float] = time.time
    folder: Path | None = None
    queries: Queries = field(init=False)

    def __post_init__(self) -> None:
        facts = self.tables.identifiers() | {
            "years": str(PARKED_YEARS),
            "parked_from": PARKED_FROM,
            "moved": MOVED,
        }
        self.queries = Queries("doctor.sql", self.database.dialect, facts)

    def ask(self, query: str, **values: object) -> list[Row]:
        return self.database.query(self.queries[query], **values)

    @cached_property
    def server(self) -> Row:
        """The server's version and settings, and the session's."""
        return self.ask("server")[0]

    @cached_property
    def facts(self) -> list[Row]:
        """Columns, indexes and engines of the site's tables and of ours."""
        queries = Queries("site.sql", self.database.dialect, self.tables.identifiers())
        names = [self.tables.plain(table) for table in TABLES]
        names += [self.tables.own(table) for table in OWN_TABLES]
        return self.database.query(queries["probe"], tables=names)

    @cached_property
    def options(self) -> dict[str, str]:
        return {str(row["name"]): str(row["value"]) for row in self.ask("options", names=_OPTIONS)}

    @cached_property
    def installed(self) -> Installed | None:
        """What `runner install` wrote, None without it. `problem` tells why it is unreadable."""
        return Installed.read(self.options.get(INSTALLED, ""))

    @cached_property
    def own(self) -> set[str]:
        """Which of the runner's own tables are there."""
        there = {row["name"] for row in self.facts}
        return {table for table in OWN_TABLES if self.tables.own(table) in there}

    @cached_property
    def now(self) -> int:
        """The database's clock, epoch seconds."""
        return int(self.ask("now")[0]["now"])


class Check(NamedTuple):
    """One question. `server`: only a database server can answer it, a SQLite file cannot."""

    code: str
    look: Callable[[Patient], Verdict]
    server: bool = False

    def run(self, patient: Patient) -> Finding:
        try:
            return Finding(self.code, self.look(patient))
        except RunnerError as problem:
            advice = "See the errors found beside it first."
            return Finding(self.code, unknown("not told", f"{problem}.", advice))


def check(code: str, *, server: bool = False) -> Callable[[Callable[[Patient], Verdict]], Check]:
    """Makes a check of a function."""
    return lambda look: Check(code, look, server)


def by_hook(counts: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """`hook (3)` for the first few, and how many more there are."""
    listed = [f"{hook} ({count})" for hook, count in counts]
    return some(listed)


def some(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - _NAMED
    return (*names[:_NAMED], f"and {more} more") if more > 0 else tuple(names)


def counted(number: int, limit: int = LIMIT) -> int | str:
    """A count that ended at the limit says so."""
    return f"{limit} or more" if number >= limit else number
