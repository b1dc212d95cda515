"""Rows as tables, JSON and CSV: aligned, complete, and harmless to a terminal."""

import csv
import io
import json

import pytest

from compat import schedules
from runner.cli import output, visible
from runner.cli.action.fields import schedule_text
from runner.cli.output import (
    cell,
    chosen_fields,
    print_item,
    print_rows,
    table,
    width,
    write_csv,
)
from runner.core.errors import UsageError

EVIL = "a\x1b]0;x\x07\x9b2J\r\n\t\x00\u202e\u200d\ud83d"
ROWS = [
    {"id": 7, "hook": "sync", "args": [1, "é"], "log": ("one", "two"), "none": None},
    {"id": 1234, "hook": "漢字", "args": {"a": 1}, "log": (), "none": None},
]


def test_columns_line_up_in_terminal_cells():
    """Wide characters count twice, combining ones not at all; numbers stand on the right."""
    rows = [[7, "ab", "x"], [12, "漢字", "y"], [345, "e\u0301", "z"]]
    assert [*table(("id", "name", "k"), rows)] == [
        " id  name  k", "  7  ab    x", " 12  漢字  y", "345  e\u0301     z",
    ]  # fmt: skip


def test_a_table_without_rows_is_its_heading():
    """No rows is nothing special."""
    assert [*table(("id", "name"), [])] == ["id  name"]


@pytest.mark.parametrize(
    ("text", "cells"),
    [("abc", 3), ("漢字", 4), ("\uff47", 2), ("e\u0301", 1), ("é", 1), ("ñ한", 3)],
)
def test_cells_of_a_text(text, cells):
    """East Asian wide characters take two."""
    assert width(text) == cells


def test_nothing_invisible_is_left():
    """Control, format and surrogate characters are spelled out, and everything else is kept."""
    assert visible(EVIL) == r"a\x1b]0;x\x07\x9b2J\r\n\t\x00\u202e\u200d\ud83d"
    assert visible("plain  é漢字 [bold]x[/bold] \\n") == "plain  é漢字 [bold]x[/bold] \\n"


@pytest.mark.parametrize("style", ["table", "csv", "json"])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "value", [EVIL, [EVIL], {EVIL: EVIL}, (EVIL,)], ids=["text", "list", "map", "lines"]
)
def test_data_cannot_drive_the_terminal(style, bare, value, capsys):
    """No format lets a control character through, be it of rows or of one item."""
    print_rows([{"x": value}], ("x",), style, bare=bare)
    print_item({"x": value}, ("x",), style, bare=bare)
    shown = capsys.readouterr().out
    assert "x1b" in shown or "u001b" in shown
    assert [c for c in shown if not c.isprintable() and c != "\n"] == []


def test_json_is_exact(capsys):
    """Every value comes back as it was, one row a line."""
    print_rows(ROWS, ("id", "args", "none"), "json", bare=False)
    shown = capsys.readouterr().out
    assert json.loads(shown) == [
        {"id": 7, "args": [1, "é"], "none": None}, {"id": 1234, "args": {"a": 1}, "none": None},
    ]  # fmt: skip
    assert shown.count("\n") == 2
    print_rows([], ("id",), "json", bare=False)
    assert capsys.readouterr().out == "[]\n"
    print_rows(ROWS, ("hook",), "json", bare=True)
    assert json.loads(capsys.readouterr().out) == ["sync", "漢字"]
    print_item(ROWS[0], ("id", "log"), "json", bare=False)
    assert json.loads(capsys.readouterr().out) == {"id": 7, "log": ["one", "two"]}


def test_csv_is_read_back(capsys):
    """Quotes and commas survive; nothing is empty text."""
    rows = [{"a": 'say "x", y', "b": None}, {"a": "1+1", "b": 5}]
    print_rows(rows, ("a", "b"), "csv", bare=False)
    shown = capsys.readouterr().out
    assert [*csv.reader(io.StringIO(shown))] == [["a", "b"], ['say "x", y', ""], ["1+1", "5"]]


