"""PHP's values and the rules by which they compare and convert.

PHP's text is bytes. Here it is a ``str`` with one character a byte (latin-1), which keeps every
byte while regular expressions and ``str`` methods stay at hand; :func:`outside` gives real text.
"""

import os
import re
from dataclasses import dataclass
from typing import TypeAlias

from compat.php import INT_MAX, INT_MIN


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that cannot be told without running PHP. `why` completes "it depends on …"."""

    why: str
    place: Place


Scalar: TypeAlias = str | int | float | bool | None
Array: TypeAlias = dict["int | str", "Value"]
Value: TypeAlias = Scalar | Array | Unknown

_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_NUMERIC = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
                      r"[ \t\n\r\v\f]*")  # fmt: skip


def inside(text: str) -> str:
    """Real text (of an environment variable, of a path) as PHP holds it."""
    return os.fsencode(text).decode("latin-1")


def outside(text: str) -> str:
    """The text that PHP's bytes spell in UTF-8. Raises UnicodeDecodeError."""
    return text.encode("latin-1").decode("utf-8")


def path_of(text: str) -> str:
    """The name of a file, whatever bytes it has."""
    return os.fsdecode(text.encode("latin-1"))


def truthy(value: Value) -> bool:
    """PHP: (bool). Not for Unknown."""
    return bool(value) and value != "0"


def as_text(value: Value) -> str | None:
    """PHP: (string). None for what has no plain text: arrays, floats, Unknown."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    return str(value) if isinstance(value, str | int) else None


def as_key(value: Value) -> int | str | None:
    """The key of an array that this value means; None for what cannot be one."""
    if isinstance(value, str):
        if _INTEGER_KEY.fullmatch(value) and INT_MIN <= int(value) <= INT_MAX:
            return int(value)
        return value
    if isinstance(value, bool | int):
        return int(value)
    return "" if value is None else None


def identical(left: Value, right: Value) -> bool | None:
    """PHP: ===. None where this reader does not know: two arrays, Unknown."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if isinstance(left, dict) and isinstance(right, dict):
        return None
    return type(left) is type(right) and left == right


def equal(left: Value, right: Value) -> bool | None:
    """PHP 8: ==. None where this reader does not know: arrays, Unknown."""
    if isinstance(left, dict | Unknown) or isinstance(right, dict | Unknown):
        return None
    if isinstance(left, str | None) and isinstance(right, str | None) and None in {left, right}:
        return (left or "") == (right or "")
    if isinstance(left, bool | None) or isinstance(right, bool | None):
        return truthy(left) == truthy(right)
    numbers = _number(left), _number(right)
    if None in numbers:
        return str(left) == str(right)
    return numbers[0] == numbers[1]


def _number(value: str | float) -> float | None:
    if not isinstance(value, str):
        return value
    found = _NUMERIC.fullmatch(value)
    return float(found[1]) if found else None
