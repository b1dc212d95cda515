"""Schedules against what the real classes wrote, read and answered (Action Scheduler 4.0.0)."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.cron_expression import CronError, ImpossibleCron
from compat.schedules import (
    CorruptSchedule,
    Kind,
    Schedule,
    ScheduleError,
    asynchronous,
    cron,
    interval,
    read,
    simple,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "schedules.jsonl"
RECORDS = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
STORED = [record for record in RECORDS if record["serialized_base64"]]
REFUSED = [record for record in RECORDS if not record["serialized_base64"]]
CREATED = [record for record in STORED if record["as_version"] != "2.2.1"]  # 2.x wrote other shapes
ASKED = [record for record in STORED if record["next_after"]]


def each(records):
    return pytest.mark.parametrize("record", records, ids=[record["id"] for record in records])


def column(record, name="serialized_base64"):
    return base64.b64decode(record[name])


def start(record):
    params = record["params"]
    return params.get("timestamp", params.get("first", params.get("start")))


def created(record):
    """Make the record's schedule from its parameters."""
    kind, params = Kind(record["kind"]), record["params"]
    if kind is Kind.NULL:
        return asynchronous()
    if kind is Kind.SIMPLE:
        return simple(start(record))
    if kind is Kind.INTERVAL:
        return interval(start(record), params["interval"])
    if kind is Kind.CANCELED:  # no function of the API makes one
        return Schedule(Kind.CANCELED, start(record))
    if "start_timezone" in params:
        # Only PHP code inside WordPress can pass a start with a time zone, and only the first date
        # depends on it: what is stored is a date, which is given here.
        return Schedule(kind, record["date_ts"], record["first_ts"], params["expression"])
    return cron(start(record), params["expression"])


def test_the_golden_file_is_whole():
    """All records take part."""
    assert (len(RECORDS), len(STORED), len(REFUSED)) == (195, 163, 32)


@each(STORED)
def test_read(record):
    """Every column reads as the real class reads it."""
    schedule = read(column(record))
    assert schedule.kind == record["kind"]
    assert schedule.at == record["date_ts"]
    assert schedule.is_recurring is record["is_recurring"]
    if "first_ts" in record:
        assert (schedule.first, schedule.recurrence) == (record["first_ts"], record["recurrence"])


@each(STORED)
def test_written_again(record):
    """What was read is written as 4.0.0 writes it, legacy shapes in today's."""
    schedule = read(column(record))
    written = column(record, "reserialized_base64")
    assert schedule.to_bytes() == written
    assert read(written) == schedule


@each(CREATED)
def test_created(record):
    """The same parameters give the same bytes, after rescheduling too."""
    schedule = created(record)
    if (rescheduled_at := record["params"].get("rescheduled_at")) is not None:
        schedule = schedule.moved_to(schedule.next_after(rescheduled_at))
    assert schedule.to_bytes() == column(record)


@each(ASKED)
def test_next_after(record):
    """Every question for the next date has the real answer, or the real kind of error."""
    schedule = read(column(record))
    for question in record["next_after"]:
        if "error" in question:
            assert "Impossible" in question["error"]
            with pytest.raises(ImpossibleCron):
                schedule.next_after(question["after_ts"])
        else:
            assert schedule.next_after(question["after_ts"]) == question["next_ts"], question


@each(REFUSED)
def test_refused(record):
    """What PHP refuses to create is refused, impossible dates under their own name."""
    with pytest.raises(CronError) as caught:
        created(record)
    assert (type(caught.value) is ImpossibleCron) == ("Impossible" in record["error"])


def test_microseconds_count():
    """PHP's "now" has a fraction, so a run within its due second has its next date."""
    hourly, daily = interval(1000, 3600), cron(0, "@daily")
    assert hourly.next_after(1000) == 1000
    assert hourly.next_after(1000.25) == 4600
    assert daily.next_after(0.25) == 86_400
    assert simple(1000).next_after(1000.25) is None


def test_async_and_canceled_have_no_next():
    """An async action never recurs; a canceled one does not even have its own date."""
    assert asynchronous().next_after(0) is None
    assert Schedule(Kind.CANCELED, 1000).next_after(0) is None


def test_moved():
    """The chain keeps its first date and its recurrence."""
    assert asynchronous().moved_to(1000) == simple(1000)
    assert simple(1000).moved_to(2000) == simple(2000)
    assert interval(1000, "60").moved_to(2000) == Schedule(Kind.INTERVAL, 2000, 1000, "60")


