"""`runner dead-letter export`: letters as JSON, one a line."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from runner.cli.dead_letter.choice import filter_options, status_option, wanted_by
from runner.cli.options import settings_options, site_app
from runner.operations.actions import Actions
from runner.operations.dead_letters import DeadLetters

EPILOG = """\b
Examples:
  runner dead-letter export > letters.jsonl
  runner dead-letter export --status all --since '1 month ago' > letters.jsonl
"""


@click.command("export", epilog=EPILOG)
@settings_options("database")
@filter_options
@status_option
def command(**options: Any) -> None:
    """Write dead letters to stdout, the oldest first, one JSON object a line, with all that is
    known of each. They are read some at a time, however many there are."""
    with site_app(options).open() as (database, site):
        letters = DeadLetters(database, site)
        wanted = wanted_by(options, Actions(database, site).now())
        for some in letters.walk(wanted):
            for id_ in some:
                for letter in letters.whole([id_]):
                    sys.stdout.write(json.dumps(letter) + "\n")
    sys.stdout.flush()
