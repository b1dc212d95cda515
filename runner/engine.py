"""What works: source, executor and worker, put together when there is something to do."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

from runner import __version__
from runner.child_main import settler_of
from runner.core.events import Events, on_stderr
from runner.core.limits import Limits
from runner.executors import logs
from runner.executors.dead_letters import DeadLetters
from runner.executors.inline import Inline
from runner.executors.processes import Processes
from runner.executors.threads import Threads
from runner.operations.report import due_count
from runner.operations.worker import Worker
from runner.sources.action_scheduler import ActionScheduler
from runner.sources.job_tables import JobTables
from runner.sources.journal import Journal
from runner.sources.leases import Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.app import App, Progress
    from runner.config import Settings
    from runner.core.signals import Stop
    from runner.core.summary import Summary
    from runner.site import Site
    from runner.sources.leases import Leases
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
    queue: str = "",
    poll: float = 0.0,
    tell: Callable[[str], object] = on_stderr,
) -> Summary:
    """Works until a limit is reached, and without `poll` (seconds) until nothing is left. `tell`
    hears of what went wrong beside the work: children that could not start, say. `queue` names the
    worker in lists."""
    if progress.begin:
        progress.begin(due_count(database, site, app.handlers.hooks))
    stop = limits.stop
    ownership.listen(tell)
    executor = executor_of(app, settings, stop, tell)
    letters = DeadLetters(
        partial(_place_beside, app, settings, stop, tell), app.handlers, stop, app.clock, tell
    )
    worker = Worker(
        source(database, site, ownership, app.handlers.job_hooks, tell),
        executor,
        app.handlers,
        limits,
        app.clock,
        batch_size=settings.batch_size,
        pause=settings.pause,
        poll=poll,
        heartbeat=min(settings.heartbeat, settings.expiry / 4, settings.lease / 3),
        silence=ownership.silence,
        events=Events([*progress.subscribers, letters.event], queue=queue, tell=tell),
    )
    database.hurry = lambda: stop.now
    bored = database.bored
    database.bored = lambda: bored() or executor.busy()  # a look must not leave what runs alone
    try:
        if poll:
            executor.prepare()  # so that the first action need not wait for it
        with _registered(ownership.leases, database, queue, settings.executor):
            return worker.run()
    finally:
        executor.close()
        letters.close()


@contextmanager
def _registered(
    leases: Leases | None, database: Database, queue: str, executor: str
) -> Iterator[None]:
    """The worker stands in the list of workers meanwhile."""
    if leases is None:
        yield
        return
    host = socket.gethostname()[:191]
    leases.register(database, Registration(host, os.getpid(), queue, executor, __version__))
    try:
        yield
    finally:
        leases.leave(database)


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
            json_output=app.json_output,
            nice=app.nice,
        )
    logs.configure(app.log_level)
    settler = partial(settler_of, site)
    if kind == "threads":
        return Threads(app.handlers, stop, app.clock, count=int(count), settler=settler)
    return Inline(app.handlers, app.clock, settler)


def _place_beside(
    app: App, settings: Settings, stop: Stop, tell: Callable[[str], object]
) -> Processes | Threads:
    """One place that no action is given to: what hangs there holds up nothing."""
    kind = "processes" if settings.executor.startswith("processes") else "threads"
    made = executor_of(app, replace(settings, executor=f"{kind}:1"), stop, tell)
    assert not isinstance(made, Inline)  # noqa: S101  narrows for the type checker
    return made


def source(
    database: Database,
    site: Site,
    ownership: Native,
    job_hooks: Sequence[str] = (),
    tell: Callable[[str], object] = on_stderr,
) -> ActionScheduler:
    """The site's queue. Where jobs are run, the job manager's tables are looked for once."""
    jobs = JobTables.of(database, site, tell) if job_hooks else None
    journal = Journal(ownership.queries, site.zone, site.log_charset, jobs)
    return ActionScheduler(database, ownership.queries, ownership, journal, job_hooks)
