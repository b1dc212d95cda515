"""Moments and spans as people type them."""

import pytest

from runner.cli.moments import Moment, moment, span
from runner.core.durations import duration
from runner.core.errors import UsageError

AT = 1_795_413_900  # 2026-11-23 06:05:00 UTC
DAY = 86_400

ABSOLUTE = {
    "1795413900": AT,
    "0": 0,
    "2026-11-23 06:05": AT,
    "2026-11-23 06:05:00": AT,
    "2026-11-23T06:05": AT,
    " 2026-11-23  06:05 ": AT,
    "2026-11-23T06:05Z": AT,
    "2026-11-23 06:05 UTC": AT,
    "2026-11-23T07:05+01:00": AT,
    "2026-11-23 07:05 +0100": AT,
    "2026-11-23 01:05 -05:00": AT,
    "2026-11-23": AT - 6 * 3600 - 300,
}


@pytest.mark.parametrize(("text", "epoch"), ABSOLUTE.items())
def test_dates_are_utc_unless_they_say_otherwise(text, epoch):
    """Epoch seconds and ISO dates, with and without an offset."""
    assert moment("--x", text) == Moment(epoch)
    assert moment("--x", text).at(5) == epoch


RELATIVE = {
    "now": 0, "NOW": 0, "31 days ago": -31 * DAY, "31 Days Ago": -31 * DAY, "1 week ago": -7 * DAY,
    "in 10m": 600, "+10 minutes": 600, "+ 10 min": 600, "-5s": -5, "+1 hour 30 minutes": 5400,
    "1h30m ago": -5400, "in 2 hrs": 7200,
}  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), RELATIVE.items())
def test_relative_moments_count_from_the_clock_that_is_given(text, seconds):
    """Each way to say so long before or after now."""
    found = moment("--x", text)
    assert found == Moment(seconds, relative=True)
    assert found.at(AT) == AT + seconds


def test_a_span_alone_counts_back_only_where_that_is_meant():
    """`12h` is a moment for --before, and no moment for START."""
    assert moment("--before", "12h", span_is=-1) == Moment(-12 * 3600, relative=True)
    with pytest.raises(UsageError, match="START '12h' is no moment"):
        moment("START", "12h")


NONSENSE = [
    "", " ", "yesterday", "tomorrow", "ago", "days ago", "31 ago", "3 fortnights ago", "1 month ago",
    "in", "in now", "+", "+-5m", "in -5m", "2026-13-01", "2026-06-31", "2026-11-23 25:00",
    "2026-11-23T06:05+99:00", "26-11-23", "2026-11-23 06", "1e9", "-1795413900", "1,000", "١٢٣",
    "0000-00-00 00:00:00", "1969-12-31", "12:00", "2026-11-23 06:05 CET", "now now", "9" * 13,
    "99999999 weeks ago", "5m\x1b[2J",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_with_examples(text):
    """Whatever is no moment is named, and the line says what would be one."""
    with pytest.raises(UsageError, match=r"is no moment: try .*31 days ago"):
        moment("--before", text, span_is=-1)


def test_moments_end_where_dates_end():
    """So long ago that there was no clock yet is the beginning; DATETIME ends with 9999."""
    assert moment("--x", "9999 weeks ago").at(AT) == 0
    assert moment("--x", "in 418000 weeks").at(AT) == 253_402_300_799


SPANS = {
    "90": 90,
    "0": 0,
    "10m": 600,
    "12h": 43_200,
    "3d": 3 * DAY,
    "1 hour 30 min": 5400,
    "2w": 14 * DAY,
}


@pytest.mark.parametrize(("text", "seconds"), SPANS.items())
def test_spans_are_seconds_or_have_units(text, seconds):
    """A number alone is seconds."""
    assert span("--x", text) == seconds


@pytest.mark.parametrize("text", ["", "-5", "ten", "10 m ago", "5x", "1.5h", "m"])
def test_what_is_no_span_is_refused(text):
    """The option is named, and examples are given."""
    with pytest.raises(UsageError, match=r"--older-than .* is no span of time: try 90"):
        span("--older-than", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
        (3605, "1 h 5 s"),
    ],
)
def test_durations_are_told_in_two_units(seconds, text):
    """The two largest units that are not zero."""
    assert duration(seconds) == text
