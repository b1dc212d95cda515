"""The loop: claim → begin → handler → judge → settle. One for every executor."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from compat.action_scheduler import TIMEOUT
from runner.core.judge import judge
from runner.core.model import (
    Attempt,
    Cancelled,
    Completed,
    Dead,
    HandlerFailure,
    Held,
    Retried,
    Settlement,
    Snoozed,
    Summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.core.clock import Clock
    from runner.core.limits import Limits
    from runner.core.model import Action, Claim, Outcome
    from runner.handlers.registry import Handlers

HEARTBEAT = 15.0
"""Seconds between heartbeats: a twentieth of the time after which others take a claim over."""


class Source(Protocol):
    """Where actions are leased from."""

    contended: bool

    def claim(self, limit: int, *, expired: bool = False) -> Claim | None: ...

    def advance(
        self, claim: Claim, settled: Sequence[Settlement], starting: Sequence[Action]
    ) -> Held: ...

    def beat(self, claim: Claim, ids: Sequence[int]) -> None: ...

    def release(self, claim: Claim, left: Sequence[Action]) -> None: ...


class Executor(Protocol):
    """Where handlers are called."""

    def room(self) -> int: ...

    def busy(self) -> bool: ...

    def prepare(self) -> None: ...

    def submit(self, action: Action) -> None: ...

    def finished(self, wait: float) -> list[Attempt]: ...


class Worker:
    """Drains a source. `on_settled` hears of every outcome, for a progress bar or a log."""

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
        expiry: int = TIMEOUT,
        on_settled: Callable[[Settlement], None] | None = None,
    ) -> None:
        self.summary = Summary()
        self._source = source
        self._executor = executor
        self._handlers = handlers
        self._limits = limits
        self._clock = clock
        self._batch_size = batch_size
        self._pause = pause
        self._expiry = expiry
        self._on_settled = on_settled or (lambda _: None)

    def run(self) -> Summary:
        """Works until nothing is due or a limit is reached; what was not begun is handed back."""
        expired = True  # what a dead worker left comes first, until there is none
        while not (why := self._limits.reached()):
            if self._limits.no_more_batches():
                why = "batches done"
                break
            claim = self._source.claim(self._room(), expired=expired)
            if claim is None:
                why = "contended" if self._source.contended else "nothing left"
                break
            expired = bool(claim.expired or claim.reset)
            self._work_through(claim)
        self.summary.stopped = why or ""
        self.summary.contended = self._source.contended
        self.summary.seconds = self._limits.elapsed()
        return self.summary

    def _room(self) -> int:
        room = self._limits.room()
        return self._batch_size if room is None else min(self._batch_size, room)

    def _work_through(self, claim: Claim) -> None:
        self._count_claim(claim)
        batch = _Batch(claim, self._clock.monotonic())
        try:
            self._turns(claim, batch)
        finally:
            self._source.release(claim, tuple(batch.waiting))
        if claim.actions and self._pause and not self._limits.reached():
            self._rest()

    def _rest(self) -> None:
        """The pause between batches; a signal ends it."""
        until = self._clock.monotonic() + self._pause
        while not self._limits.reached() and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.1))

    def _count_claim(self, claim: Claim) -> None:
        self.summary.claimed += len(claim.actions) + claim.corrupt
        self.summary.taken_back += len(claim.expired) + claim.reset
        self.summary.corrupt += claim.corrupt
        self._limits.batches_claimed += bool(claim.actions or claim.corrupt)

    def _turns(self, claim: Claim, batch: _Batch) -> None:
        outcomes = self._judge(claim, [self._expired(action) for action in claim.expired])
        while outcomes or self._executor.busy() or (batch.waiting and not self._limits.reached()):
            starting = self._next(batch)
            if outcomes or starting:
                self._count(self._advance(claim, outcomes, starting, batch), batch)
            outcomes = self._judge(claim, self._wait(claim, batch))

    def _advance(
        self, claim: Claim, settled: list[Settlement], starting: list[Action], batch: _Batch
    ) -> Held:
        try:
            return self._source.advance(claim, settled, starting)
        except BaseException:
            batch.waiting.extendleft(reversed(starting))  # to be handed back with the rest
            raise

    def _next(self, batch: _Batch) -> list[Action]:
        """What begins now: one for each idle place, none once a limit is reached."""
        room = 0 if self._limits.reached() else self._executor.room()
        if room and batch.waiting:
            self._executor.prepare()
        starting = [batch.waiting.popleft() for _ in range(min(room, len(batch.waiting)))]
        self._limits.jobs_begun += len(starting)
        return starting

    def _wait(self, claim: Claim, batch: _Batch) -> list[Attempt]:
        """Waits for a result, and keeps the claim alive meanwhile."""
        while self._executor.busy():
            due = batch.last_beat + HEARTBEAT - self._clock.monotonic()
            if attempts := self._executor.finished(max(due, 0.0)):
                return attempts
            if self._clock.monotonic() - batch.last_beat >= HEARTBEAT:
                self._source.beat(claim, batch.live())
                batch.last_beat = self._clock.monotonic()
        return []

    def _judge(self, claim: Claim, attempts: Sequence[Attempt]) -> list[Settlement]:
        now = claim.database_time(self._clock.monotonic())
        return [Settlement(a.action, self._outcome(a, now)) for a in attempts]

    def _outcome(self, attempt: Attempt, now: float) -> Outcome:
        self._limits.memory_seen = max(self._limits.memory_seen, attempt.memory)
        try:
            return judge(attempt, self._handlers[attempt.action.hook].retry, now)
        except Exception as error:  # noqa: BLE001  a policy of the site's own must not end the run
            return Dead(f"its retry policy failed: {type(error).__name__}: {error}")

    def _expired(self, action: Action) -> Attempt:
        text = f"its worker died: nothing was heard of it for {self._expiry} seconds"
        return Attempt(action, 0.0, HandlerFailure("expired", text))

    def _count(self, held: Held, batch: _Batch) -> None:
        for settlement in held.settled:
            batch.running.discard(settlement.action.id)
            counter = _COUNTERS[type(settlement.outcome)]
            setattr(self.summary, counter, getattr(self.summary, counter) + 1)
            self._on_settled(settlement)
        for action in held.lost:
            batch.running.discard(action.id)
            self.summary.lost += 1
        for action in held.started:
            batch.running.add(action.id)
            self._executor.submit(action)


class _Batch:
    """The state of one claim while it is worked through."""

    def __init__(self, claim: Claim, now: float) -> None:
        self.waiting = deque(claim.actions)
        self.running: set[int] = set()
        self.last_beat = now

    def live(self) -> list[int]:
        return sorted(self.running | {action.id for action in self.waiting})


_COUNTERS = {
    Completed: "completed",
    Retried: "retried",
    Snoozed: "snoozed",
    Dead: "failed",
    Cancelled: "canceled",
}
