"""Log lines: an action's story in Action Scheduler's own table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.storage.queries import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compat.site_time import SiteZone
    from runner.sources.job_tables import JobTables
    from runner.storage.db import Transaction
    from runner.storage.queries import Queries

_FOUR_BYTES = 0x10000
"""From here on a character takes four bytes in UTF-8."""

BYTES = 200_000
"""Of the log lines in one statement."""

Line = tuple[int, str]
"""An action's id and one line about it."""


@dataclass(frozen=True, slots=True)
class Journal:
    """`charset` is the column's, as the server names it: what it cannot hold becomes a question
    mark, since one such character in an error would make the whole settling fail. `jobs` are the
    job manager's tables, where there are any to write."""

    queries: Queries
    zone: SiteZone
    charset: str = "utf8mb4"
    jobs: JobTables | None = None

    def write(
        self, tx: Transaction, lines: Sequence[Line], now: float, *, matched: int | None = None
    ) -> None:
        """Writes all lines, with one statement unless they are very long. `now` is the database's
        time, epoch seconds.

        With `matched`, only if the write before matched so many rows: otherwise Unmatched is
        raised, by the COMMIT at the latest.
        """
        offset = self.zone.offset(now)
        rows = [
            {"id": id_, "message": self.text(text), "log_offset": offset} for id_, text in lines
        ]
        for number, chunk in enumerate(chunks(rows, _size, most=BYTES)):
            if number or matched is None:
                tx.insert_rows_later(self.queries["log"], chunk)
                continue
            checked = [
                {**row, "matched": matched, "unchecked": row is not chunk[0]} for row in chunk
            ]
            tx.insert_rows_later(self.queries["log_if_matched"], checked)

    def text(self, text: str) -> str:
        """The line as the column will hold it."""
        if self.charset == "utf8mb4":
            return text
        if self.charset in {"utf8", "utf8mb3"}:
            return "".join(c if ord(c) < _FOUR_BYTES else "?" for c in text)
        codec = "cp1252" if self.charset == "latin1" else "ascii"  # MySQL's latin1 is Windows'
        return text.encode(codec, "replace").decode(codec)


def _size(row: Mapping[str, object]) -> int:
    """Bytes of the row's values, or a little more."""
    return 100 + 4 * len(str(row["message"]))
