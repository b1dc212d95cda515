"""What commands that change actions by their ids share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli import complain
from runner.operations.actions import Actions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.site import Site
    from runner.storage.db import Database


def told(
    database: Database, site: Site, ids: Sequence[int], done: Sequence[int], *, did: str, only: str
) -> int:
    """Says what was done, and of the rest why not; returns the exit code. `only` names what can be
    changed."""
    left = [id_ for id_ in ids if id_ not in set(done)]
    found = {action.id: action for action in Actions(database, site).read(left)}
    for id_ in left:
        if id_ in found:
            action = found[id_]
            status = "claimed" if action.claim_id and action.status == "pending" else action.status
            complain(f"action {id_} is {status}: only {only}")
        else:
            complain(f"there is no action {id_}")
    if done:
        click.echo(f"{did} {len(done)} action{'' if len(done) == 1 else 's'}")
    return 1 if left else 0
