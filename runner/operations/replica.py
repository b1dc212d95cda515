"""How far a replica of the site's database is behind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.core.errors import DatabaseError, Denied, RunnerError, UsageError
from runner.storage.db import NotUnderstood
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.storage.db import Database, Row

EVERY = 1.0
"""Seconds between two questions: a replica tells whole seconds."""

_COLUMNS = ("Seconds_Behind_Source", "Seconds_Behind_Master")


class Replica:
    """A gauge: tells that it is more than `most` seconds behind, or that nobody knows. `name` is
    where it is, in words."""

    def __init__(self, database: Database, name: str, most: float) -> None:
        self._database = database
        self._name = name
        self._most = most
        self._queries = Queries("purge.sql", "mysql", {})
        self._asked = -math.inf
        self._why: str | None = None
        self._text = self._queries["replica_status"]

    def check(self) -> None:
        """Raises RunnerError where its lag cannot be told."""
        try:
            rows = self._ask()
        except Denied as error:
            raise RunnerError(
                "--replica: the account may not ask how far it is behind: grant REPLICATION CLIENT"
                f" (on MariaDB: SLAVE MONITOR) there ({error})"
            ) from error
        if not rows:
            raise UsageError(f"--replica: {self._name} is no replica")

    def __call__(self) -> str | None:
        now = self._database.clock.monotonic()
        if now >= self._asked + EVERY:
            self._asked = now
            self._why = self._look()
        return self._why

    def _look(self) -> str | None:
        rows = self._database.try_query(self._text)
        if rows is None:
            return f"{self._name} does not answer"
        behind = [_seconds(row) for row in rows]
        if not behind or None in behind:
            return f"{self._name} does not replicate"
        worst = max(seconds for seconds in behind if seconds is not None)
        return f"{self._name} is {worst} s behind" if worst > self._most else None

    def _ask(self) -> list[Row]:
        """In the words that the server understands, which are kept."""
        self._database.connect()
        try:
            return self._database.query(self._text)
        except NotUnderstood:
            self._text = self._queries["replica_status_before"]
            return self._database.query(self._text)
        except Denied:
            raise
        except DatabaseError as error:
            raise RunnerError(f"--replica: {error}") from error


def _seconds(row: Row) -> int | None:
    """None while it does not replicate."""
    found = next((row[name] for name in _COLUMNS if name in row), None)
    return None if found is None else int(found)
