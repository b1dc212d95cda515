"""`explain` names what stands in an action's way, and what happened to it."""

from __future__ import annotations

import json

import pytest
from support.engine import Engine

from runner import Fail, Handlers, RetryPolicy
from runner.core.installed import Installed
from runner.operations import changes
from runner.operations.dead_letters import DeadLetters
from runner.operations.explain import Work, explain
from runner.operations.pauses import Pauses, Target
from runner.site import discover

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC


def registry() -> Handlers:
    handlers = Handlers(retry=RetryPolicy.never())

    @handlers.on("sync", group="shop")
    def sync(*_):
        """Does nothing."""

    @handlers.on("boom")
    def boom(*_):
        raise Fail("the CRM is gone")

    @handlers.on("flaky", retry=RetryPolicy.fixed(600, attempts=2))
    def flaky(*_):
        raise OSError("down")

    handlers.on("rated", rate="1/h")(sync)
    handlers.on("single", concurrency=1)(sync)
    handlers.on("locked", lock="crm:{customer}")(lambda customer: None)
    return handlers


class Case:
    """A site at NOW, and what a test needs to bring about a cause."""

    def __init__(self, site, engine, server) -> None:
        self.site, self.engine, self.server = site, engine, server

    def found(self):
        database = self.engine.database()
        return database, discover(database, self.engine.tables)

    def add(self, hook="sync", args=(), at=NOW - 60, **columns) -> int:
        return self.site.add(hook, args, at=at, **columns)

    def pause(self, *target):
        Pauses(*self.found()).pause(Target(*target), until=None, reason="why", actor="ann")

    def worker(self, source=None, seen=NOW):
        """The source's worker stands in the list."""
        self.site.run(
            "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
            " VALUES ('web1', 4711, '', 'inline', '1', FROM_UNIXTIME(%s), FROM_UNIXTIME(%s))",
            [seen, seen],
        )
        if source:
            source._leases.worker = int(self.site.own("workers")[-1]["worker_id"])

    def claim(self, **options):
        source = self.engine.source(**options)
        self.worker(source)
        claim = source.claim(25)
        return source, claim

    def update(self, action: int, change: str) -> None:
        self.site.run(f"UPDATE wp_actionscheduler_actions SET {change} WHERE action_id = {action}")

    def install(self, url="http://shop.test", hooks=("sync",)):
        _, site = self.found()
        made = Installed.made(frozenset(hooks), url, site.database, "1", NOW - 900)
        self.site.set_option("wp_action_runner", made.text())


def future(case):
    return case.add(at=NOW + 7200), "future", "it is due 2026-11-23 08:05:00 UTC, in 2.0 h."


def retried(case):
    action = case.add("flaky")
    case.engine.run()
    return action, "future", "will be retried at 2026-11-23 06:15:00 UTC: OSError: down"


def paused_hook(case):
    case.pause("hook", "sync")
    return case.add(), "paused", "paused: hook sync, by ann: why."


def paused_group(case):
    case.pause("group", "shop")
    return case.add(group="shop"), "paused", "group shop"


def paused_all(case):
    case.pause("all")
    return case.add(), "paused", "everything"


def claimed_live(case):
    action = case.add()
    case.claim()
    return action, "claimed.live", "web1, process 4711 has claimed it"


def claimed_dead(case):
    action = case.add()
    case.claim()
    case.site.run("UPDATE wp_runner_leases SET expires_at = '2026-11-23 06:04:59'")
    return action, "claimed.dead", "had claimed it and died; its lease ended 2026-11-23 06:04:59"


def claimed_by_php(case):
    action = case.add()
    case.update(action, "claim_id = 77")
    return action, "claimed.other", "claim 77 has it, which is no worker's that is known here."


def no_handler(case):
    case.site.set_option("cron", "")
    return case.add("nobodys"), "no_handler", "no Python handler here is for hook nobodys"


def php_full(case):
    case.site.set_option("cron", '"action_scheduler_run_queue"')
    other = case.add("php")
    case.update(other, "claim_id = 5, status = 'in-progress'")
    case.site.run("INSERT INTO wp_actionscheduler_claims (claim_id) VALUES (5), (6)")
    return case.add("nobodys"), "php.full", "1 claim is open"


