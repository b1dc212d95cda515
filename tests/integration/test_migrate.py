"""`runner migrate`: the runner's own tables are made once, kept, and never half."""

from __future__ import annotations

from runner.operations import migrate
from runner.site import OWN_SCHEMA, OWN_TABLES
from runner.storage import queries

OWN = sorted(f"wp_runner_{table}" for table in OWN_TABLES)
NAMES = [migration.name for migration in migrate.known()]
RAN = "".join(f"ran {name}\n" for name in NAMES)


def tables(site) -> list[str]:
    return sorted(row[0] for row in site.run("SHOW TABLES LIKE 'wp\\_runner\\_%'"))


def test_it_makes_its_tables_once(site, cli):
    """The first run makes them and records it; the second finds nothing to do and changes
    nothing. Action Scheduler's tables stay as they are."""
    before = [site.run(f"SHOW CREATE TABLE {site.table(t)}") for t in ("actions", "claims", "logs")]
    first, second = cli("migrate"), cli("migrate")
    assert (first.returncode, first.stdout, first.stderr) == (0, RAN, "")
    assert (second.returncode, second.stdout, second.stderr) == (0, "nothing to do\n", "")
    assert tables(site) == OWN
    assert [row["name"] for row in site.own("migrations")] == NAMES
    after = [site.run(f"SHOW CREATE TABLE {site.table(t)}") for t in ("actions", "claims", "logs")]
    assert before == after


def test_what_is_printed_can_be_run_by_somebody_else(site, cli, server):
    """--print writes nothing; its SQL, run by an administrator, is what a migration leaves."""
    printed = cli("migrate", "--print")
    assert tables(site) == []
    for statement in printed.stdout.split(";\n\n"):
        if statement:
            site.run(statement)
    assert tables(site) == OWN
    again = cli("migrate", "--print")
    assert (again.stdout, again.stderr) == ("-- nothing to do\n", "")
    assert cli("migrate").stdout == "nothing to do\n"


def test_a_lost_table_is_made_again(site, cli):
    """A table that was dropped, or not restored from a dump, comes back; the record stays one."""
    cli("migrate")
    site.run("DROP TABLE wp_runner_leases")
    assert "tables are missing" in cli("worker", "list").stderr
    assert cli("migrate").stdout == RAN
    assert tables(site) == OWN
    assert len(site.own("migrations")) == len(NAMES)


def test_a_cut_migration_is_run_anew(site, cli):
    """Killed between two tables: the next one makes what is missing."""
    printed = cli("migrate", "--print").stdout.split(";\n\n")
    for statement in printed[:2]:  # the record, and the first table
        site.run(statement)
    assert cli("migrate").stdout == RAN
    assert tables(site) == OWN


def test_four_at_once_make_them_once(site, cli):
    """Every deploy host runs it: each ends well, one does it."""
    runs = [cli.start("migrate") for _ in range(4)]
    said = sorted(run.communicate(timeout=60)[0] for run in runs)
    assert [run.returncode for run in runs] == [0] * 4
    assert said == ["nothing to do\n"] * 3 + [RAN]
    assert len(site.own("migrations")) == len(NAMES)


def test_a_file_changed_after_it_ran_is_refused(site, cli):
    """Nothing is done, and the line names the file."""
    cli("migrate")
    site.run("UPDATE wp_runner_migrations SET checksum = REPEAT('0', 64)")
    site.run("DROP TABLE wp_runner_leases")
    done = cli("migrate")
    assert done.returncode == 1
    assert done.stderr.startswith("runner: migration 0001_leases was changed after it ran here")
    assert done.stderr.count("\n") == 1
    assert "wp_runner_leases" not in tables(site)


def test_tables_of_a_newer_runner_are_refused(site, cli):
    """By the migration and by whatever works: one line that says what to do."""
    cli("migrate")
    site.run(
        "INSERT INTO wp_runner_migrations VALUES (7, '0007_x', REPEAT('0', 64), UTC_TIMESTAMP())"
    )
    cli.module(
        "jobs",
        "from runner import Handlers\nhandlers = Handlers()\n@handlers.on('x')\ndef f(): pass\n",
    )
    for command in (["migrate"], ["run", "--handlers", "jobs:handlers"], ["status"]):
        done = cli(*command)
        assert done.returncode == 1
        assert done.stderr == (
            "runner: the runner's own tables are of version 7, made by a newer runner; this one"
            f" knows version {OWN_SCHEMA}: update the runner here\n"
        )


def account(server, site, *grants: str) -> str:
    """A DSN of an account with these rights on the site's database."""
    server.execute(
        "CREATE OR REPLACE USER 'poor'@'%' IDENTIFIED BY 'poor'"
        if server.is_mariadb
        else "CREATE USER IF NOT EXISTS 'poor'@'%' IDENTIFIED BY 'poor'",
        *[f"GRANT {grant} ON {site.name}.* TO 'poor'@'%'" for grant in grants],
    )
    return f"mysql://poor:poor@{server.host}:{server.port}/{site.name}"


def test_without_the_right_to_create(site, cli, server):
    """One line that says what to grant, or what else to do; nothing is half there."""
    url = account(server, site, "SELECT, INSERT, UPDATE, DELETE")
    done = cli("migrate", RUNNER_DSN=url)
    assert done.returncode == 1
    assert "may not create the runner's tables: grant it CREATE, or let somebody" in done.stderr
    assert done.stderr.count("\n") == 1
    assert tables(site) == []


def test_a_read_only_server(site, cli, server):
    """A replica: one line at once, nothing half there."""
    url = account(server, site, "ALL")
    server.execute("SET GLOBAL read_only = 1")
    try:
        done = cli("migrate", RUNNER_DSN=url)
    finally:
        server.execute("SET GLOBAL read_only = 0")
    assert done.returncode == 1
    assert "takes no writes" in done.stderr
    assert done.stderr.count("\n") == 1
    assert tables(site) == []


def test_the_record_is_of_the_files_that_are_there():
    """Numbers follow each other from 1, and the newest is the one that the runner wants."""
    assert [m.number for m in migrate.known()] == list(range(1, OWN_SCHEMA + 1))
    made = {
        name.partition("@")[0]
        for m in migrate.known()
        for name in queries.load(f"schema/{m.name}.sql")
    }
    assert made - {"attempts_index"} == {*OWN_TABLES} - {"migrations"}
