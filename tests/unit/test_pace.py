"""Sizes of batches, rests, and the brake."""

from __future__ import annotations

import itertools

import pytest

from runner.core.limits import Limits
from runner.core.signals import Stop
from runner.operations.pace import FIRST, OTHERS, SAID_AFTER, SMALLEST, STEP, Brake, Pace, SlowLook


@pytest.fixture
def stop():
    stop = Stop()
    yield stop
    stop.close()


def test_batches_grow_while_they_are_quick_and_no_further_than_allowed():
    """Step by step, since one quick batch proves little."""
    pace = Pace(0.1, 200)
    sizes = [pace.size]
    while pace.size < 200:
        pace.heed(0.01)
        sizes.append(pace.size)
    assert sizes[0] == FIRST
    assert all(1 < later / earlier <= 1.25 for earlier, later in itertools.pairwise(sizes))
    pace.heed(0.01)
    assert pace.size == 200


def test_a_slow_batch_halves_the_next_one_down_to_a_floor():
    """And one that takes about as long as it may changes nothing."""
    pace = Pace(0.1, 500)
    pace.heed(0.07)
    assert pace.size == FIRST
    pace.heed(0.11)
    assert pace.size == FIRST // 2
    for _ in range(9):
        pace.heed(9.0)
    assert pace.size == SMALLEST
    tiny = Pace(0.1, 3)
    tiny.heed(9.0)
    assert tiny.size == 3


def test_a_rest_is_a_multiple_of_the_batch_and_the_pause_at_least():
    """So the others have most of the time, however slow the server is."""
    assert Pace(0.1, 500).heed(0.2) == pytest.approx(0.2 * OTHERS)
    assert Pace(0.1, 500, pause=5).heed(0.2) == 5


def test_the_brake_holds_until_no_gauge_complains(clock, stop):
    """It asks again and again, counts the time, and says why when it takes long, once."""
    reasons = iter(["slow"] * 30 + [None])
    told: list[str] = []
    brake = Brake(Limits(clock, stop), [lambda: None, lambda: next(reasons)], told.append)
    brake.wait()
    assert brake.waited == pytest.approx(30 * STEP)
    assert told == ["slow"]
    assert 30 * STEP > SAID_AFTER
    assert next(reasons, "asked") == "asked"


def test_a_short_wait_is_not_told(clock, stop):
    """Nobody wants a line for each."""
    reasons = iter(["slow"] * 3 + [None])
    told: list[str] = []
    Brake(Limits(clock, stop), [lambda: next(reasons)], told.append).wait()
    assert told == []


def test_a_signal_lets_the_brake_go(clock, stop):
    """Whatever the gauges say."""
    asked: list[int] = []

    def slow():
        asked.append(1)
        if len(asked) == 2:
            stop.ask(15)
        return "slow"

    brake = Brake(Limits(clock, stop), [slow], str)
    brake.wait()
    assert len(asked) == 2
    assert brake.waited == pytest.approx(STEP)  # the second rest is cut short


def test_a_look_is_slow_against_the_fastest_one(clock):
    """A distant server is not a slow one."""
    times = iter([0.30, 0.20, 0.24, 0.26, 0.20])
    look = SlowLook(lambda: clock.sleep(next(times)), clock, 0.05)
    assert [look() for _ in range(4)] == [None, None, None, "a look at the queue takes 260 ms"]
    assert look() is None
