"""`runner web`: serves the status page; `runner web user` says who may open it."""

from __future__ import annotations

from typing import Any

import click

from runner.cli import Lazy
from runner.cli.options import settings_options

SUMMARIES = {"user": "Add, list, change and remove the page's own accounts."}

EPILOG = """\b
Examples:
  runner web user add anna
  runner web --handlers shop.jobs:handlers
  runner web --wordpress-accounts --role admin
  runner web --bind 0.0.0.0:8020 --behind-tls --host runner.shop.example
  runner web --proxy 127.0.0.1 --user-header X-Forwarded-User

\b
From your own machine: ssh -L 8020:127.0.0.1:8020 server, then http://127.0.0.1:8020/.
/livez and /readyz tell probes whether it lives; every page is JSON under /api.
Exit codes: 0 told to stop, 1 could not work, 2 usage, 78 configuration: nobody could sign in, say.
"""


@click.group(
    "web",
    cls=Lazy,
    package="runner.cli.web",
    summaries=SUMMARIES,
    epilog=EPILOG,
    invoke_without_command=True,
)
@settings_options("database", "handlers", "web", "mode", "groups", "exclude_groups")
@click.option(
    "--insecure-dev",
    "is_open",
    is_flag=True,
    help="Let everybody on this machine in, with all rights. For trying out.",
)
@click.pass_context
def command(context: click.Context, /, *, is_open: bool, **flags: Any) -> None:
    """Serve the status page: what waits, runs and failed, why, and what to do about it.

    Who looks needs an account (`runner web user add`), one of WordPress, or a proxy that says who
    it is. Nobody changes anything but by the role admin.
    """
    if context.invoked_subcommand:
        return
    from runner.cli.web.serve import serve  # noqa: PLC0415  it loads the page

    serve(flags, is_open=is_open)
