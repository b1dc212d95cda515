"""A row of the actions table, read into an Action."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from compat.args import ArgsError, decode
from compat.schedules import ScheduleError, read
from runner.core.jobs import Envelope
from runner.core.model import Action, Status

if TYPE_CHECKING:
    from compat.schedules import Schedule
    from runner.storage.db import Row


class Unreadable(ValueError):
    """The row's args or schedule cannot be read; the text says which and why."""


def to_action(row: Row, group: str, *, job: bool = False) -> Action:
    """Reads a row, of a `job` its envelope too. Raises Unreadable for what Action Scheduler
    would call corrupt."""
    stored = stored_args(row)
    try:
        args = decode(stored, None)
    except ArgsError as error:
        raise Unreadable(f"its args: {error}") from error
    return Action(
        id=row["action_id"],
        hook=row["hook"],
        args_text=stored or "",
        schedule=schedule_of(row["schedule"]),
        group_id=row["group_id"],
        group=group,
        priority=row["priority"],
        attempts=_begins_before(row),
        job=Envelope.of(args) if job else None,
    )


def stored_args(row: Row) -> str | None:
    """The args as text, wherever they stand."""
    args, extended = row["args"], row["extended_args"]
    found: str | None = extended if extended not in {None, "", "0"} else args  # PHP: empty()
    return found


def _begins_before(row: Row) -> int:
    """Begins before the current attempt: a row that has begun has counted that one already."""
    counted = 0 if row["status"] == Status.PENDING else 1
    return max(int(row["attempts"]) - counted, 0)


def schedule_of(text: str | None) -> Schedule:
    if not text:
        raise Unreadable("its schedule is empty")
    try:
        return _read_schedule(text)
    except ScheduleError as error:
        raise Unreadable(f"its schedule: {error}") from error


@lru_cache(maxsize=1024)
def _read_schedule(text: str) -> Schedule:
    """Async actions all have the same schedule, and actions queued together often the same date."""
    return read(text.encode("utf-8", "surrogateescape"))
