"""Where the database is: DSNs, the environment, files with secrets, and who wins."""

import re

import pytest

from runner import ConfigError, config
from runner.core.errors import UsageError
from runner.storage.dsn import Dsn, parse

WORDPRESS = {
    "WORDPRESS_DB_HOST": "db",
    "WORDPRESS_DB_USER": "wp",
    "WORDPRESS_DB_PASSWORD": "s3cret",
    "WORDPRESS_DB_NAME": "shop",
}
SHOP = Dsn("mysql", "shop", "db", 0, "wp", "s3cret", password_given=True)


def mysql(database="shop", host="db", port=0, user="wp", password=None, **more):
    given = password is not None
    return Dsn("mysql", database, host, port, user, password or "", password_given=given, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql://wp@db/shop", mysql()),
        ("mariadb://wp@db/shop", mysql()),
        ("mysql+pymysql://wp@db/shop", mysql()),
        (" mysql://wp@db/shop\n", mysql()),
        ("mysql://wp@db:3307/shop", mysql(port=3307)),
        ("mysql://wp@db:/shop", mysql()),
        ("mysql://wp:s3cret@db/shop", SHOP),
        ("mysql://wp:@db/shop", mysql(password="")),
        ("mysql://wp:a%40b%2Fc%3Ad%23%25@db/shop", mysql(password="a@b/c:d#%")),
        ("mysql://wp:a@b@db/shop", mysql(password="a@b")),
        ("mysql://w%40p@db/my%20shop", mysql("my shop", user="w@p")),
        ("mysql://wp@[::1]:3307/shop", mysql(host="::1", port=3307)),
        ("mysql://wp@/shop", mysql(host="127.0.0.1")),
        ("mysql:///shop", mysql(host="127.0.0.1", user="")),
        ("mysql://wp@db/shop?prefix=shop_", mysql(prefix="shop_")),
        ("mysql://wp@localhost/shop?socket=/run/s&ssl_ca=/ca.pem", mysql(host="localhost", socket="/run/s", ssl_ca="/ca.pem")),
        ("sqlite:///var/shop.sqlite", Dsn("sqlite", "/var/shop.sqlite")),
        ("sqlite:///./shop.sqlite", Dsn("sqlite", "./shop.sqlite")),
        ("sqlite:///../shop.sqlite", Dsn("sqlite", "../shop.sqlite")),
        ("sqlite:///var/my%20shop%23.sqlite?prefix=x_", Dsn("sqlite", "/var/my shop#.sqlite", prefix="x_")),
    ],
)  # fmt: skip
def test_a_dsn_is_read(text, expected):
    """Every part of a DSN is read, percent signs decoded."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "starts with 'no scheme'"),
        ("shop", "starts with 'no scheme'"),
        ("postgres://wp@db/shop", "starts with 'postgres'"),
        ("mysql://wp@db", "names no database"),
        ("mysql://wp@db/", "names no database"),
        ("mysql://wp@db/shop/other", "names no database"),
        ("mysql://wp@db/shop?prefx=x_", "unknown option 'prefx'"),
        ("mysql://wp@db/shop?charset=latin1", "unknown option 'charset'"),
        ("sqlite:///shop.sqlite?prefx=x_", "unknown option 'prefx'"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("mysql://wp@db:port/shop", "not a URL"),
        ("mysql://wp@db:99999/shop", "not a URL"),
        ("mysql://wp@[::1/shop", "not a URL"),
    ],
)
def test_a_wrong_dsn_says_what_is_expected(text, why):
    """A DSN that cannot be used, or an option that would be ignored, is a ConfigError."""
    with pytest.raises(ConfigError, match=why):
        parse(text)


@pytest.mark.parametrize("password", ["s3cret#x", "s3cret/x", "s3cret?x", "s3cret[x", "12/s3cret"])
def test_a_password_never_shows_in_an_error(password):
    """Also where a password with a special character breaks the DSN, no message repeats it."""
    with pytest.raises(ConfigError) as raised:
        parse(f"mysql://wp:{password}@db/shop")
    assert "s3cret" not in str(raised.value)


def test_a_password_never_shows_elsewhere():
    """Neither repr nor the place in words holds the password."""
    assert "s3cret" not in repr(SHOP) + SHOP.where()


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        (mysql(), "database 'shop' at db:3306 as 'wp'"),
        (mysql(socket="/run/s"), "database 'shop' at /run/s as 'wp'"),
        (Dsn("sqlite", "/shop.sqlite"), "SQLite file /shop.sqlite"),
    ],
)
def test_a_place_is_told_in_words(dsn, place):
    """Errors name database, place and account."""
    assert dsn.where() == place


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("localhost", ("localhost", 0, "")),
        ("db:3307", ("db", 3307, "")),
        ("db:3307:/run/s", ("db", 3307, "/run/s")),
        (":/run/s", ("localhost", 0, "/run/s")),
        (":3307", ("localhost", 3307, "")),
        ("/run/s", ("localhost", 0, "")),
        ("db:²", ("db", 0, "")),
        ("[::1]:3307", ("::1", 3307, "")),
    ],
)
def test_a_host_is_read_as_wordpress_reads_it(value, expected):
    """DB_HOST may hold a port, a socket, or an address with colons; without a host it is the local
    server, as for PHP."""
    names = {"WORDPRESS_DB_USER": "wp", "WORDPRESS_DB_NAME": "shop", "WORDPRESS_DB_HOST": value}
    dsn = config.connection(None, None, names).dsn
    assert (dsn.host, dsn.port, dsn.socket) == expected


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        pytest.param("mysql://wp@db/shop", {}, mysql(), id="flag, no password"),
        pytest.param("mysql://wp@db/shop", {"RUNNER_DB_PASSWORD": "s3cret"}, "s3cret", id="flag, password"),
        pytest.param("mysql://wp@db/a", {"RUNNER_DSN": "mysql://wp:x@db/b"}, mysql("a"), id="flag before environment"),
        pytest.param("sqlite:///a", {}, Dsn("sqlite", "/a"), id="flag, SQLite"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:s3cret@db/shop"}, SHOP, id="environment"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp@db/shop", "RUNNER_DB_PASSWORD": "s3cret"}, "s3cret", id="environment, password apart"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:s3cret@db/shop", "RUNNER_DB_PASSWORD": "other"}, "s3cret", id="password of the DSN wins"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:s3cret@db/shop"} | dict.fromkeys(WORDPRESS, "x"), SHOP, id="RUNNER_DSN before WORDPRESS_DB_*"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:@db/shop", "RUNNER_DB_PASSWORD": "other"}, "", id="an empty password is one"),
        pytest.param(None, WORDPRESS, SHOP, id="official image"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD": ""}, mysql(password=""), id="official image, no password"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_HOST": "[::1]:3307"}, ("::1", 3307, ""), id="official image, host and port"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_HOST": "localhost:/s"}, ("localhost", 0, "/s"), id="official image, socket"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD": "a@b/c%20"}, "a@b/c%20", id="official image, nothing is decoded"),
    ],
)  # fmt: skip
def test_the_database_is_found(flag, environ, expected):
    """Flag before RUNNER_DSN before WORDPRESS_DB_*; the password from the first that has one."""
    found = config.connection(flag, None, environ).dsn
    if isinstance(expected, str):
        assert found.password == expected
    elif isinstance(expected, tuple):
        assert (found.host, found.port, found.socket) == expected
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("flag", "environ", "error", "why"),
    [
        pytest.param(None, {}, ConfigError, "no database is configured.*--dsn.*RUNNER_DSN.*WORDPRESS_DB_HOST", id="nothing"),
        pytest.param(None, {"RUNNER_DSN": ""}, ConfigError, "no database is configured", id="empty"),
        pytest.param("mysql://wp:s3cret@db/shop", {}, UsageError, "must not hold a password.*RUNNER_DB_PASSWORD", id="password in the flag"),
        pytest.param("mysql://wp:@db/shop", {}, UsageError, "must not hold a password", id="empty password in the flag"),
        pytest.param(None, {"WORDPRESS_DB_HOST": "db", "WORDPRESS_DB_USER": "", "WORDPRESS_DB_PASSWORD": "x"}, ConfigError, "not set: WORDPRESS_DB_USER, WORDPRESS_DB_NAME", id="half of the image's"),
        pytest.param("oops", {}, ConfigError, "starts with 'no scheme'", id="no DSN"),
        pytest.param(None, {"RUNNER_DSN_FILE": "/nowhere"}, ConfigError, "RUNNER_DSN_FILE names /nowhere, which cannot be read", id="no file"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD_FILE": "/"}, ConfigError, "WORDPRESS_DB_PASSWORD_FILE names /", id="a folder"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(flag, environ, error, why):
    """A missing or dangerous setting is one error that names it, and never shows a password."""
    with pytest.raises(error, match=why) as raised:
        config.connection(flag, None, environ)
    assert "s3cret" not in str(raised.value)
    assert raised.value.exit_code == {ConfigError: 78, UsageError: 2}[error]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_secrets_come_from_files(tmp_path, end):
    """Each setting may be in a file named by its _FILE form; the line's end is not part of it."""

    def named(values):
        files = {}
        for name, value in values.items():
            path = tmp_path / name
            path.write_bytes((value + end).encode())
            files[f"{name}_FILE"] = str(path)
        return files

    assert config.connection(None, None, named(WORDPRESS)).dsn == SHOP
    dsn = {"RUNNER_DSN": "mysql://wp@db/shop", "RUNNER_DB_PASSWORD": " s3cret ü "}
    assert config.connection(None, None, named(dsn)).dsn.password == " s3cret ü "
    both = named({"RUNNER_DSN": "mysql://wp@db/file"}) | {"RUNNER_DSN": "mysql://wp@db/plain"}
    assert config.connection(None, None, both).dsn.database == "file"


