"""`runner run --shadow`: tells what a run would do, and leaves no trace of it."""

from __future__ import annotations

import json

import pytest
from support.shell import Shell
from support.site import PHP_CRON

from compat.action_scheduler import parked
from compat.site_time import sql_date
from runner import Handlers
from runner.app import App
from runner.config import Connection

NOW = 1_795_413_900
JOBS = """
from runner import Handlers
handlers = Handlers()

@handlers.on("sync", "mail")
def never(*args):
    raise SystemExit("a shadow calls nothing")
"""
RUN = ("run", "--shadow", "--handlers", "shadow_jobs:handlers")


@pytest.fixture
def shell(site, server, capsys, monkeypatch, tmp_path):
    """A queue with due actions of two hooks of ours, one of another's, and a dead worker's."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shadow_jobs.py").write_text(JOBS)
    for number in range(3):
        site.add("sync", [number], at=NOW - 100 + number)
    site.add("mail", at=NOW - 7260, priority=1)
    site.add("theirs", at=NOW - 60)
    site.add("sync", at=NOW + 60)
    site.add("sync", at=NOW - 900, status="in-progress", last_attempt_gmt=sql_date(NOW - 301))
    with server.frozen(NOW):
        yield Shell(site, capsys, monkeypatch)


def everything(site) -> list:
    names = [row[0] for row in site.run("SHOW TABLES")]
    return [names, site.run("CHECKSUM TABLE " + ", ".join(names))]


def test_it_shows_what_a_run_would_do_first(shell, site):
    """By hook, then what one claim of three would take, in its order; and nothing has changed."""
    before = everything(site)
    assert shell.out(*RUN, "--batch-size", "3").splitlines() == [
        "hook                                         due  oldest waits",
        "mail                                           1  2 h 1 min",
        "sync                                           3  1 min 40 s",
        "would take back:",
        "           7  sync, 15 min",
        "would claim first:",
        "           4  mail, 2 h 1 min",
        "           1  sync, 1 min 40 s",
        "shadow: 4 due, nothing was written",
    ]
    assert everything(site) == before


def test_what_it_says_is_what_a_run_does(shell, site):
    """The ids of its first claim, in order, are those that a run begins."""
    seen = json.loads(shell.out(*RUN, "--json", "--hooks", "mail"))
    assert (seen["shadow"], seen["due"], seen["refusal"]) == (True, 1, "")
    assert seen["hooks"] == [{"hook": "mail", "due": 1, "waits": 7260}]
    assert seen["first"] == [
        {"id": 4, "hook": "mail", "group": "", "priority": 1, "waits": 7260,
         "scheduled_gmt": sql_date(NOW - 7260)}
    ]  # fmt: skip
    assert seen["taken_back"] == []


@pytest.mark.parametrize("installed", [True, False])
def test_parked_actions_are_seen_and_nothing_is_parked(shell, site, installed):
    """Beside a live PHP runner what is parked is due by its true date; what is not parked yet is
    counted, and left."""
    if installed:
        site.migrate()
        site.set_option(
            "wp_action_runner", json.dumps({"mode": "parked", "hooks": ["sync", "mail"]})
        )
        site.run(
            "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = %s WHERE action_id = 1",
            (parked(sql_date(NOW - 100)),),
        )
    site.set_option("cron", PHP_CRON)
    before = everything(site)
    seen = json.loads(shell.out(*RUN, "--json", "--mode", "auto"))
    assert everything(site) == before
    assert seen["due"] == 4
    if installed:
        assert (seen["refusal"], [one["id"] for one in seen["first"]]) == ("", [1])
        assert seen["first"][0]["scheduled_gmt"] == sql_date(NOW - 100)
    else:
        assert "PHP's own queue runner may be alive" in seen["refusal"]
        assert [one["id"] for one in seen["first"]] == [4, 1, 2, 3]


def test_reading_is_all_that_it_needs(shell, site, server):
    """An account that may read and no more."""
    server.execute(
        "DROP USER IF EXISTS 'reader'@'%'",
        "CREATE USER 'reader'@'%' IDENTIFIED BY 'reader'",
        f"GRANT SELECT ON {site.name}.* TO 'reader'@'%'",
    )
    dsn = f"mysql://reader:reader@{server.host}:{server.port}/{site.name}"
    shell.environ.setenv("RUNNER_DSN", dsn)
    assert "shadow: 4 due" in shell.out(*RUN)


def test_it_looks_beside_a_run(shell, site, server):
    """Another run holds the site's lock, so that a second one ends with 75: a shadow needs none."""
    app = App(Connection(site.dsn, "wp_"), Handlers())
    with server.admin(site.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (app._lock_name(()),))
        assert cursor.fetchone()[0] == 1
        assert shell("run", *RUN[2:]).returncode == 75
        assert "shadow: 4 due" in shell.out(*RUN)
