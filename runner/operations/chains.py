"""Recurring chains: what comes next, what waits twice, what has stopped. Reads only, and no more
than LIMIT rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compat.args import ArgsError, decode
from compat.site_time import epoch_of
from runner.core.model import Status
from runner.operations.doctor import Patient
from runner.operations.doctor.queue import ended_chains
from runner.site import identifiers
from runner.sources.rows import Unreadable, schedule_of
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.operations.figures import Census
    from runner.site import Site
    from runner.storage.db import Database, Row

LIMIT = 5_000
"""Live rows that are looked at."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain. `recurrence` is in seconds or a cron expression (UTC); `next_at`, in epoch
    seconds, of the action `next_id`; `duplicates` are live actions of the same hook, args and group
    beyond one. Of one that `stopped` they are the last action and when it ended."""

    hook: str
    args: Any
    group: str
    recurrence: int | float | str | None
    next_id: int | None = None
    next_at: int | None = None
    status: str = ""
    duplicates: int = 0
    stopped: bool = False


def chains(database: Database, site: Site, census: Census | None, most: int) -> list[Chain]:
    """Stopped ones first, then those that wait twice, then by the next date."""
    queries = Queries("chains.sql", database.dialect, identifiers(site, database.dialect))
    if census:
        live = database.query(queries["live"], hooks=census.recurring, limit=LIMIT)
    else:
        live = database.query(queries["live_anywhere"], limit=LIMIT)
    stopped = _stopped(database, site, queries, {row["hook"] for row in live})
    ids = sorted({row["group_id"] for row in (*live, *stopped)})
    named = database.query(queries["groups"], ids=ids) if ids else []
    groups = {row["group_id"]: row["slug"] for row in named}
    found = [_chain(rows, groups) for rows in _alike(live)]
    found += [_ended(row, groups) for row in stopped]
    found.sort(key=lambda c: (not c.stopped, not c.duplicates, c.next_at or 0, c.hook))
    return found[:most]


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row["hook"], row["args"], row["extended_args"], row["group_id"])
        found.setdefault(key, []).append(row)
    return [*found.values()]


def _chain(rows: Sequence[Row], groups: dict[int, str]) -> Chain:
    running = [row for row in rows if row["status"] == Status.RUNNING]
    first = (running or sorted(rows, key=lambda row: str(row["due"])))[0]
    waits = len(rows) - len(running)
    return Chain(
        **_facts(first, groups),
        next_id=first["action_id"],
        next_at=epoch_of(first["due"] and str(first["due"])),
        status=first["status"],
        duplicates=max(waits - 1, 0),
    )


def _ended(row: Row, groups: dict[int, str]) -> Chain:
    at = epoch_of(row["last_attempt_gmt"] and str(row["last_attempt_gmt"]))
    return Chain(**_facts(row, groups), next_id=row["action_id"], next_at=at, stopped=True)


def _facts(row: Row, groups: dict[int, str]) -> dict[str, Any]:
    args: Any = row["extended_args"] or row["args"]
    recurrence = None
    try:
        args = decode(row["args"], row["extended_args"])
        recurrence = schedule_of(row["schedule"]).recurrence
    except (ArgsError, Unreadable):
        pass  # shown as it is stored
    return {
        "hook": row["hook"],
        "args": args,
        "group": groups.get(row["group_id"], ""),
        "recurrence": recurrence,
    }


def _stopped(database: Database, site: Site, queries: Queries, alive: set[str]) -> list[Row]:
    """The newest action of each chain that `runner doctor` and the alerts call stopped."""
    ids = ended_chains(Patient(database, site.tables), alive=alive).values()
    return database.query(queries["ended"], ids=[*ids]) if ids else []
