"""Every recorded call of Action Scheduler 4.0.0's functions that create actions, made from Python:
equal rows, byte for byte, or a difference that is named here with its reason."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from support.site import SiteDatabase, golden

from runner import EnqueueError, Queue

RECORDS = golden("actions.jsonl")
START = 1_767_225_637

EQUAL = {
    "as_enqueue_async_action('h',[1],'g')": lambda q: q.enqueue("h", [1], group="g"),
    "as_enqueue_async_action('h')": lambda q: q.enqueue("h"),
    "as_enqueue_async_action('h',[],'',true)": lambda q: q.enqueue("h", unique=True),
    "as_schedule_single_action(1767225637,'h',{a:1},'g')": lambda q: q.schedule("h", START, {"a": 1}, group="g"),
    "as_schedule_single_action(1782000000,'h')": lambda q: q.schedule("h", 1_782_000_000),
    "as_schedule_single_action(0,'h')": lambda q: q.schedule("h", 0),
    **{
        f"as_schedule_single_action(1767225637,'h',[],'',false,{number})":
            lambda q, n=number: q.schedule("h", START, priority=n)
        for number in (9, 10, 11, 255, 256, 300, -1, -5)
    },
    "as_schedule_recurring_action(1767225637,3600,'h',{r:1},'g')": lambda q: q.recur("h", 3600, {"r": 1}, first=START, group="g"),
    "as_schedule_recurring_action(1767225637,3600.0,'h')": lambda q: q.recur("h", 3600.0, first=START),
    "as_schedule_cron_action(1767225637,'0 3 * * *','h',{c:1},'g')": lambda q: q.cron("h", "0 3 * * *", {"c": 1}, start=START, group="g"),
    "as_schedule_cron_action(1767225637,'@daily','h')": lambda q: q.cron("h", "@daily", start=START),
    "as_schedule_cron_action(1767225637,'@hourly','h')": lambda q: q.cron("h", "@hourly", start=START),
    "hook = 191 x": lambda q: q.schedule("x" * 191, START),
    "hook крючок": lambda q: q.schedule("крючок", START),
    "hook a/b": lambda q: q.schedule("action_scheduler/x", START),
    "group é": lambda q: q.schedule("h", START, group="groupé"),
    "groups Foo then foo": lambda q: [q.schedule("h", START, group=slug) for slug in ("Foo", "foo")],
    "group ''": lambda q: [q.schedule(hook, START, group="") for hook in ("h", "h2")],
    "args 300 x": lambda q: q.schedule("h", START, ["x" * 300]),
}  # fmt: skip

REFUSED = {
    # What PHP refuses too, by 0 or by an exception.
    "as_schedule_recurring_action(1767225637,3600.5,'h')": ("whole number", lambda q: q.recur("h", 3600.5, first=START)),
    "as_schedule_recurring_action(1767225637,'abc','h')": ("whole number", lambda q: q.recur("h", "abc", first=START)),
    "as_schedule_recurring_action(1767225637,NULL,'h')": ("whole number", lambda q: q.recur("h", None, first=START)),
    "as_schedule_cron_action(1767225637,'* * * *','h')": ("cron", lambda q: q.cron("h", "* * * *", start=START)),
    "as_schedule_cron_action(1767225637,'0 0 31 2 *','h')": ("date", lambda q: q.cron("h", "0 0 31 2 *", start=START)),
    "as_schedule_single_action('garbage','h')": ("a date is", lambda q: q.schedule("h", "garbage")),
    "args 'str'": ("a list or a dict", lambda q: q.schedule("h", START, "str")),
    "args null": ("a list or a dict", lambda q: q.schedule("h", START, None)),
    # A recurring action that would silently run once only, or be due again at once and for ever.
    "as_schedule_recurring_action(1767225637,0,'h')": ("cannot be 0 seconds", lambda q: q.recur("h", 0, first=START)),
    "as_schedule_cron_action(1767225637,'','h')": ("cron", lambda q: q.cron("h", "", start=START)),
    "as_schedule_cron_action(1767225637,NULL,'h')": ("cron expression is a str", lambda q: q.cron("h", None, start=START)),
    "as_schedule_recurring_action(1767225637,-60,'h')": ("cannot be -60 seconds", lambda q: q.recur("h", -60, first=START)),
    # PHP cuts it, and nothing finds the action under its own name.
    "hook = 192 x": ("192 characters", lambda q: q.schedule("x" * 192, START)),
    # Texts and null are no numbers in Python, and floats no dates: a mistake, not a wish.
    "as_schedule_single_action(1767225637,'h',[],'',false,'7')": ("priority must be a number", lambda q: q.schedule("h", START, priority="7")),
    "as_schedule_single_action(1767225637,'h',[],'',false,'abc')": ("priority must be a number", lambda q: q.schedule("h", START, priority="abc")),
    "as_schedule_single_action(1767225637,'h',[],'',false,NULL)": ("priority must be a number", lambda q: q.schedule("h", START, priority=None)),
    "as_schedule_recurring_action(1767225637,'3600','h')": ("whole number", lambda q: q.recur("h", "3600", first=START)),
    "as_schedule_single_action('1767225637','h')": ("a date is", lambda q: q.schedule("h", "1767225637")),
    "as_schedule_single_action(1767225637.7,'h')": ("a date is", lambda q: q.schedule("h", 1767225637.7)),
    "as_schedule_single_action(NULL,'h')": ("the date is missing", lambda q: q.schedule("h", None)),
    "group 5": ("group must be a str", lambda q: q.schedule("h", START, group=5)),
}  # fmt: skip

NEW_YORK = "as_schedule_single_action(DateTime 2026-01-01 00:00:37 America/New_York,'h')"
OWN_TEST = {NEW_YORK: "PHP loses a DateTime's zone; an aware datetime means its own moment"}

PHP_ONLY = {
    "store->save_action(FinishedAction)": "an object of PHP's store",
    "pre_as_schedule_single_action returns 4242": "a filter inside WordPress",
    "pre_as_schedule_single_action returns false": "a filter inside WordPress",
}


def test_every_recorded_call_is_made_or_named():
    """No call of 4.0.0 is left out silently, and none stands in two tables."""
    tables = [EQUAL, REFUSED, OWN_TEST, PHP_ONLY]
    named = [call for table in tables for call in table]
    assert sorted(named) == sorted({record["call"] for record in RECORDS})
    assert {record["as_version"] for record in RECORDS} == {"4.0.0"}


@pytest.fixture(scope="module")
def shared(server):
    database = SiteDatabase.create(server)
    yield database
    database.drop()


@pytest.fixture
def play(shared, server):
    """Makes the call of a record at its moment, on an empty site of its time zone."""
    for table in ("actions", "groups", "logs"):
        shared.run(f"TRUNCATE {shared.table(table)}")

    def play(record, call):
        for name, value in json.loads(record["site_timezone"]).items():
            shared.set_option(name, str(value))
        with server.frozen(record["called_at_ts"]), Queue.open(shared.url) as queue:
            return call(queue)

    return play


def chosen(table):
    return [pytest.param(r, id=r["id"]) for r in RECORDS if r["call"] in table]


def actions(shared):
    rows = shared.rows("actions")
    for row in rows:
        schedule = row.pop("schedule").encode("utf-8")
        row["schedule_base64"] = base64.b64encode(schedule).decode()
    return rows


@pytest.mark.parametrize("record", chosen(EQUAL))
def test_rows_equal_php_s(record, play, shared):
    """The same id is returned; actions, groups and logs are the same in every column."""
    assert play(record, EQUAL[record["call"]]) == record["return"]
    assert actions(shared) == record["actions"]
    assert shared.rows("groups") == record["groups"]
    logs = [{k: v for k, v in row.items() if k != "log_id"} for row in shared.rows("logs")]
    assert logs == record["logs"]


@pytest.mark.parametrize("record", chosen(REFUSED))
def test_refused(record, play, shared):
    """A clear error, and nothing is written, not even a group."""
    why, call = REFUSED[record["call"]]
    with pytest.raises(EnqueueError, match=why):
        play(record, call)
    assert [shared.rows(table) for table in ("actions", "groups", "logs")] == [[], [], []]


def test_a_datetime_keeps_its_zone(play, shared):
    """A deliberate difference: five hours later in UTC, where PHP reads the wall clock as UTC."""
    record = next(r for r in RECORDS if r["call"] == NEW_YORK)
    at = datetime(2026, 1, 1, 0, 0, 37, tzinfo=ZoneInfo("America/New_York"))
    play(record, lambda q: q.schedule("h", at))
    assert record["actions"][0]["scheduled_date_gmt"] == "2026-01-01 00:00:37"
    assert shared.row(1)["scheduled_date_gmt"] == "2026-01-01 05:00:37"