def test_a_secret_that_is_no_text_is_refused(tmp_path):
    """A file of other bytes is a ConfigError that names the file, not its content."""
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=re.escape(f"RUNNER_DSN_FILE names {path}")):
        config.connection(None, None, {"RUNNER_DSN_FILE": str(path)})


@pytest.mark.parametrize(
    ("flag", "dsn", "environ", "expected"),
    [
        ("a_", "?prefix=b_", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "a_"),
        (None, "?prefix=b_", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "b_"),
        (None, "", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "c_"),
        (None, "", {"WORDPRESS_TABLE_PREFIX": "d_"}, "d_"),
        (None, "", {"RUNNER_TABLE_PREFIX": "", "WORDPRESS_TABLE_PREFIX": ""}, "wp_"),
        (None, "", {}, "wp_"),
    ],
)
def test_the_prefix(flag, dsn, environ, expected):
    """Flag before DSN before RUNNER_TABLE_PREFIX before WordPress's own before wp_."""
    assert config.connection("mysql://wp@db/shop" + dsn, flag, environ).prefix == expected


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        (None, {}, "auto"),
        (None, {"RUNNER_MODE": ""}, "auto"),
        (None, {"RUNNER_MODE": "native"}, "native"),
        ("auto", {"RUNNER_MODE": "native"}, "auto"),
    ],
)
def test_the_mode(flag, environ, expected):
    """Flag before environment before auto."""
    assert config.mode(flag, environ) == expected


