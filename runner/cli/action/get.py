"""`runner action get`: all facts of one action."""

from __future__ import annotations

from typing import Any

import click

from runner.cli import printable
from runner.cli.action.fields import ALL, facts
from runner.cli.action.inputs import number_of, one
from runner.cli.options import settings_options, site_app
from runner.cli.output import ITEM_FORMATS, chosen_fields, output_options, print_item
from runner.operations.actions import Actions

EPILOG = """\b
Examples:
  runner action get 48211
  runner action get 48211 --field status
  runner action get 48211 --format json
"""


@click.command("get", epilog=EPILOG)
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
    """Show all facts of one action, its log among them. Dates are UTC."""
    id_ = number_of(number)
    names = chosen_fields(field, fields, ALL, ALL)
    app = site_app(flags)
    with app.open() as (database, site):
        actions = Actions(database, site)
        action = one(actions, id_)
        log = actions.logs([id_])[id_]
    print_item(facts(action, log), names, style, bare=field is not None)
    for problem in action.problems:
        click.echo(f"this action cannot be read: {printable(problem)}", err=True)
