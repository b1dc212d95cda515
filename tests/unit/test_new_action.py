"""What may be created, and the columns it is written with."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from compat.site_time import SiteZone
from runner import EnqueueError, NewAction
from runner.core.errors import RunnerError

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC, a Monday
BUDAPEST = SiteZone("Europe/Budapest")
BEYOND = 253_402_300_800  # the year 10000


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("no name", {"hook": ""}),
        ("hook must be a str", {"hook": None}),
        ("hook must be a str", {"hook": b"h"}),
        ("192 characters, the limit is 191", {"hook": "ü" * 192}),
        ("half a character", {"hook": "\ud800"}),
        ("group must be a str", {"group": None}),
        ("256 characters, the limit is 255", {"group": "x" * 256}),
        ("half a character", {"group": "\udfff"}),
        ("priority must be a number", {"priority": "10"}),
        ("priority must be a number", {"priority": None}),
        ("priority must be a number", {"priority": True}),
        ("priority must be a number", {"priority": math.nan}),
        ("priority must be a number", {"priority": math.inf}),
        ("unique is True, False or 'hook'", {"unique": "group"}),
        ("unique is True, False or 'hook'", {"unique": None}),
        ("8003 bytes", {"args": ["x" * 7999]}),
        ("a list or a dict", {"args": "x"}),
        ("a list or a dict", {"args": None}),
        ("no form in PHP's JSON", {"args": [b"x"]}),
        ("no form in JSON", {"args": [math.nan]}),
    ],
)  # fmt: skip
def test_refused_at_once(why, given):
    """An action that could not be written is never made; the error is ours and a ValueError."""
    with pytest.raises(EnqueueError, match=why) as caught:
        NewAction(**{"hook": "h"} | given)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, RunnerError)


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("has no time zone", {"at": datetime(2027, 1, 1)}),  # noqa: DTZ001  that is the point
        ("a date is epoch seconds", {"at": 1.5}),
        ("a date is epoch seconds", {"at": True}),
        ("a date is epoch seconds", {"at": "2027-01-01"}),
        ("outside the calendar", {"at": BEYOND}),
        ("outside the calendar", {"at": -(10**12)}),
        ("cannot be 0 seconds", {"every": 0}),
        ("cannot be -5 seconds", {"every": -5}),
        ("whole number of seconds, not 1.5", {"every": 1.5}),
        ("whole number of seconds, not inf", {"every": math.inf}),
        ("whole number of seconds, not nan", {"every": math.nan}),
        ("whole number of seconds, not True", {"every": True}),
        ("whole number of seconds, not '60'", {"every": "60"}),
        ("not both", {"every": 60, "cron": "@daily"}),
        ("not a cron expression", {"cron": ""}),
        ("not a cron expression", {"cron": "every day"}),
        ("no date matches", {"cron": "0 0 31 2 *"}),
        ("cron expression is a str, not 5", {"cron": 5}),
        ("outside the years 1 to 9999", {"cron": "0 0 1 1 *", "at": BEYOND - 60}),
    ],
)
def test_refused_before_it_is_written(why, given):
    """A rule or a date that cannot be, or that would make the action due at once and for ever."""
    with pytest.raises(EnqueueError, match=why):
        NewAction("h", **given).columns(NOW, BUDAPEST)


def columns(**given):
    return NewAction(**{"hook": "h"} | given).columns(NOW, BUDAPEST)


@pytest.mark.parametrize(
    ("given", "gmt", "local"),
    [
        pytest.param({}, "2026-11-23 06:05:00", "2026-11-23 06:05:00", id="async: local is GMT too"),
        pytest.param({"at": NOW}, "2026-11-23 06:05:00", "2026-11-23 07:05:00", id="winter"),
        pytest.param({"at": 1_784_700_000}, "2026-07-22 06:00:00", "2026-07-22 08:00:00", id="summer"),
        pytest.param({"at": datetime(2026, 11, 23, 7, 5, 0, 999_999, timezone(timedelta(hours=1)))}, "2026-11-23 06:05:00", "2026-11-23 07:05:00", id="datetime"),
        pytest.param({"every": 60}, "2026-11-23 06:05:00", "2026-11-23 07:05:00", id="recurring from now"),
        pytest.param({"every": 60, "at": NOW + 5}, "2026-11-23 06:05:05", "2026-11-23 07:05:05", id="recurring"),
        pytest.param({"cron": "10 6 * * *"}, "2026-11-23 06:10:00", "2026-11-23 07:10:00", id="cron from now"),
        pytest.param({"cron": "5 6 * * *", "at": NOW + 59}, "2026-11-23 06:05:00", "2026-11-23 07:05:00", id="cron in the minute of its start"),
        pytest.param({"at": datetime(9999, 12, 31, tzinfo=UTC)}, "9999-12-31 00:00:00", "9999-12-31 00:00:00", id="the last day"),
    ],
)  # fmt: skip
def test_dates(given, gmt, local):
    """GMT and the site's time, as Action Scheduler's columns hold them."""
    row = columns(**given)
    assert (row["gmt"], row["local"]) == (gmt, local)


@pytest.mark.parametrize(
    ("priority", "stored"),
    [(0, 0), (255, 255), (256, 255), (-1, 0), (7.9, 7), (-0.5, 0), (10**400, 255)],
)
def test_priorities_are_brought_into_range(priority, stored):
    """As in PHP numbers beyond the range count as its end, and fractions are cut."""
    assert columns(priority=priority)["priority"] == stored


def test_the_widest_texts_fit():
    """Columns count characters, so the longest names hold more bytes than that."""
    row = columns(hook="ü" * 191, group="ű" * 255, args=["x" * 7996])
    assert row["hook"] == "ü" * 191
    assert len(row["extended"]) == 8000


def test_args_are_those_of_the_moment():
    """What the caller does to its list afterwards does not change the action."""
    args = [1]
    new = NewAction("h", args)
    args.append(2)
    assert new.columns(NOW, BUDAPEST)["args"] == "[1]"
