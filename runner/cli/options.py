"""Options that several commands share, made from the settings' definitions."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.app import App
from runner.config import Resolved, definitions, find, resolve
from runner.core.errors import ConfigError
from runner.handlers import Handlers, loading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config import Setting

F = TypeVar("F", bound="Callable[..., Any]")


def settings_options(*sections: str) -> Callable[[F], F]:
    """Adds a flag for every setting of these sections, and --config."""
    flags = [s for s in definitions().values() if s.flag and s.section in sections]

    def decorate(function: F) -> F:
        for setting in reversed(flags):
            function = _option(setting)(function)
        return _CONFIG(function)

    return decorate


_CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="Settings' file (default: RUNNER_CONFIG, then runner.toml of the working folder).",
)


def _option(setting: Setting) -> Callable[[F], F]:
    if setting.switch:
        return click.option(setting.flag, setting.name, is_flag=True, help=setting.help)
    return click.option(
        setting.flag,
        setting.name,
        type=_type(setting),
        multiple=setting.repeated,
        metavar=None if setting.choices else setting.metavar,
        help=f"{setting.help}  [default: {setting.default}]" if setting.default else setting.help,
    )


def _type(setting: Setting) -> click.ParamType[Any] | None:
    if setting.choices:
        return click.Choice(setting.choices)
    if setting.minimum is not None:
        return click.IntRange(setting.minimum, setting.maximum)
    return click.FloatRange(0) if isinstance(setting.default, float) else None


def resolved(flags: Mapping[str, Any]) -> Resolved:
    """The settings, given a command's flags (`config` among them)."""
    given = {name: value for name, value in flags.items() if name != "config"}
    return resolve(given, os.environ, flags.get("config"))


def make_app(flags: Mapping[str, Any] | Resolved, *, required: bool = True) -> App:
    """The app for a command. With `required`, raises ConfigError when no handler is named."""
    found = flags if isinstance(flags, Resolved) else resolved(flags)
    loaded, names = load_handlers(found, required=required)
    return App(find(found, os.environ, Path.cwd()), loaded, names)


def load_handlers(found: Resolved, *, required: bool) -> tuple[Handlers, list[str]]:
    names = [*found.settings.handlers] or loading.entry_points()
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
