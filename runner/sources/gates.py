"""Gates before a claim: what is paused, used up or taken is not claimed, so that nothing is handed
back in a loop. The last word is in the claim's own transaction, since others look too.

Rates and places are the hook's own, a lock by args is the action's: a row whose lock another holds
is put off there, before it is claimed, and spends no attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compat.args import ArgsError, decode
from runner.core.rates import available, free_at, spend
from runner.sources.rows import Unreadable, schedule_of, stored_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.core.throttle import KeyLock, Throttle
    from runner.sources.locks import Locks
    from runner.storage.db import Database, Row, Transaction
    from runner.storage.queries import Queries

EVERYTHING, HOOK, GROUP = "all", "hook", "group"
"""Kinds of pauses."""


@dataclass(frozen=True, slots=True)
class Openings:
    """What a look may see. `room` is how many actions of a limited hook may begin, 0 where none;
    `opens` is in how many seconds a hook's rate lets the next one through. `groups` are the ids of
    paused groups."""

    everything: bool = True
    paused: frozenset[str] = frozenset()
    groups: tuple[int, ...] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    opens: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is any restriction."""
        return bool(not self.everything or self.paused or self.groups or self.room)

    def lets(self, hook: str) -> bool:
        """Whether rows of the hook may be claimed now."""
        return self.everything and hook not in self.paused and self.room.get(hook, 1) > 0


OPEN = Openings()


@dataclass(frozen=True, slots=True)
class Late:
    """A due row whose lock another action holds: it is put off by `lock.wait` seconds."""

    row: Row
    lock: KeyLock


@dataclass(slots=True)
class Admitted:
    """What may be claimed, limited rows first, since they hold what others wait for; and what is
    put off."""

    rows: list[Row] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)


class Gates:
    """Those of one site. `throttles` go by hook. What is `chosen` by hand waits for no rate and no
    pause."""

    def __init__(
        self,
        queries: Queries,
        throttles: Mapping[str, Throttle],
        locks: Locks,
        *,
        chosen: bool = False,
    ) -> None:
        self.locks = locks
        self._queries = queries
        self._throttles = throttles
        self._chosen = chosen
        self._names = sorted({name for t in throttles.values() for name in t.gates})
        self._told: frozenset[str] = frozenset()
        self._tell: Callable[[str], object] | None = None

    def listen(self, tell: Callable[[str], object]) -> None:
        """Who hears of pauses."""
        self._tell = tell

    def look(self, database: Database, room: int) -> Openings:
        """What is open; of limited hooks at most `room` actions each may be claimed."""
        paused = database.query(self._queries["paused"])
        self._say(paused)
        slugs = [str(row["name"]) for row in paused if row["kind"] == GROUP]
        ids = database.query(self._queries["groups_of"], slugs=slugs) if slugs else []
        counts, opens = self._look_at_limits(database, room) if self._throttles else ({}, {})
        return Openings(
            everything=not any(row["kind"] == EVERYTHING for row in paused),
            paused=frozenset(str(row["name"]) for row in paused if row["kind"] == HOOK),
            groups=tuple(int(row["group_id"]) for row in ids),
            room=counts,
            opens=opens,
        )

    def _look_at_limits(
        self, database: Database, room: int
    ) -> tuple[dict[str, int], dict[str, float]]:
        spent = _spent(database.query(self._queries["rates"], names=self._names))
        places = database.query(self._queries["places"], names=self._names)
        now, taken = _now(places), _taken(places)
        counts, opens = {}, {}
        for hook, throttle in self._throttles.items():
            free = [n - len(taken.get(name, ())) for name, n in throttle.places.items()]
            calls = [available(r, spent.get(name, 0.0), now) for name, r in throttle.rates.items()]
            counts[hook] = max(min([room, *free, *calls]), 0)
            if 0 in calls and all(n > 0 for n in free):
                moments = [free_at(r, spent[n]) for n, r in throttle.rates.items() if n in spent]
                opens[hook] = max(max(moments) - now, 0.0)
        return counts, opens

    def _say(self, paused: Sequence[Row]) -> None:
        """Each pause is told once."""
        texts = frozenset(_sentence(row) for row in paused)
        for text in sorted(texts - self._told):
            if self._tell:
                self._tell(text)
        self._told = texts

    def admit(self, tx: Transaction, rows: Sequence[Row], room: int) -> Admitted:
        """Lets locked due rows through, `room` limited ones at most, and takes what they need. The
        rest stays as it is."""
        limited = [row for row in rows if row["hook"] in self._throttles]
        if not limited:
            return Admitted([*rows])
        admitted = Admitted()
        taking = _Taking(tx, self.locks, self._throttles, limited, waits=not self._chosen)
        for row in limited:
            if len(admitted.rows) < room:
                taking.pass_on(row, admitted)
        taking.write()
        admitted.rows += [row for row in rows if row["hook"] not in self._throttles]
        return admitted


