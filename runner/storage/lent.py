"""A connection of ours in the hands of a handler: the transaction begins and ends here, and what
the handler writes in it goes with what we write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.core.errors import DatabaseError
from runner.storage.db import (
    COMMIT,
    Conflict,
    Database,
    LostConnection,
    Transaction,
    TransactionEnded,
)
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.core.clock import Clock
    from runner.storage.db import Driver, Row, Statement

TRIES = 3
"""A connection that was kept may be gone: the next one is new."""

ENDED = (
    "its block ended the transaction (COMMIT, ROLLBACK, or a statement that commits by itself, such"
    " as ALTER TABLE), so what came before cannot be undone"
)
NO_TRANSACTIONS = (
    "its block changed tables without transactions (or made temporary ones), which cannot be undone"
)

_NOT_ROLLED_BACK = 1196  # ER_WARNING_NOT_COMPLETE_ROLLBACK


class Lent(Database):
    """`connection` is what the handler gets between `begin` and `regain`."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        super().__init__(driver, clock)
        home = driver.home.replace("`", "``")
        self._queries = Queries("settling.sql", driver.dialect, {"home": f"`{home}`"})

    @property
    def connection(self) -> Any:
        return self._connection

    def begin(self, text: str, **values: object) -> list[Row]:
        """Opens the transaction and reads what it is about, in one round trip."""
        opening: list[Statement] = [(self.driver.begin, []), (self._queries["set_mark"], [])]
        for left in reversed(range(TRIES)):
            try:
                self.connect()
                return Transaction(self, waiting=[*opening]).query(text, **values)
            except (LostConnection, Conflict) as error:
                self.close()
                if not left:
                    raise self._not_connected(error) from error
        raise AssertionError

    def regain(self) -> str:
        """Makes the session ours again, inside the handler's transaction. Returns what of it could
        not be undone, in words. Raises TransactionEnded when it is not the one that was begun."""
        queries = self._queries
        names = ("same_transaction", "our_database", "our_session")
        self.run([(queries[name], []) for name in names])
        try:
            return self._stays(queries["set_mark"], queries["undo_nothing"])
        except DatabaseError:  # an engine that knows no savepoints takes part
            return NO_TRANSACTIONS

    @contextmanager
    def ending(self) -> Iterator[Transaction]:
        """The last statements, and COMMIT. Whatever is raised, nothing is rolled back here."""
        tx = Transaction(self)
        yield tx
        self.run([*tx.waiting, COMMIT])

    def roll_back(self, error: BaseException | None = None) -> str:
        """Undoes what can be undone; returns in words what cannot. `error` is why: a deadlock ends
        the transaction too, and undoes all of it."""
        try:
            return self._stays(self._queries["same_transaction"], "ROLLBACK")
        except TransactionEnded:
            self._roll_back()
            return "" if self._undone_by_server(error) else ENDED
        except (DatabaseError, LostConnection, Conflict):
            self.close()
            return ""

    def rest(self) -> None:
        """Leaves nothing of an action on the connection for the next one."""
        if self._connection is not None and not self.driver.reset(self._connection):
            self.close()

    def _stays(self, *texts: str) -> str:
        statements: Sequence[str] = (*texts, self._queries["warnings"])
        rows = self.run([(text, []) for text in statements])[-1].rows
        return NO_TRANSACTIONS if any(row["Code"] == _NOT_ROLLED_BACK for row in rows) else ""

    def _undone_by_server(self, error: BaseException | None) -> bool:
        if isinstance(error, self.driver.errors()):
            return isinstance(self.driver.translate(error), Conflict)
        return isinstance(error, Conflict)
