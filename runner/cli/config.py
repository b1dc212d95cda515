"""`runner config`: every setting, its value, and where it came from."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from runner.cli import printable
from runner.cli.options import resolved, settings_options
from runner.config import Given, Rank, definitions, find, working_folder
from runner.core.errors import ConfigError, UsageError
from runner.storage.dsn import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config import Connection, Resolved, Setting

EPILOG = """\b
Examples:
  runner config
  runner config --explain --wp-path /var/www/shop
  runner config --json

\b
A setting comes from a flag, else from the environment (RUNNER_BATCH_SIZE=50), else from
runner.toml (batch_size = 50), else from its default. Where the database is, first found wins:
--dsn or --wp-path, RUNNER_DSN or RUNNER_WP_PATH, the WORDPRESS_DB_* variables of the official
image, dsn or wp_path in runner.toml, the wp-config.php of the folder that you are in.
"""


@click.command("config", epilog=EPILOG)
@settings_options("database", "handlers", "run")
@click.option("--explain", is_flag=True, help="Say where each value came from and what it means.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, explain: bool, as_json: bool, **flags: Any) -> int:
    """Show every setting and its value, secrets masked. Needs no database.

    Ends with 78 when something is wrong, after naming every problem.
    """
    found = resolved(flags)
    database, problem = None, None
    try:
        database = find(found, os.environ, working_folder())
    except ConfigError as error:
        problem = error
    except UsageError:
        if not found.several:
            raise
    given = _effective(found, database)
    if as_json:
        click.echo(json.dumps(_facts(given, database) | {"sites": list(found.sites)}))
    else:
        sites = [f"sites     {', '.join(found.sites)} (--site NAME shows one)", ""]
        place = sites if found.several else _place(database)
        click.echo("\n".join([*place, *_lines(given, explain=explain)]))
    if problem:
        raise problem
    return 0


def _effective(found: Resolved, database: Connection | None) -> Mapping[str, Given]:
    """Every value, with what came along with the database where no setting says otherwise."""
    if database is None:
        return found.given
    came = {
        "table_prefix": database.prefix,
        "db_password": database.dsn.password,
        "db_tls": database.dsn.tls,
        "db_ssl_ca": database.dsn.ssl_ca,
    }
    return dict(found.given) | {
        name: Given(value, Rank.DEFAULT, database.origin)
        for name, value in came.items()
        if found.rank(name) == Rank.DEFAULT and value != found.given[name].value
    }


def _shown(setting: Setting, given: Given) -> str:
    """The value as text, without secrets."""
    value = given.value
    if value in ("", ()):
        return ""
    if setting.secret:
        return "***"
    if setting.name == "dsn":
        return _masked(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ("," if setting.name == "queues" else ", ").join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _masked(dsn: str) -> str:
    try:
        return parse(dsn).masked()
    except ConfigError:
        return "***"  # nobody knows which part of it is a password


def _facts(given: Mapping[str, Given], database: Connection | None) -> dict[str, Any]:
    values = {
        name: {"value": _shown(setting, given[name]), "from": given[name].origin}
        for name, setting in _listed().items()
    }
    place = None
    if database:
        place = {
            "dsn": database.dsn.masked(),
            "prefix": database.prefix,
            "tls": database.dsn.tls,
            "from": database.origin,
            "warnings": list(database.warnings),
        }
    return {"database": place, "settings": values}


def _listed() -> dict[str, Setting]:
    return {name: s for name, s in definitions().items() if not s.flag_only}


def _place(database: Connection | None) -> list[str]:
    if database is None:
        return []
    lines = [
        f"database  {printable(database.dsn.where())}, table prefix {printable(database.prefix)}",
        f"from      {printable(database.origin)}",
        *(f"warning   {printable(warning)}" for warning in database.warnings),
    ]
    return [*lines, ""]


def _lines(given: Mapping[str, Given], *, explain: bool) -> list[str]:
    shown = {name: printable(_shown(s, given[name])) for name, s in _listed().items()}
    width = max(len(text) for text in shown.values()) + 2
    lines = []
    for name, setting in _listed().items():
        origin = printable(given[name].origin)
        line = f"{name:<16}{shown[name] or '-':<{width}}"
        lines.append(f"{line}{origin}".rstrip() if explain else line.rstrip())
        if explain:
            lines.append(f"{'':<16}{setting.help}")
    return lines