def php_off(case):
    case.site.set_option("cron", "")
    return case.add("nobodys"), "php.off", "WP-Cron does not start PHP's runner"


def protected_without_handler(case):
    case.install(hooks=("gone",))
    return case.add("gone"), "no_handler.ours", "hook gone is Python's on this site"


def no_worker(case):
    case.worker(seen=NOW - 3600)
    text = "no worker is at work on this site; the last one was seen 2026-11-23 05:05:00 UTC."
    return case.add(), "no_worker", text


def excluded(case):
    return case.add(group="left out"), "excluded", "leave out group left out"


def rate_used_up(case):
    case.add("rated", at=NOW - 120)
    case.claim()
    return case.add("rated"), "rate", "the rate 1/h of hook:rated is used up for 3600.0 s."


def places_taken(case):
    first = case.add("single", at=NOW - 120)
    case.claim()
    text = f"all 1 places of hook:single are taken by action {first} (web1, process 4711)."
    return case.add("single"), "full", text


def locked(case):
    first = case.add("locked", [7], at=NOW - 120)
    case.claim()
    text = f"lock:crm:7 is held by action {first} (web1, process 4711)."
    return case.add("locked", [7]), "locked", text


def corrupt(case):
    action = case.add()
    case.update(action, "args = '[1'")
    return action, "corrupt", "the row cannot be read: its args: "


def clone(case):
    case.install(url="http://live.test")
    return case.add(), "clone", "The runner was installed for http://live.test"


def exposed(case):
    case.install()
    return case.add(), "exposed", "it is not parked yet"


def due(case):
    case.worker()
    case.add(at=NOW - 7200)
    text = "it is due since 2026-11-23 06:04:00 UTC (1.0 min); 1 of its hook come before it."
    return case.add(), "due", text


def running(case):
    action = case.add()
    source, claim = case.claim()
    source.advance(claim, [], claim.actions)
    return action, "running", "it runs: web1, process 4711 has it, attempt 1."


def running_dead(case):
    action = case.add()
    source, claim = case.claim()
    source.advance(claim, [], claim.actions)
    case.site.run("UPDATE wp_runner_leases SET expires_at = '2026-11-23 06:04:59'")
    return action, "running.dead", "it ran when web1, process 4711 died"


def running_elsewhere(case):
    action = case.add()
    case.update(
        action, "status = 'in-progress', claim_id = 5, last_attempt_gmt = '2026-11-23 06:00:00'"
    )
    return action, "running.other", "it runs since 2026-11-23 06:00:00 UTC"


def complete(case):
    action = case.add()
    case.engine.run()
    return action, "complete", "it is complete since 2026-11-23 06:05:00 UTC, 1 attempt."


def replay(case):
    case.add("boom")
    case.engine.run()
    new = DeadLetters(*case.found()).replay(1, "ann")
    case.update(new, "status = 'complete', last_attempt_gmt = '2026-11-23 06:05:00', attempts = 2")
    return new, "replay", "it was a replay of dead letter 1 (action 1)."


def failed_with_a_letter(case):
    action = case.add("boom")
    case.engine.run()
    return action, "failed.letter", "it failed for good: action failed via Python runner: the CRM"


def replayed(case):
    action = case.add("boom")
    case.engine.run()
    new = DeadLetters(*case.found()).replay(1, "ann")
    return action, "failed.replayed", f"Dead letter 1 was replayed as action {new}."


def discarded(case):
    action = case.add("boom")
    case.engine.run()
    DeadLetters(*case.found()).discard(1, "ann", "")
    return action, "failed.discarded", "Dead letter 1 was discarded by ann."


def failed_elsewhere(case):
    action = case.add("php")
    case.update(action, "status = 'failed'")
    return action, "failed", "it failed for good: action created."


def canceled(case):
    action = case.add()
    changes.cancel(*case.found(), [action], why="by ann")
    return action, "canceled", "it is canceled: action canceled via Python runner: by ann."


