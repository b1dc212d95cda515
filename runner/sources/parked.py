"""Rows of ours beside a live PHP runner: found by a parked date, held in our own table.

A parked row is pending and its date lies 800 years ahead, so that PHP's runner leaves it alone;
schedule and local date tell the true one. It carries no claim: PHP's runner counts claims, and
would stop. The token stands in the table of held actions, and a lease tells until when.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from compat.action_scheduler import INSTALLED, parked
from runner.core.errors import TooBusy
from runner.core.installed import Installed
from runner.sources.leases import new_token
from runner.sources.ownership import (
    Chosen,
    Found,
    Native,
    ids_of,
)
from runner.storage.db import Conflict
from runner.storage.queries import hooks_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runner.sources.gates import Gates, Openings
    from runner.sources.leases import Leases
    from runner.storage.db import Database, Row, Transaction
    from runner.storage.queries import Queries

SWEPT = 1000
"""Rows that are parked before a claim at most."""

ALARMING = 5
"""Rows that are parked by looks instead of the plugin, from which on it seems not to be there; and
the part of all that is claimed (a fifth) below which it does."""


class Parked(Native):
    """Ownership by our own table. `parks` are the hooks whose rows are parked on this site, where
    that is written down; those of them that are handled here are parked before each look. When all
    of them are, one range of the claim index shows what is due, if there is that index.

    Where it is written down, the plugin parks what PHP creates: looks that find much to park are an
    alarm, and told once. A row or two are seen in the moment before the plugin parks them."""

    leases: Leases

    def __init__(
        self,
        queries: Queries,
        hooks: Sequence[str],
        *,
        expiry: int,
        leases: Leases,
        groups: Sequence[int] | None = None,
        excluded: Sequence[int] | None = None,
        parks: Collection[str] | None = None,
        indexed: bool = True,
        gates: Gates | None = None,
    ) -> None:
        super().__init__(
            queries,
            hooks,
            expiry=expiry,
            groups=groups,
            excluded=excluded,
            urgent=indexed,
            leases=leases,
            gates=gates,
        )
        self._sweeps = sorted({*hooks} if parks is None else {*hooks} & {*parks})
        self._alarms = self._written = parks is not None
        self._swept = self._held = 0
        self._tell: Callable[[str], object] | None = None
        self._whole = indexed and parks is not None and {*parks} <= {*hooks}

    def listen(self, tell: Callable[[str], object]) -> None:
        super().listen(tell)
        self._tell = tell
        self._alarm()

    def _alarm(self) -> None:
        many = self._swept >= ALARMING and self._swept * ALARMING >= self._held
        if self._alarms and many and self._tell:
            self._alarms = False
            self._tell(
                f"parked {self._swept} actions that PHP had created for Python, which the plugin"
                " should have done: `runner install` puts it in place, `runner doctor` tells more"
            )

    def find(
        self, database: Database, limit: int, *, expired: bool, room: int | None = None
    ) -> Found:
        """Sees up to `limit` rows that are due, `room` of each limited hook at most, and those that
        a dead worker left. What PHP has added meanwhile is parked first, SWEPT rows at most."""
        more = partial(self._branches, expired=expired)
        found = self._find(database, limit, room, partial(more, unparked=True))
        if "strayed" in found.kinds:
            self._fetch_back(database)
        if "unparked" in found.kinds:
            self._sweep(database)
        if found.kinds & {"strayed", "unparked"}:
            found = self._find(database, limit, room, partial(more, unparked=False))
        return found

    def peek(self, database: Database, limit: int) -> Found:
        """What is not parked yet is not seen: nothing is parked here."""
        more = partial(self._branches, expired=True, unparked=False)
        return self._find(database, limit, None, more, writes=False)

    def _branches(
        self,
        hooks: Sequence[str],
        first: bool,
        *,
        expired: bool,
        unparked: bool,
    ) -> list[str]:
        parts = []
        if unparked:
            swept = [n for n, hook in enumerate(hooks) if hook in self._sweeps]
            each = self._each("unparked", len(hooks))
            parts += [each[n] for n in swept]
        if expired and first:
            parts += [self._filtered(self.queries["expired"]), self.queries["strayed"]]
        return parts

    def _due_parts(
        self, hooks: Sequence[str], openings: Openings, *, first: bool
    ) -> tuple[list[str], dict[str, object]]:
        if openings or not self._whole:
            return super()._due_parts(hooks, openings, first=first)
        parts = [self._filtered(self.queries["all_due"])] if first else []
        return parts, self._values(hooks)

    def _sweep(self, database: Database) -> None:
        hooks = self._sweeps
        rows = database.query(
            self.queries["to_park"], hooks=hooks, hooks_hex=hooks_hex(hooks), limit=SWEPT
        )
        self._swept += self._park(
            database, ids_of(rows), hooks, lambda tx: self._still_swept(tx) == hooks
        )
        if self.gates and rows:
            self.gates.came(database, min(parked(str(row["scheduled_date_gmt"])) for row in rows))
        self._alarm()

    def _still_swept(self, tx: Transaction) -> list[str]:
        """What is swept from now on. What `runner install` or `runner uninstall` has given back to
        PHP meanwhile is not: nobody would give it back again."""
        if self._written:
            rows = tx.query(self.queries["installed"], name=INSTALLED)
            found = Installed.read(str(rows[0]["value"])) if rows else None
            self._sweeps = [hook for hook in self._sweeps if found and hook in found.hooks]
        return self._sweeps

    def _fetch_back(self, database: Database) -> None:
        """Whatever its hook, what strayed is parked again or has its true date, SWEPT rows at
        most."""
        database.write(self.queries["free_aside"])
        ended = database.query(self.queries["parked_and_ended"], limit=SWEPT)
        if ended:
            database.write(self.queries["give_back"], ids=ids_of(ended))

    def _park(
        self,
        database: Database,
        ids: Sequence[int],
        hooks: Sequence[str],
        may: Callable[[Transaction], bool] = lambda _: True,
    ) -> int:
        """Parks those that are free, if it may; returns how many. What another holds locked is left
        for the next time."""

        def unit(tx: Transaction) -> int:
            text = self.queries["lock_unparked"]
            free = tx.query(text, ids=ids, hooks_hex=hooks_hex(hooks))
            if not free or not may(tx):
                return 0
            tx.later(self.queries["park"], ids=ids_of(free))
            return len(free)

        try:
            return database.unit(unit, tries=2)  # one more than where packets are refused
        except TooBusy:
            return 0

    def lock_expired(self, tx: Transaction, ids: Sequence[int]) -> list[Row]:
        return tx.query(self.queries["lock_expired"], ids=ids)

    def unmark(self, tx: Transaction, rows: Sequence[Row]) -> None:
        dead = sorted({row["claim_id"] for row in rows})
        tx.execute(self.queries["drop_held"], ids=ids_of(rows), dead=dead)

    def mark(self, tx: Transaction, rows: Sequence[Row], offset: int) -> int:  # noqa: ARG002
        """Raises Conflict when another holds one by now: what was locked was seen a moment before
        it was locked."""
        token = new_token()
        free = [row for row in rows if not row["claim_id"]]
        left = [row for row in rows if row["claim_id"]]
        held = 0
        if free:
            held += tx.execute(self.queries["hold"], claim=token, ids=ids_of(free))
        if left:
            dead = sorted({row["claim_id"] for row in left})
            held += tx.execute(self.queries["take_over"], claim=token, ids=ids_of(left), dead=dead)
        if held != len(rows):
            raise Conflict("another runner was faster")
        self.leases.take(tx, token)
        self.leases.locks.sign(tx, token, ids_of(rows))
        self._held += held
        return token

    def beat(self, database: Database, claim: int, ids: Sequence[int], offset: int) -> list[int]:  # noqa: ARG002
        """The lease alone is renewed: a row that shows a last attempt would be PHP's to fail."""
        self.leases.renew(database, claim)
        return self._lost(database, claim, ids)

    def undo(self, tx: Transaction, claim: int, ids: Sequence[int], *, begun: bool) -> None:  # noqa: ARG002
        self.leases.locks.free_claims(tx, [claim])
        self._end(tx, claim)

    def hand_back(self, database: Database, claim: int, ids: Sequence[int], *, begun: bool) -> None:  # noqa: ARG002
        def unit(tx: Transaction) -> None:
            self.leases.locks.hand_back(tx, claim, ids)
            self._end(tx, claim)

        database.unit(unit, patience=5)

    def _end(self, tx: Transaction, claim: int) -> None:
        """What has begun stays held, and its lease tells until when."""
        tx.later(self.queries["release_held"], claim=claim)
        self.leases.locks.free_unheld(tx, claim)
        tx.later(self.queries["release_lease"], claim=claim)


class ParkedChosen(Chosen, Parked):
    """The same for rows that somebody chose by id. They are parked first, so that PHP's runner does
    not take them meanwhile."""

    def find(
        self, database: Database, limit: int, *, expired: bool, room: int | None = None
    ) -> Found:
        self._park(database, self._left, self._hooks)
        return super().find(database, limit, expired=expired, room=room)
