"""Alerts: raised once, said again, resolved once; told together when they are many."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from support.health import NOW
from support.page import connected

from compat.site_time import sql_date
from runner.core.findings import Finding, Severity
from runner.core.message import Message, SendError
from runner.core.thresholds import Thresholds, parse
from runner.operations.health.alerts import Alerts, Telling
from runner.operations.health.looks import HOLD, Looks, looks
from runner.operations.health.outbox import GIVEN_UP, RESTS, Outbox

TELLING = Telling(
    ("box",), most=20, cooldown=1800, link="https://runner.test/alerts", to="a@b.test"
)


class Box:
    """A channel that keeps what it gets, or says what it cannot."""

    name = "box"

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuses: list[SendError] = []

    def send(self, message: Message) -> None:
        if self.refuses:
            raise self.refuses.pop(0)
        self.got.append(message)

    @property
    def said(self) -> list[str]:
        return [message.title("{state}: {text}") for message in self.got]


@pytest.fixture
def shop(site, server):
    """A site at a moment that the test moves on: `look` writes down what was found and sends."""
    site.migrate()
    box = Box()

    def look(after: int, *findings: Finding, telling=TELLING, deliver=True, **options):
        with server.frozen(NOW + after):
            database, facts = connected(site)
            Alerts(database, facts).update(findings, telling, **options)
            if deliver:
                Outbox(database, facts).deliver(box)
            database.close()
        return box

    return SimpleNamespace(site=site, server=server, look=look, box=box)


def bad(rule="php", severity="critical", subject="", text="it is silent", **facts) -> Finding:
    return Finding(rule, Severity(severity), text, "Do something.", subject, 1, facts)


def test_raised_once_and_resolved_once(shop):
    """Looks in between say nothing; the end is told when it was fine for two looks."""
    for after in (0, 60, 120):
        shop.look(after, bad())
    assert shop.box.said == ["CRITICAL: it is silent"]
    shop.look(180)
    assert len(shop.box.said) == 1
    shop.look(240)
    shop.look(300)
    assert shop.box.said == ["CRITICAL: it is silent", "RESOLVED: it is silent"]
    line = shop.box.got[1].lines[0]
    assert (line.since, line.until) == (NOW, NOW + 240)
    assert shop.box.got[0].thread == shop.box.got[1].thread != ""
    assert (shop.box.got[0].to, shop.box.got[0].link) == ("a@b.test", TELLING.link)


def test_one_that_is_away_for_one_look_is_not_over(shop):
    """No end is told, and no new beginning."""
    for after in (0, 120, 240):
        shop.look(after, bad())
        shop.look(after + 60)
    assert shop.box.said == ["CRITICAL: it is silent"]


def test_it_is_said_again_while_it_lasts(shop):
    """After the cooldown, with how long it has lasted."""
    for minute in (0, 1, 29, 30, 31, 59, 60, 61):
        shop.look(minute * 60, bad())
    assert shop.box.said == ["CRITICAL: it is silent"] * 3
    assert [m.lines[0].label for m in shop.box.got] == ["Critical", "Still", "Still"]
    assert shop.box.got[2].lines[0].lasted == "for 1 h"


def test_worse_is_told_at_once(shop):
    """A warning that becomes critical; back again is no news."""
    shop.look(0, bad(severity="warning"))
    shop.look(60, bad(text="it is worse"))
    shop.look(120, bad(severity="warning"))
    shop.look(180, bad(severity="warning"))
    assert shop.box.said == ["WARNING: it is silent", "CRITICAL: it is worse"]


def test_what_is_found_again_later_is_a_new_alert(shop):
    for after in (0, 600):
        shop.look(after, bad())
        shop.look(after + 100)
    assert [said.partition(":")[0] for said in shop.box.said] == ["CRITICAL", "RESOLVED"] * 2
    assert len(shop.site.own("alerts")) == 2


def test_ten_thousand_failures_are_at_most_twenty_messages(shop):
    """An hour of new hooks that fail each minute: all are told, together, and none is forgotten."""
    for step in range(40):
        failures = [bad("failures", "warning", f"hook {n}", f"hook {n} fails") for n in range(step * 256)]  # fmt: skip
        shop.look(step * 90, *failures)
    assert 10 <= len(shop.box.got) <= 20
    assert len(shop.site.own("alerts")) == 39 * 256
    told = sum(len(m.lines) + m.more for m in shop.box.got)
    assert told >= 5_000
    for minute in range(60, 70, 2):
        shop.look(minute * 60, *failures)
    assert not shop.site.own("alerts", "told = ''")
    moments = sorted(row["created_at"] for row in shop.site.own("messages"))
    for first in moments:
        assert sum(0 <= (at - first).total_seconds() < 3600 for at in moments) <= 20


def test_a_message_tells_of_some_and_counts_the_rest(shop):
    """The critical ones first."""
    warnings = [bad("failures", "warning", f"hook {n}") for n in range(40)]
    shop.look(0, *warnings, bad())
    [message] = shop.box.got
    assert (len(message.lines), message.more) == (20, 21)
    assert message.lines[0].rule == "php"
    assert shop.box.said == ["CRITICAL: 41 alerts, first: it is silent"]


def test_what_came_and_went_while_nothing_could_be_told_is_told(shop):
    """The hour's messages were used up."""
    for n in range(20):
        shop.site.run(
            "INSERT INTO wp_runner_messages (tag, channel, body, created_at, tries, error) VALUES (%s, 'box', '', %s, 1, '')",
            (str(n), sql_date(NOW - 60)),
        )
    shop.look(0, bad())
    shop.look(100)
    shop.look(200)
    assert shop.box.said == []
    shop.look(3600)
    assert shop.box.said == ["RESOLVED: it is silent"]
    assert shop.box.got[0].lines[0].lasted == "lasted 1 min 40 s"


