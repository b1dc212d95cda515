"""Counters of the database."""

from __future__ import annotations

import re
from contextlib import contextmanager

from runner.storage import db


def rows_read(database) -> int:
    """Rows that this connection has read through indexes so far."""
    names = "'Handler_read_key', 'Handler_read_next', 'Handler_read_prev'"
    rows = database.query(f"SHOW SESSION STATUS WHERE Variable_name IN ({names})")
    return sum(int(row["Value"]) for row in rows)


@contextmanager
def statements_sent():
    """A list that gets every statement that goes to a database meanwhile."""
    sent, real = [], db.run

    def spy(driver, connection, statements, **options):
        sent.extend(statements)
        return real(driver, connection, statements, **options)

    db.run = spy
    try:
        yield sent
    finally:
        db.run = real


def locks_held(server) -> int:
    """Row locks of the one transaction that holds any. (What information_schema says of them is kept
    for a tenth of a second.)"""
    told = str(server.execute("SHOW ENGINE INNODB STATUS"))
    return max(int(number) for number in re.findall(r"(\d+) row lock\(s\)", told))


@contextmanager
def counting_locks(server, source):
    """A list that gets the row locks of each claim's transaction, counted before its commit."""
    locked: list[int] = []
    mark = source._ownership.mark

    def counted(tx, ids, offset):
        token = mark(tx, ids, offset)
        tx.query("SELECT 1 AS sent")  # what waits to be sent goes first
        locked.append(locks_held(server))
        return token

    source._ownership.mark = counted
    try:
        yield locked
    finally:
        source._ownership.mark = mark
