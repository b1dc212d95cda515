"""`runner web`, as an operator starts it; the accounts; the audit."""

from __future__ import annotations

import io
import json
import signal
import threading
import urllib.error
import urllib.request

import pytest
from support.browser import free_port, serving
from support.shell import Shell, complains
from support.terminal import on_terminal
from support.waiting import until

DUE = 1_700_000_000


@pytest.fixture
def shell(site, capsys, monkeypatch):
    site.migrate()
    return Shell(site, capsys, monkeypatch)


@pytest.fixture
def web(site, cli):
    site.migrate()
    cli.environ["RUNNER_DSN"] = site.url
    return cli


def read(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_nobody_could_sign_in(web):
    """It refuses to start, and says what to do."""
    done = web("web")
    complains(done, 78, "nobody could sign in", "runner web user add")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--bind", "0.0.0.0:8020", "--wordpress-accounts"), 78, "--behind-tls"),
        (("--bind", "0.0.0.0:8020", "--wordpress-accounts", "--behind-tls"), 78, "--host"),
        (("--bind", "0.0.0.0:8020", "--insecure-dev"), 78, "this machine alone"),
        (("--bind", "nonsense"), 2, "an address and a port"),
        (("--bind", "127.0.0.1:99999"), 2, "an address and a port"),
        (("--proxy", "proxy.test"), 2, "IP addresses"),
        (("--user-header", "X-User"), 78, "--proxy"),
        (("--user-header", "X: y\n", "--proxy", "127.0.0.1"), 2, "name of a header"),
        (("--role", "root"), 2, "read, admin"),
    ],
)
def test_what_would_be_unsafe_is_refused(web, arguments, code, words):
    """Before a port is opened."""
    complains(web("web", *arguments), code, words)


def test_without_the_runners_tables(site, cli):
    """It names the command."""
    complains(cli("web", "--wordpress-accounts", RUNNER_DSN=site.url), 78, "runner migrate")


def test_a_port_that_is_taken(web):
    """One line, no traceback."""
    with serving(web, "--insecure-dev") as address:
        port = address.rpartition(":")[2]
        done = web("web", "--insecure-dev", "--bind", f"127.0.0.1:{port}")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "in use" in done.stderr


def test_it_serves_and_ends(web, site):
    """On this machine alone by itself; a signal ends it within its grace."""
    token = web("web", "user", "add", "bot", "--token").stdout.strip()
    assert token.startswith("war_")
    site.add("sync", at=DUE, status="failed")
    port = free_port()
    process = web.start("web", "--bind", f"127.0.0.1:{port}")
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is None and _lives(address))
        assert read(f"{address}/readyz") == (200, '{"ok":true}\n')
        code, text = read(f"{address}/")
        assert (code, "Sign in" in text) == (401, True)
        code, text = read(f"{address}/api/actions", Authorization=f"Bearer {token}")
        assert (code, json.loads(text)["actions"][0]["hook"]) == (200, "sync")
        assert read(f"{address}/livez", Host="evil.test")[0] == 421
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in err
    assert f"the page is at http://127.0.0.1:{port}/" in err


def _lives(address: str) -> bool:
    try:
        return read(f"{address}/livez")[0] == 200
    except OSError:
        return False


def test_a_database_that_is_not_there(web):
    """The page starts all the same, says so to whoever asks, and to nobody else what is wrong."""
    port = free_port()
    process = web.start(
        "web",
        "--bind",
        f"127.0.0.1:{port}",
        "--wordpress-accounts",
        RUNNER_DSN="mysql://secret_user@127.0.0.1:1/shop",
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is None and _lives(address))
        code, text = read(f"{address}/actions", Cookie="runner_session=x")
        assert (code, "No database" in text, "secret_user" in text) == (503, True, False)
        assert read(f"{address}/readyz") == (503, '{"ok":false}\n')
        process.terminate()
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert "the page starts all the same" in err
    assert "Traceback" not in err


