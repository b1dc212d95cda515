"""Doctor: the checks of `runner doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint

from runner.operations.doctor import Patient, Severity, examine
from web import chrome
from web.answers import page
from web.gate import database, desk, site

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("doctor", __name__)

FRESH = 60.0
"""Seconds that findings are shown without being looked for again: it takes some forty looks."""


@blueprint.get("/doctor")
def index() -> Response:
    now = chrome.counts().now
    found, at = desk().kept("doctor", FRESH, lambda: (_examine(), now))
    worst = list(reversed(Severity))
    findings = sorted(found, key=lambda f: worst.index(f["severity"]))
    counts = {str(s): sum(f["severity"] == s for f in findings) for s in worst}
    return page("doctor.html", findings=findings, counts=counts, at=at)


def _examine() -> list[dict[str, Any]]:
    app, settings = desk().app, desk().settings
    patient = Patient(
        database(),
        site().tables,
        hooks=list(app.handlers.hooks),
        mode=settings.mode,
        lease=settings.lease,
        expiry=settings.expiry,
        folder=app.connection.mu_plugins,
    )
    return [finding.as_json() for finding in examine(patient)]
