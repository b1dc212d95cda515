"""Settings and the database: every place a value may stand in, and who wins."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from runner import ConfigError
from runner.config import Rank, Settings, definitions, files, find, resolve
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


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder: empty, so that nothing is found by chance."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def database(flag=None, prefix=None, environ=None, **flags):
    """The database that these flags and this environment lead to."""
    environ = environ or {}
    given = {"dsn": flag, "table_prefix": prefix, **flags}
    return find(resolve(given, environ), environ, Path.cwd())


def setting(name, environ=None, **flags):
    return getattr(resolve(flags, environ or {}).settings, name)


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
        ("mysql://wp@db/shop?tls=verify", mysql(tls="verify")),
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
        ("mysql://wp@db/shop?tls=perhaps", "tls is one of auto, required, verify, off"),
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
    dsn = database(environ=names).dsn
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
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:s3cret@db/shop"} | dict.fromkeys(WORDPRESS, "x"), SHOP, id="RUNNER_DSN before WORDPRESS_DB_*"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:@db/shop"}, "", id="an empty password is one"),
        pytest.param(None, WORDPRESS | {"RUNNER_DB_PASSWORD": "other"}, "other", id="our own password before the image's"),
        pytest.param(None, WORDPRESS, SHOP, id="official image"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD": ""}, mysql(password=""), id="official image, no password"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_HOST": "[::1]:3307"}, ("::1", 3307, ""), id="official image, host and port"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_HOST": "localhost:/s"}, ("localhost", 0, "/s"), id="official image, socket"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD": "a@b/c%20"}, "a@b/c%20", id="official image, nothing is decoded"),
    ],
)  # fmt: skip
def test_the_database_is_found(flag, environ, expected):
    """Flag before RUNNER_DSN before WORDPRESS_DB_*; the password from the first that has one."""
    found = database(flag, environ=environ).dsn
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
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:s3cret@db/shop", "RUNNER_DB_PASSWORD": "s3cret2"}, ConfigError, "two passwords, in RUNNER_DSN and RUNNER_DB_PASSWORD", id="two passwords"),
        pytest.param(None, {"RUNNER_DSN": "mysql://wp:@db/shop", "RUNNER_DB_PASSWORD": "s3cret2"}, ConfigError, "two passwords", id="an empty one counts"),
        pytest.param(None, {"RUNNER_DB_PASSWORD": "s3cret", "RUNNER_DB_PASSWORD_FILE": "/x", "RUNNER_DSN": "mysql://wp@db/shop"}, ConfigError, "RUNNER_DB_PASSWORD and RUNNER_DB_PASSWORD_FILE are both set", id="password and file"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD_FILE": "/x"}, ConfigError, "WORDPRESS_DB_PASSWORD and WORDPRESS_DB_PASSWORD_FILE are both set", id="the image's password and file"),
        pytest.param("", {}, UsageError, "--dsn: mysql://user@host:3306/database, or leave it out", id="empty flag"),
        pytest.param("oops", {}, UsageError, "--dsn: the DSN starts with 'no scheme'", id="no DSN"),
        pytest.param(None, {"RUNNER_DSN_FILE": "/nowhere"}, ConfigError, "RUNNER_DSN_FILE names /nowhere, which cannot be read", id="no file"),
        pytest.param(None, WORDPRESS | {"WORDPRESS_DB_PASSWORD": "", "WORDPRESS_DB_PASSWORD_FILE": "/"}, ConfigError, "WORDPRESS_DB_PASSWORD_FILE names /", id="a folder"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(flag, environ, error, why):
    """A missing or dangerous setting is one error that names it, and never shows a password."""
    with pytest.raises(error, match=why) as raised:
        database(flag, environ=environ)
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

    assert database(environ=named(WORDPRESS)).dsn == SHOP
    dsn = {"RUNNER_DSN": "mysql://wp@db/shop", "RUNNER_DB_PASSWORD": " s3cret ü "}
    assert database(environ=named(dsn)).dsn.password == " s3cret ü "


def test_a_secret_that_is_no_text_is_refused(tmp_path):
    """A file of other bytes is a ConfigError that names the file, not its content."""
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=re.escape(f"RUNNER_DSN_FILE names {path}")):
        database(environ={"RUNNER_DSN_FILE": str(path)})


@pytest.mark.parametrize(
    ("flag", "dsn", "environ", "expected"),
    [
        (None, "?prefix=a_", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "a_"),
        ("a_", "", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "a_"),
        ("a_", "?prefix=a_", {}, "a_"),
        (None, "", {"RUNNER_TABLE_PREFIX": "c_", "WORDPRESS_TABLE_PREFIX": "d_"}, "c_"),
        (None, "", {"WORDPRESS_TABLE_PREFIX": "d_"}, "d_"),
        (None, "", {"RUNNER_TABLE_PREFIX": "", "WORDPRESS_TABLE_PREFIX": ""}, "wp_"),
        (None, "", {}, "wp_"),
    ],
)
def test_the_prefix(flag, dsn, environ, expected):
    """Flag before DSN before RUNNER_TABLE_PREFIX before WordPress's own before wp_."""
    assert database("mysql://wp@db/shop" + dsn, flag, environ).prefix == expected


