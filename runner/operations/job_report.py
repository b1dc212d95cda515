"""What is told of jobs: the WPKite job manager's figures, under its own names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compat.args import ArgsError, encode
from runner.core.jobs import GROUP, HOOK, PHP_HOOK
from runner.site import identifiers
from runner.sources.job_tables import JobTables
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row

HOUR, DAY = 3600, 24


@dataclass(frozen=True, slots=True)
class JobStats:
    """`completed` and `failed` are actions of the last 24 hours, `failure_rate` (percent of the
    tries) and `avg_duration` (milliseconds of those that completed) of each type in that time."""

    pending: int
    in_progress: int
    completed: int
    failed: int
    dead_letters: int
    failure_rate: dict[str, float]
    avg_duration: dict[str, float]


@dataclass(frozen=True, slots=True)
class Tries:
    """What the tries of one type came to. `milliseconds` is None where none completed."""

    completed: int = 0
    failed: int = 0
    milliseconds: float | None = None

    @classmethod
    def of(cls, row: Row) -> Tries:
        took = row["milliseconds"]
        return cls(int(row["completed"]), int(row["failed"]), None if took is None else float(took))

    @property
    def failure_rate(self) -> float:
        """Percent of the tries, two decimals; 0 where there was none."""
        tries = self.completed + self.failed
        return round(100 * self.failed / tries, 2) if tries else 0.0

    @property
    def avg_duration(self) -> float:
        """Milliseconds; 0 where none completed."""
        return self.milliseconds or 0.0


class JobReport:
    """Reads from the job manager's tables where the site has them, else from the runner's own
    attempts. `types` are those that have a handler here."""

    def __init__(
        self,
        database: Database,
        site: Site,
        *,
        hooks: Sequence[str] = (HOOK, PHP_HOOK),
        types: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._migrated = site.migrated
        self._hooks = hooks_hex(hooks)
        self._types = types
        self._tables = JobTables.of(database, site)
        self._queries = Queries("jobs.sql", database.dialect, identifiers(site, database.dialect))

    def failure_rate(self, type_: str, hours: float = DAY) -> float:
        """Percent of a type's tries in so many hours that failed; 0 where there was none."""
        return self._tries([type_], hours).get(type_, Tries()).failure_rate

    def avg_duration(self, type_: str, hours: float = DAY) -> float:
        """Milliseconds that a type's completed tries in so many hours took on average."""
        return self._tries([type_], hours).get(type_, Tries()).avg_duration

    def stats(self) -> JobStats:
        counts = self._one("counts", seconds=DAY * HOUR, slug=GROUP)
        dead = int(counts["ever_failed"])
        if self._tables and self._tables.letters:
            dead = int(self._one("dead_letters")["dead"])
        elif self._migrated:
            dead = int(self._one("own_dead_letters", hooks_hex=self._hooks)["dead"])
        tries = self._tries(self._types, DAY)
        return JobStats(
            pending=int(counts["pending"]),
            in_progress=int(counts["in_progress"]),
            completed=int(counts["completed"]),
            failed=int(counts["failed"]),
            dead_letters=dead,
            failure_rate={name: found.failure_rate for name, found in tries.items()},
            avg_duration={name: round(found.avg_duration, 2) for name, found in tries.items()},
        )

    def _tries(self, types: Sequence[str], hours: float) -> dict[str, Tries]:
        """By type: these, and every other that the log knows."""
        seconds = round(hours * HOUR)
        if self._tables and self._tables.log:
            rows = self._database.query(self._queries["tries_by_log"], seconds=seconds)
            return dict.fromkeys(types, Tries()) | {str(r["type"]): Tries.of(r) for r in rows}
        return {type_: self._attempts(type_, seconds) for type_ in types}

    def _attempts(self, type_: str, seconds: int) -> Tries:
        if not self._migrated:
            return Tries()
        try:
            begins = encode([{"type": type_}]).removesuffix("}]")
        except ArgsError:
            return Tries()  # no envelope can name it
        row = self._one(
            "tries_by_attempts",
            seconds=seconds,
            hooks_hex=self._hooks,
            length=len(begins),
            begins_hex=begins.encode().hex().upper(),
        )
        return Tries.of(row)

    def _one(self, name: str, **values: Any) -> Row:
        return self._database.query(self._queries[name], **values)[0]
