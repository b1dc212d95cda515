"""Connections that break at a chosen moment."""

from __future__ import annotations

import socket

from runner.storage.db import Interrupted, LostConnection


def break_connection(connection) -> None:
    """The network goes away, and the server notices."""
    connection._sock.shutdown(socket.SHUT_RDWR)
    connection._force_close()


class Cut:
    """A connection that breaks at COMMIT: before the server has it, or after."""

    def __init__(self, database, *, after: bool) -> None:
        self.database, self.after, self.armed = database, after, True
        self.run = database.run
        database.run = self.cut

    def cut(self, statements):
        if not self.armed or statements[-1][0] != "COMMIT":
            return self.run(statements)
        self.armed = False
        self.run(statements if self.after else statements[:-1])
        raise self.error()

    def error(self) -> Exception:
        break_connection(self.database._connection)
        return LostConnection("Lost connection during query")


class Kill(Cut):
    """An operator's KILL QUERY that comes at COMMIT: before it, or between it and the end of the
    block that it is in."""

    def error(self) -> Exception:
        return Interrupted("Query execution was interrupted")
