"""What an error tells of the HTTP response behind it, whichever library raised it.

Nothing is imported for it: the shapes of urllib, requests, httpx, aiohttp and botocore are told
by their attributes. Nothing here raises, whatever an error's attributes do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKS_TO_WAIT = frozenset({429, 503})
"""Statuses whose Retry-After says when to ask again (RFC 9110 10.2.3, RFC 6585 4)."""

LONGEST_HEADER = 100
"""Characters; the longest form of a date has fewer than 40."""

_LONGEST_CHAIN = 10
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]*)?")  # RFC 9110 has no fraction, some shops send one
_STATUS = ("status_code", "status", "http_status", "code")
_HEADER = ("Retry-After", "retry-after")  # plain maps tell case apart


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised `from` (urllib calls it its `reason`)."""
    link: Any = error
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(link, BaseException):
            return
        yield link
        link = _read(link, "reason") if link.__cause__ is None else link.__cause__


def status_of(error: BaseException) -> int | None:
    """The HTTP status that this very error carries: a 4xx or 5xx, else None."""
    return _response(error)[0]


def retry_after(error: BaseException) -> str:
    """The Retry-After header of a 429 or 503 response behind the error, as sent; "" for none."""
    for link in chain(error):
        status, headers = _response(link)
        if status is not None:
            return _header(headers) if status in ASKS_TO_WAIT else ""
    return ""


def seconds_asked(header: str, now: float) -> float | None:
    """Seconds from `now` (epoch) that a Retry-After header asks to wait, a number or a date.

    None for nonsense, and for no wait at all: the policy's own delay is better than a retry at
    once.
    """
    if _SECONDS.fullmatch(header):
        return float(header) or None
    wait = (_epoch(header) or now) - now
    return wait if wait > 0 else None


def _epoch(date: str) -> float | None:
    """One of HTTP's three forms of a date, in epoch seconds."""
    from datetime import UTC  # noqa: PLC0415  only for a header that is a date
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  the same

    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _response(error: BaseException) -> tuple[int | None, Any]:
    """Status and headers: of the error's `response`, or the error's own."""
    response = _read(error, "response")
    if isinstance(response, dict):  # botocore
        facts = response.get("ResponseMetadata")
        facts = facts if isinstance(facts, dict) else {}
        return _status(facts.get("HTTPStatusCode")), facts.get("HTTPHeaders")
    own = () if isinstance(error, SystemExit) else (error,)  # its `code` is an exit code
    for carrier in (response, *own):
        for name in _STATUS:
            if status := _status(_read(carrier, name)):
                return status, _read(carrier, "headers")
    return None, None


def _status(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and 400 <= value <= 599 else None  # noqa: PLR2004


def _header(headers: Any) -> str:
    for name in _HEADER:
        try:
            value = headers.get(name)
        except Exception:  # noqa: BLE001  whatever these headers are
            return ""
        if value is not None:
            return str(value).strip()[:LONGEST_HEADER] if isinstance(value, (str, int)) else ""
    return ""


def _read(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001  a property that raises says nothing
        return None
