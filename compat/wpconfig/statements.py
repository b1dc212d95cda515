"""PHP's statements and files: each is read from tokens into a Python function that runs it.

A statement that is not understood is not run: what it mentions becomes unknown.
"""

from collections.abc import Sequence
from pathlib import Path

from compat.wpconfig.expressions import TERNARY, Expression, Expressions
from compat.wpconfig.files import load
from compat.wpconfig.state import Code, Finished, Leave, Returned, State, Step
from compat.wpconfig.tokens import SyntaxProblem, Token, tokens
from compat.wpconfig.values import Place, Unsure, Value, as_text, equal, inside, path_of, truthy

MAX_FILES = 50
"""Files that one configuration may load."""

_OPENING, _CLOSING = {"(", "[", "{", "#["}, {")", "]", "}"}
_LOOPS = {"for", "foreach", "while", "do"}
_CLASSES = {"class", "interface", "trait", "enum", "abstract", "final", "readonly"}


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
        """A statement. What it mentions becomes unknown if it cannot be read or followed."""
        start, word = self.at, self.next.text.lower() if self.next.kind == "word" else ""
        try:
            step = self.known(word)
        except Unsure as unsure:
            if word in _BLOCKS:  # a part of it would be mistaken for a statement of its own
                raise self.shapeless(str(unsure)) from None
            self.at = start
            self.skip_statement()
            step = _raising(str(unsure))
        place, mentioned = Place(self.file, self.tokens[start].line), self.tokens[start : self.at]

        def run(state: State) -> None:
            state.step()
            state.place = place
            try:
                step(state)
            except Unsure as unsure:
                state.place = place
                state.undecided(mentioned, state.unknown(unsure.why))

        return run

    def known(self, word: str) -> Step:
        """A statement of the grammar. Raises Unsure."""
        if self.accept("{"):
            return _block(self.until("}"))
        if self.accept(";"):
            return _block([])
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)].text.lower()
        if word == "namespace" or (word == "use" and after in {"function", "const"}):
            raise self.shapeless(f"{word!r}, which changes what names mean")
        if word in _STATEMENTS:
            self.take()
            return _STATEMENTS[word](self, word)
        found = self.expression()
        self.end_of_statement()
        return found

    def shapeless(self, why: str) -> SyntaxProblem:
        return SyntaxProblem(why, self.next.line)

    def end_of_statement(self) -> None:
        if self.next.kind != "end":  # the last statement of a file may lack its end
            self.expect(";")

    def until(self, *ends: str) -> list[Step]:
        """Statements up to a brace, which is taken, or to one of the words, which stays."""
        found = []
        while not self.is_word(*ends) and not self.is_op("}"):
            if self.next.kind == "end":
                raise self.shapeless(f"a block without its {ends[-1]}")
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
        except Unsure as unsure:
            self.at = start
            self.skip_brackets()
            return _raising(str(unsure))
        return found

    def if_(self, _word: str) -> Step:
        branches: list[tuple[Expression, Step]] = []
        word = "elseif"
        while word:
            test = self.condition() if word == "elseif" else lambda _: True
            colon = self.is_op(":")
            branches.append((test, self.body("elseif", "else", "endif")))
            word = self.take().text.lower() if self.is_word("elseif", "else") else ""
            if word == "else" and self.is_word("if") and not colon:
                self.take()
                word = "elseif"
        if colon:
            self.expect("endif")
            self.end_of_statement()

        def run(state: State) -> None:
            for test, body in branches:
                if truthy(test(state)):
                    body(state)
                    return

        return run

    def switch(self, _word: str) -> Step:
        subject = self.condition()
        self.expect("{")
        tests: list[tuple[int, Expression]] = []
        steps: list[Step] = []
        default = None
        while not self.accept("}"):
            if not self.is_word("case", "default"):
                raise self.unexpected()
            if self.take().text.lower() == "case":
                tests.append((len(steps), self.expression()))
            else:
                default = len(steps)
            self.expect(":")
            steps += self.until("case", "default")

        def run(state: State) -> None:
            value = subject(state)
            start = next((at for at, test in tests if equal(value, test(state))), default)
            state.frame.switches += 1
            try:
                state.run(() if start is None else steps[start:])
            except Leave:
                pass
            finally:
                state.frame.switches -= 1

        return run

    def leave(self, _word: str) -> Step:
        self.end_of_statement()
        return _leave

    def return_(self, _word: str) -> Step:
        ends = self.is_op(";") or self.next.kind == "end"
        value = None if ends else self.expression()
        self.end_of_statement()

        def run(state: State) -> None:
            raise Returned(value(state) if value else None)

        return run

    def const(self, _word: str) -> Step:
        found: list[tuple[str, Expression]] = []
        while not found or self.accept(","):
            name = self.take().text
            self.expect("=")
            found.append((name, self.expression()))
        self.end_of_statement()
        return lambda state: [state.define(name, value(state)) for name, value in found]

    def function(self, _word: str) -> Step:
        start, name = self.at - 1, self.take().text.lower()
        steps: list[Step] = []
        params = None
        try:
            self.expect("(")
            params = tuple(self.listed(")", self.parameter))
            self.expect("{")
        except Unsure:  # one with types, say
            params, self.at = None, start + 1
            self.skip_block(";")
        else:
            steps = self.until("}")
        mentioned = self.tokens[start : self.at]
        if any(token.text.lower() == "yield" for token in mentioned):
            params = None
        code = Code(tuple(steps), mentioned, params)
        return lambda state: state.functions.setdefault(name, code)

    def parameter(self) -> tuple[str, Expression | None]:
        if self.next.kind != "var":
            raise self.unexpected()
        return self.take().text, self.expression() if self.accept("=") else None

    def foreign_block(self, word: str) -> Step:
        """A loop, try or a class. Only the form with braces is known."""
        self.skip_block(";", ":")
        while self.is_word("catch", "finally"):
            self.skip_block(";", ":")
        if word == "do":
            self.skip_statement()
        return _raising(f"a loop ({word})" if word in _LOOPS else f"what is in {word}")

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
            raise self.shapeless(f"{self.next.text!r} without its opening")

    def shape(self) -> int:
        """Step over a token: how it changes the depth of brackets."""
        if self.next.kind == "end":
            raise self.shapeless("brackets that do not match")
        token = self.take()
        return (token.text in _OPENING) - (token.text in _CLOSING) if token.kind == "op" else 0

    def include(self, word: str) -> Expression:
        start = self.at
        path = self.expression(TERNARY)
        mentioned, folder = self.tokens[start : self.at], Path(path_of(self.file)).parent

        def value(state: State) -> Value:
            try:
                text = as_text(path(state))
            except Unsure as unsure:
                state.smear(mentioned, state.unknown(unsure.why))
                text = _tail(mentioned)
                if text.rpartition("/")[2] != "wp-settings.php":
                    raise
            if text.rpartition("/")[2] == "wp-settings.php":
                raise Finished
            if text.endswith("vendor/autoload.php"):  # Composer's loader of classes
                return True
            if not text or text.startswith("."):
                raise Unsure("a file of an odd name")
            return _load(state, folder / path_of(text), word)

        return value


