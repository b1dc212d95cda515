"""The page's accounts, sessions, and the brake on guessing."""

from __future__ import annotations

import threading

import pytest
from support.page import PASSWORD, connected
from support.site import PEOPLE, REAL

from compat.site_time import epoch_of
from runner.core.errors import RunnerError, SiteError, UsageError
from runner.operations import wordpress_accounts
from runner.operations.accounts import (
    ABSOLUTE,
    IDLE,
    TRIES,
    TRIES_OF_ADDRESS,
    WINDOW,
    Accounts,
    Sessions,
    Throttle,
)
from runner.operations.wordpress_accounts import WordPressAccounts

NOW = epoch_of("2026-11-23 06:05:00")


@pytest.fixture
def place(site):
    site.migrate()
    database, found = connected(site)
    yield database, found
    database.close()


def at(server, site, moment, work):
    """Does it at that moment, on a connection of its own."""
    with server.frozen(moment):
        database, found = connected(site)
        try:
            return work(database, found)
        finally:
            database.close()


def test_an_account_has_its_password(place, site):
    """By the name exactly; the text of the password is nowhere."""
    accounts = Accounts(*place)
    assert accounts.add("anna", "read", password=PASSWORD, token=False, actor="root") is None
    assert accounts.by_password("anna", PASSWORD).role == "read"
    for name, password in (
        ("anna", PASSWORD + "x"),
        ("Anna", PASSWORD),
        ("", ""),
        ("bob", PASSWORD),
        ("anna", ""),
    ):
        assert accounts.by_password(name, password) is None
    stored = site.own("accounts")[0]
    assert PASSWORD not in str(stored)
    assert stored["created_by"] == "root"


def test_an_unknown_name_costs_as_much(place, monkeypatch):
    """The same work is done for it, so that time tells nothing."""
    accounts = Accounts(*place)
    accounts.add("anna", "read", password=PASSWORD, token=False, actor="root")
    accounts.add("bot", "read", password=None, token=True, actor="root")
    worked = []
    from runner.operations import accounts as module  # noqa: PLC0415  its inside is watched

    real = module._scrypt
    monkeypatch.setattr(module, "_scrypt", lambda *a: worked.append(1) or real(*a))
    module._nobodys()
    worked.clear()
    for name in ("anna", "nobody", "bot"):
        assert accounts.by_password(name, "wrong password") is None
    assert len(worked) == 3


def test_a_token_is_known_once(place, site):
    """Only its hash is kept; a new one ends the old one."""
    accounts = Accounts(*place)
    token = accounts.add("bot", "admin", password=None, token=True, actor="root")
    assert token.startswith("war_")
    assert accounts.by_token(token).name == "bot"
    assert token not in str(site.own("accounts"))
    renewed = accounts.renew_token("bot")
    assert accounts.by_token(token) is None
    assert accounts.by_token(renewed).role == "admin"
    assert accounts.by_token("") is None


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "x" * 61, "a\nb", "a\x00b", "\u202eanna"])
def test_names_that_will_not_do(place, name):
    """Nothing that could hide in a list."""
    with pytest.raises(UsageError):
        Accounts(*place).add(name, "read", password=PASSWORD, token=False, actor="root")


@pytest.mark.parametrize(
    "name", ["anna'; DROP TABLE wp_users; --", 'a"b', "a\\", "%", "ānna", "日本"]
)
def test_odd_names_are_names(place, name):
    """They are values, never part of a statement."""
    accounts = Accounts(*place)
    accounts.add(name, "read", password=PASSWORD, token=False, actor="root")
    assert accounts.by_password(name, PASSWORD).name == name
    accounts.remove(name)
    assert accounts.list() == []


def test_what_is_refused(place):
    """Short passwords, a name that is there, changes to nobody."""
    accounts = Accounts(*place)
    with pytest.raises(UsageError, match="12 characters"):
        accounts.add("anna", "read", password="short", token=False, actor="root")
    with pytest.raises(UsageError, match="at most"):
        accounts.add("anna", "read", password="x" * 5000, token=False, actor="root")
    accounts.add("anna", "read", password=PASSWORD, token=False, actor="root")
    with pytest.raises(RunnerError, match="already"):
        accounts.add("anna", "admin", password=PASSWORD, token=False, actor="root")
    for change in (accounts.remove, accounts.renew_token, lambda n: accounts.set_role(n, "admin")):
        with pytest.raises(RunnerError, match="no account bob"):
            change("bob")
    assert accounts.list()[0].role == "read"


