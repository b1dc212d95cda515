"""The read model of `runner action`: filters, order, pages, rows that cannot be read, plans."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.fill import fill
from support.site import ZERO

from compat import schedules
from compat.args import store
from runner import Handlers
from runner.operations.actions import ALL, Actions, Bound, Filter, LogEntry, Page
from runner.site import discover

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC


@pytest.fixture
def read(site, clock):
    """Builds the read model over a connection of its own."""
    engine = Engine(site, Handlers(), clock)

    def build() -> Actions:
        database = engine.database()
        return Actions(database, discover(database, engine.tables))

    yield build
    engine.close()


LONG = ["x" * 300]


@pytest.fixture
def queue(site):
    """Rows that differ in one thing or another; the keys are their ids."""
    touched = {"last_attempt_gmt": "2026-11-23 06:00:00", "claim_id": 7}
    return {
        site.add("sync", [1], at=NOW, group="shop"): "due now",
        site.add("SYNC", [1], at=NOW - 60, group="Mails"): "other case",
        site.add("mail", {"a": 1}, at=NOW + 60): "no group",
        site.add("sync", LONG, at=NOW - 600, status="complete", **touched): "complete",
        site.add("mail", [2], at=NOW - 30, status="in-progress", **touched): "running",
        site.add("gone", [], at=NOW, status="failed", scheduled_date_gmt=ZERO, group_id=0): "zero date",
        site.add("gone", [], at=NOW, status="canceled", scheduled_date_gmt=None, group_id=99): "no date",
    }  # fmt: skip


FILTERS = {
    "none": (Filter(), set(range(1, 8))),
    "hook by collation": (Filter(hook="Sync"), {1, 2, 4}),
    "part of a hook": (Filter(hook="syn"), set()),
    "wildcard is none": (Filter(hook="%"), set()),
    "args": (Filter(args="[1]"), {1, 2}),
    "args and hook": (Filter(args="[2]", hook="mail"), {5}),
    "long args": (Filter(args=store(LONG).args), {4}),
    "map": (Filter(args='{"a":1}'), {3}),
    "no args": (Filter(args="[]"), {6, 7}),
    "group by collation": (Filter(group="mails"), {2}),
    "unknown group": (Filter(group="nope"), set()),
    "no group": (Filter(group=""), {3, 4, 5, 6}),
    "one status": (Filter(statuses=("pending",)), {1, 2, 3}),
    "two statuses": (Filter(statuses=("failed", "canceled")), {6, 7}),
    "claimed": (Filter(claimed=True), {4, 5}),
    "unclaimed": (Filter(claimed=False), {1, 2, 3, 6, 7}),
    "claim": (Filter(claim=7), {4, 5}),
    "another claim": (Filter(claim=8), set()),
    "up to now": (Filter(scheduled=(Bound("<=", NOW),)), {1, 2, 4, 5, 6}),
    "before now": (Filter(scheduled=(Bound("<", NOW),)), {2, 4, 5, 6}),
    "from now": (Filter(scheduled=(Bound(">=", NOW),)), {1, 3}),
    "after now": (Filter(scheduled=(Bound(">", NOW),)), {3}),
    "now": (Filter(scheduled=(Bound("=", NOW),)), {1}),
    "not now": (Filter(scheduled=(Bound("!=", NOW),)), {2, 3, 4, 5, 6}),
    "two bounds": (Filter(scheduled=(Bound(">=", NOW - 60), Bound("<", NOW))), {2, 5}),
    "modified": (Filter(modified=(Bound(">=", NOW - 300),)), {4, 5}),
    "never modified matches nothing": (Filter(modified=(Bound("<", NOW - 300),)), set()),
    "everything at once": (
        Filter("sync", "[1]", "shop", ("pending",), False, 0, (Bound("=", NOW),)),
        {1},
    ),
}  # fmt: skip


def test_filters_choose_rows(queue, read, subtests):
    """Each condition lets through what it names, counted as listed; NULL dates match no bound."""
    actions = read()
    for name, (wanted, ids) in FILTERS.items():
        with subtests.test(name):
            assert set(actions.ids(wanted)) == ids
            assert actions.count(wanted) == len(ids)
            assert actions.count(wanted, at_most=2) == min(len(ids), 2)


ORDERS = {
    "date": [7, 6, 4, 2, 5, 1, 3],
    "id": [1, 2, 3, 4, 5, 6, 7],
    "hook": [6, 7, 3, 5, 1, 2, 4],
    "status": [7, 4, 6, 5, 2, 1, 3],
    "modified": [1, 2, 3, 6, 7, 4, 5],
}


def test_pages_follow_each_other_in_every_order(queue, read, subtests):
    """Pages of two make the whole, both ways, and the rows come in the order of their ids."""
    actions = read()
    for name, order in ORDERS.items():
        for descending in (False, True):
            with subtests.test(name, descending=descending):
                ids = [
                    id_
                    for offset in range(0, 8, 2)
                    for id_ in actions.ids(Filter(), Page(name, descending, 2, offset))
                ]
                assert ids == (order[::-1] if descending else order)
    assert [action.id for action in actions.read([5, 99, 1])] == [5, 1]


def test_a_row_is_read_whole(site, read, server):
    """Every column that is shown, with the group's name, and the log in its order."""
    id_ = site.add(
        "sync", [1, {"a": "é"}], at=NOW, group="shop", priority=3, attempts=2, claim_id=8,
        schedule=schedules.cron(NOW, "5 6 * * *"), last_attempt_gmt="2026-11-23 06:00:00",
    )  # fmt: skip
    site.insert("logs", {"action_id": id_, "message": "second", "log_date_gmt": None})
    actions = read()
    (found,) = actions.read([id_])
    assert (found.hook, found.group, found.status) == ("sync", "shop", "pending")
    assert found.args == [1, {"a": "é"}]
    assert (found.priority, found.attempts, found.claim_id) == (3, 2, 8)
    assert (found.scheduled_gmt, found.last_attempt_gmt) == (
        "2026-11-23 06:05:00", "2026-11-23 06:00:00",
    )  # fmt: skip
    assert (found.schedule.recurrence, found.problems) == ("5 6 * * *", ())
    assert actions.logs([id_, 99]) == {
        id_: [LogEntry("2026-11-23 06:05:00", "action created"), LogEntry(None, "second")],
        99: [],
    }
    with server.frozen(NOW):
        assert read().now() == NOW


