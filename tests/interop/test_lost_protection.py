"""Each protection taken away by itself: PHP creates and runs its own as before, what is parked is
safe, and the doctor names the loss."""

from __future__ import annotations

import json
import shutil
import subprocess

import pymysql
import pytest
from interop.wordpress import GROUP, Enqueued, until

from compat.action_scheduler import PARKED_FROM
from runner.operations.plugin import NAME

OURS, THEIRS = "py_interop_lost", "php_interop_lost"
HANDLERS = ("--handlers", "jobs:handlers")
JOBS = f"""
import os, time
from runner import Context, Handlers, RetryPolicy
handlers = Handlers(retry=RetryPolicy.fixed(1, attempts=3))

@handlers.on({OURS!r}, on_crash="retry")
def note(context: Context, number):
    with open("calls", "a") as calls:
        calls.write(f"{{number}}\\n")
    while number == 0 and not os.environ.get("GO"):
        time.sleep(0.01)
"""


@pytest.fixture
def installed(install):
    return install(JOBS)


def ours(site, *numbers: int, ago: int = 60) -> list[int]:
    when = site.now() - ago
    return site.enqueue(
        [
            Enqueued("single", OURS, [n], when + i, None, f"{GROUP}lost")
            for i, n in enumerate(numbers)
        ]
    )


def php_does_its_own(site) -> None:
    """Three of PHP's own, created and run; nothing else is touched."""
    before = site.rows(f"hook = '{OURS}'")
    theirs = site.enqueue(
        [Enqueued("single", THEIRS, [n], site.now() - 1, None, f"{GROUP}lost") for n in range(3)]
    )
    calls = [c for _ in range(3) for c in site.php("run_queue", hooks=[THEIRS])["calls"]]
    assert sorted(call[0] for call in calls) == theirs
    assert {site.row(id_)["status"] for id_ in theirs} == {"complete"}
    assert site.rows(f"hook = '{OURS}'") == before


def parked(site, ids) -> bool:
    rows = [site.row(id_) for id_ in ids]
    return all(r["status"] == "pending" and r["scheduled_date_gmt"] >= PARKED_FROM for r in rows)


def told(cli, code: str) -> str:
    """The severity of one of the doctor's findings."""
    findings = json.loads(cli("doctor", "--json", *HANDLERS).stdout)["findings"]
    return next(finding["severity"] for finding in findings if finding["code"] == code)


def completed(site) -> int:
    return len(site.rows(f"hook = '{OURS}' AND status = 'complete'"))


def test_no_runner_runs(installed, cli):
    """No sweep: the plugin alone keeps PHP away, and what is late is named."""
    ids = ours(installed, 1, 2, ago=400)
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "due.ours") == "warning"
    assert cli("run", *HANDLERS, "--quiet").returncode == 0
    assert told(cli, "due.ours") == "ok"
    assert completed(installed) == 2


def test_the_plugin_is_removed(installed, cli):
    """What is parked stays so; what PHP creates from then on is parked by the sweep."""
    ids = ours(installed, 1)
    (installed.path / "wp-content" / "mu-plugins" / NAME).unlink()
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "plugin") == "error"
    [new] = ours(installed, 2, ago=-3600)
    assert installed.row(new)["scheduled_date_gmt"] < PARKED_FROM
    assert told(cli, "protection") == "warning"
    assert cli("run", *HANDLERS, "--quiet").returncode == 0
    assert parked(installed, [new])
    assert told(cli, "protection") == "ok"
    assert completed(installed) == 1


def test_the_runners_tables_are_dropped(installed, cli):
    """Nothing runs until they are there again; `runner install` makes them."""
    ids = ours(installed, 1)
    prefix = installed.facts["prefix"]
    names = [row[0] for row in installed.run("SHOW TABLES LIKE %s", (rf"{prefix}runner\_%",))]
    installed.run("DROP TABLE " + ", ".join(f"`{name}`" for name in names))
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "own.tables") == "warning"
    refused = cli("run", *HANDLERS)
    assert (refused.returncode, "`runner migrate`" in refused.stderr) == (1, True)
    assert parked(installed, ids)
    assert cli("install", *HANDLERS).returncode == 0
    assert cli("run", *HANDLERS, "--quiet").returncode == 0
    assert completed(installed) == 1


def test_the_option_is_lost(installed, cli):
    """Both ways out are named, and nothing runs meanwhile."""
    ids = ours(installed, 1)
    options = f"`{installed.facts['prefix']}options`"
    installed.run(f"DELETE FROM {options} WHERE option_name = 'wp_action_runner'")
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "parked") == "error"
    refused = cli("run", *HANDLERS)
    assert refused.returncode == 78
    assert "`runner install`" in refused.stderr
    assert cli("install", *HANDLERS).returncode == 0
    assert cli("run", *HANDLERS, "--quiet").returncode == 0
    assert completed(installed) == 1


def triggers(site) -> list[str]:
    return [row[0] for row in site.run("SHOW TRIGGERS")]


