"""What an error tells of the HTTP response behind it, in the shape of each library."""

import http
import time
from email.message import Message
from types import SimpleNamespace as Thing
from urllib.error import HTTPError, URLError

import pytest

from runner.core.http_errors import chain, retry_after, seconds_asked, status_of

NOW = 1_795_413_600  # Mon, 23 Nov 2026 06:00:00 GMT


class Error(Exception):
    """An error with whatever attributes a library gives it."""

    def __init__(self, **attributes):
        super().__init__("it broke")
        self.__dict__.update(attributes)


class Falsy(Thing):
    """requests' responses of a 4xx or 5xx are false."""

    def __bool__(self):
        return False


class Hostile(Error):
    @property
    def response(self):
        raise RuntimeError("not read yet")


def lines(**fields):
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


WAIT = {"Retry-After": "120"}
BOTO = {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "120"}}
LINES = lines(Retry_After="120")


def urllib(status):
    return HTTPError("https://shop.example/", status, "no", LINES, None)


def wrapped(error, *causes):
    for cause in causes:
        error.__cause__ = cause
        error = cause
    return error


def outer(*causes):
    first = RuntimeError("product 5")
    wrapped(first, *causes)
    return first


def endless():
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    return one


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        pytest.param(urllib(429), 429, "120", id="urllib"),
        pytest.param(urllib(404), 404, "", id="urllib, no status that asks to wait"),
        pytest.param(Error(response=Falsy(status_code=503, headers=WAIT)), 503, "120", id="requests"),
        pytest.param(Error(response=None), None, "", id="requests, without a response"),
        pytest.param(Error(response=Thing(status_code=429, headers=WAIT)), 429, "120", id="httpx"),
        pytest.param(Error(status=429, headers=WAIT), 429, "120", id="aiohttp"),
        pytest.param(Error(response={"ResponseMetadata": BOTO}), 503, "120", id="botocore"),
        pytest.param(Error(response={"Error": {}}), None, "", id="botocore, without metadata"),
        pytest.param(Error(http_status=429, headers=WAIT), 429, "120", id="http_status"),
        pytest.param(Error(code=http.HTTPStatus.TOO_MANY_REQUESTS), 429, "", id="code, no headers"),
        pytest.param(Error(status_code=429, headers={"Retry-After": 7}), 429, "7", id="a number"),
        pytest.param(Error(status_code=429, headers={"Retry-After": " 7 "}), 429, "7", id="blanks"),
        pytest.param(Error(status_code=429, headers={"Retry-After": b"7"}), 429, "", id="no text"),
        pytest.param(Error(status_code=429, headers=["Retry-After"]), 429, "", id="no map"),
        pytest.param(Error(status_code=500, headers=WAIT), 500, "", id="500 asks nothing"),
        pytest.param(Error(status_code=200, headers=WAIT), None, "", id="no error's status"),
        pytest.param(Error(status_code="429", headers=WAIT), None, "", id="status as text"),
        pytest.param(Error(code=lambda: 429), None, "", id="a method"),
        pytest.param(Hostile(headers=WAIT), None, "", id="attribute raises"),
        pytest.param(SystemExit(429), None, "", id="an exit code"),
        pytest.param(ValueError("429"), None, "", id="plain error"),
        pytest.param(outer(urllib(429)), None, "120", id="raised from it"),
        pytest.param(outer(KeyError(), urllib(429)), None, "120", id="raised from one from it"),
        pytest.param(outer(urllib(404), urllib(429)), None, "", id="the nearest response counts"),
        pytest.param(URLError(urllib(503)), None, "120", id="urllib's reason"),
        pytest.param(URLError("no host"), None, "", id="urllib's reason, as text"),
        pytest.param(endless(), None, "", id="endless chain"),
    ],
)  # fmt: skip
def test_a_response_is_found_in_every_shape(error, status, header):
    """Status and Retry-After of each library's errors; what is none of it is nothing."""
    assert (status_of(error), retry_after(error)) == (status, header)


def test_an_error_raised_while_handling_another_is_not_followed():
    """Only `raise … from` says that the other error is the reason."""
    with pytest.raises(ValueError, match="own") as raised:  # noqa: PT012  one inside the other
        try:
            raise urllib(429)
        except HTTPError:
            raise ValueError("a mistake of its own")  # noqa: B904
    assert [*chain(raised.value)] == [raised.value]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120),
        ("1.5", 1.5),
        ("0", None),
        ("0.0", None),
        ("-5", None),
        ("+5", None),
        ("1e5", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("9" * 12, 999_999_999_999),
        ("9" * 13, None),
        ("", None),
        ("soon", None),
        ("Mon, 23 Nov 2026 06:02:00 GMT", 120),
        ("Monday, 23-Nov-26 06:02:00 GMT", 120),
        ("Mon Nov 23 06:02:00 2026", 120),
        ("Mon, 23 Nov 2026 07:02:00 +0100", 120),
        ("Mon, 23 Nov 2026 06:00:00 GMT", None),
        ("Mon, 23 Nov 2026 05:59:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Mon, 23 Nov 99999 06:00:00 GMT", None),
        ("Mon, 99 Nov 2026 06:00:00 GMT", None),
    ],
)
def test_seconds_asked(header, expected):
    """Seconds, or a date in each of HTTP's forms by the given clock; nonsense asks for nothing."""
    assert seconds_asked(header, NOW) == expected


def test_a_date_without_a_zone_is_utc(monkeypatch):
    """HTTP's oldest form names no zone; this machine's is not meant."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_asked("Mon Nov 23 06:02:00 2026", NOW) == 120
    finally:
        monkeypatch.undo()
        time.tzset()
