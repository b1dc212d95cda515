"""`runner audit`: who changed what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from runner.cli.options import settings_options, site_app
from runner.cli.output import (
    LIST_FORMATS,
    chosen_fields,
    output_options,
    per_page_option,
    print_rows,
)
from runner.operations.audit import Audit

FIELDS = ("id", "at", "actor", "way", "address", "verb", "target", "asked", "changed", "note")
USUAL = ("at", "actor", "way", "verb", "target", "asked", "changed", "note")

EPILOG = """\b
Examples:
  runner audit
  runner audit --actor anna --verb retry --format json

\b
Fields: id, at (UTC), actor, way (shell, page, api), address, verb, target, asked, changed, note.
A change that was cut off has no number of what was changed.
"""

MOST = 10_000


@click.command("audit", epilog=EPILOG)
@settings_options("database")
@click.option("--actor", metavar="NAME", help="By this person.")
@click.option("--verb", metavar="NAME", help="Of this kind: retry, cancel, replay, pause…")
@per_page_option("Rows", MOST)
@output_options(*LIST_FORMATS)
def command(
    *,
    actor: str | None,
    verb: str | None,
    per_page: int,
    style: str,
    field: str | None,
    fields: str | None,
    **flags: Any,
) -> None:
    """Show who changed what, from the shell and from the page, the newest first."""
    names = chosen_fields(field, fields, FIELDS, USUAL)
    with site_app(flags).open() as (database, site):
        rows = Audit(database, site).newest(per_page or MOST, actor=actor, verb=verb)
    if style == "count":
        click.echo(len(rows))
    elif style == "ids":
        click.echo(" ".join(str(row.id) for row in rows))
    else:
        print_rows((asdict(row) for row in rows), names, style, bare=field is not None)
