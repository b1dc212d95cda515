"""The site's queue for code that creates actions, looks for them, and cancels them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from runner import config
from runner.core.clock import SystemClock
from runner.core.errors import EnqueueError
from runner.core.jobs import HOOK
from runner.core.model import Status
from runner.core.new_action import NewAction
from runner.operations.dispatch import Dispatch
from runner.operations.enqueue import Enqueue
from runner.operations.lookup import Lookup, Wanted
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.drivers import driver_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from compat.args import Args
    from runner.core.new_action import Date, Unique
    from runner.operations.lookup import QueuedAction
    from runner.site import Site

    # Named here since `list` is a method below.
    Ids = list[int | None]
    Found = list[QueuedAction]

MOST = 1_000_000
"""Actions listed by one call."""

PATIENCE = 5.0
"""Seconds to wait for a server that was lost: the caller may be answering a web request."""


class Queue:
    """One site's queue over one connection: one for each thread.

    Rows are those that Action Scheduler 4.0 would write, on tables of schema 3 to 9; dates come
    from the database's clock. WordPress itself is not asked: its filters and hooks about new
    actions are not called. What creates an action

    - returns its id, or None when it is unique and has its like already: pending or running, of
      the same hook, group and args (`unique=True`), or of the same hook and group, as before
      Action Scheduler 4.0 (`unique="hook"`). Texts compare by the columns' collation. Of
      several Python processes at the same moment one succeeds; beside PHP, and with
      `connection=`, this is a look, as in PHP: what another has not committed yet is not seen;
    - raises EnqueueError, a ValueError, for what cannot be created; then nothing was written;
    - with `connection=`, the caller's own (PyMySQL, or sqlite3 for a SQLite file), writes in the
      transaction that is open there, neither commits nor rolls it back, and raises the driver's
      errors. A connection that commits each statement by itself is refused.

    A date is epoch seconds (int) or an aware datetime; `priority` 0 to 255, lower runs first.
    """

    def __init__(self, database: Database, site: Site, *, jobs_hook: str = HOOK) -> None:
        self._database = database
        self._enqueue = Enqueue(database, site)
        self._dispatch = Dispatch(database, site, self._enqueue, jobs_hook)
        self._lookup = Lookup(database, site)

    @classmethod
    def open(
        cls,
        dsn: str | None = None,
        *,
        wp_path: str | None = None,
        prefix: str | None = None,
        site: str | None = None,
    ) -> Self:
        """Connects. What is not given is found where the command line finds it; unlike there,
        `dsn` may hold the password. `site` names one of runner.toml's. Raises RunnerError with
        what to do."""
        given = {"dsn": dsn, "wp_path": wp_path, "table_prefix": prefix, "jobs_hook": None}
        resolved = config.resolve(given, os.environ, site=site, arguments=True)
        found = config.find(resolved, os.environ, config.working_folder())
        tables = check_prefix(found.prefix)
        driver = driver_of(found.dsn, tables.plain("actions"))
        database = Database(driver, SystemClock(), patience=PATIENCE)
        try:
            site_ = discover(database, tables)
            return cls(database, site_, jobs_hook=resolved.settings.jobs_hook)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """The end: a closed queue cannot be used again."""
        self._database.shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enqueue(
        self,
        hook: str,
        args: Args = (),
        *,
        group: str = "",
        priority: float = 10,
        unique: Unique = False,
        connection: Any = None,
    ) -> int | None:
        """To run as soon as possible."""
        new = NewAction(hook, args, group=group, priority=priority, unique=unique)
        return self._enqueue.one(new, connection=connection)

    def schedule(
        self,
        hook: str,
        at: Date,
        args: Args = (),
        *,
        group: str = "",
        priority: float = 10,
        unique: Unique = False,
        connection: Any = None,
    ) -> int | None:
        """To run once, at a date."""
        if at is None:
            raise EnqueueError("the date is missing: enqueue() is for as soon as possible")
        new = NewAction(hook, args, at=at, group=group, priority=priority, unique=unique)
        return self._enqueue.one(new, connection=connection)

    def recur(
        self,
        hook: str,
        every: int,
        args: Args = (),
        *,
        first: Date | None = None,
        group: str = "",
        priority: float = 10,
        unique: Unique = False,
        connection: Any = None,
    ) -> int | None:
        """To run every so many seconds, from `first` on (now when not given). The next one is
        created after each run and counts from it, not from the date that was due."""
        if every is None:
            raise EnqueueError("an interval is a whole number of seconds, not None")
        new = NewAction(
            hook, args, at=first, every=every, group=group, priority=priority, unique=unique
        )
        return self._enqueue.one(new, connection=connection)

    def cron(
        self,
        hook: str,
        expression: str,
        args: Args = (),
        *,
        start: Date | None = None,
        group: str = "",
        priority: float = 10,
        unique: Unique = False,
        connection: Any = None,
    ) -> int | None:
        """To run by a cron expression of Action Scheduler's dialect, in UTC (day of month and
        day of week must both match), first in or after the minute of `start`."""
        if expression is None:
            raise EnqueueError("a cron expression is a str, not None")
        new = NewAction(
            hook, args, at=start, cron=expression, group=group, priority=priority, unique=unique
        )
        return self._enqueue.one(new, connection=connection)

    def dispatch(
        self,
        type: str,  # noqa: A002  the envelope's own word
        payload: Mapping[Any, Any] | Sequence[Any] = (),
        *,
        delay: float = 0,
        priority: float = 10,
        connection: Any = None,
    ) -> int:
        """A job of the WPKite job manager for a handler made with `@handlers.job`, to run as soon
        as possible or `delay` seconds from now: its envelope under the hook of the setting
        `jobs_hook`, in the group wpkite-jobs. Returns the action's id."""
        return self._dispatch.one(
            type, payload, delay=delay, priority=priority, connection=connection
        )

    def many(self, actions: Iterable[NewAction], *, connection: Any = None) -> Ids:
        """Creates up to 10,000 actions of any kind with few statements, all or none; ids in
        their order. More than that is refused: call it again for the rest. Unique ones are
        written one by one among the others."""
        return self._enqueue.many(actions, connection=connection)

    def next(
        self, hook: str, args: Args | None = None, *, group: str | None = None
    ) -> QueuedAction | None:
        """The one that runs now (`status` tells), or else the pending one with the earliest date
        (`at`; None for as soon as possible). Here and below, args or group of None are any, `[]`
        is exactly no args, and `""` exactly the empty group."""
        return self._lookup.next(_of_hook(hook, args, group))

    def has(self, hook: str, args: Args | None = None, *, group: str | None = None) -> bool:
        """Whether one is pending or running."""
        return self.next(hook, args, group=group) is not None

    def list(
        self,
        hook: str | None = None,
        args: Args | None = None,
        *,
        group: str | None = None,
        status: str | None = None,
        limit: int = 100,
    ) -> Found:
        """Actions in the order of their dates. Rows that cannot be read are among them."""
        if type(limit) is not int or not 0 <= limit <= MOST:
            raise EnqueueError(f"limit is a number of actions up to {MOST:,}, not {limit!r}")
        statuses = tuple(Status) if status is None else (_status(status),)
        return self._lookup.find(Wanted(hook, args, group), statuses, limit)

    def cancel(
        self, hook: str, args: Args | None = None, *, group: str | None = None
    ) -> int | None:
        """Cancels the pending one with the earliest date; returns its id, None without one.
        One that has begun is not canceled. A recurring one ends with it."""
        return self._lookup.cancel_next(_of_hook(hook, args, group))

    def cancel_all(
        self, hook: str | None = None, args: Args | None = None, *, group: str | None = None
    ) -> int:
        """Cancels every pending one; returns how many. Wants a hook or a group."""
        if hook is None and group is None:
            raise EnqueueError("cancel_all() wants a hook or a group")
        return self._lookup.cancel_all(Wanted(hook, args, group))


def _of_hook(hook: object, args: Args | None, group: str | None) -> Wanted:
    """Raises EnqueueError without a hook: nobody means any action of the site."""
    if not hook or not isinstance(hook, str):
        raise EnqueueError(f"the hook must be a str, not {hook!r}")
    return Wanted(hook, args, group)


def _status(status: str) -> Status:
    try:
        return Status(status)
    except ValueError:
        raise EnqueueError(f"status {status!r}: expected one of {', '.join(Status)}") from None
