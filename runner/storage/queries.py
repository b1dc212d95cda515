"""Named statements from `sql/`, made ready for one site and one kind of server.

A file holds `-- name: some_name` (or `some_name@sqlite` for a variant), a line or more of
purpose, and the statement. `{braces}` are filled with identifiers once; values are always bound.
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

R = TypeVar("R")
_HERE = Path(__file__).resolve().parents[1]
_FOLDERS = (_HERE.parent / "sql", _HERE / "_sql")  # a checkout comes before a stale copy
_NAME = re.compile(r"^-- name: ([a-z_]+(?:@[a-z]+)?)\n", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w']):([a-z_]\w*)")


def folder() -> Path:
    """Where the SQL files are: beside the checkout, or inside the installed package."""
    return next(f for f in _FOLDERS if (f / "site.sql").is_file())


@cache
def load(file: str) -> Mapping[str, str]:
    """The statements of one file by name, comments removed."""
    parts = _NAME.split((folder() / file).read_text(encoding="utf-8"))[1:]
    return {
        name: _without_comments(text) for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _without_comments(text: str) -> str:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip()


class Queries:
    """Statements of one file with the site's identifiers filled in. Those of `over`, another file,
    take the place of their namesakes."""

    def __init__(
        self, file: str, dialect: str, identifiers: Mapping[str, str], *, over: str = ""
    ) -> None:
        self._texts = {**load(file), **(load(over) if over else {})}
        self._dialect = dialect
        self._identifiers = identifiers
        self._ready: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._ready:
            self._ready[name] = self._fill(name)
        return self._ready[name]

    def _fill(self, name: str) -> str:
        text = self._texts.get(f"{name}@{self._dialect}") or self._texts[name]
        return re.sub(r"\{(\w+)\}", lambda m: self._identifiers[m[1]], text)


def numbered(text: str, names: Sequence[str], number: int) -> str:
    """The statement with the given parameters renamed, so that it can be repeated in a union."""
    for name in names:
        text = re.sub(rf":{name}\b", f":{name}_{number}", text)
    return text


def literal(text: str) -> str:
    """Text that LIKE … ESCAPE '!' takes as it is. The escape is always named: a backslash is one by
    itself on some servers and in some modes only."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def chunks(
    rows: Iterable[R], size: Callable[[R], int], *, most: int, count: float = math.inf
) -> Iterator[list[R]]:
    """Rows that one statement writes, in their order: as many as `most` (bytes, by `size`) and
    `count` let in, one at least. Of `most`, stay below half of the smallest packet limit that
    servers come with (1 MB): escaped, bytes may double."""
    chunk: list[R] = []
    total = 0
    for row in rows:
        bytes_ = size(row)
        if chunk and (len(chunk) == count or total + bytes_ > most):
            yield chunk
            chunk, total = [], 0
        chunk.append(row)
        total += bytes_
    if chunk:
        yield chunk


def repeated(
    text: str, rows: Sequence[Mapping[str, object]], place: str
) -> tuple[str, list[object]]:
    """An INSERT of one row, made to insert many: its VALUES once for each, and their values.

    Placed by position (`place` is "?" or "%s"): numbering thousands of names takes longer than
    the server needs for the rows.
    """
    head, one, names = _insert(text, place)
    return f"{head}VALUES {', '.join([one] * len(rows))}", [row[n] for row in rows for n in names]


@lru_cache(maxsize=512)
def _insert(text: str, place: str) -> tuple[str, str, list[str]]:
    """What stands before VALUES, the places of one row, and the names of what comes there."""
    head, _, values = text.partition("VALUES")
    names = _PARAMETER.findall(values)
    if place.startswith("%"):
        head, values = head.replace("%", "%%"), values.replace("%", "%%")
    return head, _PARAMETER.sub(place, values.strip()), names


def bind(text: str, values: Mapping[str, object], mark: str) -> tuple[str, dict[str, object]]:
    """Writes parameters as the driver wants them (`mark` is ":%s" or "%%(%s)s") and opens lists.

    An empty list becomes NULL: `IN (NULL)` is never true.
    """
    bound: dict[str, object] = {}
    parts = [*_split(text, mark.startswith("%"))]
    for place in range(1, len(parts), 2):
        name = parts[place]
        value = values[name]
        if isinstance(value, (list, tuple)):
            items = {f"{name}__{i}": item for i, item in enumerate(value)}
            bound |= items
            parts[place] = ", ".join(mark % item for item in items) or "NULL"
        else:
            bound[name] = value
            parts[place] = mark % name
    return "".join(parts), bound


@lru_cache(maxsize=512)
def _split(text: str, percent: bool) -> tuple[str, ...]:
    """Text and names of parameters in turn."""
    return tuple(_PARAMETER.split(text.replace("%", "%%") if percent else text))


def hooks_hex(hooks: Iterable[str]) -> list[str]:
    """Hooks for an exact comparison with HEX(hook), whatever the column's collation."""
    return [hook.encode().hex().upper() for hook in hooks]
