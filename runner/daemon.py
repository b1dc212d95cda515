"""`runner work`: a worker for each queue, in a thread with a connection and children of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from runner.app import Progress
from runner.chores import (
    LOOK,
    MARGIN,
    Once,
    Pace,
    Repeated,
    clean,
    record,
    running,
    scheduler,
    watch_over,
)
from runner.core.errors import ConfigError
from runner.core.queues import REST, WorkerQueue
from runner.core.summary import Summary
from runner.engine import drain, limits_of
from runner.operations.safety import WITHOUT_TABLES, check_mode
from runner.operations.worker import BREATH
from runner.watcher import watch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.app import App
    from runner.config import Settings
    from runner.core.clock import Clock
    from runner.core.events import Subscriber
    from runner.core.signals import Stop
    from runner.handlers import Handlers

OUTAGE = 86_400.0
"""Seconds that a lost database is waited for: a day. A signal ends the wait."""

TICK = 0.5
"""Seconds between looks at the workers."""

Lane = tuple[WorkerQueue, "Handlers"]
"""A queue and the handlers that are worked there."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears of the daemon: that it is ready, now and then that it lives, and words."""

    ready: Callable[[], object]
    alive: Callable[[], object]
    tell: Callable[[str], object]


def lanes(queues: Sequence[WorkerQueue], handlers: Handlers) -> list[Lane]:
    """The handlers of each queue. Raises ConfigError for a queue that no handler is in, and for
    handlers that no queue would work."""
    named = {queue.name for queue in queues}
    found = []
    for queue in queues:
        hooks = [h.hook for h in handlers if _queue_of(h.queue, named) == queue.name]
        if not hooks:
            known = ", ".join(sorted({h.queue for h in handlers if h.queue})) or "none"
            raise ConfigError(f"no handler is in queue {queue.name} (queues of handlers: {known})")
        found.append((queue, handlers.only(hooks)))
    left = [h.hook for h in handlers if _queue_of(h.queue, named) not in named]
    if left:
        raise ConfigError(f"no queue works {', '.join(left)}: add {REST}:1, or name their queues")
    return found


def _queue_of(name: str, named: set[str]) -> str:
    return name if name in named else REST


class Outage:
    """One line when the database is lost, and one when it is back, however many connections it
    had."""

    def __init__(self, clock: Clock, tell: Callable[[str], object]) -> None:
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._began = 0.0

    @property
    def lasts(self) -> bool:
        return bool(self._waiting)

    def begin(self, who: str, why: str) -> None:
        with self._lock:
            if not self._waiting:
                self._began = self._clock.monotonic()
                self._tell(f"the database is lost and waited for: {why}")
            self._waiting.add(who)

    def end(self, who: str) -> None:
        with self._lock:
            if who not in self._waiting:
                return
            self._waiting.discard(who)
            if not self._waiting:
                self._tell(
                    f"the database is back after {self._clock.monotonic() - self._began:.0f} s"
                )


