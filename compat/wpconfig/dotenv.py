"""The format of `.env` files as phpdotenv 5 reads it, which is what Bedrock uses."""

import re
from collections.abc import Iterator, Mapping

_LINE_END = re.compile(r"\r\n|\n|\r")
_NAME = re.compile(r"(?:export[ \t]+)?([\"']?)([A-Za-z0-9_.]+)\1")
_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z0-9_.]+)\}")
_QUOTED_SPECIAL = re.compile(rf"\\(?P<escaped>.)|{_REFERENCE.pattern}", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*+)"[ \t]*(?:#.*)?', re.DOTALL)
_SINGLE = re.compile(r"'([^']*+)'[ \t]*(?:#.*)?", re.DOTALL)
_PLAIN = re.compile(r"((?:[^\s#\"'][^\s#]*+)?)[ \t]*(?:#.*)?", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", '"': '"', "\\": "\\", "$": "$"}


class DotenvError(ValueError):
    """A line that phpdotenv refuses; `line` is its number."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


def parse(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that result: those of the environment stay, and of several lines for one name
    the last wins. `${NAME}` in plain and double-quoted values is what is known by then.

    Raises DotenvError.
    """
    known: dict[str, str] = dict(environ)
    for number, name, value in _entries(text):
        if name not in environ and value is not None:
            known[name] = _value(value, known, number)
    return known


def lines_in(text: str) -> int:
    return len(_LINE_END.split(text))


def _entries(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Line number, name and raw value; a double-quoted value may go on over several lines."""
    lines = _LINE_END.split(text)
    at = 0
    while at < len(lines):
        start, line = at, lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        name, equals, value = lines[start].partition("=")
        value = value.lstrip()
        if '="' in value and not value.startswith('"'):  # to phpdotenv a text over several lines
            raise DotenvError('a =" inside a value', start + 1)
        while value.startswith('"') and not _DOUBLE.match(value) and at < len(lines):
            value += "\n" + lines[at]
            at += 1
        found = _NAME.fullmatch(name.strip())
        if not found:
            raise DotenvError("no variable's name before the =", start + 1)
        yield start + 1, found[2], value.strip() if equals else None


def _value(raw: str, known: Mapping[str, str], line: int) -> str:
    if raw.startswith("'"):
        found = _SINGLE.fullmatch(raw)
    elif raw.startswith('"'):
        found = _DOUBLE.fullmatch(raw)
    else:
        found = _PLAIN.fullmatch(raw)
    if not found:
        raise DotenvError("a value with blanks needs quotes, and quotes need their end", line)
    if raw.startswith("'"):
        return found[1]
    special = _QUOTED_SPECIAL if raw.startswith('"') else _REFERENCE
    return special.sub(lambda match: _expanded(match, known, line), found[1])


def _expanded(match: re.Match[str], known: Mapping[str, str], line: int) -> str:
    if match["name"]:
        return known.get(match["name"], match[0])
    if match["escaped"] not in _ESCAPES:
        raise DotenvError(f"an escape \\{match['escaped']} that is none", line)
    return _ESCAPES[match["escaped"]]
