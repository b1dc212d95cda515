"""Shapes of Action Scheduler's tables, told from their columns and indexes.

The schema number in the options does not tell a shape (7 names two, 3.9.3 and 4.0.0 share 8, and
upgraded sites keep old indexes): the columns do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDED: Mapping[str, frozenset[str]] = {
    "actions": frozenset(
        {
            "action_id", "hook", "status", "scheduled_date_gmt", "scheduled_date_local", "args",
            "schedule", "group_id", "attempts", "last_attempt_gmt", "last_attempt_local",
            "claim_id", "extended_args",
        }
    ),
    "claims": frozenset({"claim_id", "date_created_gmt"}),
    "groups": frozenset({"group_id", "slug"}),
    "logs": frozenset({"log_id", "action_id", "message", "log_date_gmt", "log_date_local"}),
}  # fmt: skip
"""Columns since schema 3 (Action Scheduler 3.1)."""

OPTIONAL = frozenset({"priority", "unique_key"})
"""Columns of the actions table that came later: schema 7 and schema 9."""

PREFIX = re.compile(r"[A-Za-z0-9_]{1,40}")
"""What a table prefix can be."""

HOOK_INDEX = ("hook", "status", "scheduled_date_gmt")
CLAIM_INDEX = ("claim_id", "status", "priority", "scheduled_date_gmt")
RETENTION_INDEX = ("status", "last_attempt_gmt")


class UnknownShape(ValueError):
    """The tables are not ones that are known here; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the actions table has. Index names are None where there is no such index."""

    priority: bool
    unique_key: bool
    hook_index: str | None
    claim_index: str | None
    retention_index: str | None = None


def shape(
    columns: Mapping[str, Mapping[str, bool]], indexes: Mapping[str, tuple[str, ...]]
) -> Shape:
    """Tells the shape. `columns` maps a table's plain name to its columns and whether an insert
    must give them; `indexes` maps the actions table's index names to their columns.

    Raises UnknownShape for missing tables or columns, and for an unknown column that an insert
    would have to fill.
    """
    for table, needed in NEEDED.items():
        missing = needed - set(columns.get(table, {}))
        if missing == needed:
            raise UnknownShape(f"there is no table {table}")
        if missing:
            raise UnknownShape(f"table {table} has no column {min(missing)}")
    _refuse_unknown(columns)
    return Shape(
        priority="priority" in columns["actions"],
        unique_key="unique_key" in columns["actions"],
        hook_index=_index(indexes, HOOK_INDEX),
        claim_index=_index(indexes, CLAIM_INDEX),
        retention_index=_index(indexes, RETENTION_INDEX),
    )


def _refuse_unknown(columns: Mapping[str, Mapping[str, bool]]) -> None:
    for table, needed in NEEDED.items():
        known = needed | OPTIONAL
        for column, required in columns[table].items():
            if required and column not in known:
                raise UnknownShape(f"table {table} wants a value for the unknown column {column}")


def _index(indexes: Mapping[str, tuple[str, ...]], wanted: tuple[str, ...]) -> str | None:
    return next((name for name, columns in indexes.items() if columns == wanted), None)
