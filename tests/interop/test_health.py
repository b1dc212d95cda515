"""`runner health --send` beside PHP's own runner: what both sides do is seen rightly, and people hear
of what is wrong once, by a real mail server and a real endpoint."""

from __future__ import annotations

import json

import pytest
from interop.wordpress import GROUP, OWN_HOOKS, Enqueued, until
from support.inbox import CA, https_server, mail_server

from compat.action_scheduler import PHP_CONTEXTS
from runner.operations.plugin import NAME

OURS, THEIRS = "py_interop_health", "php_interop_health"
HANDLERS = ("--handlers", "jobs:handlers")
JOBS = f"""
from runner import Handlers
handlers = Handlers()

@handlers.on({OURS!r})
def note(number):
    pass
"""

SOON = "php=2"
"""PHP's runner counts as silent after two seconds instead of ten minutes."""

MANY = 100
DAY = 86_400

pytestmark = pytest.mark.timeout(200)


class Health:
    """The command that cron calls each minute, and what came of it."""

    def __init__(self, cli, site, inbox, hook) -> None:
        self.cli, self.site, self.inbox, self.hook = cli, site, inbox, hook

    def look(self, *thresholds: str, **environ: str) -> dict[str, tuple[str, str]]:
        """State and text of each rule; tells nobody."""
        done = self.cli("health", "--json", *HANDLERS, *self._given(thresholds), **environ)
        assert done.stderr == ""
        return {r["rule"]: (r["state"], r["text"]) for r in json.loads(done.stdout)["rules"]}

    def send(self, *thresholds: str) -> int:
        """The exit code. A daemon looks too, once a minute: whoever comes meanwhile leaves all to it,
        and this waits until it is our turn."""

        def mine():
            done = self.cli("health", "--send", *HANDLERS, *self._given(thresholds))
            assert done.stderr == ""
            return None if "another runner is at it" in done.stdout else done

        return until("a look of our own", mine).returncode

    def send_at_once(self, number: int, *thresholds: str) -> list[int]:
        """The exit codes of so many at the same time."""
        command = ("health", "--send", "--quiet", *HANDLERS, *self._given(thresholds))
        looking = [self.cli.start(*command) for _ in range(number)]
        assert [process.communicate(timeout=60) for process in looking] == [("", "")] * number
        return [process.returncode for process in looking]

    @property
    def told(self) -> tuple[int, int]:
        """How many e-mails and Slack messages came."""
        return len(self.inbox.letters), len(self.hook.posts)

    def said(self, number: int) -> tuple[str, str]:
        """The texts of an e-mail and of a Slack message."""
        letter = self.inbox.letters[number]
        body = letter.get_body(("plain",)).get_content()
        return f"{letter['Subject']}\n{body}", json.dumps(self.hook.posts[number])

    def backdate_alerts(self) -> None:
        """As if two looks had not found them: they are over with the next."""
        table = f"`{self.site.facts['prefix']}runner_alerts`"
        self.site.run(f"UPDATE {table} SET seen_at = seen_at - INTERVAL 95 SECOND")

    @staticmethod
    def _given(thresholds) -> tuple[str, ...]:
        return ("--threshold", ",".join(thresholds)) if thresholds else ()


@pytest.fixture
def shop(install):
    """The site with the runner and its plugin, beside PHP's runner, which ran none of Action
    Scheduler's own actions lately: those are no test's."""
    site = install(JOBS)
    own = site.rows(OWN_HOOKS)
    if own:
        backdate_logs(site, own, DAY)
    return site


@pytest.fixture
def health(shop, cli, tmp_path):
    """With a mail server and an endpoint."""
    with mail_server() as inbox, https_server() as hook:
        secret = tmp_path / "webhook"
        secret.write_text(hook.url + "\n")
        cli.environ |= {
            "RUNNER_SMTP_HOST": inbox.host, "RUNNER_SLACK_WEBHOOK_FILE": str(secret),
            "RUNNER_ALERT_PRIVATE": "true", "RUNNER_STATE_DIR": str(tmp_path / "state"),
            "SSL_CERT_FILE": CA,
        }  # fmt: skip
        yield Health(cli, shop, inbox, hook)


