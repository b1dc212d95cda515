"""Looks for actions by hook, args and group, as Action Scheduler's own functions do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG
from compat.args import decode
from compat.site_time import epoch_of
from runner.core.model import Status
from runner.core.new_action import check_text, stored_args
from runner.operations import manage
from runner.site import identifiers
from runner.sources.rows import Unreadable, to_action
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Collection

    from compat.args import Args
    from runner.site import Site
    from runner.storage.db import Database, Row


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

    def values(self) -> dict[str, object]:
        """Raises EnqueueError for what no action can have."""
        check_text("hook", self.hook or "", LONGEST_HOOK)
        check_text("group", self.group or "", LONGEST_SLUG)
        stored = None if self.args is None else stored_args(self.args)
        return {
            "any_hook": int(self.hook is None), "hook": self.hook,
            "any_args": int(stored is None), "args": stored and stored.args,
            "any_group": int(self.group is None), "group": self.group,
        }  # fmt: skip


class Lookup:
    """Looks on one site."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._site = site
        self._queries = Queries("lookup.sql", database.dialect, identifiers(site, database.dialect))

    def find(
        self, wanted: Wanted, statuses: Collection[str] = tuple(Status), limit: int = 100
    ) -> list[QueuedAction]:
        """In the order of their dates."""
        rows = self._database.query(
            self._queries["find"], statuses=list(statuses), limit=limit, **wanted.values()
        )
        return [_read(row) for row in rows]

    def next(self, wanted: Wanted) -> QueuedAction | None:
        """The one that runs now, or else the pending one with the earliest date."""
        for status in (Status.RUNNING, Status.PENDING):
            if found := self.find(wanted, [status], 1):
                return found[0]
        return None

    def cancel_next(self, wanted: Wanted) -> int | None:
        """Cancels the pending one with the earliest date; one that another took is passed over."""
        while found := self.find(wanted, [Status.PENDING], 1):
            if manage.cancel(self._database, self._site, [found[0].id]):
                return found[0].id
        return None

    def cancel_all(self, wanted: Wanted) -> int:
        """Cancels every pending one, some at a time; returns how many. What is canceled, or
        taken by another meanwhile, is not found again."""
        count = 0
        values = wanted.values()
        while rows := self._database.query(
            self._queries["some_pending"], limit=manage.MOST, **values
        ):
            ids = [row["action_id"] for row in rows]
            count += len(manage.cancel(self._database, self._site, ids))
        return count


def _read(row: Row) -> QueuedAction:
    group = row["slug"] or ""
    unreadable, args, recurrence = "", None, None
    at = epoch_of(row["scheduled_date_gmt"])
    try:
        action = to_action(row, group)
    except Unreadable as error:
        unreadable = str(error)
    else:
        args = decode(action.args_text, None)
        at, recurrence = action.schedule.at, action.schedule.recurrence
    return QueuedAction(
        id=row["action_id"],
        hook=row["hook"],
        args=args,
        group=group,
        status=row["status"],
        at=None if at is None else _moment(at),
        recurrence=recurrence,
        priority=row["priority"],
        attempts=int(row["attempts"]),
        unreadable=unreadable,
    )


def _moment(at: int) -> datetime | None:
    """None for a date that Python's calendar does not have."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None
