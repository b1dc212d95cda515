"""An account with exactly the rights that are printed does its work, and no more."""

from __future__ import annotations

import signal

import pymysql
import pytest
from support.page import Visitor, make_page
from support.site import PEOPLE, REAL
from support.waiting import until

from compat import schedules
from runner.site import check_prefix, discover, identifiers
from runner.storage import dsn as dsns
from runner.storage.db import Database
from runner.storage.mysql import MySQL
from runner.storage.queries import Queries

DUE = 1_700_000_000
JOBS = """
import pathlib, time
from runner import Handlers, Retry
handlers = Handlers()
here = pathlib.Path(__file__).parent

@handlers.on("sync", idempotent=True)
def sync(*args): ...

@handlers.on("again")
def again():
    raise Retry("later")

@handlers.on("gated")
def gated():
    while not (here / "go").exists():
        time.sleep(0.01)
"""
RUN = ("run", "--handlers", "jobs:handlers")
FEATURES = (
    "run,work,enqueue,manage,clean,purge,web,accounts,wordpress-sign-in,migrate,install,status"
)


@pytest.fixture
def account(site, server, cli):
    """Gives an account what `grants print` prints for it; returns its DSN."""
    cli.module("jobs", JOBS)
    made = []

    def give(features: str, name: str = "least") -> str:
        made.append(name)
        account = f"'{name}'@'127.0.0.1'"
        printed = cli("grants", "print", "--for", features, "--account", account)
        assert printed.returncode == 0, printed.stderr
        server.execute(
            f"DROP USER IF EXISTS {account}",
            f"CREATE USER {account} IDENTIFIED BY 'least'",
            *printed.stdout.rstrip().rstrip(";").split(";\n"),
        )
        return f"mysql://{name}:least@{server.host}:{server.port}/{site.name}"

    yield give
    for name in made:
        server.execute(f"DROP USER IF EXISTS '{name}'@'127.0.0.1'")


def test_what_is_printed_is_enough(site, cli, account):
    """Each account, with the rights of one feature alone, does all of it."""
    migrating = account("migrate", "migrating")
    assert cli("migrate", RUNNER_DSN=migrating).stdout.startswith("ran ")
    assert cli("migrate", RUNNER_DSN=migrating).stdout == "nothing to do\n"
    running, creating = account("run", "running"), account("enqueue", "creating")
    for hook in ("sync", "sync", "again"):
        done = cli("action", "create", hook, "async", "--group", "new", RUNNER_DSN=creating)
        assert done.returncode == 0, done.stderr
    site.add("sync", at=DUE, group="", schedule=schedules.interval(DUE, 3600))
    site.add("sync", at=DUE, status="in-progress", attempts=1, last_attempt_gmt="2020-01-01")
    done = cli(*RUN, RUNNER_DSN=running)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.statuses() == {"complete": 3, "pending": 3}  # the last is the chain's next
    assert len(site.own("attempts")) == 5  # it sees its own tables
    managing = account("manage", "managing")
    for row in site.rows("actions", "status = 'pending'"):
        assert cli("action", "cancel", row["action_id"], RUNNER_DSN=managing).returncode == 0
    site.run("UPDATE wp_actionscheduler_actions SET last_attempt_gmt = '2020-01-01'")
    site.run("INSERT INTO wp_runner_leases VALUES (77, 1, '2020-01-01')")  # of a dead worker
    cleaning = account("clean", "cleaning")
    done = cli("clean", "--handlers", "jobs:handlers", RUNNER_DSN=cleaning)
    assert (done.returncode, site.rows(), site.rows("logs")) == (0, [], []), done.stderr
    assert (site.own("attempts"), site.own("leases")) == ([], [])
    watching = account("status", "watching")
    for command in (["status"], ["worker", "list"], ["action", "list"]):
        done = cli(*command, RUNNER_DSN=watching)
        assert done.returncode == 0, done.stderr


def test_an_account_that_runs_moves_where_looks_begin(site, clock, account):
    """Beside a paused group, when older rows are parked."""
    site.migrate()
    site.run("INSERT INTO wp_runner_skips VALUES ('parked:1', 'sync', '2826-01-02', 1, 1)")
    tables = check_prefix(site.prefix)
    database = Database(MySQL(dsns.parse(account("run")), tables.plain("actions")), clock)
    database.connect()
    texts = Queries("gates.sql", "mysql", identifiers(discover(database, tables), "mysql"))
    database.write(texts["skip_less"], reached="2826-01-01")
    database.close()
    assert str(site.own("skips")[0]["reached"]) == "2826-01-01 00:00:00"


