"""`runner run --shadow`: what a run would do at this moment. Reads only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of
from runner.core.errors import RunnerError
from runner.operations.actions import Actions
from runner.operations.safety import check_mode
from runner.site import identifiers
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.operations.actions import StoredAction
    from runner.site import Site
    from runner.sources.ownership import Native
    from runner.storage.db import Database


@dataclass(frozen=True, slots=True)
class Waiting:
    """Due actions of one hook; `waits` is how long the oldest does, in seconds, None when none has
    a date."""

    hook: str
    due: int
    waits: int | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An action that would be claimed; `waits` in seconds, None without a date."""

    id: int
    hook: str
    group: str
    priority: int
    scheduled_gmt: str | None
    waits: int | None


@dataclass(frozen=True, slots=True)
class Shadow:
    """What a run would do. `refusal` says why it would not work at all, empty when it would;
    `first` is its first claim, `taken_back` what a dead worker left that it would take back."""

    refusal: str
    due: int
    hooks: tuple[Waiting, ...]
    first: tuple[Claimed, ...]
    taken_back: tuple[Claimed, ...]

    def as_json(self) -> dict[str, Any]:
        return {"shadow": True} | asdict(self)


def shadow(
    database: Database,
    site: Site,
    ownership: Native,
    hooks: Sequence[str],
    *,
    mode: str,
    limit: int,
) -> Shadow:
    """Looks as a run does, and claims nothing."""
    seen = ownership.peek(database, limit)
    rows = _due_by_hook(database, site, hooks)
    actions = Actions(database, site)
    now = actions.now()
    first = [c.id for c in seen.due]
    left = [c.id for c in seen.expired]
    return Shadow(
        refusal=_refusal(mode, site, database, len(hooks)),
        due=sum(row.due for row in rows),
        hooks=rows,
        first=tuple(_claimed(action, now) for action in actions.read(first)),
        taken_back=tuple(_claimed(action, now) for action in actions.read(left)),
    )


def _due_by_hook(database: Database, site: Site, hooks: Sequence[str]) -> tuple[Waiting, ...]:
    queries = Queries("report.sql", database.dialect, identifiers(site, database.dialect))
    rows = database.query(queries["due_by_hook"], hooks_hex=hooks_hex(hooks))
    return tuple(
        Waiting(str(row["hook"]), int(row["actions"]), _wait(row["oldest"], int(row["now"])))
        for row in rows
    )


def _claimed(action: StoredAction, now: int) -> Claimed:
    date = action.scheduled_gmt
    return Claimed(action.id, action.hook, action.group, action.priority, date, _wait(date, now))


def _wait(date: str | None, now: int) -> int | None:
    due = epoch_of(date)
    return None if due is None else max(0, now - due)


def _refusal(mode: str, site: Site, database: Database, hooks: int) -> str:
    try:
        check_mode(mode, site, database.dialect, hooks)
    except RunnerError as error:
        return str(error)
    return ""
