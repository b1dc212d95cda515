"""Who changed what, from the page and from the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, request

from runner.operations.audit import Audit
from web.answers import here, page
from web.gate import database, site
from web.search import number

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("audit", __name__)

PER_PAGE = 50


@blueprint.get("/audit")
def index() -> Response:
    g.live = True
    before = number(request.args.get("before", ""))
    actor = request.args.get("actor", "").strip()[:191] or None
    verb = request.args.get("verb", "").strip()[:30] or None
    rows = Audit(database(), site()).newest(PER_PAGE + 1, before_id=before, actor=actor, verb=verb)
    following = None
    if len(rows) > PER_PAGE:
        asked = {"actor": actor, "verb": verb, "before": rows[PER_PAGE - 1].id}
        following = here("audit.index", **{k: v for k, v in asked.items() if v})
    return page("audit.html", rows=rows[:PER_PAGE], actor=actor, verb=verb, next=following)
