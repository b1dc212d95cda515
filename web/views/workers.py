"""Workers: who is at work, and what PHP's own runner does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g

from runner.operations.workers import ALIVE, workers
from web.answers import page
from web.gate import database, desk, site

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("workers", __name__)


@blueprint.get("/workers")
def index() -> Response:
    g.live = True
    return page(
        "workers.html",
        workers=workers(database(), site()),
        alive=ALIVE,
        handlers=[
            {"hook": h.hook, "queue": h.queue, "timeout": h.timeout} for h in desk().app.handlers
        ],
        php_scheduled=site().php_scheduled,
        installed=site().installed is not None,
    )