def canceled_corrupt(case):
    action = case.add("sync")
    case.update(action, "args = '[1'")
    case.engine.run()
    return action, "canceled.corrupt", "the row cannot be read"


RECURRING = (
    'O:32:"ActionScheduler_IntervalSchedule":5:{s:22:"\0*\0scheduled_timestamp";i:1795413840;'
    's:18:"\0*\0first_timestamp";i:1795413840;s:13:"\0*\0recurrence";i:3600;'
    's:49:"\0ActionScheduler_IntervalSchedule\0start_timestamp";i:1795413840;'
    's:53:"\0ActionScheduler_IntervalSchedule\0interval_in_seconds";i:3600;}'
)


def chain(case):
    action = case.add(schedule=RECURRING)
    case.engine.run()
    return action, "chain", "its chain goes on with action 2, due 2026-11-23 07:05:00 UTC."


def chain_stopped(case):
    action = case.add(schedule=RECURRING)
    changes.cancel(*case.found(), [action])
    return action, "chain.stopped", "its chain has stopped: no next action is pending."


def aside(case):
    action = case.add()
    case.update(action, "status = 'runner-aside'")
    return action, "aside", "PHP's runner looks at it"


def strange(case):
    action = case.add()
    case.update(action, "status = 'dreaming'")
    return action, "status", "its status, dreaming, is none that is known here."


FIRST = {
    future, retried, paused_hook, paused_group, paused_all, claimed_live, claimed_dead, claimed_by_php, no_handler,
    protected_without_handler, no_worker, excluded, rate_used_up, places_taken, locked, corrupt, clone, exposed, due,
    running, running_dead, running_elsewhere, complete, failed_with_a_letter, replayed, discarded, failed_elsewhere,
    canceled, canceled_corrupt, aside, strange,
}  # fmt: skip
LATER = {php_full, php_off, replay, chain, chain_stopped}
CASES = sorted(FIRST | LATER, key=lambda case: case.__name__)


@pytest.mark.parametrize("mode", ["native", "parked"])
@pytest.mark.parametrize("cause", CASES, ids=lambda cause: cause.__name__)
def test_causes(site, server, clock, cause, mode):
    """Each cause, by its code and in words; what matters most comes first."""
    site.migrate()
    engine = Engine(site, registry(), clock, mode)
    with server.frozen(NOW):
        action, code, text = cause(Case(site, engine, server))
        before = [site.rows(), site.rows("logs"), site.own("locks"), site.own("rates")]
        work = Work(engine.handlers, excluded=("left out",))
        database = engine.database()
        told = explain(database, discover(database, engine.tables), work, action)
    assert code in [c.code for c in told]
    assert cause in LATER or told[0].code == code, [c.code for c in told]
    (found,) = [c for c in told if c.code == code]
    assert text in found.text
    assert before == [site.rows(), site.rows("logs"), site.own("locks"), site.own("rates")]
    engine.close()


def test_without_own_tables_and_without_the_action(site, clock):
    """It tells what it can."""
    engine = Engine(site, registry(), clock)
    action = site.add("boom", at=NOW)
    database = engine.database()
    found = discover(database, engine.tables)
    assert explain(database, found, Work(engine.handlers), 99) == ()
    assert explain(database, found, Work(engine.handlers), action)[0].code in {"due", "future"}
    engine.close()


def test_the_command(site, cli):
    """In words and as JSON; a missing action is an error."""
    cli.module(
        "jobs", "from runner import Handlers\nhandlers = Handlers()\nhandlers.on('sync')(print)\n"
    )
    site.migrate()
    site.add("sync", at=NOW)
    cli.environ["RUNNER_HANDLERS"] = "jobs:handlers"
    cli("pause", "--all", "--by", "ann")
    done = cli("explain", "1")
    assert "paused: everything, by ann.\n  `runner resume --all` ends that.\n" in done.stdout
    told = json.loads(cli("explain", "1", "--json").stdout)
    assert "paused" in [cause["code"] for cause in told["causes"]]
    done = cli("explain", "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "runner: there is no action 99\n"
    assert cli("explain", "x").returncode == 2
