"""`runner action attempts`: every try of one action."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from runner.cli.action.inputs import number_of, one
from runner.cli.options import settings_options, site_app
from runner.cli.output import ITEM_FORMATS, chosen_fields, output_options, print_rows
from runner.operations.actions import Actions
from runner.operations.workers import AttemptRow, attempts

EPILOG = """\b
Examples:
  runner action attempts 48211
  runner action attempts 48211 --format json
"""

FIELDS = tuple(AttemptRow.__slots__)


@click.command("attempts", epilog=EPILOG)
@settings_options("database")
@click.argument("number", metavar="ID")
@output_options(*ITEM_FORMATS)
def command(
    *, number: str, style: str, field: str | None, fields: str | None, **flags: Any
) -> None:
    """Show every try of one action, the oldest first: what it came to, milliseconds, peak memory
    in bytes, and which worker. Dates are UTC. Wants the tables of `runner migrate`."""
    id_ = number_of(number)
    names = chosen_fields(field, fields, FIELDS, FIELDS)
    with site_app(flags).open() as (database, site):
        one(Actions(database, site), id_)
        found = attempts(database, site, id_)
    print_rows(map(asdict, found), names, style, bare=field is not None)
