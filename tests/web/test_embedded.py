"""The page over the embedded default, a SQLite file."""

from __future__ import annotations

import threading
import time

import pytest

from runner.app import App
from runner.config import Connection, Settings
from runner.demo import shop
from runner.demo.handlers import handlers
from runner.operations.migrate import Migrate
from runner.operations.minutes import Minutes
from runner.storage.dsn import parse
from web import create_app

VIEWS = (
    "/", "/actions", "/actions?q=status:pending", "/actions?q=wpkite_", "/actions?q=group:nobody*",
    "/actions?sort=hook", "/actions?sort=id", "/actions/1", "/dead-letters", "/recurring", "/pauses", "/workers",
    "/doctor", "/audit", "/alerts", "/metrics", "/api/status", "/actions/bulk/cancel?q=status:pending",
)  # fmt: skip


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "shop.sqlite"
    shop.build(path, int(time.time()))
    app = App(Connection(parse(f"sqlite:///{path}"), "wp_"), handlers)
    with app.open() as (database, site):
        Migrate(database, site).run()
    with app.open() as (database, site):
        Minutes(database, site).record(86_400)
    return create_app(app, Settings(), is_open=True)


def test_every_view(page):
    """As over a server."""
    client = page.test_client()
    for path in VIEWS:
        assert client.get(path).status_code == 200, path
    assert "Counted" in client.get("/").text  # groups, by the census


def test_connections_go_from_thread_to_thread(page):
    """What one request gave back, the next one takes, in whichever thread it is answered."""
    client, codes = page.test_client(), []
    assert client.get("/actions").status_code == 200
    thread = threading.Thread(target=lambda: codes.append(client.get("/actions").status_code))
    thread.start()
    thread.join()
    assert codes == [200]
