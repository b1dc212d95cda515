"""The read model of what the daemon records: the day by buckets, loud hooks, the census. One query
each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of, sql_date
from runner.core.errors import SiteError
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database

DAY, HOUR, MINUTE = 86_400, 3600, 60


@dataclass(frozen=True, slots=True)
class Bucket:
    """What ended within a span of time that begins at `at` (epoch seconds). `waiting` is the most
    that was due at a time, None where that was not counted. Times are the worst minute's, in
    milliseconds."""

    at: int
    done: int = 0
    failed: int = 0
    retried: int = 0
    waiting: int | None = None
    wait_p95: int | None = None
    run_p95: int | None = None


@dataclass(frozen=True, slots=True)
class HookFigures:
    """One hook lately. Medians are means of the minutes' medians, by their counts; p95 are those
    of the worst minute; all in milliseconds."""

    hook: str
    done: int
    failed: int
    retried: int
    wait_p50: int | None
    wait_p95: int | None
    run_p50: int | None
    run_p95: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Actions of one status, group and hook. `oldest` is the first date among the due, in epoch
    seconds; `recurring` are the pending ones of a chain."""

    status: str
    group: str
    hook: str
    actions: int
    due: int
    recurring: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Census:
    """The whole table, as it was at `taken_at` (epoch seconds); counting took `cost_ms`."""

    taken_at: int
    cost_ms: int
    rows: tuple[Counted, ...]

    @property
    def recurring(self) -> list[str]:
        """Hooks with a pending action that recurs."""
        return sorted({row.hook for row in self.rows if row.recurring})


_TIMES = ("wait_p50", "wait_p95", "run_p50", "run_p95")


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(float(value))


class Figures:
    """Those of one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        if not site.migrated:
            raise SiteError("figures need the runner's own tables: run `runner migrate`")
        self._database = database
        self._queries = Queries(
            "minutes.sql", database.dialect, identifiers(site, database.dialect)
        )

    def day(self, now: int, seconds: int = DAY, bucket: int = 600) -> list[Bucket]:
        """Every bucket of the time before `now` (epoch seconds), the oldest first."""
        last = now // bucket * bucket
        first = last - seconds + bucket
        minutes = [sql_date(at) for at in range(first // MINUTE * MINUTE, now + 1, MINUTE)]
        rows = self._database.query(self._queries["day"], bucket=bucket, minutes=minutes)
        names = ("done", "failed", "retried", "waiting", "wait_p95", "run_p95")
        found: dict[int, dict[str, Any]] = {
            int(row["at"]): {n: None if row[n] is None else int(row[n]) for n in names}
            for row in rows
        }
        return [Bucket(at, **found.get(at, {})) for at in range(first, last + 1, bucket)]

    def hooks(self, now: int, seconds: int = HOUR, limit: int = 20) -> list[HookFigures]:
        """The loudest hooks, the loudest first."""
        since = sql_date((now - seconds) // 60 * 60)
        rows = self._database.query(self._queries["loudest"], since=since, limit=limit)
        return [
            HookFigures(
                row["hook"],
                *(int(row[name]) for name in ("done", "failed", "retried")),
                *(_rounded(row[name]) for name in _TIMES),
            )
            for row in rows
        ]

    def census(self) -> Census | None:
        """None where none was taken."""
        rows = self._database.query(self._queries["counted"])
        if not rows:
            return None
        counted = tuple(
            Counted(
                row["status"],
                row["group_slug"],
                row["hook"],
                int(row["actions"]),
                int(row["due"]),
                int(row["recurring"]),
                epoch_of(row["oldest"] and str(row["oldest"])),
            )
            for row in rows
        )
        return Census(epoch_of(str(rows[0]["taken_at"])) or 0, int(rows[0]["cost_ms"]), counted)
