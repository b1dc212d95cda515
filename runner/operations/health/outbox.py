"""Messages on their way. One is taken before it is sent, so that of several runners one sends it;
what did not go out is tried again, later each time, and given up after a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compat.site_time import epoch_of
from runner.core.message import Message, SendError
from runner.core.redact import redact_text
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.core.message import Channel
    from runner.site import Site
    from runner.storage.db import Database, Row

TAKEN = 120
"""Seconds after which somebody else tries, when whoever took a message died."""

RESTS = (30, 60, 120, 300, 600)
"""Seconds until the next try, by how many there were."""

LONGEST_REST = 900
"""Seconds that the other side may ask to be left alone for. What is due later than that was
written before the clock went back."""

GIVEN_UP = 86_400
"""Seconds after which it is no news any more."""

AT_ONCE = 50

_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that has not gone out. `due_at` is None for one that was given up; dates are texts
    in UTC."""

    id: int
    channel: str
    created_at: str
    due_at: str | None
    tries: int
    error: str


class Outbox:
    """The messages of one site."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._queries = Queries("alerts.sql", database.dialect, identifiers(site, database.dialect))

    def deliver(self, channel: Channel) -> int:
        """Sends what is due on this channel; how many went out. After one that did not, the others
        wait for the next time: the other side is unwell."""
        sent = 0
        rows = self._database.query(
            self._queries["due"], channel=channel.name, limit=AT_ONCE, longest=LONGEST_REST
        )
        for row in rows:
            if not self._take(row):
                continue
            error = self._try(channel, row)
            if error is not None and not error.partly:
                self._put_off(row, error)
                break
            said = "" if error is None else _told(error)
            self._database.write(self._queries["sent"], id=row["id"], error=said)
            sent += 1
        return sent

    def unsent(self, limit: int = 50) -> list[Unsent]:
        """What was tried lately and did not go out, or not to all, the newest first."""
        rows = self._database.query(self._queries["unsent"], seconds=GIVEN_UP * 2, limit=limit)
        return [
            Unsent(
                int(row["id"]),
                row["channel"],
                str(row["created_at"]),
                None if row["due_at"] is None else str(row["due_at"]),
                int(row["tries"]),
                row["error"],
            )
            for row in rows
        ]

    def _take(self, row: Row) -> bool:
        taken = self._database.try_write(
            self._queries["take"], id=row["id"], tries=row["tries"], seconds=TAKEN
        )
        return bool(taken)

    @staticmethod
    def _try(channel: Channel, row: Row) -> SendError | None:
        try:
            channel.send(Message.from_json(row["body"]))
        except SendError as error:
            return error
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again and shown
            return SendError(f"{type(error).__name__}: {error}")
        return None

    def _put_off(self, row: Row, error: SendError) -> None:
        rest: float = RESTS[min(int(row["tries"]), len(RESTS) - 1)]
        if error.after is not None:
            rest = min(max(error.after, 1), LONGEST_REST)
        age = int(row["now"]) - (epoch_of(str(row["created_at"])) or 0)
        self._database.write(
            self._queries["failed"],
            id=row["id"],
            error=_told(error),
            again=0 if age > GIVEN_UP else int(rest),
        )


def _told(error: SendError) -> str:
    return redact_text(str(error)[:_LONGEST_ERROR])
