"""Which driver a DSN wants; only that one is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.storage.db import Driver
    from runner.storage.dsn import Dsn


def driver_of(dsn: Dsn, table: str, *, for_handlers: bool = False) -> Driver:
    """`table` is the actions table with its prefix."""
    if dsn.dialect == "sqlite":
        from runner.storage.sqlite import SQLite  # noqa: PLC0415  one driver a process

        return SQLite(dsn.database)
    from runner.storage import mysql  # noqa: PLC0415  one driver a process

    return mysql.ForHandlers(dsn, table) if for_handlers else mysql.MySQL(dsn, table)


def driver_of_page(dsn: Dsn, table: str, seconds: float) -> Driver:
    """The same for who waits at a browser: no statement takes longer than that."""
    if dsn.dialect == "sqlite":
        from runner.storage.sqlite import ForThePage as OnFile  # noqa: PLC0415  as above

        return OnFile(dsn.database, seconds)
    from runner.storage.mysql import ForThePage  # noqa: PLC0415  as above

    return ForThePage(dsn, table, seconds)
