"""`runner work`: the daemon."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from runner.app import Progress
from runner.cli import complain
from runner.cli.options import log_level, make_app, resolved, settings_options
from runner.cli.outcomes import sentence
from runner.cli.run import report
from runner.config import Rank
from runner.core.errors import ConfigError
from runner.core.queues import REST, WorkerQueue
from runner.core.signals import Stop
from runner.daemon import Daemon, Watch, lanes
from runner.systemd import Notifier

if TYPE_CHECKING:
    from runner.config import Resolved, Settings
    from runner.core.model import Settlement
    from runner.handlers import Handlers

CHILDREN = 2
"""Of a daemon that is not told how many."""

EPILOG = """\b
Examples:
  runner work --handlers shop.jobs:handlers --mode native
  runner work --queues "payments:4,mail:1,*:2" --max-jobs 10000 --memory-limit 512
  runner work --quiet --grace 30

\b
A handler's queue is what @handlers.on("hook", queue="payments") says; * is the rest.
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
    database is waited for.
    """
    found = resolved(flags)
    settings = found.settings
    app = make_app(found)
    if settings.hooks:
        app.handlers = app.handlers.only(settings.hooks)
    app.log_level = log_level(quiet=quiet)
    worked = lanes(_queues(found), app.handlers)
    _check_grace(settings, app.handlers)
    stop, notifier = Stop(), Notifier.from_environment(os.environ)
    watch = Watch(
        ready=notifier.ready, alive=lambda: notifier.alive(app.clock.monotonic()), tell=complain
    )
    out = sys.stdout  # an executor in this process sends what handlers print elsewhere
    progress = Progress(settled=None if quiet else lambda settlement: _tell(settlement, out))
    daemon = Daemon(app, settings, stop, watch, progress)
    with stop.listening(reloads=True):
        summary = daemon.run(worked)
    notifier.stopping()
    sys.stdout = out
    report(summary, quiet=quiet, as_json=False)
    return 128 + stop.number if stop.now and stop.number else 0


def _queues(found: Resolved) -> tuple[WorkerQueue, ...]:
    """Those that were asked for, or one with as many places as the executor has."""
    count = found.settings.executor.partition(":")[2]
    children = CHILDREN if found.rank("executor") == Rank.DEFAULT else int(count or 1)
    return found.settings.queues or (WorkerQueue(REST, children),)


def _check_grace(settings: Settings, handlers: Handlers) -> None:
    if not settings.grace:
        return
    longest = max(handlers, key=lambda handler: handler.timeout)
    if settings.grace < longest.timeout:
        raise ConfigError(
            f"--grace {settings.grace:g} is shorter than the {longest.timeout:g} s that hook"
            f" {longest.hook} may run: raise it, lower that handler's timeout, or leave it out"
        )


def _tell(settlement: Settlement, out: TextIO) -> None:
    try:
        click.echo(sentence(settlement), file=out)
    except OSError:  # whoever read us has gone, or the disk is full: no reason to stop working
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
