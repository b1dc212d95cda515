"""The cron dialect: each habit with a date taken from the calendar, and general properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.cron_expression import MAX_LENGTH, CronError, CronExpression, ImpossibleCron

DAY = 86_400


def epoch(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def after(expression, start, *, allow_current=False):
    found = CronExpression.parse(expression).next_after(epoch(start), allow_current=allow_current)
    return f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M:%S}".removesuffix(":00")


# 1 January 2026 is a Thursday, 1 February and 1 March are Sundays.
DATES = [
    ("every minute", "* * * * *", "2026-01-01 00:00", "2026-01-01 00:01"),
    ("seconds are cut", "0 12 * * *", "2026-01-01 11:59:59", "2026-01-01 12:00"),
    ("later than that minute", "0 12 * * *", "2026-01-01 12:00:30", "2026-01-02 12:00"),
    ("both day fields", "0 0 13 * 5", "2026-02-13 00:00", "2026-03-13 00:00"),
    ("both day fields, monday the 1st", "0 0 1 * 1", "2026-02-10 00:00", "2026-06-01 00:00"),
    ("days modulo n", "0 0 */10 * *", "2026-01-01 00:00", "2026-01-10 00:00"),
    ("days modulo n, next month", "0 0 */10 * *", "2026-01-30 00:00", "2026-02-10 00:00"),
    ("months modulo n", "0 0 1 */3 *", "2026-01-01 00:00", "2026-03-01 00:00"),
    ("minutes restart each hour", "*/7 * * * *", "2026-01-01 00:56", "2026-01-01 01:00"),
    ("a step beyond the field", "*/90 * * * *", "2026-01-01 00:00", "2026-01-01 01:00"),
    ("zero by n", "0/10 * * * *", "2026-01-01 00:51", "2026-01-01 01:00"),
    ("a by n", "5/15 * * * *", "2026-01-01 00:50", "2026-01-01 01:05"),
    ("a by n starts at a", "50/20 * * * *", "2026-01-01 00:50", "2026-01-01 01:50"),
    ("a to b by n", "0 8-18/4 * * *", "2026-01-01 16:00", "2026-01-02 08:00"),
    ("step with decimals is cut", "*/2.5 * * * *", "2026-01-01 00:00", "2026-01-01 00:02"),
    ("list", "5,10,*/20 * * * *", "2026-01-01 00:10", "2026-01-01 00:20"),
    ("leading zeros", "08 09 * * *", "2026-01-01 00:00", "2026-01-01 09:08"),
    ("numbers in any notation", "1e1 2.0 * * *", "2026-01-01 00:00", "2026-01-01 02:10"),
    ("range from nothing", "-5 * * * *", "2026-01-01 00:05", "2026-01-01 01:00"),
    ("names in any case", "0 9 * * mon-fri", "2026-01-02 09:00", "2026-01-05 09:00"),
    ("month names", "0 0 1 Jul,OCT *", "2026-01-01 00:00", "2026-07-01 00:00"),
    ("month name range", "0 0 1 FEB-apr *", "2026-04-01 00:00", "2027-02-01 00:00"),
    ("names inside a word", "0 0 1 1MAR *", "2026-01-01 00:00", None),  # 13
    ("names joined to a number", "0 0 1 JANFEB *", "2026-01-01 00:00", "2026-12-01 00:00"),
    ("sunday 0", "0 0 * * 0", "2026-01-01 00:00", "2026-01-04 00:00"),
    ("sunday 7", "0 0 * * 7", "2026-01-01 00:00", "2026-01-04 00:00"),
    ("5-7 ends on sunday", "0 0 * * 5-7", "2026-01-03 00:00", "2026-01-04 00:00"),
    ("5-7 starts on friday", "0 0 * * 5-7", "2026-01-04 00:00", "2026-01-09 00:00"),
    ("6-0 is saturday and sunday", "0 0 * * 6-0", "2026-01-03 00:00", "2026-01-04 00:00"),
    ("6-0 leaves out monday", "0 0 * * SAT-SUN", "2026-01-04 00:00", "2026-01-10 00:00"),
    ("7-2 starts on sunday", "0 0 * * 7-2", "2026-01-01 00:00", "2026-01-04 00:00"),
    ("7-2 ends on tuesday", "0 0 * * 7-2", "2026-01-06 00:00", "2026-01-11 00:00"),
    ("a 7 means 1 to 7", "0 0 * * */7", "2026-01-01 00:00", "2026-01-04 00:00"),
    ("without a 7, 0 to 6", "0 0 * * */6", "2026-01-01 00:00", "2026-01-03 00:00"),
    ("last day", "0 0 L * *", "2028-02-01 00:00", "2028-02-29 00:00"),
    ("last friday", "0 0 * * 5L", "2026-01-01 00:00", "2026-01-30 00:00"),
    ("last friday by name", "0 0 * * FRIL", "2026-01-30 00:00", "2026-02-27 00:00"),
    ("last sunday as 7", "0 0 * * 7L", "2026-01-01 00:00", "2026-01-25 00:00"),
    ("nearest working day, sunday", "0 0 15W 2 *", "2026-01-01 00:00", "2026-02-16 00:00"),
    ("nearest working day, saturday", "0 0 14W 2 *", "2026-01-01 00:00", "2026-02-13 00:00"),
    ("nearest stays in month, start", "0 0 1W 8 *", "2026-01-01 00:00", "2026-08-03 00:00"),
    ("nearest stays in month, end", "0 0 31W 5 *", "2026-01-01 00:00", "2026-05-29 00:00"),
    ("nearest overflows", "0 0 30W 2 *", "2026-01-01 00:00", "2026-02-02 00:00"),
    ("an offset after the day", "0 0 15-16W 2 *", "2026-01-01 00:00", "2026-02-16 00:00"),
    ("LW is the day number before", "0 0 LW * *", "2026-01-01 00:00", "2026-01-31 00:00"),
    ("second monday", "0 0 * * 1#2", "2026-01-01 00:00", "2026-01-12 00:00"),
    ("second monday by name", "0 0 * * MON#2", "2026-01-12 00:00", "2026-02-09 00:00"),
    ("fifth friday", "0 0 * * 5#5", "2026-01-30 00:00", "2026-05-29 00:00"),
    ("number 0 is number 1", "0 0 * * 1#0", "2026-01-01 00:00", "2026-01-05 00:00"),
    ("no number is number 1", "0 0 * * 1#", "2026-01-01 00:00", "2026-01-05 00:00"),
    ("any day of week, in a list", "0 0 * * ?,1", "2026-01-01 00:00", "2026-01-02 00:00"),
    ("any day of month", "0 0 ? * MON", "2026-01-01 00:00", "2026-01-05 00:00"),
    ("year", "0 0 1 1 * 2030", "2026-01-01 00:00", "2030-01-01 00:00"),
    ("year step", "0 0 1 1 * */4", "2026-06-01 00:00", "2028-01-01 00:00"),
    ("year range", "0 0 1 1 * 2030-2031", "2030-06-01 00:00", "2031-01-01 00:00"),
    ("year ends", "59 23 31 12 * 2026", "2026-01-01 00:00", "2026-12-31 23:59"),
    ("no skip from day 28", "0 0 1 2 *", "2026-01-28 12:00", "2026-02-01 00:00"),
    ("skip of february", "0 0 1 2 *", "2026-01-31 00:00", "2027-02-01 00:00"),
    ("skip of february from 29", "0 0 15 FEB *", "2026-01-29 00:00", "2027-02-15 00:00"),
    ("no skip in a leap year", "0 0 15 2 *", "2028-01-29 00:00", "2028-02-15 00:00"),
    ("skip of a leap day", "0 0 29 2 *", "2028-01-30 00:00", "2032-02-29 00:00"),
    ("skip of april", "0 0 1 4 *", "2026-03-31 23:59:59", "2027-04-01 00:00"),
    ("skip of one of several", "0 0 1 */2 *", "2026-01-31 00:00", "2026-04-01 00:00"),
    ("no skip between long months", "0 0 1 1 *", "2026-12-31 00:00", "2027-01-01 00:00"),
    ("before 1970", "0 0 * * *", "1969-12-31 23:59:30", "1970-01-01 00:00"),
]


@pytest.mark.parametrize(
    ("expression", "start", "expected"), [row[1:] for row in DATES], ids=[row[0] for row in DATES]
)
def test_next_date(expression, start, expected):
    """The next date is the one PHP gives."""
    if expected is None:
        with pytest.raises(ImpossibleCron):
            after(expression, start)
    else:
        assert after(expression, start) == expected


def test_the_current_minute_counts_when_allowed():
    """The first date of a chain may be the start itself, without its seconds."""
    assert after("0 12 * * *", "2026-01-01 12:00:30", allow_current=True) == "2026-01-01 12:00"
    assert after("0 12 * * *", "2026-01-01 12:01", allow_current=True) == "2026-01-02 12:00"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("\t 5  4\n* JAN\vmon-fri \r", "5 4 * JAN mon-fri"),
        ("0 0 1 1 * 2030", "0 0 1 1 * 2030"),
    ],
)
def test_stored_form(text, stored):
    """Macros are expanded and white space is single; the rest stays as written."""
    expression = CronExpression.parse(text)
    assert str(expression) == stored
    assert expression.parts == tuple(stored.split(" "))
    assert CronExpression.parse(stored) == expression


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "* * * *",
        "0 0 1 1 * * *",
        "@midnight",
        "@reboot",
        "@DAILY",
        " @daily",
        "x * * * *",
        "* x * * *",
        "* * ! * *",
        "0 0 1 jan *",
        "0 0 * * fri",
        "0 0 ? * ?",
        "0 0 1 1 * x",
        "0\u00a00 * * *",  # PHP splits at ASCII white space only
        "* * * * " + "1," * (MAX_LENGTH // 2),
        "@daily" + " " * MAX_LENGTH,
    ],
)
def test_refused_when_read(text):
    """What PHP refuses at creation, and what is too long to be meant."""
    with pytest.raises(CronError) as caught:
        CronExpression.parse(text)
    assert type(caught.value) is CronError


@pytest.mark.parametrize(
    "text",
    [
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 31 4 *",
        "0 0 30 2 *",
        "0 0 1 13 *",
        "0 0 * * 8",
        "0 0 * * L",
        "0 0 W * *",
        "0 0 L-3 * *",
        "0 0 * * MONDAY",
        "0 23-1 * * *",
        "50-10 * * * *",
        "5- * * * *",
        "1.5 * * * *",
        "1\u017fUN * * * *",  # not SUN: only ASCII letters have a case here
        ", * * * *",
        "0 0 1 1 * 2025",
        "0 0 1 1 * 5000",  # 1000 steps do not lead that far
    ],
)
def test_impossible(text):
    """What PHP accepts, and gives up on after 1000 steps."""
    with pytest.raises(ImpossibleCron):
        after(text, "2026-01-01 00:00")


@pytest.mark.parametrize(
    "text",
    [
        "*/0 * * * *",
        "*/0.5 * * * *",
        "*/1e999 * * * *",
        "*/ * * * *",
        "*/x * * * *",
        "/5 * * * *",
        "0 0 * * 0#1",
        "0 0 * * 6#1",
        "0 0 * * 7#1",
        "0 0 * * SAT#1",
        "0 0 * * 1#6",
        "0 0 * * 1#x",
        "0 0 32W * *",
        "0 0 *W * *",
        "0 0 LW 3 *",  # February 2026 ends on a Saturday
        "0 0 31W 2 * 2029",  # the 31st overflows to Saturday, 3 March, and back there is no day
    ],
)
def test_error_when_evaluated(text):
    """What PHP accepts, and fails on with another error when it looks for a date."""
    expression = CronExpression.parse(text)
    with pytest.raises(CronError) as caught:
        expression.next_after(epoch("2026-01-01 00:30"))
    assert type(caught.value) is CronError


@pytest.mark.parametrize(
    "text",
    ["5/0 * * * *", "5/-1 * * * *", "1/1.5 * * * *", "5-x/2 * * * *", "* * * * 8L", "* * * * *L"],
)
def test_error_instead_of_a_loop(text):
    """Where PHP would count for ever, or by fractions, it is an error."""
    expression = CronExpression.parse(text)
    with pytest.raises(CronError):
        expression.next_after(epoch("2026-01-01 00:30"))


def test_a_step_of_nothing_still_meets_its_start():
    """PHP tests before it counts, so the first date of ``5/0`` exists, but none after it."""
    assert after("5/0 * * * *", "2026-01-01 00:00") == "2026-01-01 00:05"


@pytest.mark.parametrize("moment", [10**30, -(10**30), 2**63, epoch("9999-12-31 23:59")])
@pytest.mark.parametrize("text", ["* * * * *", "0 0 L 12 *", "0 0 LW * *", "0 0 1 1 * 2026"])
def test_far_away(text, moment):
    """Outside the calendar there is an error of our own, not an overflow."""
    with pytest.raises(CronError):
        CronExpression.parse(text).next_after(moment)


def test_long_lists_end():
    """A long list that never matches is gone through 1000 times, and that is all."""
    text = "* * * * * " + ",".join(["1-2/9"] * 80)
    with pytest.raises(ImpossibleCron):
        after(text, "2026-01-01 00:00")


moments = st.integers(epoch("1950-01-01"), epoch("2150-01-01"))
items = st.one_of(
    st.just("*"),
    st.integers(0, 31).map(str),
    st.integers(1, 12).map("*/{}".format),
    st.tuples(st.integers(0, 12), st.integers(0, 31)).map("{0[0]}-{0[1]}".format),
    st.tuples(st.integers(0, 12), st.integers(1, 9)).map("{0[0]}/{0[1]}".format),
    st.sampled_from(["L", "15W", "LW", "5L", "1#2", "MON", "?", "x", "", "1-5/2", "7", "8L"]),
)
fields = st.lists(items, min_size=1, max_size=3).map(",".join)
expressions = st.lists(fields, min_size=5, max_size=6).map(" ".join)


def numbers(limit):
    return st.sets(st.integers(0, limit - 1), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(numbers(60), numbers(24), numbers(7), moments)
def test_agrees_with_a_search_minute_by_minute(minutes, hours, weekdays, moment):
    """Lists of minutes, hours and weekdays give the first minute that is in all three."""
    texts = (",".join(map(str, sorted(chosen))) for chosen in (minutes, hours, weekdays))
    expression = CronExpression.parse("{} {} * * {}".format(*texts))
    day = moment // DAY * DAY
    candidates = (
        day + DAY * days + 3600 * hour + 60 * minute
        for days in range(9)
        if (datetime.fromtimestamp(day, UTC) + timedelta(days)).isoweekday() % 7 in weekdays
        for hour in sorted(hours)
        for minute in sorted(minutes)
    )
    expected = next(found for found in candidates if found // 60 > moment // 60)
    assert expression.next_after(moment) == expected


@settings(max_examples=30, deadline=None)
@given(expressions, moments)
def test_dates_are_later_and_stable(text, moment):
    """A date is a whole minute later, the same for the whole minute, and matches itself."""
    try:
        expression = CronExpression.parse(text)
        found = expression.next_after(moment)
    except CronError:
        return
    assert found % 60 == 0
    assert found // 60 > moment // 60
    assert expression.next_after(moment - moment % 60) == found
    assert expression.next_after(found, allow_current=True) == found


@settings(max_examples=30, deadline=None)
@given(st.text(" \t0123456789*,/-?LW#JANFRIe.@é\0", max_size=30), st.integers())
def test_any_text_gives_a_date_or_our_error(text, moment):
    """Nothing but CronError comes out of any text."""
    for attempt in (text, f"{text} * * * *", f"* * {text} * *", f"* * * * {text}"):
        try:
            CronExpression.parse(attempt).next_after(moment)
        except CronError:
            continue
