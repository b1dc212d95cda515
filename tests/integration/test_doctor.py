"""Each check of `runner doctor` finds its trouble on a real server, and nothing on a clean site."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support.fill import fill
from support.measure import rows_read
from support.site import PHP_CRON, real_site

from compat import schedules
from compat.site_time import sql_date
from runner import site as sites
from runner.core.clock import SystemClock
from runner.operations.doctor import CHECKS, Patient, Severity, examine, findings
from runner.operations.plugin import source
from runner.site import check_prefix
from runner.storage.db import Database
from runner.storage.mysql import MySQL

NOW = 1_790_000_000
OURS = ("shop_sync", "shop_mail")
PARKED = sql_date(NOW + 60).replace("2026", "2826")
INSTALLED = {"mode": "parked", "hooks": list(OURS), "siteurl": "http://shop.test"}


@pytest.fixture
def shop(site, server):
    """A clean site whose clock stands still, and where each hook of ours has had an action."""
    with server.frozen(NOW):
        site.migrate()
        for hook in OURS:
            site.add(hook, at=NOW + 60)
        yield site


@contextmanager
def patient(shop, dsn=None, **facts):
    tables = check_prefix("wp_")
    driver = MySQL(dsn or shop.dsn, tables.plain("actions"))
    database = Database(driver, SystemClock(), patience=0.0)
    facts = {"hooks": OURS, "clock": lambda: NOW} | facts
    yield Patient(database, tables, **facts)
    database.close()


def examined(shop, **facts) -> dict[str, object]:
    with patient(shop, **facts) as one:
        return {finding.code: finding.verdict for finding in examine(one)}


def troubles(shop, **facts) -> dict[str, str]:
    """What is worse than info, by code."""
    found = examined(shop, **facts)
    fine = {Severity.OK, Severity.INFO}
    return {code: str(v.severity) for code, v in found.items() if v.severity not in fine}


CLEAN = dict.fromkeys(
    ("plugin", "php.store", "php.callbacks", "php.batch_size", "php.object_cache", "php.clock"),
    "unknown",
)
"""What only PHP could tell is unknown, never ok."""

TOLD = {
    "written_at": NOW - 60, "database_at": NOW - 60, "php": "8.2.1", "wordpress": "7.1",
    "action_scheduler": "4.0.0", "store": "ActionScheduler_DBStore", "object_cache": False,
    "batch_size": 25, "with_callback": [], "without_callback": 0,
}  # fmt: skip
"""As the plugin writes it."""


def test_a_clean_site_has_no_trouble(shop):
    """Nothing to see to, with every check answered but PHP's."""
    assert troubles(shop) == CLEAN


def test_every_check_has_a_code_of_its_own():
    """Codes name checks for programs."""
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)


def test_the_real_queue_has_no_error(server):
    """A real site's dump, whichever mode is said."""
    with real_site(server) as site:
        for mode in ("auto", "native"):
            assert "error" not in troubles(site, mode=mode, clock=time.time).values()


def action(shop, hook="shop_sync", **columns) -> int:
    at = columns.pop("at", NOW + 60)
    return shop.add(hook, at=at, **columns)


def ago(seconds: int) -> str:
    return sql_date(NOW - seconds)


def recurring(shop, **columns) -> int:
    at = columns.pop("at", NOW + 60)
    return action(shop, "chain", at=at, schedule=schedules.interval(at, 3600), **columns)


def option(name: str, value: str):
    return lambda shop: shop.set_option(name, value)


def parked(shop) -> None:
    action(shop, scheduled_date_gmt=PARKED)


def parked_of_nobody(shop) -> None:
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    action(shop, "theirs", scheduled_date_gmt=PARKED)


def park_all(shop) -> None:
    shop.run(
        "UPDATE wp_actionscheduler_actions"
        " SET scheduled_date_gmt = scheduled_date_gmt + INTERVAL 800 YEAR"
    )


def installed_and_unparked(shop) -> None:
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))


def told(**facts):
    return lambda shop: shop.set_option("wp_action_runner_site", json.dumps(TOLD | facts))


def php_runs(shop) -> None:
    shop.set_option("cron", PHP_CRON)
    line = {"action_id": 1, "message": "action started via WP Cron", "log_date_gmt": ago(60)}
    shop.insert("logs", line)


def stopped_chain(shop) -> None:
    recurring(shop, status="complete", last_attempt_gmt=ago(60))


def log_without_action(shop) -> None:
    for _ in range(9):
        shop.insert("logs", {"action_id": 999_999, "message": "action created"})


