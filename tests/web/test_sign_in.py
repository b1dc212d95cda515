"""Signing in: with an own account, with one of WordPress, through a proxy; and out."""

from __future__ import annotations

import re

import pytest
from support.page import PASSWORD, Visitor, account, make_page, signed_in, texts
from support.site import OPTIONS, SiteDatabase, real_site

WRONG = "Name or password is wrong, or the account may not open this page."


def test_coming_in_and_going(app, shop):
    """Back to where one was going; a new cookie each time; the old one is dead."""
    account(shop, "anna")
    visitor = Visitor(app)
    assert (
        'name="to" value="/actions?q=status:failed"' in visitor.get("/actions?q=status:failed").text
    )
    answer = visitor.sign_in("anna", to="/actions?q=status:failed")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/actions?q=status:failed")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("runner_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "anna read-only" in texts(visitor.get("/").text)
    old = visitor.client.get_cookie("runner_session").value
    assert visitor.post("/sign-out").status_code == 303
    visitor.sign_in("anna")
    assert visitor.client.get_cookie("runner_session").value != old
    assert old not in str(shop.own("sessions"))
    thief = Visitor(app)
    thief.client.set_cookie("runner_session", old)
    assert thief.get("/").status_code == 401
    current = visitor.client.get_cookie("runner_session").value
    assert visitor.post("/sign-out").status_code == 303
    thief.client.set_cookie("runner_session", current)
    assert thief.get("/").status_code == 401
    assert shop.own("sessions") == []


@pytest.mark.parametrize(
    "to",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "", "/sign-out"],
)
def test_one_is_led_nowhere_else(app, shop, to):
    """Only to a place of this page."""
    account(shop, "anna")
    assert Visitor(app).sign_in("anna", to=to).headers["Location"] == "/"


def test_all_that_is_wrong_reads_the_same(app, shop):
    """No name, a wrong password, no password."""
    account(shop, "anna")
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("", "")):
        answer = Visitor(app).sign_in(name, password)
        assert answer.status_code == 401
        assert WRONG in texts(answer.text)


def test_the_sixth_try_waits(app, shop):
    """Even with the right password, and the answer says how long."""
    account(shop, "anna")
    for _ in range(5):
        assert Visitor(app).sign_in("anna", "wrong").status_code == 401
    answer = Visitor(app).sign_in("anna")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "Wait 15 min" in texts(answer.text)
    shop.run("DELETE FROM wp_runner_sign_ins")
    assert Visitor(app).sign_in("anna").status_code == 303


def test_the_form_must_come_from_here(app, shop):
    """Without its cookie, and from another site."""
    account(shop, "anna")
    sent = {"form": "x", "name": "anna", "password": PASSWORD}
    assert app.test_client().post("/sign-in", data=sent).status_code == 403
    answer = app.test_client().post("/sign-in", data=sent, headers={"Origin": "https://evil.test"})
    assert answer.status_code == 403


def test_a_token_opens_the_page_too(app, shop):
    """As the password of its account, not of another's."""
    token = account(shop, "bot", token=True)
    account(shop, "anna")
    assert Visitor(app).sign_in("bot", token).status_code == 303
    assert Visitor(app).sign_in("anna", token).status_code == 401


def test_a_token_is_no_cookie(app, shop):
    """What a browser sends by itself opens nothing."""
    token = account(shop, "bot", "admin", token=True)
    visitor = Visitor(app)
    visitor.client.set_cookie("runner_session", token)
    assert visitor.get("/").status_code == 401


@pytest.fixture
def wordpress(server):
    """The site that a real WordPress left, with its account `admin`."""
    with real_site(server) as site:
        site.migrate()
        yield site


def test_an_account_of_wordpress(wordpress):
    """By login or e-mail, with the role that the operator gives."""
    email = wordpress.run("SELECT user_email FROM wp_users")[0][0]
    for role, shown in (("read", "admin read-only"), ("admin", "admin Sign out")):
        page = make_page(wordpress, web_wordpress=True, web_role=role)
        for name in ("admin", email):
            visitor = Visitor(page)
            assert visitor.sign_in(name, "admin").status_code == 303, name
            assert shown in texts(visitor.get("/").text)
    assert Visitor(page).sign_in("admin", "wrong").status_code == 401
    assert (
        Visitor(make_page(wordpress)).sign_in("admin", "admin").status_code == 401
    )  # it is opt-in


def test_who_lacks_the_capability_stays_outside(wordpress):
    """A subscriber, one whose meta is gone or broken, another capability."""
    page = make_page(wordpress, web_wordpress=True)
    for meta in ('a:1:{s:10:"subscriber";b:1;}', "", "a:1:{s:13:", 'O:8:"stdClass":0:{}'):
        wordpress.run(
            "UPDATE wp_usermeta SET meta_value = %s WHERE meta_key = 'wp_capabilities'", (meta,)
        )
        assert Visitor(page).sign_in("admin", "admin").status_code == 401, meta
    wordpress.run(
        "UPDATE wp_usermeta SET meta_value = 'a:1:{s:13:\"shop_operator\";b:1;}' WHERE meta_key = 'wp_capabilities'"
    )
    page = make_page(wordpress, web_wordpress=True, web_capability="shop_operator")
    assert Visitor(page).sign_in("admin", "admin").status_code == 303


