"""A ready classifier: which errors pass by themselves, and which never will."""

from __future__ import annotations

import errno
import re
import socket

from runner.core.errors import DatabaseGone, TooBusy
from runner.core.http_errors import chain, status_of
from runner.core.retry import PERMANENT, RETRY

HTTP_STATUSES = frozenset({408, 429, 500, 502, 503, 504})

MYSQL_CODES = frozenset({1040, 1205, 1213, 2002, 2003, 2006, 2013})
"""Too many connections; lock wait timeout, deadlock; cannot connect (socket, host), server has
gone away, connection lost (MySQL's error reference)."""

CURL_CODES = frozenset({7, 28, 56})
"""Could not connect, timed out, failure while receiving (libcurl-errors)."""

_ERRNOS = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH})

_CLASS = re.compile(
    "Timeout|TimedOut|ConnectionError|ConnectError|ConnectionClosed|Disconnected|NetworkError"
    "|SSLEOF|IncompleteRead|ChunkedEncoding|RemoteProtocol|ClientPayload"
)
"""Libraries name alike what is late, refused or cut off: the standard library, requests, httpx,
aiohttp, botocore, redis. Seen by name, so that none of them is imported."""

_TEXT = re.compile(
    r"\bcURL(?: error|:) \(?(?:7|28|56)\b|deadlock found|lock wait timeout", re.IGNORECASE
)


def transient(error: BaseException) -> str:
    """Answers "retry" for errors that pass by themselves, "permanent" for all others.

    Worth a retry are HTTP 408, 429, 500, 502, 503 and 504; timeouts and lost or refused
    connections; MySQL's deadlocks, lock waits and lost connections; cURL's errors 7, 28 and 56.
    An error says it itself or by what it was raised `from`. `Handlers(classify=transient)`.
    """
    for link in chain(error):
        status = status_of(link)
        if status is not None:
            return RETRY if status in HTTP_STATUSES else PERMANENT
        if _passes(link):
            return RETRY
    return PERMANENT


def _passes(error: BaseException) -> bool:
    names = [cls.__name__ for cls in type(error).__mro__]
    return (
        isinstance(error, (DatabaseGone, TooBusy))
        or any(map(_CLASS.search, names))
        or _has_passing_code(error, names)
        or bool(_TEXT.search(_text(error)))
    )


def _has_passing_code(error: BaseException, names: list[str]) -> bool:
    """Numbers mean something only where the class says whose they are."""
    number = error.args[0] if error.args else None
    if not isinstance(number, int):
        return False
    if "Error" in names:  # PEP 249: the base of every driver's errors
        return number in MYSQL_CODES
    if "error" in names:  # pycurl
        return number in CURL_CODES
    if isinstance(error, socket.gaierror):
        return number == socket.EAI_AGAIN
    return isinstance(error, OSError) and number in _ERRNOS


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an error whose text raises says nothing
        return ""
