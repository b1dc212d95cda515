"""`runner health` and `runner alert`, as a user or cron calls them, with a real mail server and a real
endpoint; and the daemon that looks after all."""

from __future__ import annotations

import json
import signal
import time

import pytest
from support.inbox import CA, hang, https_server, mail_server, rude_server
from support.page import make_page
from support.site import PHP_CRON
from support.waiting import until

from compat.site_time import sql_date

DUE = 1_700_000_000
CANARY = "c4n4ryV4lu3"


@pytest.fixture
def shop(site, cli, tmp_path):
    """A migrated site beside PHP's runner; where an outage is remembered."""
    site.migrate()
    site.set_option("admin_email", "admin@shop.test")
    site.set_option("cron", PHP_CRON)
    cli.environ |= {"RUNNER_MODE": "auto", "RUNNER_STATE_DIR": str(tmp_path / "state"), "SSL_CERT_FILE": CA}  # fmt: skip
    return site


@pytest.fixture
def channels(cli, tmp_path):
    """A mail server and an endpoint, which the settings name."""
    with mail_server() as inbox, https_server() as hook:
        secret = tmp_path / "webhook"
        secret.write_text(hook.url + "\n")
        cli.environ |= {
            "RUNNER_SMTP_HOST": inbox.host, "RUNNER_SLACK_WEBHOOK_FILE": str(secret),
            "RUNNER_ALERT_PRIVATE": "true", "RUNNER_WEB_URL": "https://runner.shop.test/",
        }  # fmt: skip
        yield inbox, hook


def ago(seconds: float) -> str:
    return sql_date(int(time.time() - seconds))


def backlog(site, number: int, hook: str = "sync", seconds: int = 400) -> None:
    for n in range(number):
        site.add(hook, (n, {"api_key": CANARY}), at=int(time.time()) - seconds)


def test_all_is_well(shop, cli):
    """Each rule in a line; nothing is written."""
    done = cli("health")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert {line[1] for line in lines} == {
        "stuck", "overdue", "failures", "dead_letters", "backlog", "chains", "php", "workers", "protection", "database",
    }  # fmt: skip
    assert {line[0] for line in lines} <= {"ok", "unknown"}
    assert shop.own("alerts") == shop.own("looks") == shop.own("messages") == []


def test_what_is_wrong_is_said_with_what_to_do(shop, cli):
    """The worst last; the exit code tells a monitor; JSON has all of it."""
    backlog(shop, 3)
    done = cli("health", "--threshold", "late=2")
    assert done.returncode == 1
    assert "3 actions are overdue by more than 5 min" in done.stdout.splitlines()[-2]
    assert done.stdout.splitlines()[-1].strip().startswith("See that the queue is run")
    assert cli("health", "--threshold", "late=2", "--fail-on", "critical").returncode == 0
    done = cli("health", "--threshold", "late=2,overdue=2", "--json", "--fail-on", "critical")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["state"], found["address"]) == ("critical", "shop.test")
    [rule] = [r for r in found["rules"] if r["rule"] == "overdue"]
    assert (rule["state"], rule["findings"][0]["number"]) == ("critical", 3)
    assert found["thresholds"] == ["late=2", "overdue=2"]
    assert CANARY not in done.stdout


def test_from_cron_it_is_told_once_and_resolved_once(shop, cli, channels):
    """By mail to the site's own address and to Slack, although no daemon runs."""
    inbox, hook = channels
    backlog(shop, 3)
    options = ("health", "--send", "--quiet", "--threshold", "late=2")
    for _ in range(3):
        done = cli(*options)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert [letter["Subject"].partition(",")[0] for letter in inbox.letters] == [
        "[shop.test] WARNING: 3 actions are overdue by more than 5 min"
    ]
    assert inbox.letters[0].to == ["admin@shop.test"]
    assert len(hook.posts) == 1
    assert "<https://runner.shop.test/alerts|Open the page>" in str(hook.posts[0])
    shop.run(f"DELETE FROM {shop.table('actions')}")
    assert cli(*options).returncode == 0
    shop.run("UPDATE wp_runner_alerts SET seen_at = %s", (ago(95),))
    for _ in range(2):
        assert cli(*options).returncode == 0
    assert [letter["Subject"].partition(":")[0] for letter in inbox.letters[1:]] == ["[shop.test] RESOLVED"]  # fmt: skip
    assert len(hook.posts) == 2
    everything = str([letter.as_string() for letter in inbox.letters]) + str(hook.posts)
    assert CANARY not in everything
    assert "c4n4ry" not in everything