def test_the_trigger_is_dropped(installed, cli):
    """The plugin parks as before."""
    name = f"{installed.facts['prefix']}runner_park"
    assert cli("install", *HANDLERS, "--trigger").returncode == 0
    assert (triggers(installed), told(cli, "trigger")) == ([name], "ok")
    ids = ours(installed, 1)
    installed.run(f"DROP TRIGGER `{name}`")
    ids += ours(installed, 2)
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "trigger") == "unknown"
    assert cli("run", *HANDLERS, "--quiet").returncode == 0
    assert completed(installed) == 2


def test_the_account_that_made_the_trigger_is_dropped(installed, cli, admin):
    """The server refuses every insert then. PHP's next run of its queue drops the trigger, and all
    is as without it."""
    name, database = f"{installed.facts['prefix']}runner_park", installed.facts["name"]
    assert cli("install", *HANDLERS, "--trigger").returncode == 0
    ids = ours(installed, 1)
    [(body,)] = installed.run(
        "SELECT action_statement FROM information_schema.triggers"
        " WHERE trigger_schema = DATABASE() AND trigger_name = %s",
        (name,),
    )
    admin("CREATE USER IF NOT EXISTS 'gone'@'%' IDENTIFIED BY 'gone-Secret1'")
    admin(f"GRANT ALL ON `{database}`.* TO 'gone'@'%'")
    admin(f"DROP TRIGGER `{database}`.`{name}`")
    table = installed.table("actions")
    admin("SET sql_mode = ''")  # a trigger keeps the modes that it was made with
    admin(
        f"CREATE DEFINER = 'gone'@'%' TRIGGER `{database}`.`{name}` BEFORE INSERT ON"
        f" `{database}`.{table} FOR EACH ROW {body}".replace("%", "%%")
    )
    assert told(cli, "trigger") == "warning"
    installed.php("run_queue", hooks=[THEIRS])
    assert triggers(installed) == [name]  # its maker is there: inserts work
    admin("DROP USER 'gone'@'%'")
    with pytest.raises(pymysql.err.Error, match="definer"):
        installed.run(f"INSERT INTO {table} (hook, status) VALUES ('{OURS}', 'canceled')")
    installed.php("run_queue", hooks=[THEIRS])
    assert triggers(installed) == []
    ids += ours(installed, 2)
    php_does_its_own(installed)
    assert parked(installed, ids)
    assert told(cli, "trigger") == "unknown"


def test_an_old_dump_is_restored(installed, cli, tmp_path):
    """Made while an action ran, without the runner's tables, as tools do that know WordPress's own:
    afterwards it runs for nobody. PHP leaves it and what waits; an installation takes both back."""
    ids = ours(installed, 0, 1)
    worker = cli.start("run", *HANDLERS, "--quiet")
    calls = cli.folder / "calls"
    until("the handler", calls.exists)
    dump = tmp_path / "dump.sql"
    _dump(installed, dump)
    worker.kill()
    worker.communicate()
    assert cli("run", *HANDLERS, "--quiet", GO="1").returncode == 0
    names = [row[0] for row in installed.run("SHOW TABLES LIKE %s", (r"%runner\_%",))]
    installed.run("DROP TABLE " + ", ".join(f"`{name}`" for name in names))
    _restore(installed, dump)
    running, waiting = (installed.row(id_) for id_ in ids)
    assert (running["status"], running["last_attempt_gmt"]) == ("in-progress", None)
    php_does_its_own(installed)
    assert (installed.row(ids[0]), parked(installed, ids[1:])) == (running, True)
    assert waiting == installed.row(ids[1])
    assert told(cli, "running.leaseless") == "warning"
    assert cli("install", *HANDLERS).returncode == 0
    taken = cli("run", *HANDLERS, "--json", GO="1")
    assert json.loads(taken.stdout)["taken_back"] == 1
    assert told(cli, "running.leaseless") == "ok"
    until(
        "the retry", lambda: cli("run", *HANDLERS, "--quiet", GO="1") and completed(installed) == 2
    )
    assert len([line for line in installed.logs(ids[0]) if "will be retried" in line]) == 1


def _client(site, *programs: str) -> list[str]:
    program = next(filter(None, map(shutil.which, programs)), None)
    assert program, f"needs one of {', '.join(programs)}: apt-get install mariadb-client"
    host, port, socket = site._server()
    place = [f"--socket={socket}"] if socket else [f"--host={host}", f"--port={port}"]
    return [program, "--no-defaults", *place, f"--user={site.facts['user']}", site.facts["name"]]


def _dump(site, file) -> None:
    tables = [site.table(t).strip("`") for t in ("actions", "claims", "groups", "logs")]
    with file.open("w") as out:
        subprocess.run(
            [*_client(site, "mariadb-dump", "mysqldump"), "--single-transaction",
             "--skip-lock-tables", *tables, f"{site.facts['prefix']}options"],
            stdout=out, check=True, env={"MYSQL_PWD": site.facts["password"]},
        )  # fmt: skip


def _restore(site, file) -> None:
    with file.open() as dump:
        subprocess.run(
            _client(site, "mariadb", "mysql"), stdin=dump, check=True,
            env={"MYSQL_PWD": site.facts["password"]},
        )  # fmt: skip
