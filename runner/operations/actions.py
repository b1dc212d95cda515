"""The read model behind `runner action`: filters in, frozen values out. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import parked, true_date
from compat.args import ArgsError, decode
from compat.site_time import ZERO, sql_date
from runner.site import identifiers
from runner.sources.rows import Unreadable, schedule_of
from runner.storage.queries import Queries, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compat.schedules import Schedule
    from runner.site import Site
    from runner.storage.db import Database, Row

COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")

ORDERS = {
    "id": ("action_id",),
    "hook": ("hook", "action_id"),
    "status": ("status", "scheduled_date_gmt", "action_id"),
    "date": ("scheduled_date_gmt", "action_id"),
    "modified": ("last_attempt_gmt", "action_id"),
}
"""What can be sorted by, as columns. The id makes pages stable."""

COUNTED = 10_000
"""A page tells how many actions there are up to this number: counting a million takes a second."""

CHUNK = 1000
"""Rows read by one statement."""

ALL = 2**63 - 1
"""As a LIMIT: none."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with a moment: `compare` is one of COMPARISONS, `epoch` in seconds."""

    compare: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which actions; None and () are no condition.

    `args` is the text of the column (see compat.args.store). `group` is a name; the empty name
    stands for actions without a group.
    """

    hook: str | None = None
    args: str | None = None
    group: str | None = None
    statuses: tuple[str, ...] = ()
    claimed: bool | None = None
    claim: int | None = None
    scheduled: tuple[Bound, ...] = ()
    modified: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`order` is one of ORDERS. A `stable` order has the id as its last word, which pages need; but
    by date the server then walks through everything until it meets a rare hook, instead of taking
    the index of hook, status and date."""

    order: str = "date"
    descending: bool = False
    limit: int = ALL
    offset: int = 0
    stable: bool = True


@dataclass(frozen=True, slots=True)
class StoredAction:
    """One row as it stands, readable or not. Dates are texts in UTC; that of a parked row is the
    true one.

    `args` is the column's text, or None, where it cannot be read; `schedule` is None then.
    `problems` says what cannot be read. `last_attempt_gmt` is None when there was none.
    """

    id: int
    hook: str
    status: str
    group: str
    priority: int
    args: list[Any] | dict[int | str, Any] | str | None
    schedule: Schedule | None
    scheduled_gmt: str | None
    last_attempt_gmt: str | None
    attempts: int
    claim_id: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEntry:
    date_gmt: str | None
    message: str


class Actions:
    """Reads the actions of one site."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._queries = Queries(
            "actions.sql", database.dialect, identifiers(site, database.dialect)
        )

    def now(self) -> int:
        """The database's clock, epoch seconds."""
        return int(self._database.query(self._queries["clock"])[0]["now"])

    def ids(self, wanted: Filter, page: Page | None = None) -> list[int]:
        """Ids in order."""
        page = page or Page()
        where, values = self._where(wanted)
        way = "DESC" if page.descending else "ASC"
        columns = ORDERS[page.order] if page.stable else ORDERS[page.order][:-1]
        order = ", ".join(f"{column} {way}" for column in columns)
        text = self._queries["pick_by_date" if page.order == "date" else "pick"]
        index = self._queries["index_of_hook"] if _walks_hook(wanted, page) else ""
        text = text.replace("/*where*/", where).replace("/*order*/", order)
        text = text.replace("/*index*/", index)
        last = min(page.limit + page.offset, ALL)
        rows = self._database.query(text, limit=page.limit, offset=page.offset, last=last, **values)
        return [row["action_id"] for row in rows]

    def count(self, wanted: Filter, *, at_most: int = ALL) -> int:
        """How many there are; `at_most` ends the counting."""
        where, values = self._where(wanted)
        text = self._queries["how_many"].replace("/*where*/", where)
        return int(self._database.query(text, limit=at_most, **values)[0]["actions"])

    def read(self, ids: Sequence[int]) -> Iterator[StoredAction]:
        """The rows of these ids, in their order; ids without a row are left out."""
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            rows = self._database.query(self._queries["whole_rows"], ids=chunk)
            found = {row["action_id"]: row for row in rows}
            yield from (stored(found[id_]) for id_ in chunk if id_ in found)

    def logs(self, ids: Sequence[int]) -> dict[int, list[LogEntry]]:
        """The log of each of these ids, oldest line first."""
        found: dict[int, list[LogEntry]] = {id_: [] for id_ in ids}
        for row in self._database.query(self._queries["stories"], ids=ids):
            found[row["action_id"]].append(LogEntry(row["log_date_gmt"], row["message"]))
        return found

    def _where(self, wanted: Filter) -> tuple[str, dict[str, object]]:
        """The conditions and their values."""
        plain: tuple[tuple[str, str, object], ...] = (
            ("only_hook", "hook", wanted.hook),
            ("only_args", "args", wanted.args),
            ("only_groups", "groups", self._groups(wanted.group)),
            ("only_statuses", "statuses", wanted.statuses or None),
            ("only_claim", "claim", wanted.claim),
        )
        values = {name: value for _, name, value in plain if value is not None}
        parts = [self._queries[condition] for condition, name, _ in plain if name in values]
        if wanted.claimed is not None:
            parts.append(self._queries["only_claimed" if wanted.claimed else "only_unclaimed"])
        for condition, name, bounds in (
            ("only_scheduled", "scheduled", wanted.scheduled),
            ("only_modified", "modified", wanted.modified),
        ):
            for number, bound in enumerate(bounds):
                text = self._queries[condition].replace("/*compare*/", bound.compare)
                parts.append(numbered(text, [name, "parked"], number))
                date = sql_date(bound.epoch)
                values |= {f"{name}_{number}": date, f"parked_{number}": parked(date)}
        return " AND ".join(parts or [self._queries["only_any"]]), values

    def _groups(self, slug: str | None) -> list[int] | None:
        """Ids of a name, none of which need exist; None when no name is given."""
        if slug is None:
            return None
        rows = self._database.query(self._queries["groups_of_name"], slug=slug)
        return [row["group_id"] for row in rows] + ([] if slug else [0])


def _walks_hook(wanted: Filter, page: Page) -> bool:
    """Whether the index of hook, status and date gives the order without a sort. Args have an
    index of their own, which is better still."""
    one_range = wanted.hook is not None and len(wanted.statuses) == 1
    return one_range and wanted.args is None and page.order == "date" and not page.stable


def stored(row: Row) -> StoredAction:
    """What a row holds, with all columns that are read here."""
    problems = []
    args: Any = row["extended_args"] or row["args"]
    try:
        args = decode(row["args"], row["extended_args"])
    except ArgsError as error:
        problems.append(f"its args: {error}")
    schedule = None
    try:
        schedule = schedule_of(row["schedule"])
    except Unreadable as error:
        problems.append(str(error))
    attempted, scheduled = row["last_attempt_gmt"], row["scheduled_date_gmt"]
    return StoredAction(
        id=row["action_id"],
        hook=row["hook"],
        status=row["status"],
        group=row["slug"] or "",
        priority=row["priority"],
        args=args,
        schedule=schedule,
        scheduled_gmt=scheduled and true_date(scheduled, row["scheduled_date_local"] or ""),
        last_attempt_gmt=None if attempted == ZERO else attempted,
        attempts=row["attempts"],
        claim_id=row["claim_id"],
        problems=tuple(problems),
    )
