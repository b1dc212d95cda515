"""Fixtures for all tests. A database test without a server fails; it is never skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import server as servers
from support.site import SiteDatabase

from runner.core.clock import SystemClock

for name in [*os.environ]:  # the tests' own settings only
    if name.startswith(("RUNNER_", "WORDPRESS_", "WP_")) and not name.startswith(
        ("RUNNER_TEST_", "WP_PATH")
    ):
        del os.environ[name]

ROOT = Path(__file__).parents[1]
_server: list[servers.Server | Exception] = []


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("numprocesses", None):
        return "database: a server for each of the processes"
    try:
        server = _get_server()
    except servers.NoServer as error:
        return f"database: NONE. {error}"
    return f"database: {server.execute('SELECT VERSION()')[0][0]} at {server.host}:{server.port}"


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


class Cli:
    """Runs `runner …` as a user would, in a folder of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "runner", *arguments]

    def env(self, **extra: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR"}}
        return kept | {"PYTHONPATH": f"{ROOT}", "PYTHONWARNINGS": "error"} | self.environ | extra

    def __call__(self, *arguments: str, timeout: float = 60, **extra: str):
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.env(**extra),
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.env(**extra),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def module(self, name: str, text: str) -> None:
        """Writes a module that handlers can be loaded from."""
        (self.folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def cli(site, tmp_path):
    """The command line, pointed at the site, with PHP's runner said to be off."""
    return Cli(tmp_path, {"RUNNER_DSN": site.url, "RUNNER_MODE": "native"})
