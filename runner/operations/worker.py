"""The loop: claim → begin → handler → judge → settle. One for every executor."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from compat.action_scheduler import TIMEOUT
from runner.core.errors import HandlerError
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
)
from runner.core.summary import Summary
from runner.operations.windows import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.core.clock import Clock
    from runner.core.limits import Limits
    from runner.core.model import Action, Claim, Outcome
    from runner.handlers.registry import Handlers

HEARTBEAT = 15.0
"""Seconds between heartbeats, or a quarter of a shorter expiry."""


class Source(Protocol):
    """Where actions are leased from."""

    contended: bool

    def claim(self, limit: int, *, expired: bool = False) -> Claim | None: ...

    def advance(
        self,
        claim: Claim,
        settled: Sequence[Settlement],
        starting: Sequence[Action],
        *,
        unmarked: Sequence[Action] = (),
        ahead: bool = False,
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
        self._heartbeat = min(HEARTBEAT, expiry / 4)
        self._on_settled = on_settled or (lambda _: None)
        self._pace = Pace()

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
            expired = bool(claim.expired or claim.reset or claim.corrupt)
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
        if claim.actions:
            self._limits.rest(self._pause)

    def _count_claim(self, claim: Claim) -> None:
        self.summary.claimed += len(claim.actions) + claim.corrupt
        self.summary.taken_back += len(claim.expired) + claim.reset
        self.summary.corrupt += claim.corrupt
        self._limits.batches_claimed += bool(claim.actions or claim.corrupt)

    def _turns(self, claim: Claim, batch: _Batch) -> None:
        outcomes = self._judge(claim, batch, [self._expired(action) for action in claim.expired])
        while outcomes or batch.busy(self._executor) or self._may_begin(batch):
            if not batch.ahead or batch.late or self._limits.reached():
                self._turn(claim, batch, outcomes)
                outcomes = []
            self._submit(batch)
            outcomes += self._judge(claim, batch, self._wait(claim, batch))

    def _may_begin(self, batch: _Batch) -> bool:
        return bool(batch.waiting) and not self._limits.reached()

    def _turn(self, claim: Claim, batch: _Batch, settled: list[Settlement]) -> None:
        """One transaction: what finished is settled, what was marked ahead and must not run now is
        un-marked, what is next begins."""
        unmarked = [*batch.ahead]
        try:
            starting = [] if unmarked else self._next(batch)
        except HandlerError:  # no process to run it in: what has finished is recorded all the same
            self._count(self._source.advance(claim, settled, []))
            raise
        if not (settled or starting or unmarked):
            return
        try:
            held = self._source.advance(
                claim, settled, starting, unmarked=unmarked, ahead=len(starting) > 1
            )
        except BaseException:
            batch.waiting.extendleft(reversed(starting))  # to be handed back with the rest
            raise
        batch.late = False
        batch.ahead.clear()
        batch.waiting.extendleft(reversed(held.unmarked))
        batch.ahead.extend(held.started)
        batch.marked -= {a.id for a in held.unmarked}
        batch.marked |= {a.id for a in held.started} if len(starting) > 1 else set()
        self._count(held)

    def _next(self, batch: _Batch) -> list[Action]:
        """What begins now: a window for each idle place, none once a limit is reached."""
        room = 0 if self._limits.reached() else self._executor.room()
        if not room or not batch.waiting:
            return []
        self._executor.prepare()
        size = max(room, self._pace.window(batch.waiting, self._handlers))
        return [batch.waiting.popleft() for _ in range(min(size, len(batch.waiting)))]

    def _submit(self, batch: _Batch) -> None:
        """Hands what has begun to idle places; the rest of a window waits for them."""
        while batch.ahead and self._executor.room():
            if batch.ahead[0].id in batch.marked and (batch.late or self._limits.reached()):
                return
            action = batch.ahead.popleft()
            batch.running[action.id] = (action.hook, self._clock.monotonic())
            self._limits.jobs_begun += 1
            self._executor.submit(action)

    def _wait(self, claim: Claim, batch: _Batch) -> list[Attempt]:
        """Waits for a result, keeps the claim alive meanwhile, and ends a window that is late."""
        while self._executor.busy():
            attempts = self._executor.finished(self._patience(batch))
            self._learn(batch, attempts)
            if attempts:
                return attempts
            if self._clock.monotonic() - batch.last_beat >= self._heartbeat:
                self._source.beat(claim, batch.live())
                batch.last_beat = self._clock.monotonic()
            if self._overruns(batch):
                return []
        return []

    def _patience(self, batch: _Batch) -> float:
        """Seconds to wait for a result: until the next heartbeat, or until a window is late."""
        moments = [batch.last_beat + self._heartbeat]
        if batch.ahead:
            moments += [began + self._pace.late_after(h) for h, began in batch.running.values()]
        return max(min(moments) - self._clock.monotonic(), 0.0)

    def _overruns(self, batch: _Batch) -> bool:
        now = self._clock.monotonic()
        batch.late = bool(batch.ahead) and any(
            now - began >= self._pace.late_after(hook) for hook, began in batch.running.values()
        )
        return batch.late

    def _learn(self, batch: _Batch, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            hook = attempt.action.hook
            batch.running.pop(attempt.action.id, None)
            died = attempt.failure is not None and attempt.failure.kind in _DEATHS
            overran = attempt.elapsed > self._pace.late_after(hook)
            batch.late = batch.late or (bool(batch.ahead) and (died or overran))
            if not died:
                self._pace.learn(hook, attempt.elapsed)

    def _judge(self, claim: Claim, batch: _Batch, attempts: Sequence[Attempt]) -> list[Settlement]:
        now = claim.database_time(self._clock.monotonic())
        return [
            Settlement(a.action, self._outcome(a, now), a.action.id in batch.marked)
            for a in attempts
        ]

    def _outcome(self, attempt: Attempt, now: float) -> Outcome:
        self._limits.memory_seen = max(self._limits.memory_seen, attempt.memory)
        try:
            return judge(attempt, self._handlers[attempt.action.hook].retry, now)
        except Exception as error:  # noqa: BLE001  a policy of the site's own must not end the run
            return Dead(f"its retry policy failed: {type(error).__name__}: {error}")

    def _expired(self, action: Action) -> Attempt:
        text = f"its worker died: nothing was heard of it for {self._expiry} seconds"
        return Attempt(action, 0.0, HandlerFailure("expired", text))

    def _count(self, held: Held) -> None:
        for settlement in held.settled:
            counter = _COUNTERS[type(settlement.outcome)]
            setattr(self.summary, counter, getattr(self.summary, counter) + 1)
            self._on_settled(settlement)
        self.summary.lost += len(held.lost)


class _Batch:
    """The state of one claim while it is worked through.

    `waiting` has not begun; `ahead` is written as begun and not yet handed to the executor;
    `marked` are the ids of a window, whose start is not in the log yet; `running` maps an id to
    its hook and the monotonic time it was handed over. `late` says that the window ends here.
    """

    def __init__(self, claim: Claim, now: float) -> None:
        self.waiting = deque(claim.actions)
        self.ahead: deque[Action] = deque()
        self.marked: set[int] = set()
        self.running: dict[int, tuple[str, float]] = {}
        self.late = False
        self.last_beat = now

    def busy(self, executor: Executor) -> bool:
        return bool(self.ahead) or executor.busy()

    def live(self) -> list[int]:
        return sorted({*self.running} | {action.id for action in (*self.ahead, *self.waiting)})


_DEATHS = frozenset({"crash", "timeout", "interrupted"})
"""Ends of a process: what was marked ahead for it has not begun."""

_COUNTERS = {
    Completed: "completed",
    Retried: "retried",
    Snoozed: "snoozed",
    Dead: "failed",
    Cancelled: "canceled",
}
