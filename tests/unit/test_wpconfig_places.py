"""Which files are found and read, and which are refused; Bedrock's `.env`."""

import os
from pathlib import Path

import pytest
from support.wpconfig import facts, folder, outcome, write

from compat.wpconfig import WpConfigError, find, read, walk_up


@pytest.fixture
def site(tmp_path):
    return folder(tmp_path / "site")


def touch(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(path):
    """The text of the error that reading this file raises."""
    with pytest.raises(WpConfigError) as caught:
        read(path, {})
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "start", "found"),
    [
        (["wp-config.php", "wp-load.php"], ".", "wp-config.php"),
        (["wp-config.php"], ".", "wp-config.php"),
        (["wp-config.php", "wp/wp-load.php"], "wp", "wp-config.php"),
        (["wp-config.php", "wp-settings.php", "wp/wp-load.php"], "wp", None),
        (["wp-config.php", "wp/readme"], "wp", None),
        (["web/wp-config.php", "config/application.php"], ".", "web/wp-config.php"),
        (["web/wp-config.php", "config/application.php"], "web", "web/wp-config.php"),
        (["web/wp-config.php", "web/wp/wp-load.php"], "web/wp", "web/wp-config.php"),
        (["web/wp-config.php"], ".", None),
        (["wp-load.php"], ".", None),
    ],
)
def test_a_configuration_is_found_where_wordpress_looks(tmp_path, files, start, found):
    """Beside wp-load.php, one folder up if that is no WordPress of its own, in Bedrock's web."""
    for name in files:
        touch(tmp_path / name)
    assert find(tmp_path / start) == (tmp_path / found if found else None)


def test_walking_up_passes_over_folders_that_everybody_may_write(tmp_path):
    """From deep inside a site its configuration is found, but none that anyone may have put."""
    deep = tmp_path / "site" / "wp-content" / "plugins"
    deep.mkdir(parents=True)
    file = touch(tmp_path / "site" / "wp-config.php")
    assert walk_up(deep) == file
    file.parent.chmod(0o777)
    assert walk_up(deep) is None


def test_files_that_prove_nothing_are_refused(site):
    """Missing, a folder, a device, or writable for everybody: each one line with what to do."""
    path = write(site, "")
    path.chmod(0o646)
    assert f"chmod o-w {path}" in refusal(path)
    for wrong, why in [
        (site, "is a folder"),
        (site / "x", "is not there"),
        (Path("/dev/null"), ""),
    ]:
        assert why in refusal(wrong)


def test_a_file_without_the_right_to_read_it(site, monkeypatch):
    """The user is told to run as the site's user."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = write(site, "")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WpConfigError, match="cannot be read by this user"):
        read(path, {})


def test_names_do_not_drive_a_terminal(tmp_path):
    """Control characters in a file's name or code are made visible."""
    path = tmp_path / "\x1b[2J\n.php"
    assert refusal(path).isprintable()
    site = folder(tmp_path / "site")
    path = write(site, "define('DB_NAME', \udc9b31m());")
    assert refusal(path).isprintable()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("include '{outside}/secret.php'; $table_prefix = 'wp_';", "wp-config.php line 3: DB_NAME depends on {outside}/secret.php, which lies outside the site's folder and is not read"),
        ("include __DIR__ . '/link.php';", "wp-config.php line 3: DB_NAME depends on {outside}/secret.php, which lies outside the site's folder and is not read"),
        ("require 'gone.php'; $table_prefix = 'wp_'; defined('DB_NAME') || define('DB_NAME', 'x');", "wp-config.php line 3: DB_NAME depends on {site}/gone.php, which is not there"),
        ("require 'broken.php'; defined('DB_NAME') || define('DB_NAME', 'x');", "wp-config.php line 3: DB_NAME depends on {site}/broken.php, which has in line 1 brackets that do not match"),
        ('include "a\\0b";', "wp-config.php line 3: DB_NAME depends on a\\x00b, which is no path"),
    ],
)  # fmt: skip
def test_includes_stay_in_the_site(tmp_path, site, code, expected):
    """A file outside, behind a link or not, is not read: whatever is not yet defined is unknown."""
    outside = tmp_path / "outside"
    touch(outside / "secret.php", "<?php $table_prefix = 'stolen_';")
    (site / "link.php").symlink_to(outside / "secret.php")
    touch(site / "broken.php", "<?php f(")
    path = write(site, code.replace("{outside}", str(outside)))
    wanted = expected.replace("{outside}", str(outside)).replace("{site}/", "")
    assert str(outcome(path)).startswith(wanted)


