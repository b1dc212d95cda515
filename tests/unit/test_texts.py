"""The lines that an action's log gets."""

import pytest

from compat import action_scheduler as texts
from compat.action_scheduler import LONGEST_LOG, clipped
from compat.site_time import SiteZone
from runner.sources.journal import Journal

COLUMN = 65_535
"""Bytes of MySQL's TEXT."""

AT = "2026-11-23 06:00:00"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (texts.CREATED, "action created"),
        (texts.STARTED, "action started via Python runner"),
        (texts.COMPLETE, "action complete via Python runner"),
        (texts.CANCELED, "action canceled"),
        (texts.IGNORED, "action ignored via Python runner"),
        (texts.RESET, "action reset"),
        (texts.failed("KeyError: x"), "action failed via Python runner: KeyError: x"),
        (texts.canceled(""), "action canceled"),
        (texts.canceled("not wanted"), "action canceled via Python runner: not wanted"),
        (texts.retried("KeyError: x", AT), f"action failed via Python runner and will be retried at {AT} UTC: KeyError: x"),
        (texts.snoozed("", AT), f"action put off via Python runner until {AT} UTC"),
        (texts.snoozed("closed", AT), f"action put off via Python runner until {AT} UTC: closed"),
        (texts.unreadable("its args"), "action canceled via Python runner: the row cannot be read: its args"),
        (texts.chain_ended("no date"), "no further instance of this action is scheduled: no date"),
    ],
)  # fmt: skip
def test_lines(line, expected):
    """Lines that Action Scheduler knows are worded as it words them, with our name."""
    assert line == expected


@pytest.mark.parametrize("char", ["a", "é", "語", "🎉"], ids=["1", "2", "3", "4"])
@pytest.mark.parametrize("shift", range(4))
def test_lines_are_cut_at_a_whole_character(char, shift):
    """A long line fits its column, keeps all that fits, and ends with a mark, not half a char."""
    text = "-" * shift + char * (LONGEST_LOG + 1)
    line = clipped(text)
    kept = line.removesuffix(" […]")
    assert kept != line
    assert text.startswith(kept)
    assert LONGEST_LOG - 4 < len(kept.encode()) <= LONGEST_LOG
    assert len(line.encode()) <= COLUMN


@pytest.mark.parametrize(
    "text",
    ["", "short", "a" * LONGEST_LOG, "é" * (LONGEST_LOG // 2), "🎉" * (LONGEST_LOG // 4)],
    ids=len,
)
def test_lines_that_fit_are_left_alone(text):
    """A line of exactly the longest size is whole."""
    assert clipped(text) == text


def test_what_is_no_character_is_replaced():
    """Halves of surrogate pairs, as broken input has them, cannot reach the database."""
    assert clipped("half \ud800 and \udcff") == "half ? and ?"


@pytest.mark.parametrize(
    "line",
    [
        texts.failed, texts.canceled, texts.unreadable, texts.chain_ended,
        lambda why: texts.retried(why, AT), lambda why: texts.snoozed(why, AT),
    ],
    ids=["failed", "canceled", "unreadable", "chain ended", "retried", "snoozed"],
)  # fmt: skip
def test_every_line_with_a_reason_fits_its_column(line):
    """No reason is too long or too broken for any line."""
    assert len(line("語\ud800" * COLUMN).encode()) <= COLUMN


@pytest.mark.parametrize(
    ("text", "narrow"),
    [
        ("plain", "plain"),
        ("Über „Größe“ 語", "Über „Größe“ 語"),
        ("🎉 done 🎉", "? done ?"),
        ("\uffff\U00010000", "\uffff?"),
    ],
)
def test_a_narrow_column_gets_no_character_of_four_bytes(text, narrow):
    """Where the column cannot hold them they become `?`; a wide one gets the text as it is."""
    assert Journal({}, SiteZone(), charset="utf8mb3").text(text) == narrow
    assert Journal({}, SiteZone(), charset="utf8mb4").text(text) == text


class Tape:
    """A transaction that only remembers."""

    def __init__(self):
        self.statements = []

    def insert_rows_later(self, text, rows):
        self.statements.append((text, rows))


def test_all_lines_are_written_with_one_statement():
    """Lines go out together, with local time as the site's zone has it at that moment."""
    tape, july = Tape(), 1_784_700_000
    journal = Journal({"log": "insert"}, SiteZone("Europe/Budapest"), charset="utf8mb3")
    journal.write(tape, [(1, "one 🎉"), (2, "two")], july)
    rows = [
        {"id": 1, "message": "one ?", "log_offset": 7200},
        {"id": 2, "message": "two", "log_offset": 7200},
    ]
    assert tape.statements == [("insert", rows)]
