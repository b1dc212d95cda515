"""One connection, its statements, and the unit of work that may be run again.

A unit is retried as a whole after a deadlock or a lost connection. COMMIT is part of it: when the
answer to a COMMIT never came, the next try is told so (`Transaction.uncertain`) and must look
whether the work was done.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from runner.core.errors import DatabaseError, DatabaseGone, TooBusy
from runner.storage.queries import bind, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from runner.core.clock import Clock

T = TypeVar("T")
Row = dict[str, Any]
Bound = dict[str, object] | list[object]

PACKET = 200_000
"""Characters of a packet of several statements; each may take four bytes."""

CONFLICT_TRIES = 5
"""How often a unit that lost a deadlock or a lock wait is tried."""


AT_ONCE = 1.0
"""Seconds within which a connection that was cut while it was idle says so; a server that hangs
takes longer."""


class LostConnection(Exception):
    """The connection broke; what was not committed is gone."""


class Conflict(Exception):
    """Deadlock, lock wait or a busy file: the same unit may succeed when tried again."""


class Interrupted(Conflict):
    """Somebody ended the statement. Of a COMMIT nobody knows whether it took place: as a part of
    MariaDB's block it may have, before the block was ended."""


class Unmatched(Exception):
    """A write matched another number of rows than it had to."""


class TransactionEnded(Exception):
    """A savepoint is gone, and so is the transaction that it was set in."""


class NotUnderstood(DatabaseError):
    """The server cannot parse what was sent."""


class Driver(Protocol):
    """What differs between the servers: connecting, marks, and the meaning of errors."""

    dialect: str
    mark: str
    place: str
    begin: str
    packets: bool
    blocks: bool
    home: str

    def connect(self) -> Any: ...

    def translate(self, error: Exception) -> Exception: ...

    def errors(self) -> tuple[type[Exception], ...]: ...

    def cursor(self, connection: Any) -> Any: ...

    def reset(self, connection: Any) -> bool:
        """Makes a connection of ours as good as new. False where that cannot be done."""
        ...

    def lend(self, connection: Any, tx: Transaction) -> AbstractContextManager[None]:
        """Makes a caller's connection fit for our statements, which go over `tx`, and gives it
        back as it was. Raises EnqueueError when it is none, or has no transaction."""
        ...


class Answer(NamedTuple):
    """What a statement gave: its rows, the number of rows matched, the new id."""

    rows: list[Row]
    matched: int
    new_id: int


Statement = tuple[str, Bound]
"""Text and values, written as the driver wants them."""

COMMIT: Statement = ("COMMIT", [])


class Link(Protocol):
    """What a transaction's statements go over: a connection of ours, or a caller's."""

    driver: Driver

    def run(self, statements: Sequence[Statement]) -> list[Answer]: ...


@dataclass(slots=True)
class Transaction:
    """Statements inside one unit. `uncertain` is set when an earlier COMMIT had no answer;
    `waiting` are statements on their way: they go out with the next one, in as few round trips
    as the server takes."""

    link: Link
    uncertain: bool = False
    waiting: list[Statement] = field(default_factory=list)

    def query(self, text: str, **values: object) -> list[Row]:
        return self._send(text, values).rows

    def execute(self, text: str, **values: object) -> int:
        """Runs a write; returns the number of rows matched."""
        return self._send(text, values).matched

    def insert(self, text: str, **values: object) -> int:
        """Runs an insert; returns the new id, 0 when nothing was inserted."""
        answer = self._send(text, values)
        return answer.new_id if answer.matched else 0

    def insert_rows(self, text: str, rows: Sequence[Mapping[str, object]]) -> int:
        """Inserts all rows, which have the same keys, with one statement. Returns a new id: the
        first one's on MySQL, the last one's on SQLite."""
        if not rows:
            return 0
        return self._run(repeated(text, rows, self.link.driver.place)).new_id

    def later(self, text: str, **values: object) -> None:
        """A write whose answer nobody needs: it goes out with what follows, COMMIT at the
        latest. Its errors are raised then."""
        self.waiting.append(bind(text, values, self.link.driver.mark))

    def insert_rows_later(self, text: str, rows: Sequence[Mapping[str, object]]) -> None:
        """The same for rows."""
        if rows:
            self.waiting.append(repeated(text, rows, self.link.driver.place))

    def _send(self, text: str, values: Mapping[str, object]) -> Answer:
        return self._run(bind(text, values, self.link.driver.mark))

    def _run(self, statement: Statement) -> Answer:
        statements = [*self.waiting, statement]
        self.waiting.clear()
        return self.link.run(statements)[-1]