def _block(steps: Sequence[Step]) -> Step:
    return lambda state: state.run(steps)


def _raising(why: str) -> Expression:
    def value(_state: State) -> Value:
        raise Unsure(why)

    return value


def _leave(state: State) -> None:
    if not state.frame.switches:
        raise Unsure("a break outside of switch")
    raise Leave


def _tail(found: Sequence[Token]) -> str:
    """The literal text that a path ends with."""
    last = next((token for token in reversed(found) if token.text != ")"), found[-1])
    if last.parts and isinstance(last.parts[-1], str):
        return last.parts[-1]
    return last.text if last.kind == "string" else ""


def _load(state: State, path: Path, word: str) -> Value:
    """Run a file as include, include_once, require or require_once does."""
    try:
        real = path.resolve()
        missing = not real.exists()
    except (OSError, RuntimeError, ValueError):  # a ring of links, a NUL
        raise Unsure(f"{inside(str(path))}, which is no path") from None
    if missing and word.startswith("include"):
        return False
    if word.endswith("_once") and real in state.loaded:
        return True
    name, problem = inside(str(real)), "is not there" if missing else ""
    if not any(real.is_relative_to(root) for root in state.roots):
        problem = "lies outside the site's folder and is not read"
    if problem or len(state.loaded) >= MAX_FILES:
        raise Unsure(f"{name}, which {problem or 'is one file too many'}")
    state.loaded.append(real)
    try:
        code = parse(name, load(real))
    except SyntaxProblem as odd:
        raise Unsure(f"{name}, which has in line {odd.line} {odd.what}") from None
    return state.execute(code, 1)


_STATEMENTS = {
    "if": _Statements.if_,
    "switch": _Statements.switch,
    "return": _Statements.return_,
    **dict.fromkeys(("break", "continue"), _Statements.leave),
    "const": _Statements.const,
    "function": _Statements.function,
    **dict.fromkeys(_LOOPS | _CLASSES | {"try"}, _Statements.foreign_block),
}
_BLOCKS = _STATEMENTS.keys() - {"return", "break", "continue", "const"}