def worker(shop, seen: int) -> None:
    shop.run(
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        f" VALUES ('web1', 7, 'mail', 'processes:2', '0.1', '{ago(9000)}', '{ago(seen)}')"
    )


def lease(shop) -> None:
    shop.run(f"INSERT INTO wp_runner_leases VALUES (77, 1, '{ago(600)}')")


def many_finished(shop) -> None:
    fill(shop, 100_000, "complete", hooks=("old",), now=NOW)


def alter(statement: str):
    return lambda shop: shop.run(statement.format(actions="wp_actionscheduler_actions"))


TROUBLES = {
    "tables": (alter("RENAME TABLE {actions} TO elsewhere"), "error"),
    "tables.migration": (option("action_scheduler_migration_status", ""), "error"),
    "tables.engine": (alter("ALTER TABLE {actions} ENGINE = MyISAM"), "error"),
    "tables.indexes": (
        alter("ALTER TABLE {actions} DROP KEY claim_id_status_priority_scheduled_date_gmt"),
        "warning",
    ),
    "tables.collation": (
        alter("ALTER TABLE {actions} MODIFY hook varchar(191) CHARACTER SET utf8mb3 NOT NULL"),
        "warning",
    ),
    "own.tables": (alter("DROP TABLE wp_runner_leases"), "warning"),
    "install": (option("wp_action_runner", "{not JSON"), "error"),
    "parked": (parked, "error"),
    "protection": (installed_and_unparked, "warning"),
    "plugin": (told(written_at=NOW - 90_000, database_at=NOW - 90_000), "warning"),
    "php.store": (told(store="ActionScheduler_HybridStore"), "error"),
    "php.callbacks": (told(without_callback=3), "warning"),
    "php.clock": (told(written_at=NOW, database_at=NOW - 6), "warning"),
    "workers": (lambda shop: worker(shop, 600), "warning"),
    "claims.missing": (lambda shop: action(shop, claim_id=55, last_attempt_gmt=ago(1)), "warning"),
    "claims.leases": (lease, "warning"),
    "running.stuck": (
        lambda shop: action(shop, status="in-progress", last_attempt_gmt=ago(301)),
        "warning",
    ),
    "running.leaseless": (
        lambda shop: action(shop, status="in-progress", last_attempt_gmt=None),
        "warning",
    ),
    "due.ours": (lambda shop: action(shop, at=NOW - 301), "warning"),
    "paused": (lambda shop: pause(shop, NOW - 86_401), "warning"),
    "failed": (
        lambda shop: action(shop, status="failed", last_attempt_gmt=ago(3600)),
        "warning",
    ),
    "chains.duplicate": (lambda shop: [recurring(shop), recurring(shop)], "warning"),
    "chains.stopped": (stopped_chain, "warning"),
    "size.rows": (many_finished, "warning"),
    "size.orphaned_logs": (log_without_action, "warning"),
}  # fmt: skip


@pytest.mark.parametrize("code", TROUBLES)
def test_a_trouble_is_found(shop, code):
    """The check of this code says so, says what to do, and no other check calls it ok to err."""
    make, severity = TROUBLES[code]
    make(shop)
    verdict = examined(shop)[code]
    assert str(verdict.severity) == severity, verdict
    assert verdict.meaning
    assert verdict.advice
    others = {c: s for c, s in troubles(shop).items() if c != code and s == "error"}
    assert others == {}


@pytest.mark.parametrize("code", sorted(set(TROUBLES) - {"tables", "own.tables"}))
def test_one_trouble_is_one_finding(shop, code):
    """Nothing else is called out for it."""
    make, severity = TROUBLES[code]
    make(shop)
    known = {} if code in {"plugin", "php.store", "php.callbacks", "php.clock"} else CLEAN
    assert troubles(shop) == known | {code: severity}


def test_a_pause_is_told_of(shop):
    """One of today, or with an end, is no trouble."""
    pause(shop, NOW - 60)
    pause(shop, NOW - 90_000, kind="hook", name="shop_sync", until="FROM_UNIXTIME(1790000060)")
    pause(shop, NOW - 90_000, kind="group", name="over", until="FROM_UNIXTIME(1790000000)")
    verdict = examined(shop)["paused"]
    assert (verdict.severity, verdict.fact) == ("info", 2)
    assert set(verdict.details) == {"all, by ann", "hook shop_sync, by ann"}


def pause(shop, at, kind="all", name="", until="NULL"):
    shop.run(
        "INSERT INTO wp_runner_pauses (kind, name, until, reason, actor, created_at)"
        f" VALUES (%s, %s, {until}, '', 'ann', FROM_UNIXTIME(%s))", [kind, name, at]
    )  # fmt: skip


