"""Data that means harm, requests that mean harm, and a database that is not there."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import pymysql
import pytest
from support.page import Visitor, bury, make_page, signed_in, texts

from compat.site_time import sql_date
from runner.core.errors import DatabaseGone, TookTooLong
from web.gate import Rates

SCRIPTS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "' onmouseover='alert(1)",
    "javascript:alert(1)", "</textarea><script>alert(1)</script>", "</title><script>alert(1)</script>",
    "{{7919*7919}}{% raw %}", "${7919*7919}", "<!--", "]]>", "<a href='data:text/html,x'>x</a>", "&lt;script&gt;", "\u202e\u0000\x1b[31m",
]  # fmt: skip


SLOW = (
    "SELECT COUNT(*) AS n FROM information_schema.columns AS a, information_schema.columns AS b,"
    " information_schema.columns AS c WHERE SHA2(CONCAT(a.column_name, b.column_name), 512) > ''"
)
"""It would take years."""


class Harm(HTMLParser):
    """Finds elements and attributes that the templates do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        names = {name for name, _ in attrs}
        if tag == "script" and dict(attrs).get("src") != "/static/page.js":
            self.found.append(str((tag, attrs)))
        if any(name.startswith("on") for name in names) or "style" in names:
            self.found.append(str((tag, attrs)))
        for name in ("href", "src", "action", "formaction"):
            value = dict(attrs).get(name) or "/"
            if not value.startswith(("/", "#")):
                self.found.append(str((tag, attrs)))
        if tag in {"img", "iframe", "object", "embed", "base"}:
            self.found.append(tag)


@pytest.mark.parametrize("text", SCRIPTS)
def test_stored_texts_are_texts(app, shop, text):
    """In hook, args, group, log, error, actor, reason, worker: shown as they are, run by nobody."""
    admin = signed_in(app, shop)
    id_ = shop.add(text[:191], ([text], {text: text}), at=shop.now, group=text, status="failed",
                   last_attempt_gmt=sql_date(shop.now))  # fmt: skip
    shop.insert("logs", {"action_id": id_, "message": text, "log_date_gmt": sql_date(shop.now),
                         "log_date_local": sql_date(shop.now)})  # fmt: skip
    letter = bury(shop, id_, text[:191], "[1]")
    shop.run("UPDATE wp_runner_dead_letters SET error_message = %s, error_class = %s, traceback = %s, group_slug = %s,"
             " worker = %s, note = %s WHERE id = %s", (text, text[:191], text, text, text, text, letter))  # fmt: skip
    shop.run("INSERT INTO wp_runner_attempts (action_id, claim_id, worker_id, hook, attempt, outcome, error, elapsed_ms,"
             " peak_memory, ended_at) VALUES (%s, 4, 1, %s, 1, 'failed', %s, 1, 1, %s)",
             (id_, text, text, sql_date(shop.now)))  # fmt: skip
    shop.run("INSERT INTO wp_runner_failures (action_id, claim_id, attempt, message, traceback, ended_at)"
             " VALUES (%s, 4, 1, %s, %s, %s)", (id_, text, text, sql_date(shop.now)))  # fmt: skip
    shop.run(
        "INSERT INTO wp_runner_pauses VALUES ('group', %s, NULL, %s, %s, %s)",
        (text, text, text, sql_date(shop.now)),
    )
    shop.run("INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
             " VALUES (%s, 1, %s, %s, %s, %s, %s)", (text, text, text[:40], text[:40], *[sql_date(shop.now)] * 2))  # fmt: skip
    shop.run("INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried) VALUES (%s, %s, 1, 0, 0)",
             (sql_date(shop.now - 60), text))  # fmt: skip
    shop.run("INSERT INTO wp_runner_census (status, group_slug, hook, actions, due, recurring, taken_at, cost_ms)"
             " VALUES ('failed', %s, %s, 1, 0, 1, %s, 1)", (text, text, sql_date(shop.now)))  # fmt: skip
    shop.run("INSERT INTO wp_runner_audit (at, actor, way, address, verb, target, asked, changed, note)"
             " VALUES (%s, %s, 'page', %s, %s, %s, 1, 1, %s)",
             (sql_date(shop.now), text, text[:45], text[:30], text, text))  # fmt: skip
    shop.run("INSERT INTO wp_runner_alerts (rule, subject, open_key, severity, text, advice, facts, raised_at, seen_at, told, told_severity)"
             " VALUES ('failures', %s, %s, 'warning', %s, %s, '{}', %s, %s, '', '')",
             (text[:255], "k", text, text, sql_date(shop.now), sql_date(shop.now)))  # fmt: skip
    shop.run("INSERT INTO wp_runner_silences VALUES ('', %s, '2099-01-01', %s, %s, %s)",
             (text[:255], text[:255], text[:191], sql_date(shop.now)))  # fmt: skip
    shop.set_option("siteurl", f"http://{text}")
    for path in ("/", "/actions", f"/actions/{id_}", "/dead-letters", f"/dead-letters/{letter}", "/pauses", "/workers",
                 "/audit", "/recurring", "/doctor", "/alerts", "/actions/bulk/retry?q=status:failed", "/dead-letters/bulk/replays"):  # fmt: skip
        answer = admin.get(path)
        assert answer.status_code == 200, (path, answer.text)
        harm = Harm()
        harm.feed(answer.text)
        assert harm.found == [], path
        assert str(7919 * 7919) not in texts(answer.text), path


