"""Every golden transition of Action Scheduler 4.0.0 that is about claiming, executing, releasing,
resetting and failing, played through the runner: same rows, same logs, own words and name aside."""

from __future__ import annotations

import re
import sys

import pytest
from support.engine import Engine
from support.site import ZERO, golden

from compat.site_time import epoch_of
from runner import Handlers, RetryPolicy
from runner.core.errors import UsageError
from runner.core.model import Completed, Settlement, Status

RECORDS = {
    record["id"].split("-v")[0]: record
    for record in golden("transitions.jsonl")
    if record["as_version"] == "4.0.0"
}

EXECUTED = [
    "tr-0001", "tr-0002", "tr-0003", "tr-0004", "tr-0007", "tr-0008", "tr-0009", "tr-0014",
    "tr-0016", "tr-0017", "tr-0018", "tr-0019", "tr-0022", "tr-0023", "tr-0028", "tr-0029",
    "tr-0047", "tr-0048", "tr-0049", "tr-0055", "tr-0056", "tr-0059", "tr-0061", "tr-0079", "tr-0083",
]  # fmt: skip
RUN_AT_ONCE = ["tr-0005", "tr-0021"]
CORRUPT = [
    "tr-0030", "tr-0032", "tr-0033", "tr-0035", "tr-0037", "tr-0038", "tr-0039", "tr-0041",
    "tr-0044", "tr-0046",
]  # fmt: skip
WITHOUT_CALLBACK = ["tr-0010", "tr-0011", "tr-0012", "tr-0013"]
BESIDE_A_LIVE_CLAIM = ["tr-0058", "tr-0060"]
OWN_TESTS = [
    "tr-0051", "tr-0080", "tr-0081", "tr-0084", "tr-0085", "tr-0087", "tr-0089", "tr-0090",
    "tr-fatal-400-exit_hook",
]  # fmt: skip
NOT_ABOUT_RUNNING = {
    "unschedule": ["tr-0064", "tr-0065"],
    "delete": ["tr-0068", "tr-0091", "tr-0092", "tr-0093", "tr-0094"],
    "enqueue unique": ["tr-0069", "tr-0070", "tr-0072", "tr-0074", "tr-0075", "tr-0076"],
}

KINDS = {
    r"^action created": "created",
    r"^action started": "started",
    r"^action complete": "complete",
    r"^action (failed|was in-progress for)": "failed",
    r"^action ignored": "ignored",
    r"^action reset": "reset",
    r"^(This action appears|no further instance)": "chain ended",
}


def kind(message: str) -> str:
    return next(name for pattern, name in KINDS.items() if re.match(pattern, message))


def test_every_record_is_played_or_named():
    """No record of 4.0.0 is left out silently."""
    known = [*EXECUTED, *RUN_AT_ONCE, *CORRUPT, *WITHOUT_CALLBACK, *BESIDE_A_LIVE_CLAIM, *OWN_TESTS]
    known += [name for names in NOT_ABOUT_RUNNING.values() for name in names]
    ids = {name.removesuffix("-400") for name in RECORDS}
    assert sorted(known) == sorted(ids)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def engine(site, clock, calls):
    """Handlers that do what the callbacks of the recorded site did; PHP tries once."""
    handlers = Handlers(retry=RetryPolicy.never())

    @handlers.on("warn_hook", "peek_hook", "steal_hook", "cancel_hook")
    def quiet(*_):
        pass

    @handlers.on("ok_hook")
    def ok(*args):
        calls.append(list(args))

    @handlers.on("onearg_hook")
    def onearg(first, *_):
        calls.append([first])

    @handlers.on("fail_hook", "error_hook", "trigger_hook")
    def fail(*_):
        raise RuntimeError("boom message")

    engine = Engine(site, handlers, clock)
    yield engine
    engine.close()


def seed(site, record) -> None:
    """The tables as they were before."""
    for action in record["before"]["actions"]:
        site.insert("actions", action)
    for claim in record["before"]["claims"]:
        site.insert("claims", claim)
    for group in record.get("groups", []):
        site.insert("groups", group)
    for log in record["logs_before"]:
        site.insert("logs", log)
    site.set_option("timezone_string", "")


def rows(actions: list[dict], *, without: tuple[str, ...] = ()) -> list[dict]:
    """Rows to compare. The number of a claim is nobody's business, that there is one is."""
    shown = []
    for action in actions:
        row = {k: v for k, v in action.items() if k not in without}
        if "claim_id" in row:
            row["claim_id"] = row["claim_id"] != "0"
        shown.append(row)
    return shown


