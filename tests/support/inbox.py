"""A real mail server and a real HTTPS endpoint, well behaved or not."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

TLS = Path(__file__).parents[1] / "data" / "tls"
CA = str(TLS / "ca.pem")


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


class Inbox:
    """What came by mail. `says` answers instead of taking the next ones."""

    def __init__(self) -> None:
        self.letters = []
        self.says: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.says:
            return self.says.pop(0)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        letter.tls = session.ssl is not None
        letter.to = envelope.rcpt_tos
        self.letters.append(letter)
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    @property
    def subjects(self) -> list[str]:
        return [letter["Subject"] for letter in self.letters]


@contextmanager
def mail_server(*, tls: bool = False, auth: bool = False, starttls: bool = False):
    """A mail server; its address stands in `inbox.host`."""
    inbox = Inbox()
    options = {}
    if starttls:
        options |= {"tls_context": server_tls()}
    if auth:
        options |= {
            "authenticator": inbox.authenticate,
            "auth_require_tls": starttls,
            "auth_exclude_mechanism": ["LOGIN"],
        }
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=_free_port(),
        ssl_context=server_tls() if tls else None,
        **options,
    )
    controller.start()
    inbox.host = f"127.0.0.1:{controller.port}"
    try:
        yield inbox
    finally:
        controller.stop()


class Hook:
    """What was posted. `answers` come in turn, then 200: a status, with headers and a body."""

    def __init__(self) -> None:
        self.posts: list[dict] = []
        self.gets: list[str] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []


@contextmanager
def https_server():
    """An endpoint with a certificate of the tests' own authority (CA)."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def do_GET(self) -> None:
            hook.gets.append(self.path)
            self._answer()

        def _answer(self) -> None:
            status, headers, body = hook.answers.pop(0) if hook.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the other side may have read enough
                self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_) -> None:
            pass  # clients that hang up are what some tests are about

    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = server_tls().wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    hook.url = f"https://127.0.0.1:{server.server_port}/services/T0/B0/c4n4ry"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def rude_server(behave):
    """A TCP server that does with each connection what `behave` says; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_behave, args=(behave, connection, over), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        listener.close()


def _behave(behave, connection, over) -> None:
    with connection, suppress(OSError):  # the other side may have gone
        behave(connection, over)


def hang(connection, over) -> None:
    """Takes the connection and says nothing."""
    over.wait(60)


def trickle(connection, over) -> None:
    """Says one letter after another, and never ends a line."""
    while not over.is_set():
        connection.sendall(b"2")
        time.sleep(0.2)


def drop(connection, over) -> None:
    """Hangs up at once."""


def drops_tls(connection, over) -> None:
    """Offers TLS, and hangs up when it is taken."""
    connection.sendall(b"220 here\r\n")
    while line := connection.recv(1000):
        if b"STARTTLS" in line.upper():
            connection.sendall(b"220 go on\r\n")
            connection.recv(10)
            return
        connection.sendall(b"250-here\r\n250 STARTTLS\r\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


__all__ = [
    "CA", "Hook", "Inbox", "drop", "drops_tls", "hang", "https_server", "mail_server",
    "rude_server", "trickle",
]  # fmt: skip