def test_native_mode_beside_a_living_php_runner(shop):
    """An error while PHP works; only the event says nothing."""
    shop.set_option("cron", PHP_CRON)
    assert troubles(shop, mode="native") == CLEAN
    assert troubles(shop) == CLEAN | {"mode": "warning"}
    php_runs(shop)
    found = examined(shop, mode="native")
    assert found["mode"].severity == "error"
    assert found["php.runner"].fact == f"scheduled, seen {ago(60)} UTC"


def test_native_mode_where_actions_are_parked(shop):
    """Left over from the time before: nobody would run them."""
    park_all(shop)
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    assert examined(shop)["mode"].fact == "parked"
    verdict = examined(shop, mode="native")["mode"]
    assert (verdict.severity, verdict.fact) == ("error", "native, and installed")


def test_a_line_of_ours_is_no_sign_of_php(shop):
    """A handler's error may name PHP's runner."""
    shop.set_option("cron", PHP_CRON)
    text = "action failed via Python runner: the WP Cron is late"
    shop.insert("logs", {"action_id": 1, "message": text, "log_date_gmt": ago(60)})
    assert troubles(shop, mode="native") == CLEAN


def test_an_installed_site(shop):
    """Parked actions of its hooks are fine; those of other hooks, and late ones, are not."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    shop.set_option("cron", PHP_CRON)
    told()(shop)
    park_all(shop)
    found = examined(shop)
    assert troubles(shop) == {}
    assert (found["mode"].fact, found["parked"].fact, found["install"].fact) == ("parked", 2, 2)
    assert found["plugin"].fact == "php 8.2.1, wordpress 7.1, action_scheduler 4.0.0"
    late = sql_date(NOW - 400).replace("2026", "2826")
    action(shop, scheduled_date_gmt=late)
    verdict = examined(shop)["due.ours"]
    assert verdict.severity == "warning"
    assert ago(400) in verdict.meaning


def test_parked_actions_without_a_handler(shop):
    """Neither runner would ever run them."""
    park_all(shop)
    parked_of_nobody(shop)
    assert examined(shop)["parked"].details == ("theirs (1)",)
    assert troubles(shop) == CLEAN | {"parked": "warning"}


def test_what_php_failed_before_the_installation_is_its_own(shop):
    """It may be why the runner was installed."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED | {"installed_at": NOW - 100}))
    failed = {"status": "failed", "last_attempt_gmt": ago(90_000)}
    line = {"message": "action failed via WP Cron: no callbacks", "log_date_gmt": ago(101)}
    shop.insert("logs", line | {"action_id": action(shop, **failed)})
    park_all(shop)
    assert examined(shop)["protection"].severity == "ok"
    shop.insert("logs", line | {"action_id": action(shop, **failed), "log_date_gmt": ago(100)})
    verdict = examined(shop)["protection"]
    assert (verdict.severity, verdict.fact) == ("error", 1)


def test_only_what_is_due_counts_as_due(shop):
    """Of parked actions, too."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    for at in (NOW - 400, NOW - 10, NOW + 60, NOW + 86_400):
        action(shop, at=at)
    park_all(shop)
    verdict = examined(shop)["due.ours"]
    assert (verdict.fact, verdict.details) == (2, ("shop_sync (2)",))


def test_what_php_failed_is_no_protection(shop):
    """PHP met an action of ours before it was parked; its own failures are its own."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    park_all(shop)
    line = {"message": "action failed via WP Cron: no callbacks", "log_date_gmt": ago(60)}
    failed = {"status": "failed", "last_attempt_gmt": ago(90_000)}
    shop.insert("logs", line | {"action_id": action(shop, "theirs", **failed)})
    ours = {"message": "action failed via Python runner: WP Cron", "log_date_gmt": ago(60)}
    shop.insert("logs", ours | {"action_id": action(shop, **failed)})
    assert troubles(shop) == CLEAN
    shop.insert("logs", line | {"action_id": action(shop, **failed)})
    verdict = examined(shop)["protection"]
    assert (verdict.severity, verdict.fact, verdict.details) == ("error", 1, ("shop_sync (1)",))


