"""A real browser in front of the real page, which a real server serves, over a real database."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright
from support.browser import HANDLERS, program, serving
from support.cli import Cli
from support.site import real_site


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=program(), args=["--disable-dev-shm-usage"]
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def wordpress(server):
    """The queue of a real WordPress, with its accounts."""
    with real_site(server) as site:
        site.migrate()
        yield site


@pytest.fixture(scope="module")
def cli(tmp_path_factory, wordpress):
    made = Cli(
        tmp_path_factory.mktemp("shop"),
        {"RUNNER_DSN": wordpress.url, "RUNNER_HANDLERS": "shop:handlers", "RUNNER_MODE": "native"},
    )
    made.module("shop", HANDLERS)
    return made


@pytest.fixture(scope="module")
def page(cli):
    """Its address. WordPress's accounts may change things."""
    with serving(cli, "--wordpress-accounts", "--role", "admin") as address:
        yield address
