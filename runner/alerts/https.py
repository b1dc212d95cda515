"""One HTTPS request to an address that an operator has set: no redirect is followed, no private
address is reached unless that is allowed, and no answer is read further than it needs to be."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
from ipaddress import ip_address
from socket import IPPROTO_TCP, create_connection, getaddrinfo
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from runner.alerts.deadline import deadline
from runner.core.message import SendError
from runner.core.redact import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

TIMEOUT = 5.0
"""Seconds for each step: connecting, each read."""

ALL_TOGETHER = 10.0
"""Seconds for the whole request."""

READ = 64 * 1024
"""Bytes of an answer."""

SECRET = 4
"""Characters from which on a part of an address is not repeated."""

_PARTS = re.compile(r"[/?&=]")

OK, REDIRECTS, ERRORS = 200, 300, 400


def request(url: str, body: bytes | None = None, *, private: bool = False) -> None:
    """GETs it, or POSTs JSON. `private` lets it be an address of this network. Raises SendError."""
    parts = urlsplit(url)
    connection = _Connection(parts.hostname or "", parts.port or 443, private=private)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "wp-action-runner"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    with contextlib.closing(connection), deadline(ALL_TOGETHER, lambda: connection.sock) as cut:
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            with connection.getresponse() as answer:
                said = answer.read(READ)
        except SendError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"no answer within {ALL_TOGETHER:g} s" if cut.over else _why(error)
            raise SendError(f"{parts.hostname}: {why}") from None
        _check(parts.hostname or "", answer, said, _secrets(path))


def _secrets(path: str) -> list[str]:
    """What must not be repeated where an answer repeats it: whoever knows it can post there."""
    parts = [path, unquote(path), *_PARTS.split(path), *_PARTS.split(unquote(path))]
    return sorted({part for part in parts if len(part) >= SECRET}, key=len, reverse=True)


def _check(
    host: str, answer: http.client.HTTPResponse, said: bytes, secrets: Sequence[str]
) -> None:
    if OK <= answer.status < REDIRECTS:
        return
    if REDIRECTS <= answer.status < ERRORS:
        raise SendError(f"{host} answered {answer.status}: redirects are not followed")
    words = said[:1000].decode("utf-8", "replace")
    for secret in secrets:
        words = words.replace(secret, HIDDEN)
    words = words[:100]
    raise SendError(f"{host} answered {answer.status} {words}", _after(answer))


def _after(answer: http.client.HTTPResponse) -> float | None:
    given = answer.getheader("Retry-After", "").strip()
    return float(given) if given.isascii() and given.isdigit() and len(given) < 6 else None  # noqa: PLR2004


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if not isinstance(error, OSError):  # its text repeats what was sent, or what came
        return f"no answer that is one of HTTP ({type(error).__name__})"
    return str(error.args[1] if len(error.args) > 1 else error) or type(error).__name__


def _is_public(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_global


class _Connection(http.client.HTTPSConnection):
    """Looks at the address that it connects to: what a name stands for may change at any time."""

    def __init__(self, host: str, port: int, *, private: bool) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=TIMEOUT, context=self._tls)
        self._private = private

    def connect(self) -> None:
        found: list[Any] = getaddrinfo(self.host, self.port, proto=IPPROTO_TCP)
        addresses = [str(item[4][0]) for item in found]
        if not self._private and not all(map(_is_public, addresses)):
            raise SendError(
                f"{self.host} is an address of a private network: alert_private = true allows that"
            )
        problem: OSError | None = None
        for address in addresses:
            try:
                self.sock: socket = self._wrapped(address)
            except ssl.SSLError:
                raise
            except OSError as error:
                problem = error
            else:
                return
        raise problem or OSError("it has no address")

    def _wrapped(self, address: str) -> socket:
        plain = create_connection((address, self.port), TIMEOUT)
        try:
            return self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
