"""Settings as a user meets them: a site's own configuration, runner.toml, and `runner config`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.server import PASSWORD

CONFIG = """<?php
define( 'DB_NAME', '{name}' );
define( 'DB_USER', 'runner_test' );
define( 'DB_PASSWORD', '{password}' );
define( 'DB_HOST', '{host}' );
$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
"""
ENV = "DB_NAME={name}\nDB_USER='runner_test'\nDB_PASSWORD=\"{password}\"\nDB_HOST={host}\nDB_PREFIX=wp_\n"


@pytest.fixture
def wordpress(cli, site, server):
    """A WordPress's folder whose wp-config.php leads to the site; nothing in the environment."""
    cli.environ.clear()
    facts = {"name": site.name, "password": PASSWORD, "host": f"{server.host}:{server.port}"}
    folder = cli.folder / "wordpress"
    (folder / "wp-content" / "plugins").mkdir(parents=True)
    (folder / "wp-load.php").touch()
    (folder / "wp-config.php").write_text(CONFIG.format(**facts))
    bedrock = cli.folder / "bedrock"
    (bedrock / "config").mkdir(parents=True)
    (bedrock / "web" / "wp").mkdir(parents=True)
    (bedrock / "web" / "wp" / "wp-load.php").touch()
    (bedrock / "config" / "application.php").write_text("<?php\n")
    (bedrock / "web" / "wp-config.php").write_text(
        "<?php\nrequire_once dirname(__DIR__) . '/config/application.php';\n"
        "require_once ABSPATH . 'wp-settings.php';\n"
    )
    (bedrock / ".env").write_text(ENV.format(**facts))
    return folder


def together(cli, cases: dict) -> dict:
    """Runs the commands at the same time: (folder, arguments, environment)."""

    def one(case):
        folder, arguments, environ = case
        here = type(cli)(folder, cli.environ)
        return here(*arguments, **environ)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(cases, pool.map(one, cases.values()), strict=True))


def test_the_site_is_found_as_wp_cli_finds_it(cli, wordpress, site, subtests):
    """From a folder given, from inside the site, and in a Bedrock project."""
    (cli.folder / "elsewhere").mkdir()
    (cli.folder / "elsewhere" / "runner.toml").write_text("wp_path = '../wordpress'\n")
    status = ("status", "--json")
    cases = {
        "--wp-path": (cli.folder, (*status, "--wp-path", "wordpress"), {}),
        "RUNNER_WP_PATH": (cli.folder, status, {"RUNNER_WP_PATH": str(wordpress)}),
        "runner.toml": (cli.folder / "elsewhere", status, {}),
        "inside the site": (wordpress / "wp-content" / "plugins", status, {}),
        "Bedrock": (cli.folder / "bedrock" / "web", status, {}),
        "Bedrock, given": (cli.folder, (*status, "--wp-path", "bedrock"), {}),
    }
    for name, done in together(cli, cases).items():
        with subtests.test(name):
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout)["site"] == "http://shop.test"