def test_two_prefixes_of_equal_rank_are_refused():
    """A prefix inside the DSN and one beside it, both as flags or both in the environment."""
    with pytest.raises(ConfigError, match="two table prefixes, a_ in --prefix and b_ in --dsn"):
        database("mysql://wp@db/shop?prefix=b_", "a_")
    environ = {"RUNNER_DSN": "mysql://wp@db/shop?prefix=b_", "RUNNER_TABLE_PREFIX": "a_"}
    with pytest.raises(ConfigError, match="two table prefixes"):
        database(environ=environ)


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        (None, {}, "auto"),
        (None, {"RUNNER_MODE": ""}, "auto"),
        (None, {"RUNNER_MODE": "native"}, "native"),
        ("auto", {"RUNNER_MODE": "native"}, "auto"),
    ],
)
def test_flags_before_environment_before_default(flag, environ, expected):
    """One setting stands for all: the layers are the same."""
    assert setting("mode", environ, mode=flag) == expected


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ((), {}, ()),
        ((), {"RUNNER_HANDLERS": ""}, ()),
        ((), {"RUNNER_HANDLERS": "a:h, b:h,"}, ("a:h", "b:h")),
        (("a:h", "b:h,c:h"), {"RUNNER_HANDLERS": "d:h"}, ("a:h", "b:h", "c:h")),
    ],
)
def test_names_of_handlers(flags, environ, expected):
    """Flags before environment; either may hold several, apart by commas."""
    assert setting("handlers", environ, handlers=flags) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("expiry", " ", 300),
        ("expiry", " 45 ", 45),
        ("batch_size", "1000", 1000),
        ("pause", "0.5", 0.5),
        ("time_limit", "50", 50.0),
        ("hooks", " a , b", ("a", "b")),
        ("db_tls", "verify", "verify"),
        ("db_password", "  ", "  "),
        ("executor", "", "processes:1"),
        ("executor", " threads:100 ", "threads:100"),
        ("executor", "processes:04", "processes:4"),
        ("executor", "inline", "inline"),
    ],
)
def test_values_from_the_environment(name, text, expected):
    """Each kind of value is read from text; blank text says nothing, but for a password."""
    assert setting(name, {definitions()[name].env: text}) == expected


EXECUTORS = (
    "processes", "processes:", "processes:0", "processes:-1", "processes:101", "processes:2:2",
    "processes: 2", "threads:0", "threads:two", "threads:²", "inline:1", "Inline", "celery:2", "4",
)  # fmt: skip