@pytest.fixture
def daemon(shop, cli):
    """Starts a daemon without channels: it is there to be seen. Afterwards it ends."""
    started = []
    silent = {"RUNNER_SMTP_HOST": "", "RUNNER_SLACK_WEBHOOK_FILE": ""}

    def start():
        before = workers(shop)
        started.append(cli.start("work", *HANDLERS, "--queues", "*:1", "--quiet", **silent))
        until("a worker", lambda: workers(shop) > before)
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


def workers(site) -> int:
    [(number,)] = site.run(f"SELECT COUNT(*) FROM `{site.facts['prefix']}runner_workers`")
    return int(number)


def enqueue(site, hook: str, kind: str = "single", *, ago: int = 60, number: int = 1) -> list[int]:
    when = site.now() - ago
    group = f"{GROUP}health"
    return site.enqueue([Enqueued(kind, hook, [n], when, None, group) for n in range(number)])


def run_php(site, context: str = "WP Cron") -> list[int]:
    """PHP's own runner, until nothing of its own is due; the actions that it ran."""
    calls = site.php("run_queue", hooks=[THEIRS], context=context)["calls"]
    return sorted(call[0] for call in calls)


def backdate_logs(site, ids, seconds: int) -> None:
    """As if all that happened to these actions had happened earlier."""
    site.run(
        f"UPDATE {site.table('logs')} SET log_date_gmt = log_date_gmt - INTERVAL {seconds} SECOND"
        f" WHERE action_id IN ({', '.join(map(str, ids))})"
    )


def age(site, ids, seconds: int) -> None:
    """As if these actions had been created earlier."""
    backdate_logs(site, ids, seconds)
    site.run(
        f"UPDATE {site.table('actions')} SET"
        f" scheduled_date_gmt = scheduled_date_gmt - INTERVAL {seconds} SECOND,"
        f" scheduled_date_local = scheduled_date_local - INTERVAL {seconds} SECOND"
        f" WHERE action_id IN ({', '.join(map(str, ids))})"
    )


def statuses(site, ids) -> set[str]:
    return {site.row(id_)["status"] for id_ in ids}


@pytest.mark.parametrize("context", PHP_CONTEXTS)
def test_nothing_is_told_while_both_work(shop, health, daemon, context):
    """PHP runs its own, whatever its runner is called by, and the daemon runs Python's."""
    daemon()
    theirs, ours = enqueue(shop, THEIRS, number=3), enqueue(shop, OURS, number=3)
    assert run_php(shop, context) == theirs
    assert f"action complete via {context}" in shop.logs(theirs[0])
    until("Python's", lambda: statuses(shop, ours) == {"complete"})
    for _ in range(2):
        assert health.send(SOON) == 0
    states = {rule: state for rule, (state, _) in health.look(SOON).items()}
    assert [states[rule] for rule in ("php", "workers", "protection", "overdue")] == ["ok"] * 4
    assert health.told == (0, 0)


def test_both_stop_and_work_again(shop, health, daemon):
    """One message by mail and one to Slack, however many look and how often; one more on each when
    it is over; and nothing afterwards."""
    process = daemon()
    assert run_php(shop) == []
    assert health.send(SOON) == 0
    process.kill()
    process.communicate(timeout=30)
    table = f"`{shop.facts['prefix']}runner_workers`"
    shop.run(f"UPDATE {table} SET seen_at = seen_at - INTERVAL 61 SECOND")
    theirs = enqueue(shop, THEIRS)
    until("PHP's silence", lambda: health.look(SOON)["php"][0] == "critical")

    assert health.send_at_once(2, SOON) == [1, 1]
    assert health.send(SOON) == 1
    assert health.send_at_once(3, SOON) == [1, 1, 1]
    assert health.told == (1, 1)
    for text in health.said(0):
        assert f"PHP's runner is silent for more than 2 s while actions of PHP are due ({THEIRS})" in text  # fmt: skip
        assert "no worker gave a sign of life for 1 min" in text

    daemon()
    assert run_php(shop) == theirs
    assert health.send(SOON) == 0
    assert health.told == (1, 1)  # it may come again within the minute
    health.backdate_alerts()
    assert health.send_at_once(2, SOON) == [0, 0]
    for _ in range(2):
        assert health.send(SOON) == 0
    assert health.told == (2, 2)
    assert "RESOLVED" in health.inbox.subjects[1]
    for text in health.said(1):
        assert "PHP's runner" in text
        assert "no worker" in text


