"""`runner resume`: what was paused may begin again."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.cli.pause import target_of, target_options
from runner.core.errors import RunnerError, UsageError
from runner.operations.manage import Actor, Manage
from runner.operations.pauses import Pauses

EPILOG = """\b
Examples:
  runner resume --hook wpkite_sync_product
  runner resume --all

\b
--all ends the pause of everything; pauses of single hooks and groups stay. `runner pause` shows
what is paused.
"""


@click.command("resume", epilog=EPILOG)
@settings_options("database")
@target_options
@actor_option
def command(
    *, hook: str | None, group: str | None, everything: bool, actor: str | None, **flags: Any
) -> None:
    """End a pause: what is due begins within a second."""
    target = target_of(hook, group, everything=everything)
    if target is None:
        raise UsageError("say what to resume: --hook NAME, --group NAME or --all")
    with site_app(flags).open() as (database, site):
        pauses = Pauses(database, site)
        if not Manage(database, site, Actor(actor_name(actor))).resume(target):
            raise RunnerError(f"{target} is not paused (`runner pause` shows what is)")
        left = pauses.list()
    click.echo(f"resumed {target}")
    for pause in left:
        click.echo(f"still paused: {pause}")
