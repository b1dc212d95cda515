"""A site's local time in Action Scheduler's `*_local` columns (measured on 3.5.4 to 4.0.0).

With `timezone_string` set every local column holds the zone's time. With `gmt_offset` alone the
scheduled and log dates equal GMT, and only `last_attempt_local` applies the offset. An async
action's scheduled local date holds GMT always. Local columns are for display: nothing is
computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZERO = "0000-00-00 00:00:00"
"""MySQL's zero date: WordPress's default where there is none."""

_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # years 1 and 9999


@dataclass(frozen=True, slots=True)
class SiteZone:
    """`name` is option `timezone_string`, `hours` option `gmt_offset`."""

    name: str = ""
    hours: float = 0.0

    @classmethod
    def from_options(cls, timezone_string: str, gmt_offset: str) -> SiteZone:
        """An unknown zone or a number that is none counts as UTC, as in WordPress."""
        try:
            hours = float(gmt_offset or 0)
        except ValueError:
            hours = 0.0
        try:
            ZoneInfo(timezone_string or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            timezone_string = ""
        return cls(timezone_string, hours if -24 < hours < 24 else 0.0)  # noqa: PLR2004

    def offset(self, epoch: float) -> int:
        """Seconds east of UTC at that moment, for scheduled and log dates."""
        if not self.name or not _FIRST + 86_400 <= epoch <= _LAST - 86_400:
            return 0
        return _offset(self.name, epoch)

    def attempt_offset(self, epoch: float) -> int:
        """Seconds east of UTC at that moment, for `last_attempt_local`."""
        return self.offset(epoch) if self.name else int(self.hours * 3600)

    def local(self, epoch: int) -> str:
        """Text for `scheduled_date_local`."""
        return sql_date(epoch + self.offset(epoch))


@lru_cache(maxsize=16)  # the dates of one transaction are of one moment
def _offset(name: str, epoch: float) -> int:
    delta = datetime.fromtimestamp(epoch, ZoneInfo(name)).utcoffset()
    return int(delta.total_seconds()) if delta else 0


def sql_date(epoch: int) -> str:
    """Text of a DATETIME in UTC. Outside the years 1 to 9999: the zero date, as MySQL stores it
    for WordPress's session."""
    if not _FIRST <= epoch <= _LAST:
        return ZERO
    moment = datetime.fromtimestamp(epoch, UTC)
    return f"{moment.year:04}-{moment:%m-%d %H:%M:%S}"


def epoch_of(text: str | None) -> int | None:
    """The moment of a UTC DATETIME's text; None for NULL and for a zero date."""
    if not text or text.startswith("0000"):
        return None
    try:
        return int(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