@pytest.mark.parametrize("text", EXECUTORS)
def test_a_wrong_executor_says_what_is_expected(text):
    """As a flag it is an error of usage, from the environment one of configuration."""
    expected = "processes:N or threads:N, N from 1 to 100, or inline"
    for flags, environ, error, name in (
        ({"executor": text}, {}, UsageError, "--executor"),
        ({}, {"RUNNER_EXECUTOR": text}, ConfigError, "RUNNER_EXECUTOR"),
    ):
        with pytest.raises(error) as raised:
            resolve(flags, environ)
        assert str(raised.value) == f"{name} is {text!r}: expected {expected}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("expiry", text) for text in ("0", "-1", "1.5", "soon", "1e3", "²", "1 2")),
        *(("batch_size", text) for text in ("0", "1001")),
        ("table_prefix", "a;b"),
        ("db_ssl_ca", "/no/ca.pem"),
        ("time_limit", "31536001"),
        *(("pause", text) for text in ("-1", "soon", "nan", "inf")),
        ("mode", "natve"),
        ("db_tls", "maybe"),
        ("hooks", " , "),
        *(("executor", text) for text in EXECUTORS),
        ("recycle_after", "-1"),
        ("recycle_memory", "1 GB"),
    ],
)
def test_wrong_values_are_named(name, text):
    """A value that does not fit is refused with the setting's name and what was expected."""
    env = definitions()[name].env
    with pytest.raises(ConfigError, match=f"{env} is .*: expected "):
        resolve({}, {env: text})


def test_all_problems_are_told_at_once(folder):
    """Environment and file are read to their ends before anything is said."""
    (folder / "runner.toml").write_text("batch_sise = 3\npause = [1]\ndb_password = 's3cret'\n")
    environ = {"RUNNER_MODE": "x", "RUNNER_EXPIRY": "soon", "RUNNER_DSN_FILE": "/nowhere"}
    with pytest.raises(ConfigError) as raised:
        resolve({}, environ)
    names = [
        "batch_sise",
        "pause",
        "db_password",
        "RUNNER_DSN_FILE",
        "RUNNER_MODE",
        "RUNNER_EXPIRY",
    ]
    problems = raised.value.problems
    assert len(problems) == len(names)
    assert all(name in problem for name, problem in zip(names, problems, strict=True))
    assert "did you mean batch_size?" in problems[0]
    assert "db_password_file" in problems[2]
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("RUNNER_BATCHSIZE", "RUNNER_BATCH_SIZE"), ("RUNNER_HANDLER", "RUNNER_HANDLERS"),
     ("RUNNER_DB_PASSWORD_FIL", "RUNNER_DB_PASSWORD_FILE")],
)  # fmt: skip
def test_a_slip_in_the_environment_is_told(name, meant):
    """A variable that looks like one of ours is not ignored in silence."""
    with pytest.raises(ConfigError, match=f"{name} is no setting: did you mean {meant}?"):
        resolve({}, {name: "1"})


@pytest.mark.parametrize(
    ("name", "words"),
    [("RUNNER_PREFIX", "RUNNER_TABLE_PREFIX"), ("RUNNER_TLS", "RUNNER_DB_TLS"),
     ("RUNNER_FORCE", "--force is for one call"), ("RUNNER_DB_USER", "part of RUNNER_DSN"),
     ("RUNNER_HANDLERS_FILE", "only RUNNER_HANDLERS is read, no file")],
)  # fmt: skip
def test_a_name_that_one_would_try_is_answered(name, words):
    """What the flag's name, or a neighbour's, suggests is not ignored in silence."""
    with pytest.raises(ConfigError, match=f"{name} is no setting: .*{words}"):
        resolve({}, {name: "1"})


def test_several_flags_that_are_wrong_are_told_together():
    """Flags are read like all other settings."""
    with pytest.raises(UsageError) as raised:
        resolve({"batch_size": "0", "time_limit": "nan", "pause": "inf", "mode": "x"}, {})
    names = ["--batch-size", "--time-limit", "--pause", "--mode"]
    assert [problem.split()[0] for problem in raised.value.problems] == names


