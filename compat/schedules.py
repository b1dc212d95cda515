"""The ``schedule`` column of Action Scheduler: read, written, and asked for the next date.

Facts are those of Action Scheduler 4.0.0. Versions 3.0.0 to 4.0.0 write the same bytes; the
shapes of 2.x, which kept other property names, are read as 4.0.0 reads them and written anew.
All times are whole seconds since the epoch, UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from compat.cron_expression import CronError, CronExpression
from compat.php import Limits, PhpArray, PhpError, PhpObject, dumps, loads

if TYPE_CHECKING:
    from typing import TypeAlias

    from compat.php import PhpValue

    Properties: TypeAlias = dict[int | bytes, PhpValue]


class ScheduleError(ValueError):
    """A schedule that cannot be created, or that has no sensible next date."""


class CorruptSchedule(ScheduleError):
    """The column does not hold a schedule of Action Scheduler."""


class Kind(StrEnum):
    """What a schedule is: one of Action Scheduler's five classes."""

    SIMPLE = "simple"
    INTERVAL = "interval"
    CRON = "cron"
    NULL = "null"  # of async actions: no date of its own
    CANCELED = "canceled"


Interval = int | str | float
"""Seconds between two runs, in the PHP type it was given in, which the column keeps."""


def _private(class_name: bytes, name: bytes) -> bytes:
    return b"\0%s\0%s" % (class_name, name)


_CLASSES = {
    Kind.SIMPLE: b"ActionScheduler_SimpleSchedule",
    Kind.INTERVAL: b"ActionScheduler_IntervalSchedule",
    Kind.CRON: b"ActionScheduler_CronSchedule",
    Kind.NULL: b"ActionScheduler_NullSchedule",
    Kind.CANCELED: b"ActionScheduler_CanceledSchedule",
}
_KINDS = {name: kind for kind, name in _CLASSES.items()}
_SCHEDULED, _FIRST, _RECURRENCE = (
    b"\0*\0" + name for name in (b"scheduled_timestamp", b"first_timestamp", b"recurrence")
)
# Where 2.x kept the date and the recurrence; 4.0.0 still writes them, for downgrades.
_OLD_DATE = {
    Kind.SIMPLE: _private(_CLASSES[Kind.SIMPLE], b"timestamp"),
    Kind.INTERVAL: _private(_CLASSES[Kind.INTERVAL], b"start_timestamp"),
    Kind.CRON: _private(_CLASSES[Kind.CRON], b"start_timestamp"),
    Kind.CANCELED: _private(_CLASSES[Kind.CANCELED], b"timestamp"),
}
_OLD_RECURRENCE = {
    Kind.INTERVAL: _private(_CLASSES[Kind.INTERVAL], b"interval_in_seconds"),
    Kind.CRON: _private(_CLASSES[Kind.CRON], b"cron"),
}

_CRON = b"CronExpression"
_CRON_FACTORY = b"CronExpression_FieldFactory"
_CRON_FIELDS = tuple(
    b"CronExpression_%sField" % name
    for name in (b"Minutes", b"Hours", b"DayOfMonth", b"Month", b"DayOfWeek", b"Year")
)
_CRON_PARTS = _private(_CRON, b"cronParts")

