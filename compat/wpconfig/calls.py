"""Calls: the forms of PHP's language, its functions, those of the configuration, and all others."""

import re
from collections.abc import Callable, Sequence

from compat.wpconfig.functions import FILE_TESTS, HARMLESS, PURE
from compat.wpconfig.state import State
from compat.wpconfig.tokens import SyntaxProblem, Token, tokens
from compat.wpconfig.values import Unknown, Value, truthy

# What PHP's web server puts into $_SERVER for each request, and getenv() finds there too.
_OF_REQUEST = re.compile(
    r"(?:HTTP|SSL|REDIRECT|PHP_AUTH|CONTENT|DOCUMENT|REMOTE|REQUEST|SCRIPT|SERVER|CONTEXT|PATH_INFO"
    r"|PATH_TRANSLATED|ORIG_PATH)(?:_.*)?|HTTPS|PHP_SELF|AUTH_TYPE|GATEWAY_INTERFACE|QUERY_STRING"
    r"|UNIQUE_ID|FCGI_ROLE|argv|argc"
)


def call(
    state: State, name: str, values: list[Value], mentioned: Sequence[Token], why: Unknown
) -> Value:
    """What a call gives. `mentioned`: its tokens, `why`: the call in words."""
    state.step()
    function = state.functions.get(name)
    if form := _FORMS.get(name):
        try:
            return form(state, why, *values)
        except TypeError:  # PHP stops here
            state.smear(mentioned, why)
    elif name in PURE:
        return _pure(state, name, values, why)
    elif function and _fits(function.params, len(values)):
        return state.call(function, values)
    elif name not in HARMLESS:
        state.smear(mentioned, why)
    return why


def _fits(params: Sequence[tuple[str, object]] | None, count: int) -> bool:
    return params is not None and all(default for _, default in params[count:])


def _pure(state: State, name: str, values: list[Value], why: Unknown) -> Value:
    for value in values:
        if isinstance(value, Unknown):
            return value
    try:
        result = PURE[name](*values)
    except (TypeError, ValueError, OSError):
        return Unknown(f"what {name}() gives", why.place)
    folder = why.place.file.rpartition("/")[0]
    if name in FILE_TESTS and not result and not str(values[0]).startswith(folder):
        state.missed.add(str(values[0]))  # a secret, say, that only PHP's machine has
    return result


def environment(state: State, name: Value, why: Unknown) -> Value:
    """A variable of the environment or the request; False when there is none."""
    if not isinstance(name, str):
        return name if isinstance(name, Unknown) else why
    if _OF_REQUEST.fullmatch(name):
        return Unknown(f"the web request ({why.why})", why.place)
    return state.getenv(name)


def _define(state: State, why: Unknown, name: Value, value: Value, _: Value = False) -> Value:
    if isinstance(name, str):
        return state.define(name, value, why.place)
    why = name if isinstance(name, Unknown) else why
    state.cloud(why)
    return why


def _defined(state: State, why: Unknown, name: Value) -> Value:
    if isinstance(name, str):
        return state.defined(name)
    return name if isinstance(name, Unknown) else why


def _isset(_state: State, _why: Unknown, *values: Value) -> Value:
    for value in values:
        if value is None or isinstance(value, Unknown):
            return value or False
    return True


def _empty(_state: State, _why: Unknown, value: Value) -> Value:
    return value if isinstance(value, Unknown) else not truthy(value)


def _getenv(state: State, why: Unknown, name: Value = None, _: Value = False) -> Value:
    return environment(state, name, Unknown(f"getenv({name!r})", why.place))


def _function_exists(state: State, why: Unknown, name: Value) -> Value:
    if not isinstance(name, str):
        return name if isinstance(name, Unknown) else why
    word = name.lower()
    if word in state.functions or word in PURE or word in HARMLESS:
        return True
    if word in state.declared and not state.fog:  # further down, or in the code this guards
        return False
    return Unknown(f"whether there is a function {name}()", why.place)


def _eval(state: State, why: Unknown, code: Value) -> Value:
    """The official image's WORDPRESS_CONFIG_EXTRA: what the text mentions becomes unknown."""
    try:
        state.undecided(tokens(f"<?php {code}" if isinstance(code, str) else "`"), why)
    except SyntaxProblem:
        state.cloud(why)
    return why


_FORMS: dict[str, Callable[..., Value]] = {
    "define": _define,
    "defined": _defined,
    "isset": _isset,
    "empty": _empty,
    "getenv": _getenv,
    "function_exists": _function_exists,
    "eval": _eval,
}
