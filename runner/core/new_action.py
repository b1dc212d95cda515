"""An action that is to be created, and the columns it is written with.

Facts of what is stored are those of Action Scheduler 4.0.0; where PHP would store something that
cannot work, EnqueueError is raised instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from compat import args as argtexts
from compat import schedules
from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG, NORMAL_PRIORITY, PRIORITIES
from compat.cron_expression import CronError
from compat.schedules import ScheduleError
from compat.site_time import ZERO, sql_date
from runner.core.errors import EnqueueError

if TYPE_CHECKING:
    from compat.args import Args, StoredArgs
    from compat.schedules import Schedule
    from compat.site_time import SiteZone

Date = int | datetime
"""Epoch seconds (UTC), or a datetime that knows its zone."""

Unique = bool | Literal["hook"]
"""What makes an action a duplicate of a pending or running one: True, the same hook, group and
args (Action Scheduler 4.0); "hook", the same hook and group (its older rule)."""


@dataclass(frozen=True, slots=True)
class NewAction:
    """An action to be created: as soon as possible; once, `at` a date; every so many seconds or
    by a cron expression (in UTC), then `at` is its first or earliest date, now when not given.

    `priority` is 0 to 255, lower runs first; other numbers count as the nearer end, and tables
    before schema 7 keep none. `args` are taken as they are now. Raises EnqueueError for what
    cannot be created.
    """

    hook: str
    args: Args = ()
    at: Date | None = None
    every: int | None = None
    cron: str | None = None
    group: str = ""
    priority: float = NORMAL_PRIORITY
    unique: Unique = False
    stored: StoredArgs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text("hook", self.hook, LONGEST_HOOK)
        if not self.hook:
            raise EnqueueError("the hook has no name")
        check_text("group", self.group, LONGEST_SLUG)
        if not _is_number(self.priority):
            raise EnqueueError(f"the priority must be a number, not {self.priority!r}")
        if self.unique not in (False, True, "hook"):
            raise EnqueueError(f"unique is True, False or 'hook', not {self.unique!r}")
        object.__setattr__(self, "stored", stored_args(self.args))

    def columns(self, now: int, zone: SiteZone) -> dict[str, object]:
        """The row's values but for its group. `now` is the database's time in epoch seconds.

        Raises EnqueueError for a rule or a date that cannot be.
        """
        schedule = self.schedule(now)
        at = now if schedule.at is None else schedule.at
        gmt = sql_date(at)
        if gmt == ZERO:
            raise EnqueueError(f"the date {at} is outside the calendar: it would be due at once")
        low, high = PRIORITIES
        return {
            "hook": self.hook,
            "gmt": gmt,
            # An async action's local date holds GMT whatever the zone, as PHP writes it.
            "local": gmt if schedule.at is None else zone.local(at),
            "schedule": schedule.to_bytes().decode("utf-8", "surrogateescape"),
            "priority": min(max(int(self.priority), low), high),
            "args": self.stored.args,
            "extended": self.stored.extended,
        }

    def schedule(self, now: int) -> Schedule:
        """When and by which rule it runs. Raises EnqueueError for what PHP could not run."""
        at = now if self.at is None else epoch(self.at)
        if self.every is not None and self.cron is not None:
            raise EnqueueError("an action recurs every so many seconds or by cron, not both")
        try:
            if self.cron is not None:
                return schedules.cron(at, _expression(self.cron))
            if self.every is not None:
                return schedules.interval(at, _interval(self.every))
        except (CronError, ScheduleError) as error:
            raise EnqueueError(str(error)) from error
        return schedules.asynchronous() if self.at is None else schedules.simple(at)


def stored_args(args: Args) -> StoredArgs:
    """Columns of these args. Raises EnqueueError for what cannot be stored."""
    try:
        stored = argtexts.store(args)
        text = stored.extended or stored.args or ""
        if text.count("[") + text.count("{") >= argtexts.MAX_DEPTH:
            argtexts.decode(text, None)  # PHP writes one level more than it reads
    except argtexts.ArgsError as error:
        raise EnqueueError(str(error)) from error
    return stored


def epoch(at: Date) -> int:
    """Whole seconds since 1970. Raises EnqueueError for a date without a zone or a calendar."""
    if isinstance(at, datetime):
        if at.utcoffset() is None:
            raise EnqueueError(f"the datetime {at} has no time zone: give one, such as UTC")
        return math.floor(at.timestamp())
    if isinstance(at, bool) or not isinstance(at, int):
        raise EnqueueError(f"a date is epoch seconds (int) or an aware datetime, not {at!r}")
    if sql_date(at) == ZERO:
        raise EnqueueError(f"the date {at} is outside the calendar: it would be due at once")
    return at


def check_text(what: str, text: str, longest: int) -> None:
    """Raises EnqueueError for a text that its column cannot hold whole (in characters)."""
    if not isinstance(text, str):
        raise EnqueueError(f"the {what} must be a str, not {text!r}")
    if len(text) > longest:
        raise EnqueueError(f"the {what} has {len(text)} characters, the limit is {longest}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EnqueueError(f"the {what} {text!a} holds half a character") from None


def _expression(cron: object) -> str:
    if not isinstance(cron, str):
        raise EnqueueError(f"a cron expression is a str, not {cron!r}")
    return cron


def _interval(every: object) -> int | float:
    if not isinstance(every, (int, float)) or isinstance(every, bool):
        raise EnqueueError(f"an interval is a whole number of seconds, not {every!r}")
    return every


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
