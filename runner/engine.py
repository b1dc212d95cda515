"""What works: source, executor and worker, put together when there is something to do."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from runner.child_main import settler_of
from runner.core.limits import Limits
from runner.executors import logs
from runner.executors.inline import Inline
from runner.executors.processes import Processes
from runner.executors.threads import Threads
from runner.operations.report import due_count
from runner.operations.worker import Worker
from runner.sources.action_scheduler import ActionScheduler
from runner.sources.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app import App, Progress
    from runner.config import Settings
    from runner.core.signals import Stop
    from runner.core.summary import Summary
    from runner.site import Site
    from runner.sources.ownership import Native
    from runner.storage.db import Database

MEGABYTE = 1024 * 1024


def limits_of(app: App, settings: Settings, stop: Stop) -> Limits:
    """When the work ends."""
    return Limits(
        app.clock,
        stop,
        seconds=settings.time_limit,
        jobs=settings.max_jobs,
        batches=settings.batches,
        memory=settings.memory_limit * MEGABYTE,
    )


def drain(
    app: App,
    database: Database,
    site: Site,
    *,
    ownership: Native,
    settings: Settings,
    limits: Limits,
    progress: Progress,
    poll: float = 0.0,
    tell: Callable[[str], object] | None = None,
) -> Summary:
    """Works until a limit is reached, and without `poll` (seconds) until nothing is left. `tell`
    hears of children that could not start while others work."""
    if progress.begin:
        progress.begin(due_count(database, site, app.handlers.hooks))
    stop = limits.stop
    executor = executor_of(app, settings, stop, tell)
    worker = Worker(
        source(database, site, ownership),
        executor,
        app.handlers,
        limits,
        app.clock,
        batch_size=settings.batch_size,
        pause=settings.pause,
        poll=poll,
        expiry=settings.expiry,
        on_settled=progress.settled,
    )
    database.hurry = lambda: stop.now
    bored = database.bored
    database.bored = lambda: bored() or executor.busy()  # a look must not leave what runs alone
    try:
        if poll:
            executor.prepare()  # so that the first action need not wait for it
        return worker.run()
    finally:
        executor.close()


def executor_of(
    app: App, settings: Settings, stop: Stop, tell: Callable[[str], object] | None = None
) -> Processes | Threads | Inline:
    """Where handlers are called."""
    kind, _, count = settings.executor.partition(":")
    dsn = app.connection.dsn
    site = {"dsn": asdict(dsn) | {"database": dsn.place()}, "prefix": app.connection.prefix}
    if kind == "processes":
        return Processes(
            app.handlers,
            app.names,
            stop,
            app.clock,
            count=int(count),
            log_level=app.log_level,
            site=site,
            max_calls=settings.recycle_after,
            max_memory=settings.recycle_memory * MEGABYTE,
            tell=tell,
        )
    logs.configure(app.log_level)
    settler = partial(settler_of, site)
    if kind == "threads":
        return Threads(app.handlers, stop, app.clock, count=int(count), settler=settler)
    return Inline(app.handlers, app.clock, settler)


def source(database: Database, site: Site, ownership: Native) -> ActionScheduler:
    """The site's queue."""
    journal = Journal(ownership.queries, site.zone, site.log_charset)
    return ActionScheduler(database, ownership.queries, ownership, journal)
