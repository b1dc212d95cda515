"""The daemon's own ear: what it answers, whoever asks and however."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from urllib.request import urlopen

import pytest
from support.engine import handlers_for

from runner import listener
from runner.app import App
from runner.config import Connection
from runner.listener import Told, listening


@pytest.fixture
def address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def told(site, clock):
    return Told(
        App(Connection(site.dsn, site.prefix), handlers_for("ours"), clock=clock), lambda: 0
    )


def ask(address: str, path: str) -> str:
    with urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read().decode()


def test_metrics_of_a_site_that_cannot_be_read(site, told, address):
    """Somebody dropped a table: that is told, and the asker is not hung up on."""
    site.run("DROP TABLE wp_actionscheduler_logs")
    with listening(address, told):
        assert "runner_database_up 0.0" in ask(address, "/metrics")


def test_clients_that_do_not_ask(told, address, monkeypatch):
    """However many there are, they cost no more threads than some, and soon none; who asks is
    answered."""
    monkeypatch.setattr(listener, "PATIENCE", 1.5)
    monkeypatch.setattr(listener, "ASKING", 20)
    before = threading.active_count()
    with listening(address, told), ExitStack() as held:
        port = int(address.rpartition(":")[2])
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)
        ]
        time.sleep(0.5)
        assert threading.active_count() - before <= 25
        until = time.monotonic() + 8
        while time.monotonic() < until and threading.active_count() - before > 2:
            for client in clients:
                try:
                    client.sendall(b"G")
                except OSError:
                    continue
            time.sleep(0.2)
        assert threading.active_count() - before <= 2
        assert ask(address, "/livez") == '{"ok": true}'
