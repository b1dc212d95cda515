"""What is beside every page: how many actions are in which state, and who is at work. One query, no
count goes further than COUNTED rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of
from runner.core.model import Status
from runner.operations.workers import ALIVE
from runner.site import identifiers
from runner.storage.queries import Queries, numbered

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database

COUNTED = 10_000

LATE = 60
"""Seconds after which a due action counts as overdue: a run from cron comes each minute."""


@dataclass(frozen=True, slots=True)
class Rail:
    """Counts by name of state; one of COUNTED means so many or more. `silent` is how many seconds
    ago a worker was seen last, None for never. In epoch seconds: `now`, the database's clock;
    `oldest_due`; and `runs_since`, of what runs the one that began first. `alerts` are open ones,
    `critical` those of them that are."""

    counts: dict[str, int]
    now: int
    oldest_due: int | None = None
    runs_since: int | None = None
    workers: int = 0
    silent: int | None = None
    pauses: int = 0
    alerts: int = 0
    critical: int = 0

    @property
    def many(self) -> tuple[str, ...]:
        """The statuses that reach COUNTED."""
        return tuple(status for status in Status if self.counts[status] >= COUNTED)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"many": self.many}


def rail(database: Database, site: Site) -> Rail:
    queries = Queries("rail.sql", database.dialect, identifiers(site, database.dialect))
    statuses = {f"status_{number}": status for number, status in enumerate(Status)}
    parts = [queries["clock"]]
    parts += [numbered(queries["of_status"], ["status"], number) for number in range(len(Status))]
    parts += [queries["overdue"], queries["oldest"], queries["longest"]]
    parts += [queries["own"]] if site.migrated else []
    values = statuses | {"most": COUNTED, "late": LATE, "alive": ALIVE}
    rows = database.query("\nUNION ALL\n".join(parts), **values)
    found = {str(row["item"]): int(row["n"]) for row in rows}
    dues = [epoch_of(row["at"]) for row in rows if row["item"] == "oldest"]
    longest = next(epoch_of(row["at"]) for row in rows if row["item"] == "longest")
    seen = next((epoch_of(row["at"]) for row in rows if row["item"] == "seen"), None)
    counts = {name: found.get(name, 0) for name in (*Status, "overdue", "dead")}
    return Rail(
        counts,
        now=found["now"],
        runs_since=longest,
        oldest_due=min((at for at in dues if at is not None), default=None),
        workers=found.get("workers", 0),
        silent=None if seen is None else max(found["now"] - seen, 0),
        pauses=found.get("pauses", 0),
        alerts=found.get("alerts", 0),
        critical=found.get("critical", 0),
    )
