"""Who may see the page and who may change things: every request passes here first.

Ways in: a session (own account or WordPress's), a token of an API client, a header of a trusted
proxy. Reading wants any of them, changing wants the role `admin`. What a browser sends by itself
(a cookie, a proxy's header) never changes anything without the form's token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from flask import current_app, g, request

from runner.operations.accounts import Accounts, Sessions
from runner.operations.manage import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from runner.config import Settings
    from runner.site import Site
    from runner.storage.db import Database
    from web.desk import Desk

ADMIN = "admin"
COOKIE = "runner_session"
V = TypeVar("V", bound="Callable[..., Any]")
SAFE = {"GET", "HEAD", "OPTIONS"}

RATE, BURST = 50, 300
"""Requests of one address: so many a second, and so many at once."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `way` is own, wordpress, proxy, token or open; `csrf` is what forms must send,
    None where nothing is sent by itself (a token)."""

    name: str
    way: str
    role: str
    csrf: str | None
    cookie: str = ""

    @property
    def may_change(self) -> bool:
        return self.role == ADMIN

    def actor(self) -> Actor:
        way = "api" if self.way == "token" else "page"
        return Actor(self.name, way=way, address=address())


class Refused(Exception):
    """The request is refused: an HTTP status and what to do, in words."""

    def __init__(self, status: int, text: str, wait: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.wait = wait


def public(view: V) -> V:
    """For everybody, without a credential."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def harmless(view: V) -> V:
    """A change that is the visitor's own affair: the role does not matter."""
    view.is_harmless = True  # type: ignore[attr-defined]
    return view


def address() -> str:
    """The visitor's address; behind a trusted proxy the one that it names."""
    peer = request.remote_addr or ""
    proxies = desk().settings.web_proxies
    if peer in proxies:
        named = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        for hop in reversed(named):
            if hop and hop not in proxies:
                return hop[:45]
    return peer


def database() -> Database:
    """The request's connection: borrowed when it is needed first, given back at the end."""
    if "borrowed" not in g:
        g.borrowed = desk().pool.borrow()
        g.database = g.borrowed.__enter__()
    found: Database = g.database
    return found


def site(*, anew: bool = False) -> Site:
    """The site's facts; `anew` before something is written."""
    if anew or "site" not in g:
        g.site = desk().pool.site(database(), anew=anew)
    found: Site = g.site
    return found


def give_back(_: BaseException | None = None) -> None:
    """After every request."""
    if borrowed := g.pop("borrowed", None):
        borrowed.__exit__(None, None, None)


def desk() -> Desk:
    found: Desk = current_app.extensions["desk"]
    return found


def check() -> None:
    """Before every request. Raises Refused."""
    _check_host(desk().settings)
    wait = desk().rates.wait(address())
    if wait:
        raise Refused(429, "Too many requests from your address: slow down.", wait)
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or getattr(view, "is_public", False) or request.endpoint == "static":
        return
    visitor = identify()
    if visitor is None:
        raise Refused(401, "Sign in first.")
    g.visitor = visitor
    if request.method in SAFE:
        return
    check_origin()
    if visitor.csrf is not None:
        check_token(visitor.csrf)
    if not visitor.may_change and not getattr(view, "is_harmless", False):
        raise Refused(403, f"{visitor.name} may look at everything here, and change nothing.")


def identify() -> Visitor | None:
    """Whoever the request is from; None for nobody that is known."""
    found = desk()
    if header := request.headers.get("Authorization"):
        return _by_token(header)
    if visitor := _by_proxy(found.settings):
        return visitor
    if cookie := request.cookies.get(cookie_name()):
        session = Sessions(database(), site()).find(cookie)
        if session:
            return Visitor(session.name, session.way, session.role, session.csrf, cookie)
    if found.is_open:
        return Visitor("anybody", "open", ADMIN, found.token_for("anybody"))
    return None


def cookie_name() -> str:
    return f"__Host-{COOKIE}" if desk().settings.web_tls else COOKIE


def _by_token(header: str) -> Visitor | None:
    word, _, token = header.partition(" ")
    if word.lower() != "bearer" or not token.strip():
        return None
    account = Accounts(database(), site()).by_token(token.strip())
    return Visitor(account.name, "token", account.role, None) if account else None


def _by_proxy(settings: Settings) -> Visitor | None:
    if not settings.web_user_header or request.remote_addr not in settings.web_proxies:
        return None
    name = request.headers.get(settings.web_user_header, "").strip()
    if not name or not name.isprintable():
        return None
    name = name[:60]
    return Visitor(name, "proxy", settings.web_role, desk().token_for(name))


def check_origin() -> None:
    """A form of another site is refused, whatever it sends. Raises Refused."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Refused(403, "This form was sent by another site.")
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        raise Refused(403, "This form was sent by another site.")


def check_token(expected: str) -> None:
    sent = request.form.get("csrf") or request.headers.get("X-CSRF-Token", "")
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise Refused(403, "This form is out of date: go back, reload the page and send it again.")


def _check_host(settings: Settings) -> None:
    """A foreign name is another site's, whose scripts would see the answers."""
    host = request.host.casefold()
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    bound = settings.bind.rpartition(":")[0]
    if name not in {*_LOOPBACK, bound, *(n.casefold() for n in settings.web_hosts)}:
        raise Refused(421, "This page is not served under that name (see --host).")


@dataclass
class Rates:
    """Requests by address: a bucket for each, in this process."""

    rate: float = RATE
    burst: float = BURST
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, who: str) -> int:
        """Takes one; seconds to wait where there is none."""
        now = time.monotonic()
        with self._lock:
            if len(self._left) > 10_000:  # noqa: PLR2004  nobody's memory
                self._left.clear()
            left, since = self._left.get(who, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.rate)
            # Who is refused keeps what has come back to them, or would never be let in again.
            self._left[who] = (left - 1 if left >= 1 else left, now)
        return 0 if left >= 1 else 1


def form_token(key: bytes, name: str) -> str:
    """For visitors without a session of ours."""
    return hmac.new(key, f"form\0{name}".encode(), hashlib.sha256).hexdigest()


def new_key() -> bytes:
    return secrets.token_bytes(32)


def secure(response: Response) -> Response:
    """After every request, errors too: nothing of others' is loaded, framed or kept."""
    headers = response.headers
    headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"  # by none at all, forms name no origin
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if desk().settings.web_tls:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    headers["Server"] = "runner"
    return response


def need_admin() -> None:
    """For pages that only lead to a change. Raises Refused."""
    if not g.visitor.may_change:
        raise Refused(403, f"{g.visitor.name} may look at everything here, and change nothing.")
