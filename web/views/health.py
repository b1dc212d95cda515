"""For probes: whether the page lives, and whether it can do its work. They tell nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from runner.core.errors import RunnerError
from web import chrome
from web.gate import public, site

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
@public
def live() -> Response:
    """The process answers."""
    return jsonify(ok=True)


@blueprint.get("/readyz")
@public
def ready() -> tuple[Response, int] | Response:
    """The database answers too, and the tables are there."""
    try:
        chrome.counts()
        if site().migrated:
            return jsonify(ok=True)
    except RunnerError:
        pass
    return jsonify(ok=False), 503
