"""Answers: the same model as a page, or as JSON under /api. Errors too are calm pages that say what
happened and what to do."""

from __future__ import annotations

import logging
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from runner.core.errors import DatabaseError, RunnerError, TookTooLong
from web import chrome
from web.formats import hidden
from web.gate import Refused, desk

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response as BaseResponse

logger = logging.getLogger("runner.web")

API = "/api"


def wants_json() -> bool:
    return request.path == API or request.path.startswith(f"{API}/")


def page(template: str, status: int = 200, /, **model: Any) -> Response:
    """The model as a page in the frame, or as JSON."""
    if wants_json():
        return _json(model, status)
    text = render_template(template, **model, frame=chrome.frame())
    return make_response(text, status)


def _json(model: Any, status: int = 200) -> Response:
    return make_response(jsonify(hidden(plain(model))), status)


def plain(value: Any) -> Any:
    """Dataclasses and sets as what JSON has."""
    if hasattr(value, "as_json"):
        return value.as_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain(item) for key, item in asdict(value).items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def done(text: str, to: str, /, kind: str = "good", **model: Any) -> BaseResponse:
    """After a change: what was done, on the page that shows it. JSON says it outright."""
    desk().forget()
    if wants_json():
        return _json(
            model | {"message": text, "ok": kind == "good"}, 200 if kind == "good" else 409
        )
    response = redirect(to, 303)
    chrome.notice(response, text, kind)
    return response


def register(app: Flask) -> None:
    app.register_error_handler(Refused, _denied)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RunnerError, _refused)
    app.register_error_handler(Exception, _failed)


def problem(status: int, title: str, text: str) -> Response:
    """A page without the frame: what it would show may be what is missing."""
    if wants_json():
        return make_response(jsonify({"ok": False, "error": title, "message": text}), status)
    shown = render_template("problem.html", title=title, text=text, status=status)
    return make_response(shown, status)


def _denied(error: Refused) -> Response:
    if error.status == 401 and not wants_json():  # noqa: PLR2004
        from web.views.sessions import sign_in_page  # noqa: PLC0415  it answers by this module

        return sign_in_page(401, at=request.full_path if request.method == "GET" else "/")
    titles = {401: "Sign in", 403: "Not allowed", 421: "Not here", 429: "Slow down"}
    response = problem(error.status, titles[error.status], error.text)
    if error.wait:
        response.headers["Retry-After"] = str(error.wait)
    return response


def _http(error: HTTPException) -> Response | HTTPException:
    texts = {
        404: ("Not found", "There is no such page, or what it showed is gone."),
        405: ("Not that way", "This address takes another method."),
        413: ("Too large", "What was sent is larger than 64 KB."),
        400: ("Not understood", "The request cannot be read."),
    }
    code = error.code or 500
    if code < 400:  # noqa: PLR2004  a redirect
        return error
    title, text = texts.get(code, (error.name, "The request could not be answered."))
    return problem(code, title, text)


def _refused(error: RunnerError) -> Response:
    """What the runner itself says, in words for a user."""
    if isinstance(error, TookTooLong):
        text = "The database needs too long for this, and was told to stop. Narrow the search: a"
        text += " whole hook:, a status:, or the order by date."
        return problem(503, "Too much to read", text)
    if isinstance(error, DatabaseError):
        logger.warning("database: %s", " ".join(str(error).split()))
        text = "The database does not answer as it should. The runner's own work does not depend on"
        text += " this page. Reload in a moment; `runner doctor` says more."
        return problem(503, "No database", text)
    return problem(409, "That could not be done", str(error))


def _failed(error: Exception) -> Response:
    """A fault of ours: told in the log, not on the page."""
    logger.error("fault at %s %r", request.method, request.path[:200], exc_info=error)
    return problem(500, "A fault of the page", "It is in the page's log; nothing was changed.")


def here(endpoint: str, **values: Any) -> str:
    """The address of a view of the same face: page or API."""
    prefix = "api." if wants_json() else ""
    return url_for(f"{prefix}{endpoint}", **values)
