"""`runner action retry`: failed or canceled actions run again."""

from __future__ import annotations

from typing import Any

import click

from runner.cli import complain
from runner.cli.action.inputs import number_of
from runner.cli.options import settings_options, site_app
from runner.operations import manage
from runner.operations.actions import Actions

EPILOG = """\b
Examples:
  runner action retry 48211
  runner action retry $(runner action list --status failed --hook wpkite_sync --format ids)
"""


@click.command("retry", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
def command(*, numbers: tuple[str, ...], **flags: Any) -> int:
    """Make failed or canceled actions pending again, due now, with all their attempts.

    The next run takes them. One of a recurring chain runs once more, outside of its chain.
    """
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    with site_app(flags).open() as (database, site):
        done = manage.retry(database, site, ids)
        left = [id_ for id_ in ids if id_ not in set(done)]
        found = {action.id: action for action in Actions(database, site).read(left)}
    for id_ in left:
        if id_ in found:
            status = found[id_].status
            complain(f"action {id_} is {status}: only failed or canceled actions can be retried")
        else:
            complain(f"there is no action {id_}")
    if done:
        click.echo(f"pending again: {len(done)} action{'' if len(done) == 1 else 's'}")
    return 1 if left else 0
