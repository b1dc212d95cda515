"""Many rows parked or given their true dates back, in short statements of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.site import action_queries, identifiers
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runner.site import Site
    from runner.storage.db import Database

BATCH = 500
"""Rows changed by one statement, which holds their locks: PHP waits no longer than that takes."""


class Parking:
    """Parks rows of one site. `on_done` hears how many more are done."""

    def __init__(
        self, database: Database, site: Site, on_done: Callable[[int], None] | None = None
    ) -> None:
        self._database = database
        dialect = database.dialect
        self._queries = Queries("install.sql", dialect, identifiers(site, dialect))
        self._moves = action_queries(site, dialect, parked=True)
        self._on_done = on_done or (lambda _: None)

    def waiting(self, hooks: Collection[str]) -> int:
        """How many pending rows of these hooks are to be parked."""
        return self._count("count_unparked", hooks)

    def parked_of(self, hooks: Collection[str]) -> int:
        """How many pending rows of these hooks are parked."""
        return self._count("count_parked_of", hooks)

    def others(self, hooks: Collection[str]) -> frozenset[str]:
        """Other hooks of which pending rows are parked."""
        known = hooks_hex(hooks) or [""]  # nothing is NOT IN a list without items
        rows = self._database.query(self._queries["other_parked_hooks"], hooks_hex=known)
        return frozenset(str(row["hook"]) for row in rows)

    def parked(self) -> dict[str, int]:
        """How many rows are parked, by status."""
        rows = self._database.query(self._queries["count_parked"])
        return {str(row["status"]): int(row["actions"]) for row in rows}

    def aside(self) -> int:
        """How many rows the plugin has moved aside, or a dying PHP has left there."""
        return int(self._database.query(self._queries["count_aside"])[0]["actions"])

    def park(self, hooks: Collection[str]) -> int:
        """Parks what is pending of these hooks; returns how many. What PHP has claimed stays."""
        return self._batches(self._moves["to_park"], "park", _named(hooks)).total()

    def give_back(self, hooks: Collection[str]) -> int:
        """True dates for what is pending of these hooks; returns how many."""
        return self._batches(self._queries["some_parked_of"], "give_back", _named(hooks)).total()

    def give_all_back(self) -> Counter[str]:
        """True dates for every row, whatever its hook and status; returns how many, by status."""
        return self._batches(self._queries["some_parked"], "give_back", {})

    def free_aside(self) -> int:
        """Parks again what a dying PHP has left aside; returns how many."""
        return self._database.write(self._moves["free_aside"])

    def _count(self, query: str, hooks: Collection[str]) -> int:
        return int(self._database.query(self._queries[query], **_named(hooks))[0]["actions"])

    def _batches(self, look: str, change: str, which: dict[str, list[str]]) -> Counter[str]:
        """Changes rows until there are none. A row that somebody else changed first is not seen by
        the next look."""
        done: Counter[str] = Counter()
        while rows := self._database.query(look, **which, limit=BATCH):
            ids = [row["action_id"] for row in rows]
            self._database.write(self._moves[change], ids=ids)
            done.update(str(row.get("status", "pending")) for row in rows)
            self._on_done(len(rows))
        return done


def _named(hooks: Collection[str]) -> dict[str, list[str]]:
    names = sorted(hooks)
    return {"hooks": names, "hooks_hex": hooks_hex(names)}
