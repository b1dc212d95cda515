"""The page's list of actions: by filters, in order, from a place on. Reads only.

Each combination of a hook and a status is a range of an index that has the wanted order, so that a
page of a million rows is read as quickly as one of a hundred; the ranges are merged here. What has
no such range (args within a hook, a group by date) may read much: the connection's time limit ends
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import parked, true_date
from compat.site_time import ZERO, sql_date
from runner.core.errors import UsageError
from runner.core.model import Status
from runner.site import identifiers
from runner.storage.queries import Queries, literal, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row

ORDERS = ("date", "id", "hook")

MOST_NAMES = 50
"""Hooks or groups that the beginning of a name may stand for."""

MOST_HOOKS = 5_000
"""Names of hooks that are read where no census tells them."""

NEWEST = 2_000
"""Actions that a census may not have seen."""

AT_ONCE = 350
"""Ranges that one statement reads."""

PAIRS = 60
"""Hooks with a status that are read together in the order of hooks: most pages end within them."""

_DATE, _ID = "scheduled_date_gmt", "action_id"
"""What a range is ordered by: dates, and ids where they are the same; or ids alone."""

_UNIQUE = ("hook", "status", "after_id", "after_date")
"""Parameters that differ from branch to branch."""

_GO_ON = {
    "id": ("after_id", "before_id"),
    "date": ("after_date", "before_date"),
    "undated": ("after_undated", "before_undated"),
}
"""The condition of what comes after a place, ascending and descending."""

_MAY_PARK = (None, Status.PENDING, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions; None and () are no condition. `args` is the column's text, `args_part` a part
    of it, `older` how long ago (seconds) it was due at least. The empty group is no group."""

    statuses: tuple[str, ...] = ()
    hook: str | None = None
    hook_prefix: str | None = None
    group: str | None = None
    group_prefix: str | None = None
    args: str | None = None
    args_part: str | None = None
    older: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A row that a page ends with: what comes after it is the next page. A row without a date has
    the empty one, which is before all others, as the server has it."""

    id: int
    date: str = ZERO
    hook: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """`name` is one of ORDERS: dates; ids; or hooks, within each by status and date. `after` is
    where the page before ended."""

    name: str = "date"
    descending: bool = True
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Ids in order, and where the next page begins, None for the last one."""

    ids: list[int]
    next: Place | None = None


@dataclass(slots=True)
class _Branch:
    """A range: its conditions and their values, and a hint that names its index, empty where the
    server chooses. `hook` and `status` are the pair that it is of."""

    conditions: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    index: str = ""
    hook: str | None = None
    status: str | None = None


