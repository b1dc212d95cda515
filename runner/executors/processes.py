"""Handlers in children that can be killed.

The runner keeps the time, the heartbeat and all writing; a child only calls handlers. A child is
a fresh interpreter, not a fork: it inherits no database connection, and neither does the one that
replaces it.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from runner.core.errors import HandlerError, NotReady
from runner.core.model import NO_RECEIPT, Attempt, HandlerFailure
from runner.executors.call import DEAD_LETTER_TIMEOUT
from runner.executors.child import Answer, Child, Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.core.clock import Clock
    from runner.core.model import Action, Receipt
    from runner.core.signals import Stop
    from runner.handlers.registry import Handlers

CLOSING = 2.0
"""Seconds that the end of killed children, and what they printed last, is waited for."""

RETRY = 5.0
"""Seconds after which a child that could not start is tried again, while others work."""

_BLIND = 0.05
"""Seconds between looks at a child that hung up, where a death cannot be watched."""


class Processes:
    """`count` children, started by `prepare`. `names` are handlers as `module:attribute`; `site`
    is what a child must know of the database to settle an action there.

    A child is replaced after `max_calls` calls, when it holds more than `max_memory` bytes after
    one (0 is no limit), and when `stop` was asked for a reload. A replacement gets ready beside
    the children that run: nobody waits for it, and no action begins before it is ready.
    """

    def __init__(
        self,
        handlers: Handlers,
        names: Sequence[str],
        stop: Stop,
        clock: Clock,
        *,
        count: int = 1,
        log_level: str = "INFO",
        site: Mapping[str, Any] | None = None,
        max_calls: int = 0,
        max_memory: int = 0,
        tell: Callable[[str], object] | None = None,
        json_output: bool = False,
        nice: int = 0,
    ) -> None:
        self._handlers = handlers
        self._orders = Orders(tuple(names), log_level, json_output, nice, site)
        self._stop = stop
        self._clock = clock
        self._count = count
        self._max_calls = max_calls
        self._max_memory = max_memory
        self._children: list[Child] = []
        self._dying: list[Child] = []
        self._tell = tell or (lambda _: None)
        self._refusal: HandlerError | None = None
        self._refused_at = 0.0
        self._once_killed = False  # one that somebody kills at its start is tried again at once
        self._reloads = stop.reloads

    def room(self) -> int:
        """Actions that could be called right now; when nothing runs, after `prepare`."""
        idle = len(self._idle())
        return idle if self.busy() or (self._refusal and idle) else self._count

    def busy(self) -> bool:
        return any(child.action for child in self._children)

    def prepare(self) -> None:
        """Starts the children that are missing, and waits until there are as many ready ones as
        there was room: one that cannot start is known before an action begins.

        Raises NotReady when there is none at all; fewer than wanted is told, and tried again.
        """
        self._renew()
        self._start(self.room())

    def submit(self, action: Action, receipt: Receipt = NO_RECEIPT, why: str | None = None) -> None:
        """Starts the action's handler in an idle child; there must be room. With `why`, its
        `on_dead_letter` functions instead."""
        child = self._give(action, receipt, why)
        if child.hung_up:  # it died between two actions of a window, and never had this one
            child.action = None
            self._bury(child)
            self._give(action, receipt, why)

    def finished(self, wait: float) -> list[Attempt]:
        """Waits up to `wait` seconds for a result; kills what is over its time limit.

        Ends sooner, with nothing, when a replacement has become ready: there is room then.
        """
        until = self._clock.monotonic() + wait
        while self.busy():
            room = self.room()
            attempts = self._look(until - self._clock.monotonic())
            if attempts or self.room() > room or self._clock.monotonic() >= until:
                return attempts
        return []

    def cancel(self, action_id: int) -> None:
        """The action is not wanted any more: `context.cancelled` is true from now on."""
        for child in self._children:
            if child.action and child.action.id == action_id:
                child.cancel()

    def close(self) -> None:
        """Kills every child. Waits a little for their end, and for nobody for ever."""
        for child in [*self._children]:
            self._bury(child)
        until = self._clock.monotonic() + CLOSING
        for child in self._dying:
            child.gone(max(until - self._clock.monotonic(), 0.01))
        self._dying.clear()

    def _start(self, wanted: int) -> None:
        while len(self._idle()) < wanted and not self._refusal:
            starting = [child for child in self._children if not child.ready]
            if not starting:  # one was killed before it was ready
                self._renew()
                continue
            now = self._clock.monotonic()
            self._greet(starting, self._wait(starting, max(c.deadline for c in starting) - now))
            if self._stop.now:
                raise HandlerError("told to stop before a handler process was ready")
        if self._refusal and not self._idle() and not self.busy():
            raise NotReady(str(self._refusal))

    def _give(self, action: Action, receipt: Receipt, why: str | None) -> Child:
        if not (idle := self._idle()):
            self._renew()
            self._start(1)
            idle = self._idle()
        if not idle:
            raise NotReady(str(self._refusal or "no handler process is ready"))
        child = idle[0]
        timeout = self._handlers.find(action).timeout if why is None else DEAD_LETTER_TIMEOUT
        child.start(action, receipt, timeout, self._clock.monotonic(), why)
        return child

    def _look(self, seconds: float) -> list[Attempt]:
        running = [child for child in self._children if child.action]
        starting = [child for child in self._children if not child.ready]
        touched = self._wait([*running, *starting], seconds)
        self._greet(starting, touched)
        now = self._clock.monotonic()
        attempts = [a for c in running if (a := self._attempt(c, now, touched=c in touched))]
        if self.busy():
            self._renew()
        return attempts

    def _idle(self) -> list[Child]:
        return [child for child in self._children if child.ready and child.action is None]

    def _renew(self) -> None:
        """Replaces the idle children that are dead or worn, and waits for nobody."""
        self._dying = [child for child in self._dying if not child.gone()]
        if self._reloads != self._stop.reloads:
            self._reloads = self._stop.reloads
            for child in self._children:
                child.worn = True
        for child in self._idle():
            if child.worn or child.died():
                self._bury(child)
        if self._refusal and self._clock.monotonic() >= self._refused_at + RETRY:
            self._refusal = None
        try:
            while len(self._children) < self._count and not self._refusal:
                now = self._clock.monotonic()
                self._children.append(Child(self._orders, now))
        except (OSError, RuntimeError) as error:  # RuntimeError: a thread too many
            self._refuse(HandlerError(f"cannot start a process for handlers: {error}"))

    def _refuse(self, error: HandlerError) -> None:
        self._refusal, self._refused_at = error, self._clock.monotonic()
        if self.busy() or self._idle():  # else it is raised
            self._tell(f"{error}; tried again in {RETRY:g} s")

    def _wait(self, children: Sequence[Child], seconds: float) -> set[Child]:
        """Waits until one of them has something to say, has died or is over its time, or until an
        end is wanted now. Which of them are worth asking."""
        now = self._clock.monotonic()
        seconds = min(seconds, *(child.deadline - now for child in children))
        if self._refusal:
            seconds = min(seconds, self._refused_at + RETRY - now)
        watched = {}
        for child in children:
            if child.death is not None:
                watched[child.death] = child
            if not child.hung_up:
                watched[child.channel.fileno()] = child
            elif child.death is None:
                seconds = min(seconds, _BLIND)
        poll = select.poll()
        for descriptor in (*watched, self._stop.wakeup):
            poll.register(descriptor, select.POLLIN)
        events = poll.poll(max(seconds, 0.0) * 1000)
        heard = {watched[descriptor] for descriptor, _ in events if descriptor in watched}
        return heard | {child for child in children if child.hung_up}

    def _greet(self, starting: Sequence[Child], touched: set[Child]) -> None:
        """Notes which children have become ready, and that one cannot."""
        now = self._clock.monotonic()
        for child in starting:
            try:
                if child in touched or now >= child.deadline:
                    child.greeted(now)
            except HandlerError as error:
                self._bury(child)
                if not child.was_killed or self._once_killed:
                    self._refuse(error)
                self._once_killed = child.was_killed
            else:
                self._once_killed = self._once_killed and not child.ready

    def _attempt(self, child: Child, now: float, *, touched: bool) -> Attempt | None:
        """How the child's action ended, or None while it runs."""
        answer = child.answer() if touched else None
        answer = answer or child.give_up(now, at_once=_INTERRUPTED if self._stop.now else None)
        if answer is None or child.action is None:
            return None
        action, child.action = child.action, None
        if child.useless:
            self._bury(child)
        else:
            child.worn = child.worn or self._is_worn(child, answer)
        elapsed = now - child.began
        return Attempt(action, elapsed, answer.failure, answer.memory, answer.settled)

    def _is_worn(self, child: Child, answer: Answer) -> bool:
        if self._max_calls and child.calls >= self._max_calls:
            return True
        return bool(self._max_memory) and (child.memory() or answer.memory) > self._max_memory

    def _bury(self, child: Child) -> None:
        child.kill()
        self._children.remove(child)
        self._dying.append(child)


_INTERRUPTED = HandlerFailure("interrupted", "the runner was told to stop at once")
