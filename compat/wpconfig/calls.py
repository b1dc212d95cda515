"""Calls: the forms of PHP's language, its functions, and those of the configuration."""

from collections.abc import Callable

from compat.wpconfig.functions import FILE_TESTS, HARMLESS, PURE
from compat.wpconfig.state import State
from compat.wpconfig.tokens import SyntaxProblem, tokens
from compat.wpconfig.values import Unsure, Value, as_text, truthy


def call(state: State, name: str, values: list[Value]) -> Value:
    """What a call gives. Raises Unsure for a function that is not known."""
    state.step()
    function = state.functions.get(name)
    try:
        if name in _FORMS:
            return _FORMS[name](state, *values)
        if name in PURE:
            result = PURE[name](*values)
            folder = state.place.file.rpartition("/")[0]
            if name in FILE_TESTS and not result and not str(values[0]).startswith(folder):
                state.missed.add(str(values[0]))  # a secret, say, that only PHP's machine has
            return result
    except (TypeError, ValueError, OSError):
        raise Unsure(f"what {name}() gives") from None
    if not function or function.params is None:
        raise Unsure(f"a call of {name}()")
    if not all(default for _, default in function.params[len(values) :]):
        raise Unsure(f"a call of {name}() with too little")
    return state.call(function, values)


def _isset(_state: State, *values: Value) -> Value:
    return all(value is not None for value in values)


def _function_exists(state: State, name: Value) -> Value:
    word = as_text(name).lower()
    if word in state.functions or word in PURE or word in HARMLESS:
        return True
    if word in state.declared and not state.fog:  # further down, or in the code this guards
        return False
    raise Unsure(f"whether there is a function {word}()")


def _eval(state: State, code: Value) -> Value:
    """The official image's WORDPRESS_CONFIG_EXTRA: what the text mentions becomes unknown."""
    try:
        state.undecided(tokens("<?php " + as_text(code)), state.unknown("a call of eval()"))
    except SyntaxProblem:
        raise Unsure("a call of eval()") from None
    return None


_FORMS: dict[str, Callable[..., Value]] = {
    "define": lambda state, name, value, _=False: state.define(as_text(name), value),
    "defined": lambda state, name: state.defined(as_text(name)),
    "isset": _isset,
    "empty": lambda _, value: not truthy(value),
    "getenv": lambda state, name, _=False: state.environment(name, "getenv({})"),
    "function_exists": _function_exists,
    "eval": _eval,
}
