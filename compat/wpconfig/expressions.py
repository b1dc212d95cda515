"""PHP's expressions: each is read from tokens into a Python function that computes its value.

What cannot be computed raises Unsure, which ends the statement.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from compat.wpconfig.functions import FILE_TESTS, HARMLESS, PURE
from compat.wpconfig.state import ENVIRONMENT, Finished, State
from compat.wpconfig.tokens import SyntaxProblem, Token, tokens
from compat.wpconfig.values import OPERATORS, Array, Unsure, Value, as_key, as_text, truthy

Expression: TypeAlias = Callable[[State], Value]
Read = TypeVar("Read")

# Binary operators from the loosest to the tightest (PHP 8), `?` being the ternary. Another one
# makes its statement one that is not understood.
_LEVELS = ("or", "and", "?", "??", "||", "&&", "|", "== != === !== <>", ".")
_STRENGTH = {op: level for level, ops in enumerate(_LEVELS) for op in ops.split()}
TERNARY = _STRENGTH["?"]
# Operators whose right side does not run for one truth of the left.
_LAZY = {"&&": False, "and": False, "||": True, "or": True}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_INCLUDES = {"include", "include_once", "require", "require_once"}
_REQUEST = {"_GET", "_POST", "_COOKIE", "_REQUEST", "_FILES", "_SESSION"}
_CLOSURES = {"function", "fn", "match"}
_PLAIN_INTEGER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class Expressions:
    """A cursor over the tokens of one file, the last of which is of kind `end`."""

    def __init__(self, file: str, tokens: Sequence[Token]) -> None:
        self.file, self.tokens, self.at = file, tokens, 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def is_op(self, *texts: str) -> bool:
        return self.next.kind == "op" and self.next.text in texts

    def is_word(self, *texts: str) -> bool:
        return self.next.kind == "word" and self.next.text.lower() in texts

    def accept(self, op: str) -> bool:
        found = self.is_op(op)
        if found:
            self.take()
        return found

    def expect(self, text: str) -> None:
        if not self.is_op(text) and not self.is_word(text):
            raise self.unexpected()
        self.take()

    def unexpected(self) -> Unsure:
        token = self.next
        text = "a text" if token.kind in {"string", "template"} else repr(token.text)
        return Unsure(f"{text} in a place that this reader does not know")

    def expression(self, loosest: int = 0) -> Expression:
        left = self.unary()
        while (op := self.operator()) and _STRENGTH[op] >= loosest:
            self.take()
            if op == "?":
                left = self.ternary(left)
                continue
            # ?? is the only one that groups to the right.
            right = self.expression(_STRENGTH[op] + (op != "??"))
            left = (_binary if op in OPERATORS else _lazy)(op, left, right)
        return left

    def operator(self) -> str:
        """The binary operator that comes next, or nothing."""
        text = self.next.text.lower() if self.next.kind in {"op", "word"} else ""
        return text if text in _STRENGTH else ""

    def ternary(self, test: Expression) -> Expression:
        then = None if self.is_op(":") else self.expression(TERNARY)
        self.expect(":")
        other = self.expression(TERNARY + 1)

        def value(state: State) -> Value:
            found = test(state)
            if truthy(found):
                return then(state) if then else found
            return other(state)

        return value

    def unary(self) -> Expression:
        if self.accept("@"):
            return self.unary()
        if self.accept("!"):
            operand = self.unary()
            return lambda state: not truthy(operand(state))
        base = self.variable() if self.next.kind == "var" else self.primary()
        while self.accept("["):
            base = _element(base, self.expression())
            self.expect("]")
        return base

    def variable(self) -> Expression:
        name = self.take().text
        if name in ENVIRONMENT and self.accept("["):
            key = self.expression()
            self.expect("]")
            return lambda state: _null(state.environment(key(state), f"${name}[{{}}]"))
        if name in ENVIRONMENT | _REQUEST:
            raise Unsure(f"the web request (${name})")
        if self.accept("="):
            right = self.expression(TERNARY)
            return lambda state: state.assign(name, right(state))
        return lambda state: state.variable(name)

    def primary(self) -> Expression:
        if self.next.kind == "word":
            return self.word()
        token = self.next
        if self.accept("["):
            return self.array("]")
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        fixed: Value = token.text
        if token.kind == "number" and _PLAIN_INTEGER.fullmatch(token.text):
            fixed = int(token.text)
        elif token.kind not in {"string", "template"}:
            raise self.unexpected()
        self.take()
        text: Expression = lambda _: fixed  # noqa: E731  of a template it is empty
        for part in token.parts:
            text = _binary(".", text, self.part(part))
        return text

    def part(self, part: str | tuple[Token, ...]) -> Expression:
        if isinstance(part, str):
            return lambda _: part
        inner = type(self)(self.file, part)
        found = inner.expression()
        if inner.next.kind != "end":
            raise inner.unexpected()
        return found

    def listed(self, close: str, read: Callable[[], Read]) -> list[Read]:
        """What stands between commas up to the closing bracket."""
        found = []
        while not self.accept(close):
            found.append(read())
            if not self.is_op(close):
                self.expect(",")
        return found

    def item(self) -> tuple[Expression | None, Expression]:
        """Key and value of an array's element."""
        first = self.expression()
        return (first, self.expression()) if self.accept("=>") else (None, first)

    def array(self, close: str) -> Expression:
        items = self.listed(close, self.item)

        def value(state: State) -> Value:
            made: Array = {}
            for key, item in items:
                found = as_key(key(state)) if key else _next_key(made)
                made[found] = item(state)
            return made

        return value

    def word(self) -> Expression:
        name = self.take().text.removeprefix("\\")
        word = name.lower()
        if word in _CLOSURES:
            raise Unsure(f"{word!r}, which this reader does not know")
        if word in _INCLUDES:
            return self.include(word)
        if word in {"exit", "die"}:
            return _stop(self.listed(")", self.expression) if self.accept("(") else [])
        if not self.accept("("):
            return self.constant(name)
        if word == "array":
            return self.array(")")
        args = self.listed(")", self.expression)
        return lambda state: _call(state, word, [arg(state) for arg in args])

    def constant(self, name: str) -> Expression:
        folder = self.file.rpartition("/")[0] or "/"
        fixed: dict[str, Value] = {"__file__": self.file, "__dir__": folder, **_WORDS}
        if name.lower() in fixed:
            return lambda _: fixed[name.lower()]
        return lambda state: state.constant(name)

    def include(self, word: str) -> Expression:
        """Given by the reader of statements, which reads files."""
        raise NotImplementedError


