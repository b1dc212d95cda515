"""`runner alert test`: tries whether a message gets through."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import click

from runner.alerts.configured import channels
from runner.cli import complain, printable
from runner.cli.options import make_app, resolved, settings_options
from runner.core.errors import ConfigError, UsageError
from runner.core.message import TEST, Line, Message, SendError
from runner.core.redact import redact_text
from runner.operations.health.alerts import addressee

if TYPE_CHECKING:
    from runner.core.message import Channel

EPILOG = """\b
Examples:
  runner alert test
  runner alert test --channel slack

\b
Exit codes: 0 all of them took it, 1 one did not, 2 usage, 78 configuration.
"""


@click.command("test", epilog=EPILOG)
@settings_options("database", "alerts")
@click.option("--channel", metavar="NAME", help="Only this one: email, slack, or MODULE:NAME.")
def command(*, channel: str | None, **flags: Any) -> int:
    """Send a test message on each channel, and say what came of it."""
    found = resolved(flags)
    tried = _chosen(channels(found.settings), channel)
    with make_app(found, required=False).open() as (database, site):
        to = addressee(database, site)
    line = Line(TEST, "test", "warning", "", "a test: alerts of this site arrive here", "", 0)
    link = found.settings.web_url
    message = Message(uuid.uuid4().hex, site.name, site.url, link, (line,), to=to)
    taken = [_try(each, message) for each in tried]
    return int(not all(taken))


def _chosen(known: list[Channel], wanted: str | None) -> list[Channel]:
    if not known:
        raise ConfigError(
            "no channel is set: smtp_host mails alerts, slack_webhook_file tells Slack,"
            " alert_channels names functions of your own"
        )
    names = ", ".join(each.name for each in known)
    if wanted is not None and wanted not in {each.name for each in known}:
        raise UsageError(f"--channel: there is no {wanted!r} here (there are: {names})")
    return [each for each in known if wanted in {None, each.name}]


def _try(channel: Channel, message: Message) -> bool:
    began = time.monotonic()
    try:
        channel.send(message)
    except SendError as error:
        complain(f"{channel.name}: {redact_text(str(error))}")
        return False
    click.echo(printable(f"{channel.name}: taken in {time.monotonic() - began:.1f} s"))
    return True
