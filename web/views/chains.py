"""Recurring chains: what comes again, when, and which have stopped or run twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g

from runner.operations.chains import chains
from web.answers import page
from web.counted import census
from web.gate import database, desk, site

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("chains", __name__)

MOST = 200
FRESH = 5.0


@blueprint.get("/recurring")
def index() -> Response:
    g.live = True
    counted = census()
    found = desk().kept("chains", FRESH, lambda: chains(database(), site(), counted, MOST))
    return page("chains.html", chains=found, most=MOST)