def test_the_file_is_looked_at(shop, tmp_path):
    """Missing, another one's, an old one, a newer one."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED))
    told()(shop)

    def seen() -> tuple[str, str]:
        verdict = examined(shop, folder=tmp_path)["plugin"]
        return str(verdict.severity), verdict.fact

    assert seen() == ("error", "missing")
    file = tmp_path / "wp-action-runner.php"
    file.write_text("<?php // mine")
    assert seen() == ("error", "unfit")
    text = source().read_text()
    for number, fact in (("0", ("warning", "old")), ("99", ("error", "unfit"))):
        file.write_text(re.sub(r"(?m)^ \* Version: \d+$", f" * Version: {number}", text))
        assert seen() == fact
    file.write_text(text)
    assert seen()[0] == "ok"


def test_a_copy_of_the_site_is_told(shop):
    """The address in the option is another one."""
    park_all(shop)
    shop.set_option("wp_action_runner", json.dumps(INSTALLED | {"siteurl": "http://live.test"}))
    assert troubles(shop) == CLEAN | {"install": "error"}


def test_hooks_that_are_parked_and_handled_differ(shop):
    """Each difference is named."""
    shop.set_option("wp_action_runner", json.dumps(INSTALLED | {"hooks": ["shop_sync", "gone"]}))
    verdict = examined(shop)["install"]
    assert verdict.severity == "warning"
    assert verdict.details == ("parked, without a handler: gone", "not parked: shop_mail")


def test_due_actions_that_nobody_handles(shop):
    """PHP's business beside PHP, a trouble where PHP's runner is off. Another case is another hook."""
    action(shop, "Shop_Sync", at=NOW - 400)
    action(shop, "later", at=NOW + 60)
    assert examined(shop)["due.unhandled"].severity == "info"
    assert troubles(shop, mode="native") == CLEAN | {"due.unhandled": "warning"}
    action(shop, "SHOP_SYNC", at=NOW - 400)
    details = examined(shop, mode="native")["due.unhandled"].details
    assert sorted(details) == ["SHOP_SYNC (1)", "Shop_Sync (1)"]


def test_a_backlog_of_others_hides_nothing(shop):
    """More due rows of other hooks than are looked at, all of them older."""
    fill(shop, 10_100, "due", hooks=("theirs",), now=NOW - 90_000)
    action(shop, at=NOW - 400)
    assert examined(shop)["due.ours"].severity == "warning"


def test_why_a_chain_stopped(shop):
    """Five oldest failed; a canceled chain was ended by somebody, and is no trouble."""
    for n in range(6):
        recurring(shop, status="failed", at=NOW - 200_000 + n, last_attempt_gmt=ago(100_000 - n))
    assert examined(shop)["chains.stopped"].details == ("chain (its 5 oldest actions all failed)",)
    recurring(shop, status="canceled")
    assert troubles(shop) == CLEAN


def test_a_chain_that_stopped_otherwise(shop):
    """Failures of another hook are not its own."""
    for n in range(5):
        action(shop, "other", status="failed", at=NOW - 900_000 + n, last_attempt_gmt=ago(100_000))
    recurring(shop, status="failed", last_attempt_gmt=ago(100_000))
    assert examined(shop)["chains.stopped"].details == ("chain",)


def test_what_is_held_is_no_trouble(shop):
    """A claim, a lease, a worker and a running action that show signs of life."""
    claim = shop.insert("claims", {"date_created_gmt": ago(10)})
    action(shop, status="in-progress", claim_id=claim, last_attempt_gmt=ago(10))
    action(shop, status="complete", claim_id=99, last_attempt_gmt=ago(10))
    worker(shop, 10)
    shop.run(f"INSERT INTO wp_runner_leases VALUES ({claim}, 1, '{sql_date(NOW + 30)}')")
    assert troubles(shop) == CLEAN


def test_a_chain_that_goes_on_is_no_trouble(shop):
    """One waiting instance, whatever ended before; two of different args are two chains."""
    recurring(shop, status="complete", last_attempt_gmt=ago(60))
    recurring(shop)
    action(shop, "chain", args=("other",), schedule=schedules.interval(NOW + 60, 3600))
    assert troubles(shop) == CLEAN


def test_what_the_server_is_told(shop, server):
    """Read-only, short limits, a clock that is off, a session that something changed."""
    server.execute("SET GLOBAL read_only = 1")
    try:
        unasked = {"database.rights": "unknown"}  # nobody may do anything now
        assert troubles(shop) == CLEAN | unasked | {"database.writable": "error"}
    finally:
        server.execute("SET GLOBAL read_only = 0")
    server.execute("SET GLOBAL wait_timeout = 30")
    try:
        assert troubles(shop) == CLEAN | {"database.limits": "warning"}
    finally:
        server.execute("SET GLOBAL wait_timeout = 28800")
    assert troubles(shop, clock=lambda: NOW + 60) == CLEAN | {"database.clock": "warning"}
    with patient(shop) as one:
        one.database.connect()
        one.database.write("SET SESSION sql_mode = 'NO_ZERO_DATE', time_zone = '+01:00'")
        found = {finding.code: finding.verdict for finding in examine(one)}
    assert found["database.session"].severity == "error"
    assert found["database.session"].fact == "NO_ZERO_DATE, time_zone +01:00"


def test_a_parked_action_that_runs_has_a_holder(shop, monkeypatch):
    """It carries no time and no claim: the table of what is held tells."""
    for module in (sites, findings):
        monkeypatch.setattr(module, "OWN_TABLES", (*module.OWN_TABLES, "held"))
    shop.run("CREATE TABLE IF NOT EXISTS wp_runner_held (action_id bigint, claim_id bigint)")
    running = {"status": "in-progress", "last_attempt_gmt": None, "scheduled_date_gmt": PARKED}
    held, _ = action(shop, **running), action(shop, **running)
    shop.run(f"INSERT INTO wp_runner_held VALUES ({held}, 1)")
    assert examined(shop)["running.leaseless"].fact == 1
    shop.run(f"INSERT INTO wp_runner_held VALUES ({held + 1}, 1)")
    assert examined(shop)["running.leaseless"].fact == 0


def test_left_claims_do_no_harm(shop):
    """PHP's dead runs leave them; a young one may be at work."""
    shop.insert("claims", {"date_created_gmt": ago(7200)})
    shop.insert("claims", {"date_created_gmt": ago(10)})
    verdict = examined(shop)["claims.unused"]
    assert (verdict.severity, verdict.fact) == ("info", 1)


