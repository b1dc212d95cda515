"""Action Scheduler's tables as a source of actions: claim, advance, release.

`advance` settles what finished and begins what is next in one transaction. Every write is
conditional on the claim: what another has taken over meanwhile is lost to us, and nothing is
written for it.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from compat import action_scheduler as texts
from compat.site_time import sql_date
from runner.core.errors import DatabaseError, DatabaseGone, TooBusy
from runner.core.model import Claim, Status, Step
from runner.sources.admission import admit
from runner.sources.rows import Unreadable, schedule_of, to_action
from runner.sources.turn import Turn
from runner.storage.db import Unmatched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runner.core.model import Action, Held, Settlement
    from runner.sources.admission import Late
    from runner.sources.journal import Journal
    from runner.sources.ownership import Candidate, Found, Native
    from runner.storage.db import Database, Row, Transaction
    from runner.storage.queries import Queries

CONTENDED_TRIES = 8
"""How often a claim looks again when others hold all the rows it saw."""


class ActionScheduler:
    """The queue of one site, for the hooks that have a Python handler."""

    def __init__(
        self,
        database: Database,
        queries: Queries,
        ownership: Native,
        journal: Journal,
        job_hooks: Collection[str] = (),
    ) -> None:
        """Actions of `job_hooks` are jobs: their envelope is read with them."""
        self.contended = False
        self.again_in = math.inf
        self._database = database
        self._queries = queries
        self._ownership = ownership
        self._journal = journal
        self._leases = ownership.leases
        self._zone = journal.zone
        self._job_hooks = job_hooks
        self._slugs: dict[int, str] = {0: ""}

    def seen(self) -> None:
        """The worker lives, also while it has nothing to do."""
        if self._leases:
            self._leases.seen(self._database)

    def claim(
        self,
        limit: int,
        *,
        expired: bool = False,
        held: Collection[int] = (),
        room: int | None = None,
    ) -> Claim | None:
        """Takes up to `limit` due actions; None when nothing is due. Of limited hooks, up to `room`
        actions, which come first: they are to begin at once.

        With `expired`, work that a dead worker left comes first (see Claim.expired), but nothing
        of `held`: after a long outage the caller's own rows look abandoned. When others hold every
        row that was seen, `contended` is set: that is not an empty queue. `again_in` is in how many
        seconds a rate lets through what was seen.
        """
        self.contended = False
        self.again_in = math.inf
        room = limit if room is None else room
        for attempt in range(CONTENDED_TRIES):
            monotonic = self._database.clock.monotonic()
            try:
                found = self._find(limit, expired=expired, room=room).without(held)
                if not found:
                    self.again_in = found.again_in
                    return None
                claim = self._take(found, monotonic, room)
            except TooBusy:  # others hold these rows, and this server cannot skip them
                break
            if claim:
                self._ownership.claimed([*(action.id for action in claim.actions), *claim.put_off])
                return claim
            self._database.clock.sleep(random.uniform(0.002, 0.02) * (attempt + 1))  # noqa: S311
        self.contended = True
        return None

    def _find(self, limit: int, *, expired: bool, room: int) -> Found:
        """After a lost connection nothing counts as abandoned for a while: others may have been as
        deaf, and whoever lives says so in that time."""
        found = self._ownership.find(self._database, limit, expired=expired, room=room)
        if self._database.was_lost(self._ownership.silence):
            return replace(found, expired=())
        return found

    def _take(self, found: Found, monotonic: float, room: int) -> Claim | None:
        tokens: list[int] = []  # of tries whose COMMIT had no answer

        def unit(tx: Transaction) -> Claim | None:
            for token in tokens:
                ids = [c.id for c in (*found.expired, *found.due)]
                self._ownership.undo(tx, token, ids, begun=bool(found.expired))
            rows, put_off = self._lock(tx, found, room)
            if not (rows or put_off):
                return None
            claim = self._mark(tx, rows, found.now, monotonic, tokens)
            return replace(claim, put_off=put_off)

        return self._database.unit(unit, tries=2)

    def _lock(self, tx: Transaction, found: Found, room: int) -> tuple[list[Row], tuple[int, ...]]:
        """Abandoned rows if any can be had, else due ones, in their order, as far as the gates let
        them through; and the ids of what was put off."""
        own = self._ownership
        if rows := _locked(tx, found.expired, own.lock_expired):
            return rows, ()
        rows = _locked(tx, found.due, own.lock_due)
        if own.gates is None:
            return rows, ()
        admitted = admit(own.gates, tx, rows, room)
        for late in admitted.late:
            self._put_off(tx, late, found.now)
        return admitted.rows, tuple(late.row["action_id"] for late in admitted.late)

    def _put_off(self, tx: Transaction, late: Late, now: float) -> None:
        """The row waits for its lock until a later date. Its log says so once."""
        at = math.ceil(now + late.lock.wait)
        id_, message = late.row["action_id"], self._journal.text(texts.locked(late.lock.name))
        if not tx.query(self._queries["with_log"], ids=[id_], message=message):
            self._journal.write(tx, [(id_, message)], now)
        schedule = schedule_of(late.row["schedule"]).put_off_to(at).to_bytes()
        tx.later(
            self._queries["put_off"],
            id=id_,
            schedule=schedule.decode(errors="surrogateescape"),
            gmt=sql_date(at),
            local=self._zone.local(at),
        )

    def _mark(
        self, tx: Transaction, rows: list[Row], now: float, monotonic: float, tokens: list[int]
    ) -> Claim:
        offset = self._zone.attempt_offset(now)
        waiting = [row for row in rows if row["claim_id"] and row["status"] == Status.PENDING]
        self._reset(tx, waiting, now)
        ours = [row for row in rows if row not in waiting]
        self._revive(tx, [row["action_id"] for row in ours if row["status"] == Status.FAILED], now)
        token = self._ownership.mark(tx, ours, offset) if ours else 0
        tokens.append(token)
        if self._leases and any(row["claim_id"] for row in rows):
            self._leases.end_dead(tx)
        actions, corrupt = self._read(tx, ours, token, now)
        begun = {row["action_id"] for row in ours if row["status"] != Status.PENDING}
        return Claim(
            id=token,
            actions=tuple(action for action in actions if action.id not in begun),
            now=now,
            monotonic=monotonic,
            expired=tuple(action for action in actions if action.id in begun),
            reset=len(waiting),
            corrupt=corrupt,
        )

    def _reset(self, tx: Transaction, rows: list[Row], now: float) -> None:
        if rows:
            self._ownership.unmark(tx, rows)
            self._journal.write(tx, [(row["action_id"], texts.RESET) for row in rows], now)

    def _revive(self, tx: Transaction, ids: list[int], now: float) -> None:
        """Action Scheduler's cleaner failed them while their worker's lease was open."""
        if ids:
            tx.execute(self._queries["revive"], ids=ids)
            self._journal.write(tx, [(id_, texts.REVIVED) for id_ in ids], now)

    def _read(
        self, tx: Transaction, rows: list[Row], token: int, now: float
    ) -> tuple[list[Action], int]:
        """The rows as actions. One that cannot be read is canceled here and counted."""
        actions, broken = [], []
        self._learn_slugs(tx, rows)
        for row in rows:
            try:
                group, job = self._slugs.get(row["group_id"], ""), row["hook"] in self._job_hooks
                actions.append(to_action(row, group, job=job))
            except Unreadable as error:
                broken.append((row["action_id"], str(error)))
        if broken:
            ids = [id_ for id_, _ in broken]
            tx.execute(self._queries["give_up_unreadable"], ids=ids, claim=token)
            self._journal.write(tx, [(id_, texts.unreadable(why)) for id_, why in broken], now)
            if self._leases:
                self._leases.letters.bury_unreadable(tx, token, broken)
                self._leases.locks.free_ids(tx, ids)
        return actions, len(broken)

    def _learn_slugs(self, tx: Transaction, rows: list[Row]) -> None:
        unknown = {row["group_id"] for row in rows} - set(self._slugs)
        if unknown:
            found = tx.query(self._queries["group_slugs"], ids=sorted(unknown))
            self._slugs |= dict.fromkeys(unknown, "")
            self._slugs |= {row["group_id"]: row["slug"] for row in found}

    def advance(
        self,
        claim: Claim,
        settled: Sequence[Settlement],
        starting: Sequence[Action],
        *,
        unmarked: Sequence[Action] = (),
        told: Collection[int] = (),
        ahead: bool = False,
        patience: float | None = None,
    ) -> Held:
        """Settles and begins, in one transaction, only what the claim still holds.

        With `ahead`, what begins is only marked (see runner.operations.windows); `unmarked` are
        actions whose mark is taken back, `told` the ids of those whose log says that they started.

        Returns what was written. Retried on database errors for `patience` seconds, by default as
        long as a silent claim lasts: an outcome is recorded once, whether or not the answer to a
        COMMIT arrived, also when a caller tries again after an error.
        """
        step = Step(tuple(settled), tuple(starting), tuple(unmarked), ahead, frozenset(told))
        patience = self._ownership.expiry if patience is None else patience
        try:
            return self._write(claim, step, patience)
        except (DatabaseGone, TooBusy):
            raise
        except DatabaseError:
            if len(step.settled) == 1:
                raise
            return self._write_one_by_one(claim, step, patience)

    def _write_one_by_one(self, claim: Claim, step: Step, patience: float) -> Held:
        """The database refuses one of several outcomes: the others are recorded. Raises what it
        says of the one that it refuses; nothing more begins then."""
        written, refused = [], []
        for settlement in step.settled:
            try:
                written.append(self._write(claim, Step((settlement,)), patience))
            except DatabaseError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        rest = self._write(claim, replace(step, settled=()), patience)
        return replace(
            rest,
            settled=tuple(s for held in written for s in held.settled),
            lost=(*(a for held in written for a in held.lost), *rest.lost),
        )

    def _write(self, claim: Claim, step: Step, patience: float) -> Held:
        try:
            return self._write_once(claim, step, patience)
        except (DatabaseGone, TooBusy):
            raise
        except DatabaseError as error:
            if not (self._journal.jobs and self._journal.jobs.gives_up(step, error)):
                raise
            return self._write_once(claim, step, patience)

    def _write_once(self, claim: Claim, step: Step, patience: float) -> Held:
        now = claim.database_time(self._database.clock.monotonic())
        turn = Turn(self._journal, self._leases, claim, step, now)
        try:
            return self._database.unit(turn.write, patience=patience)
        except Unmatched:
            held = turn.write_what_is_held
            try:
                return self._database.unit(held, patience=patience)
            except Unmatched as error:
                raise DatabaseError(
                    "the database says that rows under lock were changed: is there a trigger on"
                    " Action Scheduler's tables?"
                ) from error

    def beat(self, claim: Claim, ids: Sequence[int]) -> list[int]:
        """The heartbeat of a claim's live rows; only what is still ours is touched. Returns those
        that are not, as far as that is known.

        Tried once: a missed beat is no reason to end a healthy handler, the next one follows.
        """
        if not ids:
            return []
        now = claim.database_time(self._database.clock.monotonic())
        offset = self._zone.attempt_offset(now)
        return self._ownership.beat(self._database, claim.id, ids, offset)

    def release(self, claim: Claim, left: Sequence[Action], *, begun: bool = False) -> None:
        """Hands back the actions that were not begun, and ends the claim. With `begun` it could
        not settle all the others: its lease is left, so that somebody does when it runs out."""
        if claim.id:
            ids = [action.id for action in left]
            self._ownership.hand_back(self._database, claim.id, ids, begun=begun)


def _locked(
    tx: Transaction,
    wanted: Sequence[Candidate],
    lock: Callable[[Transaction, Sequence[int]], list[Row]],
) -> list[Row]:
    """Those that can be had, in their order."""
    ids = [candidate.id for candidate in wanted]
    rows = {row["action_id"]: row for row in lock(tx, ids)} if ids else {}
    return [rows[i] for i in ids if i in rows]