class Daemon:
    """Workers that go on until a signal or a limit ends them."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        stop: Stop,
        watch: Watch,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        self._app = app
        self._settings = replace(settings, batches=0, pause=0.0)  # those are for runs from cron
        self._stop = stop
        self._watch = watch
        self._subscribers = subscribers
        self._limits = limits_of(app, self._settings, stop)
        self._outage = Outage(app.clock, watch.tell)
        self._once = Once(watch.tell)
        self._trouble = Repeated(watch.tell, app.clock)
        self._beat = app.clock.monotonic()
        self._failures: list[BaseException] = []
        self._summaries: list[Summary] = []

    def run(self, worked: Sequence[Lane]) -> Summary:
        """Works until it is told to end. Raises what ended a worker that was not told to."""
        with self._app.open() as (database, site):
            check_mode(self._settings.mode, site, database.dialect, len(self._app.handlers))
            if not site.migrated:
                self._watch.tell(WITHOUT_TABLES)
        minutely = [*self._minutely()] if site.migrated else []
        chores = scheduler(site.zone, self._settings.clean_at, self._clean, minutely)
        heaviest = max(queue.weight for queue, _ in worked)
        threads = [
            threading.Thread(
                target=self._work, args=(*lane, heaviest), name=f"queue {lane[0].name}"
            )
            for lane in worked
        ]
        try:
            for thread in threads:
                thread.start()
            self._watch.ready()
            with running(chores), self._listening():
                self._mind(threads, Pace(chores).look)
        except BaseException:
            self._stop.end("failure")
            raise
        finally:  # a signal is heard for as long as anything works
            self._mind([thread for thread in threads if thread.is_alive()])
        if self._failures and not self._stop.now:
            raise self._failures[0]
        return _sum(self._summaries)

    def _mind(
        self, threads: Sequence[threading.Thread], each: Callable[[], object] | None = None
    ) -> None:
        """Waits for the workers, and calls `each` now and then; after a signal for as long as
        `grace` allows."""
        clock, grace, deadline = self._app.clock, self._settings.grace, 0.0
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(TICK / len(threads))
            self._watch.alive()
            if each:
                each()
            self._beat = clock.monotonic()
            if self._stop.asked and not deadline:
                deadline = clock.monotonic() + grace
            if deadline and grace and clock.monotonic() >= deadline:
                self._stop.hurry()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Answers probes meanwhile, where an address was given."""
        if not self._settings.listen:
            yield
            return
        from runner.listener import Told, listening  # noqa: PLC0415  for those who ask for it

        told = Told(self._app, lambda: self._app.clock.monotonic() - self._beat)
        with listening(self._settings.listen, told):
            yield

    def _minutely(self) -> Iterator[tuple[int, str, Callable[[], object]]]:
        yield MARGIN, "record figures", self._record
        hooks, trouble = self._app.handlers.hooks, Once(self._watch.tell)
        health = watch_of(self._app, self._settings, hooks, self._trouble)
        yield LOOK, "look after health", lambda: watch_over(health, trouble)

    def _clean(self) -> None:
        clean(self._app, self._stop, self._watch.tell)

    def _record(self) -> None:
        if not self._outage.lasts:  # the first minute after it makes up for it
            record(self._app, self._settings.keep_minutes, self._once)

    def _work(self, queue: WorkerQueue, handlers: Handlers, heaviest: int) -> None:
        """One queue's worker, from connecting to its end."""
        app = replace(self._app, handlers=handlers, nice=queue.nice(heaviest))
        kind = self._settings.executor.partition(":")[0]
        executor = kind if kind == "inline" else f"{kind}:{queue.children}"
        settings = replace(self._settings, executor=executor)
        try:
            with app.open() as (database, site):
                database.patience = OUTAGE
                database.bored = lambda: bool(self._stop.asked)
                database.on_outage = lambda why: self._outage.begin(queue.name, why)
                database.on_recovery = lambda: self._outage.end(queue.name)
                summary = drain(
                    app,
                    database,
                    site,
                    ownership=app.ownership(database, site, settings),
                    settings=settings,
                    limits=self._limits,
                    progress=Progress(subscribers=self._subscribers),
                    queue=queue.name,
                    poll=max(settings.sleep, BREATH),
                    tell=lambda text: self._watch.tell(f"queue {queue.name}: {text}"),
                )
            self._summaries.append(summary)
        except BaseException as error:  # noqa: BLE001  raised by the thread that waits for us
            self._failures.append(error)
            if not self._stop.now:
                self._watch.tell(f"queue {queue.name}: {error}; ending")
            self._stop.end("failure")


def _sum(summaries: Sequence[Summary]) -> Summary:
    """Counts together; why it ended is the same for all."""
    total = summaries[0] if summaries else Summary()
    for summary in summaries[1:]:
        for field in fields(Summary):
            value = getattr(summary, field.name)
            if type(value) is int:
                setattr(total, field.name, getattr(total, field.name) + value)
    return total
