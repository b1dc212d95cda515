"""Encryption of the connection, on a server that offers it and on one that does not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pymysql.constants import CLIENT
from support import server as servers
from support.site import SiteDatabase

from runner.core.clock import SystemClock
from runner.core.errors import ConfigError, DatabaseError
from runner.storage.db import Database
from runner.storage.mysql import MySQL

DATA = Path(__file__).parents[1] / "data" / "tls"
CA, OTHER = str(DATA / "ca.pem"), str(DATA / "other-ca.pem")


OPEN = {"user": "root", "password": ""}
"""An account that MySQL lets in without TLS and without another package."""


@contextmanager
def serving(*options: str):
    """A site on a server of its own."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    server = servers.local(program, [*servers.FAST, *options])
    yield SiteDatabase.create(server, tables=False)
    server.stop()


@pytest.fixture(scope="module")
def encrypting():
    """With a certificate for 127.0.0.1 by our own authority."""
    certificate = f"--ssl-cert={DATA / 'server.pem'}"
    with serving(f"--ssl-ca={CA}", certificate, f"--ssl-key={DATA / 'server.key'}") as site:
        yield site


@pytest.fixture(scope="module")
def plain():
    """Without TLS, which newer servers have unless they are told otherwise."""
    with serving("--loose-ssl=OFF", "--loose-tls-version=") as site:
        yield site


def cipher(site, **wishes) -> str:
    """The cipher of a connection; empty when it is not encrypted."""
    driver = MySQL(replace(site.dsn, **wishes), "wp_actionscheduler_actions")
    database = Database(driver, SystemClock())
    try:
        return database.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["Value"]
    finally:
        database.close()


@pytest.mark.parametrize(
    "wishes",
    [{}, {"tls": "required"}, {"tls": "verify", "ssl_ca": CA}, {"ssl_ca": CA}],
    ids=["auto", "required", "verify", "authority"],
)
def test_a_server_that_encrypts_is_talked_to_in_secret(encrypting, wishes):
    """Also where nobody asked for it; a certificate is checked when it is to be."""
    assert cipher(encrypting, **wishes)


@pytest.mark.parametrize(
    "wishes",
    [{"tls": "verify"}, {"tls": "verify", "ssl_ca": OTHER}, {"ssl_ca": OTHER}, {"tls": "required", "ssl_ca": OTHER}],
    ids=["system's authorities", "another authority", "no wish but an authority", "required and an authority"],
)  # fmt: skip
def test_a_certificate_that_cannot_be_trusted_is_refused(encrypting, wishes):
    """One line that says what to do, and no second try without the check."""
    with pytest.raises(DatabaseError, match=r"certificate verify failed.*RUNNER_DB_TLS"):
        cipher(encrypting, **wishes)


@pytest.mark.parametrize("wishes", [{"tls": "required"}, {"tls": "verify"}, {"ssl_ca": CA}])
def test_tls_that_is_not_offered_is_not_done_without(plain, wishes):
    """Who asks for TLS does not send a password in the clear."""
    with pytest.raises(DatabaseError, match=r"SSL is required but.*TLS was asked for"):
        cipher(plain, **wishes)


def test_without_tls(encrypting, plain):
    """`off` does not encrypt, and `auto` takes a server without; the login does not speak of TLS
    then, which MySQL refuses and MariaDB overlooks."""
    assert cipher(encrypting, tls="off", **OPEN) == ""
    assert cipher(plain, **OPEN) == ""
    connection = MySQL(replace(plain.dsn, **OPEN), "wp_actionscheduler_actions").connect()
    assert not connection.client_flag & CLIENT.SSL
    connection.close()


def test_a_missing_authority_is_named(plain):
    """The file that is not there is in the message."""
    with pytest.raises(ConfigError, match=r"/no/ca\.pem.* is no file"):
        cipher(plain, ssl_ca="/no/ca.pem")
