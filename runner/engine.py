"""What works: source, executor and worker, put together when there is something to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.core.limits import Limits
from runner.executors.inline import Inline
from runner.executors.processes import Processes
from runner.operations.report import due_count
from runner.operations.worker import Worker
from runner.sources.action_scheduler import ActionScheduler
from runner.sources.journal import Journal

if TYPE_CHECKING:
    from runner.app import App, Progress
    from runner.config import Settings
    from runner.core.signals import Stop
    from runner.core.summary import Summary
    from runner.site import Site
    from runner.sources.ownership import Native
    from runner.storage.db import Database

MEGABYTE = 1024 * 1024


def drain(
    app: App,
    database: Database,
    site: Site,
    ownership: Native,
    *,
    settings: Settings,
    stop: Stop,
    progress: Progress | None,
) -> Summary:
    """Works until nothing is left or a limit is reached."""
    if progress and progress.begin:
        progress.begin(due_count(database, site, app.handlers.hooks))
    limits = Limits(
        app.clock,
        stop,
        seconds=settings.time_limit,
        jobs=settings.max_jobs,
        batches=settings.batches,
        memory=settings.memory_limit * MEGABYTE,
    )
    executor = (
        Inline(app.handlers, app.clock)
        if settings.inline
        else Processes(app.handlers, app.names, stop, app.clock, log_level=app.log_level)
    )
    worker = Worker(
        source(database, site, ownership),
        executor,
        app.handlers,
        limits,
        app.clock,
        batch_size=settings.batch_size,
        pause=settings.pause,
        expiry=settings.expiry,
        on_settled=progress.settled if progress else None,
    )
    database.hurry = lambda: stop.now
    try:
        return worker.run()
    finally:
        executor.close()


def source(database: Database, site: Site, ownership: Native) -> ActionScheduler:
    """The site's queue."""
    journal = Journal(ownership.queries, site.zone, site.log_charset)
    return ActionScheduler(database, ownership.queries, ownership, journal)
