"""Thresholds as somebody wrote them."""

from __future__ import annotations

import pytest

from runner.core.thresholds import parse


@pytest.mark.parametrize(
    "text",
    [
        "late=7",
        "overdue=1234567",
        "failures=0.5",
        "chains=off@hook:a@b:c%d",
        "stuck=3600@group:imports",
        "late.seconds=600",
    ],
)
def test_what_is_read_is_written_alike(text):
    """The page reads what a runner has noted."""
    [limit] = parse(text)
    assert str(limit) == text


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "late", "late=", "late==5", "late=-1", "late=nan", "late=1e10", "late=5@",
        "late=5@hook", "late=5@hook:", "late=5@queue:x", "nothing=5", "late.seconds=off",
        "workers=5@hook:x", "late=5,late=6",
    ],
)  # fmt: skip
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse(text)
