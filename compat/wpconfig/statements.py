"""PHP's statements and files: each is read from tokens into a Python function that runs it.

A statement that is not understood is not run: what it mentions becomes unknown.
"""

from collections.abc import Sequence
from pathlib import Path

from compat.wpconfig.expressions import TERNARY, Expression, Expressions
from compat.wpconfig.files import load
from compat.wpconfig.state import Code, Finished, Leave, Returned, State, Step
from compat.wpconfig.tokens import SyntaxProblem, Token, tokens
from compat.wpconfig.values import Unknown, Value, as_text, equal, inside, path_of, truthy

MAX_FILES = 50
"""Files that one configuration may load."""

_OPENING, _CLOSING = {"(", "[", "{", "#["}, {")", "]", "}"}
_LOOPS = {"for", "foreach", "while", "do"}
_CLASSES = {"class", "interface", "trait", "enum", "abstract", "final", "readonly"}


class Shapeless(SyntaxProblem):
    """The rest of the file has no known shape."""


def parse(file: str, source: str) -> Code:
    """A file, its name and text in latin-1. Raises SyntaxProblem."""
    return _Statements(file, tokens(source)).whole()


class _Statements(Expressions):
    def whole(self) -> Code:
        """PHP knows the functions of a file before it runs the first line."""
        hoisted: list[Step] = []
        steps: list[Step] = []
        while self.next.kind != "end":
            (hoisted if self.is_word("function") else steps).append(self.statement())
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        names = {name.text.lower() for word, name in pairs if word.text.lower() == "function"}
        return Code((lambda state: state.declared.update(names), *hoisted, *steps), self.tokens)

    def statement(self) -> Step:
        start, word = self.at, self.next.text.lower() if self.next.kind == "word" else ""
        try:
            if self.accept("{"):
                return _block(self.until("}"))
            if self.accept(";"):
                return _block([])
            if word in _STATEMENTS:
                self.take()
                return _STATEMENTS[word](self, start)
            found = self.expression()
            self.end_of_statement()
        except Shapeless:
            raise
        except SyntaxProblem as problem:
            if word in _STATEMENTS:  # a part of it would be mistaken for a statement of its own
                raise Shapeless(problem.what, problem.line) from None
            self.at = start
            self.skip_statement()
            return self.not_understood(start, problem.what)
        return found

    def not_understood(self, start: int, what: str) -> Step:
        mentioned, why = self.tokens[start : self.at], self.unknown(what, self.tokens[start].line)
        return lambda state: state.undecided(mentioned, why)

    def end_of_statement(self) -> None:
        if self.next.kind != "end":  # the last statement of a file may lack its end
            self.expect(";")

    def until(self, *ends: str) -> list[Step]:
        """Statements up to a brace, which is taken, or to one of the words, which stays."""
        found = []
        while not self.is_word(*ends) and not self.is_op("}"):
            if self.next.kind == "end":
                raise Shapeless(f"a block without its {ends[-1]}", self.next.line)
            found.append(self.statement())
        if "}" in ends:
            self.take()
        return found

    def body(self, *ends: str) -> Step:
        """The body of a control structure; with `:` up to one of the words, which stays."""
        return _block(self.until(*ends)) if self.accept(":") else self.statement()

    def condition(self) -> Expression:
        """What stands in parentheses; odd code in it does not spoil the statement."""
        start = self.at
        try:
            self.expect("(")
            found = self.expression()
            self.expect(")")
        except SyntaxProblem as problem:
            self.at = start
            self.skip_brackets()
            mentioned = self.tokens[start : self.at]
            return _smeared(mentioned, self.unknown(problem.what, self.tokens[start].line))
        return found

    def if_(self, _start: int) -> Step:
        branches: list[tuple[Expression, Step, int]] = []
        word = "elseif"
        while word:
            test = self.condition() if word == "elseif" else lambda _: True
            start, colon = self.at, self.is_op(":")
            branches.append((test, self.body("elseif", "else", "endif"), start))
            word = self.take().text.lower() if self.is_word("elseif", "else") else ""
            if word == "else" and self.is_word("if") and not colon:
                self.take()
                word = "elseif"
        if colon:
            self.close("endif")
        end = self.at

        def run(state: State) -> None:
            for test, body, start in branches:
                found = test(state)
                if isinstance(found, Unknown):
                    state.undecided(self.tokens[start:end], found)
                    return
                if truthy(found):
                    body(state)
                    return

        return run

    def close(self, word: str) -> None:
        if not self.is_word(word):
            raise self.unexpected()
        self.take()
        self.end_of_statement()

    def switch(self, start: int) -> Step:
        subject = self.condition()
        self.expect("{")
        cases: list[tuple[Expression | None, list[Step]]] = []
        while not self.accept("}"):
            if not self.is_word("case", "default"):
                raise self.unexpected()
            test = self.expression() if self.take().text.lower() == "case" else None
            self.expect(":")
            cases.append((test, self.until("case", "default")))
        mentioned = self.tokens[start : self.at]
        odd = self.unknown("a comparison that this reader does not know", self.tokens[start].line)

        def run(state: State) -> None:
            first = _matching(state, subject(state), cases, odd)
            if isinstance(first, Unknown):
                state.undecided(mentioned, first)
                return
            state.frame.switches += 1
            try:
                for _, steps in cases[first:]:
                    state.run(steps)
            except Leave:
                pass
            finally:
                state.frame.switches -= 1

        return run

    def leave(self, _start: int) -> Step:
        self.end_of_statement()
        return _leave

    def return_(self, _start: int) -> Step:
        ends = self.is_op(";") or self.next.kind == "end"
        value = None if ends else self.expression()
        self.end_of_statement()

        def run(state: State) -> None:
            raise Returned(value(state) if value else None)

        return run

    def const(self, start: int) -> Step:
        found: list[Step] = []
        while not found or self.accept(","):
            name = self.take().text
            self.expect("=")
            found.append(_const(name, self.expression(), self.unknown("", self.tokens[start].line)))
        self.end_of_statement()
        return _block(found)

    def function(self, start: int) -> Step:
        name = self.take().text.lower()
        steps: list[Step] = []
        try:
            params = self.parameters()
            steps = self.until("}")
        except SyntaxProblem:  # one with types, say
            params, self.at = None, start + 1
            self.skip_block(";")
        mentioned = self.tokens[start : self.at]
        if any(token.text.lower() == "yield" for token in mentioned):
            params = None
        code = Code(tuple(steps), mentioned, params)
        return lambda state: state.functions.setdefault(name, code)

    def parameters(self) -> tuple[tuple[str, Expression | None], ...]:
        """Names and defaults, and the brace behind them."""
        found = []
        self.expect("(")
        while not self.accept(")"):
            if self.next.kind != "var":
                raise self.unexpected()
            found.append((self.take().text, self.expression() if self.accept("=") else None))
            if not self.is_op(")"):
                self.expect(",")
        self.expect("{")
        return tuple(found)

    def foreign_block(self, start: int) -> Step:
        """A loop, try or a class. Only the form with braces is known."""
        word = self.tokens[start].text.lower()
        self.skip_block(";", ":")
        while self.is_word("catch", "finally"):
            self.skip_block(";", ":")
        if word == "do":
            self.skip_statement()
        what = f"a loop ({word})" if word in _LOOPS else f"what is in {word}"
        return self.not_understood(start, what)

    def rename(self, start: int) -> Step:
        """`use` of classes changes nothing here; of functions, and namespaces, what names mean."""
        word = self.tokens[start].text.lower()
        if word == "namespace" or self.is_word("function", "const"):
            raise Shapeless(f"{word!r}, which changes what names mean", self.next.line)
        self.skip_statement()
        return _block([])

    def skip_block(self, *refused: str) -> None:
        """Step over everything up to a brace, and what is in it."""
        while not self.is_op("{"):
            if self.is_op(*refused):
                raise self.unexpected()
            self.skip_brackets()
        self.skip_brackets()

    def skip_brackets(self) -> None:
        """Step over brackets with what is in them, or over one token."""
        depth = self.shape()
        while depth:
            depth += self.shape()

    def skip_statement(self) -> None:
        start = self.at
        while self.next.kind != "end" and not self.is_op("}"):
            ends = self.is_op(";")
            self.skip_brackets()
            if ends:
                break
        if self.at == start:
            raise Shapeless(f"{self.next.text!r} without its opening", self.next.line)

    def shape(self) -> int:
        """Step over a token: how it changes the depth of brackets."""
        if self.next.kind == "end":
            raise Shapeless("brackets that do not match", self.next.line)
        token = self.take()
        return (token.text in _OPENING) - (token.text in _CLOSING) if token.kind == "op" else 0

    def include(self, word: str, line: int) -> Expression:
        start = self.at
        path = self.expression(TERNARY)
        tail = _tail(self.tokens[start : self.at])
        why = self.unknown("a file of an unknown name", line)

        def value(state: State) -> Value:
            if tail.rpartition("/")[2] == "wp-settings.php":
                raise Finished
            found = path(state)
            if tail.endswith("vendor/autoload.php"):  # Composer's loader of classes
                return why
            text = as_text(found)
            if text and not text.startswith("."):
                return _load(state, Path(path_of(self.file)).parent / path_of(text), word, why)
            unknown = found if isinstance(found, Unknown) else why
            state.cloud(unknown)
            return unknown

        return value