def test_config_explains_where_each_value_came_from(cli, wordpress):
    """Every layer is named, the password is masked, and no database is asked."""
    (cli.folder / "runner.toml").write_text("pause = 2.5\nwp_path = 'wordpress'\n")
    environ = {"RUNNER_BATCH_SIZE": "50", "RUNNER_DB_TLS": "off"}
    done = cli("config", "--explain", "--mode", "native", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert PASSWORD not in done.stdout
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert lines["from"] == ["from", str(wordpress / "wp-config.php")]
    assert lines["mode"] == ["mode", "native", "--mode"]
    assert lines["batch_size"] == ["batch_size", "50", "RUNNER_BATCH_SIZE"]
    assert lines["db_tls"] == ["db_tls", "off", "RUNNER_DB_TLS"]
    assert lines["pause"] == ["pause", "2.5", "runner.toml:", "pause"]
    assert lines["expiry"] == ["expiry", "300", "default"]
    assert lines["db_password"] == ["db_password", "***", str(wordpress / "wp-config.php")]
    facts = json.loads(cli("config", "--json", **environ).stdout)
    assert facts["settings"]["batch_size"] == {"value": "50", "from": "RUNNER_BATCH_SIZE"}
    assert facts["settings"]["table_prefix"]["value"] == facts["database"]["prefix"] == "wp_"
    assert facts["database"]["dsn"].startswith("mysql://runner_test:***@127.0.0.1:")


def test_config_shows_thresholds_and_hides_the_webhook(cli):
    """As they are written; whoever knows the webhook's address could post there."""
    environ = {"RUNNER_THRESHOLDS": "late=5,chains=off@hook:old", "RUNNER_SLACK_WEBHOOK": f"https://slack.test/{PASSWORD}",
               "RUNNER_PULSE_URL": f"https://pulse.test/{PASSWORD}"}  # fmt: skip
    done = cli("config", **environ)
    lines = {line.split()[0]: line.split(maxsplit=1)[1:] for line in done.stdout.splitlines() if line.strip()}  # fmt: skip
    assert lines["thresholds"] == ["late=5, chains=off@hook:old"]
    assert lines["slack_webhook"] == lines["pulse_url"] == ["***"]
    assert PASSWORD not in done.stdout + done.stderr


def test_config_shows_queues_as_they_are_written(cli):
    """What is shown can be given again."""
    out = cli(
        "config", RUNNER_QUEUES="payments:4:3, mail:1:1, *:2", RUNNER_DSN="sqlite:///x.db"
    ).stdout
    assert ["queues", "payments:4:3,mail:1,*:2"] in [line.split() for line in out.splitlines()]


def test_config_shows_what_it_can_and_names_what_is_wrong(cli):
    """Without a database the settings are shown all the same; a password in a DSN is masked."""
    cli.environ.clear()
    done = cli("config")
    assert done.returncode == 78
    assert "batch_size      25" in done.stdout
    assert done.stderr.startswith("runner: no database is configured")
    done = cli("config", RUNNER_DSN="mysql://u:hunter2@h/d")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mysql://u:***@h/d" in done.stdout
    assert "hunter2" not in done.stdout


WRONG = {
    "world-writable": (
        lambda config: config.chmod(0o666), {}, ["wp-config.php", "chmod o-w"],
    ),
    "missing": (lambda config: config.unlink(), {}, ["wordpress", "--wp-path"]),
    "a folder": (lambda config: (config.unlink(), config.mkdir()), {}, ["wp-config.php"]),
    "depends on the request": (
        lambda config: config.write_text("<?php\n\ndefine('DB_NAME', $_SERVER['HTTP_HOST']);\n"),
        {}, ["wp-config.php line 3", "DB_NAME", "request", "--dsn"],
    ),
    "wants PHP": (
        lambda config: config.write_text("<?php\ndefine('DB_NAME', secret_of('x'));\n"),
        {}, ["wp-config.php line 2", "DB_NAME", "secret_of", "--dsn"],
    ),
    "SQLite": (
        lambda config: config.write_text("<?php\ndefine('DB_ENGINE', 'sqlite');\ndefine('DB_NAME', 'x');\n"),
        {}, ["SQLite"],
    ),
    "DSN and path": (
        lambda _: None, {"RUNNER_DSN": "mysql://u@h/d", "RUNNER_WP_PATH": "wordpress"},
        ["RUNNER_DSN and RUNNER_WP_PATH cannot be given together"],
    ),
    "password and file": (
        lambda _: None, {"RUNNER_DB_PASSWORD": "hunter2", "RUNNER_DB_PASSWORD_FILE": "x"},
        ["RUNNER_DB_PASSWORD and RUNNER_DB_PASSWORD_FILE are both set"],
    ),
    "password file missing": (
        lambda _: None, {"RUNNER_DB_PASSWORD_FILE": "/no/file"},
        ["RUNNER_DB_PASSWORD_FILE", "/no/file", "No such file"],
    ),
    "unknown setting": (
        lambda config: (config.parents[1] / "runner.toml").write_text("batchsize = 3\n"), {},
        ["runner.toml: batchsize is no setting", "did you mean batch_size?"],
    ),
    "file of settings missing": (lambda _: None, {"RUNNER_CONFIG": "no.toml"}, ["no.toml"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_in_one_line(cli, wordpress, name):
    """Each with what to do, exit code 78, and no word of a password."""
    spoil, environ, words = WRONG[name]
    spoil(wordpress / "wp-config.php")
    path = () if "RUNNER_DSN" in environ else ("--wp-path", "wordpress")
    done = cli("status", *path, **environ)
    assert (done.returncode, done.stdout) == (78, "")
    assert (done.stderr.count("\n"), done.stderr[:8]) == (1, "runner: ")
    for word in words:
        assert word in done.stderr
    assert "hunter2" not in done.stderr
    assert PASSWORD not in done.stderr


def test_every_problem_is_told_at_once(cli, wordpress):
    """One line each: nobody has to start the command once for every slip."""
    (cli.folder / "runner.toml").write_text("batchsize = 3\n")
    done = cli("status", "--wp-path", "wordpress", RUNNER_MODE="often", RUNNER_EXPIRY="soon")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 3)
    assert all(line.startswith("runner: ") for line in done.stderr.splitlines())
