"""The last word of the gates, in the claim's own transaction: others look too.

Rates and places are the hook's own, a lock by args is the action's: a row whose lock another holds
is put off here, before it is claimed, and spends no attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compat.args import ArgsError, decode
from runner.core.rates import available, spend
from runner.sources.gates import now_of, spent_of, taken_of
from runner.sources.rows import Unreadable, schedule_of, stored_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.core.throttle import KeyLock, Throttle
    from runner.sources.gates import Gates
    from runner.sources.locks import Locks
    from runner.storage.db import Row, Transaction


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


def admit(gates: Gates, tx: Transaction, rows: Sequence[Row], room: int) -> Admitted:
    """Lets locked due rows through, `room` limited ones at most, and takes what they need. The
    rest stays as it is."""
    limited = [row for row in rows if row["hook"] in gates.throttles]
    if not limited:
        return Admitted([*rows])
    admitted = Admitted()
    taking = _Taking(tx, gates.locks, gates.throttles, limited, waits=not gates.chosen)
    for row in limited:
        if len(admitted.rows) < room:
            taking.pass_on(row, admitted)
    taking.write()
    admitted.rows += [row for row in rows if row["hook"] not in gates.throttles]
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
        self._now = now_of(seen)
        self._taken = taken_of(seen)
        self._dead = {(str(row["name"]), int(row["place"])) for row in seen if not row["held"]}

    def _lock(self, names: Sequence[str]) -> dict[str, float]:
        queries = self._locks.queries
        rows = self._tx.query(queries["lock_rates"], names=names)
        if missing := sorted({*names} - {str(row["name"]) for row in rows}):
            self._tx.insert_rows(queries["add_rates"], [{"name": name} for name in missing])
            rows = self._tx.query(queries["lock_rates"], names=names)
        return spent_of(rows)

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
