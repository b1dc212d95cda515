"""The cron dialect of WordPress Action Scheduler, in UTC.

Written from the observed behaviour of the ``CronExpression`` library bundled with Action
Scheduler 2.2 to 4.0. A date computed here must be the date PHP would have computed, so habits
that look like mistakes are kept: both day fields must match, ``*/n`` tests the value modulo n,
whole months can be jumped over, texts are compared by PHP's loose rules, and a search ends after
1000 steps. Where PHP would loop for ever or compute with fractions, :class:`CronError` is raised.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

MAX_LENGTH = 1000
"""Longest expression accepted, in characters; with the step limit it bounds a search."""

_MAX_STEPS = 1000
_SECONDS_PER_MINUTE = 60
_DAYS_PER_WEEK = 7
_SATURDAY = 6  # as numbered by isoweekday()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# PHP's date parser takes an offset or a letter after the day for a time zone, which leaves the
# date alone (there is no zone J). So "15-16W" is "15W", and "LW" starts from day 0.
_NEAREST_DAY = re.compile(
    r"(0?\d|[12]\d|3[01])(?:[+-]\d{1,2})?[A-IK-Z]?|[A-IK-Z]", re.ASCII | re.IGNORECASE
)

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class CronError(ValueError):
    """The expression is malformed, or cannot be evaluated at the date it was asked for."""


class ImpossibleCron(CronError):
    """No date was found within 1000 steps, where PHP gives up too."""


def _number(text: str) -> float | None:
    """Give the value of what PHP calls a numeric string."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _compare(left: str, right: str) -> int:
    """Order two texts as PHP 8 does: by value if both are numeric, else by characters."""
    values = _number(left), _number(right)
    if values[0] is None or values[1] is None:
        return (left > right) - (left < right)
    return (values[0] > values[1]) - (values[0] < values[1])


def _leading_number(text: str) -> float:
    """Give the number a text starts with, as PHP's arithmetic does."""
    found = _NUMBER.match(text)
    if found is None:
        raise CronError(f"{text!r} is not a number")
    return float(found.group())


def _leading_integer(text: str) -> int:
    number = _leading_number(text)
    if not number.is_integer():
        raise CronError(f"{text!r} is not a whole number")
    return int(number)


def _divisible(value: str, step: str) -> bool:
    number = _leading_number(step)
    # PHP turns an infinite number into the integer 0.
    divisor = 0 if abs(number) == float("inf") else int(number)
    if divisor == 0:
        raise CronError("division by zero in a cron step")
    return int(value) % divisor == 0


def _on_step(value: str, bounds: str, step: str) -> bool:
    """Tell whether counting from the lower bound by the step meets the value."""
    low, dash, high = bounds.partition("-")
    # Unless both ends are numbers, the end can lie before the start and yet after the value.
    if _compare(value, low) < 0 or (dash and any(_compare(n, high) > 0 for n in (value, low))):
        return False
    if _compare(value, low) == 0:
        return True
    if dash and _number(high) is None:
        raise CronError(f"a stepped range cannot end at {high!r}")
    start, stride = _leading_integer(low), _leading_integer(step)
    if stride < 1:
        raise CronError(f"cannot count upwards by {step!r}")
    return int(value) in range(start, int(value) + 1, stride)


def _satisfied(value: str, item: str) -> bool:
    """Tell whether one item of a field's list covers the (zero-padded) value."""
    bounds, slash, step = item.partition("/")
    if slash:
        by_value = bounds in {"*", "0"}
        return _divisible(value, step) if by_value else _on_step(value, bounds, step)
    low, dash, high = item.partition("-")
    if dash:
        return _compare(value, low) >= 0 and _compare(value, high) <= 0
    return item == "*" or _compare(value, item) == 0


def _last_of_month(moment: datetime) -> datetime:
    return _first_of_next_month(moment) - timedelta(days=1)


def _first_of_next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) + timedelta(days=31)).replace(day=1)


