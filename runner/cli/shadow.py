"""What `runner run --shadow` shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from runner.cli import printable
from runner.core.durations import duration
from runner.operations.shadow import shadow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.app import App
    from runner.config import Settings
    from runner.operations.shadow import Shadow


def show(app: App, settings: Settings, *, as_json: bool) -> None:
    """Looks and prints: a table, or one JSON object."""
    hooks, mode, limit = app.handlers.hooks, settings.mode, settings.batch_size
    with app.open() as (database, site):
        ownership = app.ownership(database, site, settings)
        seen = shadow(database, site, ownership, hooks, mode=mode, limit=limit)
    click.echo(json.dumps(seen.as_json()) if as_json else "\n".join(_lines(seen)))


def _lines(seen: Shadow) -> Iterator[str]:
    if seen.hooks:
        yield f"{'hook':<40}{'due':>8}  oldest waits"
    for row in seen.hooks:
        yield f"{printable(row.hook):<40}{row.due:>8}  {_wait(row.waits)}"
    for title, actions in (("would take back", seen.taken_back), ("would claim first", seen.first)):
        if actions:
            yield f"{title}:"
        for action in actions:
            yield f"{action.id:>12}  {printable(action.hook)}, {_wait(action.waits)}"
    yield f"shadow: {seen.due} due, nothing was written"
    if seen.refusal:
        yield f"a run would refuse: {printable(seen.refusal)}"


def _wait(seconds: int | None) -> str:
    return "without a date" if seconds is None else duration(seconds)