def test_arguments_of_a_call_are_louder_than_the_environment():
    """A Queue that is told its database looks at nothing else, and errors name the argument."""
    environ = {"RUNNER_DSN": "mysql://x@y/z", "RUNNER_DB_PASSWORD": "other", "RUNNER_BATCH_SIZE": "x",
               "RUNNER_TABLE_PREFIX": "env_"}  # fmt: skip
    given = {"dsn": "mysql://wp:s3cret@db/shop?prefix=own_", "wp_path": None, "table_prefix": None}
    found = find(resolve(given, environ, arguments=True), environ, Path.cwd())
    assert (found.dsn.database, found.dsn.password, found.prefix) == ("shop", "s3cret", "own_")
    with pytest.raises(UsageError, match="dsn= and wp_path= cannot be given together"):
        resolve(given | {"wp_path": "."}, environ, arguments=True)


def test_a_stranger_s_file_is_not_obeyed(folder, monkeypatch):
    """In a folder where everybody may put files, a runner.toml of somebody else is refused unless
    it was asked for: it names code."""
    (folder / "runner.toml").write_text("batch_size = 3")
    folder.chmod(0o1777)
    assert resolve({}, {}).settings.batch_size == 3  # our own
    monkeypatch.setattr(files.os, "geteuid", lambda: 12345)
    monkeypatch.setattr(files, "ROOT", 54321)
    with pytest.raises(ConfigError, match="another user's, in a folder where everybody may put"):
        resolve({}, {})
    assert resolve({}, {}, "runner.toml").settings.batch_size == 3


def test_variables_of_others_are_left_alone():
    """Build servers set RUNNER_ variables of their own."""
    names = ("OS", "NAME", "ARCH", "TEMP", "TOOL_CACHE", "ENVIRONMENT", "WORKSPACE", "TRACKING_ID",
             "DEBUG", "USER", "PERFLOG", "TEST_DSN")  # fmt: skip
    assert resolve({}, {f"RUNNER_{name}": "x" for name in names}).settings == Settings()


TOML = """
wp_path = "site"
handlers = ["a:h", "b:h"]
batch_size = 50
pause = 0.5
exclude_groups = "slow, heavy"
db_password_file = "secrets/password"
"""


def test_a_file_of_settings(folder):
    """runner.toml of the working folder: under the environment, over the defaults; its paths count
    from where it lies."""
    (folder / "etc/secrets").mkdir(parents=True)
    (folder / "etc/secrets/password").write_text("s3cret\n")
    file = folder / "etc/runner.toml"
    file.write_text(TOML)
    found = resolve({}, {"RUNNER_BATCH_SIZE": "60"}, str(file))
    assert found.settings == Settings(
        wp_path=str(folder / "etc/site"), handlers=("a:h", "b:h"), batch_size=60, pause=0.5,
        exclude_groups=("slow", "heavy"), db_password="s3cret",
    )  # fmt: skip
    assert found.given["batch_size"].origin == "RUNNER_BATCH_SIZE"
    assert found.given["pause"].origin == f"{file}: pause"
    assert found.given["expiry"].origin == "default"
    assert resolve({}, {"RUNNER_CONFIG": str(file)}).settings.batch_size == 50
    (folder / "runner.toml").write_text("batch_size = 70")
    assert resolve({}, {}).settings.batch_size == 70


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("batch_size = ", "runner.toml: Invalid value"),
        ("force = true", "force is no setting"),
        ("pause_file = 'x'", "pause_file is no setting"),
        ("batch_size = true", "batch_size is no text, number or list"),
        ("[run]\nbatch_size = 3", "run is no setting"),
        ("batch_size = 0", "batch_size is '0': expected a whole number, 1 to 1000"),
        ("dsn = 'mysql://u:s3cret@h/d'", "dsn must not hold a password"),
        ("db_password_file = 'none'", "db_password_file names .*none, which cannot be read"),
        ("dsn = 'mysql://u@h/d'\nwp_path = '.'", "dsn and .*wp_path cannot be given together"),
        ("dsn = 'mysql://u@h/d'\ndsn_file = '.'", "dsn and dsn_file are both set"),
    ],
)
def test_a_wrong_file_of_settings(folder, text, why):
    """What is wrong in runner.toml is told with the file and the key."""
    (folder / "runner.toml").write_text(text)
    with pytest.raises(ConfigError, match=why) as raised:
        database()
    assert "runner.toml" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_missing_or_not_safe_is_refused(folder):
    """A file that was asked for must be there, and no stranger may write it: it names code."""
    with pytest.raises(ConfigError, match=r"cannot read none.toml: No such file"):
        resolve({}, {}, "none.toml")
    file = folder / "runner.toml"
    file.write_text("batch_size = 3")
    file.chmod(0o666)
    with pytest.raises(ConfigError, match=r"can be written by everybody.*chmod o-w"):
        resolve({}, {})


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ({"groups": "a"}, {"RUNNER_EXCLUDE_GROUPS": "b"}, (("a",), ())),
        ({"exclude_groups": "a"}, {"RUNNER_GROUPS": "b"}, ((), ("a",))),
    ],
)
def test_of_two_that_exclude_each_other_the_louder_wins(flags, environ, expected):
    """A flag turns its opposite in the environment off."""
    settings = resolve(flags, environ).settings
    assert (settings.groups, settings.exclude_groups) == expected


