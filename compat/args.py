r"""The arguments of an action as Action Scheduler stores them: JSON in one of two columns.

Lookups and the unique check of PHP compare the column's text, so the JSON must be PHP's own, byte
for byte: ``/`` as ``\/``, every character beyond ASCII as ``\uXXXX``, 1.0 as ``1``, empty as
``[]``. Keys follow PHP: ``"5"`` is the int 5, and keys 0, 1, 2 in this order make a list.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from compat.php import INT_MAX, INT_MIN, array_key, float_text

MAX_INDEXED = 191
"""Longest JSON kept in the column ``args``, in bytes; for a longer one its MD5 stands there."""

MAX_STORED = 8000
"""Longest JSON stored at all, in bytes (in ``extended_args``)."""

MAX_DEPTH = 512
"""Most arrays inside one another that PHP: json_encode() writes; json_decode() reads one less."""

Args: TypeAlias = list[Any] | tuple[Any, ...] | dict[Any, Any]

_SPECIAL = re.compile(r'[\x00-\x1f"\\/\x80-\U0010ffff]')
# What is escaped already, or what PHP escapes and people do not.
_TYPED = re.compile(r"\\[\x00-\x7f]|[/\x80-\U0010ffff]")
# An escaped surrogate pair, (half of one), or any other escape.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]|(u[dD][89a-fA-F])|.)")
_SHORT = dict(zip('"\\/\b\f\n\r\t', '"\\/bfnrt', strict=True))


class ArgsError(ValueError):
    """Arguments that cannot be stored."""


class CorruptArgs(ArgsError):
    """Columns that hold no arguments; Action Scheduler cannot read such an action either."""


class JsonObject(dict[str, Any]):
    """What PHP encodes from an object: always braces, even when empty or with keys 0, 1, 2.

    Needed only to find what a plugin stored: PHP reads all objects back as arrays.
    """


@dataclass(frozen=True, slots=True)
class StoredArgs:
    """The two columns: ``args`` is what lookups compare."""

    args: str | None
    extended: str | None


def encode(args: Args) -> str:
    """PHP: json_encode() with default flags.

    Raises ArgsError for what PHP cannot encode either (NAN, INF, more than MAX_DEPTH levels) and
    would store as empty text, for lone surrogates, in whose place WordPress would store ``?``, and
    for Python values without a PHP form, such as bytes, dates, and ints beyond 64 bit.
    """
    if not isinstance(args, list | tuple | dict):
        raise ArgsError(f"arguments are a list or a dict, not {type(args).__name__}")
    out: list[str] = []
    try:
        _write(args, 1, out)
    except RecursionError:
        raise ArgsError("arguments are nested too deeply for the stack that is left") from None
    return "".join(out)


def store(args: Args) -> StoredArgs:
    """The columns for these arguments. Raises ArgsError like encode, and over MAX_STORED bytes."""
    text = encode(args)
    size = len(text)  # pure ASCII: characters are bytes
    if size <= MAX_INDEXED:
        return StoredArgs(text, None)
    if size > MAX_STORED:
        raise ArgsError(f"arguments take {size} bytes as JSON, the limit is {MAX_STORED}")
    return StoredArgs(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), text)


def decode(args: str | None, extended: str | None) -> list[Any] | dict[int | str, Any]:
    """The arguments in these columns. PHP: json_decode() to arrays, lists of PHP being lists.

    Raises CorruptArgs where PHP finds no array, in particular for the empty text.
    """
    text = args if extended in {None, "", "0"} else extended  # PHP: empty()
    try:
        value = _parse(text or "")
    except (ValueError, RecursionError) as error:
        raise CorruptArgs(f"arguments are not JSON that PHP reads: {error}") from None
    if not isinstance(value, list | dict):
        raise CorruptArgs("arguments are neither a JSON array nor a JSON object")
    return value


def part(typed: str) -> str:
    """Some of the JSON of arguments as PHP has it, of what somebody types or copies: escapes and
    quotes are taken as they are. Raises ArgsError for lone surrogates."""
    return _TYPED.sub(lambda match: match[0] if match[0][0] == "\\" else _escape(match), typed)


def positional(args: Args) -> list[Any]:
    """What a callback receives (PHP: array_values())."""
    return list(args.values() if isinstance(args, dict) else args)


def _write(value: object, depth: int, out: list[str]) -> None:
    """Append the JSON of a value that lies on this level; takes one stack frame a level."""
    if not isinstance(value, list | tuple | dict):
        out.append(_scalar(value))
        return
    if depth > MAX_DEPTH:
        raise ArgsError(f"arguments are nested more than {MAX_DEPTH} levels deep")
    entries, is_list = _entries(value)
    out.append("[" if is_list else "{")
    for number, (key, child) in enumerate(entries.items()):
        out.append("," if number else "")
        out.append("" if is_list else _string(key if isinstance(key, str) else str(key)) + ":")
        _write(child, depth + 1, out)
    out.append("]" if is_list else "}")


def _entries(value: Args) -> tuple[dict[int | str, Any], bool]:
    """The PHP array for this value, and whether it is written as a list."""
    if not isinstance(value, dict):
        return dict(enumerate(value)), True
    entries = {_key(key): child for key, child in value.items()}
    return entries, not isinstance(value, JsonObject) and _is_list(entries)


def _is_list(entries: dict[int | str, Any]) -> bool:
    """PHP: array_is_list()."""
    return all(key == place for place, key in enumerate(entries))


def _key(key: object) -> int | str:
    if isinstance(key, str):
        name = array_key(key.encode(errors="surrogatepass"))
        return name if isinstance(name, int) else key
    if isinstance(key, int) and not isinstance(key, bool):
        return _in_range(key)
    raise ArgsError(f"a key is a str or an int, not {type(key).__name__}")


def _scalar(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(_in_range(value))
    if isinstance(value, float):
        return _float(value)
    raise ArgsError(f"{type(value).__name__} has no form in PHP's JSON")


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ArgsError(f"{value} has no form in JSON")
    return float_text(float(value), "e")


def _in_range(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise ArgsError("PHP has no int beyond 64 bit: pass a str")
    return int(value)


def _string(text: str) -> str:
    return '"' + _SPECIAL.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return "\\" + _SHORT[char]
    try:
        units = char.encode("utf-16-be").hex()
    except UnicodeEncodeError:
        raise ArgsError(f"{char!a} is half a character (a lone surrogate)") from None
    return "".join("\\u" + units[place : place + 4] for place in range(0, len(units), 4))


def _parse(text: str) -> object:
    """Read JSON as PHP does; raises ValueError or RecursionError."""
    value = _DECODER.decode(text)
    if _levels(value) >= MAX_DEPTH:
        raise ValueError(f"nested {MAX_DEPTH} levels deep or deeper")
    # Python lets halves of surrogate pairs pass, escaped or not.
    if any(escape[1] for escape in _ESCAPE.finditer(text)):
        raise ValueError("half of a surrogate pair is escaped")
    text.encode()
    return value


def _number(digits: str) -> int | float:
    """An int, or a float beyond 64 bit (PHP: json_decode() without JSON_BIGINT_AS_STRING)."""
    if len(digits) <= len(str(INT_MIN)) and INT_MIN <= int(digits) <= INT_MAX:
        return int(digits)
    return float(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is Python's, not JSON")


def _from_pairs(pairs: list[tuple[str, Any]]) -> list[Any] | dict[int | str, Any]:
    entries = {_key(key): value for key, value in pairs}
    return list(entries.values()) if _is_list(entries) else entries


_DECODER = json.JSONDecoder(
    parse_int=_number, parse_constant=_refuse, object_pairs_hook=_from_pairs
)
"""Made once: `json.loads` would make one for each text."""


def _levels(value: object) -> int:
    """How many lists and dicts lie inside one another."""
    level, depth = [value], 0
    while containers := [item for item in level if isinstance(item, list | dict)]:
        level = [child for item in containers for child in positional(item)]
        depth += 1
    return depth
