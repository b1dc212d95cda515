"""PHP's expressions: each is read from tokens into a Python function that computes its value.

What cannot be computed is Unknown, after the state was told what it would have changed.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from compat.wpconfig.calls import call, environment
from compat.wpconfig.state import ENVIRONMENT, SUPERGLOBALS, Finished, State
from compat.wpconfig.tokens import SyntaxProblem, Token
from compat.wpconfig.values import OPERATORS, Array, Place, Unknown, Value, as_key, truthy

Expression: TypeAlias = Callable[[State], Value]

# Binary operators from the loosest to the tightest (PHP 8), `?` being the ternary. Another one
# makes its statement one that is not understood.
_LEVELS = ("or", "and", "?", "??", "||", "&&", "|", "== != === !== <>", ".")
_STRENGTH = {op: level for level, ops in enumerate(_LEVELS) for op in ops.split()}
TERNARY = _STRENGTH["?"]
# Operators whose right side does not run for one truth of the left.
_LAZY = {"&&": False, "and": False, "||": True, "or": True}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_INCLUDES = {"include", "include_once", "require", "require_once"}
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

    def expect(self, op: str) -> None:
        if not self.accept(op):
            raise self.unexpected()

    def unexpected(self) -> SyntaxProblem:
        token = self.next
        text = "a text" if token.kind in {"string", "template"} else repr(token.text)
        return SyntaxProblem(f"{text} in a place that this reader does not know", token.line)

    def unknown(self, why: str, line: int) -> Unknown:
        return Unknown(why, Place(self.file, line))

    def expression(self, loosest: int = 0) -> Expression:
        left = self.unary()
        while (op := self.operator()) and _STRENGTH[op] >= loosest:
            line, start = self.take().line, self.at
            if op == "?":
                left = self.ternary(left)
                continue
            # ?? is the only one that groups to the right.
            right = self.expression(_STRENGTH[op] + (op != "??"))
            if op in OPERATORS:
                left = _binary(op, left, right, self.unknown(f"the operator {op}", line))
            else:
                left = _lazy(op, left, right, self.tokens[start : self.at])
        return left

    def operator(self) -> str:
        """The binary operator that comes next, or nothing."""
        text = self.next.text.lower() if self.next.kind in {"op", "word"} else ""
        return text if text in _STRENGTH else ""

    def ternary(self, test: Expression) -> Expression:
        start = self.at
        then = None if self.is_op(":") else self.expression(TERNARY)
        self.expect(":")
        other = self.expression(TERNARY + 1)
        mentioned = self.tokens[start : self.at]

        def value(state: State) -> Value:
            found = test(state)
            if isinstance(found, Unknown):
                state.smear(mentioned, found)
                return found
            if truthy(found):
                return then(state) if then else found
            return other(state)

        return value

    def unary(self) -> Expression:
        if self.accept("@"):
            return self.unary()
        if self.accept("!"):
            operand = self.unary()
            return lambda state: _not(operand(state))
        start, token = self.at, self.next
        if token.kind == "var":
            return self.variable(self.take().text, start)
        return self.elements(self.primary())

    def variable(self, name: str, start: int) -> Expression:
        place = Place(self.file, self.tokens[start].line)
        special = name in SUPERGLOBALS or name in {"GLOBALS", "this"}
        if not special and self.accept("="):
            return _assign(name, self.expression(TERNARY), place)
        if name in SUPERGLOBALS and self.accept("["):
            key = self.expression()
            self.expect("]")
            return self.elements(_superglobal(name, key, place))
        if special:
            why = Unknown(f"${name} as a whole", place)
            return self.elements(lambda _: why)
        return self.elements(lambda state: state.variable(name))

    def elements(self, base: Expression) -> Expression:
        """What follows in brackets. Assignments to it, objects and computed calls are beyond."""
        while self.accept("["):
            key = self.expression()
            base = _element(base, key, self.unknown("a part of a text", self.next.line))
            self.expect("]")
        return base

    def primary(self) -> Expression:
        token = self.next
        if token.kind == "word":
            return self.word()
        if token.kind == "end":
            raise self.unexpected()
        self.take()
        if token.kind == "string":
            return lambda _: token.text
        if token.kind == "number":
            plain = _PLAIN_INTEGER.fullmatch(token.text)
            why = self.unknown("a number that is no plain integer", token.line)
            return lambda _: int(token.text) if plain else why
        if token.kind == "template":
            return self.template(token)
        if token.text == "[":
            return self.array("]", token.line)
        if token.text != "(":
            self.at -= 1
            raise self.unexpected()
        inner = self.expression()
        self.expect(")")
        return inner

    def template(self, token: Token) -> Expression:
        parts = [self.part(part) for part in token.parts]
        why = self.unknown("the operator .", token.line)
        text: Expression = lambda _: ""  # noqa: E731  to be wrapped
        for part in parts:
            text = _binary(".", text, part, why)
        return text

    def part(self, part: str | tuple[Token, ...]) -> Expression:
        if isinstance(part, str):
            return lambda _: part
        inner = type(self)(self.file, part)
        found = inner.expression()
        if inner.next.kind != "end":
            raise inner.unexpected()
        return found

    def arguments(self) -> list[Expression]:
        found = []
        while not self.accept(")"):
            found.append(self.expression())
            if not self.is_op(")"):
                self.expect(",")
        return found

    def array(self, close: str, line: int) -> Expression:
        items: list[tuple[Expression | None, Expression]] = []
        while not self.accept(close):
            first = self.expression()
            items.append((first, self.expression()) if self.accept("=>") else (None, first))
            if not self.is_op(close):
                self.expect(",")
        why = self.unknown("an array with an odd key", line)

        def value(state: State) -> Value:
            made: Array = {}
            for key, item in items:
                found = as_key(key(state)) if key else _next_key(made)
                if found is None:
                    return why
                made[found] = item(state)
            return made

        return value

    def word(self) -> Expression:
        start, token = self.at, self.take()
        name = token.text.removeprefix("\\")
        word = name.lower()
        if word in _CLOSURES:
            raise SyntaxProblem(f"{word!r}, which this reader does not know", token.line)
        if word in _INCLUDES:
            return self.include(word, token.line)
        if word in {"exit", "die"}:
            return _stop(self.arguments() if self.accept("(") else [])
        if not self.accept("("):
            return self.constant(name, token.line)
        if word == "array":
            return self.array(")", token.line)
        args = self.arguments()
        mentioned, why = (
            self.tokens[start : self.at],
            self.unknown(f"a call of {word}()", token.line),
        )
        return lambda state: call(state, word, [arg(state) for arg in args], mentioned, why)

    def constant(self, name: str, line: int) -> Expression:
        place, folder = Place(self.file, line), self.file.rpartition("/")[0] or "/"
        fixed: dict[str, Value] = {"__file__": self.file, "__dir__": folder, **_WORDS}
        if name.lower() in fixed:
            return lambda _: fixed[name.lower()]
        return lambda state: state.constant(name, place)

    def include(self, word: str, line: int) -> Expression:
        """Given by the reader of statements, which reads files."""
        raise NotImplementedError


def _next_key(array: Array) -> int | None:
    numbers = [key for key in array if isinstance(key, int)]
    last = max(numbers, default=-1)
    return None if numbers and last < 0 else last + 1  # PHP's versions differ after a negative one


def _not(value: Value) -> Value:
    return value if isinstance(value, Unknown) else not truthy(value)


def _stop(args: list[Expression]) -> Expression:
    def value(state: State) -> Value:
        for arg in args:
            arg(state)
        raise Finished

    return value


def _assign(name: str, right: Expression, place: Place) -> Expression:
    def value(state: State) -> Value:
        found = right(state)
        state.assign(name, found, place)
        return found

    return value


def _lazy(op: str, left: Expression, right: Expression, mentioned: Sequence[Token]) -> Expression:
    """&&, || and ??: the right side runs, or not, for what the left one is."""

    def value(state: State) -> Value:
        found = left(state)
        if isinstance(found, Unknown):
            state.smear(mentioned, found)
            return found
        if op == "??":
            return right(state) if found is None else found
        if truthy(found) is _LAZY[op]:
            return _LAZY[op]
        found = right(state)
        return found if isinstance(found, Unknown) else truthy(found)

    return value


def _binary(op: str, left: Expression, right: Expression, why: Unknown) -> Expression:
    def value(state: State) -> Value:
        first, writes = left(state), state.frame.writes
        second = right(state)
        for side in (first, second):
            if isinstance(side, Unknown):
                return side
        # PHP may read a variable on the left later than what is assigned on the right.
        result = OPERATORS[op](first, second) if state.frame.writes == writes else None
        return why if result is None else result

    return value


def _element(base: Expression, key: Expression, why: Unknown) -> Expression:
    def value(state: State) -> Value:
        array, writes = base(state), state.frame.writes
        found = key(state)
        for part in (array, found):
            if isinstance(part, Unknown):
                return part
        plain = as_key(found) if state.frame.writes == writes else None
        if plain is None or not isinstance(array, dict | None):
            return why
        return array.get(plain) if array else None

    return value


def _superglobal(name: str, key: Expression, place: Place) -> Expression:
    def value(state: State) -> Value:
        found = key(state)
        written = f"${name}[{found!r}]" if isinstance(found, str) else f"${name}"
        if name not in ENVIRONMENT:
            return Unknown(f"the web request ({written})", place)
        variable = environment(state, found, Unknown(written, place))
        return None if variable is False else variable

    return value