def test_silences(shop):
    """By rule, by subject, by both; what still holds at their end is told then; what was told
    before is told to be over."""

    def silence(rule, subject, until):
        with shop.server.frozen(NOW):
            database, facts = connected(shop.site)
            Alerts(database, facts).silence(rule, subject, until=until, reason="", actor="me")
            database.close()

    shop.look(0, bad("workers", text="told before"))
    silence("failures", "", NOW + 600)
    silence("", "hook mail", NOW + 600)
    silence("workers", "", NOW + 600)
    silence("php", "hook other", NOW + 600)
    found = [bad("failures", "warning", "hook x", "x fails"), bad("stuck", "warning", "hook mail", "mail is stuck"), bad()]  # fmt: skip
    for after in (60, 120, 300):
        shop.look(after, *found)
    assert shop.box.said == ["CRITICAL: told before", "CRITICAL: it is silent", "RESOLVED: told before"]  # fmt: skip
    shop.look(500, found[0])
    shop.look(601, found[0])
    assert shop.box.said[3:] == ["RESOLVED: it is silent", "WARNING: x fails"]
    assert [row["told"] for row in shop.site.own("alerts", "rule = 'stuck'")] == ["resolved"]


def test_many_silenced_ones_hide_no_other(shop, monkeypatch):
    """They are not told, and take nobody's place."""
    monkeypatch.setattr("runner.operations.health.alerts.MOST", 50)
    many = [bad("failures", subject=f"hook {n}") for n in range(60)]
    with shop.server.frozen(NOW):
        database, facts = connected(shop.site)
        Alerts(database, facts).silence("failures", "", until=NOW + 7200, reason="", actor="me")
        database.close()
    shop.look(0, *many)
    shop.look(60, *many, bad("stuck", "warning", "hook slow", "it is stuck"))
    assert shop.box.said == ["WARNING: it is stuck"]


def test_undecided_rules_stay_as_they_are(shop):
    """Nothing could be told of them: neither a new alert nor an end."""
    shop.look(0, bad(), bad("stuck", "warning", "hook x"))
    for after in (100, 200, 300):
        shop.look(after, undecided=["php"])
    open_ = {row["rule"] for row in shop.site.own("alerts", "open_key IS NOT NULL")}
    assert open_ == {"php"}


def test_on_hold_nothing_begins_and_nothing_ends(shop):
    """After the time was changed."""
    shop.look(0, bad("stuck", "warning"))
    for after in (3600, 3660, 3720):
        shop.look(after, bad(), hold=True)
    assert shop.box.said == ["WARNING: it is silent"]
    shop.look(3780, bad(), bad("stuck", "warning"))
    assert len(shop.box.got) == 2
    assert {line.label for line in shop.box.got[1].lines} == {"Critical", "Still"}


def test_without_channels_alerts_are_kept_and_told_once_there_are_some(shop):
    shop.look(0, bad(), telling=Telling())
    assert shop.site.own("messages") == []
    shop.look(60, bad())
    assert shop.box.said == ["CRITICAL: it is silent"]


