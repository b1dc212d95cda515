"""Signing in and out, and what a visitor prefers to see."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for

from runner.operations.accounts import TOKEN, Accounts, Sessions, Throttle
from runner.operations.wordpress_accounts import WordPressAccounts
from web.gate import (
    address,
    check_origin,
    cookie_name,
    database,
    desk,
    harmless,
    identify,
    public,
    site,
)

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.wrappers import Response as BaseResponse

blueprint = Blueprint("sessions", __name__)

FORM = "runner_form"
"""Cookie of the form: who sends it has loaded it here."""

WRONG = "Name or password is wrong, or the account may not open this page."
"""The same for all reasons: which names there are is nobody's business."""


@blueprint.get("/sign-in")
@public
def sign_in() -> BaseResponse:
    if identify():
        return redirect(_inside(request.args.get("to")), 303)
    return sign_in_page(200, at=request.args.get("to"))


@blueprint.post("/sign-in")
@public
def create() -> BaseResponse:
    """A new session for a name and a password; the old one, if any, ends."""
    check_origin()
    sent, cookie = request.form.get("form", ""), request.cookies.get(FORM, "")
    to = _inside(request.form.get("to"))
    if not cookie or not hmac.compare_digest(sent.encode(), cookie.encode()):
        return sign_in_page(403, at=to, text="The form was out of date. Try again.")
    name = request.form.get("name", "").strip()[:191]
    password = request.form.get("password", "")
    throttle = Throttle(database(), site())
    if wait := throttle.begin(name, address()):
        text = f"Too many tries. Wait {max(wait // 60, 1)} min and try again."
        response = sign_in_page(429, at=to, text=text)
        response.headers["Retry-After"] = str(wait)
        return response
    found = _known(name, password)
    if found is None:
        return sign_in_page(401, at=to, text=WRONG, name=name)
    throttle.end(name, address())
    sessions = Sessions(database(), site())
    if old := request.cookies.get(cookie_name()):
        sessions.end(old)
    secret = sessions.start(*found, address())
    signed_in = redirect(to, 303)
    signed_in.set_cookie(cookie_name(), secret, **_flags())
    signed_in.delete_cookie(FORM, samesite="Strict")
    return signed_in


@blueprint.post("/sign-out")
@harmless
def end() -> BaseResponse:
    if g.visitor.cookie:
        Sessions(database(), site()).end(g.visitor.cookie)
    response = redirect(url_for("sessions.sign_in"), 303)
    response.delete_cookie(cookie_name(), **_flags())
    return response


@blueprint.post("/preferences")
@harmless
def prefer() -> BaseResponse:
    """The zone in which times are shown: the site's or UTC."""
    response = redirect(_inside(request.form.get("to")), 303)
    zone = "utc" if request.form.get("zone") == "utc" else "site"
    response.set_cookie("zone", zone, max_age=31_536_000, **_flags())
    return response


def sign_in_page(status: int, *, at: str | None, text: str = "", name: str = "") -> Response:
    form = request.cookies.get(FORM) or secrets.token_urlsafe(24)
    shown = render_template(
        "sign_in.html",
        form=form,
        to=_inside(at),
        text=text,
        name=name,
        wordpress=desk().settings.web_wordpress,
    )
    response = make_response(shown, status)
    response.set_cookie(FORM, form, max_age=3600, **_flags())
    return response


def _known(name: str, password: str) -> tuple[str, str, str] | None:
    """Name, way and role of whoever that is: an own account (its token counts as a password too),
    then one of WordPress."""
    accounts = Accounts(database(), site())
    account = accounts.by_password(name, password)
    if account is None and password.startswith(TOKEN):
        found = accounts.by_token(password)
        account = found if found and found.name == name else None
    if account:
        return account.name, "own", account.role
    settings = desk().settings
    if not settings.web_wordpress:
        return None
    wordpress = WordPressAccounts(database(), site(), settings.web_capability)
    login = wordpress.sign_in(name, password)
    return (login, "wordpress", settings.web_role) if login else None


def _flags() -> dict[str, Any]:
    return {
        "httponly": True,
        "samesite": "Strict",
        "secure": desk().settings.web_tls,
        "path": "/",
    }


def _inside(to: str | None) -> str:
    """A place of this page; never another site's."""
    if not to or not to.startswith("/") or to.startswith(("//", "/\\", "/sign-")):
        return url_for("overview.index")
    return to.rstrip("?")
