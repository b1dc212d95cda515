"""The grammar of PHP's statements. What is not understood becomes a Skipped node that says what it
mentions, so that one odd line does not spoil the file."""

from collections.abc import Sequence

from compat.wpconfig.expressions import ExpressionParser
from compat.wpconfig.nodes import (
    Block,
    Body,
    Break,
    Const,
    Function,
    If,
    Node,
    Odd,
    Repeated,
    Return,
    Skipped,
    Switch,
)
from compat.wpconfig.tokens import Hole, SyntaxProblem, Token, tokens

_OPENING, _CLOSING = {"(", "[", "{", "#["}, {")", "]", "}"}
_LOOPS = {"foreach", "for", "while"}
# Statements that end with their block and do nothing when PHP reaches them.
DECLARATIONS = {"class", "interface", "trait", "enum", "abstract", "final", "readonly", "function"}
_ENDS_WITH_BLOCK = DECLARATIONS | {"else", "elseif", "catch", "finally"}


class Unclosed(SyntaxProblem):
    """Brackets that do not match: the rest of the file has no known shape."""


def parse(source: str) -> Body:
    """The statements of a file (text in latin-1). Raises SyntaxProblem."""
    return _Parser(tokens(source)).file()


class _Parser(ExpressionParser):
    namespace = ""

    def file(self) -> Body:
        body = []
        while self.next.kind != "end":
            body.append(self.statement())
        return tuple(body)

    def statement(self) -> Node:
        start = self.at
        try:
            return self.known()
        except Unclosed:
            raise
        except SyntaxProblem as problem:
            self.at = start
            return self.skip_statement(problem.what)

    def known(self) -> Node:
        """A statement of the grammar. Raises SyntaxProblem."""
        line, word = self.next.line, self.next.text.lower() if self.next.kind == "word" else ""
        if self.accept("{"):
            return Block(line, self.until_brace())
        if self.accept(";"):
            return Block(line, ())
        if read := _STATEMENTS.get(word):
            self.take()
            return read(self, line)
        found = self.expression()
        self.end_of_statement()
        return found

    def end_of_statement(self) -> None:
        if self.next.kind != "end":  # the last statement of a file may lack its end
            self.expect(";")

    def until_brace(self) -> Body:
        body = []
        while not self.accept("}"):
            if self.next.kind == "end":
                raise Unclosed("a { without a }", self.next.line)
            body.append(self.statement())
        return tuple(body)

    def body(self, *ends: str) -> Body:
        """The body of a control structure; with `:` up to one of the words, which stays."""
        if not self.accept(":"):
            return (self.statement(),)
        body = []
        while not self.is_word(*ends):
            if self.next.kind == "end":
                raise Unclosed(f"a block without its {ends[-1]}", self.next.line)
            body.append(self.statement())
        return tuple(body)

    def condition(self) -> Node:
        """What stands in parentheses; odd code in it does not spoil the statement."""
        start = self.at
        try:
            self.expect("(")
            found = self.expression()
            self.expect(")")
        except SyntaxProblem as problem:
            self.at = start
            head = self.skip_parentheses()
            return Odd(head.line, problem.what, (head,), calls=True)
        return found

    def if_(self, line: int) -> Node:
        branches: list[tuple[Node | None, Body]] = []
        colon = False
        while True:
            test = self.condition()
            colon = self.is_op(":")
            branches.append((test, self.body("elseif", "else", "endif")))
            if not self.is_word("elseif", "else"):
                break
            if self.take().text.lower() == "elseif":
                continue
            if self.is_word("if") and not colon:
                self.take()
                continue
            branches.append((None, self.body("endif")))
            break
        if colon:
            self.close("endif")
        return If(line, tuple(branches))

    def close(self, word: str) -> None:
        if not self.is_word(word):
            raise self.unexpected()
        self.take()
        self.end_of_statement()

    def switch(self, line: int) -> Node:
        subject = self.condition()
        colon = self.accept(":")
        if not colon:
            self.expect("{")
        cases = []
        while not self.is_word("endswitch") and not self.is_op("}"):
            cases.append(self.case())
        if colon:
            self.close("endswitch")
        else:
            self.expect("}")
        return Switch(line, subject, tuple(cases))

    def case(self) -> tuple[Node | None, Body]:
        if not self.is_word("case", "default"):
            raise self.unexpected()
        value = None if self.take().text.lower() == "default" else self.expression()
        if not self.accept(";"):
            self.expect(":")
        body = []
        while not self.is_word("case", "default", "endswitch") and not self.is_op("}"):
            if self.next.kind == "end":
                raise Unclosed("a switch without its end", self.next.line)
            body.append(self.statement())
        return value, tuple(body)

    def loop(self, line: int) -> Node:
        word = self.tokens[self.at - 1].text.lower()
        head = self.skip_parentheses()
        colon = self.is_op(":")
        body = self.body(f"end{word}")
        if colon:
            self.close(f"end{word}")
        return Repeated(line, f"a loop ({word})", head, body)

    def do(self, line: int) -> Node:
        body = self.body()
        if not self.is_word("while"):
            raise self.unexpected()
        self.take()
        head = self.skip_parentheses()
        self.end_of_statement()
        return Repeated(line, "a loop (do)", head, body)

    def try_(self, line: int) -> Node:
        body = [self.statement()]
        head = self.mentions(self.at, self.at, "try")
        while self.is_word("catch", "finally"):
            if self.take().text.lower() == "catch":
                self.skip_parentheses()
            body.append(self.statement())
        return Repeated(line, "what follows try", head, tuple(body))

    def return_(self, line: int) -> Node:
        value = None if self.is_op(";") or self.next.kind == "end" else self.expression()
        self.end_of_statement()
        return Return(line, value)

    def break_(self, line: int) -> Node:
        levels = int(self.take().text) if self.next.kind == "int" else 1
        self.end_of_statement()
        return Break(line, levels)

    def const(self, line: int) -> Node:
        found: list[Node] = []
        while not found or self.accept(","):
            name = self.take().text
            self.expect("=")
            found.append(Const(line, self.namespace + name, self.expression()))
        self.end_of_statement()
        return Block(line, tuple(found))

    def echo(self, line: int) -> Node:
        parts = [self.expression()]
        while self.accept(","):
            parts.append(self.expression())
        self.end_of_statement()
        return Odd(line, "echo", tuple(parts), calls=False)

    def function(self, line: int) -> Node:
        name = self.take().text.lower()
        self.expect("(")
        params: list[tuple[str, Node | None]] = []
        while not self.accept(")"):
            self.type_()
            if self.next.kind != "var":
                raise self.unexpected()
            name_of = self.take().text
            params.append((name_of, self.expression() if self.accept("=") else None))
            if not self.is_op(")"):
                self.expect(",")
        if self.accept(":"):
            self.type_()
        self.expect("{")
        return Function(line, name, tuple(params), self.until_brace())

    def type_(self) -> None:
        while self.next.kind == "word" or self.is_op("?", "|"):
            self.take()

    def namespace_(self, line: int) -> Node:
        self.namespace = self.take().text + "\\" if self.next.kind == "word" else ""
        if self.is_op("{"):
            return self.statement()
        self.end_of_statement()
        return Block(line, ())

    def use(self, line: int) -> Node:
        self.skip_statement("")
        return Block(line, ())

    def declare(self, _line: int) -> Node:
        self.skip_parentheses()
        return self.statement()

    def skip_parentheses(self) -> Skipped:
        if not self.is_op("("):
            raise self.unexpected()
        start, depth = self.at, 0
        while True:
            depth += self.change()
            self.take()
            if depth == 0:
                return self.mentions(start, self.at, "")

    def change(self) -> int:
        """How the next token changes the depth of brackets."""
        if self.next.kind == "end":
            raise Unclosed("brackets that do not match", self.next.line)
        if self.next.kind != "op":
            return 0
        return (self.next.text in _OPENING) - (self.next.text in _CLOSING)

    def skip_statement(self, what: str) -> Skipped:
        start, depth = self.at, 0
        blocky = self.is_word(*_ENDS_WITH_BLOCK)
        while depth or self.next.kind != "end":
            depth += self.change()
            if depth < 0:  # the end of the block around it
                break
            closing = self.is_op(";") or (blocky and self.is_op("}"))
            self.take()
            if depth == 0 and closing:
                break
        if self.at == start:
            raise Unclosed(f"{self.next.text!r} without its opening", self.next.line)
        return self.mentions(start, self.at, what)

    def mentions(self, start: int, end: int, what: str) -> Skipped:
        found = _flat(self.tokens[start:end])
        variables = frozenset(token.text for token in found if token.kind == "var")
        texts = frozenset(token.text for token in found if token.kind == "string")
        words = {token.text.removeprefix("\\") for token in found if token.kind == "word"}
        words |= {word.lower() for word in words}
        words |= {"$" for token in found if token.kind == "op" and token.text == "$"}
        line, declares = self.tokens[start].line, self.declares(start)
        return Skipped(line, what, declares, variables, texts, frozenset(words))

    def declares(self, start: int) -> bool:
        first, second = self.tokens[start], self.tokens[min(start + 1, len(self.tokens) - 1)]
        return (
            first.kind == "word"
            and first.text.lower() in DECLARATIONS
            and (second.kind == "word" or second.text == "&")
        )


def _flat(found: Sequence[Token]) -> list[Token]:
    """Tokens with those inside texts."""
    flat: list[Token] = []
    for token in found:
        flat.append(token)
        for part in token.parts:
            if isinstance(part, Hole):
                flat += _flat(part.tokens)
    return flat


_STATEMENTS = {
    "if": _Parser.if_,
    "switch": _Parser.switch,
    **dict.fromkeys(_LOOPS, _Parser.loop),
    "do": _Parser.do,
    "try": _Parser.try_,
    "return": _Parser.return_,
    "break": _Parser.break_,
    "continue": _Parser.break_,
    "const": _Parser.const,
    "echo": _Parser.echo,
    "function": _Parser.function,
    "namespace": _Parser.namespace_,
    "use": _Parser.use,
    "declare": _Parser.declare,
}
