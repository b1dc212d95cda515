"""`runner job <command>`: jobs of the WPKite job manager. One module a command."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {"dispatch": "Create a job, as WPKite_Job_Manager writes it, for Python to run."}


@click.group(
    "job",
    cls=Lazy,
    package="runner.cli.job",
    summaries=COMMANDS,
    epilog="Example:  runner job dispatch sync_product --payload '{\"product_id\": 1001}'",
)
def command() -> None:
    """Create jobs of the WPKite job manager."""