def _nearest_working_day(moment: datetime, text: str) -> int:
    """Give the day number of the Monday to Friday nearest to a day of the moment's month.

    A wanted day past the month's end overflows into the next month, and only its day number
    counts: ``30W`` is met on 2 February if 2 March is a working day.
    """
    found = _NEAREST_DAY.fullmatch(text)
    if found is None:
        raise CronError(f"{text}W is not a day of the month")
    wanted, first = int(found[1] or 0), moment.replace(day=1)
    target = first + timedelta(days=wanted - 1)
    if target.isoweekday() < _SATURDAY:
        return target.day
    _leading_number(text)  # only now does PHP calculate with it, and refuse a letter
    return _working_day_around(first, wanted, _last_of_month(target).day)


def _working_day_around(first: datetime, wanted: int, last: int) -> int:
    for day in (wanted - 1, wanted + 1, wanted - 2, wanted + 2):
        candidate = first + timedelta(days=day - 1)
        inside = 0 < day <= last and candidate.month == first.month
        if inside and candidate.isoweekday() < _SATURDAY:
            return day
    raise CronError(f"there is no working day near day {wanted}")


def _day_matches(moment: datetime, item: str) -> bool:
    if item == "?":
        return True
    if item == "L":
        return moment.day == _last_of_month(moment).day
    if item.find("W") > 0:
        return moment.day == _nearest_working_day(moment, item.partition("W")[0])
    return _satisfied(f"{moment.day:02}", item)


def _is_last_weekday(moment: datetime, weekday: str) -> bool:
    last = _last_of_month(moment)
    for days in range(_DAYS_PER_WEEK):
        candidate = last - timedelta(days=days)
        if _compare(str(candidate.isoweekday() % _DAYS_PER_WEEK), weekday) == 0:
            return candidate.day == moment.day
    raise CronError(f"{weekday!r} is not a weekday")  # PHP would search for ever


def _is_nth_weekday(moment: datetime, weekday: str, nth: str) -> bool:
    if _compare(weekday, "1") < 0 or _compare(weekday, "5") > 0:
        raise CronError(f"the weekday before # must be 1 to 5, not {weekday!r}")
    if _compare(nth, "5") > 0:
        raise CronError(f"a month never has weekday number {nth!r}")
    if _compare(str(moment.isoweekday()), weekday) != 0:
        return False
    # The first one counted as "n or more" wins, so 0 or less stands for 1.
    count = (moment.day - 1) // _DAYS_PER_WEEK + 1
    return count == next((n for n in range(1, 6) if _compare(str(n), nth) >= 0), None)


def _sunday_at_the_right_end(item: str) -> str:
    """Number Sunday 0 at the start of a range and 7 at its end."""
    ends = item.split("-")
    if _compare(ends[0], "7") == 0:
        ends[0] = "0"
    elif _compare(ends[1], "0") == 0:
        ends[1] = "7"
    return "-".join(ends)


def _weekday_matches(moment: datetime, item: str) -> bool:
    if item == "?":
        return True
    if item.find("L") > 0:
        return _is_last_weekday(moment, item.partition("L")[0].replace("7", "0"))
    if item.find("#") > 0:
        return _is_nth_weekday(moment, *item.split("#")[:2])
    if item.find("-") > 0:
        item = _sunday_at_the_right_end(item)
    day = moment.isoweekday()
    return _satisfied(str(day if "7" in item else day % _DAYS_PER_WEEK), item)


def _next_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0) + timedelta(hours=1)


def _next_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0) + timedelta(days=1)


def _next_month(moment: datetime) -> datetime:
    """Go to the month of "this day next month", which from day 29 to 31 may be the one after."""
    same_day = _first_of_next_month(moment) + timedelta(days=moment.day - 1)
    return same_day.replace(day=1, hour=0, minute=0)


def _next_year(moment: datetime) -> datetime:
    return _next_day(moment.replace(month=12, day=31))


_Names = tuple[tuple[re.Pattern[str], str], ...]


@dataclass(frozen=True, slots=True)
class _Field:
    """How one position of an expression is validated, read, tested and moved past."""

    legal: re.Pattern[str]
    matches: Callable[[datetime, str], bool]
    advance: Callable[[datetime], datetime]
    names: _Names = ()

    def items(self, text: str) -> tuple[str, ...]:
        """Split a list, names replaced by numbers wherever they occur, one after the other."""
        for name, number in self.names:
            text = name.sub(number, text)
        return tuple(text.split(","))

    def meets(self, moment: datetime, items: Iterable[str]) -> bool:
        return any(self.matches(moment, item) for item in items)


