"""While a group is paused: where the due rows of a hook begin that are another group's.

Rows come in the order of their dates, and there is no index of groups. Without this every look
would read all that a paused group has due, however much that is. So the date of the first row that
may be claimed is noted, for all workers, and looks begin there. From time to time it is looked for
anew: a row may be older than the date that was noted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from compat.action_scheduler import parked
from compat.site_time import sql_date
from runner.core.throttle import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.storage.db import Database, Row
    from runner.storage.queries import Queries

FRESH = 10
"""Seconds for which what was noted is good."""

WHOLE = 60
"""Seconds after which it is looked for from the beginning."""

_LATE = 10
"""Seconds: so much later than its date a row may be seen, since its transaction was still open."""


class Skips:
    """Those of one site, at a moment: `now` is the database's time in epoch seconds, `groups` are
    the ids of what is paused. `actions` are the statements of this way of owning rows; `is_parked`
    says that their dates are parked ones."""

    def __init__(
        self,
        gates: Queries,
        actions: Queries,
        groups: Sequence[int],
        now: int,
        *,
        is_parked: bool,
        writes: bool,
    ) -> None:
        way = "parked" if is_parked else "native"
        self._paused = named(way, ",".join(str(group) for group in groups))
        self._gates = gates
        self._actions = actions
        self._groups = list(groups)
        self._now = now
        self._is_parked = is_parked
        self._writes = writes

    def reached(self, database: Database, hooks: Sequence[str]) -> dict[str, str]:
        """From which date on each hook is to be looked at; those left out from the beginning."""
        rows = database.query(self._gates["skips"], paused=self._paused, hooks=list(hooks))
        noted = {str(row["hook"]): row for row in rows}
        found = {}
        for hook in hooks:
            known = noted.get(hook)
            if known is None or self._age(known["looked_at"]) >= FRESH:
                date = self._look(database, hook, known)
            else:
                date = known["reached"]
            if date:
                found[hook] = str(date)
        return found

    def _look(self, database: Database, hook: str, known: Row | None) -> object:
        since, began = None, self._now
        if known and self._age(known["began_at"]) < WHOLE:
            since, began = known["reached"], int(known["began_at"])
        text = self._actions["first_open"]
        rows = database.query(text, hook=hook, since=since, paused=self._groups)
        date = rows[0]["reached"] if rows else self._soon()
        if self._writes:
            database.try_write(
                self._gates["skip"],
                paused=self._paused,
                hook=hook,
                reached=date,
                looked_at=self._now,
                began_at=began,
            )
        return date

    def _age(self, moment: object) -> float:
        """Seconds; of a moment that is yet to come, as after a change of the clock, for ever."""
        age = self._now - int(str(moment))
        return age if age >= 0 else math.inf

    def _soon(self) -> str:
        """From when on something may be due soon, where nothing is."""
        date = sql_date(self._now - _LATE)
        return parked(date) if self._is_parked else date