def test_an_unknown_mode_is_refused():
    """A mode that does not exist is named with those that do."""
    with pytest.raises(ConfigError, match="'natve': expected one of auto, native"):
        config.mode(None, {"RUNNER_MODE": "natve"})


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ((), {}, []),
        ((), {"RUNNER_HANDLERS": ""}, []),
        ((), {"RUNNER_HANDLERS": "a:h, b:h,"}, ["a:h", "b:h"]),
        (("a:h", "b:h,c:h"), {"RUNNER_HANDLERS": "d:h"}, ["a:h", "b:h", "c:h"]),
    ],
)
def test_names_of_handlers(flags, environ, expected):
    """Flags before environment; either may hold several, apart by commas."""
    assert config.handler_names(flags, environ) == expected


@pytest.mark.parametrize(("text", "expected"), [("", 300), (" ", 300), ("1", 1), (" 45 ", 45)])
def test_seconds(text, expected):
    """A whole number of seconds, or the default where nothing is said."""
    assert config.seconds("RUNNER_EXPIRY", 300, {"RUNNER_EXPIRY": text}) == expected
    assert config.seconds("RUNNER_EXPIRY", 300, {}) == 300


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "1e3", "²", "1 2"])
def test_seconds_that_are_none(text):
    """Anything but a positive whole number is refused with the setting's name."""
    with pytest.raises(ConfigError, match=r"RUNNER_EXPIRY is .*: expected a number of seconds"):
        config.seconds("RUNNER_EXPIRY", 300, {"RUNNER_EXPIRY": text})