def _next_key(array: Array) -> int:
    numbers = [key for key in array if isinstance(key, int)]
    last = max(numbers, default=-1)
    if numbers and last < 0:
        raise Unsure("a key after a negative one")  # where PHP's versions differ
    return last + 1


def _null(value: Value) -> Value:
    return None if value is False else value


def _stop(args: list[Expression]) -> Expression:
    def value(state: State) -> Value:
        for arg in args:
            arg(state)
        raise Finished

    return value


def _lazy(op: str, left: Expression, right: Expression) -> Expression:
    """&&, || and ??: the right side runs, or not, for what the left one is."""

    def value(state: State) -> Value:
        found = left(state)
        if op == "??":
            return right(state) if found is None else found
        return truthy(found if truthy(found) is _LAZY[op] else right(state))

    return value


def _binary(op: str, left: Expression, right: Expression) -> Expression:
    return lambda state: OPERATORS[op](*_both(state, left, right))


def _element(base: Expression, key: Expression) -> Expression:
    def value(state: State) -> Value:
        array, found = _both(state, base, key)
        if not isinstance(array, dict | None):
            raise Unsure("a part of a text")
        return (array or {}).get(as_key(found))

    return value


def _both(state: State, left: Expression, right: Expression) -> tuple[Value, Value]:
    """PHP may read a variable on the left later than what is assigned on the right."""
    first, writes = left(state), state.frame.writes
    second = right(state)
    if state.frame.writes != writes:
        raise Unsure("an assignment inside an expression")
    return first, second


def _call(state: State, name: str, values: list[Value]) -> Value:
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
    if word in state.functions or word in PURE:
        return True
    if word in state.declared - HARMLESS and not state.fog:  # below, or in the code this guards
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