_LIMITS = Limits(
    max_bytes=65_536,
    max_depth=8,
    max_elements=256,
    classes=frozenset({*_KINDS, _CRON, _CRON_FACTORY, *_CRON_FIELDS}),
)
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_SECONDS_PER_MINUTE = 60
_FOREVER = 253_402_300_800  # from 1970 to the year 10000, where dates end


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an action runs, and by which rule it runs again.

    ``at`` is the date of this instance, None only for ``Kind.NULL``; ``first`` that of the first
    instance ever, None unless recurring. ``recurrence`` is the number of seconds of an interval
    (int, str or float, as PHP was given it) or the text of a cron expression.
    """

    kind: Kind
    at: int | None
    first: int | None = None
    recurrence: Interval | None = None

    @property
    def is_recurring(self) -> bool:
        """Whether an instance is followed by another one."""
        return self.kind in _OLD_RECURRENCE

    def next_after(self, after: float) -> int | None:
        """Give the date of the instance that follows a run at ``after``, None if there is none.

        While ``after`` is not later than ``at``, the answer is ``at`` itself; then an interval
        counts from ``after``, not from ``at``. A fraction matters to the first rule only, as PHP
        compares with microseconds: a run within its due second must come with its fraction, or
        else it is repeated. Source: get_next() of the schedule classes, 4.0.0.

        Raises:
            CronError: the expression has no next date, or cannot be evaluated.
            ScheduleError: the interval is less than one second, where PHP would make the action
                due again at once and for ever, or no number, or longer than the calendar.

        """
        if self.at is None or self.kind is Kind.CANCELED:
            return None
        if after <= self.at:
            return self.at
        if self.kind is Kind.CRON:
            return self._expression().next_after(math.floor(after))
        return math.floor(after) + _seconds(self.recurrence) if self.is_recurring else None

    def moved_to(self, at: int) -> Schedule:
        """Give the schedule a new row of this chain is stored with; an async one becomes simple.

        As in PHP a cron schedule takes the first match in or after the minute of ``at``, which
        differs from ``at`` only for dates that were no match. Source: the constructor of
        ActionScheduler_CronSchedule, 4.0.0.

        Raises:
            CronError: the expression has no date from ``at`` on.

        """
        if self.kind is Kind.NULL:
            return simple(at)
        if self.kind is Kind.CRON:
            at = self._expression().next_after(at, allow_current=True)
        return replace(self, at=at)

    def following(self, run_at: float) -> int | None:
        """Give the date after a run at ``run_at``, which a clock read in whole seconds.

        The moment lies inside that second: an action run in the second it was due in is not run
        before its time. Raises what :meth:`next_after` raises.
        """
        return self.next_after(run_at + 0.001)

    def put_off_to(self, at: int) -> Schedule:
        """Give the same chain, this one instance at a date off its rhythm: a retry's."""
        return simple(at) if self.kind is Kind.NULL else replace(self, at=at)

    def to_bytes(self) -> bytes:
        """Write the bytes PHP stores in the ``schedule`` column.

        Raises:
            CronError: the recurrence of a cron schedule is no cron expression.
            ScheduleError: a value that PHP cannot hold, such as a date beyond 64 bits.

        """
        properties: Properties = {} if self.kind is Kind.NULL else self._properties()
        try:
            return dumps(PhpObject(_CLASSES[self.kind], properties))
        except PhpError as error:
            raise ScheduleError(str(error)) from error

    def _properties(self) -> Properties:
        """Give what __sleep() lists, in its order: first today's names, then those of 2.x."""
        old_date = None if self.kind is Kind.CANCELED else self.at
        if not self.is_recurring:
            return {_SCHEDULED: self.at, _OLD_DATE[self.kind]: old_date}
        recurrence = self._php_recurrence()
        return {
            _SCHEDULED: self.at,
            _FIRST: self.first,
            _RECURRENCE: recurrence,
            _OLD_DATE[self.kind]: old_date,
            _OLD_RECURRENCE[self.kind]: recurrence,
        }

    def _php_recurrence(self) -> PhpValue:
        if self.kind is Kind.CRON:
            return _cron_object(self._expression())
        return _encode(self.recurrence) if isinstance(self.recurrence, str) else self.recurrence

    def _expression(self) -> CronExpression:
        return CronExpression.parse(str(self.recurrence))


def simple(at: int) -> Schedule:
    """Give the schedule of an action that runs once, at this time."""
    return Schedule(Kind.SIMPLE, at)


def asynchronous() -> Schedule:
    """Give the schedule of an action that runs as soon as possible."""
    return Schedule(Kind.NULL, None)


def interval(at: int, seconds: Interval, first: int | None = None) -> Schedule:
    """Give the schedule of an action that runs every so many seconds.

    ``first`` is the date of the chain's first instance, when that is not this one.

    Raises:
        ScheduleError: not a whole number of at least one second. PHP's functions refuse what is
            not whole, make a single action of 0, and accept a negative number; see
            as_schedule_recurring_action(), 4.0.0.

    """
    if isinstance(seconds, float) and not seconds.is_integer():
        raise ScheduleError(f"an interval must be a whole number of seconds, not {seconds}")
    _seconds(seconds)
    return Schedule(Kind.INTERVAL, at, at if first is None else first, seconds)