BOTH = pytest.mark.parametrize("hook", [THEIRS, OURS])
SILENT = {THEIRS: "php", OURS: "workers"}
"""Which rule misses whom when actions of a hook wait."""


def silent(seen) -> list[str]:
    """Of both sides, who is missed."""
    return [rule for rule in SILENT.values() if seen[rule][0] == "critical"]


@BOTH
@pytest.mark.parametrize("number", [1, MANY])
def test_async_actions_that_were_just_enqueued_are_not_overdue(shop, health, hook, number):
    """Although nobody worked for long; a while later they are."""
    limits = ("php=120", "overdue=0", "late=0")
    ids = enqueue(shop, hook, "async", number=number)
    assert health.send(*limits) == 0
    assert health.told == (0, 0)
    age(shop, ids, 130)
    seen = health.look(*limits)
    assert (seen["overdue"][0], f"{hook} ({number})" in seen["overdue"][1]) == ("critical", True)
    assert silent(seen) == [SILENT[hook]]


@BOTH
@pytest.mark.parametrize("number", [1, MANY])
def test_actions_of_an_earlier_date_are_not_overdue_at_once(shop, health, hook, number):
    """As plugins begin a daily chain: today at midnight, which is hours ago."""
    limits = ("overdue=0", "late=0")
    ids = enqueue(shop, hook, ago=6 * 3600, number=number)
    assert health.send(*limits) == 0
    assert health.told == (0, 0)
    backdate_logs(shop, ids, 601)
    seen = health.look(*limits)
    assert (seen["overdue"][0], f"{hook} ({number})" in seen["overdue"][1]) == ("critical", True)
    assert "the oldest for 10 min" in seen["overdue"][1]
    assert silent(seen) == [SILENT[hook]]


def elsewhere(site) -> dict[str, str]:
    """A machine that reaches the database and not the site's files."""
    return {"RUNNER_DSN": site.url, "RUNNER_WP_PATH": ""}


def test_a_missing_plugin_is_told(shop, health):
    """At once where its folder can be seen; anywhere, by the actions that it did not park; over
    when it is there again."""
    (shop.path / "wp-content" / "mu-plugins" / NAME).unlink()
    assert health.send() == 1
    assert health.told == (1, 1)
    for text in health.said(0):
        assert "the plugin is not in its folder" in text
    ids = enqueue(shop, OURS, ago=-3600)
    backdate_logs(shop, ids, 61)
    assert f"1 of {OURS} are not parked" in health.look()["protection"][1]
    assert health.send() == 1
    assert health.cli("install", *HANDLERS).returncode == 0
    assert health.cli("run", *HANDLERS, "--quiet").returncode == 0
    assert health.send() == 0
    health.backdate_alerts()
    for _ in range(2):
        assert health.send() == 0
    assert health.told == (2, 2)
    assert "RESOLVED" in health.inbox.subjects[1]


@pytest.mark.parametrize("kind", ["single", "async"])
def test_actions_that_are_not_parked_are_seen_from_anywhere(shop, health, kind):
    """Without the site's files. For a minute they may wait for the sweep."""
    (shop.path / "wp-content" / "mu-plugins" / NAME).unlink()
    ids = enqueue(shop, OURS, kind, ago=-3600)
    assert health.look(**elsewhere(shop))["protection"][0] == "ok"
    backdate_logs(shop, ids, 61)
    state, text = health.look(**elsewhere(shop))["protection"]
    assert (state, f"1 of {OURS} are not parked" in text) == ("critical", True)
    assert health.cli("run", *HANDLERS, "--quiet").returncode == 0
    assert health.look(**elsewhere(shop))["protection"][0] == "ok"


@pytest.mark.parametrize("context", PHP_CONTEXTS)
def test_actions_that_php_failed_are_seen_from_anywhere(shop, health, context):
    """It knows no callback of theirs."""
    (shop.path / "wp-content" / "mu-plugins" / NAME).unlink()
    ids = enqueue(shop, OURS)
    assert run_php(shop, context) == []
    assert statuses(shop, ids) == {"failed"}
    state, text = health.look(**elsewhere(shop))["protection"]
    assert (state, f"PHP failed 1 of {OURS}" in text) == ("critical", True)
