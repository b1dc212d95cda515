"""A database that answers and takes no writes: read-only after a failover, or full."""

from __future__ import annotations

import signal
from contextlib import suppress

import pymysql
import pytest
from support import server as servers
from support.site import SiteDatabase
from support.waiting import until

DUE = 1_700_000_000
DISK = "--innodb-data-file-path=ibdata1:12M:autoextend:max:20M"
JOBS = """
import pathlib, time
from runner import Fail, Handlers

handlers = Handlers(timeout=50)
here = pathlib.Path(__file__).parent

@handlers.on("gated")
def gated():
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    raise Fail("x" * 19_000)  # its log line wants pages of its own

@handlers.on("quick")
def quick(): ...
"""


@pytest.fixture
def daemon(cli):
    """Starts `runner work` in the middle of a handler; kills what is left of it."""
    cli.module("jobs", JOBS)
    started = []

    def start(site, url: str):
        site.migrate()
        action = site.add("gated", at=DUE)
        process = cli.start("work", "--handlers", "jobs:handlers", "--quiet", RUNNER_DSN=url)
        started.append(process)
        until((cli.folder / "begun").exists)
        return action, process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def small():
    """A site on a server whose disk ends at 20 MB."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    options = [
        *servers.FAST,
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-file-per-table=0",
        DISK,
    ]
    server = servers.local(program, options)
    yield SiteDatabase.create(server)
    server.stop()


def fill(site) -> None:
    """Until not one row more fits in."""
    site.run("CREATE TABLE filler (a LONGBLOB) ENGINE=InnoDB")
    for size in (500_000, 50_000, 5_000, 500):
        with suppress(pymysql.err.OperationalError):  # the table is full
            for _ in range(100):
                site.run(f"INSERT INTO filler VALUES (REPEAT('x', {size}))")
    with pytest.raises(pymysql.err.OperationalError, match="is full"):
        site.run("INSERT INTO filler VALUES (REPEAT('x', 20000))")


def make_room(site) -> None:
    """A full server cannot even drop a table: it gets a larger disk, and is started again."""
    server = site.server
    server.arguments = tuple(a.replace(DISK, DISK.replace("20M", "200M")) for a in server.arguments)
    server.kill()
    server.restart()
    site.reconnect()


def recovers(process, site, action: int) -> None:
    """The result in hand is recorded, and one line tells of the end."""
    until(lambda: site.row(action)["status"] == "failed")
    later = site.add("quick", at=DUE)
    until(lambda: site.row(later)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.startswith("runner: the database is back after")
    assert err.count("\n") == 1
    assert site.row(action)["attempts"] == "1"
    assert len(site.logs(action)) == 3


def test_a_read_only_server_is_waited_for(daemon, cli, site, server):
    """One line for it and one for its end, the result in hand is recorded, nothing runs twice."""
    server.execute(
        "DROP USER IF EXISTS 'shop'@'%'", "CREATE USER 'shop'@'%' IDENTIFIED BY 'shop'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.* TO 'shop'@'%'",
    )  # fmt: skip
    url = f"mysql://shop:shop@{server.host}:{server.port}/{site.name}"
    action, process = daemon(site, url)
    server.execute("SET GLOBAL read_only = 1")
    try:
        (cli.folder / "go").touch()
        assert "takes no writes" in process.stderr.readline()
    finally:
        server.execute("SET GLOBAL read_only = 0")
    recovers(process, site, action)


def test_a_full_server_is_waited_for(daemon, cli, small):
    """The same when its disk is full, until somebody makes room."""
    action, process = daemon(small, small.url)
    fill(small)
    (cli.folder / "go").touch()
    assert "takes no writes: The table" in process.stderr.readline()
    make_room(small)
    recovers(process, small, action)


def test_a_migration_without_room_is_one_line(cli, small):
    """Nothing is half there that a second run would not mend."""
    fill(small)
    done = cli("migrate", RUNNER_DSN=small.url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "wp_runner_" in done.stderr
    make_room(small)
    assert (
        cli("migrate", RUNNER_DSN=small.url).stdout
        == "ran 0001_leases\nran 0002_parked\nran 0003_control\nran 0004_page\nran 0005_alerts\n"
    )
