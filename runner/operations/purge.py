"""Deletes finished actions, or log lines whose action is gone, in bulk and beside running work.

The table is walked once by its primary key, in short ranges that are read without locks. What
matches is deleted in small transactions, in which it is locked by primary key and tested again. So
it may be ended at any time: run again, it finds what is left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from compat.action_scheduler import TABLES
from compat.site_time import sql_date
from runner.core.errors import UsageError
from runner.core.model import Status
from runner.operations.pace import Brake, SlowLook
from runner.site import identifiers
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.core.limits import Limits
    from runner.operations.pace import Gauge, Pace
    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

FINISHED = (Status.COMPLETE, Status.FAILED, Status.CANCELED)
"""What may go without being named."""

WINDOW = 2_000
"""Rows that one statement looks at."""

MOST_LINES = 5_000
"""Log lines that one transaction deletes: of an action with more, they go in several."""

HOOKS_TOLD = 1_000
"""Lines of a plan; what else there is, is told in one. A site may make up hooks without end."""

PATIENCE = 86_400
"""Seconds after which a claim without a lease counts as left behind."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions may go; None and () are no condition. `groups` are ids, `cutoff` is the last
    attempt (of pending ones: the date) up to which they are old, in epoch seconds. `keep` are the
    newest of hooks, groups and statuses that stay, however old."""

    statuses: tuple[str, ...] = tuple(FINISHED)
    hooks: tuple[str, ...] = ()
    groups: tuple[int, ...] | None = None
    cutoff: int | None = None
    keep: int | None = None

    @property
    def pending(self) -> bool:
        return Status.PENDING in self.statuses


class Part(NamedTuple):
    """How much goes of one status, hook and group."""

    status: str
    hook: str
    group: str
    actions: int
    log_lines: int


@dataclass(slots=True)
class Plan:
    """What would go. `bytes` is an estimate, None where the server tells no sizes."""

    actions: int = 0
    log_lines: int = 0
    bytes: int | None = None
    parts: list[Part] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Rows to deal with: actions, or lines where it is about lines alone."""
        return self.actions or self.log_lines


@dataclass(slots=True)
class Purged:
    """What has gone. `passed` rows were dealt with: what is no part of the others was taken or
    changed meanwhile, and stays."""

    actions: int = 0
    log_lines: int = 0
    passed: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    stopped: str = "nothing left"


class Gone(NamedTuple):
    """What one transaction deleted. Not `whole`: the same rows want another one."""

    actions: int
    log_lines: int
    whole: bool = True


