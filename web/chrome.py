"""The frame around every page: states with counts, who is signed in, what was just done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from flask import g, request

from runner.operations.rail import Rail, rail
from web.gate import database, desk, site

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

FRESH = 2.0
"""Seconds that counts are shown without being read again."""

_NOTICE = "runner_notice"


@dataclass(frozen=True, slots=True)
class Frame:
    rail: Rail
    site_name: str
    notice: dict[str, str] | None
    visitor: Any
    live: bool


def counts() -> Rail:
    """Read once for all viewers. They bring the time that spans on the page count from."""
    found = desk().kept("rail", FRESH, lambda: rail(database(), site()))
    if "now" not in g:
        g.now = found.now
    return found


def frame() -> Frame:
    return Frame(counts(), site().name, _notice(), g.visitor, "live" in g)


def notice(response: Response, text: str, kind: str) -> None:
    """Shown once, by the next page. It is text for the visitor alone, and shown escaped."""
    value = quote(json.dumps({"text": text[:300], "kind": kind}))
    response.set_cookie(
        _NOTICE, value, max_age=60, httponly=True, samesite="Strict", secure=desk().settings.web_tls
    )


def _notice() -> dict[str, str] | None:
    value = request.cookies.get(_NOTICE)
    if not value:
        return None
    g.notice_shown = True
    try:
        found = json.loads(unquote(value))
        return {"text": str(found["text"]), "kind": "good" if found["kind"] == "good" else "bad"}
    except (ValueError, TypeError, KeyError):
        return None


def forget_notice(response: Response) -> Response:
    if "notice_shown" in g:
        response.delete_cookie(_NOTICE, samesite="Strict")
    return response