def test_the_list_of_alerts(shop, cli, channels):
    """What is open, what is over, and what could not be sent."""
    inbox, hook = channels
    assert cli("alert", "list").stdout == "nothing is wrong\n"
    hook.answers += [(500, {}, b"no")] * 9
    backlog(shop, 3)
    cli("health", "--send", "--threshold", "late=2")
    done = cli("alert", "list")
    assert done.returncode == 0
    row = done.stdout.splitlines()[1].split()
    assert row[1:4] == ["open", "warning", "overdue"]
    assert "answered 500 no" in done.stderr
    assert "c4n4ry" not in done.stderr
    shop.run(
        "UPDATE wp_runner_alerts SET open_key = NULL, resolved_at = seen_at, told = 'resolved'"
    )
    assert cli("alert", "list", "--format", "count").stdout == "0\n"
    [alert] = json.loads(cli("alert", "list", "--all", "--format", "json", "--fields", "state,rule,told").stdout)  # fmt: skip
    assert alert == {"state": "over", "rule": "overdue", "told": "resolved"}
    assert inbox.subjects


def test_silences(shop, cli, channels):
    """Nobody hears of it meanwhile; who said so is on record."""
    inbox, _ = channels
    done = cli(
        "alert", "silence", "--rule", "overdue", "--for", "2h", "--why", "an import", "--by", "anna"
    )
    assert done.stdout.startswith("silenced alerts of overdue until ")
    backlog(shop, 3)
    cli("health", "--send", "--quiet", "--threshold", "late=2")
    assert inbox.letters == []
    assert [row["told"] for row in shop.own("alerts")] == [""]
    assert "alerts of overdue, until" in (said := cli("alert", "silence").stdout)
    assert "by anna: an import" in said
    assert cli("alert", "silence", "--rule", "overdue", "--end").stdout == "alerts of overdue are told again\n"  # fmt: skip
    assert cli("alert", "silence", "--rule", "overdue", "--end").returncode == 1
    cli("health", "--send", "--quiet", "--threshold", "late=2")
    assert len(inbox.letters) == 1
    verbs = [(row["verb"], row["target"], row["actor"]) for row in shop.own("audit")]
    assert verbs[0] == ("silence", "alerts of overdue", "anna")
    assert [verb[0] for verb in verbs] == ["silence", "unsilence", "unsilence"]