def test_a_configuration_above_wordpress_may_load_from_its_folder(tmp_path):
    """wp-config.php one folder up: ABSPATH is the WordPress below it; a configuration in a folder
    of WordPress may load files of WordPress's own."""
    (tmp_path / "wp").mkdir()
    touch(tmp_path / "wp" / "wp-load.php")
    found = read(write(tmp_path, "define('DB_NAME', ABSPATH);"), {})
    assert found.constants["DB_NAME"] == f"{tmp_path}/wp/"
    touch(tmp_path / "wp" / "db.php", "<?php define('DB_USER', 'w');")
    inner = tmp_path / "wp" / "conf"
    inner.mkdir()
    path = write(inner, "require __DIR__ . '/../db.php';")
    assert read(path, {}).constants["DB_USER"] == "w"


def test_a_linked_configuration(tmp_path, site):
    """A wp-config.php that is a link, as deployments make it: __DIR__ is the real folder, ABSPATH
    the site's, and both may be included from."""
    shared = tmp_path / "shared"
    touch(shared / "db.php", "<?php define('DB_HOST', __DIR__);")
    code = "require __DIR__ . '/db.php'; require ABSPATH . 'inc/a.php'; define('DB_NAME', ABSPATH);"
    (site / "wp-config.php").symlink_to(write(shared, code))
    found = facts(read(site / "wp-config.php", {}))
    assert found == {"n": f"{site}/", "u": "inc", "p": "p", "h": str(shared), "t": "inc_"}


@pytest.mark.parametrize(
    ("file", "text", "sign"),
    [
        ("db-config.php", "", "db-config.php is of another"),
        ("wp-content/db.php", "<?php /* Plugin Name: HyperDB */", "db.php is of another"),
        ("wp-content/db.php", "<?php // LudicrousDB", "db.php is of another"),
        (
            "wp-content/db.php",
            "<?php define('SQLITE_DB_DROPIN_VERSION', '1');",
            "db.php is of another",
        ),
        ("wp-content/db.php", "<?php /* Query Monitor */", None),
    ],
)
def test_another_database_layer_is_told(site, file, text, sign):
    """Drop-ins that move the data elsewhere give a warning, others none."""
    touch(site / file, text)
    warnings = read(write(site, ""), {}).warnings
    assert len(warnings) == bool(sign)
    assert all(sign in line for line in warnings)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("DB_PASSWORD=x1\n#DB_PASSWORD=2\n\n", "x1"),
        ("\n  DB_PASSWORD = x\nOTHER=y", "x"),
        ("export DB_PASSWORD=b", "b"),
        ("DB_PASSWORD=", ""),
        ('DB_PASSWORD="b c" # x', "b c"),
        ("DB_PASSWORD=c #d", "c"),
        ("DB_PASSWORD='$B ${REAL} #'", "$B ${REAL} #"),
        ('B=x\nDB_PASSWORD="${B}y"', "xy"),
        ("B=x\nDB_PASSWORD=${B}-${NOPE}", "x-${NOPE}"),
        (r'DB_PASSWORD="a\"q\" \\ \$x \${REAL}"', 'a"q" \\ $x ${REAL}'),
        (r"DB_PASSWORD=a\n\${REAL}", r"a\n\real"),
        ("DB_PASSWORD=1\nDB_PASSWORD=b", "b"),
        ("REAL=file\nDB_PASSWORD=${REAL}", "real"),
        ("DB_PASSWORD=p@ss!w%rd^&*(x)=y'z", "p@ss!w%rd^&*(x)=y'z"),
        ("A=1\r\nDB_PASSWORD=b\rC=3", "b"),
        ("DB_PASSWORD=1234567890123456789", "1234567890123456789"),
        ("DB_PASSWORD=99999999999999999999", "9223372036854775807"),
    ],
)
def test_an_env_file_is_read_as_phpdotenv_reads_it(bedrock, text, password):
    """Values that phpdotenv 5 gave for the same text; a variable of the environment stays."""
    found = read_bedrock(bedrock, f"DB_NAME=n\nDB_USER=u\n{text}", {"REAL": "real"})
    assert found.constants["DB_PASSWORD"] == password


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nA=b c", 2), ('A="a\\qb"', 1), ('A="x"y', 1), ("=x", 1), ("A-B=1", 1), ("\nA='x", 2), ('A=b="c', 1), ('A="two\nlines"', 1), ("'A'=1", 1)],
)  # fmt: skip
def test_an_env_file_that_is_not_usual_is_refused(bedrock, text, line):
    """Blanks without quotes, quotes without an end, texts over lines: the line is named."""
    with pytest.raises(WpConfigError, match=rf"\.env line {line}: this is no simple NAME=value"):
        read_bedrock(bedrock, text)