class _Taking:
    """The taking of one claim: what rates and places there are for its rows, under lock. Without
    `waits` rates are spent, and nobody waits for them."""

    def __init__(
        self,
        tx: Transaction,
        locks: Locks,
        throttles: Mapping[str, Throttle],
        rows: Sequence[Row],
        *,
        waits: bool,
    ) -> None:
        self._tx = tx
        self._locks = locks
        self._throttles = throttles
        self._waits = waits
        names = sorted({name for row in rows for name in throttles[row["hook"]].gates})
        self._spent = self._lock(names) if names else {}
        self._before = dict(self._spent)
        self._wanted = {row["action_id"]: _lock_of(throttles[row["hook"]], row) for row in rows}
        wanted = {lock.name for lock in self._wanted.values() if lock}
        seen = tx.query(locks.queries["places"], names=sorted({*names, *wanted}))
        self._now = _now(seen)
        self._taken = _taken(seen)
        self._dead = {(str(row["name"]), int(row["place"])) for row in seen if not row["held"]}

    def _lock(self, names: Sequence[str]) -> dict[str, float]:
        queries = self._locks.queries
        rows = self._tx.query(queries["lock_rates"], names=names)
        if missing := sorted({*names} - {str(row["name"]) for row in rows}):
            self._tx.insert_rows(queries["add_rates"], [{"name": name} for name in missing])
            rows = self._tx.query(queries["lock_rates"], names=names)
        return _spent(rows)

    def pass_on(self, row: Row, admitted: Admitted) -> None:
        """Lets the row through, puts it off, or leaves it as it is."""
        throttle = self._throttles[row["hook"]]
        if not self._has_calls(throttle):
            return
        places = [(name, self._free_place(name, most)) for name, most in throttle.places.items()]
        if any(place is None for _, place in places):
            return
        lock = self._wanted[row["action_id"]]
        if lock and not self._take(lock.name, 0, row):
            admitted.late.append(Late(row, lock))
            return
        for name, place in places:
            if place is None or not self._take(name, place, row):
                # Another action took it by its args: this one is left for the next look.
                self._locks.free_ids(self._tx, [row["action_id"]])
                return
        for name, rate in throttle.rates.items():
            self._spent[name] = spend(rate, self._spent[name], self._now, 1)
        admitted.rows.append(row)

    def _has_calls(self, throttle: Throttle) -> bool:
        rates = throttle.rates.items() if self._waits else ()
        return all(available(rate, self._spent[name], self._now) > 0 for name, rate in rates)

    def _free_place(self, name: str, most: int) -> int | None:
        taken = self._taken.get(name, frozenset())
        return next((place for place in range(most) if place not in taken), None)

    def _take(self, name: str, place: int, row: Row) -> bool:
        if place in self._taken.get(name, frozenset()):
            return False
        expired = (name, place) in self._dead
        took = self._locks.take(self._tx, name, place, row["action_id"], expired=expired)
        self._taken[name] = self._taken.get(name, frozenset()) | {place}
        return took

    def write(self) -> None:
        """What was let through is spent."""
        for name, spent in self._spent.items():
            if spent != self._before[name]:
                self._tx.later(self._locks.queries["spend"], name=name, spent=f"{spent:.6f}")


def _lock_of(throttle: Throttle, row: Row) -> KeyLock | None:
    """What cannot be read needs no lock: it is given up."""
    if throttle.lock is None:
        return None
    try:
        schedule_of(row["schedule"])
        return throttle.lock(decode(stored_args(row), None))
    except (ArgsError, Unreadable):
        return None


def _spent(rows: Sequence[Row]) -> dict[str, float]:
    return {str(row["name"]): float(row["spent_until"]) for row in rows}


def _now(places: Sequence[Row]) -> float:
    return float(places[0]["now"])


def _taken(places: Sequence[Row]) -> dict[str, frozenset[int]]:
    """Places that a living holder has, by name."""
    found: dict[str, frozenset[int]] = {}
    for row in places:
        if row["name"] and row["held"]:
            name = str(row["name"])
            found[name] = found.get(name, frozenset()) | {int(row["place"])}
    return found


def _sentence(row: Row) -> str:
    what = "everything" if row["kind"] == EVERYTHING else f"{row['kind']} {row['name']}"
    until = f" until {row['until']} UTC" if row["until"] else ""
    reason = f": {row['reason']}" if row["reason"] else ""
    return f"{what} is paused by {row['actor']}{until}{reason}"
