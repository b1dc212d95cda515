"""The read model of the runner's own tables: who works, and what each try of an action came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compat.site_time import epoch_of
from runner.core.errors import SiteError
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database

ALIVE = 90
"""Seconds since a worker was seen last, up to which it is at work."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker. `silent` is how many seconds ago it was seen, `claims` how many it holds. Dates
    are texts in UTC."""

    id: int
    host: str
    pid: int
    queue: str
    executor: str
    version: str
    started_at: str
    seen_at: str
    silent: int
    claims: int


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One call of a handler: what it came to, how long it took, the peak memory of the process in
    bytes (0 when unknown), and who called it; of one that failed what was said, without what looks
    like a secret. `ended_at` is a text in UTC."""

    attempt: int
    outcome: str
    error: str
    elapsed_ms: int
    peak_memory: int
    ended_at: str
    worker_id: int
    message: str = ""
    traceback: str = ""


def workers(database: Database, site: Site) -> list[WorkerRow]:
    """Every worker, also one that ended without a word not long ago. Raises SiteError without the
    runner's own tables."""
    rows = database.query(_queries(database, site)["worker_list"])
    return [
        WorkerRow(
            id=row["worker_id"],
            silent=max(int(row["now"]) - (epoch_of(row["seen_at"]) or 0), 0),
            **{name: row[name] for name in _SAME},
        )
        for row in rows
    ]


def attempts(database: Database, site: Site, action_id: int) -> list[AttemptRow]:
    """Every try of an action, the oldest first. Raises SiteError without the runner's own
    tables."""
    rows = database.query(_queries(database, site)["attempt_list"], id=action_id)
    return [AttemptRow(**row) for row in rows]


_SAME = ("host", "pid", "queue", "executor", "version", "started_at", "seen_at", "claims")


def _queries(database: Database, site: Site) -> Queries:
    if not site.migrated:
        raise SiteError("the runner's own tables are missing here: `runner migrate` makes them")
    return Queries("leases.sql", database.dialect, identifiers(site, database.dialect))