def _block(steps: Sequence[Step]) -> Step:
    return lambda state: state.run(steps)


def _smeared(mentioned: Sequence[Token], why: Unknown) -> Expression:
    def value(state: State) -> Value:
        state.smear(mentioned, why)
        return why

    return value


def _leave(_state: State) -> None:
    raise Leave


def _const(name: str, value: Expression, why: Unknown) -> Step:
    return lambda state: state.define(name, value(state), why.place)


def _matching(
    state: State,
    subject: Value,
    cases: Sequence[tuple[Expression | None, Sequence[Step]]],
    odd: Unknown,
) -> int | Unknown:
    """The number of the case to start with."""
    default = len(cases)
    for number, (test, _) in enumerate(cases):
        if test is None:
            default = number
            continue
        value = test(state)
        for side in (subject, value):
            if isinstance(side, Unknown):
                return side
        same = equal(subject, value)
        if same is not False:
            return odd if same is None else number
    return default


def _tail(found: Sequence[Token]) -> str:
    """The literal text that a path ends with."""
    last = next((token for token in reversed(found) if token.text != ")"), found[-1])
    if last.parts and isinstance(last.parts[-1], str):
        return last.parts[-1]
    return last.text if last.kind == "string" else ""


def _load(state: State, path: Path, word: str, why: Unknown) -> Value:
    """Run a file as include, include_once, require or require_once does."""
    try:
        real = path.resolve()
        missing = not real.exists()
    except (OSError, RuntimeError, ValueError):  # a ring of links, a NUL
        return _unread(state, path, "is no path", why)
    if missing and word.startswith("include"):
        return False
    if word.endswith("_once") and real in state.loaded:
        return True
    if problem := "is not there" if missing else _forbidden(state, real):
        return _unread(state, real, problem, why)
    state.loaded.append(real)
    try:
        code = parse(inside(str(real)), load(real))
    except SyntaxProblem as odd:
        return _unread(state, real, f"has in line {odd.line} {odd.what}", why)
    value = state.execute(code)
    return 1 if value is None else value


def _forbidden(state: State, real: Path) -> str:
    if not any(real.is_relative_to(root) for root in state.roots):
        return "lies outside the site's folder and is not read"
    return "is one file too many" if len(state.loaded) >= MAX_FILES else ""


def _unread(state: State, path: Path, problem: str, why: Unknown) -> Unknown:
    unread = Unknown(f"{inside(str(path))}, which {problem}", why.place)
    state.cloud(unread)
    return unread


_STATEMENTS = {
    "if": _Statements.if_,
    "switch": _Statements.switch,
    "return": _Statements.return_,
    **dict.fromkeys(("break", "continue"), _Statements.leave),
    "const": _Statements.const,
    "function": _Statements.function,
    **dict.fromkeys(("namespace", "use"), _Statements.rename),
    **dict.fromkeys(_LOOPS | _CLASSES | {"try"}, _Statements.foreign_block),
}
