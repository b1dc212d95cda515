"""`runner alert <command>`: what was found wrong, and who is told. One module a command."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {
    "list": "List alerts: open ones, their history, what could not be sent.",
    "silence": "Tell nobody of some alerts for a while; end that.",
    "test": "Send a test message on each channel, and say what came of it.",
}


@click.group(
    "alert",
    cls=Lazy,
    package="runner.cli.alert",
    summaries=COMMANDS,
    epilog="Example:  runner alert test",
)
def command() -> None:
    """List alerts, silence them, try the channels.

    The daemon looks each minute and raises, tells and resolves alerts; `runner health --send` does
    so from cron. What counts as wrong is shown by `runner health`, and set by `thresholds`.
    """
