"""`runner install` and `runner uninstall`: what they write, what they refuse, what they undo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.shell import Shell, complains
from support.site import ZERO, SiteDatabase
from support.terminal import on_terminal

from compat.action_scheduler import INSTALLED, PARKED_FROM, PLUGIN_FACTS
from compat.site_time import sql_date
from runner import __version__
from runner.core.clock import SystemClock
from runner.core.installed import Installed
from runner.operations.parking import Parking
from runner.operations.plugin import Plugin
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.mysql import MySQL

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
JOBS = """
from runner import Handlers

handlers = Handlers()

@handlers.on("ours", "ours_too")
def work(*args): ...
"""
FEWER = JOBS.replace(', "ours_too"', ', "new"')
URL = "http://shop.test"
PLUGIN = Path(__file__).parents[2] / "docker" / "wp-action-runner.php"
STATUSES = ("pending", "in-progress", "complete", "failed", "canceled")


@pytest.fixture
def shell(site, server, capsys, monkeypatch, tmp_path):
    """Commands in this process, at a moment that stands still, with the handlers of JOBS."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "install_jobs.py").write_text(JOBS)
    (tmp_path / "install_fewer.py").write_text(FEWER)
    with server.frozen(NOW):
        made = Shell(site, capsys, monkeypatch)
        monkeypatch.setenv("RUNNER_HANDLERS", "install_jobs:handlers")
        monkeypatch.delenv("RUNNER_MODE")
        yield made


@pytest.fixture
def files(site, tmp_path, monkeypatch) -> Path:
    """The site's own files, as far as they matter: wp-config.php tells the database."""
    folder = tmp_path / "wp"
    (folder / "wp-content").mkdir(parents=True)
    (folder / "wp-load.php").touch()
    dsn = site.dsn
    (folder / "wp-config.php").write_text(
        f"<?php define('DB_NAME', '{dsn.database}'); define('DB_USER', '{dsn.user}');"
        f" define('DB_PASSWORD', '{dsn.password}'); define('DB_HOST', '{dsn.host}:{dsn.port}');"
        " $table_prefix = 'wp_';"
    )
    monkeypatch.delenv("RUNNER_DSN", raising=False)
    monkeypatch.setenv("RUNNER_WP_PATH", str(folder))
    return folder


def option(site, name: str = INSTALLED):
    found = site.run(f"SELECT option_value FROM {site.prefix}options WHERE option_name = '{name}'")
    return json.loads(found[0][0]) if found else None


def due(site, hook: str = "ours", *, at: int = NOW - 60, **columns) -> int:
    return site.add(hook, at=at, **columns)


def date(site, id_: int) -> str:
    return site.row(id_)["scheduled_date_gmt"]


def parked(at: int) -> str:
    text = sql_date(at)
    return f"{int(text[:4]) + 800}{text[4:]}"


def everything(site) -> list:
    """All that a dry run or a refusal must leave alone."""
    names = [row[0] for row in site.run("SHOW TABLES")]
    return [names, site.run("CHECKSUM TABLE " + ", ".join(names))]


def test_it_tells_does_and_has_nothing_left_to_do(shell, site):
    """Plan, result, and the second time nothing."""
    ours, other = due(site), due(site, "php")
    shown = shell.out("install")
    assert shown.splitlines() == [
        f"site     {URL}, tables wp_*",
        "tables   make or update the runner's own",
        "hooks    ours, ours_too",
        "option   write wp_action_runner",
        f"plugin   copy {PLUGIN} into wp-content/mu-plugins of the site: without --wp-path its folder is not known",
        "actions  park 1",
        "installed: parked 1",
    ]
    made = option(site)
    assert len(made.pop("fingerprint")) == 32
    assert made == {
        "mode": "parked", "hooks": ["ours", "ours_too"], "siteurl": URL, "database": site.name,
        "version": __version__, "installed_at": NOW,
    }  # fmt: skip
    autoload = f"SELECT autoload FROM wp_options WHERE option_name = '{INSTALLED}'"
    assert site.run(autoload) == [("yes",)]
    assert (date(site, ours), date(site, other)) == (parked(NOW - 60), sql_date(NOW - 60))
    assert site.own("workers") == []
    before = everything(site)
    assert shell.out("install").splitlines()[-1] == "nothing to do"
    assert everything(site) == before


