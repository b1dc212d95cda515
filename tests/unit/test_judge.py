"""What an attempt means: the one decision, over every kind of failure."""

import math
from dataclasses import replace
from typing import get_args

import pytest

from compat import schedules
from compat.site_time import epoch_of, sql_date
from runner import RetryPolicy
from runner.core.judge import LONGEST_WAIT, describe, judge
from runner.core.model import (
    Action,
    Attempt,
    Cancelled,
    Completed,
    Dead,
    HandlerFailure,
    Outcome,
    Retried,
    Snoozed,
)
from runner.core.retry import PERMANENT, RETRY

NOW = 1_795_413_600.5  # 2026-11-23 06:00:00.5 UTC
SECOND = 1_795_413_600

ONCE = schedules.simple(SECOND - 60)
POLICY = RetryPolicy.steps(100, 200)  # three attempts
NEVER = RetryPolicy.never()
ERROR = HandlerFailure(
    "error", "it broke", "KeyError", ("builtins.KeyError", "builtins.LookupError")
)


def attempt(failure=None, *, number=1, schedule=ONCE):
    action = Action(1, "hook", "[]", schedule, 0, "", 10, number - 1)
    return Attempt(action, 0.1, failure)


def judged(failure=None, *, number=1, schedule=ONCE, policy=POLICY, now=NOW):
    return judge(attempt(failure, number=number, schedule=schedule), policy, now)


def kind(word, message="", **more):
    return HandlerFailure(word, message, **more)


LEFT, SPENT = " (attempt 1 of 3)", " (attempt 3 of 3, none left)"


@pytest.mark.parametrize(
    ("failure", "number", "expected"),
    [
        pytest.param(None, 1, Completed(), id="returned"),
        pytest.param(None, 9, Completed(), id="returned, at whatever attempt"),
        pytest.param(ERROR, 1, Retried(SECOND + 101, "KeyError: it broke" + LEFT), id="error"),
        pytest.param(ERROR, 2, Retried(SECOND + 201, "KeyError: it broke (attempt 2 of 3)"), id="error again"),
        pytest.param(ERROR, 3, Dead("KeyError: it broke" + SPENT), id="error, none left"),
        pytest.param(ERROR, 9, Dead("KeyError: it broke (attempt 9 of 3, none left)"), id="error, long over"),
        pytest.param(kind("retry", "busy"), 1, Retried(SECOND + 101, "busy" + LEFT), id="retry"),
        pytest.param(kind("retry", "busy", seconds=7), 1, Retried(SECOND + 8, "busy" + LEFT), id="retry after"),
        pytest.param(kind("retry", "busy", seconds=0), 1, Retried(SECOND + 2, "busy" + LEFT), id="retry at once"),
        pytest.param(kind("retry", "busy", seconds=-9), 1, Retried(SECOND + 2, "busy" + LEFT), id="retry in the past"),
        pytest.param(kind("retry", "busy", seconds=7), 3, Dead("busy" + SPENT), id="retry, none left"),
        pytest.param(kind("retry"), 1, Retried(SECOND + 101, "retry" + LEFT), id="retry without a word"),
        pytest.param(kind("snooze", "closed", seconds=60), 1, Snoozed(SECOND + 61, "closed"), id="snooze"),
        pytest.param(kind("snooze", "closed", seconds=60), 9, Snoozed(SECOND + 61, "closed"), id="snooze, none left"),
        pytest.param(kind("snooze", seconds=0), 1, Snoozed(SECOND + 2, ""), id="snooze for nothing"),
        pytest.param(kind("snooze", seconds=-60), 1, Snoozed(SECOND + 2, ""), id="snooze into the past"),
        pytest.param(kind("snooze", seconds=0.2), 1, Snoozed(SECOND + 2, ""), id="snooze for a moment"),
        pytest.param(kind("snooze"), 1, Snoozed(SECOND + 2, ""), id="snooze without a time"),
        pytest.param(kind("fail", "no stock"), 1, Dead("no stock"), id="fail"),
        pytest.param(kind("cancel", "not wanted"), 1, Cancelled("not wanted"), id="cancel"),
        pytest.param(kind("cancel", "not wanted"), 3, Cancelled("not wanted"), id="cancel at the last"),
        pytest.param(kind("unbound", "f(a)"), 1, Dead("f(a)"), id="args do not fit"),
        pytest.param(kind("timeout", "too slow"), 1, Retried(SECOND + 101, "too slow" + LEFT), id="timeout"),
        pytest.param(kind("timeout", "too slow"), 3, Dead("too slow" + SPENT), id="timeout, none left"),
        pytest.param(kind("crash", "killed"), 1, Retried(SECOND + 101, "killed" + LEFT), id="crash"),
        pytest.param(kind("crash", "killed"), 3, Dead("killed" + SPENT), id="crash, none left"),
        pytest.param(kind("expired", "no word"), 2, Retried(SECOND + 201, "no word (attempt 2 of 3)"), id="expired"),
        pytest.param(kind("expired", "no word"), 3, Dead("no word" + SPENT), id="expired, none left"),
        pytest.param(kind("interrupted", "stop"), 1, Retried(SECOND + 2, "stop" + LEFT), id="interrupted"),
        pytest.param(kind("interrupted", "stop"), 3, Dead("stop" + SPENT), id="interrupted, none left"),
    ],
)  # fmt: skip
def test_every_failure_has_one_outcome(failure, number, expected):
    """Each way a call can end, at each attempt, has exactly one outcome of the closed set."""
    outcome = judged(failure, number=number)
    assert outcome == expected
    assert isinstance(outcome, get_args(Outcome))


