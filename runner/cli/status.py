"""`runner status`: what waits, runs and failed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli import printable
from runner.cli.options import make_app, resolved, settings_options
from runner.core.durations import duration
from runner.core.jobs import HOOK, PHP_HOOK
from runner.operations.job_report import JobReport
from runner.operations.report import snapshot

if TYPE_CHECKING:
    from runner.handlers import Handlers
    from runner.operations.report import Snapshot
    from runner.site import Site
    from runner.storage.db import Database

EPILOG = """\b
Examples:
  runner status --handlers shop.jobs:handlers
  runner status --json
"""


@click.command("status", epilog=EPILOG)
@settings_options("database", "handlers")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool, **flags: Any) -> None:
    """Show what waits, runs and failed: all of it, and what has a Python handler."""
    app = make_app(resolved(flags), required=False)
    with app.open() as (database, site):
        shown = snapshot(database, site, app.handlers.hooks)
        jobs = _jobs(database, site, app.handlers) if as_json else None
    click.echo(json.dumps(shown.as_json() | {"jobs": jobs}) if as_json else _text(shown))


def _jobs(database: Database, site: Site, handlers: Handlers) -> dict[str, Any]:
    """The WPKite job manager's figures."""
    hooks = dict.fromkeys((*handlers.job_hooks, HOOK, PHP_HOOK))
    types = [job.hook for job in handlers.jobs]
    return asdict(JobReport(database, site, hooks=[*hooks], types=types).stats())


def _text(shown: Snapshot) -> str:
    schema = printable(shown.schema) or "?"
    lines = [
        f"site         {printable(shown.site) or '(no address)'} (prefix {shown.prefix})",
        f"database     {printable(shown.server)}, Action Scheduler schema {schema}",
        f"time zone    {printable(shown.time_zone)}",
        f"PHP's runner {shown.php_runner}",
        f"own tables   {'there' if shown.migrated else 'missing: `runner migrate` makes them'}",
        "",
        f"{'status':<12}{'all':>10}{'with a Python handler':>24}",
    ]
    for status, count in shown.statuses.items():
        lines.append(f"{printable(status):<12}{count.all:>10}{count.ours:>24}")
    if shown.parked.all:
        lines.append(f"{'parked':<12}{shown.parked.all:>10}{shown.parked.ours:>24}")
    lines.append(f"{'due now':<12}{shown.due.all:>10}{shown.due.ours:>24}")
    lines.append("")
    if shown.oldest_due_gmt and shown.oldest_due_seconds is not None:
        late = duration(shown.oldest_due_seconds)
        lines.append(f"oldest due   {shown.oldest_due_gmt} UTC, {late} ago")
    if shown.next_due_gmt:
        lines.append(f"next due     {shown.next_due_gmt} UTC")
    if shown.dead_letters:
        lines.append(f"dead letters   {shown.dead_letters} (`runner dead-letter list`)")
    lines += [f"paused       {printable(str(pause))}" for pause in shown.paused]
    return "\n".join(lines).rstrip()
