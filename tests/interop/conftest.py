"""Fixtures for tests beside a real WordPress, given by WP_PATH. Without one they fail."""

from __future__ import annotations

import os

import pytest
from interop.wordpress import Unusable, WordPress

KEPT = {"PATH", "HOME", "LANG", "TMPDIR"}
_found: list[WordPress | Unusable] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--php-env", action="append", default=[], metavar="NAME=VALUE",
        help="environment of the PHP processes, for a site that reads its settings there",
    )  # fmt: skip
    parser.addoption(
        "--real-times", action="store_true",
        help="long handlers beside PHP's cleaner with its own 300 seconds: takes twelve minutes",
    )  # fmt: skip


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
