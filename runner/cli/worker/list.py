"""`runner worker list`: who works, and when each was last seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from runner.cli.options import resolved, settings_options, site_app
from runner.cli.output import LIST_FORMATS, chosen_fields, output_options, print_rows
from runner.core.durations import duration
from runner.operations.workers import WorkerRow, workers

EPILOG = """\b
Examples:
  runner worker list
  runner worker list --format json
  runner worker list --format count
"""

USUAL = ("id", "state", "host", "pid", "queue", "executor", "claims", "seen", "started_at")
ALL = (*USUAL, "seen_at", "silent", "version")


@click.command("list", epilog=EPILOG)
@settings_options("database", "lease")
@output_options(*LIST_FORMATS)
def command(*, style: str, field: str | None, fields: str | None, **flags: Any) -> None:
    """Show the workers of this site. One that was not seen for the length of a lease is silent:
    others take back what it held. Dates are UTC."""
    names = chosen_fields(field, fields, ALL, USUAL)
    lease = resolved(flags).settings.lease
    with site_app(flags).open() as (database, site):
        rows = [_shown(row, lease) for row in workers(database, site)]
    if style == "count":
        click.echo(len(rows))
    elif style == "ids":
        click.echo(" ".join(str(row["id"]) for row in rows))
    else:
        print_rows(rows, names, style, bare=field is not None)


def _shown(row: WorkerRow, lease: int) -> dict[str, Any]:
    state = "silent" if row.silent > lease else "alive"
    return asdict(row) | {"state": state, "seen": f"{duration(row.silent)} ago"}
