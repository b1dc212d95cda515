"""`runner action <command>`: single actions, with WP-CLI's names. One module a command."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {
    "list": "List actions, by hook, status, group, date and more.",
    "get": "Show all facts of one action.",
    "logs": "Show the log of one action.",
    "attempts": "Show every try of one action: how long, how much memory, what error.",
    "next": "Show when a hook runs next.",
    "create": "Create an action: once, async, every so often, or by cron.",
    "cancel": "Cancel pending actions, or running ones.",
    "snooze": "Put pending actions off.",
    "priority": "Let pending actions come sooner, or later.",
    "delete": "Delete actions and their logs.",
    "retry": "Make failed or canceled actions pending again.",
    "run": "Run chosen actions now, due or not.",
}


@click.group(
    "action",
    cls=Lazy,
    package="runner.cli.action",
    summaries=COMMANDS,
    epilog="Example:  runner action list --hook wpkite_sync_product --status pending",
)
def command() -> None:
    """List, create, cancel, delete and run single actions.

    The options are those of `wp action-scheduler action`.
    """
