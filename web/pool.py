"""The page's own connections: few, apart from the runner's, and each statement has a time limit."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.core.clock import SystemClock
from runner.core.errors import DatabaseGone
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.drivers import driver_of_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.config import Connection
    from runner.site import Site

LIMIT = 2.0
"""Seconds that a statement may take."""

WAIT = 2.0
"""Seconds to wait for a connection that others use."""

FRESH = 10.0
"""Seconds that a site's facts (its tables, its zone, what is installed) are taken for true."""


class Pool:
    """At most `size` connections to one site's database."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self._tables = check_prefix(connection.prefix)
        self._free: queue.LifoQueue[Database | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)  # made when it is needed first
        self._lock = threading.Lock()
        self._site: Site | None = None
        self._read_at = 0.0

    @contextmanager
    def borrow(self) -> Iterator[Database]:
        """A connection for one request. Raises DatabaseGone when none is free for too long."""
        try:
            database = self._free.get(timeout=WAIT)
        except queue.Empty:
            raise DatabaseGone("all connections of the page are in use") from None
        try:
            yield database or (database := self._made())
        finally:
            self._free.put(database)

    def site(self, database: Database, *, anew: bool = False) -> Site:
        """The site's facts, not older than FRESH; `anew` before something is written."""
        with self._lock:
            if not anew and self._site and time.monotonic() < self._read_at + FRESH:
                return self._site
        site = discover(database, self._tables)
        with self._lock:
            self._site, self._read_at = site, time.monotonic()
        return site

    def _made(self) -> Database:
        table = self._tables.plain("actions")
        driver = driver_of_page(self._connection.dsn, table, LIMIT)
        return Database(driver, SystemClock(), patience=0.0)
