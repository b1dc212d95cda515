"""Who looked when, by two clocks: the database's, which decides what is late, and one of this
machine that nobody sets. Where they part, somebody changed the time, or this machine slept; what
then seems late is not, so judgement is held back until heartbeats and queues have had their time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.thresholds import Thresholds
    from runner.site import Site
    from runner.storage.db import Database

JUMP = 30
"""Seconds by which the clocks may part between two looks: less is a slow answer."""

HOLD = 150
"""Seconds for which nothing is judged after that: two looks."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class LookRow:
    """A machine that looks after the site: when it did last (epoch seconds), the thresholds that it
    was told, and the channels that it has."""

    host: str
    at: int
    thresholds: tuple[str, ...]
    channels: tuple[str, ...]
    now: int


class Looks:
    """Those of one site, by the machine `host`."""

    def __init__(self, database: Database, site: Site, host: str) -> None:
        self._database = database
        self._host = host[:191]
        self._queries = Queries("alerts.sql", database.dialect, identifiers(site, database.dialect))

    def begin(
        self,
        now: int,
        thresholds: Thresholds,
        channels: Sequence[str],
        *,
        ticks: float | None = None,
    ) -> bool:
        """Notes a look at `now` (epoch seconds, the database's clock), which was at `ticks` by this
        machine's clock: a look may take long after that. Whether judgement is held back, for the
        time was changed a moment ago."""
        boot, ticks = _boot(), self._database.clock.monotonic() if ticks is None else ticks
        rows = self._database.query(self._queries["look"], host=self._host)
        held = 0.0
        if rows and rows[0]["boot"] == boot and float(rows[0]["ticks"]) <= ticks:
            last = rows[0]
            parted = (now - int(last["at"])) - (ticks - float(last["ticks"]))
            held = ticks + HOLD if abs(parted) > JUMP else float(last["held"])
        self._database.write(
            self._queries["looked"],
            host=self._host,
            boot=boot,
            at=now,
            ticks=ticks,
            held=held,
            thresholds=json.dumps([str(limit) for limit in thresholds.given]),
            channels=json.dumps([*channels]),
        )
        return ticks < held


def looks(database: Database, site: Site) -> list[LookRow]:
    """Who looks after this site, the last look first."""
    queries = Queries("alerts.sql", database.dialect, identifiers(site, database.dialect))
    return [
        LookRow(
            row["host"],
            int(row["at"]),
            tuple(json.loads(row["thresholds"])),
            tuple(json.loads(row["channels"])),
            int(row["now"]),
        )
        for row in database.query(queries["looks"])
    ]


def _boot() -> str:
    """What changes when this machine starts anew, and its clock of ticks with it."""
    try:
        return _BOOT.read_text("ascii").strip()[:64]
    except OSError:
        return ""