def test_moved_cron_takes_a_match():
    """A 2.x chain holds its raw start; like PHP its repetition goes to the first match."""
    legacy = Schedule(Kind.CRON, 1_767_225_637, 1_767_225_637, "0 3 * * *")
    moved = legacy.moved_to(legacy.next_after(1_767_225_600))
    assert (moved.at, moved.first) == (1_767_236_400, 1_767_225_637)
    assert moved.moved_to(moved.at) == moved
    with pytest.raises(ImpossibleCron):
        Schedule(Kind.CRON, 0, 0, "0 0 30 2 *").moved_to(0)


@pytest.mark.parametrize("seconds", [1, 3600, "3600", " 60 ", 3600.0, 2**37])
def test_interval_keeps_its_type(seconds):
    """PHP keeps an interval in the type it was given in."""
    schedule = interval(1000, seconds, first=10)
    again = read(schedule.to_bytes())
    assert again == schedule
    assert type(again.recurrence) is type(seconds)
    assert schedule.next_after(1001) == 1001 + int(seconds)


@pytest.mark.parametrize(
    "seconds",
    [
        0,
        -1,
        "0",
        "-60",
        "",
        "abc",
        "1.5",
        "1_0",
        "\u0663",
        3600.5,
        float("inf"),
        float("nan"),
        2**63,
    ],
)
def test_interval_refused(seconds):
    """Neither nothing, nor backwards, nor what is not whole seconds."""
    with pytest.raises(ScheduleError):
        interval(1000, seconds)


@pytest.mark.parametrize(
    "seconds", [None, 0, -60, "abc", "", 0.5, float("nan"), float("inf"), float("-inf")]
)
def test_interval_without_a_future(seconds):
    """A stored interval that would be due at once for ever has no next date."""
    schedule = Schedule(Kind.INTERVAL, 1000, 1000, seconds)
    assert schedule.next_after(1000) == 1000
    with pytest.raises(ScheduleError):
        schedule.next_after(1001)


def test_a_fraction_of_a_stored_interval_is_cut():
    """PHP casts what is stored to int."""
    assert Schedule(Kind.INTERVAL, 1000, 1000, 3600.5).next_after(1001) == 4601


def test_unwritable():
    """A date PHP cannot hold is our error, and so is a recurrence that is no expression."""
    with pytest.raises(ScheduleError):
        simple(2**63).to_bytes()
    with pytest.raises(CronError):
        Schedule(Kind.CRON, 0, 0, "never").to_bytes()


# One-byte stand-ins for the property names of the real classes.
NAMES = {
    b"$S": b's:22:"\0*\0scheduled_timestamp"',
    b"$F": b's:18:"\0*\0first_timestamp"',
    b"$R": b's:13:"\0*\0recurrence"',
    b"$T": b's:41:"\0ActionScheduler_SimpleSchedule\0timestamp"',
    b"$C": b's:43:"\0ActionScheduler_CanceledSchedule\0timestamp"',
    b"$I": b's:53:"\0ActionScheduler_IntervalSchedule\0interval_in_seconds"',
    b"$P": b's:25:"\0CronExpression\0cronParts"',
}


def row(kind, count, properties):
    for name, serialized in NAMES.items():
        properties = properties.replace(name, serialized)
    name = b"ActionScheduler_%sSchedule" % kind
    return b'O:%d:"%s":%d:{%s}' % (len(name), name, count, properties)


def cron_row(parts):
    return row(b"Cron", 2, b'$S;i:5;$R;O:14:"CronExpression":1:{$P;' + parts + b"}")


