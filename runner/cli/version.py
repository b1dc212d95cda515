"""`runner version`."""

from __future__ import annotations

import json
import platform

import click

from compat.action_scheduler import NEWEST_SCHEMA
from runner import __version__


@click.command("version", epilog="Example:  runner version --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Show versions: of the runner, of Python, and which table schemas are known."""
    facts = {
        "runner": __version__,
        "python": platform.python_version(),
        "schemas": f"3 to {NEWEST_SCHEMA}",
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(
            f"wp-action-runner {__version__} (Python {facts['python']};"
            f" Action Scheduler tables of schema {facts['schemas']})"
        )