def test_a_test_message(shop, cli, channels):
    """On each channel, with what came of it."""
    inbox, hook = channels
    done = cli("alert", "test")
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["email", "slack"]
    assert inbox.subjects == ["[shop.test] TEST: a test: alerts of this site arrive here"]
    hook.answers.append((403, {}, b"invalid_token"))
    done = cli("alert", "test", "--channel", "slack")
    assert (done.returncode, done.stderr) == (1, "runner: slack: 127.0.0.1 answered 403 invalid_token\n")  # fmt: skip
    assert len(inbox.letters) == 1


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"RUNNER_THRESHOLDS": "overdu=5"}, "there is no 'overdu'"),
        ({"RUNNER_THRESHOLDS": "overdue=-5"}, "a number from 0 to"),
        ({"RUNNER_THRESHOLDS": "workers=5@hook:x"}, "it is one for the whole site"),
        ({"RUNNER_THRESHOLDS": "overdue=5@hok:x"}, "names no hook and no group"),
        ({"RUNNER_THRESHOLDS": "late=5,late=6"}, "one value for late, not two"),
        ({"RUNNER_SLACK_WEBHOOK": f"http://hooks.slack.com/{CANARY}"}, "an address that begins with https://"),
        ({"RUNNER_SLACK_WEBHOOK": f"https://hooks.slack.com/{CANARY} x"}, "an address that begins with https://"),
        ({"RUNNER_SLACK_WEBHOOK": f"https://hooks.slack.com/{CANARY}\N{RIGHT DOUBLE QUOTATION MARK}"}, "an address that begins with https://"),
        ({"RUNNER_PULSE_URL": f"ftp://x/{CANARY}"}, "an address that begins with https://"),
        ({"RUNNER_ALERT_EMAIL": "ops@shop.test\nBcc: x@y.test"}, "mail addresses, such as ops@example.com"),
        ({"RUNNER_ALERT_EMAIL": "ops"}, "mail addresses, such as ops@example.com"),
        ({"RUNNER_ALERT_EMAIL": "ops@shop.test"}, "smtp_host is not"),
        ({"RUNNER_ALERT_FROM": "ops@shop.test."}, "one mail address, such as runner@example.com"),
        ({"RUNNER_ALERT_FROM": "a@shop.test, b@shop.test"}, "one mail address, such as"),
        ({"RUNNER_SMTP_HOST": "smtp.test:0"}, "a host, or a host and a port"),
        ({"RUNNER_SMTP_HOST": "smtp.test", "RUNNER_SMTP_USER": "me"}, "its password is not"),
        ({"RUNNER_ALERT_TITLE": "{sit} is down"}, "there is no {sit}"),
        ({"RUNNER_ALERT_TITLE": "{site.__class__}"}, "there is no {site.__class__}"),
        ({"RUNNER_ALERT_TITLE": "{site"}, "text with {key}s of site, url"),
        ({"RUNNER_ALERT_CHANNELS": "pager"}, "there is no channel 'pager'"),
        ({"RUNNER_WEB_URL": "runner.test"}, "the page's address"),
        ({"RUNNER_LISTEN": "9108"}, "an address and a port"),
        ({}, "no channel is set"),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong(shop, cli, environ, says):
    """One line that says what is expected, without what may be a secret."""
    done = cli("alert", "test", **environ)
    assert done.returncode == 78, done.stdout
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert CANARY not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("alert", "test", "--channel", "pager"), "there is no 'pager' here (there are: email, slack)"),
        (("alert", "silence", "--rule", "overdu", "--for", "1h"), "'overdu' is not one of"),
        (("alert", "silence", "--for", "1h"), "say which alerts"),
        (("alert", "silence", "--rule", "overdue"), "a silence has an end"),
        (("alert", "silence", "--all", "--rule", "overdue", "--for", "1h"), "--all goes without"),
        (("alert", "silence", "--hook", " ", "--for", "1h"), "names nothing"),
        (("alert", "silence", "--rule", "overdue", "--until", "2001-01-01"), "ends before it begins"),
        (("health", "--threshold", "nothing"), "NAME=NUMBER or NAME=off"),
        (("health", "--fail-on", "info"), "'info' is not one of"),
    ],
)  # fmt: skip
def test_an_option_that_is_wrong(shop, cli, channels, arguments, says):
    done = cli(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_own_tables(site, cli):
    """It looks all the same; telling needs them."""
    done = cli("health", RUNNER_MODE="auto")
    assert done.returncode == 0
    assert "unknown" in done.stdout
    done = cli("health", "--send", RUNNER_MODE="auto")
    assert (done.returncode, done.stderr) == (78, "runner: alerts need the runner's own tables: run `runner migrate`\n")  # fmt: skip


def test_a_database_out_of_reach_is_told_without_it(shop, cli, channels):
    """After a minute, once on each channel, to the address that it knew; and that it is back."""
    inbox, hook = channels
    options = ("health", "--send", "--quiet")
    assert cli(*options).returncode == 0
    away = shop.url.replace(str(shop.server.port), "1")
    for _ in range(2):
        assert cli(*options, RUNNER_DSN=away).returncode == 1
    assert inbox.letters == hook.posts == []
    [file] = list((cli.folder / "state").iterdir())
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"since": known["since"] - 60}))
    for _ in range(2):
        assert cli(*options, RUNNER_DSN=away).returncode == 1
    assert len(inbox.letters) == len(hook.posts) == 1
    assert inbox.subjects[0].startswith("[shop.test] CRITICAL: the database is out of reach: ")
    assert inbox.letters[0].to == ["admin@shop.test"]
    for _ in range(2):
        assert cli(*options).returncode == 0
    assert len(inbox.letters) == len(hook.posts) == 2
    assert inbox.subjects[1].startswith("[shop.test] RESOLVED: the database was out of reach for 1 min")  # fmt: skip
    [row] = shop.own("alerts")
    assert (row["rule"], row["told"]) == ("database", "resolved")


def test_an_outage_that_cannot_be_remembered_is_told_on_stderr(shop, cli, channels):
    """It would be mailed each minute."""
    inbox, _ = channels
    (cli.folder / "file").write_text("")
    away = shop.url.replace(str(shop.server.port), "1")
    done = cli("health", "--send", RUNNER_DSN=away, RUNNER_STATE_DIR=str(cli.folder / "file" / "x"))
    assert done.returncode == 1
    assert "set state_dir to a folder of this account's" in done.stderr
    assert inbox.letters == []


def test_the_pulse_goes_out_while_all_is_well(shop, cli, channels):
    """And not when something critical is wrong."""
    _, hook = channels
    url = hook.url.rpartition("/")[0] + "/pulse"
    assert cli("health", "--send", "--quiet", RUNNER_PULSE_URL=url).returncode == 0
    assert hook.gets == ["/services/T0/B0/pulse"]
    backlog(shop, 3)
    cli("health", "--send", "--quiet", "--threshold", "overdue=2", RUNNER_PULSE_URL=url)
    assert len(hook.gets) == 1


