"""The page inside the test's own process, and what a browser would send to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from compat import schedules
from compat.site_time import epoch_of, sql_date
from runner import Handlers
from runner.app import App
from runner.config import Connection, Settings
from runner.core.clock import SystemClock
from runner.operations.accounts import Accounts, Sessions
from runner.operations.minutes import Minutes
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.mysql import MySQL
from web import create_app

NOW = epoch_of("2026-11-23 06:05:00")
WEEK = 7 * 86_400
PASSWORD = "correct horse battery"


def connected(site):
    """A connection of an ordinary account, and the site's facts."""
    tables = check_prefix(site.prefix)
    database = Database(MySQL(site.dsn, tables.plain("actions")), SystemClock())
    return database, discover(database, tables)


def record(site) -> int:
    """Writes the figures of the minutes that are over and counts the table, as the daemon does."""
    database, found = connected(site)
    written = Minutes(database, found).record(WEEK)
    database.close()
    return written


def make_page(site, handlers: Handlers | None = None, **settings):
    """The application. `is_open` lets everybody in."""
    is_open = settings.pop("is_open", False)
    app = App(Connection(site.dsn, site.prefix), handlers or Handlers())
    made = create_app(app, Settings(**settings), is_open=is_open)
    made.testing = False  # errors are pages, as for users
    return made


@dataclass
class Visitor:
    """Somebody with a browser: keeps cookies, sends forms with their tokens."""

    app: object
    client: object = field(init=False)
    csrf: str = ""
    headers: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def get(self, path: str, **options):
        answer = self.client.get(path, headers=self.headers, buffered=True, **options)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    def post(self, path: str, data: dict | None = None, *, csrf: str | None = None, **options):
        sent = {"csrf": self.csrf if csrf is None else csrf} | (data or {})
        return self.client.post(
            path, data=sent, headers=self.headers | options.pop("headers", {}), **options
        )

    def sign_in(self, name: str, password: str = PASSWORD, to: str = "/"):
        form = re.search(r'name="form" value="([^"]+)"', self.client.get("/sign-in").text)[1]
        data = {"form": form, "name": name, "password": password, "to": to}
        answer = self.client.post("/sign-in", data=data)
        if answer.status_code == 303:
            self.get("/pauses")
        return answer

    def notice(self) -> str:
        """What the next page says of the last change."""
        found = re.search(r'class="notice \w+" role="status">([^<]*)<', self.get("/pauses").text)
        return unescape(found[1]) if found else ""


def account(site, name: str, role: str = "read", *, token: bool = False) -> str | None:
    """Makes one; its token, if it has one."""
    database, found = connected(site)
    made = Accounts(database, found).add(
        name, role, password=None if token else PASSWORD, token=token, actor="test"
    )
    database.close()
    return made


def signed_in(app, site, role: str = "admin", name: str | None = None) -> Visitor:
    """A visitor with a session, made without the form: hashing takes its time."""
    database, found = connected(site)
    name = name or f"the-{role}"
    accounts = Accounts(database, found)
    if name not in {known.name for known in accounts.list()}:
        accounts.add(name, role, password=None, token=False, actor="test")
    cookie = Sessions(database, found).start(name, "own", role, "127.0.0.1")
    database.close()
    visitor = Visitor(app)
    visitor.client.set_cookie("runner_session", cookie)
    visitor.get("/pauses")
    return visitor


def texts(html: str) -> str:
    """What is read on a page, on one line."""
    plain = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", plain)).split())


def fill(site):
    site.ids, site.now = {}, NOW
    site.ids["pending"] = site.add(
        "shop_sync", (7, {"api_key": "c4n4ryV4lu3"}), at=NOW - 300, group="shop"
    )
    site.ids["future"] = site.add("shop_mail", ("anna",), at=NOW + 7200, group="mail")
    site.ids["recurring"] = site.add(
        "shop_report",
        (),
        at=NOW + 3600,
        schedule=schedules.interval(NOW + 3600, 3600),
        group="shop",
    )
    for status in ("complete", "failed", "canceled"):
        site.ids[status] = site.add(
            f"shop_{status}", (1,), at=NOW - 600, group="shop", status=status, attempts=1,
            claim_id=4, last_attempt_gmt=sql_date(NOW - 590),
        )  # fmt: skip
    site.insert("logs", {
        "action_id": site.ids["failed"], "message": "action failed via WP Cron: password=c4n4ryV4lu3 is wrong",
        "log_date_gmt": sql_date(NOW - 590), "log_date_local": sql_date(NOW - 590),
    })  # fmt: skip
    site.ids["running"] = site.add(
        "shop_running", (), at=NOW - 60, status="in-progress", claim_id=5, attempts=1,
        last_attempt_gmt=sql_date(NOW - 30),
    )  # fmt: skip
    site.ids["letter"] = bury(site, site.ids["failed"])
    return site


def bury(site, action: int, hook: str = "shop_failed", args: str = "[1]") -> int:
    site.run(
        "INSERT INTO wp_runner_dead_letters (job_type, error_message, attempts, status, created_at,"
        " action_id, hook, group_id, group_slug, priority, args, schedule, kind, error_class, traceback,"
        " claim_id, worker, site) VALUES ('', 'boom password=c4n4ryV4lu3', 3, 'dead', %s, %s, %s, 1, 'shop',"
        " 10, %s, '', 'error', 'ValueError', 'Traceback …\ntoken=c4n4ryV4lu3', 4, 'host 1', '')",
        (sql_date(NOW - 580), action, hook, args),
    )
    return site.run("SELECT LAST_INSERT_ID()")[0][0]
