"""The page as a process, and the browser in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from support.waiting import until

HANDLERS = """
from runner import Fail, Handlers
handlers = Handlers()

@handlers.on("wpkite_send_single_email", group="wpkite-emails")
def send(*args):
    pass

@handlers.on("shop_price")
def price(product, currency):
    if currency != "EUR":
        raise Fail(f"no price of product {product} in {currency}")
"""


def program() -> str:
    """The browser. A test without one fails; it is never skipped."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    pytest.fail(
        "no browser for the tests: apt-get install chromium (`./dev test` does it for root on"
        " Debian), or name one: CHROMIUM=path",
        pytrace=False,
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def serving(cli, *arguments: str):
    """The page, until the end of the block; its address."""
    port = free_port()
    process = cli.start("web", "--bind", f"127.0.0.1:{port}", *arguments)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            return urllib.request.urlopen(f"{address}/livez", timeout=2).status == 200
        except (urllib.error.URLError, OSError):
            return False

    try:
        until(answers, seconds=30)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def working(cli):
    """The daemon, until the end of the block."""
    process = cli.start("work", "--executor", "processes:1", "--quiet")
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
