"""Rates as they are written, and what they let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.rates import Rate, RateError, available, free_at, spend

NOW = 1_795_413_900.0


@pytest.mark.parametrize(
    ("text", "rate", "shown"),
    [
        ("50/m", Rate(50, 60), "50/m"),
        (" 50 / s , burst = 10 ", Rate(50, 1, 10), "50/s,burst=10"),
        ("100/h,key=crm", Rate(100, 3600, 1, "crm"), "100/h"),
        ("1/10s", Rate(1, 10), "1/10s"),
        ("3/day", Rate(3, 86_400), "3/d"),
        ("5/2min,key=a b,burst=2", Rate(5, 120, 2, "a b"), "5/120s,burst=2"),
    ],
)
def test_how_a_rate_is_written(text, rate, shown):
    """A number, a time, and perhaps a burst and a key, in any order."""
    assert Rate.parse(text) == rate
    assert str(rate) == shown


@pytest.mark.parametrize(
    "text",
    ["", "50", "50/", "/s", "50/x", "0/s", "5/0s", "-1/s", "1.5/s", "50/s,burst=0", "50/s,burst",
     "50/s,burst=x", "50/s,key=", "50/s,key=" + "x" * 151, "50/s,wait=3", "\u0665/s", "50/s;burst=2"],
)  # fmt: skip
def test_what_is_no_rate(text):
    """The message says how one is written."""
    with pytest.raises(RateError, match=r"50/m|use a pause"):
        Rate.parse(text)


@given(
    count=st.integers(1, 1000), seconds=st.sampled_from([1, 60, 3600]), burst=st.integers(1, 20),
    waits=st.lists(st.floats(0, 10), max_size=60),
)  # fmt: skip
def test_no_time_has_more_than_its_share(count, seconds, burst, waits):
    """Taking all that there is whenever somebody asks: in any span at most the rate's share and the
    burst, and when it says that one is free, one is."""
    rate, now, spent, calls = Rate(count, seconds, burst), NOW, 0.0, []
    for wait in waits:
        now += wait
        free = available(rate, spent, now)
        assert free <= burst
        spent = spend(rate, spent, now, free)
        calls += [now] * free
        assert available(rate, spent, free_at(rate, spent)) >= 1
    for number, begin in enumerate(calls):
        span = now - begin
        assert len(calls) - number <= span / rate.interval + burst + 1e-3


def test_what_is_not_used_is_not_saved_up():
    """After an hour of rest there is the burst, no more."""
    rate = Rate(2, 60, 3)
    spent = spend(rate, 0.0, NOW, 3)
    assert available(rate, spent, NOW) == 0
    assert available(rate, spent, NOW + 30) == 1
    assert available(rate, spent, NOW + 3600) == 3
