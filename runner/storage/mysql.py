"""MySQL and MariaDB through PyMySQL."""

from __future__ import annotations

import ssl
import struct
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, CR, ER, FIELD_TYPE, SERVER_STATUS
from pymysql.converters import conversions

from runner.core.errors import (
    ConfigError,
    DatabaseError,
    DatabaseGone,
    Denied,
    EnqueueError,
    TookTooLong,
)
from runner.storage.borrowed import NO_TRANSACTION
from runner.storage.db import (
    Conflict,
    Interrupted,
    LostConnection,
    NotUnderstood,
    TransactionEnded,
    Unmatched,
)
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.storage.db import Transaction
    from runner.storage.dsn import Dsn

CONNECT_TIMEOUT = 10
"""Seconds to wait for a server that does not answer."""

ANSWER_TIMEOUT = 60
"""Seconds to wait for the answer to a statement: a stopped server must not stop the kill of a
handler that is over its limit. Longer than the session's lock wait."""

_GRACE = 1.0
"""Seconds that a server has for ending what is over its time."""

_MODES = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
"""Strict, but for zero dates (as in `session` of site.sql)."""

_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")  # noqa: S108
_LOST = {1053, 1152, 1159, 1161, 1184, 1927, 2006, 2013, 2014, 2055, 4031}
_INTERRUPTED = (1317, 1969, 3024)
_MEANINGS: dict[int, type[Exception]] = {
    **dict.fromkeys((1020, 1205, 1213, 1467, 3058), Conflict),
    **dict.fromkeys(_INTERRUPTED, Interrupted),
    ER.BAD_NULL_ERROR: Unmatched,
    ER.PARSE_ERROR: NotUnderstood,
    ER.SP_DOES_NOT_EXIST: TransactionEnded,
}
_NO_WRITES = {1290, 1792, 1836, 1021, 1114}
"""Read-only, as a server is that was the primary a moment ago, or full: somebody sees to it, and
nothing that was found out meanwhile may be lost."""

_DENIED = {1044, 1142, 1227, 1419}
_UNREACHABLE = {1040, 1203, 2002, 2003, 2005}
_ADVICE = {
    1044: "the account may not use this database: check its grants",
    1045: "user or password is wrong",
    1049: "there is no such database: check the name",
    1130: "the server refuses this host: check the account's host part",
    1142: "the account lacks a right: grant SELECT, INSERT and UPDATE on the four"
    " actionscheduler tables, DELETE on the claims table, SELECT on options, and all four on the"
    " runner's own tables; deleting actions wants DELETE on actions and logs too;"
    " `runner grants print` prints the statements",
    1146: "a table is missing: check the table prefix",
    CR.CR_SSL_CONNECTION_ERROR: "TLS was asked for: see that the server offers it and that its"
    " certificate is valid, or ask for less with RUNNER_DB_TLS or the DSN's ?tls=",
}

if TYPE_CHECKING:
    _Base = pymysql.connections.Connection[Any]
else:  # generic only in its stubs
    _Base = pymysql.connections.Connection

_TEXT_DATES = conversions | {
    FIELD_TYPE.DATETIME: str,  # a zero date is no datetime: keep every date as text
    FIELD_TYPE.TIMESTAMP: str,
    FIELD_TYPE.NEWDECIMAL: float,
    FIELD_TYPE.DECIMAL: float,
}


class _Connection(_Base):
    """Sets up the session in one round trip where PyMySQL would take several."""

    table = ""

    def set_character_set(self, charset: str, collation: str | None = None) -> None:  # noqa: ARG002
        mariadb = "MariaDB" in str(self.get_server_info())  # type: ignore[no-untyped-call]
        facts = {
            "table": self.table,
            "isolation": "tx_isolation" if mariadb else "transaction_isolation",
        }
        self.query(Queries("site.sql", "mysql", facts)["session"])


def _default_socket(host: str) -> str | None:
    """`localhost` means the server's socket, as it does for PHP and the command line client."""
    if host != "localhost":
        return None
    return next((path for path in _SOCKETS if Path(path).is_socket()), None)


def _tls(dsn: Dsn, socket: str | None) -> dict[str, Any]:
    """PyMySQL's arguments. A socket needs no TLS, nor its set-up time."""
    if dsn.tls == "off" or (socket and dsn.tls == "auto" and not dsn.ssl_ca):
        return {"ssl_disabled": True}
    if dsn.tls in {"auto", "required"} and not dsn.ssl_ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's authorities:
        context.check_hostname = False  # reading them takes 20 ms, and nothing is checked here
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=dsn.ssl_ca or None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # servers make them without much ado
    return {"ssl": context}


def _check_transaction(connection: Any) -> None:
    """Without autocommit the first statement opens one."""
    if not isinstance(connection, pymysql.connections.Connection):
        raise EnqueueError(
            "connection= wants the PyMySQL connection of your transaction (of SQLAlchemy's"
            " session: session.connection().connection.dbapi_connection)"
        )
    status = connection.server_status  # type: ignore[attr-defined]
    if connection.get_autocommit() and not status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
        raise EnqueueError(NO_TRANSACTION)


def _has_blocks(connection: Any) -> bool:
    """Whether the server takes compound statements outside of a procedure (MariaDB, from 10.1)."""
    return "MariaDB" in str(connection.get_server_info())


_RESET = 0x1F  # COM_RESET_CONNECTION