class Listing:
    """Lists the actions of one site. `many` are statuses that very many rows have."""

    def __init__(
        self,
        database: Database,
        site: Site,
        many: Sequence[str] = (),
    ) -> None:
        self._database = database
        names = identifiers(site, database.dialect)
        self._queries = Queries("listing.sql", database.dialect, names)
        self._hook_index, self._by_key = names["hook_index"], names["by_key"]
        self._many = many
        self._counted = site.migrated

    def page(self, wanted: Wanted, order: Order, limit: int, now: int) -> Found:
        """Ids of `limit` actions at most. `now` is the database's clock, in epoch seconds. Raises
        UsageError for the beginning of a name that too many have."""
        hooks, groups = self._hooks(wanted, order), self._groups(wanted)
        if hooks == [] or groups == []:
            return Found([])
        everywhere = self._everywhere(wanted, groups, now)
        rows: list[Row] = []
        for branches in self._ranges(wanted, order, hooks, everywhere):
            rows += self._read(branches, order, limit + 1 - len(rows))
            if len(rows) > limit:
                break
        kept = rows[:limit]
        return Found([row["action_id"] for row in kept], _place(kept[-1]) if rows[limit:] else None)

    def walk(self, wanted: Wanted, now: int, chunk: int = 1000) -> Iterator[list[int]]:
        """All ids that match, some at a time, the oldest id first."""
        after = None
        while True:
            found = self.page(wanted, Order("id", descending=False, after=after), chunk, now)
            if found.ids:
                yield found.ids
            if not found.next:
                return
            after = found.next

    def count(self, wanted: Wanted, now: int, at_most: int) -> int:
        """How many match, counted no further than `at_most`."""
        hooks = wanted.hook is not None or wanted.hook_prefix is not None
        return len(self.page(wanted, Order("date" if hooks else "id"), at_most, now).ids)

    def last_lines(self, ids: Sequence[int]) -> dict[int, str]:
        """The newest line of the log of each."""
        rows = self._database.query(self._queries["last_lines"], ids=list(ids)) if ids else []
        return {row["action_id"]: row["message"] for row in rows}

    def lineage(self, id_: int) -> list[Row]:
        """The dead letters of an action, and the one that it is a replay of, the oldest first."""
        rows = self._database.query(self._queries["lineage"], id=id_)
        return [row | {"created_at": str(row["created_at"])} for row in rows]

    def _hooks(self, wanted: Wanted, order: Order) -> list[str] | None:
        """The hooks that are meant; None for any, where no order needs them."""
        if wanted.hook is not None:
            return [wanted.hook]
        if wanted.hook_prefix is None:
            return self._names("") if order.name == "hook" else None
        return _some(self._names(wanted.hook_prefix), f"hook:{wanted.hook_prefix}*")

    def _names(self, beginning: str) -> list[str]:
        """Every hook that begins so; of those that the server takes for one, one."""
        like, rows = f"{literal(beginning)}%", []
        if self._counted:
            known = self._queries["known_hooks"]
            rows = self._database.query(known, beginning=like, most=NEWEST)
        if not any(row["counted"] for row in rows):
            rows = self._database.query(self._queries["hooks"], beginning=like, most=MOST_HOOKS)
        found = [row["name"] for row in rows if row["begins"]]
        return [bytes.fromhex(name).decode(errors="replace") for name in found]

    def _groups(self, wanted: Wanted) -> list[int] | None:
        """Ids of the groups that are meant, None for any."""
        if wanted.group is None and wanted.group_prefix is None:
            return None
        beginning = wanted.group_prefix
        rows = self._database.query(
            self._queries["groups"],
            name=wanted.group,
            beginning=None if beginning is None else f"{literal(beginning)}%",
            most=MOST_NAMES + 1,
        )
        found = _some([int(row["group_id"]) for row in rows], f"group:{beginning}*")
        return [*found, 0] if wanted.group == "" else found

    def _everywhere(self, wanted: Wanted, groups: list[int] | None, now: int) -> _Branch:
        """The conditions of all ranges."""
        made = _Branch([])
        part = wanted.args_part
        facts: tuple[tuple[str, str, object], ...] = (
            ("only_group", "groups", groups),
            ("only_args", "args", wanted.args),
            ("only_args_part", "args_like", None if part is None else f"%{literal(part)}%"),
            ("only_id", "id", wanted.id),
        )
        for name, key, value in facts:
            if value is not None:
                made.conditions.append(self._queries[name])
                made.values[key] = value
        if wanted.older is not None:
            date = sql_date(max(now - wanted.older, 0))
            made.conditions.append(self._queries["only_older"])
            made.values |= {"older": date, "older_parked": parked(date)}
        return made

    def _ranges(
        self, wanted: Wanted, order: Order, hooks: list[str] | None, everywhere: _Branch
    ) -> Iterator[list[_Branch]]:
        """Ranges that are read together; what comes in a later list comes later in order."""
        statuses: list[str | None] = [*wanted.statuses] or [None]
        if hooks is not None and order.name != "id":
            statuses = [*wanted.statuses] or [*Status]  # each is a range in the order of dates
        pairs = [*product(hooks if hooks is not None else [None], statuses)]
        if order.name != "hook":
            yield [b for pair in pairs for b in self._branches(everywhere, order, *pair)]
            return
        pairs = self._from(order, sorted(pairs, key=_pair_key, reverse=order.descending))
        for begin in range(0, len(pairs), PAIRS):
            some = pairs[begin : begin + PAIRS]
            yield [b for pair in some for b in self._branches(everywhere, order, *pair)]

    @staticmethod
    def _from(order: Order, pairs: list[Any]) -> list[Any]:
        """The pairs from the place on."""
        if order.after is None:
            return pairs
        place = _pair_key((order.after.hook, order.after.status))
        if order.descending:
            return [pair for pair in pairs if _pair_key(pair) <= place]
        return [pair for pair in pairs if _pair_key(pair) >= place]

    def _branches(
        self, everywhere: _Branch, order: Order, hook: str | None, status: str | None
    ) -> list[_Branch]:
        """The ranges of a hook and a status: the plain and the parked dates, or the free and the
        claimed rows, are two that have an order each."""
        ways: list[str | None] = [None]
        if order.name != "id":
            ways = ["only_plain", "only_parked"] if status in _MAY_PARK else ["only_plain"]
        elif status == Status.PENDING and hook is None and not everywhere.conditions:
            ways = ["only_unclaimed", "only_claimed"]
        return [self._branch(everywhere, order, hook, status, way) for way in ways]

    def _branch(
        self,
        everywhere: _Branch,
        order: Order,
        hook: str | None,
        status: str | None,
        way: str | None,
    ) -> _Branch:
        values = dict(everywhere.values)
        made = _Branch([*everywhere.conditions], values, hook=hook, status=status)
        for name, key, value in (("only_hook", "hook", hook), ("only_status", "status", status)):
            if value is not None:
                made.conditions.append(self._queries[name])
                made.values[key] = value
        if order.name != "id":
            by_hook = hook is not None and "args" not in made.values
            made.index = self._hook_index if by_hook else ""
        elif way is None and status in self._many and len(made.conditions) == 1:
            made.index = self._by_key
        if way:
            made.conditions.append(self._queries[way])
        if order.after and self._goes_on(order, order.after, hook, status):
            self._go_on(made, order, order.after, way)
        return made

    @staticmethod
    def _goes_on(order: Order, after: Place, hook: str | None, status: str | None) -> bool:
        """Whether the place lies within the range; in the order of hooks it is within one."""
        return order.name != "hook" or _pair_key((hook, status)) == _pair_key(
            (after.hook, after.status)
        )

    def _go_on(self, branch: _Branch, order: Order, after: Place, way: str | None) -> None:
        key = "id" if order.name == "id" else "date" if after.date else "undated"
        branch.conditions.append(self._queries[_GO_ON[key][order.descending]])
        branch.values["after_id"] = after.id
        if key == "date":
            branch.values["after_date"] = parked(after.date) if way == "only_parked" else after.date

    def _read(self, branches: Sequence[_Branch], order: Order, limit: int) -> list[Row]:
        """The first rows of all these ranges, in order."""
        rows: list[Row] = []
        for begin in range(0, len(branches), AT_ONCE):
            some = branches[begin : begin + AT_ONCE]
            text, values = self._union(some, order)
            found = self._database.query(text, limit=limit, **values)
            rows += [_of(some[int(row["part"])], row) for row in found]
        rows = [*{row["action_id"]: row for row in rows}.values()]
        return sorted(rows, key=_SORT_KEYS[order.name], reverse=order.descending)[:limit]

    def _union(self, branches: Sequence[_Branch], order: Order) -> tuple[str, dict[str, Any]]:
        texts, values = [], {}
        for number, branch in enumerate(branches):
            text = self._queries["branch"].replace("/*index*/", branch.index)
            text = text.replace("/*where*/", " AND ".join(branch.conditions) or "TRUE")
            own = [name for name in branch.values if name in _UNIQUE]
            text = text.replace("/*order*/", self._by(branch, order))
            text = text.replace("/*number*/", str(number))
            texts.append(numbered(text, own, number))
            for name, value in branch.values.items():
                values[f"{name}_{number}" if name in own else name] = value
        return "\nUNION ALL\n".join(texts), values

    def _by(self, branch: _Branch, order: Order) -> str:
        """The order of a range. Within a date the hook's index has the order of ids by itself;
        asked for it, the server would sort, since that index has but a prefix of the name."""
        keys = [_ID] if order.name == "id" else [_DATE, _ID]
        if branch.index and branch.index == self._hook_index:
            keys = [_DATE]
        word = "DESC" if order.descending else "ASC"
        return ", ".join(f"{key} {word}" for key in keys)


def _of(branch: _Branch, row: Row) -> Row:
    """A row under the hook and the status that were looked for. It may have another hook, which
    the server takes for the same: it stands where its range does."""
    pair = {"hook": branch.hook, "status": branch.status}
    return row | {key: value for key, value in pair.items() if value is not None}


def _date(row: Row) -> str:
    stored = row["scheduled_date_gmt"]
    return true_date(stored, row["scheduled_date_local"] or "") if stored else ""


_SORT_KEYS: Mapping[str, Callable[[Row], Any]] = {
    "id": lambda row: row["action_id"],
    "date": lambda row: (_date(row), row["action_id"]),
    "hook": lambda row: (
        *_pair_key((row["hook"], row["status"])),
        _date(row),
        row["action_id"],
    ),
}


def _pair_key(pair: tuple[str | None, str | None]) -> tuple[str, str, str]:
    hook, status = pair
    return (hook or "").casefold(), hook or "", status or ""


def _place(row: Row) -> Place:
    return Place(row["action_id"], _date(row), row["hook"], row["status"])


def _some(names: list[Any], what: str) -> list[Any]:
    if len(names) > MOST_NAMES:
        raise UsageError(f"{what} stands for more than {MOST_NAMES} names: type more of it")
    return names