def test_a_dry_run_tells_and_changes_nothing(shell, site, files):
    """Neither tables nor files, in both directions."""
    due(site)
    before = everything(site)
    shown = shell.out("install", "--dry-run")
    assert "actions  park 1" in shown
    assert shown.endswith("dry run: nothing was done\n")
    assert everything(site) == before
    assert not (files / "wp-content" / "mu-plugins").exists()
    shell.out("install")
    before = everything(site)
    shown = shell.out("uninstall", "--dry-run", "--drop-tables")
    assert shown == (
        "would remove the option, give 1 action their true dates back (pending 1) and drop tables\n"
    )
    assert everything(site) == before
    assert (files / "wp-content" / "mu-plugins" / PLUGIN.name).exists()


# What a row is before installing, and whether it is parked then.
ROWS = {
    "due": ({}, True),
    "far": ({"at": 26_190_000_000 - 86_400 * 365}, True),
    "zero date": ({"scheduled_date_gmt": ZERO}, PARKED_FROM),
    "before 2000": ({"at": 1}, PARKED_FROM),
    "leap day": ({"at": 1_835_438_400}, "2828-02-29 12:00:00"),
    "claimed by PHP": ({"claim_id": 7}, False),
    "running": ({"status": "in-progress"}, False),
    "complete": ({"status": "complete"}, False),
    "no date": ({"scheduled_date_gmt": None}, None),
    "year 9300": ({"scheduled_date_gmt": "9300-01-01 00:00:00", "scheduled_date_local": "9300-01-01 01:00:00"}, False),
    "other letters": ({"hook": "OURS"}, False),
    "PHP's": ({"hook": "php"}, False),
}  # fmt: skip


def test_what_is_parked_and_what_is_not(shell, site):
    """Pending, free and with a true date; given back it is what it was, but for dates before 2000."""
    ids = {name: due(site, **columns) for name, (columns, _) in ROWS.items()}
    before = {row["action_id"]: row for row in site.rows()}
    shell.out("install")
    for name, (_, wanted) in ROWS.items():
        was, found = before[str(ids[name])]["scheduled_date_gmt"], date(site, ids[name])
        if isinstance(wanted, bool):
            assert found == (f"{int(was[:4]) + 800}{was[4:]}" if wanted else was), name
        else:
            assert found == wanted, name
    shell.out("uninstall")
    for name, (_, wanted) in ROWS.items():
        was = before[str(ids[name])]
        now = site.row(ids[name])
        if wanted == PARKED_FROM:
            was = was | {"scheduled_date_gmt": "2000-01-01 00:00:00"}
        assert now == was, name


def test_what_changes_under_its_eyes_is_left(site):
    """A row that PHP claims, and one that it runs, between the look and the write."""
    ids = [due(site) for _ in range(3)]
    tables = check_prefix("wp_")
    database = Database(MySQL(site.dsn, tables.plain("actions")), SystemClock())
    parking = Parking(database, discover(database, tables))
    look = database.query

    def late(text, **values):
        rows = look(text, **values)
        site.run(f"UPDATE wp_actionscheduler_actions SET claim_id = 7 WHERE action_id = {ids[0]}")
        site.run(
            f"UPDATE wp_actionscheduler_actions SET status = 'complete' WHERE action_id = {ids[1]}"
        )
        return rows

    database.query = late
    parking.park({"ours"})
    database.close()
    true = sql_date(NOW - 60)
    assert [date(site, i) for i in ids] == [true, true, parked(NOW - 60)]


