"""The loop: claim → begin → handler → judge → settle. One for every executor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from compat.action_scheduler import TIMEOUT
from runner.core.errors import DatabaseGone, HandlerError, NotReady, TooBusy
from runner.core.events import Events
from runner.core.judge import judge
from runner.core.model import (
    Attempt,
    Cancelled,
    Completed,
    Dead,
    HandlerFailure,
    Held,
    Receipt,
    Retried,
    Settlement,
    Snoozed,
)
from runner.core.summary import Summary
from runner.operations.claimed import Claimed
from runner.operations.windows import Pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.clock import Clock
    from runner.core.limits import Limits
    from runner.core.model import Action, Outcome
    from runner.handlers.registry import Handlers
    from runner.operations.interfaces import Executor, Source

HEARTBEAT = 15.0
"""Seconds between heartbeats, unless told otherwise."""

BRIEF = 1.0
"""Seconds that a result waits for a lost database at a time while handlers run: their time limits
must be kept."""

AGAIN = 5.0
"""Seconds after which a worker that waits for more looks again whether handlers can be called."""

PATIENT = 10.0
"""Seconds that a worker with nothing else to do waits for a rate to let through what is due."""

BREATH = 0.01
"""Seconds that a worker with nothing to do rests at least."""


class Worker:
    """Drains a source. `events` hears of every outcome that is recorded.

    `heartbeat` is in seconds: so often claims are kept alive, and so often a worker that waits
    for more looks for what dead ones left. `silence` is how long those were not heard of. With
    `poll` it waits for more when nothing is due, and looks again after so many seconds; without,
    it ends then.
    """

    def __init__(
        self,
        source: Source,
        executor: Executor,
        handlers: Handlers,
        limits: Limits,
        clock: Clock,
        *,
        batch_size: int = 25,
        pause: float = 0.0,
        poll: float = 0.0,
        heartbeat: float = HEARTBEAT,
        silence: int = TIMEOUT,
        events: Events | None = None,
    ) -> None:
        self.summary = Summary()
        self._source = source
        self._executor = executor
        self._handlers = handlers
        self._limits = limits
        self._clock = clock
        self._batch_size = batch_size
        self._pause = pause
        self._poll = poll
        self._heartbeat = heartbeat
        self._silence = silence
        self._events = events or Events()
        self._pace = Pace()
        self._batches: list[Claimed] = []
        self._look_at = 0.0
        self._expired_at = 0.0
        self._live_at = 0.0
        self._trouble = ""

    def run(self) -> Summary:
        """Works until nothing is due or a limit is reached; what was not begun is handed back."""
        why = ""
        self._look_at = self._expired_at = self._clock.monotonic()
        self._live_at = self._look_at + self._heartbeat  # it has just been entered in the list
        try:
            while self._batches or not (why := self._end()):
                if self._wants_more():
                    self._claim()
                if self._batches:
                    self._step()
                elif self._poll or self._look_at < math.inf:
                    self._rest()
        finally:
            for batch in self._batches:
                self._release(batch)
        self.summary.stopped = why
        self.summary.contended = self._source.contended
        self.summary.seconds = self._limits.elapsed()
        return self.summary

    def _rest(self) -> None:
        """Until the next look. A worker that waits for long says meanwhile that it lives."""
        until = min(self._look_at, self._live()) if self._poll else self._look_at
        self._limits.rest(max(until - self._clock.monotonic(), BREATH))

    def _live(self) -> float:
        """The heartbeat of the worker itself, when it is time; the moment of the next."""
        now = self._clock.monotonic()
        if now >= self._live_at:
            self._source.seen()
            self._live_at = now + self._heartbeat
        return self._live_at

    def _end(self) -> str:
        """Why the run is over now that no batch is left; empty when it goes on."""
        if why := self._limits.reached():
            return why
        if self._limits.no_more_batches():
            return "batches done"
        if self._poll or self._look_at < math.inf:
            return ""
        return "contended" if self._source.contended else "nothing left"

    def _wants_more(self) -> bool:
        """Whether a place is idle that no claimed action waits for, and it is time to look."""
        return self._clock.monotonic() >= self._look_at and self._may_look()

    def _may_look(self) -> bool:
        if self._free() <= 0 or any(batch.outcomes for batch in self._batches):
            return False
        if self._limits.reached() or self._limits.no_more_batches() or self._limits.room() == 0:
            return False
        return not (self._pause and self._batches)

    def _free(self) -> int:
        """Idle places that no claimed action waits for."""
        waiting = sum(len(batch.waiting) + len(batch.ahead) for batch in self._batches)
        return self._executor.room() - waiting

    def _claim(self) -> None:
        """Takes a batch. What a dead worker left comes first, until there is none; a worker that
        waits for more looks for that from time to time."""
        if self._poll and not self._batches and not self._has_place():
            return
        now = self._clock.monotonic()
        room = self._limits.room()
        limit = self._batch_size if room is None else min(self._batch_size, room)
        held = {action for batch in self._batches for action in batch.live()}
        if self._poll:
            self._live()
        try:
            claim = self._source.claim(
                limit, expired=now >= self._expired_at, held=held, room=self._free()
            )
        except DatabaseGone:
            if not (self._limits.reached() or self._executor.busy()):
                raise
            # Nothing is lost by a look less, and what runs must not be left alone meanwhile.
            self._look_at = now + (self._poll or HEARTBEAT)
            return
        if claim is None:
            soon = self._source.again_in <= PATIENT
            self._look_at = now + min(
                self._poll or math.inf, self._source.again_in if soon else math.inf
            )
        if now >= self._expired_at and not (
            claim and (claim.expired or claim.reset or claim.corrupt)
        ):
            self._expired_at = now + self._heartbeat if self._poll else math.inf
        if claim is None:
            return
        self.summary.claimed += len(claim.actions) + claim.corrupt
        self.summary.taken_back += len(claim.expired) + claim.reset
        self.summary.corrupt += claim.corrupt
        self.summary.snoozed += len(claim.put_off)
        self._limits.batches_claimed += bool(claim.actions or claim.corrupt)
        batch = Claimed(claim, self._clock.monotonic())
        self._batches.append(batch)
        self._judge(batch, [self._expired(action) for action in claim.expired])

    def _has_place(self) -> bool:
        """Whether a handler could be called. If not, halfway through a deploy say, nothing is
        claimed, and it is told and tried again."""
        try:
            self._executor.prepare()
        except NotReady as error:
            self._stand_by(error)
            return False
        self._trouble = ""
        return True

    def _stand_by(self, error: NotReady) -> None:
        self._look_at = self._clock.monotonic() + AGAIN
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._events.say(f"{error}; tried again every {AGAIN:g} s")

    def _step(self) -> None:
        """One round: what finished is settled and what is next begins, claim by claim; then waits
        for a result."""
        for batch in self._batches:
            if not batch.ahead or batch.late or self._limits.reached():
                self._turn(batch)
            self._submit(batch)
        self._wait()
        for batch in [batch for batch in self._batches if self._is_done(batch)]:
            self._batches.remove(batch)
            self._look_at = self._clock.monotonic()  # what has ended may have made more due
            self._release(batch)
            if batch.claim.actions:
                self._limits.rest(self._pause)

    def _release(self, batch: Claimed) -> None:
        begun = bool(batch.running or batch.ahead or batch.outcomes)
        try:
            self._source.release(batch.claim, tuple(batch.waiting), begun=begun)
        except (DatabaseGone, TooBusy):
            if not self._poll:
                raise
            # A daemon goes on: what could not be handed back now is taken back when it expires.

    def _is_done(self, batch: Claimed) -> bool:
        if batch.outcomes or batch.ahead or batch.running:
            return False
        ends = batch.stranded or bool(self._limits.reached()) or self._limits.room() == 0
        return ends or not batch.waiting

    def _turn(self, batch: Claimed) -> None:
        """One transaction: what finished is settled, what was marked ahead and must not run now is
        un-marked, what is next begins."""
        try:
            room = self._ready(batch)
        except HandlerError as error:  # no place: what has finished is recorded all the same
            self._advance(batch, [], ahead=False)
            if not (self._poll and isinstance(error, NotReady)):
                raise
            batch.stranded = True
            self._stand_by(error)
            return
        starting = self._next(batch, room) if room else []
        self._advance(batch, starting, ahead=len(starting) > room)

    def _advance(self, batch: Claimed, starting: list[Action], *, ahead: bool) -> None:
        settled, batch.outcomes = batch.outcomes, []
        unmarked = [*batch.ahead]
        if not (settled or starting or unmarked):
            return
        busy = self._executor.busy()
        try:
            held = self._source.advance(
                batch.claim,
                settled,
                starting,
                unmarked=unmarked,
                told={action.id for action in unmarked} - batch.marked,
                ahead=ahead,
                patience=BRIEF if busy else None,
            )
        except BaseException as error:
            batch.waiting.extendleft(reversed(starting))  # to be handed back with the rest
            self._limits.give_back(len(starting))
            batch.outcomes[:0] = settled  # tried again, or left to others with the lease
            again = busy or (self._poll and not self._limits.reached())
            if not (again and isinstance(error, (DatabaseGone, TooBusy))):
                raise
            return
        self._limits.give_back(len(unmarked) + len(starting) - len(held.started))
        batch.late = False
        batch.ahead.clear()
        batch.waiting.extendleft(reversed(held.unmarked))
        batch.ahead.extend(held.started)
        batch.marked -= {a.id for a in held.unmarked}
        batch.marked |= {a.id for a in held.started} if ahead else set()
        self._count(held)

    def _ready(self, batch: Claimed) -> int:
        """Places in which an action of this claim can begin now; none once a limit is reached."""
        if batch.ahead or not batch.waiting or self._limits.reached() or not self._executor.room():
            return 0
        self._executor.prepare()
        return self._executor.room()

    def _next(self, batch: Claimed, room: int) -> list[Action]:
        """What begins now: a window for each idle place, as far as the limits let it."""
        size = max(room, self._pace.window(batch.waiting, self._handlers))
        size = self._limits.take(min(size, len(batch.waiting)))
        return [batch.waiting.popleft() for _ in range(size)]

    def _submit(self, batch: Claimed) -> None:
        """Hands what has begun to idle places; the rest of a window waits for them."""
        while batch.ahead and self._executor.room():
            if batch.ahead[0].id in batch.marked and (batch.late or self._limits.reached()):
                return
            action = batch.ahead[0]
            receipt = Receipt(batch.claim.id, action.id in batch.marked)
            try:
                self._executor.submit(action, receipt)
            except HandlerError:  # the place is gone: the next turn takes it back, and says why
                batch.late = True
                return
            batch.ahead.popleft()
            batch.running[action.id] = (action.key, self._clock.monotonic())
            self._limits.began()

    def _wait(self) -> None:
        """Waits for a result, keeps the claims alive meanwhile, and ends when a window is late or
        an idle place could have more to do."""
        while self._executor.busy() and not (self._wants_more() or self._can_begin()):
            attempts = self._executor.finished(self._patience())
            for batch in self._batches:
                own = [attempt for attempt in attempts if attempt.action.id in batch.running]
                self._learn(batch, own)
                self._judge(batch, own)
                self._beat(batch)
            if attempts:
                return
            self._note_overruns()
            if any(batch.late or batch.outcomes for batch in self._batches):
                return

    def _can_begin(self) -> bool:
        """Whether a place has become free for what is claimed: a new child was not ready before."""
        if not self._executor.room() or self._limits.reached():
            return False
        free = self._limits.room() != 0
        return any(batch.ahead or (batch.waiting and free) for batch in self._batches)

    def _beat(self, batch: Claimed) -> None:
        if self._clock.monotonic() - batch.last_beat >= self._heartbeat:
            for lost in self._source.beat(batch.claim, batch.live()):
                self._executor.cancel(lost)  # an administrator's wish, or another runner's row
            batch.last_beat = self._clock.monotonic()

    def _patience(self) -> float:
        """Seconds to wait for a result: until the next heartbeat, until a window is late, or until
        it is time to look for more."""
        moments = [self._look_at] if self._may_look() else []
        for batch in self._batches:
            if batch.outcomes:  # the database is lost
                return BRIEF
            moments.append(batch.last_beat + self._heartbeat)
            if batch.ahead:
                moments += [t + self._pace.late_after(hook) for hook, t in batch.running.values()]
        return max(min(moments) - self._clock.monotonic(), 0.0)

    def _note_overruns(self) -> None:
        now = self._clock.monotonic()
        for batch in self._batches:
            batch.late = bool(batch.ahead) and any(
                now - began >= self._pace.late_after(hook) for hook, began in batch.running.values()
            )

    def _learn(self, batch: Claimed, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            hook = attempt.action.key
            batch.running.pop(attempt.action.id, None)
            died = attempt.failure is not None and attempt.failure.kind in _DEATHS
            overran = attempt.elapsed > self._pace.late_after(hook)
            batch.late = batch.late or (bool(batch.ahead) and (died or overran))
            if not died:
                self._pace.learn(hook, attempt.elapsed)

    def _judge(self, batch: Claimed, attempts: Sequence[Attempt]) -> None:
        now = batch.claim.database_time(self._clock.monotonic())
        for a in attempts:
            marked = a.action.id in batch.marked
            settlement = Settlement(a.action, self._outcome(a, now), marked, a)
            if a.settled:  # by its handler: there is nothing left to write
                self._count(Held((settlement,)))
            else:
                batch.outcomes.append(settlement)

    def _outcome(self, attempt: Attempt, now: float) -> Outcome:
        self._limits.memory_seen = max(self._limits.memory_seen, attempt.memory)
        try:
            handler = self._handlers.find(attempt.action)
            return judge(attempt, handler.retry, now, on_crash=handler.on_crash)
        except (Exception, SystemExit) as error:  # noqa: BLE001  the site's own policy ends no run
            return Dead(f"its retry policy failed: {type(error).__name__}: {error}")

    def _expired(self, action: Action) -> Attempt:
        text = f"its worker died: nothing was heard of it for {self._silence} seconds"
        return Attempt(action, 0.0, HandlerFailure("expired", text))

    def _count(self, held: Held) -> None:
        for settlement in held.settled:
            counter = _COUNTERS[type(settlement.outcome)]
            setattr(self.summary, counter, getattr(self.summary, counter) + 1)
            self._events.settled(settlement)
        for action in held.lost:
            self._events.lost(action)
        self.summary.lost += len(held.lost)


_DEATHS = frozenset({"crash", "timeout", "interrupted"})
"""Ends of a process: what was marked ahead for it has not begun."""

_COUNTERS = {
    Completed: "completed",
    Retried: "retried",
    Snoozed: "snoozed",
    Dead: "failed",
    Cancelled: "canceled",
}
