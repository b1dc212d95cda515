"""A proxy of the MySQL protocol: it sees what is asked, and can stand still at a chosen moment."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from typing import NamedTuple, Self

COM_QUIT, COM_QUERY = 1, 3
_OK, _END, _ERROR = 0x00, 0xFE, 0xFF
_MORE = 0x0008  # another answer follows: the packet held several statements
_PARSE_ERROR = b"\xff" + (1064).to_bytes(2, "little") + b"#42000one statement at a time"


class Packet(NamedTuple):
    """One packet; `raw` with its head of four bytes."""

    raw: bytes

    @property
    def number(self) -> int:
        return self.raw[3]

    @property
    def body(self) -> bytes:
        return self.raw[4:]

    @property
    def kind(self) -> int:
        return self.raw[4] if len(self.raw) > 4 else -1


class Hold:
    """A moment at which a connection stands still, once: when every pattern has been seen in turn,
    at the query with the last one. Before the server gets it or, with `answered`, when its answer
    has come and the client does not have it yet."""

    def __init__(self, patterns: tuple[str, ...], *, answered: bool) -> None:
        self.answered = answered
        self._left = [re.compile(pattern, re.DOTALL) for pattern in patterns]
        self._reached = threading.Event()
        self._over = threading.Event()
        self._cut = False

    def reached(self, seconds: float = 30) -> None:
        """Waits until a connection stands there."""
        assert self._reached.wait(seconds), "nothing came to the chosen point"

    def go(self) -> None:
        """Lets the connection go on."""
        self._over.set()

    def cut(self) -> None:
        """Ends the connection, on both sides, where it stands."""
        self._cut = True
        self._over.set()

    def is_at(self, query: str) -> bool:
        while self._left and self._left[0].search(query):
            self._left.pop(0)
        return not self._left and not self._reached.is_set()

    def stand(self) -> None:
        self._reached.set()
        self._over.wait()
        if self._cut:
            raise ConnectionAbortedError


class Proxy:
    """Stands before a server on this machine; each connection has a thread. With `alone`, packets
    of several statements are refused, as some proxies do."""

    def __init__(self, port: int, *, alone: bool = False) -> None:
        self.commands: list[int] = []
        self.alone = alone
        self._server_port = port
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for hold in self._holds:
            hold.cut()

    def url(self, site) -> str:
        """How a runner reaches the site through here, unencrypted so that it can be read."""
        return site.url.replace(f":{self._server_port}/", f":{self.port}/") + "?tls=off"

    def hold(self, *patterns: str, answered: bool = False) -> Hold:
        hold = Hold(patterns, answered=answered)
        self._holds.append(hold)
        return hold

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        address = ("127.0.0.1", self._server_port)
        with client, suppress(OSError), socket.create_connection(address) as server:
            _log_in(client, server)
            while (packet := _read(client)).kind != COM_QUIT:
                self._exchange(packet, client, server)

    def _exchange(self, packet: Packet, client: socket.socket, server: socket.socket) -> None:
        query = packet.body[1:].decode(errors="replace") if packet.kind == COM_QUERY else ""
        self.commands.append(packet.kind)
        if self.alone and ";\n" in query:
            client.sendall(len(_PARSE_ERROR).to_bytes(3, "little") + b"\x01" + _PARSE_ERROR)
            return
        with self._lock:
            holds = [hold for hold in self._holds if hold.is_at(query)]
        for hold in holds:
            if not hold.answered:
                hold.stand()
        server.sendall(packet.raw)
        answer = _answers(server)
        for hold in holds:
            if hold.answered:
                hold.stand()
        client.sendall(answer)


def _log_in(client: socket.socket, server: socket.socket) -> None:
    """Passes everything on until the server has agreed."""
    while True:
        for end in select.select([client, server], [], [])[0]:
            packet = _read(end)
            (server if end is client else client).sendall(packet.raw)
            if end is server and packet.kind in {_OK, _ERROR}:
                return


def _answers(server: socket.socket) -> bytes:
    """The whole answer: one for each statement of the packet."""
    raw, more = _answer(server)
    while more:
        part, more = _answer(server)
        raw += part
    return raw


def _answer(server: socket.socket) -> tuple[bytes, bool]:
    """One statement's answer, and whether another follows: OK, an error, or a result set, which is
    columns and rows, each closed by a packet that says so."""
    packet = _read(server)
    if packet.kind == _OK:
        return packet.raw, bool(_status(packet.body) & _MORE)
    raw, ends = packet.raw, 0
    while packet.kind != _ERROR and ends < 2:
        packet = _read(server)
        raw += packet.raw
        ends += packet.kind == _END and len(packet.body) < 9
    more = packet.kind == _END and int.from_bytes(packet.body[3:5], "little") & _MORE
    return raw, bool(more)


def _status(body: bytes) -> int:
    """The flags of an OK packet: they stand behind two numbers of varying length."""
    place = 1
    for _ in range(2):
        place += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(body[place], 1)
    return int.from_bytes(body[place : place + 2], "little")


def _read(end: socket.socket) -> Packet:
    head = _exactly(end, 4)
    return Packet(head + _exactly(end, int.from_bytes(head[:3], "little")))


def _exactly(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = end.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
