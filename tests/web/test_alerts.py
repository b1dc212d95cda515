"""The page of alerts, and metrics."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.page import NOW, Visitor, account, connected, texts

from compat.site_time import sql_date
from runner.core.findings import Finding, Severity
from runner.core.message import SendError
from runner.core.thresholds import Thresholds, parse
from runner.operations.health.alerts import Alerts, Telling
from runner.operations.health.looks import Looks
from runner.operations.health.outbox import Outbox

EVIL = "<script>alert(1)</script>"


class Refuses:
    name = "slack"

    def send(self, _message) -> None:
        raise SendError(f"answered 500 {EVIL} password=c4n4ryV4lu3")


@pytest.fixture
def ill(shop):
    """Two open alerts, one that is over, a message that did not go out; somebody looked."""
    database, site = connected(shop)
    alerts, telling = Alerts(database, site), Telling(("slack",))
    bad = Finding("php", Severity.CRITICAL, "PHP's runner is silent", "See that WP-Cron runs.")
    evil = Finding("failures", Severity.WARNING, f"{EVIL} failed", "", f"hook {EVIL}")
    alerts.update([bad, evil, Finding("stuck", Severity.WARNING, "one was stuck")], telling)
    shop.run("UPDATE wp_runner_alerts SET seen_at = %s WHERE rule = 'stuck'", (sql_date(NOW - 95),))
    alerts.update([bad, evil], Telling())
    Outbox(database, site).deliver(Refuses())
    Looks(database, site, "ops1").begin(NOW, Thresholds(parse("late=7,failures=50@hook:sync")), ["slack"])  # fmt: skip
    database.close()
    return shop


def test_all_of_it_is_shown(ill, reader):
    """What is wrong and what to do, what was, who looks, what did not go out, the thresholds."""
    answer = reader.get("/alerts")
    shown = texts(answer.text)
    for text in (
        "ops1 looks after this site, last now, and tells slack", "Critical PHP's runner is silent See that WP-Cron runs.",
        "one was stuck", "Messages that did not go out", "late 7 actions set", "failures=50@hook:sync", "overdue 500 actions",
    ):  # fmt: skip
        assert text in shown, text
    assert "<script>alert" not in answer.text
    assert "c4n4ryV4lu3" not in answer.text
    assert "Silence" not in [word.strip() for word in shown.split("Silences")[0].split()]
    assert 'aria-current="page"><span class="dot bad"></span>Alerts <span class="count some">2</span>' in answer.text  # fmt: skip


def test_many_warnings_hide_no_critical_alert(shop, reader):
    """However old it is."""
    database, site = connected(shop)
    many = [Finding("failures", Severity.WARNING, "some failed", "", f"hook {i}") for i in range(120)]  # fmt: skip
    bad = Finding("php", Severity.CRITICAL, "PHP's runner is silent")
    Alerts(database, site).update([bad, *many], Telling())
    database.close()
    assert "Critical PHP's runner is silent" in texts(reader.get("/alerts").text)


def test_the_overview_points_there(ill, reader):
    assert "2 alerts, 1 critical : see what is wrong" in texts(reader.get("/").text)


def test_thresholds_of_another_runner(ill, reader):
    """As they are, however large; what only a newer one knows is left out."""
    ill.run("""UPDATE wp_runner_looks SET thresholds = '["overdue=1234567", "newer=5"]'""")
    assert "overdue 1234567 actions set" in texts(reader.get("/alerts").text)


def test_nobody_looks(shop, reader):
    """That is said plainly, and that nothing is wrong is not."""
    shown = texts(reader.get("/alerts").text)
    assert "Nobody looks after this site: the daemon" in shown
    shop.run("INSERT INTO wp_runner_looks VALUES ('gone', 'b', %s, 1, 0, '[]', '[]')", (NOW - 181,))
    assert "Nobody looks after this site since 3 min ago" in texts(reader.get("/alerts").text)


def test_silencing_and_ending_it(ill, admin):
    """With who did it on record; the page says what was done."""
    admin.get("/alerts")
    done = admin.post("/silences", {"rule": "failures", "subject": f"hook {EVIL}", "for": "8h", "reason": "a  move"})  # fmt: skip
    assert done.status_code == 303
    [row] = ill.own("silences")
    assert (row["rule"], row["subject"], str(row["until"]), row["reason"], row["actor"]) == (
        "failures", f"hook {EVIL}", sql_date(NOW + 28_800), "a move", "the-admin"
    )  # fmt: skip
    assert admin.notice() == f"Nobody is told of alerts of failures, hook {EVIL} for 8h."
    assert "by the-admin" in texts(admin.get("/alerts").text)
    assert admin.post("/silences/ends", {"rule": "failures", "subject": f"hook {EVIL}"}).status_code == 303  # fmt: skip
    assert ill.own("silences") == []
    admin.post("/silences/ends", {"rule": "failures"})
    assert admin.notice() == "Alerts of failures were not silenced any more."
    assert [row["verb"] for row in ill.own("audit")] == ["silence", "unsilence", "unsilence"]


@pytest.mark.parametrize("form", [{"rule": "nothing", "for": "1h"}, {"rule": "php", "for": "1y"}, {"rule": "php"}])  # fmt: skip
def test_a_silence_that_is_none(ill, admin, form):
    admin.get("/alerts")
    assert admin.post("/silences", form).status_code == 409
    assert ill.own("silences") == []


def test_who_may_look_may_not_silence(ill, reader):
    reader.get("/pauses")
    assert reader.post("/silences", {"rule": "php", "for": "1h"}).status_code == 403
    assert ill.own("silences") == []


def test_the_api(ill, app):
    """The same as JSON, by a token."""
    visitor = Visitor(app, headers={"Authorization": f"Bearer {account(ill, 'robot', token=True)}"})
    found = visitor.get("/api/alerts").get_json()
    assert [(a["rule"], a["severity"]) for a in found["open"]] == [("php", "critical"), ("failures", "warning")]  # fmt: skip
    assert (found["over"][0]["rule"], found["unsent"][0]["channel"]) == ("stuck", "slack")
    assert {t["name"]: t["value"] for t in found["thresholds"]}["late"] == 7
    assert "c4n4ryV4lu3" not in str(found)


def metrics_of(text: str) -> dict[str, float]:
    """Every sample by its name and labels, read by Prometheus's own parser."""
    return {
        sample.name + "".join(f"|{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics(ill, app):
    """What the tables tell, to who has a token."""
    for hook, done, failed in (("", 5, 1), ("shop_sync", 4, 0), (EVIL + '"\n', 1, 1)):
        ill.run(
            "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, wait_p95, run_p95) VALUES (%s, %s, %s, %s, 2, 1500, NULL)",
            (sql_date(NOW - 60), hook, done, failed),
        )
    ill.run("INSERT INTO wp_runner_census (status, group_slug, hook, actions, due, recurring, taken_at, cost_ms) VALUES ('pending', 'shop', 'a', 7, 3, 0, %s, 1), ('pending', 'shop', 'b', 2, 1, 0, %s, 1)", (sql_date(NOW - 30), sql_date(NOW - 30)))  # fmt: skip
    assert Visitor(app).get("/metrics").status_code == 401
    robot = Visitor(app, headers={"Authorization": f"Bearer {account(ill, 'robot', token=True)}"})
    answer = robot.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found = metrics_of(answer.text)
    expected = {
        "runner_database_up": 1, "runner_actions|status=pending": 3, "runner_actions|status=failed": 1,
        "runner_overdue_actions": 1, "runner_oldest_due_age_seconds": 300, "runner_dead_letters": 1,
        "runner_workers": 0, "runner_alerts|rule=php|severity=critical": 1,
        "runner_alerts|rule=failures|severity=warning": 1, "runner_messages_waiting|channel=slack": 1,
        "runner_health_look_age_seconds": 0, "runner_last_minute_age_seconds": 0,
        "runner_actions_last_minute|outcome=done": 5, "runner_wait_p95_seconds": 1.5,
        "runner_hook_actions_last_minute|hook=shop_sync|outcome=retried": 2,
        "runner_census_age_seconds": 30, "runner_census_actions|group=shop|status=pending": 9,
        "runner_census_due_actions|group=shop": 4,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    assert "c4n4ryV4lu3" not in answer.text
    assert sum(name.startswith("runner_hook_actions_last_minute") for name in found) == 6