class MySQL:
    """PyMySQL connections for one site. `table` is the actions table with its prefix."""

    dialect = "mysql"
    mark = "%%(%s)s"
    place = "%s"
    begin = "START TRANSACTION"  # in a block of MariaDB's, BEGIN would begin another block
    conversions = _TEXT_DATES
    answer_timeout: float | None = ANSWER_TIMEOUT

    def __init__(self, dsn: Dsn, table: str) -> None:
        self.packets = True
        self.blocks = False
        self.home = dsn.database
        self._dsn = dsn
        self._table = table

    def connect(self) -> Any:
        dsn = self._dsn
        if dsn.ssl_ca and not Path(dsn.ssl_ca).is_file():
            raise ConfigError(f"{dsn.ssl_ca}, named for checking certificates, is no file")
        socket = dsn.socket or (None if dsn.port else _default_socket(dsn.host))
        connection = _Connection(
            host=dsn.host or "127.0.0.1",
            port=dsn.port or 3306,
            user=dsn.user,
            password=dsn.password,
            database=dsn.database,
            unix_socket=socket,
            **_tls(dsn, socket),
            charset="utf8mb4",
            autocommit=None,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=CONNECT_TIMEOUT,  # for the greeting; statements may take longer
            write_timeout=ANSWER_TIMEOUT,
            client_flag=CLIENT.FOUND_ROWS | CLIENT.MULTI_STATEMENTS,
            conv=self.conversions,
            defer_connect=True,
        )
        connection.table = self._table
        if dsn.tls == "auto" and not dsn.ssl_ca:  # TLS only where it is offered; MySQL refuses a
            connection._ssl_required = False  # type: ignore[attr-defined]  # noqa: SLF001
            connection.client_flag &= ~CLIENT.SSL  # login that says more
        connection.connect()
        self.blocks = _has_blocks(connection)
        connection._read_timeout = self.answer_timeout  # type: ignore[attr-defined] # noqa: SLF001  no other way
        return connection

    def cursor(self, connection: Any) -> Any:
        """A cursor that gives tuples, whatever the connection was told to give."""
        return connection.cursor(pymysql.cursors.Cursor)

    def reset(self, connection: Any) -> bool:
        """One command drops what the session has: variables, locks, temporary tables, and the
        transaction. Database, session settings and class of cursors are then set again."""
        try:
            connection._execute_command(_RESET, b"")  # noqa: SLF001  PyMySQL has no name for it
            connection._read_ok_packet()  # noqa: SLF001
            connection.select_db(self.home)
            connection.set_character_set("utf8mb4")
        except self.errors():
            return False
        connection.cursorclass = pymysql.cursors.Cursor
        return True

    @contextmanager
    def lend(self, connection: Any, tx: Transaction) -> Iterator[None]:
        """The caller's session has our modes meanwhile, and afterwards its own again."""
        _check_transaction(connection)
        queries = Queries("site.sql", "mysql", {})
        found = tx.query(queries["caller_session"])[0]
        if str(found["place"]).casefold() != self._dsn.database.casefold():
            raise EnqueueError(
                f"the connection is in database {found['place']!r}, the site in"
                f" {self._dsn.database!r}"
            )
        tx.execute(queries["session_modes"], modes=_MODES)
        try:
            yield
        finally:
            with suppress(*self.errors()):  # a lost connection has no modes, and told why
                tx.execute(queries["session_modes"], modes=found["modes"])

    def errors(self) -> tuple[type[Exception], ...]:
        return (pymysql.err.MySQLError, OSError, struct.error, RuntimeError, UnicodeEncodeError)

    def translate(self, error: Exception) -> Exception:
        """Turns a driver's error into what the runner can act on."""
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        where = self._dsn.where()
        if isinstance(error, (OSError, struct.error, pymysql.err.InterfaceError)) or code in _LOST:
            return LostConnection(f"{where}: {text or 'the connection is closed'}")
        if isinstance(error, UnicodeEncodeError):
            return DatabaseError(f"a text for {where} is made of no whole characters: {error}")
        if code in _MEANINGS:
            return _MEANINGS[code](text)
        if code in _NO_WRITES:
            return LostConnection(f"{where} takes no writes: {text}")
        advice = _advice(error, code)
        if code in _UNREACHABLE and not advice:
            return DatabaseGone(f"cannot reach {where}: {text}. Is the server running?")
        kind = Denied if code in _DENIED else DatabaseError
        return kind(f"{where}: {text}" + (f" ({advice})" if advice else ""))


class ForHandlers(MySQL):
    """Connections that are given to handlers: values come as PyMySQL gives them, and an answer may
    take as long as the handler may."""

    conversions = conversions
    answer_timeout = None


class ForThePage(MySQL):
    """Connections of somebody who waits at a browser: a statement that takes longer than `seconds`
    is ended, and a server that says nothing is given up soon after."""

    def __init__(self, dsn: Dsn, table: str, seconds: float) -> None:
        super().__init__(dsn, table)
        self._seconds = seconds
        self.answer_timeout = seconds + _GRACE

    def connect(self) -> Any:
        connection = super().connect()
        mariadb = "MariaDB" in str(connection.get_server_info())
        facts = {
            "limit": f"max_statement_time = {self._seconds:g}"
            if mariadb
            else f"max_execution_time = {self._seconds * 1000:.0f}"
        }
        with connection.cursor() as cursor:
            cursor.execute(Queries("site.sql", "mysql", facts)["time_limit"])
        return connection

    def translate(self, error: Exception) -> Exception:
        code = error.args[0] if error.args else 0
        if code in _INTERRUPTED:
            return TookTooLong(f"it would take longer than {self._seconds:g} s")
        return super().translate(error)


def _advice(error: Exception, code: int) -> str:
    if isinstance(error, RuntimeError):  # sha2 login over plain TCP needs cryptography
        return "install wp-action-runner[mysql8], or use TLS"
    if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        code = CR.CR_SSL_CONNECTION_ERROR
    return _ADVICE.get(code, "")