def test_accounts(shell, monkeypatch):
    """Added, listed, changed, removed; a password never stands on a command line."""
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    done = shell("web", "user", "add", "anna", "--password-stdin", "--by", "root")
    assert (done.returncode, done.stdout) == (0, "")
    assert "may look, and change nothing" in done.stderr
    token = shell("web", "user", "add", "bot", "--role", "admin", "--token").stdout
    listed = json.loads(shell.out("web", "user", "list", "--format", "json"))
    assert [(u["name"], u["role"], u["has_token"]) for u in listed] == [
        ("anna", "read", False),
        ("bot", "admin", True),
    ]
    assert listed[0]["created_by"] == "root"
    assert token.strip() not in json.dumps(listed)
    assert shell("web", "user", "role", "anna", "admin").returncode == 0
    assert shell.out("web", "user", "list", "--field", "role") == "admin\nadmin\n"
    assert shell("web", "user", "token", "bot").stdout not in {"", token}
    assert shell("web", "user", "remove", "bot").returncode == 0
    assert shell.out("web", "user", "list", "--format", "count") == "1\n"
    complains(shell("web", "user", "remove", "bot"), 1, "no account bot")
    rows = json.loads(shell.out("audit", "--format", "json"))
    told = [(row["actor"], row["verb"], row["target"], row["changed"], row["note"]) for row in rows]
    assert told[-1] == ("root", "add account", "account anna", 1, "role read")
    assert [words[1:] for words in told[-2::-1]] == [
        ("add account", "account bot", 1, "role admin"),
        ("change account", "account anna", 1, "role admin"),
        ("change account", "account bot", 1, "another token"),
        ("remove account", "account bot", 1, ""),
        ("remove account", "account bot", 0, ""),
    ]
    complains(shell("web", "user", "add", "anna", "--token"), 1, "already")
    complains(shell("web", "user", "add", "", "--token"), 2, "a name has")
    complains(shell("web", "user", "role", "anna", "root"), 2, "role", "'root'")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    complains(shell("web", "user", "add", "eva", "--password-stdin"), 2, "12 characters")
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    complains(shell("web", "user", "add", "eva"), 2, "--password-stdin")


def test_a_person_is_asked_twice(web, site):
    """On a terminal, without showing what is typed."""
    code, shown = on_terminal(
        web, "web", "user", "add", "anna", answer="correct horse battery", asks=b": "
    )
    assert code == 0, shown
    assert "correct horse" not in shown
    assert site.own("accounts")[0]["name"] == "anna"


def test_the_audit_in_the_shell(shell, site):
    """Who changed what, by whichever command."""
    failed = site.add("sync", at=DUE, status="failed")
    waits = site.add("sync", at=DUE)
    shell.out("action", "retry", str(failed), "--by", "anna")
    shell.out("action", "cancel", str(waits), "--by", "eva")
    shell.out("pause", "--hook", "sync", "--by", "anna", "--why", "stop")
    shell.out("resume", "--hook", "sync", "--by", "anna")
    shell.out("action", "delete", str(waits))
    site.add("old", at=DUE, status="complete", last_attempt_gmt="2020-01-01")
    shell.out("purge", "--hook", "old", "--yes", "--quiet", "--by", "anna")
    rows = json.loads(
        shell.out("audit", "--format", "json", "--fields", "actor,verb,target,asked,changed")
    )
    assert [(r["actor"], r["verb"], r["target"], r["changed"]) for r in reversed(rows)][:4] == [
        ("anna", "retry", f"action {failed}", 1),
        ("eva", "cancel", f"action {waits}", 1),
        ("anna", "pause", "hook sync", 1),
        ("anna", "resume", "hook sync", 1),
    ]
    assert rows[1]["verb"] == "delete"
    assert (rows[0]["verb"], rows[0]["changed"]) == ("purge", 1)
    assert shell.out("audit", "--actor", "eva", "--format", "count") == "1\n"
    assert shell.out("audit", "--verb", "pause", "--field", "note") == "stop\n"
    assert site.logs(failed)[-1].endswith("by anna")


def test_a_thousand_requests_at_once(web, site):
    """All are answered, or told to slow down; the page goes on, and so does the runner."""
    site.add("sync", at=DUE)
    codes = []
    with serving(web, "--insecure-dev") as address:

        def ask():
            codes.extend(read(f"{address}/actions")[0] for _ in range(20))

        threads = [threading.Thread(target=ask) for _ in range(50)]
        for thread in threads:
            thread.start()
        web.module(
            "jobs",
            "from runner import Handlers\nhandlers = Handlers()\n@handlers.on('sync')\ndef sync(): ...\n",
        )
        done = web("run", "--handlers", "jobs:handlers", "--mode", "native")
        for thread in threads:
            thread.join()
        until(lambda: read(f"{address}/actions")[0] == 200)
    assert done.returncode == 0, done.stderr
    assert site.statuses() == {"complete": 1}
    assert len(codes) == 1000
    assert set(codes) <= {200, 429}
    assert codes.count(200) >= 200
