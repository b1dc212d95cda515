"""The daemon's own ear: /livez, /readyz and /metrics over HTTP, for probes and for Prometheus. It
tells everybody who reaches it, so it is off unless an address was given."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from runner import __version__
from runner.core.errors import ConfigError, DatabaseError, RunnerError
from runner.operations.metrics import CONTENT_TYPE, exposition, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.app import App

BEAT = 30.0
"""Seconds without a beat of the daemon's main loop, after which it counts as dead."""

FRESH = 5.0
"""Seconds that metrics are told without being read anew, however many ask."""

AT_ONCE = 8
"""Requests that are answered at a time; others are turned away."""

PATIENCE = 10.0
"""Seconds that a client may take to ask."""

JSON = "application/json"

Answer = tuple[int, str, bytes]


class Told:
    """What is answered. `beat` tells how many seconds ago the main loop went round."""

    def __init__(self, app: App, beat: Callable[[], float]) -> None:
        self._app = app
        self._beat = beat
        self._lock = threading.Lock()
        self._kept: bytes = b""
        self._read_at = float("-inf")

    def answer(self, path: str) -> Answer:
        known = {"/livez": self._live, "/readyz": self._ready, "/metrics": self._metrics}
        if path not in known:
            return 404, JSON, _json(ok=False)
        return known[path]()

    def _live(self) -> Answer:
        """The daemon's loop goes round; the database does not matter."""
        ok = self._beat() < BEAT
        return (200 if ok else 503), JSON, _json(ok=ok)

    def _ready(self) -> Answer:
        """The database answers too, and the runner's tables are there."""
        try:
            with self._app.open() as (_, site):
                ok = site.migrated and self._beat() < BEAT
        except RunnerError:
            ok = False
        return (200 if ok else 503), JSON, _json(ok=ok)

    def _metrics(self) -> Answer:
        with self._lock:
            now = self._app.clock.monotonic()
            if now - self._read_at > FRESH:
                self._kept, self._read_at = self._read(), now
            return 200, CONTENT_TYPE, self._kept

    def _read(self) -> bytes:
        try:
            with self._app.open() as (database, site):
                database.patience = 0.0
                return exposition(database, site, __version__)
        except DatabaseError:
            return unreachable()


@contextmanager
def listening(address: str, told: Told) -> Iterator[None]:
    """Answers meanwhile. Raises ConfigError when the address cannot be had."""
    host, _, port = address.rpartition(":")
    try:
        server = _Server((host.strip("[]"), int(port)), told)
    except OSError as error:
        raise ConfigError(f"--listen {address}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="listener")
    thread.daemon = True
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], told: Told) -> None:
        import socket  # noqa: PLC0415  for the family alone

        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.told = told
        self.free = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version = "runner"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        if not self.server.free.acquire(blocking=False):
            self._send(503, JSON, _json(ok=False))
            return
        try:
            self._send(*self.server.told.answer(self.path.partition("?")[0]))
        finally:
            self.server.free.release()

    do_HEAD = do_GET  # noqa: N815

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Probes come every few seconds: none is worth a line."""


def _json(*, ok: bool) -> bytes:
    return json.dumps({"ok": ok}).encode()
