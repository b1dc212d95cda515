"""Creates jobs: actions whose one argument is the WPKite job manager's envelope."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import NORMAL_PRIORITY
from runner.core.errors import DatabaseError, DatabaseGone, EnqueueError, TooBusy
from runner.core.events import on_stderr
from runner.core.jobs import GROUP, Envelope
from runner.core.new_action import NewAction
from runner.site import identifiers
from runner.sources.job_tables import JobTables
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.operations.enqueue import Enqueue, Ids
    from runner.site import Site
    from runner.storage.db import Database, Transaction


class Dispatch:
    """Creates jobs on one site, under one hook."""

    def __init__(self, database: Database, site: Site, enqueue: Enqueue, hook: str) -> None:
        self._database = database
        self._site = site
        self._enqueue = enqueue
        self._hook = hook
        self._queries = Queries("jobs.sql", database.dialect, identifiers(site, database.dialect))
        self._looked = False
        self._tables: JobTables | None = None

    def one(
        self,
        type_: str,
        payload: Any,
        *,
        delay: float = 0,
        priority: float = NORMAL_PRIORITY,
        connection: Any = None,
    ) -> int:
        """The new action's id. Raises EnqueueError for what could not run; nothing was written."""
        if isinstance(delay, bool) or not isinstance(delay, (int, float)):
            raise EnqueueError(f"the delay is a number of seconds, not {delay!r}")
        if not 0 <= delay < math.inf:
            raise EnqueueError(f"the delay must not be negative or endless, and is {delay!r}")
        now = int(self._database.query(self._queries["now"])[0]["now"])
        envelope = Envelope.new(type_, payload, self._site.zone.local(now))
        at = math.ceil(now + delay) if delay else None
        new = NewAction(self._hook, [envelope.facts()], at=at, group=GROUP, priority=priority)
        return self._write(new, envelope, delay, connection)

    def _write(self, new: NewAction, envelope: Envelope, delay: float, connection: Any) -> int:
        tables = self._known()

        def also(tx: Transaction, ids: Ids) -> None:
            if tables:
                tables.dispatched(tx, envelope, ids[0] or 0, delay)

        try:
            ids = self._enqueue.many([new], connection=connection, also=also)
        except (DatabaseGone, TooBusy):
            raise
        except DatabaseError as error:  # the job counts for more than what is told of it
            if connection is not None or not tables or not tables.log:
                raise
            tables.stop(error)
            ids = self._enqueue.many([new], also=also)
        return ids[0] or 0

    def _known(self) -> JobTables | None:
        """The job manager's tables, looked for at the first job."""
        if not self._looked:
            self._tables = JobTables.of(self._database, self._site, on_stderr)
            self._looked = True
        return self._tables
