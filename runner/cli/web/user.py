"""`runner web user`: who may open the page by an account of its own."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.cli.output import LIST_FORMATS, chosen_fields, output_options, print_rows
from runner.config import ROLES
from runner.core.errors import UsageError
from runner.operations.accounts import Accounts, check_name
from runner.operations.manage import Actor, Manage

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ("name", "role", "has_password", "has_token", "created_at", "created_by")

EPILOG = """\b
Examples:
  runner web user add anna
  runner web user add deploy --role admin --token
  runner web user role anna admin
  runner web user list
"""

_role = click.Choice(ROLES)


@click.group("user", epilog=EPILOG)
def command() -> None:
    """The page's own accounts. `read` looks, `admin` changes things."""


@command.command("add")
@settings_options("database")
@click.argument("name")
@click.option("--role", type=_role, default="read", show_default=True, help="What it may do.")
@click.option("--token", is_flag=True, help="With a token instead, for scripts: shown once.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@actor_option
def add(
    *, name: str, role: str, token: bool, password_stdin: bool, actor: str | None, **flags: Any
) -> None:
    """Add an account. You are asked for its password, unless it has a token."""
    check_name(name)
    if token and password_stdin:
        raise UsageError("--token and --password-stdin cannot be given together")
    password = None if token else _password(from_input=password_stdin)
    with _audited(flags, actor, "add account", name, f"role {role}") as accounts:
        made = accounts.add(name, role, password=password, token=token, actor=actor_name(actor))
    click.echo(f"added {name}, who may {_may(role)}", err=True)
    if made:
        click.echo("its token, which is not shown again:", err=True)
        click.echo(made)


@command.command("list")
@settings_options("database")
@output_options(*LIST_FORMATS)
def list_(*, style: str, field: str | None, fields: str | None, **flags: Any) -> None:
    """List the accounts."""
    names = chosen_fields(field, fields, FIELDS, FIELDS)
    with site_app(flags).open() as (database, site):
        rows = [asdict(account) for account in Accounts(database, site).list()]
    if style == "count":
        click.echo(len(rows))
    elif style == "ids":
        click.echo(" ".join(row["name"] for row in rows))
    else:
        print_rows(iter(rows), names, style, bare=field is not None)


@command.command("remove")
@settings_options("database")
@click.argument("name")
@actor_option
def remove(*, name: str, actor: str | None, **flags: Any) -> None:
    """Remove an account; whoever is signed in by it is signed out."""
    with _audited(flags, actor, "remove account", name) as accounts:
        accounts.remove(name)
    click.echo(f"removed {name}", err=True)


@command.command("role")
@settings_options("database")
@click.argument("name")
@click.argument("role", type=_role)
@actor_option
def role_(*, name: str, role: str, actor: str | None, **flags: Any) -> None:
    """Say what an account may do, from now on."""
    with _audited(flags, actor, "change account", name, f"role {role}") as accounts:
        accounts.set_role(name, role)
    click.echo(f"{name} may {_may(role)}", err=True)


@command.command("password")
@settings_options("database")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input.")
@actor_option
def password_(*, name: str, password_stdin: bool, actor: str | None, **flags: Any) -> None:
    """Give an account another password; its sessions end."""
    password = _password(from_input=password_stdin)
    with _audited(flags, actor, "change account", name, "another password") as accounts:
        accounts.set_password(name, password)
    click.echo(f"{name} has a new password", err=True)


@command.command("token")
@settings_options("database")
@click.argument("name")
@actor_option
def token_(*, name: str, actor: str | None, **flags: Any) -> None:
    """Give an account a new token; the old one and its sessions end."""
    with _audited(flags, actor, "change account", name, "another token") as accounts:
        made = accounts.renew_token(name)
    click.echo("its token, which is not shown again:", err=True)
    click.echo(made)


@contextmanager
def _audited(
    flags: dict[str, Any], actor: str | None, verb: str, name: str, note: str = ""
) -> Iterator[Accounts]:
    """The site's accounts; what is done with them is in the audit, also when it fails."""
    with site_app(flags).open() as (database, site):
        accounts = Accounts(database, site)
        manage = Manage(database, site, Actor(actor_name(actor)))
        with manage.together(verb, f"account {name}") as entry:
            entry.asked, entry.note = 1, note
            yield accounts
            entry.changed = 1


def _password(*, from_input: bool) -> str:
    """Never from the command line, where others on the machine could read it."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask for a password: --password-stdin, or --token")
    asked: str = click.prompt(
        "Password (12 characters or more)", hide_input=True, confirmation_prompt=True, err=True
    )
    return asked


def _may(role: str) -> str:
    return "change things" if role == "admin" else "look, and change nothing"
