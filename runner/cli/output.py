"""Rows for people and programs: table, csv, json, ids, count.

Own lines instead of a table library: what is needed is one padded line a row, in terminal cells
and not in characters, and nothing that reads markup in data or wraps it. JSON escapes what it
must and stays exact. Tables and CSV make control characters visible, since both end on terminals.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli import visible
from runner.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

F = TypeVar("F", bound="Callable[..., Any]")
Row = dict[str, Any]

LIST_FORMATS = ("table", "json", "csv", "ids", "count")
ITEM_FORMATS = ("table", "json", "csv")
_GAP = "  "
_FORMULA = ("=", "+", "-", "@")
"""What a cell of a spreadsheet begins with that is computed."""


def output_options(*formats: str) -> Callable[[F], F]:
    """--format, --field and --fields, as WP-CLI calls them."""
    options = (
        click.option(
            "--format",
            "style",
            type=click.Choice(formats),
            default="table",
            show_default=True,
            help="How the result is printed.",
        ),
        click.option("--field", metavar="NAME", help="Only this field's value, one a line."),
        click.option("--fields", metavar="A,B", help="Only these fields, in this order."),
    )

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def per_page_option(what: str, most: int) -> Callable[[F], F]:
    """--per_page, as WP-CLI calls it."""
    return click.option(
        "--per_page",
        "--per-page",
        type=click.IntRange(0, most),
        default=20,
        show_default=True,
        metavar="N",
        help=f"{what} shown; 0 is all.",
    )


def chosen_fields(
    field: str | None, fields: str | None, known: Sequence[str], usual: Sequence[str]
) -> tuple[str, ...]:
    """The fields to show. Raises UsageError for one that is unknown, and for both options."""
    if field is not None and fields is not None:
        raise UsageError("--field and --fields cannot be given together")
    if field is None and fields is None:
        return tuple(usual)
    option, text = ("--field", field) if fields is None else ("--fields", fields)
    names = tuple(name.strip() for name in (text or "").split(",")) if fields else (field or "",)
    for name in names:
        if name not in known:
            raise UsageError(
                f"{option}: there is no field {name!r} (there are: {', '.join(known)})"
            )
    return names


def print_rows(rows: Iterable[Row], fields: Sequence[str], style: str, *, bare: bool) -> None:
    """Prints rows as a table, JSON or CSV. `bare` is --field: values alone, without a heading."""
    if style == "json":
        _print_json((row[fields[0]] if bare else _pick(row, fields)) for row in rows)
    elif bare:
        for row in rows:
            click.echo(cell(row[fields[0]]))
    elif style == "csv":
        write_csv(fields, ([row[name] for name in fields] for row in rows))
    else:
        _page(table(fields, [[row[name] for name in fields] for row in rows]))


def print_item(row: Row, fields: Sequence[str], style: str, *, bare: bool) -> None:
    """Prints one row: its fields below each other, or one JSON object."""
    if style == "json":
        click.echo(json.dumps(row[fields[0]] if bare else _pick(row, fields)))
    elif bare:
        click.echo(cell(row[fields[0]]))
    elif style == "csv":
        write_csv(("field", "value"), ([name, row[name]] for name in fields))
    else:
        label = max(len(name) for name in fields)
        for name in fields:
            lines = row[name] or ("",) if _is_texts(row[name]) else (row[name],)
            for number, line in enumerate(lines):
                shown = f"{'' if number else name:<{label}}{_GAP}{cell(line)}"
                click.echo(shown.rstrip())


def _pick(row: Mapping[str, Any], fields: Sequence[str]) -> Row:
    return {name: row[name] for name in fields}


def _print_json(values: Iterable[Any]) -> None:
    """A list, one element a line, written as the rows come."""
    before = "["
    for value in values:
        sys.stdout.write(before + json.dumps(value))
        before = ",\n "
    click.echo("[]" if before == "[" else "]")


def write_csv(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180, but for the line ends, which are this system's. What a spreadsheet would take for a
    formula gets an apostrophe before it."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(heading)
    for row in rows:
        writer.writerow([_no_formula(value) for value in row])
    sys.stdout.flush()  # here it is noticed that a reader has gone


def _no_formula(value: Any) -> str:
    text = cell(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def table(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Lines of equal columns. Numbers stand on the right."""
    texts = [list(heading), *([cell(value) for value in row] for row in rows)]
    widths = [max(width(line[column]) for line in texts) for column in range(len(heading))]
    right = [
        bool(rows) and all(isinstance(row[column], int) for row in rows)
        for column in range(len(heading))
    ]
    for line in texts:
        yield _GAP.join(
            " " * (size - width(text)) + text if number else text + " " * (size - width(text))
            for text, size, number in zip(line, widths, right, strict=True)
        ).rstrip()


def _page(lines: Iterable[str]) -> None:
    """Straight out, or through the pager when a terminal would scroll."""
    text = [f"{line}\n" for line in lines]
    if sys.stdout.isatty() and len(text) >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo("".join(text), nl=False)


def cell(value: Any) -> str:
    """A value as text on one line, harmless to a terminal."""
    if value is None:
        return ""
    if _is_texts(value):
        return visible("; ".join(value))
    if isinstance(value, (list, dict)):
        return visible(json.dumps(value, ensure_ascii=False))
    return visible(str(value))


def _is_texts(value: Any) -> bool:
    """Whether the value is several lines, as log entries are (args are a tuple never)."""
    return isinstance(value, tuple)


def width(text: str) -> int:
    """Cells that a terminal gives to a text: two for East Asian wide, none for combining."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