def test_many_rows_in_batches_under_a_bar(cli, site):
    """More than one statement's worth, each once; a terminal sees them counted."""
    cli.module("jobs", JOBS)
    values = f"('ours', 'pending', '{sql_date(NOW)}', '{sql_date(NOW)}', '[]', 'x')"
    site.run(
        "INSERT INTO wp_actionscheduler_actions (hook, status, scheduled_date_gmt,"
        f" scheduled_date_local, args, schedule) VALUES {', '.join([values] * 1203)}"
    )
    for command, found in (("install", parked(NOW)), ("uninstall", sql_date(NOW))):
        code, shown = on_terminal(cli, command, RUNNER_HANDLERS="jobs:handlers")
        assert code == 0
        assert "1203/1203" in shown
        dates = "SELECT DISTINCT scheduled_date_gmt FROM wp_actionscheduler_actions"
        assert [str(row[0]) for row in site.run(dates)] == [found]


def test_other_handlers_park_theirs_and_give_back_the_rest(shell, site):
    """Added and removed hooks are named; rows of a removed one are PHP's again."""
    stays, goes, comes = (due(site, hook) for hook in ("ours", "ours_too", "new"))
    shell.out("install")
    shown = shell.out("install", "--handlers", "install_fewer:handlers")
    for line in ("  added    new", "  removed  ours_too: PHP's again", "actions  park 1, give back 1",
                 "installed: parked 1, gave back 1"):  # fmt: skip
        assert line in shown.splitlines()
    assert option(site)["hooks"] == ["new", "ours"]
    true, far = sql_date(NOW - 60), parked(NOW - 60)
    assert [date(site, i) for i in (stays, goes, comes)] == [far, true, far]


def test_what_is_parked_of_no_hook_of_ours_is_given_back(shell, site):
    """A runner with the old list parks retries and next rows of a removed hook until it is
    restarted: neither side would ever run them. It is named, and the next installation gives back."""
    shell.out("install")
    site.run(
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        f" VALUES ('web1', 7, '*', 'inline', '1', '{sql_date(NOW)}', '{sql_date(NOW)}')"
    )
    done = shell("install", "--handlers", "install_fewer:handlers")
    assert (done.returncode, "web1, process 7" in done.stderr) == (0, True)
    site.run("DELETE FROM wp_runner_workers")
    again = due(site, "ours_too", scheduled_date_gmt=parked(NOW - 60))
    kept = due(site, "new", scheduled_date_gmt=parked(NOW - 60))
    far = due(
        site, "php", scheduled_date_gmt="2801-01-01 00:00:00",
        scheduled_date_local="2801-01-01 00:00:00",
    )  # fmt: skip
    shown = shell.out("install", "--handlers", "install_fewer:handlers").splitlines()
    assert "  removed  ours_too: PHP's again" in shown
    assert shown[-2:] == ["actions  park 0, give back 1", "installed: parked 0, gave back 1"]
    assert [date(site, id_) for id_ in (again, kept, far)] == [
        sql_date(NOW - 60), parked(NOW - 60), "2801-01-01 00:00:00",
    ]  # fmt: skip
    shown = shell.out("install", "--handlers", "install_fewer:handlers").splitlines()
    assert shown[-1] == "nothing to do"


def of_version(number: int) -> str:
    """The plugin of another runner."""
    return re.sub(r"(?m)^ \* Version: \d+$", f" * Version: {number}", PLUGIN.read_text())


def test_the_plugin_is_put_in_place_updated_and_removed(shell, site, files):
    """Readable for the web server; an older one of ours is replaced, others' are left."""
    path = files / "wp-content" / "mu-plugins" / PLUGIN.name
    mask = os.umask(0o077)
    assert f"plugin   copy: {path.parent}" in shell.out("install")
    os.umask(mask)
    assert path.read_bytes() == PLUGIN.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert [*path.parent.iterdir()] == [path]
    path.write_text(of_version(0))
    assert f"plugin   update: {path.parent}" in shell.out("install")
    assert path.read_bytes() == PLUGIN.read_bytes()
    assert "removed" not in shell.out("uninstall", "--keep-plugin")
    assert path.exists()
    assert f"removed {path}" in shell.out("uninstall")
    assert not path.exists()
    path.write_text("<?php // somebody else's by now")
    assert "removed" not in shell.out("uninstall")
    assert path.exists()


