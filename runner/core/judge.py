"""The only place that decides what an attempt means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from compat.cron_expression import CronError
from compat.schedules import ScheduleError
from runner.core.http_errors import seconds_asked
from runner.core.model import Cancelled, Completed, Dead, Retried, Snoozed

if TYPE_CHECKING:
    from runner.core.model import Action, Attempt, HandlerFailure, Outcome
    from runner.core.retry import RetryPolicy

SHORTEST_WAIT = 1.0
"""Seconds. Rows are dated in whole seconds, and a wait of 0 would spin inside one run."""


LONGEST_WAIT = 10 * 366 * 86_400.0
"""Seconds, ten years: the date must fit its column, or the row would be due at once for ever."""


CRASHES = frozenset({"crash", "expired", "interrupted"})
"""Failures after which nobody knows how far the handler came."""


def judge(attempt: Attempt, policy: RetryPolicy, now: float, *, on_crash: str = "retry") -> Outcome:
    """Decides the outcome. `now` is the database's time in epoch seconds, UTC; `on_crash` is one
    of runner.core.retry.ON_CRASH."""
    failure = attempt.failure
    if failure is None:
        return Completed()
    if failure.kind == "cancel":
        return Cancelled(_one_line(failure.message))
    if failure.kind == "snooze":
        return Snoozed(_at(now, failure.seconds or 0.0), _one_line(failure.message))
    if failure.kind in CRASHES and on_crash != "retry":
        return Dead(_unknown(attempt.action, failure, on_crash))
    return _retry_or_die(attempt.action, failure, policy, now)


def _unknown(action: Action, failure: HandlerFailure, on_crash: str) -> str:
    """What the log says of an action that may have done its work, wholly or in part."""
    what = describe(failure)
    if on_crash == "fail":
        return f"{what} (on_crash: not tried again)"
    return (
        f"{what}. It may have done its work: look, and if it has not, run it again with"
        f" `runner action retry {action.id}`"
    )


def _retry_or_die(
    action: Action, failure: HandlerFailure, policy: RetryPolicy, now: float
) -> Outcome:
    what = describe(failure)
    if failure.kind in {"fail", "unbound"}:
        return Dead(what)
    if why := _why_permanent(failure, policy):
        return Dead(f"{what} (permanent: {why})")
    tries = f"attempt {action.attempt} of {policy.attempts}"
    if policy.exhausted(action.attempt):
        return Dead(what if policy.attempts == 1 else f"{what} ({tries}, none left)")
    delay, asked = _delay(failure, policy, action.attempt, now)
    at, tries = _at(now, delay), tries + asked
    following = _next_occurrence(action, now)
    if following is not None and at >= following:
        return Dead(f"{what} ({tries}; the next occurrence comes before a retry would)")
    return Retried(at, f"{what} ({tries})")


def _delay(
    failure: HandlerFailure, policy: RetryPolicy, attempt: int, now: float
) -> tuple[float, str]:
    """Seconds to wait, and what the log says about them: whoever names a time is believed, the
    handler and its classifier before the other side's Retry-After."""
    if failure.kind == "interrupted":
        return 0.0, ""
    if failure.seconds is not None:
        return failure.seconds, ""
    asked = seconds_asked(failure.retry_after, now) if failure.retry_after else None
    if asked is None:
        return policy.delay(attempt), ""
    asked = min(asked, LONGEST_WAIT)
    return asked, f"; Retry-After asks for {math.ceil(asked)} s"


def _why_permanent(failure: HandlerFailure, policy: RetryPolicy) -> str:
    """What the handler says itself (Retry) is stronger than its policy."""
    if failure.kind != "error":
        return ""
    return policy.why_permanent(failure.lineage, failure.verdict)


def describe(failure: HandlerFailure) -> str:
    """One line for the log: class and message, or what befell the process."""
    text = _one_line(failure.message)
    if failure.error_class:
        return f"{failure.error_class}: {text}" if text else failure.error_class
    return text or failure.kind


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _at(now: float, delay: float) -> int:
    if math.isnan(delay):
        delay = LONGEST_WAIT
    return math.ceil(now + min(max(delay, SHORTEST_WAIT), LONGEST_WAIT))


def _next_occurrence(action: Action, now: float) -> int | None:
    if not action.schedule.is_recurring:
        return None
    try:
        return action.schedule.following(now)
    except (CronError, ScheduleError):
        return None  # such a chain ends anyway: nothing stands in the way of a retry
