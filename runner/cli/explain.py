"""`runner explain`: why an action has not run, or what happened to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from runner.cli import printable
from runner.cli.action.inputs import number_of
from runner.cli.options import make_app, resolved, settings_options
from runner.core.errors import RunnerError
from runner.operations.explain import Work, explain

EPILOG = """\b
Examples:
  runner explain 48211
  runner explain 48211 --json

\b
Codes: clone, corrupt, claimed.live, claimed.dead, claimed.other, future, paused, no_handler,
no_handler.ours, php.off, php.full, exposed, excluded, rate, full, locked, no_worker, due;
running, running.dead, running.other; complete, replay, failed, failed.letter, failed.replayed,
failed.discarded, canceled, canceled.corrupt, chain, chain.stopped, aside, status.
"""


@click.command("explain", epilog=EPILOG)
@settings_options("database", "handlers", "groups", "exclude_groups")
@click.argument("number", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, number: str, as_json: bool, **flags: Any) -> None:
    """Say why an action has not run, or what happened to it, and what to do. Changes nothing.

    All that stands in its way is named, the first cause first. Give the handlers and groups of the
    runner that should run it.
    """
    found = resolved(flags)
    id_ = number_of(number)
    app = make_app(found, required=False)
    settings = found.settings
    work = Work(app.handlers, tuple(settings.groups), tuple(settings.exclude_groups))
    with app.open() as (database, site):
        causes = explain(database, site, work, id_)
    if not causes:
        raise RunnerError(f"there is no action {id_}")
    if as_json:
        click.echo(json.dumps({"action": id_, "causes": [asdict(cause) for cause in causes]}))
        return
    for place, cause in enumerate(causes):
        click.echo(f"{'also: ' if place else f'action {id_}: '}{printable(cause.text)}")
        if cause.advice:
            click.echo(f"  {printable(cause.advice)}")
