"""wp-config.php files of every kind, and what is said of those that only PHP can tell."""

import json
from pathlib import Path

import pytest
from support.wpconfig import folder, write

from compat.wpconfig import Tls, WpConfigError, parse_db_host, read, tls_of

DATA = Path(__file__).parents[1] / "data" / "wpconfig"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
HOSTS = json.loads((DATA / "db_host_forms.json").read_text("utf-8"))
# What only a request or PHP can tell: where and why the reading stops.
STOPS = {
    "29_http_host_switch.php": "line 2: DB_NAME depends on the web request ($_SERVER['HTTP_HOST'])",
    "44_dynamic_unreadable.php": "line 5: DB_PASSWORD depends on a call of strrev()",
}


def environment(name):
    return {key: text.replace("@DIR@", str(DATA)) for key, text in EXPECTED[name]["env"].items()}


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in STOPS])
def test_a_configuration_is_read_as_php_runs_it(name):
    """Constants and prefix are those that PHP 8.2 gave for the same file."""
    found = read(DATA / name, environment(name))
    wanted = {key: value for key, value in EXPECTED[name]["expect"].items() if value is not None}
    missing = EXPECTED[name]["expect"].keys() - wanted
    prefix = wanted.pop("table_prefix")
    assert found.table_prefix == prefix
    assert {key: found.constants[key] for key in wanted} == wanted
    assert not missing & found.constants.keys()


def test_every_file_for_a_request_or_php_is_in_the_list_of_stops():
    """No fixture is left out of both tests."""
    assert {n for n, case in EXPECTED.items() if case["how"] in {"request", "php"}} == set(STOPS)


@pytest.mark.parametrize(("name", "why"), STOPS.items())
def test_what_only_php_can_tell_is_reported(name, why):
    """One line with file, line, reason and ways out; no value is guessed."""
    with pytest.raises(WpConfigError) as caught:
        read(DATA / name, {})
    text = str(caught.value)
    assert text.startswith(f"{DATA / name} {why}")
    assert "Give --dsn, or the environment variables WORDPRESS_DB_HOST" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "environ", "warned"),
    [
        ("01_plain.php", {}, ""),
        ("20_docker_env.php", None, ""),
        ("23_docker_empty_password.php", None, "no WORDPRESS_TABLE_PREFIX here: $table_prefix fell to"),
        ("22_docker_defaults.php", {"WORDPRESS_DB_NAME": "a"}, "no WORDPRESS_DB_USER, WORDPRESS_DB_PASSWORD, WORDPRESS_DB_HOST, WORDPRESS_TABLE_PREFIX here: DB_USER, DB_PASSWORD, DB_HOST, $table_prefix fell to"),
        ("28_env_if_else.php", {"CI": "1"}, None),
        ("19_env_superglobals.php", None, "no SHOP_DB here: DB_NAME fell to"),
    ],
)  # fmt: skip
def test_a_default_for_want_of_a_variable_is_told(name, environ, warned):
    """The runner's environment is not that of PHP's web server: a value that fell to its default
    gives a warning, one that did not gives none."""
    environ = environment(name) if environ is None else environ
    if warned is None:
        with pytest.raises(WpConfigError, match="does not define DB_USER"):
            read(DATA / name, environ)
        return
    warnings = read(DATA / name, environ).warnings
    assert len(warnings) == bool(warned)
    assert all(text.startswith(warned) for text in warnings)


@pytest.fixture
def site(tmp_path):
    return folder(tmp_path / "site")


def test_a_variable_missing_without_default_stops(site):
    """A needed value that would be false is no value: the variable is named."""
    path = write(site, "define('DB_NAME', getenv('SHOP_DB'));")
    with pytest.raises(
        WpConfigError, match="line 3: DB_NAME is no text: no SHOP_DB in this environ"
    ):
        read(path, {})
    assert read(path, {"SHOP_DB": "shop"}).constants["DB_NAME"] == "shop"


OFFICIAL = r"""
function getenv_docker($name, $default) {
    if ($file = getenv($name . '_FILE')) { return rtrim(file_get_contents($file), "\r\n"); }
    else if (($found = getenv($name)) !== false) { return $found; }
    else { return $default; }
}
define('DB_NAME', getenv_docker('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', getenv_docker('WORDPRESS_DB_USER', 'example'));
if ($extra = getenv_docker('WORDPRESS_CONFIG_EXTRA', '')) { eval($extra); }
"""


