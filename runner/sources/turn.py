"""One turn of a claim: what finished is settled and what is next begins, in one transaction.

The first try trusts that the claim holds every row and writes with one UPDATE; the number of rows
matched proves it. When the number is wrong, all is undone and the turn is written for what is
still held. After a COMMIT without an answer the rows themselves tell whether it took place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compat import action_scheduler as texts
from compat.site_time import epoch_of, sql_date
from runner.core.model import (
    Cancelled,
    Completed,
    Dead,
    Held,
    Retried,
    Settlement,
    Snoozed,
    Status,
    Step,
)
from runner.sources.chain import continue_chain
from runner.sources.leases import is_parked
from runner.storage.db import Unmatched

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runner.core.model import Action, Claim, Outcome
    from runner.sources.journal import Journal, Line
    from runner.sources.leases import Leases
    from runner.storage.db import Row, Transaction

FINAL: Mapping[type[Outcome], Status] = {
    Completed: Status.COMPLETE,
    Dead: Status.FAILED,
    Cancelled: Status.CANCELED,
}


@dataclass(frozen=True, slots=True)
class _Move:
    """A write of statuses, and the number of rows that it must match."""

    name: str
    rows: int
    values: dict[str, object]


class Turn:
    """The work of one `advance`. `now` is the database's time in epoch seconds."""

    def __init__(
        self, journal: Journal, leases: Leases | None, claim: Claim, step: Step, now: float
    ) -> None:
        self._queries = journal.queries
        self._journal = journal
        self._leases = leases
        self._zone = journal.zone
        self._claim = claim
        self._step = step
        self._now = now

    def write(self, tx: Transaction) -> Held:
        """Raises Unmatched when something was lost: the caller must roll back."""
        if tx.uncertain:
            return self.write_what_is_held(tx)
        step = self._step
        self._write(tx, step)
        return Held(step.settled, step.starting, step.unmarked)

    def write_what_is_held(self, tx: Transaction) -> Held:
        """Looks at every row under lock first; writes for those still held, and names the rest.

        What shows that it was written already counts as written, whether or not this unit knows of
        a COMMIT without an answer: the unit before it may have given up in an outage.
        """
        rows = self._rows(tx)
        done = self._done_already(tx, rows)
        held = self._still_held(rows, {action.id for action in done.actions()})
        self._revive(tx, held, rows)
        self._write(tx, held)
        kept = {action.id for action in (*held.actions(), *done.actions())}
        lost = tuple(action for action in self._step.actions() if action.id not in kept)
        self._note_ignored(tx, lost, rows)
        return Held(
            (*held.settled, *done.settled),
            (*held.starting, *done.starting),
            (*held.unmarked, *done.unmarked),
            lost,
        )

    def was_written(self, tx: Transaction) -> bool:
        """Whether all outcomes are there, after a COMMIT without an answer. Writes nothing."""
        rows = self._rows(tx)
        return all(self._was_settled(tx, rows.get(s.action.id), s) for s in self._step.settled)

    def _still_held(self, rows: Mapping[int, Row], done: Collection[int]) -> Step:
        step = self._step

        def begun(action: Action) -> bool:
            """Also one that Action Scheduler's cleaner failed meanwhile: the claim is ours."""
            row = rows.get(action.id)
            mine = self._holds(row, Status.RUNNING) or self._holds(row, Status.FAILED)
            return mine and action.id not in done

        return Step(
            tuple(s for s in step.settled if begun(s.action)),
            tuple(a for a in step.starting if self._holds(rows.get(a.id), Status.PENDING)),
            tuple(a for a in step.unmarked if begun(a)),
            step.ahead,
            step.told,
        )

    def _revive(self, tx: Transaction, held: Step, rows: Mapping[int, Row]) -> None:
        """What Action Scheduler's cleaner failed while we held it gets its true outcome."""
        begun = [*(s.action for s in held.settled), *held.unmarked]
        failed = [a.id for a in begun if rows[a.id]["status"] == Status.FAILED]
        if failed:
            tx.execute(self._queries["revive"], ids=failed)
            self._journal.write(tx, [(id_, texts.REVIVED) for id_ in failed], self._now)

    def _done_already(self, tx: Transaction, rows: Mapping[int, Row]) -> Step:
        """What a handler has settled itself before it could say so, or a COMMIT without an answer
        has written after all."""
        step = self._step
        told = [*(replace(s, outcome=Completed()) for s in step.settled), *step.settled]
        settled = {s.action.id: s for s in told if self._was_settled(tx, rows.get(s.action.id), s)}
        return Step(
            tuple(settled.values()),
            tuple(a for a in step.starting if self._holds(rows.get(a.id), Status.RUNNING)),
            tuple(a for a in step.unmarked if self._holds(rows.get(a.id), Status.PENDING)),
        )

    def _rows(self, tx: Transaction) -> dict[int, Row]:
        ids = [action.id for action in self._step.actions()]
        found = tx.query(self._queries["lock_rows"], ids=ids, claim=self._claim.id)
        return {row["action_id"]: row for row in found}

    def _holds(self, row: Row | None, status: Status) -> bool:
        if row is None:
            return False
        return bool(row["status"] == status and row["claim_id"] == self._claim.id)

    def _was_settled(self, tx: Transaction, row: Row | None, settlement: Settlement) -> bool:
        """Whether the row shows that a COMMIT without an answer took place."""
        outcome = settlement.outcome
        if not row:
            return False
        if isinstance(outcome, (Retried, Snoozed)):
            moved = row["status"] == Status.PENDING and row["claim_id"] == 0
            if not moved or epoch_of(row["scheduled_date_gmt"]) != outcome.at:
                return False
        elif not self._holds(row, FINAL[type(outcome)]):
            return False
        message = self._journal.text(self._message(outcome))
        ids = [settlement.action.id]
        return bool(tx.query(self._queries["with_log"], ids=ids, message=message))

    def _note_ignored(
        self, tx: Transaction, lost: Sequence[Action], rows: Mapping[int, Row]
    ) -> None:
        """A claimed row that somebody canceled before it began gets a line, as in PHP."""
        starting = {action.id for action in self._step.starting}
        final = {*FINAL.values()}
        lines = [
            (action.id, texts.IGNORED)
            for action in lost
            if action.id in starting
            and (row := rows.get(action.id))
            and row["claim_id"] == self._claim.id
            and row["status"] in final
        ]
        self._journal.write(tx, lines, self._now)

    def _write(self, tx: Transaction, step: Step) -> None:
        """The moves travel together: each matches nothing unless the one before it matched what it
        had to, so that the last one's number proves all. That number is asked for by the log lines,
        and they and the COMMIT need one round trip, unless a chain goes on."""
        moves, lines = self._moves(step), self._lines(step)
        lines += [(a.id, texts.NOT_CALLED) for a in step.unmarked if a.id in step.told]
        chains = [s for s in step.settled if self._goes_on(s)]
        rides = bool(lines and not chains)
        self._send(tx, moves, asked=not rides)
        for settlement in chains:
            lines += continue_chain(tx, self._queries, self._zone, settlement, self._now)
        self._journal.write(tx, lines, self._now, matched=moves[-1].rows if rides else None)
        if self._leases:
            self._leases.record(tx, self._claim, step.settled)
        if self._journal.jobs:
            self._journal.jobs.write(tx, step, self._now)

    def _send(self, tx: Transaction, moves: Sequence[_Move], *, asked: bool) -> None:
        """With `asked` the answer is waited for. Raises Unmatched when it is wrong."""
        matched, last = None, len(moves) - 1
        for number, move in enumerate(moves):
            values = {**move.values, "unchecked": matched is None, "matched": matched}
            text, matched = self._queries[move.name], move.rows
            if number < last or not asked:
                tx.later(text, **values)
            elif tx.execute(text, **values) != move.rows:
                raise Unmatched

    def _goes_on(self, settlement: Settlement) -> bool:
        return type(settlement.outcome) in FINAL and settlement.action.schedule.is_recurring

    def _lines(self, step: Step) -> list[Line]:
        lines: list[Line] = []
        for settlement in step.settled:
            if settlement.marked_ahead:
                lines.append((settlement.action.id, texts.STARTED))
            lines.append((settlement.action.id, self._message(settlement.outcome)))
            if settlement.note:
                lines.append((settlement.action.id, settlement.note))
        if not step.ahead:
            lines += [(action.id, texts.STARTED) for action in step.starting]
        return lines

    def _moves(self, step: Step) -> list[_Move]:
        """Every status this turn writes. What begins rides on the first final status."""
        moves = []
        if step.unmarked:  # marked ahead, and not to run now: pending again under the same claim
            moves.append(self._move("unbegin", [action.id for action in step.unmarked]))
        finished: dict[Status, list[int]] = {}
        for settlement in step.settled:
            if status := FINAL.get(type(settlement.outcome)):
                finished.setdefault(status, []).append(settlement.action.id)
            else:
                moves.append(self._postponed(settlement))
        begins = [action.id for action in step.starting]
        for status, ids in finished.items():
            moves.append(self._turned(status, ids, begins))
            begins = []
        if begins:
            moves.append(self._turned(Status.COMPLETE, [], begins))
        return moves + self._fences(step)

    def _fences(self, step: Step) -> list[_Move]:
        """A parked row does not tell who holds it, so that this is proved apart."""
        if not is_parked(self._claim.id):
            return []
        over = [s.action.id for s in step.settled]
        live = [action.id for action in (*step.starting, *step.unmarked)]
        named = (("let_go", over), ("keep", live))
        return [self._move(name, ids) for name, ids in named if ids]

    def _move(self, name: str, ids: list[int], **values: object) -> _Move:
        return _Move(name, len(ids), {"claim": self._claim.id, "ids": ids, **values})

    def _turned(self, final: Status, finished: list[int], begins: list[int]) -> _Move:
        return self._move(
            "turn",
            [*finished, *begins],
            finished=finished,
            starting=begins,
            final=final,
            offset=self._zone.attempt_offset(self._now),
        )

    def _postponed(self, settlement: Settlement) -> _Move:
        action, outcome = settlement.action, settlement.outcome
        assert isinstance(outcome, (Retried, Snoozed))  # noqa: S101 narrows for the type checker
        snoozed = isinstance(outcome, Snoozed)
        schedule = action.schedule.put_off_to(outcome.at).to_bytes()
        return self._move(
            "postpone",
            [action.id],
            attempts=action.attempts + (0 if snoozed else 1),
            schedule=schedule.decode(errors="surrogateescape"),
            gmt=sql_date(outcome.at),
            local=self._zone.local(outcome.at),
            offset=self._zone.attempt_offset(self._now),
        )

    def _message(self, outcome: Outcome) -> str:
        match outcome:
            case Completed():
                return texts.COMPLETE
            case Dead(why):
                return texts.failed(why)
            case Cancelled(why):
                return texts.canceled(why)
            case Retried(at, why):
                return texts.retried(why, sql_date(at))
            case Snoozed(at, why):
                return texts.snoozed(why, sql_date(at))
