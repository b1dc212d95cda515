"""Fixtures for all tests. A database test without a server fails; it is never skipped."""

from __future__ import annotations

import os

import pytest
from support import server as servers
from support.cli import Cli
from support.site import SiteDatabase

from runner.core.clock import SystemClock

for name in [*os.environ]:  # the tests' own settings only
    if name.startswith(("RUNNER_", "WORDPRESS_", "WP_")) and not name.startswith(
        ("RUNNER_TEST_", "WP_PATH")
    ):
        del os.environ[name]

_server: list[servers.Server | Exception] = []


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("numprocesses", None):
        return "database: a server for each of the processes"
    try:
        server = _get_server()
    except servers.NoServer as error:
        return f"database: NONE. {error}"
    return f"database: {server.version} at {server.host}:{server.port}"


def _get_server() -> servers.Server:
    if not _server:
        try:
            _server.append(servers.start())
        except servers.NoServer as error:
            _server.append(error)
    if isinstance(_server[0], Exception):
        raise _server[0]
    return _server[0]


def pytest_unconfigure() -> None:
    if _server and not isinstance(_server[0], Exception):
        _server[0].stop()


@pytest.fixture(scope="session")
def server() -> servers.Server:
    try:
        return _get_server()
    except servers.NoServer as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def site(server):
    """A site's database with Action Scheduler's tables of schema 8, empty."""
    database = SiteDatabase.create(server)
    yield database
    database.drop()


@pytest.fixture
def clock():
    return StillClock()


class StillClock(SystemClock):
    """A clock that moves only when told, or when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def cli(site, tmp_path):
    """The command line, pointed at the site, with PHP's runner said to be off."""
    return Cli(tmp_path, {"RUNNER_DSN": site.url, "RUNNER_MODE": "native"})