def logs(lines: list[dict]) -> list[tuple[str, str]]:
    return [(line["action_id"], kind(line["message"])) for line in lines]


def assert_same(site, record, *, without: tuple[str, ...] = ()) -> None:
    assert rows(site.rows(), without=without) == rows(record["after"]["actions"], without=without)
    assert logs(site.rows("logs")) == logs(record["logs_after"])
    assert site.rows("claims") == record["after"]["claims"]


@pytest.mark.parametrize("name", EXECUTED)
def test_execution(name, site, server, engine, calls):
    """A run leaves the rows, logs and calls that PHP's runner leaves."""
    record = RECORDS[name]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        engine.run()
    by_hand = name in {"tr-0003", "tr-0004"}  # recorded without a claim: ours always has one
    assert_same(site, record, without=("claim_id",) if by_hand else ())
    looked = {"peek", "claims"}  # notes of what a callback saw in the tables, no calls
    assert calls == [args for hook, args in record["callbacks_called"] if hook not in looked]


@pytest.mark.parametrize("name", RUN_AT_ONCE)
def test_a_future_action_that_is_run_at_once(name, site, server, engine):
    """Run before its time, a cron action's next instance repeats the same date, as in PHP."""
    record = RECORDS[name]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        claim = (source := engine.source(ids=[1])).claim(25)
        source.advance(claim, [], claim.actions)
        source.advance(claim, [Settlement(claim.actions[0], Completed())], [])
        source.release(claim, [])
    assert_same(site, record, without=("claim_id",))  # recorded by hand, without a claim


@pytest.mark.parametrize("name", CORRUPT)
def test_corrupt_rows(name, site, server, engine, calls):
    """Canceled, attempts untouched, chain ended, as in 4.0.0. A deliberate difference: the row
    keeps the logs it had (PHP deletes them) and gets one line that says what is wrong."""
    record = RECORDS[name]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        engine.run()
        engine.run()
    assert rows(site.rows()) == rows(record["after"]["actions"])
    before = [line["message"] for line in record["logs_before"]]
    messages = site.logs(1)
    assert messages[:-1] == before
    assert re.match(
        r"action canceled via Python runner: the row cannot be read: its (args|schedule)",
        messages[-1],
    )
    assert calls == []


@pytest.mark.parametrize("name", WITHOUT_CALLBACK)
def test_actions_without_a_handler_are_left_alone(name, site, server, engine):
    """A deliberate difference: PHP fails what it has no callback for, the runner never touches
    what it has no handler for."""
    record = RECORDS[name]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        engine.run()
    assert site.rows() == record["before"]["actions"]
    assert site.rows("logs", "1")[0]["message"] == "action created"
    assert len(site.rows("logs")) == len(record["logs_before"])


@pytest.mark.parametrize("name", BESIDE_A_LIVE_CLAIM)
def test_another_claim_does_not_stop_the_runner(name, site, server, engine, calls):
    """A deliberate difference: PHP runs nothing while anybody holds a claim; the runner leaves
    the other's row alone and runs what is free."""
    record = RECORDS[name]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        engine.run()
    assert site.row(1) == record["before"]["actions"][0]
    assert (site.row(2)["status"], calls) == ("complete", [["free"]])
    assert site.rows("claims") == record["before"]["claims"]


def test_reset_of_a_claimed_row(site, server, engine):
    """tr-0051: a claimed row of a dead worker is pending again, with PHP's log line; the other's
    claims row stays. The run then goes on to run it, as PHP's next claim would."""
    record = RECORDS["tr-0051"]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        claim = engine.source().claim(25, expired=True)
    assert (claim.actions, claim.expired, claim.reset) == ((), (), 1)
    assert_same(site, record)


def test_a_row_that_another_claims_meanwhile_is_lost(site, server, engine, calls):
    """tr-0080: the stolen row is not run and not touched. A deliberate difference: PHP drops the
    rest of its batch and claims anew, the runner goes on with the rest under the same claim."""
    record = RECORDS["tr-0080"]
    seed(site, record)

    def steal(index: int) -> None:
        calls.append([index])
        if index == 0:
            site.run("UPDATE wp_actionscheduler_actions SET claim_id = 999 WHERE action_id = 2")

    engine.app.handlers = Handlers()
    engine.app.handlers.on("steal_hook")(steal)
    with server.frozen(record["now_ts_after"]):
        summary = engine.run()
    assert_same(site, record)
    assert site.row(2)["claim_id"] == "999"
    assert ([args for _, args in record["callbacks_called"]], summary.lost) == (calls, 1)


