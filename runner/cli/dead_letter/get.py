"""`runner dead-letter get`: one letter, whole."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.action.inputs import number_of
from runner.cli.options import settings_options, site_app
from runner.cli.output import ITEM_FORMATS, chosen_fields, output_options, print_item
from runner.core.errors import RunnerError
from runner.operations.dead_letters import DeadLetters

EPILOG = """\b
Examples:
  runner dead-letter get 17
  runner dead-letter get 17 --field traceback
  runner dead-letter get 17 --format json
"""

FIELDS = (
    "id", "action_id", "hook", "group", "priority", "args", "status", "kind", "error_class",
    "message", "traceback", "attempts", "scheduled_at", "created_at", "worker", "site", "job_type",
    "payload", "schedule", "replay_of", "replayed_as", "reprocessed_at", "reprocessed_by", "note",
    "claim_id",
)  # fmt: skip


@click.command("get", epilog=EPILOG)
@settings_options("database")
@click.argument("number", metavar="ID")
@output_options(*ITEM_FORMATS)
def command(
    *, number: str, style: str, field: str | None, fields: str | None, **flags: Any
) -> None:
    """Show one letter: what the action was, why it was given up, what became of it. Dates are
    UTC."""
    id_ = number_of(number, "dead letter's id")
    names = chosen_fields(field, fields, FIELDS, FIELDS)
    with site_app(flags).open() as (database, site):
        found = DeadLetters(database, site).whole([id_])
    if not found:
        raise RunnerError(f"there is no dead letter {id_}")
    (letter,) = found
    if style == "table" and field is None:
        letter |= {"traceback": tuple((letter["traceback"] or "").splitlines())}
    print_item(letter, names, style, bare=field is not None)
