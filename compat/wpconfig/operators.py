"""PHP's operators on known values. The answer None means that it is not known."""

from collections.abc import Callable

from compat.php import INT_MAX, INT_MIN
from compat.wpconfig.functions import MAX_BYTES
from compat.wpconfig.values import Value, as_text, equal, identical, truthy


def _numbers(change: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    """An operator on whole numbers; None, for "not known", on anything else."""

    def on_integers(left: Value, right: Value) -> Value:
        if type(left) is int and type(right) is int:
            result = change(left, right)
            return result if INT_MIN <= result <= INT_MAX else None
        return None

    return on_integers


def _flip(found: bool | None) -> bool | None:
    return None if found is None else not found


def _concatenate(left: Value, right: Value) -> Value:
    texts = as_text(left), as_text(right)
    if texts[0] is None or texts[1] is None or len(texts[0]) + len(texts[1]) > MAX_BYTES:
        return None
    return texts[0] + texts[1]


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    ".": _concatenate,
    "==": equal,
    "!=": lambda left, right: _flip(equal(left, right)),
    "<>": lambda left, right: _flip(equal(left, right)),
    "===": identical,
    "!==": lambda left, right: _flip(identical(left, right)),
    "|": _numbers(int.__or__),
    "&": _numbers(int.__and__),
    "^": _numbers(int.__xor__),
    "+": _numbers(int.__add__),
    "-": _numbers(int.__sub__),
    "*": _numbers(int.__mul__),
    "<": _numbers(int.__lt__),
    ">": _numbers(int.__gt__),
    "<=": _numbers(int.__le__),
    ">=": _numbers(int.__ge__),
    "xor": lambda left, right: truthy(left) != truthy(right),
}
UNARY: dict[str, Callable[[Value], Value]] = {
    "!": lambda value: not truthy(value),
    "(bool)": truthy,
    "(boolean)": truthy,
    "(string)": as_text,
    "(int)": lambda value: int(value) if isinstance(value, int) else None,
    "~": lambda value: ~value if type(value) is int else None,
    "-": lambda value: -value if type(value) is int else None,
}
