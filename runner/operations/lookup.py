"""Looks for actions by hook, args and group, as Action Scheduler's own functions do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG
from compat.site_time import epoch_of
from runner.core.model import Status
from runner.core.new_action import check_text, stored_args
from runner.operations import changes
from runner.operations.actions import Actions, Filter, Page

if TYPE_CHECKING:
    from collections.abc import Collection

    from compat.args import Args
    from runner.operations.actions import StoredAction
    from runner.site import Site
    from runner.storage.db import Database


@dataclass(frozen=True, slots=True)
class QueuedAction:
    """An action of the queue as it was when looked for.

    `at` is its schedule's date, None for one that was created to run as soon as possible.
    `recurrence` is a number of seconds or a cron expression (UTC), None for one that runs once.
    What is wrong with a row that cannot be read is in `unreadable`: then `args` is None, `at` the
    date of its column.
    """

    id: int
    hook: str
    args: list[Any] | dict[int | str, Any] | None
    group: str
    status: str
    at: datetime | None
    recurrence: int | float | str | None
    priority: int
    attempts: int
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions: None is any, `[]` is exactly no args, `""` exactly the empty group."""

    hook: str | None = None
    args: Args | None = None
    group: str | None = None

    def filter(self, statuses: Collection[str]) -> Filter:
        """Raises EnqueueError for what no action can have."""
        check_text("hook", self.hook or "", LONGEST_HOOK)
        check_text("group", self.group or "", LONGEST_SLUG)
        args = None if self.args is None else stored_args(self.args).args
        return Filter(self.hook, args, self.group, tuple(statuses))


class Lookup:
    """Looks on one site."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._site = site
        self._actions = Actions(database, site)

    def find(
        self, wanted: Wanted, statuses: Collection[str] = tuple(Status), limit: int = 100
    ) -> list[QueuedAction]:
        """In the order of their dates."""
        ids = self._actions.ids(wanted.filter(statuses), Page(limit=limit, stable=False))
        return [_queued(action) for action in self._actions.read(ids)]

    def next(self, wanted: Wanted) -> QueuedAction | None:
        """The one that runs now, or else the pending one with the earliest date."""
        for status in (Status.RUNNING, Status.PENDING):
            if found := self.find(wanted, [status], 1):
                return found[0]
        return None

    def cancel_next(self, wanted: Wanted) -> int | None:
        """Cancels the pending one with the earliest date; one that another took is passed over."""
        while found := self.find(wanted, [Status.PENDING], 1):
            if changes.cancel(self._database, self._site, [found[0].id]):
                return found[0].id
        return None

    def cancel_all(self, wanted: Wanted) -> int:
        """Cancels every one that is pending now; returns how many."""
        ids = self._actions.ids(wanted.filter([Status.PENDING]), Page(order="id"))
        return len(changes.cancel(self._database, self._site, ids))


def _queued(action: StoredAction) -> QueuedAction:
    readable = not action.problems
    schedule = action.schedule if readable else None
    at = schedule.at if schedule else epoch_of(action.scheduled_gmt)
    return QueuedAction(
        id=action.id,
        hook=action.hook,
        args=action.args if readable and not isinstance(action.args, str) else None,
        group=action.group,
        status=action.status,
        at=None if at is None else _moment(at),
        recurrence=schedule.recurrence if schedule else None,
        priority=action.priority,
        attempts=action.attempts,
        unreadable="; ".join(action.problems),
    )


def _moment(at: int) -> datetime | None:
    """None for a date that Python's calendar does not have."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None