@pytest.fixture
def daemons(cli):
    """Starts `runner work`; kills what is left of it."""
    cli.module("jobs", "from runner import Handlers\nhandlers = Handlers()\n\n@handlers.on('quick')\ndef quick():\n    pass\n")  # fmt: skip
    started = []

    def start(**environ: str):
        started.append(
            cli.start(
                "work", "--handlers", "jobs:handlers", "--mode", "native", "--quiet", **environ
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        if not process.stdout.closed:  # also of one that the test killed
            process.communicate(timeout=30)


@pytest.mark.timeout(200)
def test_two_daemons_tell_once_and_a_mail_server_that_hangs_holds_up_nothing(
    shop, cli, channels, daemons
):
    """Within a look of theirs, on the channel that works; claims go on at their pace."""
    _, hook = channels
    backlog(shop, 1, "php_hook")
    with rude_server(hang) as address:
        pair = [daemons(RUNNER_SMTP_HOST=address, RUNNER_THRESHOLDS="late=0") for _ in range(2)]
        until(lambda: hook.posts, 75)
        began = time.monotonic()
        action = shop.add("quick", (), at=DUE)
        until(lambda: shop.row(action)["status"] == "complete", 10)
        assert time.monotonic() - began < 5
        for daemon in pair:
            daemon.send_signal(signal.SIGTERM)
        for daemon in pair:
            out, err = daemon.communicate(timeout=30)
            assert (daemon.returncode, out) == (0, "")
            assert "c4n4ry" not in err
    assert "is overdue by more than 5 min" in hook.posts[0]["text"]
    assert len(hook.posts) == 1


def test_a_daemon_that_was_killed_is_missed(shop, cli, channels, daemons):
    """Nothing is told while it lives; cron hears of its death, and that another one came."""
    inbox, hook = channels
    first = daemons()
    until(lambda: shop.own("workers"))
    assert cli("health", "--send", "--quiet").returncode == 0
    first.kill()
    shop.run("UPDATE wp_runner_workers SET seen_at = %s", (ago(61),))
    assert cli("health", "--send", "--quiet").returncode == 1
    assert "CRITICAL: no worker gave a sign of life for 1 min" in inbox.subjects[0]
    daemons()
    until(lambda: len(shop.own("workers")) == 2)
    shop.run("UPDATE wp_runner_alerts SET seen_at = %s", (ago(95),))
    for _ in range(2):
        assert cli("health", "--send", "--quiet").returncode == 0
    assert len(inbox.letters) == len(hook.posts) == 2
    assert "RESOLVED" in inbox.subjects[1]


FAILING = f"""
from runner import Handlers, RetryPolicy
handlers = Handlers(retry=RetryPolicy.never())

@handlers.on("sync")
def sync(number, options):
    raise ValueError("login failed: password={CANARY} for https://me:{CANARY}@crm.test/")
"""


def test_no_secret_gets_out(shop, cli, channels):
    """Of args, errors and the connection: in no message, no line of a log, no page, no metric and
    none of the tables that alerts are kept in."""
    inbox, hook = channels
    cli.module("failing", FAILING)
    shop.server.execute(
        "DROP USER IF EXISTS canary", f"CREATE USER canary IDENTIFIED BY '{CANARY}'", "GRANT ALL ON *.* TO canary"
    )  # fmt: skip
    cli.environ |= {
        "RUNNER_DSN": shop.server.url(shop.name, password=False).replace("runner_test@", "canary@"),
        "RUNNER_DB_PASSWORD": CANARY, "RUNNER_HANDLERS": "failing:handlers",
    }  # fmt: skip
    backlog(shop, 2)
    said = [cli("run", "--mode", "native", "--inline", "--quiet"), cli("health", "--send")]
    backlog(shop, 3, seconds=90)
    hook.answers += [(500, {}, f"token={CANARY}".encode())]
    said += [cli("health", "--send", "--threshold", "overdue=2"), cli("alert", "list"), cli("alert", "test")]  # fmt: skip
    away = cli.environ["RUNNER_DSN"].replace(str(shop.server.port), "1")
    said += [cli("health", "--send", RUNNER_DSN=away), cli("health", RUNNER_DSN=away)]
    wrong = {"RUNNER_DB_PASSWORD": f"{CANARY}x"}
    said += [cli("health", **wrong), cli("alert", "list", **wrong)]
    assert [done.returncode for done in said] == [0, 1, 1, 0, 0, 1, 1, 1, 1]
    page = make_page(shop, is_open=True)
    shown = [
        page.test_client().get(path).text for path in ("/alerts", "/metrics", "/api/alerts", "/")
    ]
    assert "dead letters of sync" in shown[0]
    kept = [
        str(shop.own(table)) for table in ("alerts", "messages", "looks", "silences", "minutes")
    ]
    texts = [done.stdout + done.stderr for done in said] + shown + kept
    texts += [letter.as_string() for letter in inbox.letters] + [str(hook.posts)]
    assert len(inbox.letters) >= 2
    assert [text for text in texts if CANARY in text] == []