def cron(start: int, expression: str) -> Schedule:
    """Give the schedule whose first date is the first match in or after the minute of ``start``.

    Raises:
        CronError: the expression is refused, or has no date from ``start`` on.

    """
    parsed = CronExpression.parse(expression)
    at = parsed.next_after(start, allow_current=True)
    return Schedule(Kind.CRON, at, start - start % _SECONDS_PER_MINUTE, str(parsed))


def read(data: bytes) -> Schedule:
    """Read the ``schedule`` column, in the shapes of Action Scheduler 2.x to 4.x.

    Unknown properties are ignored as in PHP. Stricter than PHP: dates must be PHP integers, and
    a missing one does not mean "now".

    Raises:
        CorruptSchedule: anything else, however it is broken.

    """
    record = _load(data)
    kind = _KINDS[record.class_name]
    if kind is Kind.NULL:
        return asynchronous()
    at = _read_date(kind, record)
    if kind not in _OLD_RECURRENCE:
        return Schedule(kind, at)
    # A first date that is missing or not after 1970 means this one.
    first = _timestamp(record.get(_FIRST) or 0)
    return Schedule(kind, at, first if first > 0 else at, _read_recurrence(kind, record))


def _load(data: bytes) -> PhpObject:
    try:
        value = loads(data, limits=_LIMITS)
    except PhpError as error:
        raise CorruptSchedule(str(error)) from error
    if isinstance(value, PhpObject) and value.class_name in _KINDS:
        return value
    raise CorruptSchedule("not a schedule")


def _read_date(kind: Kind, record: PhpObject) -> int:
    date, old_date = record.get(_SCHEDULED), record.get(_OLD_DATE[kind])
    if date is None or (kind is Kind.CANCELED and old_date is not None):
        date = old_date
    return _timestamp(date)


def _timestamp(value: PhpValue) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise CorruptSchedule("a schedule without a date")


def _read_recurrence(kind: Kind, record: PhpObject) -> Interval:
    value = record.get(_RECURRENCE)
    if value is None:
        value = record.get(_OLD_RECURRENCE[kind])
    if kind is Kind.CRON:
        return str(_read_cron(value))
    if isinstance(value, bytes):
        return _decode(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise CorruptSchedule("an interval that is no number")


def _read_cron(value: PhpValue) -> CronExpression:
    if not isinstance(value, PhpObject) or value.class_name != _CRON:
        raise CorruptSchedule("a cron schedule without a cron expression")
    parts = value.get(_CRON_PARTS)
    if not isinstance(parts, PhpArray) or list(parts) != list(range(len(parts))):
        raise CorruptSchedule("a cron expression without parts")
    texts = tuple(_decode(part) for part in parts.values() if isinstance(part, bytes))
    try:
        expression = CronExpression.parse(" ".join(texts))
    except CronError as error:
        raise CorruptSchedule(str(error)) from error
    if len(texts) != len(parts) or expression.parts != texts:
        raise CorruptSchedule("a cron expression in odd parts")
    return expression


def _cron_object(expression: CronExpression) -> PhpObject:
    """Give the object PHP keeps: the parts, and a factory that has made one field for each."""
    parts = PhpArray.of(_encode(part) for part in expression.parts)
    fields = PhpArray.of(PhpObject(name) for name in _CRON_FIELDS[: len(parts)])
    factory: Properties = {_private(_CRON_FACTORY, b"fields"): fields}
    properties: Properties = {
        _CRON_PARTS: parts,
        _private(_CRON, b"fieldFactory"): PhpObject(_CRON_FACTORY, factory),
    }
    return PhpObject(_CRON, properties)


def _seconds(recurrence: Interval | None) -> int:
    """Give the interval as PHP counts with it: (int), which cuts fractions."""
    number = recurrence
    if isinstance(number, str):
        number = int(number) if _INTEGER.fullmatch(number) else 0
    if number is None or not 1 <= number < _FOREVER:
        raise ScheduleError(f"an interval cannot be {recurrence!r} seconds")
    return int(number)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
