"""What is shown of an action, by WP-CLI's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat.schedules import Kind
from runner.core.durations import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compat.schedules import Schedule
    from runner.operations.actions import LogEntry, StoredAction

USUAL = ("id", "hook", "status", "group", "recurring", "scheduled_date")
"""Columns of a list unless others are asked for."""

ALL = (
    *USUAL,
    *("schedule", "args", "priority", "attempts", "last_attempt", "claim_id", "log_entries"),
)

UNREADABLE = "unreadable"


def facts(action: StoredAction, log: Sequence[LogEntry] = ()) -> dict[str, Any]:
    """All fields. Dates are UTC; what is not there is None."""
    return {
        "id": action.id,
        "hook": action.hook,
        "status": action.status,
        "group": action.group,
        "recurring": _recurring(action.schedule),
        "scheduled_date": action.scheduled_gmt,
        "schedule": schedule_text(action.schedule),
        "args": action.args,
        "priority": action.priority,
        "attempts": action.attempts,
        "last_attempt": action.last_attempt_gmt,
        "claim_id": action.claim_id,
        "log_entries": tuple(f"{entry.date_gmt or '-'} {entry.message}" for entry in log),
    }


def _recurring(schedule: Schedule | None) -> str:
    if schedule is None:
        return UNREADABLE
    return "yes" if schedule.is_recurring else "no"


def schedule_text(schedule: Schedule | None) -> str:
    """`once`, `async`, `every 1 h`, `cron 0 3 * * *`, or what else the column holds."""
    if schedule is None:
        return UNREADABLE
    match schedule.kind:
        case Kind.SIMPLE:
            return "once"
        case Kind.NULL:
            return "async"
        case Kind.CRON:
            return f"cron {schedule.recurrence}"
        case Kind.INTERVAL:
            return f"every {_interval(schedule.recurrence)}"
        case _:
            return str(schedule.kind)


def _interval(recurrence: Any) -> str:
    """An exact span, or the number of seconds as it is stored."""
    number = recurrence if isinstance(recurrence, int) else None
    if number is None or number < 1:
        return f"{recurrence} s"
    text = duration(number)
    return text if _is_exact(number) else f"{text} ({number} s)"


def _is_exact(seconds: int) -> bool:
    """Whether two units are enough to say it."""
    if seconds >= 86_400:  # noqa: PLR2004  a day
        return seconds % 3600 == 0
    return seconds < 3600 or seconds % 60 == 0  # noqa: PLR2004  an hour
