"""The brake on a real replica that stands still, lags, and catches up."""

from __future__ import annotations

import pytest
from support import server as servers
from support.cli import Cli
from support.site import SiteDatabase
from support.waiting import until

from runner.core.clock import SystemClock
from runner.operations.replica import Replica
from runner.storage.db import Database
from runner.storage.mysql import MySQL

DUE = 1_700_000_000


@pytest.fixture(scope="module")
def pair():
    """A primary and its replica."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    options = [option for option in servers.FAST if option != "--skip-log-bin"]
    primary = servers.local(program, [*options, "--log-bin", "--server-id=1"])
    replica = servers.local(program, [*servers.FAST, "--server-id=2"])
    try:
        _replicate(primary, replica)
        yield primary, replica
    finally:
        replica.stop()
        primary.stop()


def _replicate(primary, replica) -> None:
    if primary.is_mariadb:
        file, place = primary.execute("SHOW MASTER STATUS")[0][:2]
        monitor = "SLAVE MONITOR"
        words = "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'root', MASTER_PORT"
        more = f"MASTER_LOG_FILE = '{file}', MASTER_LOG_POS = {place}"
    else:
        file, place = primary.execute("SHOW BINARY LOG STATUS")[0][:2]
        monitor = "REPLICATION CLIENT"
        words = "CHANGE REPLICATION SOURCE TO GET_SOURCE_PUBLIC_KEY = 1, SOURCE_HOST = '127.0.0.1',"
        words += " SOURCE_USER = 'root', SOURCE_PORT"
        more = f"SOURCE_LOG_FILE = '{file}', SOURCE_LOG_POS = {place}"
    replica.execute(
        f"{words} = {primary.port}, {more}",
        "START REPLICA",
        f"GRANT {monitor} ON *.* TO '{servers.ACCOUNT}'@'127.0.0.1'",
    )


@pytest.fixture
def shop(pair):
    """A site that has reached the replica."""
    primary, replica = pair
    site = SiteDatabase.create(primary)
    names = f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{site.name}'"
    until(lambda: len(replica.execute(names)) == 5)
    yield site
    replica.execute("START REPLICA")
    site.drop()


@pytest.fixture
def lag(shop, pair):
    """The gauge, with which nothing may be behind."""
    driver = MySQL(pair[1].dsn(shop.name), shop.table("actions"))
    database = Database(driver, SystemClock(), patience=0.0)
    gauge = Replica(database, "the replica", 0)
    gauge.check()
    yield gauge
    database.close()


def test_a_replica_tells_how_far_it_is_behind(pair, shop, lag):
    """In seconds; standing still and being gone are reasons too, until it is back."""
    _, replica = pair
    until(lambda: lag() is None)
    replica.execute("STOP REPLICA SQL_THREAD")
    until(lambda: lag() == "the replica does not replicate")
    name = "MASTER" if replica.is_mariadb else "SOURCE"
    change = "CHANGE MASTER TO" if replica.is_mariadb else "CHANGE REPLICATION SOURCE TO"
    replica.execute("STOP REPLICA", f"{change} {name}_DELAY = 3600", "START REPLICA")
    shop.add("sync", at=DUE)
    until(lambda: "s behind" in (lag() or ""))
    replica.execute("STOP REPLICA", f"{change} {name}_DELAY = 0", "START REPLICA")
    until(lambda: lag() is None)
    replica.kill()
    until(lambda: lag() == "the replica does not answer")
    replica.restart()
    replica.execute("START REPLICA")
    until(lambda: lag() is None)


def test_a_purge_waits_for_its_replica(pair, shop, tmp_path):
    """Nothing goes while it stands still, and why is said; then all of it does."""
    _, replica = pair
    for _ in range(5):
        shop.add("sync", at=DUE, status="complete")
    replica.execute("STOP REPLICA SQL_THREAD")
    cli = Cli(tmp_path, {"RUNNER_DSN": shop.url})
    process = cli.start(
        "purge", "--hook", "sync", "--replica", replica.url(shop.name, password=False), "--yes"
    )
    try:
        said = process.stderr.readline()
        assert said.startswith("runner: the purge waits: ")
        assert said.endswith("does not replicate\n")
        assert len(shop.rows()) == 5
        replica.execute("START REPLICA SQL_THREAD")
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("deleted 5 actions and 5 log lines in ")
    assert "s of them waiting" in out
    assert shop.rows() == []