class Purge(ABC):
    """One walk over a table of one site. `on_passed` hears how many rows were dealt with."""

    newest: str
    walk: str
    """Names of the statements that tell the walk's end, and its next range."""

    def __init__(
        self,
        database: Database,
        site: Site,
        limits: Limits,
        on_passed: Callable[[int], object] = int,
    ) -> None:
        self.database = database
        self.site = site
        self.queries = Queries("purge.sql", database.dialect, identifiers(site, database.dialect))
        self._limits = limits
        self._on_passed = on_passed
        self._end: int | None = None

    @abstractmethod
    def plan(self) -> Plan:
        """Counts, and writes nothing."""

    @abstractmethod
    def candidates(self, after: int, last: int) -> list[int]:
        """Ids of a range that may go."""

    @abstractmethod
    def delete(self, ids: Sequence[int]) -> Gone:
        """One transaction."""

    def run(self, pace: Pace, brake: Brake) -> Purged:
        """Deletes until nothing is left, or a limit or a signal ends it after a batch."""
        purged, clock = Purged(), self._limits.clock
        for batch in self._batches(pace, brake):
            gone = Gone(0, 0, whole=False)
            while not (gone.whole or self._limits.reached()):
                began = clock.monotonic()
                gone = self.delete(batch)
                purged.actions += gone.actions
                purged.log_lines += gone.log_lines
                self._limits.rest(pace.heed(clock.monotonic() - began))
                brake.wait()
            if gone.whole:
                purged.passed += len(batch)
                self._on_passed(len(batch))
        purged.stopped = self._limits.reached() or "nothing left"
        purged.seconds, purged.waited = self._limits.elapsed(), brake.waited
        return purged

    def _batches(self, pace: Pace, brake: Brake) -> Iterator[list[int]]:
        """Ids of what may go, in batches as large as the pace wants them just then."""
        found: list[int] = []
        for after, last in self.ranges():
            brake.wait()
            found += self.candidates(after, last)
            while len(found) >= (size := pace.size):
                yield found[:size]
                found = found[size:]
        if found:
            yield found

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The walk: after which id each range begins, and where it ends."""
        after = 0
        while not self._limits.reached():
            place = {"after": after, "newest": self.end(), "window": WINDOW}
            last = self.database.query(self.queries[self.walk], **place)[0]["last"]
            if last is None:
                break
            yield after, int(last)
            after = int(last)

    def end(self) -> int:
        """The last id of the walk, which is what is newest at its start."""
        if self._end is None:
            self._end = int(self.database.query(self.queries[self.newest])[0]["id"])
        return self._end

    def brake(
        self, latency: float, gauges: Sequence[Gauge], tell: Callable[[str], object]
    ) -> Brake:
        """A brake that heeds these gauges and a claim's look, which is measured here."""
        indexed = self.site.shape.claim_index is not None or self.database.dialect == "sqlite"
        text = self.queries["look" if indexed else "look_at_newest"]
        look = SlowLook(lambda: self.database.query(text), self._limits.clock, latency)
        for _ in range(5):
            look()
        return Brake(self._limits, [look, *gauges], tell)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Rows and bytes by table, as the server estimates them; empty where it does not tell."""
        if self.database.dialect != "mysql":
            return {}
        names = {self.site.tables.plain(table): table for table in TABLES}
        rows = self.database.query(self.queries["sizes"], names=[*names])
        return {
            names[row["name"]]: (int(row["count"] or 0), int(row["bytes"] or 0))
            for row in rows
            if row["name"] in names
        }


class PurgeActions(Purge):
    """Actions with their logs and attempts."""

    newest, walk = "newest", "range"

    def __init__(
        self,
        database: Database,
        site: Site,
        limits: Limits,
        wanted: Wanted,
        on_passed: Callable[[int], object] = int,
    ) -> None:
        super().__init__(database, site, limits, on_passed)
        self._wanted = wanted
        self._values: dict[str, object] = {
            "statuses": list(wanted.statuses),
            "hooks_hex": hooks_hex(wanted.hooks),
            "groups": list(wanted.groups or ()),
            "cutoff": None if wanted.cutoff is None else sql_date(wanted.cutoff),
            "patience": PATIENCE,
        }

    def plan(self) -> Plan:
        counts: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
        for after, last in self.ranges():
            for row in self._query("survey", after=after, last=last):
                key = (row["status"], row["hook"], int(row["group_id"]))
                if key not in counts and len(counts) >= HOOKS_TOLD:
                    key = (row["status"], "(others)", 0)
                counts[key][0] += int(row["actions"])
                counts[key][1] += int(row["log_lines"])
        names = self._names({group for _, _, group in counts})
        parts = [
            Part(status, hook, names.get(group, ""), *numbers)
            for (status, hook, group), numbers in counts.items()
        ]
        parts.sort(key=lambda part: (-part.actions, part))
        plan = Plan(sum(p.actions for p in parts), sum(p.log_lines for p in parts), None, parts)
        plan.bytes = _bytes(self.sizes(), actions=plan.actions, logs=plan.log_lines)
        return plan

    def end(self) -> int:
        """Below the newest that are to be kept."""
        if self._end is None and self._wanted.keep is not None:
            self._end = self._below_kept(super().end(), self._wanted.keep)
        return super().end()

    def _below_kept(self, newest: int, keep: int) -> int:
        """The last id before the newest `keep` that match, 0 where there are not more."""
        where = self._where(aged=False)
        before = newest + 1
        while not self._limits.reached():
            place: dict[str, object] = {"before": before, "window": WINDOW}
            first = self.database.query(self.queries["range_back"], **place)[0]["first"]
            if first is None:
                return 0
            place |= {"first": first}
            found = int(self._query("count_back", where, **place)[0]["actions"])
            if found >= keep:
                last = self._query("nth_back", where, **place, offset=keep - 1)
                return int(last[0]["id"]) - 1
            keep, before = keep - found, int(first)
        return 0

    def candidates(self, after: int, last: int) -> list[int]:
        return _ids(self._query("matching", after=after, last=last))

    def delete(self, ids: Sequence[int]) -> Gone:
        tried: list[int] = []
        lines: list[int] = []

        def unit(tx: Transaction) -> Gone:
            if tx.uncertain and tried and not tx.query(self.queries["there"], ids=tried):
                return Gone(len(tried), len(lines))  # the COMMIT without an answer took place
            locked = _ids(tx.query(self.queries["lock"], ids=ids))
            text = self.queries["still"].replace("/*where*/", self._where())
            tried[:] = _ids(tx.query(text, ids=locked, **self._values)) if locked else []
            lines[:] = self._lines(tx, tried)
            whole = len(lines) < MOST_LINES
            if lines:
                tx.later(self.queries["delete_lines"], lines=list(lines))
            if tried and whole:
                if self.site.migrated:
                    tx.later(self.queries["delete_attempts"], ids=list(tried))
                    tx.later(self.queries["delete_failures"], ids=list(tried))
                tx.later(self.queries["delete"], ids=list(tried))
            return Gone(len(tried) if whole else 0, len(lines), whole)

        return self.database.unit(unit)

    def _lines(self, tx: Transaction, ids: Sequence[int]) -> list[int]:
        return _ids(tx.query(self.queries["lines"], ids=ids, most=MOST_LINES)) if ids else []

    def _query(self, name: str, where: str | None = None, **values: object) -> list[Row]:
        text = self.queries[name].replace("/*where*/", where or self._where())
        return self.database.query(text, **self._values, **values)

    def _where(self, *, aged: bool = True) -> str:
        """The conditions; without `aged`, those that say whose rows are counted by --keep."""
        wanted = self._wanted
        names = ["only_statuses"]
        names += ["only_hooks"] if wanted.hooks else []
        names += ["only_groups"] if wanted.groups is not None else []
        if aged:
            names += ["only_late" if wanted.pending else "only_old"] * (wanted.cutoff is not None)
            names += ["only_unclaimed"] if wanted.pending else ["only_free"]
            names += ["only_unheld"] if self.site.migrated else []
        return " AND ".join(self.queries[name] for name in names)

    def _names(self, groups: set[int]) -> dict[int, str]:
        if not groups:
            return {}
        rows = self.database.query(self.queries["names_of_groups"], groups=[*groups])
        return {int(row["group_id"]): row["slug"] for row in rows}


class PurgeOrphans(Purge):
    """Log lines whose action is gone, with `cutoff` those that were written up to then."""

    newest, walk = "newest_line", "range_of_lines"

    def __init__(
        self,
        database: Database,
        site: Site,
        limits: Limits,
        cutoff: int | None = None,
        on_passed: Callable[[int], object] = int,
    ) -> None:
        super().__init__(database, site, limits, on_passed)
        self._where = self.queries["only_any" if cutoff is None else "only_old_lines"]
        self._cutoff = None if cutoff is None else sql_date(cutoff)

    def plan(self) -> Plan:
        plan = Plan()
        for after, last in self.ranges():
            rows = self._query("count_orphans", after=after, last=last)
            plan.log_lines += int(rows[0]["log_lines"])
        plan.bytes = _bytes(self.sizes(), logs=plan.log_lines)
        return plan

    def candidates(self, after: int, last: int) -> list[int]:
        return _ids(self._query("orphans", after=after, last=last))

    def delete(self, ids: Sequence[int]) -> Gone:
        text = self.queries["delete_orphans"]
        return Gone(0, self.database.unit(lambda tx: tx.execute(text, lines=list(ids))))

    def _query(self, name: str, **values: object) -> list[Row]:
        text = self.queries[name].replace("/*where*/", self._where)
        return self.database.query(text, cutoff=self._cutoff, **values)


def group_ids(database: Database, site: Site, names: Sequence[str]) -> tuple[int, ...] | None:
    """Ids of groups by name; the empty name is no group. None when none is named.

    Raises UsageError for a name that the site does not have.
    """
    queries = Queries("purge.sql", database.dialect, identifiers(site, database.dialect))
    ids: list[int] = []
    for name in names:
        found = [row["group_id"] for row in database.query(queries["groups_of_name"], slug=name)]
        if not found and name:
            raise UsageError(f"this site has no group {name!r}")
        ids += found + ([] if name else [0])
    return tuple(ids) if names else None


def _ids(rows: Sequence[Row]) -> list[int]:
    return [int(row["id"]) for row in rows]


def _bytes(sizes: dict[str, tuple[int, int]], **rows: int) -> int | None:
    """So many rows of each table at its average, indexes included."""
    if not all(table in sizes for table in rows):
        return None
    return sum(
        round(count * sizes[table][1] / max(sizes[table][0], count, 1))
        for table, count in rows.items()
    )
