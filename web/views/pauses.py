"""Pauses: what must not begin, and ending that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, request, url_for

from runner.core.errors import UsageError
from runner.core.pauses import EVERYTHING, GROUP, HOOK
from runner.operations.actions import Actions
from runner.operations.pauses import Pauses, Target
from web.answers import done, page
from web.bulk import manage
from web.gate import database, need_admin, site

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.wrappers import Response as BaseResponse

blueprint = Blueprint("pauses", __name__)

SPANS = {"10m": 600, "1h": 3600, "1d": 86_400, "": None}
"""How long, in seconds; None is until somebody resumes it."""


@blueprint.get("/pauses")
def index() -> Response:
    g.live = True
    return page("pauses.html", pauses=Pauses(database(), site()).list(), spans=SPANS)


@blueprint.get("/pauses/new")
def new() -> Response:
    need_admin()
    kind = request.args.get("kind", GROUP)
    return page("pause.html", kind=kind, name=request.args.get("name", ""), spans=SPANS)


@blueprint.post("/pauses")
def create() -> BaseResponse:
    target, span = _target(), request.form.get("for", "")
    if span not in SPANS:
        raise UsageError(f"a pause lasts one of {', '.join(s for s in SPANS if s)}, or has no end")
    if not Pauses(database(), site()).known(target):
        raise UsageError(f"this site has no {target}")
    seconds = SPANS[span]
    until = None if seconds is None else Actions(database(), site()).now() + seconds
    reason = " ".join(request.form.get("reason", "").split())
    manage().pause(target, until=until, reason=reason)
    return done(f"Paused: {target}. What runs already goes on.", url_for("pauses.index"))


@blueprint.post("/pauses/ends")
def end() -> BaseResponse:
    target = _target()
    if manage().resume(target):
        return done(f"Resumed: {target}.", url_for("pauses.index"))
    return done(f"{target} was not paused any more.", url_for("pauses.index"), "bad")


def _target() -> Target:
    kind = request.form.get("kind", "")
    if kind not in {EVERYTHING, GROUP, HOOK}:
        raise UsageError("what is paused is a hook, a group, or all")
    return Target(kind, "" if kind == EVERYTHING else request.form.get("name", ""))
