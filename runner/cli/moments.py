"""Moments and spans as people type them: `now`, `2026-11-23 06:05`, `in 10m`, `31 days ago`.

Relative moments count from the database's clock, which decides what is due, so that parsing and
resolving are two steps. Dates without an offset are UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.core.errors import UsageError

_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_PART = re.compile(r"(\d{1,10})\s*([a-z]+)\s*", re.ASCII)
_SPAN = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ t]\d\d:\d\d(?::\d\d)?\s*(?:z|utc|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_SHORT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|)", re.ASCII)
_EPOCH = re.compile(r"\d{1,12}", re.ASCII)
_LATEST = 253_402_300_799
"""The last second of the year 9999, where DATETIME ends."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: `seconds` since the epoch or, when `relative`, from now."""

    seconds: int
    relative: bool = False

    def at(self, now: int) -> int:
        """Epoch seconds, given the database's clock."""
        return min(max(now + self.seconds, 0), _LATEST) if self.relative else self.seconds


def span(option: str, text: str) -> int:
    """`90`, `10m`, `1 hour 30 min` in seconds. Raises UsageError for anything else."""
    seconds = int(text) if _EPOCH.fullmatch(text.strip()) else _seconds(text)
    if seconds is None:
        raise UsageError(f"{option} {text!r} is no span of time: try 90 (seconds), 10m, 12h, 3d")
    return seconds


def short_span(option: str, text: str) -> float:
    """`50ms`, `0.5s` or `2` in seconds. Raises UsageError for anything else, and for none."""
    found = _SHORT.fullmatch(text.strip().lower())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
    if not seconds:
        raise UsageError(f"{option} {text!r} is no short span of time: try 50ms or 0.5s")
    return seconds


def moment(option: str, text: str, *, span_is: int = 0) -> Moment:
    """Reads one moment; with `span_is` -1 a span alone, such as `12h`, means so long ago.

    Raises UsageError for anything that is no moment between the years 1970 and 9999.
    """
    plain = " ".join(text.lower().split())
    found = _relative(plain, span_is) if plain else None
    found = found or _absolute(plain)
    if found is None or abs(found.seconds) > _LATEST:
        bare = "12h, " if span_is else ""
        raise UsageError(
            f"{option} {text!r} is no moment: try {bare}'31 days ago', 'in 10m',"
            " '2026-11-23 06:05' (UTC), '2026-11-23T06:05+01:00' or seconds since 1970"
        )
    return found


def _relative(text: str, span_is: int) -> Moment | None:
    if text == "now":
        return Moment(0, relative=True)
    sign, rest = span_is, text
    if text.endswith(" ago"):
        sign, rest = -1, text.removesuffix(" ago")
    elif text.startswith("in "):
        sign, rest = 1, text.removeprefix("in ")
    elif text[0] in "+-":
        sign, rest = (1 if text[0] == "+" else -1), text[1:].strip()
    seconds = _seconds(rest) if sign else None
    return None if seconds is None else Moment(sign * seconds, relative=True)


def _absolute(text: str) -> Moment | None:
    if _EPOCH.fullmatch(text):
        return Moment(int(text))
    if not _ISO.fullmatch(text):
        return None
    try:
        plain = re.sub(r"\s*(?:utc|z)$", "+00:00", text)
        parsed = datetime.fromisoformat(re.sub(r"\s+([+-])", r"\1", plain))
    except ValueError:
        return None  # the 31st of June
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    seconds = int(parsed.timestamp())
    return Moment(seconds) if seconds >= 0 else None


def _seconds(text: str) -> int | None:
    """A span's seconds, None for what is none."""
    plain = text.strip().lower()
    if not _SPAN.fullmatch(plain):
        return None
    parts = [(int(number), unit) for number, unit in _PART.findall(plain)]
    if any(unit not in _UNITS for _, unit in parts):
        return None
    return sum(number * _UNITS[unit] for number, unit in parts)