LOADER = """<?php
require_once dirname(__DIR__) . '/vendor/autoload.php';
require_once dirname(__DIR__) . '/config/application.php';
require_once ABSPATH . 'wp-settings.php';
"""
ENV = "DB_NAME='shop'\nDB_USER=\"u\"\nDB_PASSWORD=p\n"


@pytest.fixture
def bedrock(tmp_path):
    touch(tmp_path / "config/application.php", "<?php // loads .env")
    touch(tmp_path / "web/wp-config.php", LOADER)
    return tmp_path


def read_bedrock(project, env, environ=None, local=None):
    touch(project / ".env", env)
    if local is not None:
        touch(project / ".env.local", local)
    return read(find(project), environ or {})


@pytest.mark.parametrize(
    ("env", "local", "environ", "expected"),
    [
        (ENV, None, {}, {}),
        (ENV + "DB_HOST=db:3307\nDB_PREFIX=b_", None, {}, {"h": "db:3307", "t": "b_"}),
        (ENV, "DB_NAME=local", {}, {"n": "local"}),
        (ENV, "DB_NAME=local", {"DB_NAME": "real"}, {"n": "real"}),
        (ENV + "DB_HOST=", None, {}, {}),
        (ENV + "DB_PASSWORD=00123", None, {}, {"p": "123"}),
        (ENV + "DB_PASSWORD=null", None, {}, {"p": ""}),
        (ENV + "DB_PASSWORD=\"'q'\"", None, {}, {"p": "q"}),
        (ENV + "DATABASE_URL=mysql://x:y%40@h:33/d", None, {}, {"n": "d", "u": "x", "p": "y%40", "h": "h:33"}),
        ("DATABASE_URL=mysql://x@h/d", None, {}, {"n": "d", "u": "x", "p": "", "h": "h"}),
        ("", None, {"DB_NAME": "a", "DB_USER": "b", "DB_PASSWORD": ""}, {"n": "a", "u": "b", "p": ""}),
    ],
)  # fmt: skip
def test_a_bedrock_site_is_read_from_its_environment(bedrock, env, local, environ, expected):
    """`.env.local` over `.env`, the environment over both; values become what Bedrock makes."""
    found = facts(read_bedrock(bedrock, env, environ, local))
    assert found == {"n": "shop", "u": "u", "p": "p", "h": "localhost", "t": "wp_"} | expected


def test_more_of_bedrock(bedrock):
    """TLS, the content folder, and a warning when an environment's file mentions the database."""
    config = read_bedrock(bedrock, ENV + "DB_SSL=true\nWP_ENV=staging")
    assert config.constants["MYSQL_CLIENT_FLAGS"] == 2048
    assert config.constants["WP_CONTENT_DIR"] == str(bedrock / "web/app")
    assert config.warnings == ()
    touch(bedrock / "config/environments/staging.php", "<?php Config::define('DB_NAME', 'x');")
    assert "staging.php mentions the database" in read(find(bedrock), {}).warnings[0]


@pytest.mark.parametrize(
    ("env", "local", "why"),
    [
        ("DB_NAME=x", None, ".env: no DB_USER and no DATABASE_URL"),
        ("DATABASE_URL=shop", None, ".env: DATABASE_URL is not mysql://"),
        (ENV + "X=a b", None, ".env line 4: this is no simple NAME=value"),
        ("A=1", "B=1\nX=a b", ".env.local line 2: this is no simple NAME=value"),
    ],
)
def test_a_bedrock_site_without_its_facts_is_refused(bedrock, env, local, why):
    """The file and the line are named, and the ways out."""
    with pytest.raises(WpConfigError) as caught:
        read_bedrock(bedrock, env, local=local)
    assert why in str(caught.value)
    assert "Give --dsn" in str(caught.value)


def test_env_files_are_checked_too(bedrock):
    """An .env that everybody may write, or that is no UTF-8, is refused."""
    read_bedrock(bedrock, ENV)
    (bedrock / ".env").write_bytes(b"A=\xff")
    with pytest.raises(WpConfigError, match=r"\.env is not UTF-8"):
        read(find(bedrock), {})
    os.chmod(bedrock / ".env", 0o666)  # noqa: PTH101  the point of the test
    with pytest.raises(WpConfigError, match="chmod o-w"):
        read(find(bedrock), {})
