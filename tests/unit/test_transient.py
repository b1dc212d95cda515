"""The ready classifier: what passes by itself and what never will, whoever raised it."""

import errno
import http.client
import socket
import ssl
import subprocess
from urllib.error import HTTPError, URLError

import pytest

from runner import transient
from runner.core.errors import DatabaseGone, SiteError, TooBusy


def of(module, name, *args, base=Exception, **attributes):
    """An error of a library that is not installed."""
    error = type(name, (base,), {"__module__": module})(*args)
    for key, value in attributes.items():
        setattr(error, key, value)
    return error


class DriverError(Exception):
    pass


DriverError.__name__ = "Error"  # the name that PEP 249 gives the base of a driver's errors
curl = type("error", (Exception,), {"__module__": "pycurl"})


def driver(*args):
    return of("pymysql.err", "OperationalError", *args, base=DriverError)


def status(number):
    return HTTPError("https://shop.example/", number, "no", None, None)


def raised_from(cause):
    error = RuntimeError("product 5")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504])
def test_a_status_that_passes(number):
    """These six are tried again."""
    assert transient(status(number)) == "retry"


@pytest.mark.parametrize("number", [400, 401, 403, 404, 409, 410, 422, 425, 451, 501, 505, 507])
def test_a_status_that_never_passes(number):
    """No other answer of a server becomes better by asking again."""
    assert transient(status(number)) == "permanent"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TimeoutError("no answer"), id="timeout, the socket's too"),
        pytest.param(TimeoutError("The handshake operation timed out"), id="ssl's"),
        pytest.param(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), id="ssl cut off"),
        pytest.param(subprocess.TimeoutExpired("convert", 5), id="subprocess"),
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), id="refused"),
        pytest.param(ConnectionResetError(errno.ECONNRESET, "reset"), id="reset"),
        pytest.param(BrokenPipeError(), id="pipe"),
        pytest.param(http.client.RemoteDisconnected("closed"), id="closed without an answer"),
        pytest.param(http.client.IncompleteRead(b"abc", 97), id="half an answer"),
        pytest.param(OSError(errno.EHOSTUNREACH, "No route to host"), id="no route"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "try again"), id="name server rests"),
        pytest.param(URLError(ConnectionRefusedError()), id="urllib refused"),
        pytest.param(URLError(TimeoutError()), id="urllib timeout"),
        pytest.param(of("requests.exceptions", "ReadTimeout"), id="requests timeout"),
        pytest.param(of("requests.exceptions", "ConnectionError", base=OSError), id="requests"),
        pytest.param(of("httpx", "PoolTimeout"), id="httpx timeout"),
        pytest.param(of("httpx", "ConnectError"), id="httpx"),
        pytest.param(of("httpx", "ReadError", base=type("NetworkError", (Exception,), {})), id="httpx read"),
        pytest.param(of("botocore.exceptions", "EndpointConnectionError"), id="botocore"),
        pytest.param(of("botocore.exceptions", "ConnectionClosedError"), id="botocore closed"),
        pytest.param(of("botocore.exceptions", "ClientError", response={"ResponseMetadata": {"HTTPStatusCode": 503}}), id="botocore 503"),
        pytest.param(of("requests.exceptions", "HTTPError", response=of("", "R", status_code=502)), id="requests 502"),
        pytest.param(driver(1205, "Lock wait timeout exceeded"), id="lock wait"),
        pytest.param(driver(1213, "x"), id="deadlock"),
        pytest.param(driver(2006, "x"), id="gone away"),
        pytest.param(driver(2013, "x"), id="lost"),
        pytest.param(driver(2003, "x"), id="cannot connect"),
        pytest.param(DatabaseGone("x"), id="our own lost connection"),
        pytest.param(TooBusy("x"), id="our own lock wait"),
        pytest.param(curl(28, "Operation timed out"), id="pycurl"),
        pytest.param(RuntimeError("cURL error 28: Operation timed out"), id="WordPress's cURL 28"),
        pytest.param(RuntimeError("curl error 7: Failed to connect"), id="cURL 7"),
        pytest.param(RuntimeError("cURL error 56"), id="cURL 56"),
        pytest.param(RuntimeError("curl: (28) Operation timed out"), id="curl's command"),
        pytest.param(RuntimeError("DEADLOCK FOUND when trying to get lock"), id="deadlock as text"),
        pytest.param(RuntimeError("WordPress: Lock wait timeout exceeded"), id="lock wait as text"),
        pytest.param(raised_from(TimeoutError()), id="raised from a timeout"),
        pytest.param(raised_from(status(503)), id="raised from a 503"),
    ],
)  # fmt: skip
def test_what_passes_by_itself(error):
    """Timeouts, lost connections, locks, in the shape of each library, are tried again."""
    assert transient(error) == "retry"


class Silent(Exception):
    def __str__(self):
        raise ValueError("no text")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("odd"), id="value"),
        pytest.param(KeyError(1213), id="a product's number is no code"),
        pytest.param(KeyError(errno.EHOSTUNREACH), id="nor an errno"),
        pytest.param(FileNotFoundError(errno.ENOENT, "x"), id="file"),
        pytest.param(OSError(28, "No space left on device"), id="errno 28 is not cURL's"),
        pytest.param(socket.gaierror(socket.EAI_NONAME, "unknown"), id="no such host"),
        pytest.param(URLError("unknown url type"), id="urllib"),
        pytest.param(ssl.SSLCertVerificationError(1, "certificate verify failed"), id="certificate"),
        pytest.param(driver(1062, "Duplicate entry"), id="duplicate"),
        pytest.param(driver(1146, "no such table"), id="no table"),
        pytest.param(driver(), id="a driver's, without a code"),
        pytest.param(curl(6, "Could not resolve host"), id="pycurl, host"),
        pytest.param(RuntimeError("cURL error 77: certificate"), id="77 is not 7"),
        pytest.param(RuntimeError("cURL error 6"), id="cURL 6"),
        pytest.param(SiteError("x"), id="our own, of the site"),
        pytest.param(SystemExit(503), id="an exit code"),
        pytest.param(MemoryError(), id="memory"),
        pytest.param(Silent(), id="text raises"),
        pytest.param(raised_from(status(404)), id="raised from a 404"),
        pytest.param(of("requests.exceptions", "ConnectionError", response=of("", "R", status_code=404)), id="the status is stronger than the name"),
    ],
)  # fmt: skip
def test_all_else_is_permanent(error):
    """A mistake does not become right by doing it again."""
    assert transient(error) == "permanent"