@pytest.mark.parametrize("word", ["error", "timeout", "crash", "expired", "retry"])
def test_a_policy_of_one_try_fails_without_counting(word):
    """With one attempt in all the log says only what happened, as Action Scheduler's does."""
    assert judged(kind(word, "it broke"), policy=NEVER) == Dead("it broke")


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        pytest.param({"give_up_on": (LookupError,)}, "", "named in give_up_on", id="give_up_on"),
        pytest.param({"give_up_on": ("builtins.KeyError",)}, "", "named in give_up_on", id="by name"),
        pytest.param({"retry_on": (OSError,)}, "", "not named in retry_on", id="not in retry_on"),
        pytest.param({}, PERMANENT, "its classifier says so", id="classifier"),
    ],
)  # fmt: skip
def test_a_permanent_error_is_final_at_once(changes, verdict, why):
    """The first such error is the last: the log says why, and spends no words on attempts."""
    failure, policy = replace(ERROR, verdict=verdict), replace(POLICY, **changes)
    assert judged(failure, policy=policy) == Dead(f"KeyError: it broke (permanent: {why})")


@pytest.mark.parametrize("word", ["timeout", "crash", "expired", "interrupted"])
@pytest.mark.parametrize("changes", [{"give_up_on": (BaseException,)}, {"retry_on": (KeyError,)}])
def test_what_befell_the_process_is_never_permanent(word, changes):
    """Where no error was raised, a policy's lists of errors say nothing."""
    assert isinstance(judged(kind(word, "gone"), policy=replace(POLICY, **changes)), Retried)


@pytest.mark.parametrize("word", ["retry", "snooze", "cancel"])
def test_a_handlers_word_is_stronger_than_its_policy(word):
    """A handler that asks for another try gets it, although all errors are permanent."""
    lineage = (f"runner.core.errors.{word.title()}", "builtins.Exception", "builtins.BaseException")
    policy = replace(POLICY, give_up_on=(Exception,), retry_on=(KeyError,))
    outcome = judged(kind(word, "busy", seconds=5, lineage=lineage), policy=policy)
    assert isinstance(outcome, {"retry": Retried, "snooze": Snoozed, "cancel": Cancelled}[word])


ASKED = "KeyError: it broke (attempt 1 of 3; Retry-After asks for {} s)"
PLAIN = Retried(SECOND + 101, "KeyError: it broke" + LEFT)


@pytest.mark.parametrize(
    ("header", "more", "expected"),
    [
        pytest.param("7", {}, Retried(SECOND + 8, ASKED.format(7)), id="sooner than the policy"),
        pytest.param("3600", {}, Retried(SECOND + 3601, ASKED.format(3600)), id="later"),
        pytest.param("Mon, 23 Nov 2026 06:02:00 GMT", {}, Retried(SECOND + 120, ASKED.format(120)), id="date"),
        pytest.param("Mon, 23 Nov 2026 05:00:00 GMT", {}, PLAIN, id="date that is over"),
        pytest.param("0", {}, PLAIN, id="no wait"),
        pytest.param("soon", {}, PLAIN, id="nonsense"),
        pytest.param("9" * 12, {}, Retried(math.ceil(NOW + LONGEST_WAIT), ASKED.format(316_224_000)), id="longest"),
        pytest.param("7", {"seconds": 20.0, "verdict": RETRY}, Retried(SECOND + 21, "KeyError: it broke" + LEFT), id="its classifier knows better"),
        pytest.param("7", {"verdict": PERMANENT}, Dead("KeyError: it broke (permanent: its classifier says so)"), id="permanent all the same"),
    ],
)  # fmt: skip
def test_retry_after_delays_the_retry(header, more, expected):
    """The other side's time replaces the policy's, dates by the database's clock; the log says so."""
    assert judged(replace(ERROR, retry_after=header, **more)) == expected


