"""A site's local time, and dates as the database writes them."""

from datetime import UTC, datetime

import pytest

from compat.site_time import ZERO, SiteZone, epoch_of, sql_date

FIRST, LAST = -62_135_596_800, 253_402_300_799


def utc(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("name", "when", "local"),
    [
        ("Europe/Budapest", "2026-01-15 12:00:00", "2026-01-15 13:00:00"),
        ("Europe/Budapest", "2026-07-15 12:00:00", "2026-07-15 14:00:00"),
        ("Europe/Budapest", "2026-03-29 00:59:59", "2026-03-29 01:59:59"),
        ("Europe/Budapest", "2026-03-29 01:00:00", "2026-03-29 03:00:00"),
        ("Europe/Budapest", "2026-10-25 00:59:59", "2026-10-25 02:59:59"),
        ("Europe/Budapest", "2026-10-25 01:00:00", "2026-10-25 02:00:00"),
        ("America/New_York", "2026-01-01 03:00:00", "2025-12-31 22:00:00"),
        ("Asia/Kolkata", "2026-01-01 00:00:00", "2026-01-01 05:30:00"),
        ("Pacific/Chatham", "2026-01-01 00:00:00", "2026-01-01 13:45:00"),
        ("UTC", "2026-01-01 00:00:00", "2026-01-01 00:00:00"),
    ],
)
def test_a_named_zone_sets_every_local_column(name, when, local):
    """With timezone_string all local columns hold the zone's time, summer time included."""
    zone, epoch = SiteZone.from_options(name, "0"), utc(when)
    assert zone.local(epoch) == local
    assert zone.offset(epoch) == zone.attempt_offset(epoch) == utc(local) - epoch


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [("0", 0), ("", 0), ("1", 3600), ("-3.5", -12_600), ("5.75", 20_700), ("+2", 7200), ("14", 50_400)],
)  # fmt: skip
def test_an_offset_alone_sets_the_last_attempt_only(hours, seconds):
    """With gmt_offset alone scheduled and log dates equal UTC; the last attempt's does not."""
    zone, epoch = SiteZone.from_options("", hours), utc("2026-07-15 12:00:00")
    assert zone.attempt_offset(epoch) == seconds
    assert zone.offset(epoch) == 0
    assert zone.local(epoch) == "2026-07-15 12:00:00"


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000, "Ü", "UTC+2", "\n"],
    ids=ascii,
)  # fmt: skip
def test_an_unknown_zone_is_none(name):
    """A zone that does not exist counts as not set: the offset remains."""
    assert SiteZone.from_options(name, "2") == SiteZone("", 2.0)


@pytest.mark.parametrize("hours", ["two", "nan", "inf", "-inf", "24", "-24", "1e300", "1,5"])
def test_an_offset_that_is_none_is_utc(hours):
    """A number of hours that no clock has counts as none."""
    assert SiteZone.from_options("", hours) == SiteZone("", 0.0)


def test_a_zone_wins_over_an_offset():
    """WordPress keeps an old offset beside the zone: it means nothing."""
    epoch = utc("2026-01-15 12:00:00")
    assert SiteZone.from_options("Europe/Budapest", "5").attempt_offset(epoch) == 3600


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "1970-01-01 00:00:00"),
        (1_795_413_600, "2026-11-23 06:00:00"),
        (-1, "1969-12-31 23:59:59"),
        (253_402_300_799, "9999-12-31 23:59:59"),
        (-62_135_596_800, "0001-01-01 00:00:00"),
        (-30_610_224_000, "1000-01-01 00:00:00"),
        (utc("2826-11-23 06:00:00"), "2826-11-23 06:00:00"),
    ],
)
def test_dates_are_written_and_read(epoch, text):
    """A moment and its text are each other's, years with leading zeros included."""
    assert sql_date(epoch) == text
    assert epoch_of(text) == epoch


@pytest.mark.parametrize("epoch", [FIRST - 1, LAST + 1, 10**12, -(10**12), 10**30])
def test_a_date_beyond_the_calendar_is_the_zero_date(epoch):
    """As WordPress's session stores it, whatever the zone."""
    assert sql_date(epoch) == ZERO
    assert SiteZone("Europe/Budapest").local(epoch) == ZERO


@pytest.mark.parametrize("name", ["", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("epoch", [FIRST, FIRST + 1, LAST - 1, LAST])
def test_the_calendars_ends_have_local_dates(name, epoch):
    """At either end of the calendar a local date is some date, never an error."""
    assert len(SiteZone(name).local(epoch)) == len(ZERO)


@pytest.mark.parametrize(
    "text", [None, "", ZERO, "0000-01-01 00:00:00", "2026-00-10 00:00:00", "2026-02-30 00:00:00", "soon"]
)  # fmt: skip
def test_what_is_no_date_has_no_moment(text):
    """NULL, zero dates and impossible dates are no moment."""
    assert epoch_of(text) is None


def test_fractions_of_a_second_are_dropped():
    """A column of higher precision is read to the second."""
    assert epoch_of("2026-11-23 06:00:00.999999") == 1_795_413_600
