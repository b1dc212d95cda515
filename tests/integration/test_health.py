"""What is found wrong with a site: each rule against a real database, at a moment that is set."""

from __future__ import annotations

import json

import pytest
from support.health import NOW, found, rules
from support.site import PHP_CRON

from compat import schedules
from compat.action_scheduler import parked
from compat.site_time import sql_date


@pytest.fixture
def shop(site, server):
    """With the runner's own tables, a worker just seen, PHP's runner scheduled, minutes recorded."""
    site.migrate()
    site.set_option("cron", PHP_CRON)
    worker(site, NOW - 10)
    minute(site, NOW - 60, "", done=1)
    return site


def worker(site, seen: int, queue: str = "*") -> None:
    site.run(
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        " VALUES ('here', 1, %s, 'inline', '1', %s, %s)",
        (queue, sql_date(seen), sql_date(seen)),
    )


def minute(site, at: int, hook: str, *, done: int = 0, failed: int = 0, waiting=None) -> None:
    site.run(
        "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, waiting) VALUES (%s, %s, %s, %s, 0, %s)",
        (sql_date(at // 60 * 60), hook, done, failed, waiting),
    )


def letter(site, hook: str, at: int, *, group: str = "", type_: str = "", status: str = "dead"):
    site.run(
        "INSERT INTO wp_runner_dead_letters (job_type, error_message, status, created_at, action_id, hook, group_id,"
        " group_slug, priority, kind, error_class, traceback, claim_id, worker, site)"
        " VALUES (%s, 'password=c4n4ry', %s, %s, 1, %s, 1, %s, 10, 'error', 'E', '', 1, '', '')",
        (type_, status, sql_date(at), hook, group),
    )


def line(site, at: int, message: str, action: int = 1) -> None:
    site.insert("logs", {"action_id": action, "message": message, "log_date_gmt": sql_date(at), "log_date_local": sql_date(at)})  # fmt: skip


def many(site, number: int, at: int, hook: str = "sync", group: str = "") -> None:
    first = site.add(hook, (), at=at, group=group)
    actions, names = (
        site.table("actions"),
        "hook, status, scheduled_date_gmt, scheduled_date_local, priority, args, group_id, schedule",
    )
    done = 1
    while done < number:
        step = min(done, number - done)
        site.run(
            f"INSERT INTO {actions} ({names}) SELECT {names} FROM {actions} WHERE hook = %s AND action_id >= %s LIMIT {step}",
            (hook, first),
        )
        done += step


def test_a_healthy_site_has_nothing(shop, server):
    """Young actions, running ones with signs of life, an old letter, few failures."""
    shop.add("sync", (), at=NOW - 30)
    shop.add("sync", (), at=NOW + 60)
    shop.add("run", (), at=NOW - 60, status="in-progress", last_attempt_gmt=sql_date(NOW - 599))
    minute(shop, NOW - 120, "mail", done=90, failed=10)
    letter(shop, "mail", NOW - 3601)
    letter(shop, "mail", NOW - 60, status="replayed")
    assert found(shop, server) == []
    assert {rule: judged.state for rule, judged in rules(shop, server).items()} == dict.fromkeys(
        ("stuck", "overdue", "failures", "dead_letters", "chains", "php", "workers", "protection"), "ok"
    ) | {"backlog": "unknown", "database": "ok"}  # fmt: skip


def test_stuck(shop, server):
    """In progress and silent for ten minutes; a hook may take longer."""
    silent = {"status": "in-progress", "last_attempt_gmt": sql_date(NOW - 601)}
    first = shop.add("import", (), at=NOW - 900, **silent)
    shop.add("import", (), at=NOW - 900, **silent | {"last_attempt_gmt": sql_date(NOW - 600)})
    shop.add("slow", (), at=NOW - 900, **silent)
    [one] = found(shop, server, "stuck=700@hook:slow")
    assert (one.rule, one.severity, one.subject, one.number) == ("stuck", "warning", "hook import", 601)  # fmt: skip
    assert "2 actions of import run without a sign of life" in one.text
    assert f"explain {first}" in one.advice
    assert len(found(shop, server, "stuck=601")) == 2
    assert found(shop, server, "stuck=off") == []


def test_stuck_while_parked(shop, server):
    """Its sign of life is the lease, which ran out."""
    action = shop.add("import", (), at=NOW - 900, status="in-progress")
    shop.run("INSERT INTO wp_runner_held (action_id, claim_id) VALUES (%s, 77)", (action,))
    shop.run("INSERT INTO wp_runner_leases (claim_id, worker_id, expires_at) VALUES (77, 1, %s)", (sql_date(NOW - 599),))  # fmt: skip
    assert found(shop, server) == []
    shop.run("UPDATE wp_runner_leases SET expires_at = %s", (sql_date(NOW - 660),))
    [one] = found(shop, server)
    assert (one.rule, one.subject, one.number) == ("stuck", "hook import", 660)


def test_overdue_has_two_levels(shop, server):
    """More than 100 later than five minutes are a warning, more than 500 overdue are critical."""
    many(shop, 100, NOW - 301)
    assert found(shop, server) == []
    many(shop, 1, NOW - 500, "mail")
    [one] = found(shop, server)
    assert (one.rule, one.severity, one.number, one.subject) == ("overdue", "warning", 101, "")
    assert "101 actions are overdue by more than 5 min, the oldest for 8 min 20 s: sync (100), mail (1)" in one.text  # fmt: skip
    many(shop, 399, NOW - 61)
    assert found(shop, server)[0].severity == "warning"
    many(shop, 1, NOW - 61)
    [one] = found(shop, server)
    assert (one.severity, one.number) == ("critical", 501)


def test_overdue_is_counted_no_further_than_it_matters(shop, server):
    """A backlog of any size costs the same; a threshold beyond that is compared all the same."""
    many(shop, 2100, NOW - 90)
    assert found(shop, server)[0].text.startswith("2,000 or more actions are overdue")
    assert found(shop, server, "overdue=2099")[0].number == 2100
    assert found(shop, server, "overdue=2100") == []


def test_overdue_without_a_date(shop, server):
    """They are old when they were there a minute ago."""
    young = {"scheduled_date_gmt": "0000-00-00 00:00:00"}
    for _ in range(3):
        shop.add("async", (), at=NOW - 30, **young)
    assert found(shop, server, "overdue=2") == []
    shop.run(f"UPDATE {shop.table('logs')} SET log_date_gmt = %s", (sql_date(NOW - 61),))
    [one] = found(shop, server, "overdue=2")
    assert (one.number, one.severity) == (3, "critical")
    assert "oldest" not in one.text


def test_overdue_since_it_was_created(shop, server):
    """An action with a date of the past does not wait since then; without any line of the log its date
    counts."""
    for number in range(3):
        created(shop, shop.add("sync", (number,), at=NOW - 7200), NOW - 30)
    assert found(shop, server, "overdue=2,late=2", hooks=["sync"]) == []
    shop.run(f"UPDATE {shop.table('logs')} SET log_date_gmt = %s", (sql_date(NOW - 90),))
    [one] = found(shop, server, "overdue=2,late=2")
    assert (one.severity, one.number) == ("critical", 3)
    assert "the oldest for 1 min 30 s" in one.text
    assert found(shop, server, "overdue=3,late=2") == []
    shop.run(f"DELETE FROM {shop.table('logs')}")
    assert "the oldest for 2 h" in found(shop, server, "overdue=3,late=2")[0].text


def created(site, action: int, at: int) -> None:
    """When the log says that it was."""
    site.run(
        f"UPDATE {site.table('logs')} SET log_date_gmt = %s WHERE action_id = %s",
        (sql_date(at), action),
    )


def test_overdue_while_parked(shop, server):
    """By their true dates."""
    for _ in range(3):
        action = shop.add("sync", (), at=NOW - 400)
        shop.run(
            f"UPDATE {shop.table('actions')} SET scheduled_date_gmt = %s WHERE action_id = %s",
            (parked(sql_date(NOW - 400)), action),
        )
    [one] = found(shop, server, "late=2")
    assert "3 actions are overdue by more than 5 min, the oldest for 6 min 40 s" in one.text


def test_overdue_by_hook_and_group(shop, server):
    """One with a threshold of its own counts for itself alone; what is paused counts nowhere."""
    many(shop, 30, NOW - 400, "bulk")
    many(shop, 20, NOW - 400, "mail", group="letters")
    many(shop, 10, NOW - 400, "rest")
    both = found(shop, server, "late=10, late=25@hook:bulk, late=50@group:letters")
    assert [(f.subject, f.number) for f in both] == [("hook bulk", 30)]
    assert {f.subject for f in found(shop, server, "late=9, late=19@group:letters")} == {"", "group letters"}  # fmt: skip
    assert found(shop, server, "late=9, late=off@hook:bulk, overdue=off@hook:bulk")[0].number == 30
    shop.run("INSERT INTO wp_runner_pauses VALUES ('hook', 'bulk', NULL, '', 'me', %s)", (sql_date(NOW),))  # fmt: skip
    assert found(shop, server, "late=9")[0].number == 30
    shop.run("INSERT INTO wp_runner_pauses VALUES ('all', '', NULL, '', 'me', %s)", (sql_date(NOW),))  # fmt: skip
    assert found(shop, server, "late=9") == []


def test_overdue_where_hooks_and_groups_overlap(shop, server):
    """What is paused by its group is not overdue by its hook, nor the other way round; a hook's own
    threshold goes before its group's."""
    many(shop, 20, NOW - 400, "mail", group="letters")
    limits = "late=100, late=10@hook:mail", "late=100, late=10@group:letters"
    for text in limits:
        assert found(shop, server, text)[0].number == 20
    assert found(shop, server, f"{limits[1]}, late=off@hook:mail") == []
    for (kind, name), text in zip((("group", "letters"), ("hook", "mail")), limits, strict=True):
        shop.run("DELETE FROM wp_runner_pauses")
        shop.run("INSERT INTO wp_runner_pauses VALUES (%s, %s, NULL, '', 'me', %s)", (kind, name, sql_date(NOW)))  # fmt: skip
        assert found(shop, server, text) == []


def test_failures(shop, server):
    """More than ten percent within an hour, by hook, out of the minutes."""
    minute(shop, NOW - 120, "mail", done=89, failed=10)
    minute(shop, NOW - 180, "mail", failed=1)
    minute(shop, NOW - 180, "fine", done=90, failed=10)
    minute(shop, NOW - 3720, "old", failed=5)
    minute(shop, NOW + 600, "ahead", failed=5)
    [one] = found(shop, server)
    assert (one.rule, one.subject, one.number) == ("failures", "hook mail", 11)
    assert one.text == "11 % of mail failed within 1 h: 11 of 100"
    assert found(shop, server, "failures=20@hook:mail") == []
    assert found(shop, server, "failures.least=12") == []


def test_failures_are_unknown_without_minutes(shop, server):
    """Nobody recorded any for a while: that is not fine."""
    shop.run("DELETE FROM wp_runner_minutes")
    minute(shop, NOW - 1000, "")
    assert rules(shop, server)["failures"].state == "unknown"


def test_a_group_s_threshold_holds_for_its_hooks(shop, server):
    """As the last census knew them."""
    shop.run("INSERT INTO wp_runner_census (status, group_slug, hook, actions, due, recurring, taken_at, cost_ms) VALUES ('complete', 'letters', 'mail', 1, 0, 0, %s, 1)", (sql_date(NOW),))  # fmt: skip
    minute(shop, NOW - 120, "mail", done=1, failed=1)
    assert len(found(shop, server)) == 1
    assert found(shop, server, "failures=60@group:letters") == []


def test_new_dead_letters(shop, server):
    """Any of the last hour, by hook; of jobs, by their type."""
    letter(shop, "mail", NOW - 3599)
    letter(shop, "wpkite", NOW - 5, type_="sync")
    letter(shop, "wpkite", NOW - 5, type_="sync")
    first, second = sorted(found(shop, server), key=lambda f: f.subject)
    assert (first.subject, first.text) == ("hook mail", "1 new dead letter of mail within 1 h")
    assert (second.subject, second.number) == ("hook sync", 2)
    assert len(found(shop, server, "dead_letters=2")) == 1
    assert found(shop, server, "dead_letters=off") == []


def test_a_backlog_that_only_grows(shop, server):
    """For half an hour, by more than a hundred; once fewer waited, it is none."""
    for ago, waiting in ((1790, 50), (1200, 90), (600, 90), (60, 151)):
        shop.run("DELETE FROM wp_runner_minutes WHERE minute = %s", (sql_date((NOW - ago) // 60 * 60),))  # fmt: skip
        minute(shop, NOW - ago, "", waiting=waiting)
        minute(shop, NOW - ago, "bulk", waiting=waiting // 2)
    [one] = found(shop, server)
    assert (one.rule, one.number) == ("backlog", 101)
    assert "from 50 to 151" in one.text
    assert [f.subject for f in found(shop, server, "backlog=off, backlog=40@hook:bulk")] == ["hook bulk"]  # fmt: skip
    shop.run("UPDATE wp_runner_minutes SET waiting = 89 WHERE minute = %s AND hook = ''", (sql_date((NOW - 600) // 60 * 60),))  # fmt: skip
    assert found(shop, server) == []


@pytest.mark.parametrize("paused", [("hook", "bulk"), ("group", "imports"), ("all", "")])
def test_a_backlog_of_what_is_paused_is_none(shop, server, paused):
    """Somebody decided that it waits; what else waits still counts."""
    for ago, waiting in ((1790, 50), (1200, 90), (600, 120), (60, 300)):
        shop.run("DELETE FROM wp_runner_minutes WHERE minute = %s", (sql_date((NOW - ago) // 60 * 60),))  # fmt: skip
        minute(shop, NOW - ago, "", waiting=waiting)
        minute(shop, NOW - ago, "bulk", waiting=waiting - 40)
    shop.run(
        "INSERT INTO wp_runner_census (status, group_slug, hook, actions, due, recurring, taken_at, cost_ms)"
        " VALUES ('pending', 'imports', 'bulk', 1, 1, 0, %s, 1)", (sql_date(NOW),),
    )  # fmt: skip
    limits = "backlog=100, backlog=100@hook:bulk"
    assert [f.number for f in found(shop, server, limits)] == [250, 250]
    shop.run("INSERT INTO wp_runner_pauses VALUES (%s, %s, NULL, '', 'me', %s)", (*paused, sql_date(NOW)))  # fmt: skip
    assert [f.subject for f in found(shop, server, limits)] == []


def test_a_stopped_chain(shop, server):
    """It recurred, ended without a next one, and nobody canceled it; it is remembered although its
    row is not among the newest any more."""
    hourly = schedules.interval(NOW - 3600, 3600)
    ended = {"schedule": hourly, "status": "complete", "last_attempt_gmt": sql_date(NOW - 3600)}
    newest = shop.add("report", (), at=NOW - 3600, **ended)
    shop.add("goes_on", (), at=NOW - 3600, **ended)
    shop.add("goes_on", (), at=NOW, schedule=hourly)
    shop.add("ended", (), at=NOW - 3600, **ended)
    shop.add("ended", (), at=NOW, schedule=hourly, status="canceled")
    [one] = found(shop, server)
    assert (one.rule, one.subject, one.facts) == ("chains", "hook report", {"hook": "report", "newest": newest})  # fmt: skip
    shop.run(f"UPDATE {shop.table('actions')} SET schedule = '' WHERE action_id = %s", (newest,))
    assert found(shop, server) == []
    assert len(found(shop, server, open_chains={"report": newest})) == 1
    assert found(shop, server, "chains=off@hook:report", open_chains={"report": newest}) == []


def test_a_chain_that_a_plugin_ended_is_not_stopped(shop, server):
    """PHP's cleaner deletes what was canceled: then the last ones that ended are all there is. What
    could not be scheduled again, and what always failed, has stopped."""
    ended = {
        "schedule": schedules.interval(NOW - 3600, 3600),
        "last_attempt_gmt": sql_date(NOW - 3600),
    }
    action = shop.add("report", (), at=NOW - 3600, status="complete", **ended)
    line(shop, NOW - 3600, "action complete via WP Cron", action)
    for number in range(5):
        failed = shop.add("fails", (), at=NOW - 3600 - number, status="failed", **ended)
        line(shop, NOW - 3600, "action failed via WP Cron: no", failed)
    assert [f.subject for f in found(shop, server, "failures=off")] == ["hook fails"]
    shop.run(
        f"UPDATE {shop.table('actions')} SET status = 'complete' WHERE action_id = %s", (failed,)
    )
    assert found(shop, server, "failures=off") == []
    line(shop, NOW - 3599, "Der nächste Lauf konnte nicht geplant werden", action)
    assert [f.subject for f in found(shop, server, "failures=off")] == ["hook report"]


def test_a_chain_between_two_actions_is_not_stopped(shop, server):
    """PHP ends one action before it makes the next: a look in between tells nothing."""
    ended = {"schedule": schedules.interval(NOW, 3600), "status": "complete"}
    action = shop.add("report", (), at=NOW, last_attempt_gmt=sql_date(NOW - 1), **ended)
    assert found(shop, server) == []
    shop.run(f"UPDATE {shop.table('actions')} SET last_attempt_gmt = %s WHERE action_id = %s", (sql_date(NOW - 31), action))  # fmt: skip
    assert [f.rule for f in found(shop, server)] == ["chains"]


def test_php_is_silent(shop, server):
    """An action of PHP's waits for ten minutes, and PHP wrote no line; what is ours says nothing."""
    shop.add("php_hook", (), at=NOW - 601)
    line(shop, NOW - 700, "action started via WP Cron")
    [one] = found(shop, server)
    assert (one.rule, one.severity) == ("php", "critical")
    assert "(php_hook)" in one.text
    assert sql_date(NOW - 700) in one.text
    assert found(shop, server, hooks=["php_hook"]) == []
    assert found(shop, server, mode="native") == []
    line(shop, NOW - 599, "action complete via WP CLI")
    assert found(shop, server) == []


def test_php_has_time_for_an_action_of_an_earlier_date(shop, server):
    """It was created just now, whatever its date; it hides no other one."""
    created(shop, shop.add("midnight", (), at=NOW - 7200), NOW - 599)
    assert found(shop, server) == []
    shop.add("php_hook", (), at=NOW - 601)
    assert "(php_hook)" in found(shop, server)[0].text


def test_php_is_not_silent_behind_our_own_lines(shop, server):
    """Ours do not count as its, and however many there are, its own is found."""
    shop.add("php_hook", (), at=NOW - 601)
    line(shop, NOW - 30, "action complete via Python runner")
    assert [f.rule for f in found(shop, server)] == ["php"]
    line(shop, NOW - 590, "action started via Async Request")
    assert found(shop, server) == []


def test_workers_are_silent(shop, server):
    """A worker that ended without a word; one that lives makes up for it."""
    shop.run("UPDATE wp_runner_workers SET seen_at = %s", (sql_date(NOW - 61),))
    [one] = found(shop, server)
    assert (one.rule, one.severity, one.number) == ("workers", "critical", 61)
    worker(shop, NOW - 60)
    assert found(shop, server) == []


def test_a_run_from_cron_that_was_killed_is_not_missed(shop, server):
    """It left a sign of itself, and runs that end well leave none."""
    shop.run("DELETE FROM wp_runner_workers")
    worker(shop, NOW - 3000, queue="")
    assert found(shop, server, hooks=["sync"]) == []
    shop.add("sync", (), at=NOW - 125)
    assert [f.rule for f in found(shop, server, hooks=["sync"])] == ["workers"]
    worker(shop, NOW - 20, queue="")
    assert found(shop, server, hooks=["sync"]) == []


def test_workers_that_left(shop, server):
    """Without any, it matters once work of ours waits for longer than a run from cron takes."""
    shop.run("DELETE FROM wp_runner_workers")
    assert found(shop, server, hooks=["sync"]) == []
    shop.add("sync", (), at=NOW - 119)
    assert found(shop, server, hooks=["sync"]) == []
    shop.add("sync", (), at=NOW - 125)
    [one] = found(shop, server, hooks=["sync"])
    assert (one.rule, one.text) == ("workers", "no worker is there, and actions of Python wait for up to 2 min 5 s")  # fmt: skip


def test_nobody_is_missed_at_an_action_of_an_earlier_date(shop, server):
    """A run from cron has two minutes for it since it was created."""
    shop.run("DELETE FROM wp_runner_workers")
    action = shop.add("sync", (), at=NOW - 7200)
    created(shop, action, NOW - 119)
    assert found(shop, server, hooks=["sync"]) == []
    created(shop, action, NOW - 121)
    assert [f.rule for f in found(shop, server, hooks=["sync"])] == ["workers"]


def test_a_clock_that_went_back_hides_no_dead_worker(shop, server):
    """Its sign of life lies in the future, which is none."""
    shop.run("UPDATE wp_runner_workers SET seen_at = %s", (sql_date(NOW + 3600),))
    assert [f.rule for f in found(shop, server)] == ["workers"]


def test_protection_that_is_lost(shop, server, tmp_path):
    """Rows that should be parked and are not, for longer than PHP takes to park; rows that PHP
    failed; a plugin that is gone."""
    shop.set_option(
        "wp_action_runner",
        json.dumps(
            {
                "version": "1",
                "hooks": ["sync"],
                "siteurl": "http://shop.test",
                "database": shop.name,
                "installed_at": NOW - 7200,
            }
        ),
    )
    shop.add("sync", (), at=NOW + 60)
    line(shop, NOW - 59, "action created")
    shop.run(f"UPDATE {shop.table('logs')} SET log_date_gmt = %s", (sql_date(NOW - 59),))
    assert found(shop, server) == []
    shop.run(f"UPDATE {shop.table('logs')} SET log_date_gmt = %s", (sql_date(NOW - 61),))
    [one] = found(shop, server)
    assert (one.rule, one.severity) == ("protection", "critical")
    assert "1 of sync are not parked" in one.text
    for _ in range(200):  # PHP is busy with older ones
        line(shop, NOW - 60, "action started via WP Cron", 0)
    assert "1 of sync are not parked" in found(shop, server)[0].text
    shop.run(f"DELETE FROM {shop.table('actions')}")
    failed = shop.add(
        "sync", (), at=NOW - 600, status="failed", last_attempt_gmt=sql_date(NOW - 500)
    )
    line(shop, NOW - 501, "action started via WP Cron", failed)
    line(shop, NOW - 500, "action failed via WP Cron: no callback", failed)
    assert "PHP failed 1 of sync" in found(shop, server)[0].text
    shop.run(f"DELETE FROM {shop.table('actions')}")
    assert found(shop, server) == []
    assert "the plugin is not in its folder" in found(shop, server, folder=tmp_path)[0].text


def test_a_table_that_is_missing_makes_one_rule_unknown(shop, server):
    """The others are told."""
    shop.run("DROP TABLE wp_runner_dead_letters")
    database_rules = rules(shop, server, migrated=True)
    assert database_rules["dead_letters"].state == "unknown"
    assert database_rules["overdue"].state == "ok"


def test_without_own_tables(site, server):
    """What needs no table of the runner's is told all the same."""
    many(site, 501, NOW - 61)
    judged = rules(site, server)
    assert judged["overdue"].state == "critical"
    assert judged["workers"].state == judged["dead_letters"].state == "unknown"