def test_a_network_of_sites(wordpress):
    """The second site's capabilities, the network's accounts and its super admins."""
    for table in ("actionscheduler_actions", "actionscheduler_claims", "actionscheduler_groups",
                  "actionscheduler_logs", "options"):  # fmt: skip
        wordpress.run(f"CREATE TABLE wp_2_{table} AS SELECT * FROM wp_{table}")
    second = SiteDatabase(wordpress.server, wordpress.name, "wp_2_")
    second.reconnect()
    for table in ("actionscheduler_actions", "actionscheduler_claims", "actionscheduler_groups",
                  "actionscheduler_logs"):  # fmt: skip
        second.run(f"DROP TABLE wp_2_{table}")
    second.run("DROP TABLE wp_2_options")
    second.create_tables(OPTIONS | {"siteurl": "http://two.test"})
    second.migrate()
    page = make_page(second, web_wordpress=True)
    assert (
        Visitor(page).sign_in("admin", "admin").status_code == 401
    )  # administrator of the first one
    second.run(
        "CREATE TABLE wp_sitemeta (meta_id bigint, site_id bigint, meta_key varchar(255), meta_value longtext)"
    )
    second.run("INSERT INTO wp_sitemeta VALUES (1, 1, 'site_admins', 'a:1:{i:0;s:5:\"admin\";}')")
    assert Visitor(page).sign_in("admin", "admin").status_code == 303
    second.run("UPDATE wp_sitemeta SET meta_value = 'a:0:{}'")
    assert Visitor(page).sign_in("admin", "admin").status_code == 401
    second.run("INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES (1, 'wp_2_capabilities', %s)",
               ('a:1:{s:13:"administrator";b:1;}',))  # fmt: skip
    assert Visitor(page).sign_in("admin", "admin").status_code == 303
    second.connection.close()


@pytest.mark.parametrize(
    "name",
    [
        "admin' OR '1'='1",
        "admin'; DROP TABLE wp_users; --",
        "adm%",
        "' UNION SELECT 1,2,3 -- ",
        "\\",
    ],
)
def test_names_are_values(wordpress, name):
    """No name is a part of a statement."""
    page = make_page(wordpress, web_wordpress=True)
    assert Visitor(page).sign_in(name, "admin").status_code == 401
    assert Visitor(page).sign_in("admin", name).status_code == 401
    assert wordpress.run("SELECT COUNT(*) FROM wp_users")[0][0] == 1


def test_a_proxy_that_signs_people_in(shop):
    """Its header is believed from its own address alone."""
    page = make_page(
        shop, web_user_header="X-Forwarded-User", web_proxies=("10.9.9.9",), web_role="admin"
    )
    anna = Visitor(page, headers={"X-Forwarded-User": "anna"})
    assert anna.get("/").status_code == 401
    behind = {"REMOTE_ADDR": "10.9.9.9"}
    shown = anna.get("/pauses", environ_base=behind)
    assert "anna" in texts(shown.text)
    id_ = shop.ids["failed"]
    assert anna.post(f"/actions/{id_}/retry", csrf="", environ_base=behind).status_code == 403
    answer = anna.post(f"/actions/{id_}/retry", environ_base=behind,
                       headers={"X-Forwarded-For": "203.0.113.7, 10.9.9.9"})  # fmt: skip
    assert answer.status_code == 303
    assert [(r["actor"], r["address"]) for r in shop.own("audit")] == [("anna", "203.0.113.7")]
    for header in ("", " ", "an\x00na", "x" * 10_000):
        found = Visitor(page, headers={"X-Forwarded-User": header}).get(
            "/pauses", environ_base=behind
        )
        assert found.status_code in {200, 401}
        assert "x" * 61 not in found.text


def test_an_address_that_somebody_makes_up(app, shop):
    """X-Forwarded-For of a stranger is not believed: it would undo the brake."""
    account(shop, "anna")
    for number in range(5):
        visitor = Visitor(app)
        form = re.search(r'name="form" value="([^"]+)"', visitor.get("/sign-in").text)[1]
        visitor.client.post("/sign-in", data={"form": form, "name": "anna", "password": "wrong"},
                            headers={"X-Forwarded-For": f"203.0.113.{number}"})  # fmt: skip
    assert {row["address"] for row in shop.own("sign_ins")} == {"127.0.0.1"}
    assert Visitor(app).sign_in("anna").status_code == 429


def test_an_open_page(shop):
    """For trying out: everybody may do everything, by forms of its own all the same."""
    visitor = Visitor(make_page(shop, is_open=True))
    assert visitor.get("/pauses").status_code == 200
    id_ = shop.ids["failed"]
    assert visitor.post(f"/actions/{id_}/retry", csrf="").status_code == 403
    assert visitor.post(f"/actions/{id_}/retry").status_code == 303


def test_a_role_is_read_again_at_each_request(app, shop):
    """Who was demoted cannot go on."""
    admin = signed_in(app, shop, "admin", "eva")
    shop.run("UPDATE wp_runner_accounts SET role = 'read' WHERE name = 'eva'")
    assert admin.post(f"/actions/{shop.ids['failed']}/retry").status_code == 403