@pytest.mark.parametrize(
    "text",
    [*SCRIPTS, "'", '"', "\\", "%", "_", "--", ";", "/*", "1 OR 1=1", "' UNION SELECT 1 -- "],
)
def test_what_is_typed_is_text(app, shop, text):
    """Every parameter of every view: no error of SQL, nothing of it run."""
    admin = signed_in(app, shop)
    for path in (
        "/actions",
        "/dead-letters",
        "/audit",
        "/pauses/new",
        "/recurring",
        "/",
        "/actions/bulk/retry",
    ):
        for name in (
            "q",
            "sort",
            "dir",
            "after",
            "hook",
            "group",
            "error",
            "status",
            "before",
            "actor",
            "verb",
            "kind",
            "name",
            "id",
        ):
            answer = admin.get(path, query_string={name: text})
            assert answer.status_code in {200, 400, 403, 409}, (path, name, answer.text)
            harm = Harm()
            harm.feed(answer.text)
            assert harm.found == []
    for word in ("hook:", "group:", "hook:x args:", "status:", "older:", "id:", "args:"):
        assert admin.get("/actions", query_string={"q": f'{word}"{text}"'}).status_code in {
            200,
            400,
        }
    assert len(shop.rows()) == 7


def test_a_large_body_is_refused(app, shop):
    """10 MB: before it is read."""
    admin = signed_in(app, shop)
    answer = admin.post("/pauses", {"reason": "x" * 10_000_000})
    assert answer.status_code == 413
    assert "larger than 64 KB" in texts(answer.text)


def test_odd_requests(app, shop):
    """Methods, ids and addresses that there are none of."""
    admin = signed_in(app, shop)
    for path in ("/actions/-1", "/actions/1e3", "/actions/99999999999999999999999999", "/..%2f..%2fetc/passwd", "/static/../web/gate.py",
                 "/static/%2e%2e/gate.py", "/actions/%00", "/dead-letters/99999999999999999999"):  # fmt: skip
        assert admin.get(path).status_code in {404, 400}, path
    for method in ("put", "delete", "patch", "trace"):
        assert getattr(admin.client, method)("/actions/5").status_code in {405, 403}
    assert admin.get("/actions/bulk/retry", query_string={"id": ["9" * 30]}).status_code == 403
    assert (
        admin.get("/actions/bulk/retry", query_string={"id": list(range(300))}).status_code == 403
    )


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "7"])
def test_numbers_longer_than_python_reads(app, shop, digits):
    """None of them is a number that there is."""
    admin = signed_in(app, shop)
    for path in ("/audit", "/dead-letters"):
        assert admin.get(path, query_string={"before": digits}).status_code == 200, path
    assert admin.get(f"/actions/{digits}").status_code == 404
    assert admin.post("/actions/bulk/retry", {"id": digits}).status_code == 403
    assert admin.get("/actions", query_string={"q": f"id:{digits[:500]}"}).status_code == 400


@pytest.mark.parametrize(
    "cursor",
    [
        '[-5,"","x","y"]',
        '[5,"soon","x","y"]',
        '[5,"2026-02-30 00:00:00","x","y"]',
        '[5,"2026-11-23T06:05:00","x","y"]',
        '[5,"2026-11-23 06:05:00 OR 1=1","x","y"]',
        '[-5,"2026-11-23 06:05:00","x","y"]',
        f'[{2**63},"2026-11-23 06:05:00","x","y"]',
        f'[{"9" * 5000},"2026-11-23 06:05:00","x","y"]',
        '[true,"2026-11-23 06:05:00","x","y"]',
        '[5,"2026-11-23 06:05:00","x",null]',
        '[5,"2026-11-23 06:05:00"]',
        '{"id":5}',
        "5",
        "[" * 3000,
    ],
)
def test_a_place_that_no_page_ends_with(app, shop, cursor):
    """The address of a next page is anybody's to write: begin anew, whatever the order."""
    admin = signed_in(app, shop)
    after = base64.urlsafe_b64encode(cursor.encode()).decode().rstrip("=")
    for sort in ("date", "id", "hook"):
        answer = admin.get("/actions", query_string={"sort": sort, "after": after})
        assert answer.status_code == 400, (sort, answer.text)
        assert "begin anew" in texts(answer.text)


def test_a_log_line_cannot_be_forged(app, caplog):
    """What a stranger sends is on one line, escaped."""
    app.view_functions["health.live"] = lambda: 1 / 0
    app.view_functions["health.live"].is_public = True
    app.test_client().get("/livez", headers={"Host": "localhost", "User-Agent": "x\ty"})
    assert [r.getMessage() for r in caplog.records if r.name == "runner.web"] == [
        "fault at GET '/livez'"
    ]


