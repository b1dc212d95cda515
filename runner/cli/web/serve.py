"""`runner web`: serves the status page."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import make_app, resolved
from runner.core.errors import ConfigError, DatabaseGone
from runner.operations.accounts import Accounts

if TYPE_CHECKING:
    from runner.app import App
    from runner.config import Settings


def serve(flags: dict[str, Any], *, is_open: bool) -> None:
    """Serves until a signal. Raises ConfigError where nobody could sign in, and for an address
    beyond this machine without TLS."""
    found = resolved(flags)
    settings = found.settings
    app = make_app(found, required=False)
    _check_bind(settings, is_open=is_open)
    _check_proxy(settings)
    if not is_open:
        _check_ways_in(app, settings)
    from web import create_app  # noqa: PLC0415  Flask, for the page alone
    from web.serve import serve as run  # noqa: PLC0415  gunicorn

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    click.echo(f"the page is at http://{settings.bind}/ (Ctrl-C ends it)", err=True)
    if is_open:
        click.echo("runner: --insecure-dev: anybody on this machine may change all", err=True)
    run(create_app(app, settings, is_open=is_open), settings.bind)


def _check_bind(settings: Settings, *, is_open: bool) -> None:
    host = settings.bind.rpartition(":")[0].strip("[]")
    here = host == "localhost" or ip_address(host).is_loopback
    if here:
        return
    if is_open:
        raise ConfigError("--insecure-dev is for this machine alone: bind 127.0.0.1")
    if not settings.web_tls:
        raise ConfigError(
            f"--bind {settings.bind} is reached from other machines, and passwords would travel in"
            " the clear: put a proxy that speaks TLS in front and say --behind-tls, or bind"
            " 127.0.0.1 and use an SSH tunnel"
        )
    if not settings.web_hosts:
        raise ConfigError(
            "say under which name browsers ask for the page: --host runner.shop.example"
        )


def _check_proxy(settings: Settings) -> None:
    if settings.web_user_header and not settings.web_proxies:
        raise ConfigError(
            "--user-header is believed only from the proxies that --proxy names: give their"
            " addresses"
        )


def _check_ways_in(app: App, settings: Settings) -> None:
    """Raises ConfigError where there is no credential by which anybody could come in."""
    try:
        with app.open() as (database, site):
            if not site.migrated:
                raise ConfigError("the page needs the runner's own tables: run `runner migrate`")
            known = Accounts(database, site).list()
    except DatabaseGone as error:
        # It may come back; until then nobody comes in.
        click.echo(f"runner: {error}; the page starts all the same", err=True)
        return
    if not (known or settings.web_wordpress or settings.web_user_header):
        raise ConfigError(
            "nobody could sign in: make an account with `runner web user add NAME`, or let people"
            " in with their WordPress accounts (--wordpress-accounts), or behind a proxy that signs"
            " them in (--proxy, --user-header)"
        )