def test_a_left_over_migration_row_is_no_migration(shop):
    """The option alone tells whether the migration is complete."""
    action(shop, "action_scheduler/migration_hook")
    assert troubles(shop) == CLEAN


def test_an_offset_is_no_zone(shop):
    """Good to know, no more."""
    shop.set_option("timezone_string", "")
    shop.set_option("gmt_offset", "5.5")
    verdict = examined(shop)["site.time_zone"]
    assert (verdict.severity, verdict.fact) == ("info", "UTC+5.5")


def test_hooks_without_any_action(shop):
    """A slip of the pen in a hook's name shows here."""
    verdict = examined(shop, hooks=(*OURS, "shop_snyc"))["handlers"]
    assert (verdict.severity, verdict.details) == ("info", ("shop_snyc",))


def test_newer_tables(shop):
    """Of ours and of Action Scheduler's: this runner works with neither."""
    shop.run("INSERT INTO wp_runner_migrations VALUES (99, 'later', 'x', '2026-01-01')")
    shop.set_option("schema-ActionScheduler_StoreSchema", "12.0.1")
    assert troubles(shop) == CLEAN | {"own.tables": "error", "tables": "error"}


def test_an_account_that_lacks_rights(shop, server):
    """What is lacking for the runs is an error; a check that it may not answer is unknown."""
    tables = ("actions", "claims", "groups", "logs")
    server.execute(
        "DROP USER IF EXISTS 'reader'@'%'",
        "CREATE USER 'reader'@'%' IDENTIFIED BY 'reader'",
        *[f"GRANT SELECT ON {shop.name}.wp_actionscheduler_{t} TO 'reader'@'%'" for t in tables],
    )
    found = examined(shop, dsn=replace(shop.dsn, user="reader", password="reader"))
    assert found["database.rights"].severity == "error"
    assert "wp_actionscheduler_claims lacks INSERT, DELETE" in found["database.rights"].details
    assert "wp_options lacks SELECT" in found["database.rights"].details
    for code in ("tables.migration", "mode", "install", "plugin", "site.time_zone"):
        assert found[code].severity == "unknown", code


def test_it_reads_little_and_writes_nothing(shop, server):
    """However large the table: rows read stay the same from 30,000 rows to 60,000."""
    seen = []
    for _ in range(2):
        fill(shop, 30_000, "due", hooks=("theirs",), now=NOW - 90_000)
        tables = ", ".join(row[0] for row in shop.run("SHOW TABLES"))
        before = shop.run(f"CHECKSUM TABLE {tables}"), server.status("Com_commit")
        with patient(shop) as one:
            examine(one)
            seen.append(rows_read(one.database))
        assert (shop.run(f"CHECKSUM TABLE {tables}"), server.status("Com_commit")) == before
    assert seen[1] <= seen[0] + 100