def test_a_session_is_found_by_its_cookie_alone(place, site):
    """Of which only the hash is kept."""
    Accounts(*place).add("anna", "read", password=PASSWORD, token=False, actor="root")
    sessions = Sessions(*place)
    cookie = sessions.start("anna", "own", "read", "10.0.0.1")
    found = sessions.find(cookie)
    assert (found.name, found.way, found.role) == ("anna", "own", "read")
    assert cookie not in str(site.own("sessions"))
    assert found.csrf not in str(site.own("sessions"))
    for wrong in ("", cookie[:-1], cookie + "x", "' OR 1=1 --", site.own("sessions")[0]["id"]):
        assert sessions.find(wrong) is None
    sessions.end(cookie)
    assert sessions.find(cookie) is None


def test_a_session_ends_by_itself(site, server):
    """Without use after half an hour, in any case after twelve hours."""
    site.migrate()
    cookie = at(
        server, site, NOW, lambda d, s: Sessions(d, s).start("eva", "wordpress", "read", "")
    )

    def alive(moment):
        return at(server, site, moment, lambda d, s: Sessions(d, s).find(cookie)) is not None

    assert alive(NOW + IDLE)
    assert not alive(NOW + 2 * IDLE + 1)  # the look before was its last use
    for step in range(1, ABSOLUTE // IDLE + 1):
        site.run("UPDATE wp_runner_sessions SET seen_at = FROM_UNIXTIME(%s)", (NOW + step * IDLE,))
        assert alive(NOW + step * IDLE)
    site.run("UPDATE wp_runner_sessions SET seen_at = FROM_UNIXTIME(%s)", (NOW + ABSOLUTE,))
    assert not alive(NOW + ABSOLUTE + 1)
    at(
        server,
        site,
        NOW + ABSOLUTE + 1,
        lambda d, s: Sessions(d, s).start("bob", "wordpress", "read", ""),
    )
    assert [row["name"] for row in site.own("sessions")] == ["bob"]  # what is over is forgotten


def test_looking_writes_once_a_minute(site, server):
    """A page that refreshes itself is one read."""
    site.migrate()
    cookie = at(
        server, site, NOW, lambda d, s: Sessions(d, s).start("eva", "wordpress", "read", "")
    )
    for later, seen in ((30, NOW), (60, NOW), (61, NOW + 61), (100, NOW + 61)):
        at(server, site, NOW + later, lambda d, s: Sessions(d, s).find(cookie))
        assert epoch_of(str(site.own("sessions")[0]["seen_at"])) == seen


def test_what_happens_to_an_account_counts_at_once(place):
    """A demotion, a removal, a new password."""
    accounts, sessions = Accounts(*place), Sessions(*place)
    accounts.add("anna", "admin", password=PASSWORD, token=False, actor="root")
    cookie = sessions.start("anna", "own", "admin", "")
    accounts.set_role("anna", "read")
    assert sessions.find(cookie).role == "read"
    accounts.set_password("anna", "another horse battery")
    assert sessions.find(cookie) is None
    cookie = sessions.start("anna", "own", "read", "")
    accounts.remove("anna")
    assert sessions.find(cookie) is None
    accounts.add("anna", "admin", password=PASSWORD, token=False, actor="root")
    assert sessions.find(cookie) is None  # the old one does not come alive by a namesake
    cookie = sessions.start("anna", "own", "admin", "")
    accounts.renew_token("anna")
    assert sessions.find(cookie) is None  # a token that leaked signs in as a password does


def test_guessing_is_slowed_down(place, site):
    """Five of a name from one address; writing it in capitals is the same name."""
    throttle = Throttle(*place)
    assert [
        throttle.begin(name, "10.0.0.1") for name in ("anna", "Anna", "ANNA", " anna", "anna")
    ] == [0] * 5
    wait = throttle.begin("aNna", "10.0.0.1")
    assert 0 < wait <= WINDOW
    assert throttle.begin("anna", "10.0.0.2") == 0  # whose name it is can come in from elsewhere
    assert throttle.begin("bob", "10.0.0.1") == 0
    throttle.end("anna", "10.0.0.1")
    assert throttle.begin("anna", "10.0.0.1") == 0


def test_one_address_cannot_try_many_names(place):
    """Twenty tries in all."""
    throttle = Throttle(*place)
    waits = [throttle.begin(f"name{n}", "10.0.0.1") for n in range(TRIES_OF_ADDRESS + 1)]
    assert waits[:-1] == [0] * TRIES_OF_ADDRESS
    assert waits[-1] > 0


def test_tries_are_forgotten(site, server):
    """After a quarter of an hour."""
    site.migrate()

    def tries(moment):
        return at(server, site, moment, lambda d, s: Throttle(d, s).begin("anna", "10.0.0.1"))

    assert [tries(NOW + n) for n in range(TRIES)] == [0] * TRIES
    assert tries(NOW + 10) == WINDOW - 10
    assert tries(NOW + WINDOW + TRIES) == 0
    assert len(site.own("sign_ins")) == 1


def test_many_tries_at_once_are_counted_too(site):
    """A try is written down before it is looked at."""
    site.migrate()
    allowed = []

    def guess():
        database, found = connected(site)
        allowed.append(Throttle(database, found).begin("anna", "10.0.0.1") == 0)
        database.close()

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 30
    assert sum(allowed) <= 2 * TRIES


CHEAP = "$2y$05$XpP.fTDLQKS4lceEZ.GZOepAuLHuGogKUtNwDygzg2EEHKYIxD0MO"  # correct horse


@pytest.fixture
def people(place, site):
    """The administrator of a real WordPress, with a hash that is not dear."""
    site.load_dump(REAL, only=PEOPLE)
    site.run("UPDATE wp_users SET user_pass = %s", (CHEAP,))
    return WordPressAccounts(*place, "administrator")


def test_an_unknown_login_of_wordpress_costs_as_much(people, monkeypatch):
    """One comparison, with a hash of the cost that the site's own have."""
    compared = []
    real = wordpress_accounts.password_matches
    monkeypatch.setattr(
        wordpress_accounts,
        "password_matches",
        lambda password, stored: compared.append(stored) or real(password, stored),
    )
    for name in ("admin", "nobody", "nobody@example.test"):
        assert people.sign_in(name, "wrong") is None
    assert len(compared) == 3
    assert [text.removeprefix("$wp")[:7] for text in compared] == ["$2y$05$"] * 3


def test_a_login_of_wordpress_is_as_it_was_written(people, site):
    """The server takes these for one; whoever guesses would have each as a new name."""
    site.run("UPDATE wp_users SET user_email = 'anna@example.test'")
    for name in ("admin", "ADMIN", "Anna@Example.test"):
        assert people.sign_in(name, "correct horse") == "admin", name
    for name in ("ádmin", "\uff41dmin", "admin\u200b", "admin\0", "ánna@example.test"):
        assert site.run("SELECT COUNT(*) FROM wp_users WHERE %s IN (user_login, user_email)",
                        (name,))[0][0] == 1  # fmt: skip
        assert people.sign_in(name, "correct horse") is None, ascii(name)


@pytest.mark.parametrize(
    "stored",
    ["", "x", "scrypt$a$b", "$scrypt$ln=14,r=8,p=1$a$b", "$scrypt$ln=14,r=8,p=1$é$b",
     "$scrypt$ln=0,r=8,p=1$YWFh$YWFh", "$scrypt$ln=14,r=0,p=1$YWFh$YWFh",
     "$scrypt$ln=99,r=8,p=1$YWFh$YWFh", "$scrypt$ln=14,r=99,p=99$YWFh$YWFh"],
)  # fmt: skip
def test_what_is_no_hash_lets_nobody_in(place, site, stored):
    """Nor does it break the sign-in, or keep it busy."""
    accounts = Accounts(*place)
    accounts.add("anna", "read", password=PASSWORD, token=False, actor="root")
    site.run("UPDATE wp_runner_accounts SET password = %s", (stored,))
    assert accounts.by_password("anna", PASSWORD) is None


def test_a_hash_says_what_it_cost(place, site, monkeypatch):
    """Those from before the cost was raised are still good."""
    accounts = Accounts(*place)
    accounts.add("anna", "read", password=PASSWORD, token=False, actor="root")
    assert site.own("accounts")[0]["password"].startswith("$scrypt$ln=14,r=8,p=1$")
    monkeypatch.setattr("runner.operations.accounts._COST", {"n": 2**15, "r": 8, "p": 1})
    assert accounts.by_password("anna", PASSWORD).name == "anna"
    accounts.set_password("anna", PASSWORD)
    assert site.own("accounts")[0]["password"].startswith("$scrypt$ln=15,")
    assert accounts.by_password("anna", PASSWORD).name == "anna"


def test_without_the_tables(site):
    """What to do is said."""
    database, found = connected(site)
    for kind in (Accounts, Sessions, Throttle):
        with pytest.raises(SiteError, match="runner migrate"):
            kind(database, found)
    database.close()
