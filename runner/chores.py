"""The daemon's own regular work. WordPress's schedules never go through APScheduler: its weekdays
count from Monday, and it knows nothing of Action Scheduler's cron dialect."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from runner.core.limits import Limits
from runner.operations.actions import Actions
from runner.operations.audit import Audit
from runner.operations.cleaner import Cleaner, usual_cutoffs
from runner.operations.minutes import Minutes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from apscheduler.schedulers.background import BackgroundScheduler

    from compat.site_time import SiteZone
    from runner.app import App
    from runner.core.signals import Stop

LATE = 3600
"""Seconds that a chore may be late, after a sleep of the machine say, and still be done."""

DAY = 86_400

MARGIN = 4
"""Seconds after a minute at which it is written: its last commits have come by then."""

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
    except Exception as error:  # noqa: BLE001  whatever it is, the daemon's work goes on
        tell(f"the figures of this minute could not be written: {error}")
    else:
        tell.again()


class Once:
    """Says the same trouble once, until it is over."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._told = False

    def __call__(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._tell(text)

    def again(self) -> None:
        self._told = False


def scheduler(
    zone: SiteZone,
    clean_at: str,
    call: Callable[[], object],
    each_minute: Callable[[], object] | None = None,
) -> BackgroundScheduler:
    """A scheduler that cleans each day at that time of the site's, and does something each
    minute."""
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
    if each_minute:
        minutely = CronTrigger(second=MARGIN, timezone=where)
        made.add_job(each_minute, minutely, id="minute", name="record figures")
    return made


@contextmanager
def running(made: BackgroundScheduler) -> Iterator[None]:
    """Does the chores meanwhile. One at work is waited for: the signal that ends us ends it too."""
    made.start()
    try:
        yield
    finally:
        made.shutdown()
