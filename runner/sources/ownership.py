"""How a row of ours is found, marked and handed back.

There are two ways. `Native` is Action Scheduler's own claim protocol, for a site whose PHP runner
is off: the claim's id in `claim_id` is both mark and token. Beside a live PHP runner it must not be
used: its claim stops PHP's queue, and PHP fails the hooks it does not know. `Parked` is for there
(see `parked`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from runner.sources.gates import OPEN, PAUSED
from runner.storage.queries import hooks_hex, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runner.sources.gates import Gates, Openings
    from runner.sources.leases import Leases
    from runner.storage.db import Database, Row, Transaction
    from runner.storage.queries import Queries

    More = Callable[[Sequence[str], bool], list[str]]

HOOKS_A_STATEMENT = 64
"""Branches of one union; more hooks take more statements."""

NORMAL_PRIORITY = 10
"""Action Scheduler's default; lower numbers come first."""

_PAUSED = " AND group_id NOT IN (:paused)"

URGENCIES = {f"urgency_{priority}": priority for priority in range(NORMAL_PRIORITY)}
"""The values of the branches for urgent rows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row seen without a lock: it may be gone a moment later."""

    id: int
    order: tuple[int, int, str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the queue saw. `now` is the database's clock, 0 when nothing was seen. In
    `again_in` seconds a rate lets through what is due. `kinds` are those of all that was seen."""

    due: tuple[Candidate, ...]
    expired: tuple[Candidate, ...]
    now: float
    again_in: float = math.inf
    kinds: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.due or self.expired)

    def without(self, held: Collection[int]) -> Found:
        """The same, but nothing abandoned that the caller itself holds."""
        expired = tuple(candidate for candidate in self.expired if candidate.id not in held)
        return replace(self, expired=expired)


class Native:
    """Ownership by `claim_id`. `hooks` are those with a Python handler: no other row is read.

    `groups` and `excluded` are group ids or None; `expiry` is in seconds. With `leases`, what a
    dead worker left is also told by its lease, which is sooner. What `gates` close is not seen.
    """

    def __init__(
        self,
        queries: Queries,
        hooks: Sequence[str],
        *,
        expiry: int,
        groups: Sequence[int] | None = None,
        excluded: Sequence[int] | None = None,
        urgent: bool = True,
        leases: Leases | None = None,
        gates: Gates | None = None,
    ) -> None:
        self.queries = queries
        self.expiry = expiry
        self.leases = leases
        self.gates = gates
        self._hooks = tuple(hooks)
        self._groups = groups
        self._excluded = excluded
        self._urgent = urgent

    def listen(self, tell: Callable[[str], object]) -> None:
        """Who hears of what the operator should know."""
        if self.gates:
            self.gates.listen(tell)

    @property
    def silence(self) -> int:
        """Seconds without a sign of life after which what a worker held is taken back."""
        return self.leases.seconds if self.leases else self.expiry

    def find(
        self, database: Database, limit: int, *, expired: bool, room: int | None = None
    ) -> Found:
        """Sees up to `limit` rows that are due, `room` of each limited hook at most, and those that
        a dead worker left."""
        return self._find(database, limit, room, partial(self._left_parts, expired=expired))

    def peek(self, database: Database, limit: int) -> Found:
        """The same, with both, and for certain without writing anything."""
        more = partial(self._left_parts, expired=True)
        return self._find(database, limit, None, more, writes=False)

    def _find(
        self, database: Database, limit: int, room: int | None, more: More, *, writes: bool = True
    ) -> Found:
        """What is seen through the gates. `more` gives further branches for hooks. That something
        is paused is seen with the rows; only then, or with limits, it is asked what."""
        openings, room = OPEN, limit if room is None else room
        if self.gates and self.gates.in_use:
            openings = self.gates.look(database, room, self._hooks, writes=writes)
        found = self._look(database, limit, openings, more)
        if self.gates and PAUSED in found.kinds:
            openings = self.gates.look(database, room, self._hooks, writes=writes)
            found = self._look(database, limit, openings, more)
        return found

    def _look(self, database: Database, limit: int, openings: Openings, more: More) -> Found:
        rows: list[Row] = []
        again_in = math.inf
        for number, hooks in enumerate(chunked(self._hooks, HOOKS_A_STATEMENT)):
            first = number == 0
            parts, values = self._due_parts(hooks, openings, first=first)
            parts += more(hooks, first)
            if first and self.gates and not openings.asked:
                parts.append(self.gates.queries["is_anything_paused"])
            if parts:
                text = self.queries["look"].replace("/*branches*/", "\nUNION\n".join(parts))
                seen = database.query(text, limit=limit, expiry=self.expiry, **values)
                again_in = min(again_in, opens(seen, hooks, openings))
                rows += seen
        return found_in(rows, limit, again_in)

    def _left_parts(self, hooks: Sequence[str], first: bool, *, expired: bool) -> list[str]:  # noqa: ARG002
        """Branches for what dead workers left, of all hooks."""
        if not (expired and first):
            return []
        parts = [self._filtered(self.queries["expired"])]
        if self.leases:
            parts.append(self._filtered(self.leases.queries["orphaned"]))
        return parts

    def _due_parts(
        self, hooks: Sequence[str], openings: Openings, *, first: bool
    ) -> tuple[list[str], dict[str, object]]:
        """A branch for each hook that is open, and one row of each whose rate is used up: somebody
        waits for it."""
        values = self._values(hooks) | {"paused": list(openings.groups)}
        plain = self._filtered(self.queries["due"], openings)
        parts = []
        for number, hook in enumerate(hooks):
            text = plain
            if hook in openings.reached:
                text = plain.replace(
                    _PAUSED, f"{_PAUSED} AND scheduled_date_gmt >= :reached_{number}"
                )
                values[f"reached_{number}"] = openings.reached[hook]
            if openings.lets(hook):
                own = ["hook", "limit"] if hook in openings.room else ["hook"]
                parts.append(numbered(text, own, number))
                values[f"limit_{number}"] = openings.room.get(hook)
            elif hook in openings.opens and openings.everything and hook not in openings.paused:
                waiting = text.replace("'due' AS kind", f"'awaits {number}' AS kind")
                parts.append(numbered(waiting, ["hook", "limit"], number))
                values[f"limit_{number}"] = 1
        open_hooks = [hook for hook in self._hooks if openings.lets(hook)]
        if first and self._urgent and open_hooks:
            parts += self._urgent_parts(openings)
            values |= URGENCIES | {"open_hex": hooks_hex(open_hooks)}
        return parts, values

    def _values(self, hooks: Sequence[str]) -> dict[str, object]:
        """What the branches of these hooks have in common."""
        return {
            **{f"hook_{number}": hook for number, hook in enumerate(hooks)},
            "groups": self._groups or self._excluded,
            "hooks_hex": hooks_hex(self._hooks),
        }

    def _urgent_parts(self, openings: Openings) -> list[str]:
        """A branch for each priority above the normal one."""
        text = self._filtered(self.queries["urgent"], openings)
        return [numbered(text, ["urgency"], priority) for priority in range(NORMAL_PRIORITY)]

    def _each(self, name: str, hooks: int) -> list[str]:
        """A branch for each of so many hooks."""
        text = self._filtered(self.queries[name])
        return [numbered(text, ["hook"], number) for number in range(hooks)]

    def _filtered(self, text: str, openings: Openings = OPEN) -> str:
        wanted = ""
        if self._groups is not None:
            wanted = "AND group_id IN (:groups)"
        elif self._excluded is not None:
            wanted = "AND group_id NOT IN (:groups)"
        if openings.groups:
            wanted += _PAUSED
        return text.replace("/*groups*/", wanted)

    def lock_due(self, tx: Transaction, ids: Sequence[int]) -> list[Row]:
        """The rows of these that are still free, whole, and locked until the commit."""
        return tx.query(self.queries["lock_due"], ids=ids, chosen=False)

    def lock_expired(self, tx: Transaction, ids: Sequence[int]) -> list[Row]:
        if self.leases:
            return self.leases.lock(tx, ids, self.expiry)
        return tx.query(self.queries["lock_expired"], ids=ids, expiry=self.expiry)

    def unmark(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Frees locked rows that a dead worker had claimed and not begun."""
        tx.execute(self.queries["unmark"], ids=ids_of(rows))

    def mark(self, tx: Transaction, rows: Sequence[Row], offset: int) -> int:
        """Makes locked rows ours; returns the token. `offset` is local time's, in seconds."""
        claim = tx.insert(self.queries["new_claim"])
        tx.later(self.queries["mark"], claim=claim, ids=ids_of(rows), offset=offset)
        if self.leases:
            self.leases.take(tx, claim)
            self.leases.locks.sign(tx, claim, ids_of(rows))
        return claim

    def beat(self, database: Database, claim: int, ids: Sequence[int], offset: int) -> list[int]:
        """The heartbeat of a claim's live rows; returns those that are not ours any more, as far as
        that is known. Tried once."""
        if self.leases:
            self.leases.renew(database, claim)
        values = {"claim": claim, "ids": list(ids)}
        matched = database.try_write(self.queries["beat"], offset=offset, **values)
        if matched is None or matched == len(ids):
            return []
        return self._lost(database, claim, ids)

    def _lost(self, database: Database, claim: int, ids: Sequence[int]) -> list[int]:
        rows = database.try_query(self.queries["still_held"], claim=claim, ids=list(ids))
        return [] if rows is None else sorted({*ids} - {*ids_of(rows)})

    def claimed(self, ids: Collection[int]) -> None:
        """Hears which rows a claim came to hold, or put off."""

    def undo(self, tx: Transaction, claim: int, ids: Sequence[int], *, begun: bool) -> None:
        """Takes back a mark whose COMMIT had no answer: it may or may not be there. With `begun`
        it may have taken over what had begun, which the lease then tells of."""
        tx.later(self.queries["release_rows"], claim=claim, ids=ids)
        if self.leases:
            self.leases.locks.free_claims(tx, [claim])
        if not (begun and self.leases):
            self._end(tx, claim)

    def hand_back(self, database: Database, claim: int, ids: Sequence[int], *, begun: bool) -> None:
        """Gives back what was not begun, and ends the claim; with `begun`, the lease stays."""
        if not ids and not self.leases:
            database.write(self.queries["release_claim"], patience=5, claim=claim)
            return

        def unit(tx: Transaction) -> None:
            if ids:
                tx.later(self.queries["release_rows"], claim=claim, ids=ids)
                if self.leases:
                    self.leases.locks.hand_back(tx, claim, ids)
            if not (begun and self.leases):
                self._end(tx, claim)

        database.unit(unit, patience=5)

    def _end(self, tx: Transaction, claim: int) -> None:
        if self.leases:
            self.leases.end(tx, claim)
        tx.later(self.queries["release_claim"], claim=claim)


class Chosen(Native):
    """The same for rows that somebody chose by id: due or not, in the order given, each once.

    One that is retried is pending again under its id, but it has had its turn.
    """

    def __init__(
        self,
        queries: Queries,
        hooks: Sequence[str],
        ids: Sequence[int],
        *,
        expiry: int,
        leases: Leases | None = None,
        gates: Gates | None = None,
    ) -> None:
        super().__init__(queries, hooks, expiry=expiry, leases=leases, gates=gates)
        self._left = list(dict.fromkeys(ids))

    def find(
        self,
        database: Database,
        limit: int,
        *,
        expired: bool,  # noqa: ARG002
        room: int | None = None,  # noqa: ARG002
    ) -> Found:
        """Sees those that are pending, free and not run yet; nothing that a dead worker left."""
        hooks = hooks_hex(self._hooks)
        rows = database.query(self.queries["chosen"], ids=self._left, hooks_hex=hooks)
        seen = {row["action_id"]: row for row in rows}
        order = [seen[id_] for id_ in self._left if id_ in seen]
        return Found(
            due=tuple(_candidate(row) for row in order[:limit]),
            expired=(),
            now=float(rows[0]["now"]) if rows else 0.0,
        )

    def claimed(self, ids: Collection[int]) -> None:
        self._left = [id_ for id_ in self._left if id_ not in ids]

    def lock_due(self, tx: Transaction, ids: Sequence[int]) -> list[Row]:
        return tx.query(self.queries["lock_due"], ids=ids, chosen=True)


def ids_of(rows: Sequence[Row]) -> list[int]:
    return [row["action_id"] for row in rows]


def found_in(rows: list[Row], limit: int, again_in: float = math.inf) -> Found:
    return Found(
        due=_best(rows, "due", limit),
        expired=_best(rows, "expired", limit),
        now=float(rows[0]["now"]) if rows else 0.0,
        again_in=again_in,
        kinds=frozenset(str(row["kind"]) for row in rows),
    )


def opens(rows: Sequence[Row], hooks: Sequence[str], openings: Openings) -> float:
    """In how many seconds a rate lets the first of those through that wait for one."""
    kinds = (str(row["kind"]).split() for row in rows)
    waiting = (hooks[int(kind[1])] for kind in kinds if kind[0] == "awaits")
    return min((openings.opens[hook] for hook in waiting), default=math.inf)


def _best(rows: list[Row], kind: str, limit: int) -> tuple[Candidate, ...]:
    """The first `limit` in Action Scheduler's order: priority, attempts, date, id."""
    seen = {row["action_id"]: _candidate(row) for row in rows if row["kind"] == kind}
    return tuple(sorted(seen.values(), key=lambda candidate: candidate.order)[:limit])


def _candidate(row: Row) -> Candidate:
    order = row["priority"], row["attempts"], str(row["scheduled_date_gmt"]), row["action_id"]
    return Candidate(row["action_id"], order)


def chunked(items: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
