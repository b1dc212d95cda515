"""`runner dead-letter <command>`: what failed for good. One module a command."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {
    "list": "List dead letters, the newest first.",
    "get": "Show one letter whole: args, error, traceback, lineage.",
    "replay": "Run letters again: new actions of the same hook, args, group and priority.",
    "discard": "Close letters that nobody wants replayed.",
    "export": "Write letters as JSON, one a line.",
}


@click.group(
    "dead-letter",
    cls=Lazy,
    package="runner.cli.dead_letter",
    summaries=COMMANDS,
    epilog="Example:  runner dead-letter list --hook wpkite_sync_product",
)
def command() -> None:
    """List, replay, discard and export what failed for good.

    An action becomes a dead letter when its attempts are used up, its error is permanent, its args
    do not fit the handler, or nobody can read its row. Letters are kept in a table of the runner's
    (`runner migrate`).
    """