FIVE = b'i:0;s:1:"0";i:1;s:1:"0";i:2;s:1:"*";i:3;s:1:"*";i:4;s:1:"*";'


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (row(b"Simple", 1, b"$S;i:5;"), simple(5)),
        (row(b"Simple", 2, b"$S;N;$T;i:6;"), simple(6)),
        (row(b"Simple", 2, b"$S;i:5;$T;i:6;"), simple(5)),
        (row(b"Simple", 2, b'$S;i:5;s:5:"other";a:0:{}'), simple(5)),
        (row(b"Canceled", 2, b"$S;i:5;$C;N;"), Schedule(Kind.CANCELED, 5)),
        (row(b"Canceled", 2, b"$S;i:5;$C;i:6;"), Schedule(Kind.CANCELED, 6)),
        (row(b"Null", 1, b"$S;i:5;"), asynchronous()),
        (row(b"Interval", 2, b"$S;i:5;$R;i:60;"), interval(5, 60)),
        (row(b"Interval", 3, b"$S;i:5;$F;i:-1;$R;i:60;"), interval(5, 60)),
        (row(b"Interval", 3, b"$S;i:5;$F;i:1;$I;d:60;"), interval(5, 60.0, first=1)),
        (row(b"Interval", 2, b"$S;i:5;$R;i:-60;"), Schedule(Kind.INTERVAL, 5, 5, -60)),
        (cron_row(b"a:5:{" + FIVE + b"}"), Schedule(Kind.CRON, 5, 5, "0 0 * * *")),
    ],
)
def test_lenient_as_php(data, expected):
    """Missing and unknown properties are treated as by the real classes."""
    assert read(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"N;",
        b"i:5;",
        b'a:1:{i:0;s:1:"x";}',
        b'O:8:"stdClass":0:{}',
        b'O:14:"CronExpression":0:{}',
        row(b"Null", 0, b"") + b" ",
        row(b"Null", 1, b'i:0;O:8:"stdClass":0:{}'),
        row(b"Simple", 0, b""),
        row(b"Simple", 1, b"$S;N;"),
        row(b"Simple", 1, b'$S;s:1:"5";'),
        row(b"Simple", 1, b"$S;d:5;"),
        row(b"Simple", 1, b"$S;b:1;"),
        row(b"Interval", 1, b"$S;i:5;"),
        row(b"Interval", 2, b"$S;i:5;$R;b:1;"),
        row(b"Interval", 2, b"$S;i:5;$R;a:0:{}"),
        row(b"Interval", 3, b'$S;i:5;$F;s:1:"5";$R;i:60;'),
        row(b"Cron", 1, b"$S;i:5;"),
        row(b"Cron", 2, b'$S;i:5;$R;s:9:"0 0 * * *";'),
        row(b"Cron", 2, b'$S;i:5;$R;O:14:"CronExpression":0:{}'),
        cron_row(b'a:1:{i:0;s:9:"0 0 * * *";}'),
        cron_row(b"a:0:{}"),
        cron_row(b"a:5:{" + FIVE.replace(b"i:4;", b"i:5;") + b"}"),
        cron_row(b"a:6:{" + FIVE + b"i:5;i:2030;}"),
        cron_row(b"a:5:{" + FIVE.replace(b's:1:"*"', b's:1:"!"') + b"}"),
        cron_row(b"a:4:{" + FIVE[: -len(b'i:4;s:1:"*";')] + b"}"),
    ],
)
def test_corrupt(data):
    """Foreign classes, other shapes and odd types are refused."""
    with pytest.raises(CorruptSchedule):
        read(data)


def test_cut_off():
    """A column cut anywhere is corrupt."""
    data = cron(0, "0 3 * * mon-fri 2030").to_bytes()
    for length in range(len(data)):
        with pytest.raises(CorruptSchedule):
            read(data[:length])


seconds = st.integers(-(2**63), 2**63 - 1)
recurring = st.one_of(
    st.tuples(st.just(Kind.INTERVAL), st.one_of(seconds, st.floats(allow_nan=False), st.text())),
    st.tuples(st.just(Kind.CRON), st.sampled_from(["* * * * *", "0 0 é,1 * MON#2 2030"])),
)


@settings(max_examples=30, deadline=None)
@given(recurring, seconds, st.integers(1, 2**63 - 1))
def test_round_trip(rule, at, first):
    """What is written is read again, types and first date included."""
    kind, recurrence = rule
    schedule = Schedule(kind, at, first, recurrence)
    again = read(schedule.to_bytes())
    assert again == schedule
    assert type(again.recurrence) is type(recurrence)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(STORED), st.data())
def test_damaged_columns_give_a_schedule_or_our_error(record, data):
    """One changed byte leads to nothing but CorruptSchedule, or to what can be written again."""
    column_bytes = bytearray(column(record))
    position = data.draw(st.integers(0, len(column_bytes) - 1))
    column_bytes[position] = data.draw(st.integers(0, 255))
    try:
        schedule = read(bytes(column_bytes))
    except CorruptSchedule:
        return
    assert read(schedule.to_bytes()).at == schedule.at