def test_an_account_that_manages(site, cli, account):
    """All that a person does with single actions, parked ones too; it runs none."""
    site.migrate()
    dsn = account("manage")
    site.add("sync", at=DUE, status="failed", last_attempt_gmt="2020-01-01")
    held = site.add("sync", at=DUE)
    site.run("INSERT INTO wp_runner_held VALUES (%s, 9)", (held,))
    for words in (
        ("create", "sync", "async", "--group", "new"), ("cancel", str(held)), ("retry", "1"),
        ("list",), ("get", "1"), ("logs", "1"), ("attempts", "1"), ("next", "sync"),
        ("delete", str(held)),
    ):  # fmt: skip
        done = cli("action", *words, RUNNER_DSN=dsn)
        assert done.returncode == 0, (words, done.stderr)
    assert site.statuses() == {"pending": 2}
    assert site.own("held") == []
    refused = cli(*RUN, RUNNER_DSN=dsn)
    assert (refused.returncode, "denied" in refused.stderr) == (1, True)
    assert site.statuses() == {"pending": 2}


def test_the_pages_account(site, cli, account, server):
    """What the page shows and does, and signing in, by an account with these rights alone; it reads
    nothing else of WordPress."""
    site.migrate()
    site.load_dump(REAL, only=PEOPLE)
    failed = site.add("sync", at=DUE, status="failed", last_attempt_gmt="2020-01-01")
    making, opening = account("accounts", "making"), account("web,wordpress-sign-in", "opening")
    done = cli("web", "user", "add", "bot", "--token", RUNNER_DSN=making)
    assert done.returncode == 0, done.stderr
    assert (
        cli("grants", "verify", "--for", "web,wordpress-sign-in", RUNNER_DSN=opening).returncode
        == 0
    )

    class Narrow:
        dsn = dsns.parse(opening)
        prefix = site.prefix

    visitor = Visitor(make_page(Narrow(), web_wordpress=True, web_role="admin"))
    assert visitor.sign_in("admin", "admin").status_code == 303
    for path in (
        "/",
        "/actions",
        f"/actions/{failed}",
        "/dead-letters",
        "/recurring",
        "/workers",
        "/audit",
    ):
        assert visitor.get(path).status_code == 200, path
    assert visitor.post(f"/actions/{failed}/retry").status_code == 303
    assert site.row(failed)["status"] == "pending"
    sent = {"kind": "hook", "name": "sync"}
    assert visitor.post("/pauses", sent).status_code == 303
    assert visitor.post("/sign-out").status_code == 303
    connection = pymysql.connect(
        host=server.host, port=server.port, user="opening", password="least", database=site.name
    )
    with connection, connection.cursor() as cursor, pytest.raises(pymysql.err.OperationalError):
        cursor.execute("SELECT user_nicename FROM wp_users")


def test_an_account_that_purges(site, cli, account):
    """Finished actions with what was recorded of them, and lines without an action."""
    site.migrate()
    dsn = account("purge")
    done, due = site.add("sync", at=DUE, status="complete"), site.add("sync", at=DUE)
    site.run(
        "INSERT INTO wp_runner_attempts (action_id, claim_id, worker_id, hook, attempt, outcome,"
        " error, elapsed_ms, peak_memory, ended_at)"
        f" VALUES ({done}, 1, 1, 'sync', 1, 'completed', '', 1, 1, '2020-01-01')"
    )
    site.insert("logs", {"action_id": 999, "message": "lost"})
    for words in (("--hook", "sync"), ("--orphan-logs",)):
        for more in ((), ("--yes",)):
            purged = cli("purge", *words, *more, RUNNER_DSN=dsn)
            assert (purged.returncode, purged.stderr) == (0, "")
    assert [int(row["action_id"]) for row in site.rows()] == [due]
    assert [int(row["action_id"]) for row in site.rows("logs")] == [due]
    assert site.own("attempts") == []
    refused = cli("action", "cancel", str(due), RUNNER_DSN=dsn)
    assert (refused.returncode, "denied" in refused.stderr) == (1, True)


def test_a_daemon_works_and_cleans(site, cli, account):
    """Its leases, its heartbeats, its daily chore."""
    site.migrate()
    dsn = account("work")
    old = site.add("sync", at=DUE, status="complete", last_attempt_gmt="2020-01-01")
    due = site.add("sync", at=DUE)
    cleaned = cli("clean", "--handlers", "jobs:handlers", RUNNER_DSN=dsn)
    assert (cleaned.returncode, site.row(old)) == (0, {}), cleaned.stderr
    site.add("gated", at=DUE)
    work = ("work", "--handlers", "jobs:handlers", "--sleep", "0.05", "--heartbeat", "1")
    daemon = cli.start(*work, RUNNER_DSN=dsn)
    try:
        until(lambda: site.row(due)["status"] == "complete" and site.own("leases"))
        lease, worker = site.own("leases"), site.own("workers")
        until(lambda: site.own("leases") != lease and site.own("workers") != worker)
        (cli.folder / "go").touch()
        until(lambda: not site.own("leases"))
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=30)
    finally:
        daemon.kill()
        daemon.wait()
    assert daemon.returncode == 0
    assert "denied" not in err


