"""The daemon's own ear: /livez, /readyz and /metrics over HTTP, for probes and for Prometheus. It
tells everybody who reaches it, so it is off unless an address was given."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RDWR
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.core.errors import ConfigError, RunnerError
from runner.operations.metrics import CONTENT_TYPE, exposition, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    from runner.app import App

BEAT = 30.0
"""Seconds without a beat of the daemon's main loop, after which it counts as dead."""

FRESH = 5.0
"""Seconds that metrics are told without being read anew, however many ask."""

AT_ONCE = 8
"""Requests that are answered at a time; others are turned away."""

PATIENCE = 10.0
"""Seconds that a client may take to ask."""

ASKING = 64
"""Clients that have connected and not asked yet; more are hung up on. Each costs a thread, and a
file of those that the daemon needs itself."""

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
        except RunnerError:
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
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.told = told
        self.free = threading.BoundedSemaphore(AT_ONCE)
        self.asking: dict[socket, float] = {}
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self.asking) >= ASKING:
            self.shutdown_request(request)
            return
        self.asking[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.asking.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Hangs up on those who ask letter by letter."""
        late = time.monotonic() - PATIENCE
        for request in [r for r, since in [*self.asking.items()] if since < late]:
            with suppress(OSError):
                request.shutdown(SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version = "runner"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self.server.asking.pop(self.connection, None)
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