def test_a_row_canceled_while_claimed_is_ignored(site, server, engine):
    """tr-0081: it stays canceled and gets the line that says it was ignored."""
    record = RECORDS["tr-0081"]
    seed(site, record)

    def cancel(_index: int) -> None:
        site.run("UPDATE wp_actionscheduler_actions SET status = 'canceled' WHERE action_id = 2")

    engine.app.handlers = Handlers()
    engine.app.handlers.on("cancel_hook")(cancel)
    with server.frozen(record["now_ts_after"]):
        summary = engine.run()
    assert_same(site, record)
    assert summary.lost == 1


def test_nothing_due_leaves_no_claim(site, server, engine):
    """tr-0084: a deliberate difference: PHP leaves a claims row when it finds nothing, the
    runner writes none."""
    record = RECORDS["tr-0084"]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        assert engine.source().claim(25) is None
    assert site.rows() == record["after"]["actions"]
    assert (len(record["after"]["claims"]), site.rows("claims")) == (1, [])


def test_claim_and_release(site, server, engine):
    """tr-0085: rows in the middle of a claim and after its release are as in PHP. (There the
    first one was set complete by hand: here it runs, so attempts and last attempt differ.)"""
    record = RECORDS["tr-0085"]
    seed(site, record)
    with server.frozen(record["now_ts_after"]):
        source = engine.source()
        claim = source.claim(2)
        middle = record["return"]["mid"]
        seen = [{k: row[k] for k in middle[0]} for row in site.rows()]
        assert rows(seen) == rows(middle)
        first, second = claim.actions
        source.advance(claim, [], [first])
        source.advance(claim, [Settlement(first, Completed())], [])
        source.release(claim, [second])
    assert rows(site.rows(), without=("attempts",)) == rows(
        record["after"]["actions"], without=("attempts",)
    )
    assert site.rows("claims") == record["after"]["claims"]


def test_an_unknown_group_is_an_error_and_leaves_nothing(site, server, engine):
    """tr-0087: refused as in PHP. A deliberate difference: PHP leaves a claims row behind."""
    record = RECORDS["tr-0087"]
    seed(site, record)
    with (
        server.frozen(record["now_ts_after"]),
        pytest.raises(UsageError, match="no group nogroup_xyz"),
    ):
        engine.run(groups=["nogroup_xyz"])
    assert site.rows("claims") == []
    assert site.rows() == record["before"]["actions"]


def test_excluded_groups(site, server, engine):
    """tr-0089: the same rows are claimed as in PHP. tr-0090: an excluded group that is unknown
    excludes nothing; PHP throws, a deliberate difference."""
    record = RECORDS["tr-0089"]
    seed(site, record)
    slugs = {row["group_id"]: row["slug"] for row in record["groups"]}
    (excluded,) = {
        slugs[row["group_id"]]
        for row in record["before"]["actions"]
        if int(row["action_id"]) not in record["return"]
    }
    with server.frozen(record["now_ts_after"]):
        source = engine.source(exclude_groups=[excluded])
        claim = source.claim(25)
        assert [action.id for action in claim.actions] == record["return"]
        source.release(claim, claim.actions)
        everything = engine.source(exclude_groups=["there_is_no_such_group"]).claim(25)
        assert len(everything.actions) == len(record["before"]["actions"])


def test_a_callback_that_exits(site, server, engine, clock):
    """tr-fatal exit: PHP leaves the row in progress and claimed. A deliberate difference: the
    runner settles it as failed, nothing stays claimed, and the chain goes on."""
    record = next(r for name, r in RECORDS.items() if name.startswith("tr-fatal"))
    now = epoch_of(record["after"]["actions"][0]["last_attempt_gmt"])
    seed(site, record)
    engine.handlers.on(record["before"]["actions"][0]["hook"])(lambda *_: sys.exit())
    with server.frozen(now):
        engine.run()
    assert [row["status"] for row in record["after"]["actions"]] == ["in-progress", "pending"]
    assert site.logs(1)[-1] == "action failed via Python runner: SystemExit"
    assert [row["status"] for row in site.rows()] == ["failed", "complete", "pending"]
    assert (site.row(3)["hook"], site.row(3)["claim_id"]) == (site.row(1)["hook"], "0")
    assert site.rows("claims") == []


def test_statuses_are_those_of_the_golden_rows():
    """Our names of statuses are the strings that the real tables hold."""
    seen = {a["status"] for r in RECORDS.values() for a in r.get("after", {}).get("actions", [])}
    assert seen <= {*Status}
    assert ZERO in {a["last_attempt_gmt"] for a in RECORDS["tr-0001"]["before"]["actions"]}
