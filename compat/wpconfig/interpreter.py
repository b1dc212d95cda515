"""Runs statements, user functions and included files."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from compat.wpconfig import nodes
from compat.wpconfig.effects import is_bootstrap, is_class_loader, leaves, skip, touch
from compat.wpconfig.evaluator import EVALUATE, Evaluator
from compat.wpconfig.files import load
from compat.wpconfig.parser import parse
from compat.wpconfig.state import Frame, State, TooMuch
from compat.wpconfig.tokens import SyntaxProblem
from compat.wpconfig.values import Unknown, Value, as_text, equal, inside, path_of, truthy

MAX_FILES = 50
"""Files that one configuration may load."""

MAX_CALLS = 20
"""Calls and included files inside one another."""


class Finished(Exception):
    """PHP goes no further here: exit, or WordPress itself is loaded."""


class Leave(Exception):
    """break, continue."""


class Returned(Exception):
    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Abandoned(Exception):
    """Whether the code goes on is not known: the rest of its frame is looked at, not run."""

    def __init__(self, why: Unknown) -> None:
        super().__init__()
        self.why = why


@dataclass(slots=True)
class Interpreter(Evaluator):
    """Files are read inside `roots` (resolved folders) only."""

    state: State
    http_host: str | None
    roots: tuple[Path, ...]
    loaded: list[Path] = field(default_factory=list)
    depth: int = 0

    def run_main(self) -> None:
        with suppress(Finished):
            self.run_frame(self.state.main)

    def run_frame(self, frame: Frame) -> Value:
        """The value returned from a file or a function."""
        if self.depth >= MAX_CALLS:
            raise TooMuch("calls or files inside one another")
        outer, self.state.frame = self.state.frame, frame
        self.depth += 1
        try:
            self.hoist(frame.body)
            self.run(frame.body)
        except Returned as result:
            return result.value
        except Leave:
            return None
        except Abandoned as stopped:
            touch(self.state, frame.body, stopped.why)
            return stopped.why
        finally:
            self.state.frame = outer
            self.depth -= 1
        return None

    def hoist(self, body: nodes.Body) -> None:
        """PHP knows the functions of a file before it runs the first line."""
        for node in nodes.walk(body):
            self.state.step()
            if isinstance(node, nodes.Function):
                self.state.declared.add(node.name)
        for node in body:
            if isinstance(node, nodes.Function):
                self.function(node)

    def run(self, body: nodes.Body) -> None:
        for node in body:
            missed = set(self.state.missed)
            self.statement(node)
            self.state.missed = missed

    def statement(self, node: nodes.Node) -> None:
        self.state.step()
        run = _RUN.get(type(node))
        if run:
            run(self, node)
        else:
            self.value(node)

    def undecided(self, tree: object, why: Unknown, *, breaks: bool = True) -> None:
        """Code of which it is not known whether it runs."""
        touch(self.state, tree, why)
        # A return from the file itself ends the configuration: such a branch configures nothing.
        returns = self.state.frame is not self.state.main
        if leaves(tree, returns=returns, breaks=breaks):
            raise Abandoned(why)

    def if_(self, node: nodes.If) -> None:
        for number, (test, body) in enumerate(node.branches):
            value = self.value(test) if test else True
            if isinstance(value, Unknown):
                tests = tuple(later for later, _ in node.branches[number + 1 :])
                touch(self.state, tests, value)
                self.undecided(tuple(b for _, b in node.branches[number:]), value)
                return
            if truthy(value):
                self.run(body)
                return

    def switch(self, node: nodes.Switch) -> None:
        subject = self.value(node.subject)
        start = self.matching(subject, node)
        if isinstance(start, Unknown):
            self.undecided(tuple(body for _, body in node.cases), start, breaks=False)
            return
        with suppress(Leave):
            for _, body in node.cases[start:]:
                self.run(body)

    def matching(self, subject: Value, node: nodes.Switch) -> int | Unknown:
        """The number of the case to start with."""
        default = len(node.cases)
        for number, (test, _) in enumerate(node.cases):
            if test is None:
                default = number
                continue
            value = self.value(test)
            for side in (subject, value):
                if isinstance(side, Unknown):
                    return side
            same = equal(subject, value)
            if same is None:
                return self.unknown("a comparison of arrays", node)
            if same:
                return number
        return default

    def repeated(self, node: nodes.Repeated) -> None:
        why = self.unknown(node.what, node)
        skip(self.state, node.head, why)
        self.undecided(node.body, why, breaks=False)

    def block(self, node: nodes.Block) -> None:
        self.run(node.body)

    def return_(self, node: nodes.Return) -> NoReturn:
        raise Returned(self.value(node.value) if node.value else None)

    def break_(self, node: nodes.Break) -> NoReturn:
        if node.levels != 1:
            raise Abandoned(self.unknown("a break out of several blocks", node))
        raise Leave

    def const(self, node: nodes.Const) -> None:
        self.state.define(node.name, self.value(node.value), self.place(node))

    def function(self, node: nodes.Function) -> None:
        self.state.functions.setdefault(node.name, node)

    def skipped(self, node: nodes.Skipped) -> None:
        why = self.unknown(node.what, node)
        skip(self.state, node, why)
        if "goto" in node.words:
            raise Abandoned(why)

    def stop(self, _node: nodes.Stop) -> NoReturn:
        raise Finished

    def call(self, node: nodes.Call) -> Value:
        if node.name == "eval":
            return self.eval(node)
        function = self.state.functions.get(node.name)
        if isinstance(function, nodes.Function):
            return self.user_function(function, node)
        return Evaluator.call(self, node)

    def user_function(self, function: nodes.Function, node: nodes.Call) -> Value:
        args = [self.value(arg) for arg in node.args]
        frame = Frame(self.state.frame.file, function.body)
        blame = frozenset(self.state.missed)
        for number, (name, default) in enumerate(function.params):
            if number < len(args):
                frame.variables[name], frame.blame[name] = args[number], blame
            elif default:
                frame.variables[name] = self.value(default)
        return self.run_frame(frame)

    def eval(self, node: nodes.Call) -> Value:
        """Code in a text is read like a file: the official image's WORDPRESS_CONFIG_EXTRA."""
        code = self.value(node.args[0]) if node.args else None
        why = code if isinstance(code, Unknown) else self.unknown("a call of eval()", node)
        if not isinstance(code, str):
            self.state.cloud(why)
            return why
        try:
            body = parse("<?php " + code)
        except SyntaxProblem:
            self.state.cloud(why)
            return why
        frame = self.state.frame
        return self.run_frame(Frame(frame.file, body, frame.variables, frame.blame))

    def include(self, node: nodes.Include) -> Value:
        if is_bootstrap(node):
            raise Finished
        if is_class_loader(node):
            return self.unknown("Composer's loader of classes", node)
        path = self.value(node.path)
        text = as_text(path)
        if not text:
            why = path if isinstance(path, Unknown) else self.unknown("an odd include", node)
            self.state.unread_code(why)
            return why
        return self.load(Path(path_of(self.state.frame.file)).parent / path_of(text), node)

    def load(self, path: Path, node: nodes.Include) -> Value:
        try:
            real = path.resolve()
            missing = not real.exists()
        except (OSError, RuntimeError, ValueError):  # a ring of links, a NUL
            return self.unread(path, "is no path", node)
        if missing and not node.required:
            return False
        if node.once and real in self.loaded:
            return True
        return self.load_real(real, "is not there" if missing else self.forbidden(real), node)

    def forbidden(self, real: Path) -> str:
        if not any(real.is_relative_to(root) for root in self.roots):
            return "lies outside the site's folder and is not read"
        return "is one file too many" if len(self.loaded) >= MAX_FILES else ""

    def load_real(self, real: Path, problem: str, node: nodes.Include) -> Value:
        if problem:
            return self.unread(real, problem, node)
        self.loaded.append(real)
        source = load(real)
        try:
            body = parse(source)
        except SyntaxProblem as odd:
            return self.unread(real, f"has in line {odd.line} {odd.what}", node)
        frame = self.state.frame
        value = self.run_frame(Frame(inside(str(real)), body, frame.variables, frame.blame))
        return 1 if value is None else value

    def unread(self, path: Path, problem: str, node: nodes.Node) -> Unknown:
        why = self.unknown(f"{inside(str(path))}, which {problem}", node)
        self.state.unread_code(why)
        return why


_RUN: dict[type[nodes.Node], Callable[[Any, Any], None]] = {
    nodes.If: Interpreter.if_,
    nodes.Switch: Interpreter.switch,
    nodes.Repeated: Interpreter.repeated,
    nodes.Block: Interpreter.block,
    nodes.Return: Interpreter.return_,
    nodes.Break: Interpreter.break_,
    nodes.Const: Interpreter.const,
    nodes.Function: Interpreter.function,
    nodes.Skipped: Interpreter.skipped,
}
EVALUATE |= {nodes.Include: Interpreter.include, nodes.Stop: Interpreter.stop}
