"""`runner work`: the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from runner.cli.log import Log
from runner.cli.options import log_level, make_app, resolved, settings_options
from runner.cli.sites import work_all
from runner.config import Rank
from runner.core.errors import ConfigError, RunnerError
from runner.core.queues import REST, WorkerQueue
from runner.core.signals import Stop
from runner.daemon import Daemon, Watch, lanes
from runner.executors import logs
from runner.systemd import Notifier

if TYPE_CHECKING:
    from runner.config import Resolved, Settings
    from runner.handlers import Handlers

CHILDREN = 2
"""Of a daemon that is not told how many."""

EPILOG = """\b
Examples:
  runner work --handlers shop.jobs:handlers --mode native
  runner work --queues "payments:4:3,mail:1,*:2" --max-jobs 10000 --memory-limit 512
  runner work --quiet --grace 30

\b
name:children[:weight]; a child of weight 3 gets up to three times the processor of one of weight 1
while both want it. A handler's queue is what @handlers.on("hook", queue="payments") says, else its
group=; * is the rest.
SIGTERM and SIGINT end it after the running actions, a second one at once. SIGHUP lets children be
replaced, so that they load changed code. Under systemd: Type=notify, with WatchdogSec if you like.

\b
Exit codes: 0 told to stop or a limit reached, 1 could not work, 2 usage, 78 configuration,
128+n cut short by a second signal.
"""


@click.command("work", epilog=EPILOG)
@settings_options(
    "database", "handlers", "work", "mode", "executor", "batch_size", "groups", "exclude_groups",
    "time_limit", "max_jobs", "memory_limit", "recycle_after", "recycle_memory", "expiry",
    "lease", "heartbeat",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(*, quiet: bool, **flags: Any) -> int:
    """Run due actions as they come, until told to stop.

    Each queue has children of its own, so that slow work of one does not hold up another. A lost
    database is waited for. Several sites in runner.toml have a daemon each, unless --site names
    one.
    """
    found = resolved(flags)
    if found.several:
        return work_all(found)
    as_json, level = found.settings.log_format == "json", log_level(quiet=quiet)
    log = Log(as_json=as_json, quiet=quiet)
    if as_json:
        logs.configure(level, as_json=True)
    try:
        return _work(found, log, level)
    except RunnerError as error:
        if not as_json:
            raise
        return log.failed(error)


def _work(found: Resolved, log: Log, level: str) -> int:
    """Works until told to stop. The exit code."""
    settings = found.settings
    app = make_app(found)
    if settings.hooks:
        app.handlers = app.handlers.only(settings.hooks)
    app.log_level, app.json_output = level, settings.log_format == "json"
    worked = lanes(_queues(found), app.handlers)
    _check_grace(settings, app.handlers)
    stop, notifier = Stop(), Notifier.from_environment(os.environ)
    watch = Watch(
        ready=notifier.ready, alive=lambda: notifier.alive(app.clock.monotonic()), tell=log.tell
    )
    daemon = Daemon(app, settings, stop, watch, [log.event])
    with stop.listening(reloads=True):
        summary = daemon.run(worked)
    notifier.stopping()
    log.ended(summary)
    return 128 + stop.number if stop.now and stop.number else 0


def _queues(found: Resolved) -> tuple[WorkerQueue, ...]:
    """Those that were asked for, or one with as many places as the executor has."""
    count = found.settings.executor.partition(":")[2]
    children = CHILDREN if found.rank("executor") == Rank.DEFAULT else int(count or 1)
    queues = found.settings.queues or (WorkerQueue(REST, children),)
    kind = found.settings.executor.partition(":")[0]
    if kind != "processes" and (weighted := [q for q in queues if q.weight != 1]):
        raise ConfigError(
            f"queue {weighted[0]} has a weight, which only children can have, and the executor is"
            f" {kind}: leave the weight out, or the executor"
        )
    return queues


def _check_grace(settings: Settings, handlers: Handlers) -> None:
    if not settings.grace:
        return
    longest = max(handlers, key=lambda handler: handler.timeout)
    if settings.grace < longest.timeout:
        raise ConfigError(
            f"--grace {settings.grace:g} is shorter than the {longest.timeout:g} s that hook"
            f" {longest.hook} may run: raise it, lower that handler's timeout, or leave it out"
        )
