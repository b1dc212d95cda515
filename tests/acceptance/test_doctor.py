"""`runner doctor` as a user and a monitor see it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess

import pytest
from support.cli import ROOT

from runner.demo.shop import build

JOBS = "from runner import Handlers\nhandlers = Handlers()\n@handlers.on('sync')\ndef f(): ...\n"


@pytest.fixture
def shop(site, cli):
    """A clean site with a handler whose hook has been seen."""
    cli.module("jobs", JOBS)
    cli.environ["RUNNER_HANDLERS"] = "jobs:handlers"
    site.migrate()
    site.add("sync", at=4_000_000_000)
    return site


def test_a_clean_site_exits_with_0(shop, cli):
    """One line a check, the summary last; no colours off a terminal."""
    done = cli("doctor", "--fail-on", "warning")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["ok", "database"]
    assert lines[-1].startswith("6 unknown, 2 info, ")
    assert "\x1b" not in done.stdout


def test_findings_decide_the_exit_code(shop, cli):
    """A warning fails only when asked to, an error always; the worst comes last."""
    shop.set_option("cron", 'a:1:{i:1;a:1:{s:26:"action_scheduler_run_queue";a:0:{}}}')
    auto = {"RUNNER_MODE": "auto"}
    done = cli("doctor", **auto)
    assert done.returncode == 0
    assert "warning  mode" in done.stdout
    assert "`runner run` refuses here" in done.stdout
    assert cli("doctor", "--fail-on", "warning", **auto).returncode == 1
    shop.run("ALTER TABLE wp_actionscheduler_logs ENGINE = MyISAM")
    done = cli("doctor", **auto)
    assert done.returncode == 1
    assert done.stdout.index("warning  mode") < done.stdout.index("error    tables.engine")
    assert cli("doctor", "--fail-on", "info").returncode == 2


def test_json_is_stable(shop, cli):
    """The keys that programs rely on, and the codes."""
    found = json.loads(cli("doctor", "--json").stdout)
    assert list(found) == ["counts", "findings"]
    assert list(found["counts"]) == ["ok", "info", "unknown", "warning", "error"]
    assert sum(found["counts"].values()) == len(found["findings"])
    keys = ["code", "severity", "fact", "meaning", "advice", "details"]
    assert all(list(finding) == keys for finding in found["findings"])
    assert [finding["code"] for finding in found["findings"]] == [
        "database", "database.writable", "database.session", "database.limits", "database.clock",
        "database.rights", "tables", "tables.migration", "tables.engine", "tables.indexes",
        "tables.collation", "own.tables", "site.time_zone", "php.runner", "mode", "install",
        "parked", "protection", "plugin", "trigger", "php.store", "php.callbacks", "php.batch_size",
        "php.object_cache", "php.clock", "workers", "claims.unused", "claims.missing",
        "claims.leases", "running.stuck", "running.leaseless", "due.ours", "paused", "due.unhandled", "failed",
        "chains.duplicate", "chains.stopped", "size.rows", "size.tables", "size.orphaned_logs",
        "handlers", "packages",
    ]  # fmt: skip


def test_colours_on_a_terminal(shop, cli):
    """The severity is coloured where a person looks."""
    leader, follower = pty.openpty()
    subprocess.run(
        cli.command("doctor"), cwd=cli.folder, env=cli.env(TERM="xterm"), stdout=follower,
        stderr=subprocess.DEVNULL, check=True, timeout=60,
    )  # fmt: skip
    os.close(follower)
    assert b"\x1b[32mok" in os.read(leader, 4096)
    os.close(leader)


def test_a_database_that_is_not_there(cli):
    """The only finding is an error, and the exit code says so."""
    dsn = "mysql://nobody@127.0.0.1:1/none"
    done = cli("doctor", RUNNER_DSN=dsn)
    assert done.returncode == 1
    assert done.stdout.startswith("error    database  unreachable\n")
    assert done.stdout.endswith("1 error\n")
    assert done.stderr == ""


def test_no_action_scheduler_at_all(site, cli):
    """An empty database: it says which tables are missing, and does not fall over."""
    for table in ("actions", "claims", "groups", "logs"):
        site.run(f"DROP TABLE wp_actionscheduler_{table}")
    found = json.loads(cli("doctor", "--json").stdout)
    by_code = {finding["code"]: finding for finding in found["findings"]}
    assert by_code["tables"]["severity"] == "error"
    assert "there is no table actions" in by_code["tables"]["meaning"]
    assert by_code["failed"]["severity"] == "unknown"


def test_handlers_that_do_not_load(shop, cli):
    """A finding like others: the rest is looked at all the same."""
    cli.module("broken", "import no_such_module")
    done = cli("doctor", "--handlers", "broken:handlers")
    assert done.returncode == 1
    assert "error    handlers" in done.stdout
    assert "no_such_module" in done.stdout
    assert "ok       tables" in done.stdout


def test_a_foreign_package_before_ours_is_found(shop, cli):
    """One of the same name, first on the path, as another distribution may bring it."""
    shutil.copytree(ROOT / "compat", cli.folder / "other" / "compat")
    done = cli("doctor", PYTHONPATH=f"{cli.folder / 'other'}:{ROOT}")
    assert done.returncode == 1
    assert "error    packages" in done.stdout
    assert str(cli.folder / "other" / "compat") in done.stdout


def test_it_looks_at_a_sqlite_file_too(cli):
    """Without the questions that only a server answers."""
    build(cli.folder / "shop.sqlite", 1_700_000_000)
    done = cli("doctor", "--json", RUNNER_DSN=f"sqlite:///{cli.folder / 'shop.sqlite'}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "database.rights" not in found
    assert [c for c, f in found.items() if f["severity"] == "unknown"] == []


def test_names_from_the_database_drive_no_terminal(shop, cli):
    """A hook may hold anything."""
    shop.add("evil\x1b[2J", at=1_700_000_000)
    done = cli("doctor")
    assert "\x1b" not in done.stdout
    assert "evil\\x1b[2J (1)" in done.stdout
