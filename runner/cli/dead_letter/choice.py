"""Which letters a command is about: by ids, or by what is known of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli.action.inputs import checked, number_of
from runner.cli.moments import moment
from runner.core.errors import RunnerError, UsageError
from runner.operations.dead_letters import DEAD, STATUSES, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def filter_options(function: F) -> F:
    """--hook, --group, --error, --since and --before."""
    for option in reversed(
        (
            click.option("--hook", metavar="NAME", help="Of this hook, exactly."),
            click.option("--group", metavar="NAME", help="Of this group, exactly."),
            click.option(
                "--error", metavar="TEXT", help="Of this error class, or with it in its message."
            ),
            click.option("--since", metavar="MOMENT", help="Given up at this moment or later."),
            click.option("--before", metavar="MOMENT", help="Given up before this moment."),
        )
    ):
        function = option(function)
    return function


def status_option(function: F) -> F:
    """--status, for what only looks."""
    return click.option(
        "--status",
        type=click.Choice([*STATUSES, "all"]),
        default=DEAD,
        show_default=True,
        help="What became of them.",
    )(function)


def wanted_by(options: dict[str, Any], now: int) -> Wanted:
    """The letters that the filter options name, dead ones where there is no --status; `now` is the
    database's time."""
    checked(options["hook"], options["group"])
    since, before = (
        None if options[name] is None else moment(f"--{name}", options[name], span_is=-1).at(now)
        for name in ("since", "before")
    )
    status = options.get("status", DEAD)
    return Wanted(
        hook=options["hook"],
        group=options["group"],
        status=None if status == "all" else status,
        error=options["error"],
        since=since,
        before=before,
    )


def is_narrowed(options: dict[str, Any]) -> bool:
    """Whether any filter option was given."""
    return any(options[name] is not None for name in ("hook", "group", "error", "since", "before"))


def ids_or_filter(
    numbers: tuple[str, ...], options: dict[str, Any], what: str, *, everything: bool
) -> tuple[int, ...] | None:
    """The ids that were named, None when filters say it. Raises UsageError for neither and both."""
    if numbers and (is_narrowed(options) or everything):
        raise UsageError("ids stand alone: leave out the filters, or give no ids")
    if not numbers and not is_narrowed(options) and not everything:
        raise UsageError(f"say what to {what}: ids, a filter such as --hook NAME, or --all")
    if not numbers:
        return None
    return tuple(dict.fromkeys(number_of(text, "dead letter's id") for text in numbers))


def chosen(ids: tuple[int, ...] | None, options: dict[str, Any]) -> str:
    """Which letters are meant, for the audit."""
    if ids is not None:
        return f"dead letter{'' if len(ids) == 1 else 's'} {', '.join(str(id_) for id_ in ids)}"
    names = ("hook", "group", "error", "since", "before")
    said = [f"{name} {options[name]}" for name in names if options[name] is not None]
    return f"dead letters: {', '.join(said) or 'all'}"


def agreed(count: int, what: str, *, yes: bool) -> None:
    """Asks a person before many letters are changed. Raises RunnerError without an agreement."""
    many = f"{count} dead letter{'' if count == 1 else 's'}"
    if yes or count <= 1:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{many} match, nothing was changed: --dry-run shows them, --yes {what}s them"
        )
    if not click.confirm(f"{what.capitalize()} {many}?", err=True):
        raise RunnerError("nothing was changed")