CORRUPT = {
    "args are no JSON": ({"args": "{x"}, "{x", "its args"),
    "args are a number": ({"args": "5"}, "5", "its args"),
    "args are gone": ({"args": None}, None, "its args"),
    "long args are no JSON": ({"args": "0" * 32, "extended_args": "[1,"}, "[1,", "its args"),
    "schedule is no schedule": ({"schedule": 'O:8:"stdClass":0:{}'}, [1], "its schedule"),
    "schedule is gone": ({"schedule": None}, [1], "its schedule"),
    "both": ({"args": "", "schedule": "x"}, "", "its args"),
}  # fmt: skip


def test_rows_that_cannot_be_read_are_shown_as_they_are(site, read, subtests):
    """What is broken is told and left as text, what is not is read."""
    actions = read()
    for name, (columns, args, problem) in CORRUPT.items():
        with subtests.test(name):
            id_ = site.add("ok", [1], at=NOW)
            for column, value in columns.items():
                site.run(
                    f"UPDATE wp_actionscheduler_actions SET {column} = %s WHERE action_id = %s",
                    (value, id_),
                )
            (found,) = actions.read([id_])
            assert found.args == args
            assert found.problems[0].startswith(problem)
            assert (found.schedule is None) == ("schedule" in columns)
            assert len(found.problems) == len({*columns} & {"args", "schedule"})


HOOKS = tuple(f"hook_{number}" for number in range(50))

PLANS = {
    "no filter": (Filter(), "date"),
    "hook": (Filter(hook="hook_3"), "date"),
    "unknown hook": (Filter(hook="nope"), "date"),
    "hook and status": (Filter(hook="rare", statuses=("pending",)), "date"),
    "pending": (Filter(statuses=("pending",)), "date"),
    "failed and pending": (Filter(statuses=("pending", "failed")), "date"),
    "args": (Filter(args="[4711]"), "date"),
    "group": (Filter(group="shop"), "date"),
    "claim": (Filter(claim=77), "date"),
    "past due": (Filter(statuses=("pending",), scheduled=(Bound("<=", NOW),)), "date"),
    "a day": (Filter(scheduled=(Bound(">=", NOW), Bound("<", NOW + 86_400))), "date"),
    "modified": (Filter(modified=(Bound(">=", NOW),)), "modified"),
    "by id": (Filter(), "id"),
    "by status": (Filter(), "status"),
    "by modified": (Filter(), "modified"),
}


@pytest.fixture
def crowd(site):
    """50,000 finished rows of fifty hooks, and some that wait."""
    fill(site, 50_000, "complete", hooks=HOOKS, now=NOW)
    fill(site, 300, "future", hooks=("rare",), now=NOW)
    group = site.group("shop")
    site.run(
        f"UPDATE wp_actionscheduler_actions SET group_id = {group} WHERE action_id MOD 500 = 3"
    )
    site.run("ANALYZE TABLE wp_actionscheduler_actions")


def passed(database) -> int:
    """Rows that the connection has read so far, through an index or without one."""
    rows = database.query("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(row["Value"]) for row in rows)


def test_a_page_is_found_through_an_index(crowd, read, subtests):
    """No filter of an indexed column, and no order but that by hook, reads the whole table: at
    most a few thousand rows are passed, whatever is in it."""
    actions = read()
    database = actions._database
    for name, (wanted, order) in PLANS.items():
        for descending in (False, True):
            with subtests.test(name, descending=descending):
                before = passed(database)
                actions.ids(wanted, Page(order, descending, 20))
                assert passed(database) - before < 3_000


def test_counting_for_a_page_is_bounded(crowd, read):
    """How many there are is counted no further than asked."""
    actions = read()
    database = actions._database
    before = passed(database)
    assert actions.count(Filter(), at_most=1001) == 1001
    assert passed(database) - before < 3_000
    assert actions.count(Filter(), at_most=ALL) == 50_300
