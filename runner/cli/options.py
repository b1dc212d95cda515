"""Options that several commands share, made from the settings' definitions."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.app import App
from runner.config import Resolved, definitions, find, job_hooks, resolve, working_folder
from runner.core.errors import ConfigError, HandlerError, UsageError
from runner.handlers import Handlers, loading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config import Setting

F = TypeVar("F", bound="Callable[..., Any]")


def settings_options(*wanted: str) -> Callable[[F], F]:
    """Adds --config, and a flag for every setting of these sections or names; to --executor its
    short form --inline."""
    flags = [s for s in definitions().values() if s.flag and {s.section, s.name} & {*wanted}]

    def decorate(function: F) -> F:
        for setting in reversed(flags):
            function = _option(setting)(function)
            if setting.name == "executor":
                function = _INLINE(function)
        return _CONFIG(_SITE(function))

    return decorate


_CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="Settings' file (default: RUNNER_CONFIG, then runner.toml of the working folder).",
)

_SITE = click.option(
    "--site",
    metavar="NAME",
    help="A site of the settings' file ([sites.NAME]; default: RUNNER_SITE, or the only one).",
)

_INLINE = click.option(
    "--inline",
    is_flag=True,
    help="The same as --executor inline, for debugging: nothing can be killed.",
)


def _option(setting: Setting) -> Callable[[F], F]:
    if setting.switch:
        default = False if setting.flag_only else None  # None: the flag was not given
        return click.option(
            setting.flag, setting.name, is_flag=True, default=default, help=setting.help
        )
    return click.option(
        *filter(None, (setting.flag, setting.alias)),
        setting.name,
        multiple=setting.repeated,
        metavar="|".join(setting.choices) or setting.metavar,
        help=f"{setting.help}  [default: {setting.default}]" if setting.default else setting.help,
    )


def resolved(options: Mapping[str, Any]) -> Resolved:
    """The settings, given a command's options: those that are settings, and `config`."""
    given = {name: options[name] for name in definitions() if name in options}
    if options.get("inline"):
        if given["executor"] not in {None, "inline"}:
            raise UsageError("--inline and --executor cannot be given together")
        given["executor"] = "inline"
    return resolve(given, os.environ, options.get("config"), site=options.get("site"))


def site_app(options: Mapping[str, Any]) -> App:
    """The app for a command that calls no handlers."""
    return _app(resolved(options), Handlers(), [])


def make_app(found: Resolved, *, required: bool = True) -> App:
    """The app for a command. With `required`, raises ConfigError when no handler is named."""
    return _app(found, *load_handlers(found, required=required))


def _app(found: Resolved, handlers: Handlers, names: list[str]) -> App:
    return App(find(found, os.environ, working_folder()), handlers, names)


def names_list(option: str, value: str | None) -> tuple[str, ...]:
    """`a,b` as a tuple, empty when the option was not given. Raises UsageError for no name."""
    names = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    if value is not None and not names:
        raise UsageError(f"{option} names nothing: leave it out, or give names with commas between")
    return names


def load_handlers(found: Resolved, *, required: bool) -> tuple[Handlers, list[str]]:
    names = [*found.settings.handlers] or loading.entry_points()
    if not names and required:
        raise ConfigError(
            "no handlers are configured. Give --handlers shop.jobs:handlers or RUNNER_HANDLERS;"
            " `handlers` is a runner.Handlers object in your module"
        )
    with contextlib.redirect_stdout(sys.stderr):  # ours alone, for --json's sake
        loaded = loading.load(names, job_hooks(found.settings))
    if required and not loaded:
        raise ConfigError(f"no hook is registered in {', '.join(names)}: nothing could be run")
    return loaded, names


def known_hooks(found: Resolved) -> tuple[list[str], str]:
    """The hooks with a handler; or why there are none to be had, for who looks all the same."""
    try:
        return list(load_handlers(found, required=False)[0].hooks), ""
    except HandlerError as error:
        return [], str(error)


def finite(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Refuses nan, which is neither too small nor too large."""
    if value != value:  # noqa: PLR0124  true of nan alone
        raise click.BadParameter("nan is no number of seconds")
    return value


def log_level(*, quiet: bool) -> str:
    """From which level on what handlers log is shown."""
    if click.get_current_context().find_root().params.get("debug"):
        return "DEBUG"
    return "WARNING" if quiet else "INFO"
