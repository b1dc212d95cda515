"""Alerts: what is wrong, what was, who is told, and from when on something counts as wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, request, url_for

from runner.core.errors import UsageError
from runner.core.findings import Severity
from runner.core.thresholds import KNOWN, RULES, Limit, Thresholds, parse
from runner.operations.actions import Actions
from runner.operations.health.alerts import Alerts
from runner.operations.health.looks import looks
from runner.operations.health.outbox import Outbox
from runner.operations.manage import silenced
from web.answers import done, page
from web.bulk import manage
from web.gate import database, desk, site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response
    from werkzeug.wrappers import Response as BaseResponse

    from runner.operations.health.looks import LookRow

blueprint = Blueprint("alerts", __name__)

SPANS = {"1h": 3600, "8h": 28_800, "1d": 86_400, "7d": 604_800}
"""How long nobody is told, in seconds."""

MOST = 100
"""Alerts that are shown."""

LOOKING = 180
"""Seconds since its last look, up to which a machine looks after the site."""


@blueprint.get("/alerts")
def index() -> Response:
    """Open ones, silences, history, thresholds."""
    g.live = True
    alerts = Alerts(database(), site())
    found = alerts.history(limit=MOST)
    seen = looks(database(), site())
    return page(
        "alerts.html",
        open=sorted(
            (alert for alert in found if alert.resolved_at is None),
            key=lambda alert: (alert.severity != Severity.CRITICAL, -alert.raised_at),
        ),
        over=[alert for alert in found if alert.resolved_at is not None],
        silences=alerts.silences(),
        unsent=Outbox(database(), site()).unsent(),
        looks=seen,
        looking=[look for look in seen if abs(look.now - look.at) <= LOOKING],
        thresholds=_thresholds(seen),
        spans=SPANS,
        rules=RULES,
    )


@blueprint.post("/silences")
def silence() -> BaseResponse:
    rule, subject = _names()
    seconds = SPANS.get(request.form.get("for", ""))
    if seconds is None:
        raise UsageError(f"a silence lasts one of {', '.join(SPANS)}")
    until = Actions(database(), site()).now() + seconds
    reason = " ".join(request.form.get("reason", "").split())
    manage().silence(rule, subject, until=until, reason=reason)
    text = f"Nobody is told of {silenced(rule, subject)} for {request.form['for']}."
    return done(text, url_for("alerts.index"))


@blueprint.post("/silences/ends")
def end() -> BaseResponse:
    rule, subject = _names()
    if manage().unsilence(rule, subject):
        return done(f"People are told of {silenced(rule, subject)} again.", url_for("alerts.index"))
    text = f"{silenced(rule, subject).capitalize()} were not silenced any more."
    return done(text, url_for("alerts.index"), "bad")


def _names() -> tuple[str, str]:
    rule, subject = request.form.get("rule", ""), request.form.get("subject", "").strip()
    if rule and rule not in RULES:
        raise UsageError(f"a rule is one of {', '.join(RULES)}")
    return rule, subject


def _understood(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Without those that only a newer runner there knows."""
    found: list[Limit] = []
    for text in texts:
        with suppress(ValueError):
            found += parse(text)
    return tuple(found)


def _thresholds(seen: Sequence[LookRow]) -> list[dict[str, Any]]:
    """Those that whoever looked last was told; before the first look, those of the page's own
    settings."""
    given = desk().settings.thresholds
    if seen:
        given = _understood(seen[0].thresholds)
    limits = Thresholds(given)
    return [
        {
            "name": name,
            "value": limits.of(name),
            "unit": known.unit,
            "meaning": known.meaning,
            "default": known.default,
            "own": [str(limit) for limit in given if limit.name == name and limit.kind],
        }
        for name, known in KNOWN.items()
    ]
