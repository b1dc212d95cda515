"""Options that several commands share."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner import config
from runner.app import App
from runner.core.errors import ConfigError, UsageError
from runner.handlers import Handlers, loading

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_CONNECTION = [
    click.option("--dsn", metavar="URL", help="mysql://user@host:port/database, without password."),
    click.option("--prefix", metavar="TEXT", help="Table prefix of the site (default wp_)."),
]

_HANDLERS = click.option(
    "--handlers",
    "handlers",
    multiple=True,
    metavar="MODULE:NAME",
    help="Where your Handlers object is; may be repeated. Default: RUNNER_HANDLERS, then the entry"
    f" points {loading.ENTRY_POINTS}.",
)


def connection_options(function: F) -> F:
    for option in reversed(_CONNECTION):
        function = option(function)
    return function


def handler_options(function: F) -> F:
    return _HANDLERS(function)


def names_list(option: str, value: str | None) -> tuple[str, ...]:
    """`a,b` as a tuple, empty when the option was not given. Raises UsageError for no name."""
    names = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    if value is not None and not names:
        raise UsageError(f"{option} names nothing: leave it out, or give names with commas between")
    return names


def make_app(
    dsn: str | None, prefix: str | None, handlers: tuple[str, ...], *, required: bool = True
) -> App:
    """The app for a command. With `required`, raises ConfigError when no handler is named."""
    loaded, names = load_handlers(handlers, required=required)
    return App(config.connection(dsn, prefix, os.environ), loaded, names)


def load_handlers(flags: tuple[str, ...], *, required: bool) -> tuple[Handlers, list[str]]:
    names = config.handler_names(flags, os.environ) or loading.entry_points()
    if not names and required:
        raise ConfigError(
            "no handlers are configured. Give --handlers shop.jobs:handlers or RUNNER_HANDLERS;"
            " `handlers` is a runner.Handlers object in your module"
        )
    with contextlib.redirect_stdout(sys.stderr):  # ours alone, for --json's sake
        loaded = loading.load(names)
    if required and not loaded:
        raise ConfigError(f"no hook is registered in {', '.join(names)}: nothing could be run")
    return loaded, names


def log_level(*, quiet: bool) -> str:
    """From which level on what handlers log is shown."""
    if click.get_current_context().find_root().params.get("debug"):
        return "DEBUG"
    return "WARNING" if quiet else "INFO"
