"""Doctor: the checks of `runner doctor`. They take a hundred small looks, so they are made beside
the request, for all who ask within a minute."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g

from runner.operations.doctor import Patient, Severity, examine
from web import chrome
from web.answers import page
from web.gate import desk

if TYPE_CHECKING:
    from flask import Response

    from web.desk import Desk

blueprint = Blueprint("doctor", __name__)
logger = logging.getLogger("runner.web")

FRESH = 60.0
"""Seconds that findings are shown without being looked for again."""

WAIT = 0.2
"""Seconds that a request waits for them; a page that comes without them says so."""


@dataclass
class Examination:
    """The last findings, None before the first; `at` by the database's clock (epoch seconds)."""

    findings: list[dict[str, Any]] | None = None
    at: int = 0
    _ended: float = -FRESH
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, desk: Desk, now: int) -> None:
        """Sees to it that there are findings of the last minute, or soon will be."""
        with self._lock:
            if self._thread is None and time.monotonic() > self._ended + FRESH:
                self._thread = threading.Thread(target=self._examine, args=(desk, now), daemon=True)
                self._thread.start()
            thread = self._thread
        if thread:
            thread.join(WAIT)

    def _examine(self, desk: Desk, now: int) -> None:
        try:
            with desk.pool.borrow() as database:
                patient = Patient(
                    database,
                    desk.pool.site(database).tables,
                    hooks=list(desk.app.handlers.hooks),
                    mode=desk.settings.mode,
                    lease=desk.settings.lease,
                    expiry=desk.settings.expiry,
                    folder=desk.app.connection.mu_plugins,
                )
                self.findings, self.at = [f.as_json() for f in examine(patient)], now
        except Exception:  # nobody waits for it: the page says that there are none
            logger.exception("the examination could not be made")
        finally:
            self._ended, self._thread = time.monotonic(), None


@blueprint.get("/doctor")
def index() -> Response:
    g.live = True
    found = desk().examination
    found.look(desk(), chrome.counts().now)
    worst = list(reversed(Severity))
    findings = sorted(found.findings or (), key=lambda f: worst.index(f["severity"]))
    counts = {str(s): sum(f["severity"] == s for f in findings) for s in worst}
    return page(
        "doctor.html",
        findings=findings,
        counts=counts,
        at=found.at,
        ready=found.findings is not None,
    )