def _names(names: str, first: int) -> _Names:
    flags = re.ASCII | re.IGNORECASE
    numbered = enumerate(names.split(), first)
    return tuple((re.compile(name, flags), str(number)) for number, name in numbered)


_DIGITS = re.compile(r"[*,/\-0-9]")
_UPPER = re.compile(r"[*,/\-0-9A-Z]")
_ANY_CASE = re.compile(r"[*,/\-?0-9A-Za-z]")

_FIELDS = (
    _Field(
        _DIGITS,
        lambda moment, item: _satisfied(f"{moment.minute:02}", item),
        lambda moment: moment + timedelta(minutes=1),
    ),
    _Field(_DIGITS, lambda moment, item: _satisfied(f"{moment.hour:02}", item), _next_hour),
    _Field(_ANY_CASE, _day_matches, _next_day),
    _Field(
        _UPPER,
        lambda moment, item: _satisfied(f"{moment.month:02}", item),
        _next_month,
        _names("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1),
    ),
    _Field(_UPPER, _weekday_matches, _next_day, _names("SUN MON TUE WED THU FRI SAT", 0)),
    _Field(_DIGITS, lambda moment, item: _satisfied(f"{moment.year:04}", item), _next_year),
)
_ORDER = (5, 3, 2, 4, 1, 0)  # year, month, day, weekday, hour, minute: the coarsest first


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A cron expression, evaluated in UTC; ``str()`` gives it with single spaces.

    ``parts`` are the five or six fields (minute, hour, day of month, month, day of week and
    perhaps year) as Action Scheduler stores them: macros expanded, names left as written.
    """

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression or one of the six macros, ``@hourly`` to ``@yearly``.

        Like PHP this only asks that every field hold one plausible character; what makes no
        sense is found out when a date is computed.

        Raises:
            CronError: fewer than five or more than six fields, a field without any plausible
                character, or more than ``MAX_LENGTH`` characters (PHP knows no such limit).

        """
        parts = tuple(re.findall(r"\S+", _MACROS.get(text, text[: MAX_LENGTH + 1]), re.ASCII))
        fields = zip(_FIELDS, parts, strict=False)
        legal = len(text) <= MAX_LENGTH and len(_FIELDS) - 1 <= len(parts) <= len(_FIELDS)
        if legal and all(field.legal.search(part) for field, part in fields):
            return cls(parts)
        raise CronError(f"not a cron expression: {text[:MAX_LENGTH]!r}")

    def __str__(self) -> str:
        """Give the fields joined by single spaces."""
        return " ".join(self.parts)

    def next_after(self, after: int, *, allow_current: bool = False) -> int:
        """Give the first matching minute later than the minute that holds ``after``.

        Both moments are seconds since the epoch, UTC. With ``allow_current`` the minute that
        holds ``after`` may itself be the answer, as for the first date of a new schedule.

        Raises:
            ImpossibleCron: nothing found within 1000 steps.
            CronError: a part that cannot be evaluated (``*/0``, ``6#1``, ``5/0``), or a search
                that leaves the years 1 to 9999.

        """
        try:
            start = _EPOCH + timedelta(minutes=after // _SECONDS_PER_MINUTE)
            found = self._search(start, allow_current=allow_current)
        except OverflowError:
            raise CronError(f"{self} after {after} lies outside the years 1 to 9999") from None
        return (found - _EPOCH) // timedelta(seconds=1)

    def _search(self, start: datetime, *, allow_current: bool) -> datetime:
        items = [field.items(text) for field, text in zip(_FIELDS, self.parts, strict=False)]
        moment = start
        for _ in range(_MAX_STEPS):
            unmet = _first_unmet(items, moment)
            if unmet is None and (allow_current or moment != start):
                return moment
            moment = _FIELDS[unmet or 0].advance(moment)
        raise ImpossibleCron(f"no date matches {self}")


def _first_unmet(items: Sequence[Iterable[str]], moment: datetime) -> int | None:
    """Give the position of the coarsest field that the moment does not satisfy."""
    order = _ORDER[-len(items) :]
    return next((p for p in order if not _FIELDS[p].meets(moment, items[p])), None)
