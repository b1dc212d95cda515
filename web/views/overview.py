"""The first page: is it running, what waits, what failed, who is loud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, jsonify

from compat.site_time import epoch_of
from runner.core.pauses import GROUP
from runner.operations.doctor import Patient
from runner.operations.doctor.php import seen_at
from runner.operations.figures import Figures
from runner.operations.pauses import Pauses
from runner.operations.report import snapshot
from web import charts, chrome
from web.answers import page, plain
from web.counted import FRESH, census
from web.formats import clock, number, zone_offset
from web.gate import database, desk, site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from runner.operations.figures import Bucket, Census

blueprint = Blueprint("overview", __name__)

HOUR = 3600

MOST = 5_000
"""Of each status that the API's status counts."""


@blueprint.get("/")
def index() -> Response:
    """Counts, pulses, the day as a chart, groups, loud hooks."""
    g.live = True
    now = chrome.counts().now
    figures = Figures(database(), site())
    day = figures.day(now)
    counted = census()
    pauses = Pauses(database(), site()).list() if chrome.counts().pauses else []
    return page(
        "overview.html",
        day=day,
        chart=_chart(day),
        totals={
            name: sum(getattr(bucket, name) for bucket in day)
            for name in ("done", "failed", "retried")
        },
        hooks=figures.hooks(now),
        census=counted,
        groups=_groups(counted),
        sizes=_sizes(counted),
        pauses=pauses,
        paused_groups=[pause.name for pause in pauses if pause.kind == GROUP],
        recorded=any(bucket.done or bucket.failed or bucket.retried for bucket in day),
        now=now,
        oldest_due=chrome.counts().oldest_due,
        php_seen=_php_seen(),
        php_scheduled=site().php_scheduled,
        mode="parked" if site().installed else "native",
        counts=chrome.counts(),
    )


@blueprint.get("/status")
def status() -> Response:
    """What `runner status --json` tells, counted no further than MOST."""
    shown = snapshot(database(), site(), desk().app.handlers.hooks, at_most=MOST)
    return jsonify(plain(shown))


def _groups(census: Census | None) -> list[dict[str, Any]]:
    """By group: what waits, is due, runs and failed, the oldest first."""
    found: dict[str, dict[str, Any]] = {}
    for row in census.rows if census else ():
        group = found.setdefault(
            row.group,
            {"name": row.group, "pending": 0, "due": 0, "running": 0, "failed": 0, "oldest": None},
        )
        key = {"pending": "pending", "in-progress": "running", "failed": "failed"}.get(row.status)
        if key:
            group[key] += row.actions
        group["due"] += row.due
        if row.oldest is not None and (group["oldest"] is None or row.oldest < group["oldest"]):
            group["oldest"] = row.oldest
    live = [g for g in found.values() if g["pending"] or g["running"] or g["failed"]]
    return sorted(live, key=lambda g: (-g["due"], -g["pending"], g["name"]))[:12]


def _sizes(census: Census | None) -> list[dict[str, Any]]:
    """Who fills the table."""
    found: dict[str, dict[str, Any]] = {}
    for row in census.rows if census else ():
        hook = found.setdefault(row.hook, {"hook": row.hook, "all": 0, "by": {}})
        hook["all"] += row.actions
        hook["by"][row.status] = hook["by"].get(row.status, 0) + row.actions
    total = sum(hook["all"] for hook in found.values()) or 1
    largest = sorted(found.values(), key=lambda hook: (-hook["all"], hook["hook"]))[:8]
    return [{**hook, "share": hook["all"] / total} for hook in largest]


def _chart(day: Sequence[Bucket]) -> str:
    labels, titles = [], []
    for bucket in day:
        text = clock(bucket.at)
        time = text[-8:-3]
        local = bucket.at + zone_offset(bucket.at)
        hour = local // HOUR % 24
        first = local % HOUR == 0
        labels.append(f"{hour:02}:00" if first and hour % 3 == 0 else "")
        waiting = "" if bucket.waiting is None else f", {number(bucket.waiting)} waiting"
        titles.append(
            f"{time}: {number(bucket.done)} done, {number(bucket.retried)} retried,"
            f" {number(bucket.failed)} failed{waiting}"
        )
    return charts.day(day, labels, titles)


def _php_seen() -> int | None:
    """When PHP's runner last wrote a line."""
    patient = Patient(database(), site().tables)
    return epoch_of(desk().kept("php", FRESH, lambda: seen_at(patient)))