def test_verify_names_what_is_lacking(site, server, cli, account):
    """One line a table, exit 1; nothing is lacking for what was asked for."""
    site.migrate()
    dsn = account("status")
    done = cli("grants", "verify", "--for", "run,clean", RUNNER_DSN=dsn)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "wp_actionscheduler_actions lacks INSERT, UPDATE, DELETE",
        "wp_actionscheduler_claims lacks INSERT, DELETE",
        "wp_actionscheduler_logs lacks INSERT, DELETE",
        "wp_runner_workers lacks INSERT, UPDATE, DELETE",
        "wp_runner_leases lacks INSERT, UPDATE, DELETE",
        "wp_runner_attempts lacks INSERT, DELETE",
    ]
    assert not any("groups" in line or "options" in line for line in lines)
    done = cli("grants", "verify", "--for", "status", RUNNER_DSN=dsn)
    assert (done.returncode, done.stdout) == (0, "nothing is lacking for status\n")


def test_verify_before_the_tables_are_made(site, cli, account):
    """CREATE is asked for without making anything."""
    dsn = account("status,migrate")
    assert cli("grants", "verify", "--for", "migrate", RUNNER_DSN=dsn).returncode == 0
    assert site.run("SHOW TABLES LIKE 'wp\\_runner\\_%'") == []
    site.migrate()
    dsn = account("run", "plain")
    done = cli("grants", "verify", "--for", "migrate", RUNNER_DSN=dsn)
    assert done.stdout.splitlines()[0] == "wp_runner_migrations lacks INSERT, CREATE"


@pytest.mark.parametrize("level", ["role", "database", "server"])
def test_rights_count_wherever_they_were_given(site, server, cli, level):
    """To a role, for the whole database, for the whole server."""
    site.migrate()
    name = "'broad'@'127.0.0.1'"
    rights = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.* TO"
    word = "FOR" if "MariaDB" in server.version else "TO"
    given = {
        "role": ["CREATE ROLE workers", f"{rights} workers", f"GRANT workers TO {name}",
                 f"SET DEFAULT ROLE workers {word} {name}"],
        "database": [f"{rights} {name}"],
        "server": [f"GRANT ALL ON *.* TO {name}"],
    }  # fmt: skip
    server.execute(
        "DROP ROLE IF EXISTS workers",
        f"DROP USER IF EXISTS {name}",
        f"CREATE USER {name} IDENTIFIED BY 'broad'",
    )
    try:
        server.execute(*given[level])
        dsn = f"mysql://broad:broad@{server.host}:{server.port}/{site.name}"
        done = cli("grants", "verify", "--for", "work,enqueue,clean,status", RUNNER_DSN=dsn)
        assert (done.returncode, done.stdout) == (
            0,
            "nothing is lacking for work,enqueue,clean,status\n",
        )
        done = cli("grants", "verify", "--for", FEATURES, RUNNER_DSN=dsn)
        assert done.returncode == (0 if level == "server" else 1)
    finally:
        server.execute(f"DROP USER {name}", "DROP ROLE IF EXISTS workers")


def test_print_asks_the_database_nothing(cli):
    """The account, and the server, may not be there yet; names are quoted."""
    dsn = "mysql://a@127.0.0.1:1/my-shop?prefix=wp_7_"
    done = cli("grants", "print", "--for", "enqueue", "--account", "jobs@10.0.%", RUNNER_DSN=dsn)
    assert done.returncode == 0
    comment, first, *_ = done.stdout.splitlines()
    assert "CREATE USER 'jobs'@'10.0.%' IDENTIFIED BY" in comment
    assert first == (
        "GRANT SELECT, INSERT ON `my-shop`.`wp_7_actionscheduler_actions` TO 'jobs'@'10.0.%';"
    )
    assert "wp_7_options` TO" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for", "flying"], "there is no 'flying' (there are: run, work, enqueue"),
        (["--for", ","], "--for names nothing"),
        (["--account", "a'b@%"], "is no account"),
        (["--account", "@%"], "is no account"),
    ],
)
def test_what_cannot_be_printed(cli, arguments, words):
    """One line, exit 2."""
    done = cli("grants", "print", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr
