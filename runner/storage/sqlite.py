"""The embedded default: a SQLite file with the same tables, for the demo and for trying out.

The SQL is MySQL's: the functions that SQLite lacks are supplied here.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.errors import DatabaseError, DatabaseGone, EnqueueError, TookTooLong
from runner.storage.borrowed import NO_TRANSACTION
from runner.storage.db import Conflict, TransactionEnded, Unmatched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.storage.db import Transaction

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process's write."""


_STEPS = 10_000
"""Of SQLite's machine, between looks at the clock: about a millisecond."""


class SQLite:
    """Connections to one file. `now` tells the epoch seconds that the SQL sees as now."""

    dialect = "sqlite"
    mark = ":%s"
    place = "?"
    begin = "BEGIN IMMEDIATE"
    packets = False
    blocks = False
    _one_thread = True

    def __init__(self, path: str, *, now: Callable[[], float] = time.time) -> None:
        self.home = path
        self._path = path
        self._now = now

    def connect(self) -> Any:
        if not Path(self._path).is_file():
            raise DatabaseError(
                f"there is no SQLite file {self._path}: `./dev demo` shows how one is made;"
                " for a site, give the DSN of its MySQL or MariaDB database"
            )
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=self._one_thread,
        )
        add_functions(connection, self._now)
        return connection

    def cursor(self, connection: Any) -> Any:
        """A cursor that gives tuples, whatever the connection was told to give."""
        cursor = connection.cursor()
        cursor.row_factory = None
        return cursor

    def reset(self, connection: Any) -> bool:  # noqa: ARG002  a file is opened again at no cost
        return False

    @contextmanager
    def lend(self, connection: Any, tx: Transaction) -> Iterator[None]:  # noqa: ARG002  nothing to set
        """Begins the transaction that the caller's next write would begin by itself: a savepoint
        without one would commit."""
        if not isinstance(connection, sqlite3.Connection):
            raise EnqueueError("connection= wants the sqlite3 connection of your transaction")
        if not connection.in_transaction:
            by_itself = getattr(connection, "autocommit", None) is True  # from Python 3.12 on
            if connection.isolation_level is None or by_itself:
                raise EnqueueError(NO_TRANSACTION)
            connection.execute("BEGIN IMMEDIATE")
        yield

    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error, UnicodeEncodeError)

    def translate(self, error: Exception) -> Exception:
        text = str(error)
        if "locked" in text or "busy" in text:
            return Conflict(text)
        if text.startswith("NOT NULL"):
            return Unmatched(text)
        if text.startswith("no such savepoint"):
            return TransactionEnded(text)
        if "unable to open" in text:
            return DatabaseGone(f"cannot open SQLite file {self._path}: {text}")
        return DatabaseError(f"SQLite file {self._path}: {text}")


class ForThePage(SQLite):
    """Statements are ended after `seconds`. A connection goes from thread to thread, but is used by
    one at a time."""

    _one_thread = False

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(path)
        self._seconds = seconds
        self._ends = 0.0

    def connect(self) -> Any:
        connection = super().connect()
        connection.set_progress_handler(lambda: time.monotonic() > self._ends, _STEPS)
        return connection

    def cursor(self, connection: Any) -> Any:
        self._ends = time.monotonic() + self._seconds
        return super().cursor(connection)

    def translate(self, error: Exception) -> Exception:
        if str(error) == "interrupted":
            return TookTooLong(f"it would take longer than {self._seconds:g} s")
        return super().translate(error)


def add_functions(connection: sqlite3.Connection, now: Callable[[], float]) -> None:
    """Gives a connection MySQL's clock functions. Dates are text, as WordPress on SQLite has."""
    connection.create_function("UNIX_TIMESTAMP", 0, lambda: int(now()))
    connection.create_function("UTC_TIMESTAMP", 0, lambda: _text(now()))
    connection.create_function("FROM_UNIXTIME", 1, _text)


def _text(epoch: float) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%S")