def test_the_pair_of_a_variable_and_its_file(site):
    """The official image asks for NAME_FILE first: its absence alone is no default."""
    found = read(write(site, OFFICIAL), {"WORDPRESS_DB_NAME": "shop"})
    assert (found.constants["DB_NAME"], found.table_prefix) == ("shop", "wp_")
    assert [text.partition(" fell")[0] for text in found.warnings] == [
        "no WORDPRESS_DB_USER here: DB_USER"
    ]


def test_extra_configuration_of_the_official_image(site):
    """Code in WORDPRESS_CONFIG_EXTRA is not run: it is in the way only if it mentions what is
    needed."""
    path = write(site, OFFICIAL)
    extra = "define('WP_DEBUG', true); define('DB_NAME', 'later');"
    assert read(path, {"WORDPRESS_CONFIG_EXTRA": extra}).table_prefix == "wp_"
    for extra in ("$table_prefix = 'x_';", "include 'x.php';", "'"):
        with pytest.raises(WpConfigError, match=r"depends on a call of eval\(\)"):
            read(path, {"WORDPRESS_CONFIG_EXTRA": extra})


def test_a_secret_that_is_not_here_is_told(site):
    """A file outside the site that PHP may have and the runner has not gives a warning, a file of
    the site that is not there gives none."""
    code = "if (file_exists('/no/secret')) {} else { define('DB_PASSWORD', 'x'); }"
    assert "no /no/secret here: DB_PASSWORD fell" in read(write(site, code), {}).warnings[0]
    code = code.replace("'/no/secret'", "__DIR__ . '/local.php'")
    assert read(write(site, code), {}).warnings == ()


@pytest.mark.parametrize("name", ["DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"])
def test_a_needed_name_must_be_there(site, name):
    """A file without one of the four is refused, except for a site on SQLite."""
    path = write(site, "")
    code = path.read_text().replace(name, "OTHER")
    path.write_text(code)
    with pytest.raises(WpConfigError, match=f"does not define {name}"):
        read(path, {})
    path.write_text(code.replace("<?php", "<?php define('DB_ENGINE', 'sqlite');"))
    sqlite = read(path, {})
    assert sqlite.constants["DB_ENGINE"] == "sqlite"
    assert name not in sqlite.constants


def test_secrets_do_not_show(site):
    """The repr of a configuration holds no constant."""
    assert "s3cret" not in repr(read(write(site, "define('DB_PASSWORD', 's3cret');"), {}))


def test_a_setting_that_only_php_can_tell_is_left_out(site):
    """Names that are read when simple give a warning when they are not."""
    found = read(write(site, "define('MYSQL_CLIENT_FLAGS', intval('8'));"), {})
    assert "MYSQL_CLIENT_FLAGS" not in found.constants
    assert found.warnings == ("only PHP can tell MYSQL_CLIENT_FLAGS: left out",)


@pytest.mark.parametrize(("text", "expected"), HOSTS.items())
def test_a_database_host_is_read_as_wordpress_reads_it(text, expected):
    """Host, port, socket and IPv6 as WordPress's own parser gave them."""
    found = parse_db_host(text)
    assert [found.host, found.port, found.socket, found.is_ipv6] == expected


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("db:0", "db", None),
        ("db:00033x", "db", 33),
        ("db:" + "9" * 5000, "db", None),
        ("db/x:33", "db", None),
        ("x::y", "x::y", None),
        ("[::1]33", "::1", None),
    ],
)
def test_an_odd_database_host_does_no_harm(text, host, port):
    """Digits that are no port are none; what is no address goes to the driver as it is."""
    found = parse_db_host(text)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        ({}, Tls(wanted=False, verify=True, ca="")),
        ({"MYSQL_CLIENT_FLAGS": 32}, Tls(wanted=False, verify=True, ca="")),
        ({"MYSQL_CLIENT_FLAGS": 2080}, Tls(wanted=True, verify=True, ca="")),
        ({"MYSQL_CLIENT_FLAGS": 2112}, Tls(wanted=True, verify=False, ca="")),
        ({"MYSQL_SSL_CA": "/ca.pem"}, Tls(wanted=False, verify=True, ca="/ca.pem")),
        ({"MYSQL_CLIENT_FLAGS": "x", "MYSQL_SSL_CA": None}, Tls(wanted=False, verify=True, ca="")),
    ],
)
def test_tls_is_what_the_flags_say(constants, expected):
    """Bit 2048 asks for TLS, 64 leaves the certificate unchecked; an authority's file alone asks for
    nothing, as in WordPress."""
    assert tls_of(constants) == expected
