"""The daemon's own regular work. WordPress's schedules never go through APScheduler: its weekdays
count from Monday, and it knows nothing of Action Scheduler's cron dialect."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from runner.core.errors import DatabaseGone
from runner.core.limits import Limits
from runner.operations.actions import Actions
from runner.operations.audit import Audit
from runner.operations.cleaner import Cleaner, usual_cutoffs
from runner.operations.health.alerts import Alerts
from runner.operations.minutes import Minutes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from apscheduler.schedulers.background import BackgroundScheduler

    from compat.site_time import SiteZone
    from runner.app import App
    from runner.core.clock import Clock
    from runner.core.signals import Stop
    from runner.operations.health.watch import Watch

LATE = 3600
"""Seconds that a chore may be late, after a sleep of the machine say, and still be done."""

BACK = 5
"""Seconds by which a clock that went back delays its chores, and nobody minds."""

DAY, HOUR = 86_400, 3600

MARGIN = 4
"""Seconds after a minute at which it is written: its last commits have come by then."""

LOOK = 10
"""Second of a minute at which health is looked after: the figures of the last one are there."""

SPREAD = 300
"""Seconds by which its time varies, so that several daemons do not begin together."""


def clean(app: App, stop: Stop, tell: Callable[[str], object]) -> None:
    """Deletes old finished actions of the app's hooks. What goes wrong is told and ends nothing."""
    limits = Limits(app.clock, stop)
    try:
        with app.open() as (database, site):
            database.bored = database.hurry = lambda: bool(stop.asked)
            cleaner = Cleaner(database, site, limits, hooks=frozenset(app.handlers.hooks))
            now = Actions(database, site).now()
            cleaned = cleaner.run(usual_cutoffs(now))
            cleaner.forget_attempts(now)
            if site.migrated:
                Audit(database, site).forget()
                Alerts(database, site).forget()
    except Exception as error:  # noqa: BLE001  whatever it is, the daemon's work goes on
        tell(f"old actions could not be deleted: {error}")
        return
    if cleaned.deleted:
        tell(f"deleted {cleaned.deleted} old actions in {cleaned.seconds:.1f} s")


def record(app: App, keep_minutes: int, tell: Once) -> None:
    """Writes the figures of the minutes that are over. What goes wrong is told once and ends
    nothing."""
    try:
        with app.open() as (database, site):
            database.patience = 0.0  # the next minute makes up for this one
            if site.migrated:
                Minutes(database, site).record(keep_minutes * DAY)
    except DatabaseGone as error:  # the workers tell of an outage
        tell.later(f"the figures of two minutes could not be written: {error}")
    except Exception as error:  # noqa: BLE001  whatever it is, the daemon's work goes on
        tell(f"the figures of this minute could not be written: {error}")
    else:
        tell.again()


def watch_over(watch: Watch, tell: Once) -> None:
    """A look after the site's health. What goes wrong is told once and ends nothing."""
    try:
        watch.once()
    except Exception as error:  # noqa: BLE001  whatever it is, the daemon's work goes on
        tell(f"the site's health could not be looked at: {error}")
    else:
        tell.again()


class Once:
    """Says the same trouble once, until it is over."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._told = self._met = False

    def __call__(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._tell(text)

    def later(self, text: str) -> None:
        """Of what may be over by the next time: said if it is not."""
        if self._met:
            self(text)
        self._met = True

    def again(self) -> None:
        self._told = self._met = False


class Repeated:
    """Says each text again after an hour at the soonest."""

    def __init__(self, tell: Callable[[str], object], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, text: str) -> None:
        now = self._clock.monotonic()
        if now - self._told.get(text, -HOUR) >= HOUR:
            self._told = {t: at for t, at in self._told.items() if now - at < HOUR} | {text: now}
            self._tell(text)


def scheduler(
    zone: SiteZone,
    clean_at: str,
    call: Callable[[], object],
    each_minute: Sequence[tuple[int, str, Callable[[], object]]] = (),
) -> BackgroundScheduler:
    """A scheduler that cleans each day at that time of the site's, and does things each minute:
    at which second, what it is, and how."""
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415  a tenth of a
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415  second, for daemons only

    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # its comings and goings
    where = zone.name or timezone(timedelta(hours=zone.hours))
    made = BackgroundScheduler(
        timezone=where,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": LATE},
    )
    if clean_at != "off":
        hour, minute = (int(part) for part in clean_at.split(":"))
        daily = CronTrigger(hour=hour, minute=minute, jitter=SPREAD, timezone=where)
        made.add_job(call, daily, id="clean", name="delete old actions")
    for second, name, do in each_minute:
        made.add_job(do, CronTrigger(second=second, timezone=where), id=name, name=name)
    return made


class Pace:
    """Keeps a scheduler going when this machine's clock is set back: it sleeps until moments of
    that clock, and those are as far away then as the clock went. `wall` and `ticks` tell seconds,
    of that clock and of one that nobody sets."""

    def __init__(
        self,
        made: BackgroundScheduler,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._made = made
        self._wall = wall
        self._ticks = ticks
        self._was = self._ahead()

    def look(self) -> None:
        """Called every now and then: each job's next time is found anew after a step back."""
        now = self._ahead()
        if now < self._was - BACK:
            for job in self._made.get_jobs():
                self._made.reschedule_job(job.id, trigger=job.trigger)
        self._was = now

    def _ahead(self) -> float:
        return self._wall() - self._ticks()


@contextmanager
def running(made: BackgroundScheduler) -> Iterator[None]:
    """Does the chores meanwhile. One at work is waited for: the signal that ends us ends it too."""
    made.start()
    try:
        yield
    finally:
        made.shutdown()