@pytest.mark.parametrize(
    ("flags", "environ", "error"),
    [
        ({"groups": "a", "exclude_groups": "b"}, {}, UsageError),
        ({}, {"RUNNER_GROUPS": "a", "RUNNER_EXCLUDE_GROUPS": "b"}, ConfigError),
        ({"dsn": "mysql://u@h/d", "wp_path": "."}, {}, UsageError),
        ({}, {"RUNNER_DSN": "mysql://u@h/d", "RUNNER_WP_PATH": "."}, ConfigError),
    ],
)
def test_two_of_equal_rank_are_refused(flags, environ, error):
    """Nobody can know which of the two was meant."""
    with pytest.raises(error, match=r"and .* cannot be given together"):
        resolve(flags, environ)


def test_every_setting_says_what_it_is():
    """Each has help, and names for flag, environment and file that no other has."""
    known = definitions()
    assert [*known] == [f.name for f in fields(Settings)]
    assert all(s.help.endswith(".") or s.help.endswith(")") for s in known.values())
    flags = [s.flag for s in known.values() if s.flag]
    assert len({*flags}) == len(flags)
    assert all(s.flag or not s.flag_only for s in known.values())
    assert not [s.name for s in known.values() if s.secret and s.flag]


@pytest.mark.parametrize(
    ("environ", "tls", "ca"),
    [
        ({}, "required", ""),
        ({"RUNNER_DB_TLS": "off"}, "off", ""),
        ({"RUNNER_DB_TLS": "verify", "RUNNER_DB_SSL_CA": "ca.pem"}, "verify", "ca.pem"),
    ],
)
def test_tls_settings_count_before_the_dsn(folder, environ, tls, ca):
    """The DSN's wish for TLS holds unless a setting says otherwise."""
    (folder / "ca.pem").touch()
    dsn = database("mysql://wp@db/shop?tls=required", environ=environ).dsn
    assert (dsn.tls, dsn.ssl_ca) == (tls, ca)


def test_ranks_are_in_order():
    """Flags first, defaults last."""
    assert [rank.name for rank in sorted(Rank)] == [
        "FLAG",
        "SITE",
        "ENVIRONMENT",
        "IMAGE",
        "FILE",
        "DEFAULT",
    ]


def test_the_readme_lists_every_setting():
    """Name, flag, variable and meaning, as they are defined."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    listed = [line for line in readme.splitlines() if "| `RUNNER_" in line]
    wanted = [s for s in definitions().values() if not s.flag_only]
    assert len(listed) == len(wanted)
    for line, setting_ in zip(listed, wanted, strict=True):
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        assert cells[:3] == [setting_.name, setting_.flag, setting_.env]
        assert cells[4] == setting_.help
