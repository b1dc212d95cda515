"""`runner action logs`: the story of one action."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.action.inputs import number_of, one
from runner.cli.options import settings_options, site_app
from runner.cli.output import ITEM_FORMATS, chosen_fields, output_options, print_rows
from runner.operations.actions import Actions

EPILOG = """\b
Examples:
  runner action logs 48211
  runner action logs 48211 --field message
"""

FIELDS = ("date", "message")


@click.command("logs", epilog=EPILOG)
@settings_options("database")
@click.argument("number", metavar="ID")
@output_options(*ITEM_FORMATS)
def command(
    *,
    number: str,
    style: str,
    field: str | None,
    fields: str | None,
    **flags: Any,
) -> None:
    """Show the log of one action, the oldest line first. Dates are UTC."""
    id_ = number_of(number)
    names = chosen_fields(field, fields, FIELDS, FIELDS)
    app = site_app(flags)
    with app.open() as (database, site):
        actions = Actions(database, site)
        one(actions, id_)
        log = actions.logs([id_])[id_]
    rows = ({"date": entry.date_gmt, "message": entry.message} for entry in log)
    print_rows(rows, names, style, bare=field is not None)
