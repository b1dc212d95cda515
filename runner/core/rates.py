"""Rates as they are written: `50/m`, `50/s,burst=10`, `100/h,key=crm`."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_KEY = 150
"""Characters: the column takes a little more."""

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{0,6})\s*([a-z]+)", re.ASCII)
_EXAMPLE = "write it as 50/m, 50/s,burst=10 or 100/h,key=crm"


_NOISE = 1e-6
"""Of epoch seconds as floats, and of what is reckoned from them."""


class RateError(ValueError):
    """The text is no rate; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds, evenly spread; `burst` of them may come at once. All that
    name the same `key` share one rate, on every machine that works on the site."""

    count: int
    seconds: int
    burst: int = 1
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Reads a rate. Raises RateError."""
        first, *options = (part.strip() for part in str(text).split(","))
        found = _RATE.fullmatch(first.lower())
        unit = _UNITS.get(found[3]) if found else None
        if found is None or unit is None:
            raise RateError(f"{text!r} is no rate: {_EXAMPLE}")
        count, seconds = int(found[1]), int(found[2] or 1) * unit
        if not count or not seconds:
            raise RateError(f"{text!r}: a rate of nothing would stop everything (use a pause)")
        burst, key = _options(text, options)
        return cls(count, seconds, burst, key)

    @property
    def interval(self) -> float:
        """Seconds from one call to the next."""
        return self.seconds / self.count

    def __str__(self) -> str:
        """Without its key."""
        units = {1: "s", 60: "m", 3600: "h", 86_400: "d"}
        span = units.get(self.seconds) or f"{self.seconds}s"
        burst = f",burst={self.burst}" if self.burst > 1 else ""
        return f"{self.count}/{span}{burst}"


def available(rate: Rate, spent_until: float, now: float) -> int:
    """How many calls may begin at once; both moments in epoch seconds."""
    ahead = max(spent_until - now - _NOISE, 0.0) / rate.interval
    return max(int(rate.burst - ahead + _NOISE), 0)


def spend(rate: Rate, spent_until: float, now: float, calls: int) -> float:
    """The moment up to which the calls are spent, once so many more have begun."""
    return max(spent_until, now) + calls * rate.interval


def free_at(rate: Rate, spent_until: float) -> float:
    """When the next call may begin, in epoch seconds."""
    return spent_until - (rate.burst - 1) * rate.interval


def _options(text: str, parts: list[str]) -> tuple[int, str]:
    """Burst and key."""
    burst, key = 1, ""
    for part in parts:
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name == "burst" and value.isascii() and value.isdecimal() and 0 < int(value) <= 10**6:
            burst = int(value)
        elif name == "key" and 0 < len(value) <= LONGEST_KEY:
            key = value
        else:
            raise RateError(f"{text!r}: {part!r} is not understood: {_EXAMPLE}")
    return burst, key
