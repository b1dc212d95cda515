"""The read model behind `runner status`: queries in, frozen values out, no decisions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of
from runner.core.model import Status
from runner.operations.pauses import Pauses
from runner.site import identifiers
from runner.storage.queries import Queries, hooks_hex, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.pauses import Pause
    from runner.site import Site
    from runner.storage.db import Database, Row


@dataclass(frozen=True, slots=True)
class Count:
    """Actions in all, and of hooks with a Python handler."""

    all: int
    ours: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The queue at one moment, with true dates. `parked` are the pending actions that PHP's runner
    is kept from; `oldest_due_seconds` is how late the oldest due action is; `dead_letters` are
    those that nobody has closed, None without the runner's own tables; `counted_to` is how far each
    count goes, None for all."""

    site: str
    prefix: str
    server: str
    schema: str
    time_zone: str
    php_runner: str
    migrated: bool
    statuses: dict[str, Count]
    parked: Count
    due: Count
    oldest_due_gmt: str | None
    oldest_due_seconds: int | None
    next_due_gmt: str | None
    dead_letters: int | None
    paused: list[Pause]
    counted_to: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def snapshot(
    database: Database, site: Site, hooks: Sequence[str], *, at_most: int | None = None
) -> Snapshot:
    """Reads the queue's state. With `at_most` no status is counted further than that: a table of a
    million rows answers at once."""
    queries = Queries("report.sql", database.dialect, identifiers(site, database.dialect))
    ours = hooks_hex(hooks)
    if at_most is None:
        rows = database.query(queries["counts"], hooks_hex=ours)
        due = database.query(queries["due"], hooks_hex=ours)[0]
    else:
        rows = _counts(database, queries, ours, at_most)
        due = database.query(queries["due_to"], hooks_hex=ours, most=at_most)[0]
    parked = [row for row in rows if row["status"] == Status.PENDING]
    counts = {str(row["status"]): Count(int(row["actions"]), int(row["ours"] or 0)) for row in rows}
    oldest = epoch_of(due["oldest"])
    return Snapshot(
        site=site.url,
        prefix=site.tables.prefix,
        server=site.server,
        schema=site.schema,
        time_zone=site.zone.name or f"UTC{site.zone.hours:+g}",
        php_runner="may be alive" if site.php_scheduled else "not scheduled",
        migrated=site.migrated,
        statuses={status: counts.get(status, Count(0, 0)) for status in [*Status, *counts]},
        parked=Count(
            sum(int(row["parked"] or 0) for row in parked),
            sum(int(row["ours_parked"] or 0) for row in parked),
        ),
        due=Count(int(due["actions"]), int(due["ours"] or 0)),
        oldest_due_gmt=due["oldest"],
        oldest_due_seconds=None if oldest is None else int(due["now"]) - oldest,
        next_due_gmt=database.query(queries["next_due"])[0]["next"],
        dead_letters=database.query(queries["dead"])[0]["letters"] if site.migrated else None,
        paused=Pauses(database, site).list() if site.migrated else [],
        counted_to=at_most,
    )


def _counts(database: Database, queries: Queries, hooks_hex: Sequence[str], most: int) -> list[Row]:
    """By status, each counted no further than that."""
    parts = [numbered(queries["counts_of"], ["status"], number) for number in range(len(Status))]
    values = {f"status_{number}": status for number, status in enumerate(Status)}
    return database.query("\nUNION ALL\n".join(parts), hooks_hex=hooks_hex, most=most, **values)


def due_count(database: Database, site: Site, hooks: Sequence[str]) -> int:
    """How many actions of these hooks are due."""
    queries = Queries("report.sql", database.dialect, identifiers(site, database.dialect))
    return int(database.query(queries["due_of_hooks"], hooks_hex=hooks_hex(hooks))[0]["actions"])