WRONG_FILES = {
    "another's": ("<?php // mine", ["is not the runner's plugin", "rename it"]),
    "newer": (of_version(99), ["newer runner", "99", "update"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_must_stay_is_named_and_nothing_is_done(shell, site, files, case):
    """One line with the way out."""
    text, words = WRONG_FILES[case]
    path = files / "wp-content" / "mu-plugins" / PLUGIN.name
    path.parent.mkdir()
    path.write_text(text)
    before = everything(site)
    complains(shell("install"), 1, str(path), *words)
    assert everything(site) == before
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written(shell, site, files):
    """All else is done, and the line tells what to copy where."""
    (files / "wp-content").rmdir()
    (files / "wp-content").write_text("a file: not even an administrator makes folders in it")
    id_ = due(site)
    done = shell("install")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"copy {PLUGIN} there" in done.stderr
    assert date(site, id_) == parked(NOW - 60)
    assert option(site)["hooks"] == ["ours", "ours_too"]


def test_its_own_content_folder(shell, site, files):
    """Where wp-config.php says that plugins lie."""
    config = files / "wp-config.php"
    elsewhere = files / "elsewhere"
    elsewhere.mkdir()
    config.write_text(f"{config.read_text()} define('WP_CONTENT_DIR', __DIR__ . '/elsewhere');")
    shell.out("install")
    assert (elsewhere / "mu-plugins" / PLUGIN.name).exists()
    config.write_text(f"{config.read_text()} define('WPMU_PLUGIN_DIR', __DIR__ . '/must');")
    shell.out("install")
    assert (files / "must" / PLUGIN.name).exists()


@pytest.fixture
def copy(shell, site) -> SiteDatabase:
    """The same database under another address, its texts replaced as tools do that copy sites."""
    shell.out("install")
    site.run(
        "UPDATE wp_options SET option_value = REPLACE(option_value, 'shop.test', 'staging.test')"
    )
    return site


COMMANDS = (["run"], ["work", "--max-jobs", "1"], ["install"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("mode", ["auto", "native"])
def test_a_copy_of_the_site_is_refused(shell, copy, mode, command):
    """78, one line, nothing touched, whatever the mode; also when the address was replaced in all
    texts of the copy."""
    shell.environ.setenv("RUNNER_MODE", mode)
    due(copy)
    before = everything(copy)
    complains(shell(*command), 78, "copy", "staging.test", "--confirm-site")
    assert everything(copy) == before


def test_a_copy_that_only_got_its_address(shell, site):
    """The old address is named."""
    shell.out("install")
    site.set_option("siteurl", "http://staging.test")
    complains(shell("run"), 78, URL, "http://staging.test", "--confirm-site")


def test_a_copy_in_another_database_is_refused(shell, site):
    """Its address was left as it is, as on a staging server that sets it in wp-config.php."""
    shell.out("install")
    made = option(site) | {"database": "shop"}
    made["fingerprint"] = Installed.made(frozenset(), URL, "shop", "", 0).fingerprint
    site.set_option(INSTALLED, json.dumps(made))
    for command in (["run"], ["install"]):
        complains(shell(*command), 78, f"{URL} in database shop", site.name, "--confirm-site")
    shell.out("install", "--confirm-site")
    assert shell("run").returncode == 0


@pytest.mark.parametrize("way", ["install", "uninstall"])
def test_parked_actions_of_an_installation_that_is_gone(shell, site, way):
    """The option was lost, as with an old backup: nothing is run until somebody says what shall be.
    Each of the two ways leads on."""
    id_ = due(site)
    shell.out("install")
    site.run(f"DELETE FROM wp_options WHERE option_name = '{INSTALLED}'")
    before = everything(site)
    for mode in ("auto", "native"):
        complains(shell("run", "--mode", mode), 78, "are parked here", "uninstall", INSTALLED)
    assert everything(site) == before
    shell.out(way)
    assert shell("run", "--mode", "native" if way == "uninstall" else "auto").returncode == 0
    assert site.row(id_)["status"] == "complete"


def test_an_option_without_a_fingerprint_goes_by_its_address(shell, site):
    """As somebody may have written it by hand."""
    site.migrate()
    site.set_option(INSTALLED, json.dumps({"hooks": ["ours"], "siteurl": "http://other.test"}))
    complains(shell("run"), 78, "http://other.test")
    site.set_option(INSTALLED, json.dumps({"hooks": ["ours"], "siteurl": URL}))
    assert shell("run").returncode == 0
    site.set_option(INSTALLED, json.dumps({"hooks": ["ours"]}))
    assert shell("run").returncode == 0


def test_a_confirmed_copy_works(shell, copy):
    """After `--confirm-site` it is a site of its own."""
    id_ = due(copy)
    shell.out("install", "--confirm-site")
    assert date(copy, id_) == parked(NOW - 60)
    assert shell.out("install").endswith("nothing to do\n")
    assert shell("run").returncode == 0


@pytest.mark.parametrize("command", [["run"], ["work", "--max-jobs", "1"], ["action", "run", "1"]])
def test_a_mode_that_was_left_over_is_refused(shell, site, command):
    """In the native mode nothing that is parked would ever run, and nobody would be told."""
    due(site)
    shell.out("install")
    before = everything(site)
    shell.environ.setenv("RUNNER_MODE", "native")
    complains(shell(*command), 78, "RUNNER_MODE", "`runner uninstall`")
    assert everything(site) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not JSON", ["is not JSON"]),
        ("[]", ["is not what this runner writes"]),
        ('{"mode": "other", "hooks": []}', ["is not what this runner writes"]),
        ('{"mode": "parked"}', ["no list of hooks"]),
        ('{"mode": "parked", "hooks": [1]}', ["no list of hooks"]),
    ],
)
def test_an_option_that_cannot_be_read(shell, site, text, words):
    """Runs refuse with 78 and the way out; installing writes it anew."""
    site.set_option(INSTALLED, text)
    complains(shell("run"), 78, INSTALLED, *words, "`runner install`")
    shell.out("install")
    assert option(site)["hooks"] == ["ours", "ours_too"]
    assert shell("run").returncode == 0


def test_what_a_newer_runner_installed(shell, site):
    """Is left alone by installing, with the ways out; uninstalling is one of them."""
    shell.out("install")
    site.set_option(INSTALLED, json.dumps(option(site) | {"version": "99.1"}))
    before = everything(site)
    complains(shell("install"), 78, "99.1", __version__, "update", "`runner uninstall`")
    assert everything(site) == before
    shell.out("uninstall")
    assert option(site) is None


def test_without_the_right_to_make_tables(shell, site, server):
    """One line with the ways out, and the site as it was."""
    due(site)
    server.execute(
        "CREATE USER IF NOT EXISTS 'runner_maker'@'%' IDENTIFIED BY 'x'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.* TO 'runner_maker'@'%'",
    )
    dsn = f"mysql://runner_maker:x@{server.host}:{server.port}/{site.name}"
    shell.environ.setenv("RUNNER_DSN", dsn)
    before = everything(site)
    done = shell("install")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "CREATE" in done.stderr
    assert "`runner migrate --print`" in done.stderr
    assert everything(site) == before
    server.execute("DROP USER 'runner_maker'@'%'")


@pytest.mark.parametrize("table", ["held", "leases", "migrations"])
def test_tables_that_are_there_by_half(shell, site, table):
    """A lost one is made again; nothing else is touched."""
    id_ = due(site)
    shell.out("install")
    site.run(f"DROP TABLE wp_runner_{table}")
    refused = shell("run", "--mode", "auto")
    assert (refused.returncode, "runner migrate" in refused.stderr) == (1, True)
    assert date(site, id_) == parked(NOW - 60)
    assert "tables   make or update the runner's own" in shell.out("install")
    assert shell("run", "--mode", "auto").returncode == 0
    assert site.row(id_)["status"] == "complete"


def test_without_the_right_to_write_options(shell, site, server):
    """One line that names the rights, and no row is parked."""
    site.migrate()
    id_ = due(site)
    server.execute(
        "CREATE USER IF NOT EXISTS 'runner_reader'@'%' IDENTIFIED BY 'x'",
        f"GRANT SELECT ON {site.name}.* TO 'runner_reader'@'%'",
        f"GRANT UPDATE ON {site.name}.wp_actionscheduler_actions TO 'runner_reader'@'%'",
    )
    shell.environ.setenv(
        "RUNNER_DSN", f"mysql://runner_reader:x@{server.host}:{server.port}/{site.name}"
    )
    done = shell("install")
    assert done.returncode == 1
    assert "INSERT, UPDATE and DELETE on wp_options" in done.stderr
    assert done.stderr.count("\n") == 1
    assert date(site, id_) == sql_date(NOW - 60)
    server.execute("DROP USER 'runner_reader'@'%'")


@pytest.mark.parametrize("prefix", ["wp_", "a_b_", "w_p"])
def test_uninstall_gives_back_every_status(shell, server, prefix):
    """Whatever the hook; what ran without a runner, or ended unattempted, gets a last attempt, which
    PHP's cleaner sees."""
    site = SiteDatabase.create(server, prefix=prefix)
    other = "wxp" if prefix == "w_p" else "other_"
    SiteDatabase.create_tables(SiteDatabase(server, site.name, other, site.connection), {})
    shell.environ.setenv("RUNNER_DSN", f"{site.url}?prefix={prefix}")
    shell.out("install")
    ids = {
        status: site.add(hook, at=NOW, status=status, scheduled_date_gmt=parked(NOW), last_attempt_gmt=None)
        for hook, status in zip(("a", "b", "ours", "c", "d"), STATUSES, strict=True)
    }  # fmt: skip
    theirs = SiteDatabase(server, site.name, other, site.connection).add(
        "x", at=NOW, scheduled_date_gmt=parked(NOW)
    )
    site.set_option(PLUGIN_FACTS, "{}")
    shown = shell.out("uninstall", "--drop-tables")
    assert shown.splitlines()[0] == (
        "uninstalled: gave 5 actions their true dates back"
        " (canceled 1, complete 1, failed 1, in-progress 1, pending 1)"
    )
    assert {date(site, id_) for id_ in ids.values()} == {sql_date(NOW)}
    attempts = {s: site.row(id_)["last_attempt_gmt"] for s, id_ in ids.items()}
    assert attempts == dict.fromkeys(STATUSES, sql_date(NOW)) | {"pending": None}
    assert (option(site), option(site, PLUGIN_FACTS)) == (None, None)
    tables = [name for (name,) in site.run("SHOW TABLES")]
    assert [name for name in tables if "runner_" in name] == []
    theirs_row = (
        f"SELECT scheduled_date_gmt FROM {other}actionscheduler_actions WHERE action_id = {theirs}"
    )
    assert str(site.run(theirs_row)[0][0]) == parked(NOW)
    before = everything(site)
    assert "gave 0 actions" in shell.out("uninstall", "--drop-tables")
    assert everything(site) == before
    site.drop()


def test_what_lies_aside_is_told(shell, site):
    """What a dying PHP left there is pending again; what it may be looking at is left, and told."""
    shell.out("install")
    old, new = (
        due(site, status="runner-aside", claim_id=7, last_attempt_gmt=sql_date(NOW - ago))
        for ago in (61, 60)
    )
    done = shell("uninstall")
    assert done.returncode == 1
    assert (
        done.stderr == "runner: 1 actions are being looked at by PHP: run this again in a minute\n"
    )
    assert [(site.row(i)["status"], site.row(i)["claim_id"]) for i in (old, new)] == [
        ("pending", "0"), ("runner-aside", "7"),
    ]  # fmt: skip


def test_uninstall_refuses_beside_a_runner(shell, site):
    """75 while a worker was seen in the last minute; a silent one does not count."""
    shell.out("install")
    id_ = due(site, scheduled_date_gmt=parked(NOW))
    insert = (
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        f" VALUES ('web1', 7, '*', 'inline', '1', '{sql_date(NOW)}', '%s')"
    )
    site.run(insert % sql_date(NOW - 60))
    before = everything(site)
    complains(shell("uninstall"), 75, "web1", "process 7", "`runner worker list`")
    assert everything(site) == before
    site.run(f"UPDATE wp_runner_workers SET seen_at = '{sql_date(NOW - 61)}'")
    shell.out("uninstall")
    assert date(site, id_) == sql_date(NOW)


def test_a_runner_that_begins_while_uninstalling_is_told(shell, site, monkeypatch):
    """As cron starts one each minute: what it holds stays, and so do the tables that tell of it."""
    shell.out("install")
    give_all_back = Parking.give_all_back

    def meanwhile(parking):
        site.run("DELETE FROM wp_runner_workers")
        site.run(
            "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
            f" VALUES ('web1', 7, '*', 'inline', '1', '{sql_date(NOW)}', '{sql_date(NOW)}')"
        )
        return give_all_back(parking)

    monkeypatch.setattr(Parking, "give_all_back", meanwhile)
    done = shell("uninstall", "--drop-tables")
    assert done.returncode == 1
    assert "a runner began meanwhile (web1, process 7)" in done.stderr
    assert site.own("workers")


def test_what_a_request_parks_at_the_last_moment_is_given_back(shell, site, files, monkeypatch):
    """It had read the option a moment before that was removed."""
    shell.out("install")
    remove, ids = Plugin.remove, []

    def meanwhile(plugin):
        ids.append(due(site, scheduled_date_gmt=parked(NOW - 60)))
        return remove(plugin)

    monkeypatch.setattr(Plugin, "remove", meanwhile)
    assert "gave 1 action their true dates back (pending 1)" in shell.out("uninstall")
    assert date(site, ids[0]) == sql_date(NOW - 60)


def test_uninstall_says_what_it_may_not_do(shell, site, server):
    """Without the right to drop tables the rest is done."""
    shell.out("install")
    id_ = due(site, scheduled_date_gmt=parked(NOW))
    server.execute(
        "CREATE USER IF NOT EXISTS 'runner_keeper'@'%' IDENTIFIED BY 'x'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.* TO 'runner_keeper'@'%'",
    )
    shell.environ.setenv(
        "RUNNER_DSN", f"mysql://runner_keeper:x@{server.host}:{server.port}/{site.name}"
    )
    done = shell("uninstall", "--drop-tables")
    assert done.returncode == 1
    assert "may not drop the runner's tables" in done.stderr
    assert (date(site, id_), option(site)) == (sql_date(NOW), None)
    server.execute("DROP USER 'runner_keeper'@'%'")


def test_a_plugin_that_cannot_be_removed_is_told(shell, site, files, monkeypatch):
    """The rest is done."""
    shell.out("install")
    id_ = due(site, scheduled_date_gmt=parked(NOW))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    done = shell("uninstall")
    assert done.returncode == 1
    assert f"cannot remove {files}" in done.stderr
    assert "delete it" in done.stderr
    assert (date(site, id_), option(site)) == (sql_date(NOW), None)


def test_a_sqlite_file_has_no_php_beside_it(cli, tmp_path):
    """78, one line."""
    cli.module("jobs", JOBS)
    file = tmp_path / "shop.sqlite"
    subprocess.run([sys.executable, "-m", "runner.demo", file], env=cli.env(), check=True)
    done = cli("install", RUNNER_DSN=f"sqlite:///{file}", RUNNER_HANDLERS="jobs:handlers")
    complains(done, 78, "SQLite")
