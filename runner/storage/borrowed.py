"""A caller's own connection, lent for a few statements inside the caller's transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.storage.db import Answer, Transaction, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.storage.db import Database, Driver, Statement

NO_TRANSACTION = (
    "the connection commits each statement by itself: begin a transaction on it, or leave out"
    " connection="
)


class Borrowed:
    """Statements go out as they are, and errors are the driver's own: what they mean for the
    transaction is for its owner to say."""

    def __init__(self, driver: Driver, connection: Any) -> None:
        self.driver = driver
        self._connection = connection

    def run(self, statements: Sequence[Statement]) -> list[Answer]:
        return run(self.driver, self._connection, statements)


@contextmanager
def borrow(database: Database, connection: Any) -> Iterator[Transaction]:
    """Statements inside the transaction that is open on a caller's connection. Neither commits
    nor rolls it back; after an error only what was done here is undone (a savepoint), so that a
    caller who goes on has all of it or nothing.

    Raises EnqueueError for a connection that is not of the database's driver, or has no
    transaction: then each statement would commit by itself.
    """
    driver = database.driver
    tx = Transaction(Borrowed(driver, connection))
    with driver.lend(connection, tx):
        tx.execute("SAVEPOINT wp_action_runner")
        try:
            yield tx
        except BaseException:
            try:
                tx.execute("ROLLBACK TO SAVEPOINT wp_action_runner")
                tx.execute("RELEASE SAVEPOINT wp_action_runner")
            except driver.errors():
                pass  # after a deadlock the server has rolled back all: the first error tells
            raise
        tx.execute("RELEASE SAVEPOINT wp_action_runner")