def test_one_field_alone_has_no_heading(capsys):
    """--field prints values, one a line."""
    for style in ("table", "csv"):
        print_rows(ROWS, ("args",), style, bare=True)
        assert capsys.readouterr().out == '[1, "é"]\n{"a": 1}\n'


def test_an_item_shows_its_fields_below_each_other(capsys):
    """Several lines stay below each other, no line is empty text."""
    print_item(ROWS[0], ("id", "none", "log"), "table", bare=False)
    assert capsys.readouterr().out == "id    7\nnone\nlog   one\n      two\n"
    print_item(ROWS[1], ("log",), "table", bare=False)
    assert capsys.readouterr().out == "log\n"
    print_item(ROWS[0], ("id", "log"), "csv", bare=False)
    assert capsys.readouterr().out == "field,value\nid,7\nlog,one; two\n"


def test_a_long_table_goes_through_the_pager_on_a_terminal_only(monkeypatch, capsys):
    """What fits on the screen, or goes elsewhere, is printed straight."""
    paged = []
    monkeypatch.setattr(output.click, "echo_via_pager", paged.append)
    monkeypatch.setenv("LINES", "5")
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{"id": number} for number in range(5)]
    print_rows(rows, ("id",), "table", bare=False)
    assert paged == []
    assert capsys.readouterr().out == "id\n 0\n 1\n 2\n 3\n 4\n"
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True, raising=False)
    print_rows(rows[:3], ("id",), "table", bare=False)
    assert paged == []
    print_rows(rows, ("id",), "table", bare=False)
    assert paged == [["id\n", " 0\n", " 1\n", " 2\n", " 3\n", " 4\n"]]


def test_fields_are_chosen():
    """The usual ones, or those asked for in their order."""
    known, usual = ("a", "b", "c"), ("a", "b")
    assert chosen_fields(None, None, known, usual) == ("a", "b")
    assert chosen_fields(None, " c , a", known, usual) == ("c", "a")
    assert chosen_fields("b", None, known, usual) == ("b",)


@pytest.mark.parametrize(
    ("field", "fields", "words"),
    [("x", None, "--field: .*'x'.*a, b"), (None, "a,x", "--fields: .*'x'"), ("", None, "--field"),
     (None, "", "--fields"), (None, "a,,b", "--fields"), ("a,b", None, "'a,b'"), ("a", "b", "together")],
)  # fmt: skip
def test_unknown_fields_are_refused(field, fields, words):
    """The line tells what there is."""
    with pytest.raises(UsageError, match=words):
        chosen_fields(field, fields, ("a", "b"), ("a",))


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (schedules.simple(5), "once"),
        (schedules.asynchronous(), "async"),
        (schedules.interval(5, 3600), "every 1 h"),
        (schedules.interval(5, 90), "every 1 min 30 s"),
        (schedules.interval(5, 90_061), "every 1 d 1 h (90061 s)"),
        (schedules.interval(5, "3600"), "every 3600 s"),
        (schedules.cron(5, "0 6 * * 1"), "cron 0 6 * * 1"),
        (schedules.Schedule(schedules.Kind.INTERVAL, 5, 5, -7), "every -7 s"),
        (schedules.Schedule(schedules.Kind.CANCELED, 5), "canceled"),
        (None, "unreadable"),
    ],
)
def test_schedules_are_told_in_words(schedule, text):
    """Exact, or with the exact number beside it."""
    assert schedule_text(schedule) == text


def test_no_value_is_empty_text():
    """None in a table is a blank."""
    assert cell(None) == ""
    assert cell([]) == "[]"


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", '=HYPERLINK("x")']
)
def test_a_csv_cell_is_no_formula(text, capsys):
    """A spreadsheet shows it; numbers stay numbers."""
    write_csv(["hook", "n"], [[text, -5]])
    (_, row) = csv.reader(io.StringIO(capsys.readouterr().out))
    assert row == [f"'{text}", "-5"]