def test_two_runners_tell_once(shop):
    """Both look at the same moment, and both send."""
    with shop.server.frozen(NOW):
        sites = [connected(shop.site) for _ in range(4)]
        barrier, boxes, errors = threading.Barrier(4), [Box() for _ in sites], []

        def work(place, box):
            try:
                for _ in range(10):
                    barrier.wait(10)
                    Alerts(*place).update([bad()], TELLING)
                    Outbox(*place).deliver(box)
            except Exception as error:  # noqa: BLE001  told below
                errors.append(error)

        threads = [threading.Thread(target=work, args=pair) for pair in zip(sites, boxes, strict=True)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for database, _ in sites:
            database.close()
    assert errors == []
    assert sum(len(box.got) for box in boxes) == 1
    assert len(shop.site.own("alerts")) == 1


def test_what_could_not_be_sent_is_tried_again(shop):
    """Later each time, or when the other side says; and shown."""
    shop.box.refuses += [SendError("no answer password=c4n4ry"), SendError("slow down", 77)]
    shop.look(0, bad())
    row = shop.site.own("messages")[0]
    assert (row["tries"], str(row["due_at"])) == (1, sql_date(NOW + RESTS[0]))
    assert "c4n4ry" not in row["error"]
    shop.look(29, bad())
    assert shop.site.own("messages")[0]["tries"] == 1
    shop.look(30, bad())
    assert str(shop.site.own("messages")[0]["due_at"]) == sql_date(NOW + 30 + 77)
    with shop.server.frozen(NOW + 40):
        database, facts = connected(shop.site)
        [unsent] = Outbox(database, facts).unsent()
        database.close()
    assert (unsent.error, unsent.tries) == ("slow down", 2)
    shop.look(107, bad())
    assert shop.box.said == ["CRITICAL: it is silent"]
    assert shop.site.own("messages")[0]["sent_at"] is not None


def test_one_that_is_refused_holds_up_no_other(shop):
    """It waits; the next ones go out at the next time."""
    shop.box.refuses.append(SendError("it answered 554 no"))
    shop.look(0, bad())
    shop.look(20, bad(), bad("stuck", "warning", text="another"))
    assert shop.box.said == ["WARNING: another"]


def test_one_that_some_have_is_not_sent_to_them_again(shop):
    """Whom it was refused for is shown."""
    shop.box.refuses.append(SendError("it refused gone@b.test", partly=True))
    shop.look(0, bad())
    row = shop.site.own("messages")[0]
    assert row["sent_at"] is not None
    assert row["due_at"] is None
    with shop.server.frozen(NOW):
        database, facts = connected(shop.site)
        [unsent] = Outbox(database, facts).unsent()
        database.close()
    assert unsent.error == "it refused gone@b.test"


def test_a_channel_that_fails_in_its_own_way_is_tried_again_and_shown(shop):
    """It holds up no other message of its channel."""
    shop.box.refuses.append(UnicodeError("password=c4n4ry"))
    shop.look(0, bad())
    row = shop.site.own("messages")[0]
    assert row["error"] == "UnicodeError: password=[hidden]"
    assert str(row["due_at"]) == sql_date(NOW + RESTS[0])


def test_it_is_given_up_after_a_day(shop):
    shop.box.refuses += [SendError("no answer")] * 1000
    after = 0
    while after <= GIVEN_UP + 7200:
        shop.look(after, bad(), deliver=True, telling=TELLING if not after else Telling())
        after += 7200
    row = shop.site.own("messages")[0]
    assert row["due_at"] is None
    assert row["sent_at"] is None
    assert row["tries"] == 14


def test_whoever_dies_while_sending_is_made_up_for(shop):
    """Nobody else sends it meanwhile; after two minutes somebody does."""
    shop.look(0, bad(), deliver=False)
    with shop.server.frozen(NOW):
        database, facts = connected(shop.site)
        outbox = Outbox(database, facts)
        row = database.query(outbox._queries["due"], channel="box", limit=5, longest=900)[0]
        assert outbox._take(row)
        assert not outbox._take(row)
        database.close()
    shop.look(119, bad())
    assert shop.box.said == []
    shop.look(120, bad())
    assert shop.box.said == ["CRITICAL: it is silent"]


def test_a_clock_that_went_back_keeps_no_message(shop):
    """What is due in an hour by the old time is sent now; what was said lately counts still."""
    shop.look(3600, bad(), deliver=False)
    shop.look(0, bad(), hold=True)
    assert shop.box.said == ["CRITICAL: it is silent"]


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_is_noticed(shop, clock, jump):
    """Judgement is held back for two looks, whoever of this machine looks next."""

    def begin(at, ticks):
        clock.now = 1000.0 + ticks
        with shop.server.frozen(NOW + at):
            database, facts = connected(shop.site)
            database.clock = clock
            held = Looks(database, facts, "here").begin(NOW + at, Thresholds(), ["box"])
            database.close()
            return held

    assert not begin(0, 0)
    assert not begin(60, 60)
    assert not begin(140, 120)  # a slow answer
    assert begin(180 + jump, 180)
    assert begin(240 + jump, 240)
    assert begin(180 + HOLD - 1 + jump, 180 + HOLD - 1)
    assert not begin(180 + HOLD + jump, 180 + HOLD)
    assert not begin(10_000 + jump, 10_000)  # a runner from cron that was away for long


def test_who_looks_is_on_record(shop, clock):
    """With what it was told to look for."""
    with shop.server.frozen(NOW):
        database, facts = connected(shop.site)
        Looks(database, facts, "here").begin(NOW, Thresholds(parse("late=7")), ["email", "slack"])
        [row] = looks(database, facts)
        database.close()
    assert (row.host, row.at, row.thresholds, row.channels) == ("here", NOW, ("late=7",), ("email", "slack"))  # fmt: skip


def test_names_as_long_as_somebody_liked(shop):
    """They are cut, and found again the next time."""
    long = bad("failures", "warning", f"hook {'é' * 5000}", "é" * 70_000)
    shop.look(0, long)
    shop.look(60, long)
    assert len(shop.site.own("alerts")) == 1
    assert len(shop.box.got) == 1
