"""`runner install --trigger`: a trigger of the site's own parks what PHP inserts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pymysql
import pytest
from support import server as servers
from support.shell import Shell, complains
from support.site import SiteDatabase

from compat import schedules
from compat.action_scheduler import INSTALLED, parked
from compat.site_time import ZERO, sql_date
from runner.operations import trigger

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_413_900
ACTIONS = "wp_actionscheduler_actions"
JOBS = """
from runner import Handlers
handlers = Handlers()

@handlers.on("ours", "it's")
def note(*args): ...
"""
MORE = JOBS.replace('"ours"', '"ours", "theirs"')


@pytest.fixture
def shop(site, server, capsys, monkeypatch, tmp_path):
    """Commands in this process, on a site whose files are there."""
    with server.frozen(NOW):
        yield shell_of(site, capsys, monkeypatch, tmp_path)


def shell_of(site, capsys, monkeypatch, tmp_path) -> Shell:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trigger_jobs.py").write_text(JOBS)
    (tmp_path / "trigger_more.py").write_text(MORE)
    folder = tmp_path / "wp"
    (folder / "wp-content").mkdir(parents=True)
    (folder / "wp-load.php").touch()
    shell = Shell(site, capsys, monkeypatch)
    config(folder, site, site.dsn.user, site.dsn.password)
    monkeypatch.delenv("RUNNER_DSN")
    monkeypatch.delenv("RUNNER_MODE")
    monkeypatch.setenv("RUNNER_WP_PATH", str(folder))
    monkeypatch.setenv("RUNNER_HANDLERS", "trigger_jobs:handlers")
    return shell


def config(folder: Path, site, user: str, password: str) -> None:
    dsn = site.dsn
    (folder / "wp-config.php").write_text(
        f"<?php define('DB_NAME', '{dsn.database}'); define('DB_USER', '{user}');"
        f" define('DB_PASSWORD', '{password}'); define('DB_HOST', '{dsn.host}:{dsn.port}');"
        " $table_prefix = 'wp_';"
    )


def triggers(site) -> list[str]:
    return [row[0] for row in site.run("SHOW TRIGGERS")]


def everything(site) -> list:
    names = [row[0] for row in site.run("SHOW TABLES")]
    return [names, triggers(site), site.run("CHECKSUM TABLE " + ", ".join(names))]


def option(site) -> dict:
    found = site.run(f"SELECT option_value FROM wp_options WHERE option_name = '{INSTALLED}'")
    return json.loads(found[0][0])


def line(shown: str) -> str:
    return next((li for li in shown.splitlines() if li.startswith("trigger")), "")


INSERTS = {
    "date": ("'ours', 'pending', '2026-11-23 06:04:00'", "2826-11-23 06:04:00"),
    "another of ours": ("'it''s', 'pending', '2026-11-23 06:04:00'", "2826-11-23 06:04:00"),
    "leap day": ("'ours', 'pending', '2028-02-29 12:00:00'", "2828-02-29 12:00:00"),
    "zero date": (f"'ours', 'pending', '{ZERO}'", "2800-01-01 00:00:00"),
    "before 2000": ("'ours', 'pending', '1999-12-31 23:59:59'", "2800-01-01 00:00:00"),
    "no date": ("'ours', 'pending', NULL", None),
    "already parked": ("'ours', 'pending', '2826-11-23 06:04:00'", "2826-11-23 06:04:00"),
    "the last date": ("'ours', 'pending', '9999-12-31 23:59:59'", "9999-12-31 23:59:59"),
    "no day": ("'ours', 'pending', '2026-11-00 06:04:00'", "2800-01-01 00:00:00"),
    "over": ("'ours', 'complete', '2026-11-23 06:04:00'", "2026-11-23 06:04:00"),
    "PHP's": ("'theirs', 'pending', '2026-11-23 06:04:00'", "2026-11-23 06:04:00"),
    "other letters": ("'OURS', 'pending', '2026-11-23 06:04:00'", "2026-11-23 06:04:00"),
}  # fmt: skip


def test_what_is_inserted_is_parked(shop, site):
    """As PHP inserts, in the modes that WordPress sets and in strict ones; several rows too. A
    column's default, the zero date, counts as one."""
    shop.out("install", "--trigger")
    for modes in ("", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"):
        site.run("SET sql_mode = %s", (modes,))
        site.run(f"DELETE FROM {ACTIONS}")
        rows = ", ".join(f"({values}, '[]')" for values, _ in INSERTS.values())
        site.run(f"INSERT INTO {ACTIONS} (hook, status, scheduled_date_gmt, args) VALUES {rows}")
        site.run(f"INSERT INTO {ACTIONS} (hook, status, args) VALUES ('ours', 'pending', '[]')")
        dates = [row["scheduled_date_gmt"] for row in site.rows()]
        assert dates == [*(date for _, date in INSERTS.values()), "2800-01-01 00:00:00"]


def test_the_runner_goes_on_as_before(shop, site):
    """A chain's next action is parked once, not twice; results have their true dates."""
    shop.out("install", "--trigger")
    id_ = site.add("ours", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    assert site.row(id_)["scheduled_date_gmt"] == parked(sql_date(NOW - 60))
    assert shop("run").returncode == 0
    done, following = site.rows()
    assert (done["status"], done["scheduled_date_gmt"]) == ("complete", sql_date(NOW - 60))
    assert following["scheduled_date_gmt"] == parked(sql_date(NOW + 3600))


def test_it_comes_stays_changes_and_goes(shop, site):
    """Only when asked for; kept by later installations, replaced when the hooks change."""
    assert line(shop.out("install")) == ""
    before = everything(site)
    assert line(shop.out("install", "--trigger", "--dry-run")) == "trigger  create"
    assert everything(site) == before
    assert line(shop.out("install", "--trigger")) == "trigger  create"
    assert triggers(site) == ["wp_runner_park"]
    assert option(site)["trigger"] is True
    assert shop.out("install").endswith("nothing to do\n")
    shop.environ.setenv("RUNNER_HANDLERS", "trigger_more:handlers")
    assert line(shop.out("install")) == "trigger  replace"
    theirs = site.add("theirs", at=NOW)
    assert site.row(theirs)["scheduled_date_gmt"] == parked(sql_date(NOW))
    assert line(shop.out("install")) == "trigger  there"
    assert line(shop.out("install", "--no-trigger")) == "trigger  drop"
    assert (triggers(site), "trigger" in option(site)) == ([], False)
    shop.out("install", "--trigger")
    assert "drop the trigger" in shop.out("uninstall", "--dry-run")
    shop.out("uninstall")
    assert triggers(site) == []
    assert site.row(theirs)["scheduled_date_gmt"] == sql_date(NOW)


def test_it_must_be_the_sites_own(shop, site):
    """With any other account the site's inserts would fail once that is dropped."""
    shop.environ.delenv("RUNNER_WP_PATH")
    shop.environ.setenv("RUNNER_DSN", site.url)
    before = everything(site)
    complains(shop("install", "--trigger"), 78, "--wp-path", "--no-trigger")
    assert everything(site) == before


def test_why_it_must_be_the_sites_own(site, server):
    """What the server does when the account that made a trigger is gone."""
    server.execute(
        "DROP USER IF EXISTS 'maker'@'%'",
        "CREATE USER 'maker'@'%' IDENTIFIED BY 'maker'",
        f"GRANT SELECT, INSERT, UPDATE, TRIGGER ON {site.name}.* TO 'maker'@'%'",
    )
    with pymysql.connect(
        host=server.host, port=server.port, user="maker", password="maker", database=site.name
    ) as maker:
        maker.cursor().execute(
            f"CREATE TRIGGER x BEFORE INSERT ON {ACTIONS} FOR EACH ROW SET NEW.attempts = 0"
        )
    site.add("ours", at=NOW)
    server.execute("DROP USER 'maker'@'%'")
    with pytest.raises(pymysql.err.OperationalError, match="definer"):
        site.add("ours", at=NOW)


def refused(shell, *words: str) -> None:
    """After the plan, one line with these words."""
    done = shell("install", "--trigger")
    complains(replace(done, stdout=""), 1, *words)
    assert line(done.stdout) == "trigger  create"


def test_an_account_without_the_right(shop, site, server, tmp_path):
    """One line with the ways out, and the site as it was."""
    server.execute(
        "DROP USER IF EXISTS 'plain'@'%'",
        "CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON {site.name}.* TO 'plain'@'%'",
    )
    config(tmp_path / "wp", site, "plain", "plain")
    before = everything(site)
    refused(shop, "grant TRIGGER", "--no-trigger")
    assert everything(site) == before
    shop.out("install")
    site.run(f"CREATE TRIGGER wp_runner_park BEFORE INSERT ON {ACTIONS} FOR EACH ROW SET @x = 1")
    site.set_option(INSTALLED, json.dumps(option(site) | {"trigger": True}))
    before = everything(site)
    complains(shop("uninstall"), 1, "may not drop it")
    assert everything(site) == before


def test_no_trigger_is_left_without_an_option(shop, site, server, tmp_path):
    """An account that may make it, and may not write the option that tells of it."""
    site.migrate()
    tables = [row[0] for row in site.run("SHOW TABLES")]
    server.execute(
        "DROP USER IF EXISTS 'half'@'%'",
        "CREATE USER 'half'@'%' IDENTIFIED BY 'half'",
        *[
            f"GRANT {'SELECT' if name == 'wp_options' else 'ALL'} ON {site.name}.{name} TO 'half'@'%'"
            for name in tables
        ],
    )
    config(tmp_path / "wp", site, "half", "half")
    before = everything(site)
    refused(shop, "wp_options")
    assert everything(site) == before


def test_a_table_in_use_is_not_waited_for_long(shop, site, server, monkeypatch):
    """Who waits for the table stops all others: so the wait is short, and told."""
    monkeypatch.setattr(trigger, "PATIENCE", 1)
    shop.out("install")
    before = everything(site)
    with server.admin(site.name) as other, other.cursor() as cursor:
        other.autocommit(False)
        cursor.execute(f"SELECT * FROM {ACTIONS} LIMIT 1")
        refused(shop, "timeout")
        other.rollback()
    assert everything(site) == before
    assert line(shop.out("install", "--trigger")) == "trigger  create"


def test_a_table_in_use_is_not_waited_for_long_by_who_drops(shop, site, server, monkeypatch):
    """The same: all others get on, and the site stays as it was."""
    monkeypatch.setattr(trigger, "PATIENCE", 1)
    shop.out("install", "--trigger")
    before = everything(site)
    with server.admin(site.name) as other, other.cursor() as cursor:
        other.autocommit(False)
        cursor.execute(f"SELECT * FROM {ACTIONS} LIMIT 1")
        complains(shop("uninstall"), 1, "nothing was changed", "try again later")
        done = shop("install", "--no-trigger")
        complains(replace(done, stdout=""), 1, "nothing was changed", "try again later")
        other.rollback()
    assert everything(site) == before
    shop.out("uninstall")
    assert triggers(site) == []


def test_one_that_may_not_be_seen_is_unknown(shop, site, server, tmp_path):
    """Never ok, and never wrong, for an account that sees its name alone or nothing."""
    shop.out("install", "--trigger")
    server.execute(
        "DROP USER IF EXISTS 'plain'@'%'",
        "CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.* TO 'plain'@'%'",
    )
    config(tmp_path / "wp", site, "plain", "plain")
    assert verdict(shop) == ("unknown", "not seen")


def test_a_server_with_a_binary_log(capsys, monkeypatch, tmp_path):
    """It wants more than the right; the same line, and the site as it was."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    server = servers.local(program, [*BINLOG, "--log-bin=bin", "--server-id=1"])
    try:
        site = SiteDatabase.create(server)
        server.execute(
            "CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'",
            f"GRANT ALL ON {site.name}.* TO 'plain'@'%'",
        )
        shell = shell_of(site, capsys, monkeypatch, tmp_path)
        config(tmp_path / "wp", site, "plain", "plain")
        before = everything(site)
        refused(shell, "log_bin_trust_function_creators")
        assert everything(site) == before
        server.execute("SET GLOBAL log_bin_trust_function_creators = 1")
        shell.out("install", "--trigger")
        assert triggers(site) == ["wp_runner_park"]
        assert site.run("SELECT @@GLOBAL.log_bin")[0][0]
    finally:
        server.stop()


BINLOG = [option for option in servers.FAST if option != "--skip-log-bin"]


def verdict(shell) -> tuple[str, str]:
    found = json.loads(shell("doctor", "--json").stdout)["findings"]
    one = next(finding for finding in found if finding["code"] == "trigger")
    return one["severity"], one["fact"]


def test_what_the_doctor_says(shop, site, server):
    """None, fine, another's, for other hooks, dropped."""
    assert verdict(shop) == ("ok", "none")
    shop.out("install", "--trigger")
    severity, fact = verdict(shop)
    assert (severity, fact.startswith(f"by {site.dsn.user}@")) == ("ok", True)
    [(statement,)] = site.run(
        "SELECT action_statement FROM information_schema.triggers"
        " WHERE trigger_schema = DATABASE() AND trigger_name = 'wp_runner_park'"
    )
    server.execute(
        "DROP USER IF EXISTS 'other'@'%'",
        "CREATE USER 'other'@'%' IDENTIFIED BY 'other'",
        f"GRANT ALL ON {site.name}.* TO 'other'@'%'",
        f"DROP TRIGGER {site.name}.wp_runner_park",
        f"CREATE DEFINER = 'other'@'%' TRIGGER {site.name}.wp_runner_park BEFORE INSERT ON"
        f" {site.name}.{ACTIONS} FOR EACH ROW {statement}",
    )
    assert verdict(shop) == ("warning", "by other@%")
    with pytest.MonkeyPatch.context() as patch:  # whose account it is, only wp-config.php tells
        patch.delenv("RUNNER_WP_PATH")
        patch.setenv("RUNNER_DSN", site.url)
        assert verdict(shop) == ("unknown", "by other@%")
    site.run("DROP TRIGGER wp_runner_park")
    assert verdict(shop) == ("unknown", "not seen")
    assert line(shop.out("install")) == "trigger  create"
    site.set_option(INSTALLED, json.dumps(option(site) | {"hooks": ["ours"]}))
    assert verdict(shop)[0] == "warning"
