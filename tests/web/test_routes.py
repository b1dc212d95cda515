"""Every route of the URL map: closed without a credential, without a role, without a form's token;
GET changes nothing; the headers are on every answer."""

from __future__ import annotations

import pytest
from support.page import Visitor, account, make_page

PUBLIC = {"/livez", "/readyz", "/sign-in", "/static/<path:filename>"}
OWN_AFFAIR = {"/sign-out", "/preferences"}


def routes(app, method: str) -> list[str]:
    return sorted({rule.rule for rule in app.url_map.iter_rules() if method in rule.methods})


def filled(rule: str, site) -> list[str]:
    """Addresses of a rule, with ids that are there."""
    rule = rule.replace("<path:filename>", "style.css")
    rules = [rule.replace("<any(replays, discards):what>", w) for w in ("replays", "discards")]
    found = []
    for one in dict.fromkeys(rules):
        id_ = site.ids["letter"] if "letter" in one else site.ids["failed"]
        found.append(one.replace("<int:id_>", str(id_)))
    return found


def everything(site) -> dict:
    tables = [row[0] for row in site.run("SHOW TABLES")]
    checksums = site.run(f"CHECKSUM TABLE {', '.join(f'`{t}`' for t in tables)}")
    return {name: value for name, value in checksums if not name.endswith("runner_sessions")}


def test_the_map_is_seen(app):
    """The tests below walk what is there."""
    assert len(routes(app, "GET")) > 30
    assert len(routes(app, "POST")) > 20


def test_nobody_comes_in_without_a_credential(app, shop):
    """401 for every way but the public ones, for pages and for JSON, and for a dead session."""
    for headers in ({}, {"Authorization": "Bearer war_nonsense"}, {"Cookie": "runner_session=x"},
                    {"X-Forwarded-User": "admin"}, {"Authorization": "Basic YWRtaW46YWRtaW4="}):  # fmt: skip
        stranger = Visitor(app, headers=headers)
        for rule in routes(app, "GET"):
            if rule not in PUBLIC:
                for path in filled(rule, shop):
                    assert stranger.get(path).status_code == 401, path
        before = everything(shop)
        for rule in routes(app, "POST"):
            if rule not in PUBLIC:
                for path in filled(rule, shop):
                    assert stranger.post(path).status_code == 401, path
        assert everything(shop) == before


def test_who_may_only_look_changes_nothing(reader, app, shop):
    """403 for every change, by session and by token; what is shown is the same."""
    token = account(shop, "bot", token=True)
    bot = Visitor(app, headers={"Authorization": f"Bearer {token}"})
    before = everything(shop)
    for visitor in (reader, bot):
        for rule in routes(app, "POST"):
            for path in filled(rule, shop):
                if rule not in PUBLIC | OWN_AFFAIR:
                    assert visitor.post(path).status_code == 403, path
    assert everything(shop) == before
    for path in (
        "/actions/bulk/retry?q=status:failed",
        "/dead-letters/bulk/replays",
        "/pauses/new",
    ):
        assert reader.get(path).status_code == 403, path
    assert "Retry" not in reader.get(f"/actions/{shop.ids['failed']}").text


def test_a_form_without_its_token_is_refused(admin, app, shop):
    """403 for a missing, a wrong, and another's token."""
    before = everything(shop)
    for rule in routes(app, "POST"):
        if rule in PUBLIC:
            continue
        for path in filled(rule, shop):
            for csrf in ("", "x", "0" * 64):
                assert admin.post(path, csrf=csrf).status_code == 403, path
    assert everything(shop) == before


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "null"}],
)  # fmt: skip
def test_another_sites_form_is_refused(admin, app, shop, headers):
    """Even with the right token and cookie."""
    before = everything(shop)
    for rule in routes(app, "POST"):
        for path in filled(rule, shop):
            assert admin.post(path, headers=headers).status_code == 403, path
    assert everything(shop) == before


def test_looking_changes_nothing(admin, app, shop):
    """Every address is asked for, also with odd words in it; all tables stay as they are."""
    before = everything(shop)
    for rule in routes(app, "GET"):
        for path in filled(rule, shop):
            for query in (
                "",
                "?q=status:failed",
                "?after=%00&before=x&sort=date",
                "?verb=retry&kind=hook",
            ):
                answer = admin.get(path + query)
                assert answer.status_code in {200, 303, 400}, (path + query, answer.text)
    assert everything(shop) == before


def test_the_headers_are_on_every_answer(admin, app, shop):
    """Pages, JSON, files and errors."""
    paths = [p for rule in routes(app, "GET") for p in filled(rule, shop)]
    answers = [
        admin.get(path)
        for path in (*paths, "/nothing", "/actions/999", "/api/nothing", "/actions?sort=x")
    ]
    answers += [
        Visitor(app).get("/"),
        admin.post("/actions/1/retry", csrf="x"),
        admin.client.delete("/actions"),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Permissions-Policy" in answer.headers
        assert "Strict-Transport-Security" not in answer.headers
        if not answer.request.path.startswith("/static"):
            assert answer.headers["Cache-Control"] == "no-store"


def test_behind_tls_browsers_are_told_to_stay_there(shop):
    """HSTS, and cookies for https alone."""
    visitor = Visitor(make_page(shop, web_tls=True))
    assert "max-age" in visitor.get("/").headers["Strict-Transport-Security"]
    cookies = visitor.client.get("/sign-in").headers.getlist("Set-Cookie")
    assert all("Secure" in c and "HttpOnly" in c and "SameSite=Strict" in c for c in cookies)


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test", "127.0.0.1.nip.io", "shop.test:8020", "[::2]"]
)
def test_a_foreign_host_is_refused(app, host):
    """A name that leads here by somebody else's doing: its scripts must not read the answers."""
    answer = app.test_client().get("/livez", headers={"Host": host})
    assert answer.status_code == 421
    assert "not served under that name" in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9999", "127.0.0.1:8020", "[::1]:8020", "Runner.Shop.test"]
)
def test_its_own_names_are_served(shop, host):
    """This machine's, and those that were given."""
    page = make_page(shop, web_hosts=("runner.shop.test",))
    assert page.test_client().get("/livez", headers={"Host": host}).status_code == 200


def test_probes_tell_nothing_else(app, shop):
    """Whether it lives, and whether it can work."""
    client = app.test_client()
    assert client.get("/livez").json == {"ok": True}
    assert client.get("/readyz").json == {"ok": True}
    shop.run("DROP TABLE wp_runner_minutes")
    page = make_page(shop).test_client()
    assert (page.get("/readyz").status_code, page.get("/readyz").json) == (503, {"ok": False})
    assert page.get("/livez").status_code == 200