def test_retry_after_brings_no_attempt_and_passes_no_occurrence():
    """It moves a retry, it does not make one: neither after the last attempt nor into the next
    occurrence of a chain."""
    failure = replace(ERROR, retry_after="60")
    assert judged(failure, number=3) == Dead("KeyError: it broke" + SPENT)
    late = judged(failure, schedule=MINUTELY)
    assert late == Dead(ASKED.format(60)[:-1] + FINAL)


INTERVAL, CRON = schedules.Kind.INTERVAL, schedules.Kind.CRON
MINUTELY = schedules.interval(SECOND - 60, 60)
HOURLY = schedules.cron(SECOND - 3600, "0 * * * *")
FINAL = "; the next occurrence comes before a retry would)"


@pytest.mark.parametrize(
    ("schedule", "seconds", "expected"),
    [
        pytest.param(MINUTELY, 58, SECOND + 59, id="interval: a second before"),
        pytest.param(MINUTELY, 59, None, id="interval: on it"),
        pytest.param(MINUTELY, 60, None, id="interval: after it"),
        pytest.param(HOURLY, 3598, SECOND + 3599, id="cron: a second before"),
        pytest.param(HOURLY, 3599, None, id="cron: on it"),
        pytest.param(HOURLY, 99_999, None, id="cron: long after"),
        pytest.param(ONCE, 99_999, SECOND + 100_000, id="single: no next one"),
        pytest.param(schedules.asynchronous(), 99_999, SECOND + 100_000, id="async: no next one"),
        pytest.param(MINUTELY.put_off_to(SECOND - 5), 59, None, id="interval, retried before"),
        pytest.param(HOURLY.put_off_to(SECOND - 5), 3599, None, id="cron, retried before"),
    ],
)
def test_a_retry_never_meets_the_next_occurrence(schedule, seconds, expected):
    """A retry that would fall on or after the next occurrence is final, and the log says why."""
    outcome = judged(kind("retry", "busy", seconds=seconds), schedule=schedule)
    if expected is None:
        assert outcome == Dead("busy (attempt 1 of 3" + FINAL)
    else:
        assert outcome == Retried(expected, "busy" + LEFT)


def test_a_snooze_may_pass_the_next_occurrence():
    """Putting off moves this occurrence: there is none beside it."""
    outcome = judged(kind("snooze", seconds=600), schedule=MINUTELY)
    assert outcome == Snoozed(SECOND + 601, "")


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(
            schedules.Schedule(INTERVAL, SECOND - 60, SECOND - 60, 0), id="interval of nothing"
        ),
        pytest.param(
            schedules.Schedule(INTERVAL, SECOND - 60, SECOND - 60, "soon"),
            id="interval that is no number",
        ),
        pytest.param(
            schedules.Schedule(CRON, SECOND - 60, SECOND - 60, "0 0 31 4 *"),
            id="cron that never comes",
        ),
    ],
)
def test_a_chain_without_a_next_occurrence_is_retried(schedule):
    """Where the next occurrence cannot be told, nothing stands in the way of a retry."""
    assert isinstance(judged(ERROR, schedule=schedule), Retried)


@pytest.mark.parametrize("word", ["retry", "snooze"])
@pytest.mark.parametrize(
    "seconds", [math.inf, -math.inf, math.nan, 1e9, 1e12, 1e20, 1e300], ids=str
)
def test_any_wait_ends_at_a_date_that_the_database_can_hold(word, seconds):
    """A wait for ever does not end the run, nor make the row due at once by a zero date."""
    outcome = judged(kind(word, "later", seconds=seconds))
    if not isinstance(outcome, Dead):
        assert outcome.at >= NOW + 1
        assert epoch_of(sql_date(outcome.at)) == outcome.at
        assert ONCE.put_off_to(outcome.at).to_bytes()


@pytest.mark.parametrize("now", [SECOND, SECOND + 0.001, SECOND + 0.999])
def test_dates_are_whole_seconds_and_never_early(now):
    """A row's date is the first whole second after the wait."""
    outcome = judged(kind("snooze", seconds=10), now=now)
    assert outcome.at == math.ceil(now + 10)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ERROR, "KeyError: it broke"),
        (kind("error", "", error_class="KeyError"), "KeyError"),
        (kind("error", " a\n  b\tc ", error_class="E"), "E: a b c"),
        (kind("crash", "process 5\ndied"), "process 5 died"),
        (kind("timeout"), "timeout"),
        (kind("error", "\n"), "error"),
    ],
)
def test_a_failure_is_described_in_one_line(failure, expected):
    """Class and message, or what befell the process, without line breaks and never empty."""
    assert describe(failure) == expected


@pytest.mark.parametrize("word", ["error", "retry", "fail", "snooze", "cancel"])
def test_every_reason_is_one_line(word):
    """Whatever a handler writes as its reason, the log gets one line."""
    assert judged(kind(word, "first\nsecond")).why.startswith("first second")