class Database:
    """A connection that comes back. `patience` is how many seconds to wait for a lost server.

    Hooks for its owner: `hurry` ends every wait, `bored` those that nothing depends on (looks, not
    results); `on_outage` hears why the connection is lost, `on_reconnect` is called on a new one,
    `on_recovery` when a statement has worked again.
    """

    def __init__(self, driver: Driver, clock: Clock, *, patience: float = 30.0) -> None:
        self.driver = driver
        self.dialect = driver.dialect
        self.clock = clock
        self.patience = patience
        self.on_reconnect: Callable[[], object] = _nothing
        self.hurry: Callable[[], bool] = _never
        self.bored: Callable[[], bool] = _never
        self.on_outage: Callable[[str], object] = _nothing
        self.on_recovery: Callable[[], object] = _nothing
        self._connection: Any = None
        self._met = False
        self._back_at = -math.inf
        self._out = False
        self._shut = False

    def connect(self) -> None:
        """Connects if there is no connection. Raises DatabaseError with what to do."""
        if self._shut:
            raise DatabaseError("the connection was closed")
        if self._connection is None:
            try:
                self._connection = self.driver.connect()
            except self.driver.errors() as error:
                raise self._not_connected(self.driver.translate(error)) from error
            again, self._met = self._met, True
            if again:
                self._back_at = self.clock.monotonic()
                self.on_reconnect()

    def was_lost(self, seconds: float) -> bool:
        """Whether the connection has come back from a loss within so many seconds."""
        return self.clock.monotonic() < self._back_at + seconds

    def _not_connected(self, error: Exception) -> Exception:
        return DatabaseGone(str(error)) if isinstance(error, (LostConnection, Conflict)) else error

    def shut(self) -> None:
        """Closes for good."""
        self.close()
        self._shut = True

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self.driver.errors():
                pass  # it is gone already, which is what was wanted

    def query(self, text: str, **values: object) -> list[Row]:
        """Reads outside a transaction; tried again when the connection was lost."""
        return self._patiently(lambda _: self.send(text, values).rows)

    def write(self, text: str, *, patience: float | None = None, **values: object) -> int:
        """One statement with a commit of its own, such that doing it twice does no harm."""
        return self._patiently(lambda _: self.send(text, values).matched, patience)

    def try_write(self, text: str, **values: object) -> int | None:
        """The same, tried once: the number of rows matched, or None when it did not work."""
        answer = self._try(text, values)
        return None if answer is None else answer.matched

    def try_query(self, text: str, **values: object) -> list[Row] | None:
        """Reads, tried once; None when it did not work."""
        answer = self._try(text, values)
        return None if answer is None else answer.rows

    def _try(self, text: str, values: Mapping[str, object]) -> Answer | None:
        """Once more if the connection turns out to be gone: many things cut those that are idle."""
        kept, began = self._connection is not None, self.clock.monotonic()
        try:
            self.connect()
            return self.send(text, values)
        except (DatabaseError, LostConnection, Conflict) as error:
            if not isinstance(error, Conflict):
                self.close()
            gone = kept and isinstance(error, LostConnection)
            if gone and self.clock.monotonic() < began + AT_ONCE:
                return self._try(text, values)
            return None

    def unit(
        self,
        work: Callable[[Transaction], T],
        *,
        patience: float | None = None,
        tries: int = CONFLICT_TRIES,
    ) -> T:
        """Runs `work` in one transaction, as often as it takes (see the module's docstring).

        `patience` is how many seconds to go on after the first failure; given, it holds for
        conflicts too. Otherwise TooBusy is raised after `tries` conflicts.
        """
        attempt = partial(self._once, work)
        return self._patiently(attempt, patience, tries if patience is None else None)

    def _once(self, work: Callable[[Transaction], T], uncertain: bool) -> T:
        tx = Transaction(self, uncertain, [(self.driver.begin, [])])
        try:
            result = work(tx)
        except BaseException:
            self._roll_back()
            raise
        self._commit([*tx.waiting, COMMIT])
        return result

    def _commit(self, statements: Sequence[Statement]) -> None:
        """Sends the rest of a unit. When the connection breaks, nobody knows how far it came."""
        try:
            self.run(statements)
        except LostConnection as error:
            raise _UnknownCommit(*error.args) from error
        except Interrupted as error:
            self._roll_back()
            raise _InterruptedCommit(*error.args) from error
        except BaseException:
            self._roll_back()
            raise

    def _patiently(
        self,
        attempt: Callable[[bool], T],
        patience: float | None = None,
        tries: int | None = CONFLICT_TRIES,
    ) -> T:
        ends = self._ends_looking if patience is None else self.hurry
        patience = self.patience if patience is None else patience
        conflicts, uncertain, deadline = 0, False, None
        while True:
            try:
                self.connect()
                result = attempt(uncertain)
            except Conflict as error:
                conflicts += 1
                uncertain = uncertain or isinstance(error, _InterruptedCommit)
                deadline = deadline or self.clock.monotonic() + patience
                late = self.clock.monotonic() >= deadline or ends()
                if late if tries is None else conflicts >= tries:
                    raise TooBusy(f"the database is too busy: {error}") from error
                self.clock.sleep(random.uniform(0.005, 0.05) * min(conflicts, 10))  # noqa: S311
            except (LostConnection, DatabaseGone) as error:
                if not self._met:
                    raise  # it was never there: waiting for it is the operator's decision
                uncertain = uncertain or isinstance(error, _UnknownCommit)
                deadline = deadline or self.clock.monotonic() + patience
                self._wait_for_server(error, deadline, ends)
            else:
                if self._out:
                    self._out = False
                    self.on_recovery()
                return result

    def _ends_looking(self) -> bool:
        return self.hurry() or self.bored()

    def _wait_for_server(self, error: Exception, deadline: float, ends: Callable[[], bool]) -> None:
        self.close()
        self._out = True
        self.on_outage(str(error))
        while self.clock.monotonic() < deadline and not ends():
            self.clock.sleep(random.uniform(0.2, 0.5))  # noqa: S311 jitter only
            try:
                self.connect()
            except (DatabaseGone, LostConnection, Conflict):
                self.close()
                continue
            return
        raise DatabaseGone(f"lost the database: {error}") from error

    def _roll_back(self) -> None:
        if self._connection is not None:
            try:
                self._connection.rollback()
            except self.driver.errors():
                self.close()

    def send(self, text: str, values: Mapping[str, object]) -> Answer:
        """One statement, inside a transaction or not."""
        return self.run([bind(text, values, self.driver.mark)])[0]

    def run(self, statements: Sequence[Statement]) -> list[Answer]:
        """Sends statements, in one packet where the server takes that. Raises what the driver's
        error means."""
        packet = self.driver.packets and len(statements) > 1
        try:
            return self._guard(
                lambda: run(self.driver, self._connection, statements, packet=packet)
            )
        except NotUnderstood as error:
            if not packet:
                raise
            # Some proxies take one statement at a time. The unit is undone and run again so.
            self.driver.packets = False
            raise Conflict(str(error)) from error

    def _guard(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except self.driver.errors() as error:
            raise self.driver.translate(error) from error


def run(
    driver: Driver, connection: Any, statements: Sequence[Statement], *, packet: bool = False
) -> list[Answer]:
    """Statements on a connection, with the driver's own errors; after an error the rest is not
    run. With `packet` they are sent together, and their answers read one after the other; those
    of a unit's end, which nobody reads, are one where the server knows blocks."""
    cursor = driver.cursor(connection)
    try:
        answers: list[Answer] = []
        if packet:
            texts = [cursor.mogrify(*statement) for statement in statements]
            if driver.blocks and statements[-1] == COMMIT and sum(map(len, texts)) <= PACKET:
                cursor.execute(_block(texts))
                return [_answer(cursor)]
            for text in _packets(texts):
                cursor.execute(text)
                answers.append(_answer(cursor))
                while cursor.nextset():
                    answers.append(_answer(cursor))
            if len(answers) != len(statements):  # something in between dropped the rest
                raise NotUnderstood(f"{len(answers)} answers came to {len(statements)} statements")
            return answers
        for statement in statements:
            cursor.execute(*statement)
            answers.append(_answer(cursor))
        return answers
    finally:
        cursor.close()


def _packets(texts: Sequence[str]) -> Iterator[str]:
    """As few as their size allows: the smallest limit that servers come with is 1 MB."""
    packet: list[str] = []
    for text in texts:
        if packet and sum(map(len, packet)) + len(text) > PACKET:
            yield ";\n".join(packet)
            packet = []
        packet.append(text)
    yield ";\n".join(packet)


def _block(texts: Sequence[str]) -> str:
    """Several statements as one: an answer for each wakes both sides once more."""
    return "BEGIN NOT ATOMIC\n" + ";\n".join(texts) + ";\nEND"


def _answer(cursor: Any) -> Answer:
    names = [column[0] for column in cursor.description or ()]
    found = cursor.fetchall() if names else ()
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return Answer(rows, cursor.rowcount, cursor.lastrowid or 0)


def _nothing(*_: object) -> None:
    pass


def _never() -> bool:
    """Nobody is in a hurry: a lost server is waited for."""
    return False


class _UnknownCommit(LostConnection):
    """COMMIT was sent and no answer came."""


class _InterruptedCommit(Interrupted):
    """COMMIT was sent, and the answer does not tell whether it took place."""