def test_headers_cannot_be_split(app, shop):
    """A line end in what is sent back as a header."""
    admin = signed_in(app, shop)
    admin.post("/actions/4711/retry", {"to": "/actions\r\nSet-Cookie: x=y"})
    answer = admin.post(
        f"/dead-letters/{shop.ids['letter']}/discards", {"why": "a\r\nSet-Cookie: x=y"}
    )
    assert not any(value.startswith("x=") for value in answer.headers.getlist("Set-Cookie"))


def test_many_requests_of_one_address_wait(shop):
    """429, with the time to wait; another address is not held up."""
    page = make_page(shop)
    page.extensions["desk"].rates.burst = 5
    page.extensions["desk"].rates.rate = 0.001
    client = page.test_client()
    codes = [client.get("/livez").status_code for _ in range(8)]
    assert codes == [200] * 5 + [429] * 3
    assert client.get("/livez").headers["Retry-After"] == "1"
    assert client.get("/livez", environ_base={"REMOTE_ADDR": "10.0.0.2"}).status_code == 200


def test_without_a_database(app, shop, monkeypatch, admin):
    """A calm page that says so; it works again by itself."""
    desk = app.extensions["desk"]
    desk.forget()

    def gone(*_, **__):
        raise DatabaseGone("database 'x' at 'y' as 'user': it is gone")

    with monkeypatch.context() as patch:
        patch.setattr("runner.storage.db.Database.query", gone)
        for path in ("/", "/actions", "/actions/1", "/sign-in", "/readyz"):
            answer = admin.client.get(path, headers={})
            assert answer.status_code == 503, path
            assert "user" not in answer.text
        assert "No database" in texts(admin.get("/").text)
        assert admin.client.get("/livez").status_code == 200
        assert admin.client.get("/static/style.css", buffered=True).status_code == 200
    assert admin.get("/").status_code == 200


def test_a_slow_query_is_ended(app, shop, admin, monkeypatch):
    """By the server, at the page's limit; the page says so and goes on."""
    monkeypatch.setattr("web.pool.LIMIT", 0.3)
    page = make_page(shop)
    slow = signed_in(page, shop)
    from runner.operations import listing  # noqa: PLC0415  its text is made slow

    real = listing.Listing._read

    def sleepy(self, branches, order, limit):
        self._database.query(SLOW)
        return real(self, branches, order, limit)

    monkeypatch.setattr(listing.Listing, "_read", sleepy)
    answer = slow.get("/actions?q=hook:x")
    assert answer.status_code == 503
    assert "was told to stop" in texts(answer.text)
    assert 'value="hook:x"' in answer.text
    monkeypatch.setattr(listing.Listing, "_read", real)
    assert slow.get("/actions").status_code == 200


def test_the_pages_statements_have_a_limit(app, shop, admin):
    """Set by the connection itself, so that no view can forget it."""
    with app.extensions["desk"].pool.borrow() as database, pytest.raises(TookTooLong):
        database.query(SLOW)


def test_the_connections_are_few(app, shop, monkeypatch):
    """Who finds none free is told, and nobody else waits longer for it."""
    monkeypatch.setattr("web.pool.WAIT", 0.05)
    pool = app.extensions["desk"].pool
    held = [pool.borrow() for _ in range(8)]
    for one in held:
        one.__enter__()
    assert Visitor(app, headers={"Authorization": "Bearer war_x"}).get("/").status_code == 503
    for one in held:
        one.__exit__(None, None, None)
    assert Visitor(app, headers={"Authorization": "Bearer war_x"}).get("/").status_code == 401


def test_a_right_that_is_missing(shop, server):
    """The page's account may look and no more: a change says so, nothing is half done."""
    name = "page_reader"
    server.execute(f"DROP USER IF EXISTS {name}", f"CREATE USER {name} IDENTIFIED BY 'read-only-pw'",
                   f"GRANT SELECT ON {shop.name}.* TO {name}")  # fmt: skip
    from dataclasses import replace  # noqa: PLC0415

    class Narrow:
        dsn = replace(shop.dsn, user=name, password="read-only-pw")
        prefix = "wp_"

    page = make_page(Narrow(), is_open=True)
    visitor = Visitor(page)
    assert visitor.get("/actions").status_code == 200
    visitor.get("/pauses")
    answer = visitor.post(f"/actions/{shop.ids['failed']}/retry")
    assert answer.status_code in {409, 503}
    assert "read-only-pw" not in answer.text
    assert shop.row(shop.ids["failed"])["status"] == "failed"
    server.execute(f"DROP USER {name}")
    with pytest.raises(pymysql.err.MySQLError):
        pymysql.connect(host=server.host, port=server.port, user=name, password="read-only-pw")


def test_who_was_too_quick_is_let_in_again(monkeypatch):
    """At the rate itself, however often they ask meanwhile: a refusal costs nothing."""
    now = [1000.0]
    monkeypatch.setattr("web.gate.time.monotonic", lambda: now[0])
    rates = Rates(rate=50, burst=10)
    allowed = 0
    for _ in range(400):  # two seconds, four times as many as the rate lets in
        allowed += rates.wait("10.0.0.1") == 0
        now[0] += 0.005
    assert 105 <= allowed <= 112
