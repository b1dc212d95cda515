"""Log lines: an action's story in Action Scheduler's own table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compat.site_time import SiteZone
    from runner.storage.db import Transaction
    from runner.storage.queries import Queries

_FOUR_BYTES = 0x10000
"""From here on a character takes four bytes in UTF-8."""

Line = tuple[int, str]
"""An action's id and one line about it."""


@dataclass(frozen=True, slots=True)
class Journal:
    """`wide` says whether the column takes characters of four bytes (utf8mb4): where it does
    not, one such character in an error would make the whole settling fail."""

    queries: Queries
    zone: SiteZone
    wide: bool = True

    def write(self, tx: Transaction, lines: Sequence[Line], now: float) -> None:
        """Writes all lines with one statement. `now` is the database's time, epoch seconds."""
        offset = self.zone.offset(now)
        rows = [
            {"id": id_, "message": self.text(text), "log_offset": offset} for id_, text in lines
        ]
        tx.insert_rows(self.queries["log"], rows)

    def text(self, text: str) -> str:
        """The line as the column will hold it."""
        return text if self.wide else "".join(c if ord(c) < _FOUR_BYTES else "?" for c in text)
