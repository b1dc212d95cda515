"""`runner job dispatch`: a new job for a handler made with @handlers.job."""

from __future__ import annotations

from typing import Any

import click

from compat.args import ArgsError, decode
from runner.cli.moments import span
from runner.cli.options import resolved, settings_options, site_app
from runner.core.errors import UsageError
from runner.operations.dispatch import Dispatch
from runner.operations.enqueue import Enqueue

EPILOG = """\b
Examples:
  runner job dispatch sync_product --payload '{"product_id": 1001}'
  runner job dispatch send_welcome_email --payload '{"user_id": 42}' --delay 5m --porcelain
"""


@click.command("dispatch", epilog=EPILOG)
@settings_options("database")
@click.argument("type_", metavar="TYPE")
@click.option("--payload", metavar="JSON", default="[]", help="Such as '{\"product_id\": 1001}'.")
@click.option("--delay", metavar="SECONDS", default="0", help="Not before then; or 5m.")
@click.option("--porcelain", is_flag=True, help="Print the id alone.")
def command(*, type_: str, payload: str, delay: str, porcelain: bool, **flags: Any) -> None:
    """Create a job of a type, as WPKite_Job_Manager writes it, under the hook that Python runs."""
    try:
        facts = decode(payload, None)
    except ArgsError as error:
        raise UsageError(f"--payload: {error} (give JSON such as '{{\"id\": 1}}')") from error
    seconds, hook = span("--delay", delay), resolved(flags).settings.jobs_hook
    with site_app(flags).open() as (database, site):
        dispatch = Dispatch(database, site, Enqueue(database, site), hook)
        id_ = dispatch.one(type_, facts, delay=seconds)
    click.echo(id_ if porcelain else f"created action {id_} (hook {hook})")
