"""Fixtures for tests beside a real WordPress, given by WP_PATH. Without one they fail."""

from __future__ import annotations

import os

import pymysql
import pytest
from interop.wordpress import Unusable, WordPress

from runner.operations.plugin import NAME
from runner.storage.dsn import parse

KEPT = {"PATH", "HOME", "LANG", "TMPDIR"}
_found: list[WordPress | Unusable] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--php-env", action="append", default=[], metavar="NAME=VALUE",
        help="environment of the PHP processes, for a site that reads its settings there; of a"
        " network's site INTEROP_URI=/its/path/",
    )  # fmt: skip
    parser.addoption(
        "--real-times", action="store_true",
        help="long handlers beside PHP's cleaner with its own 300 seconds: takes twelve minutes",
    )  # fmt: skip
    parser.addoption(
        "--admin", metavar="DSN",
        help="an administrator of the site's server, as in mysql://root@localhost/mysql?socket=/run/mysqld.sock,"
        " for the tests of database accounts; without it they are not run",
    )  # fmt: skip
    parser.addoption(
        "--minutes", type=float, default=0.3,
        help="how long two PHP and two Python runners work side by side (default: %(default)s)",
    )  # fmt: skip


def pytest_collection_modifyitems(config, items) -> None:
    """Without an administrator the tests that want one are left out, and that is said."""
    if config.getoption("--admin"):
        return
    left = [item for item in items if "admin" in item.fixturenames]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
        _not_run.extend(item.name for item in left)


def pytest_terminal_summary(terminalreporter) -> None:
    if _not_run:
        terminalreporter.write_line(f"not run, they want --admin DSN: {', '.join(_not_run)}")


_not_run: list[str] = []


@pytest.fixture
def admin(pytestconfig):
    """Runs statements as the server's administrator."""
    dsn = parse(pytestconfig.getoption("--admin"))
    connection = pymysql.connect(
        host=dsn.host, port=dsn.port or 3306, unix_socket=dsn.socket or None, user=dsn.user,
        password=dsn.password, autocommit=True,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        yield cursor.execute


@pytest.fixture(scope="session")
def wordpress(pytestconfig):
    """The site that WP_PATH names."""
    if not _found:
        environ = {name: value for name, value in os.environ.items() if name in KEPT}
        environ |= dict(pair.split("=", 1) for pair in pytestconfig.getoption("--php-env"))
        try:
            _found.append(WordPress.at(os.environ.get("WP_PATH"), environ))
        except Unusable as error:
            _found.append(error)
    if isinstance(_found[0], Unusable):
        pytest.fail(str(_found[0]), pytrace=False)
    return _found[0]


@pytest.fixture
def site(wordpress):
    """The same, without rows of ours; the `cli` fixture points the runner at it."""
    wordpress.clean()
    yield wordpress
    wordpress.clean()


@pytest.fixture
def errors(site, tmp_path):
    """PHP's error log, which must stay empty. Before Action Scheduler 3.9 its claims skip no locked
    rows: two of its own runners alone come to deadlocks, which say nothing of ours."""
    log = tmp_path / "php.log"
    log.touch()
    ini = tmp_path / "ini"
    ini.mkdir()
    (ini / "log.ini").write_text(f"log_errors=1\nerror_log={log}\nerror_reporting=-1\n")
    site.environ["PHP_INI_SCAN_DIR"] = f":{ini}"
    yield log
    del site.environ["PHP_INI_SCAN_DIR"]
    lines = log.read_text().splitlines()
    if site.version < (3, 9):
        lines = [line for line in lines if "error Deadlock found" not in line]
    assert lines == []


@pytest.fixture
def install(site, cli, errors):
    """Installs the runner, plugin and all, for the handlers of a module's text; afterwards all of it
    is gone again."""
    cli.environ["RUNNER_WP_PATH"] = str(site.path)
    cli.environ["RUNNER_TABLE_PREFIX"] = site.facts["prefix"]  # of one site in a network
    del cli.environ["RUNNER_DSN"], cli.environ["RUNNER_MODE"]

    def make(jobs: str):
        cli.module("jobs", jobs)
        done = cli("install", "--handlers", "jobs:handlers")
        assert done.returncode == 0, done.stderr
        return site

    yield make
    done = cli("uninstall", "--drop-tables")
    assert done.returncode == 0, done.stderr
    assert not (site.path / "wp-content" / "mu-plugins" / NAME).exists()
