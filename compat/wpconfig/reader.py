"""From a wp-config.php to the site's database facts, without running its code."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from compat.wpconfig import bedrock
from compat.wpconfig.config import Constant, WpConfig
from compat.wpconfig.drop_ins import drop_in_warnings
from compat.wpconfig.errors import WAYS, WpConfigError, shown
from compat.wpconfig.files import load
from compat.wpconfig.interpreter import Interpreter
from compat.wpconfig.nodes import Body
from compat.wpconfig.parser import parse
from compat.wpconfig.state import ALSO_READ, NEEDED, PREFIX, Frame, State, TooMuch
from compat.wpconfig.tokens import SyntaxProblem
from compat.wpconfig.values import Place, Unknown, Value, as_text, inside, outside

_REQUEST = "the web request"


def read(path: Path, environ: Mapping[str, str], *, http_host: str | None = None) -> WpConfig:
    """The database facts of the site. PHP code is followed as far as it is simple, never run.

    `environ` stands for PHP's environment, which the web server's may differ from: a value that
    fell to its default gives a warning. With `http_host` the reading is that of a request to this
    host. Other files are read only below the folder of wp-config.php (or of the WordPress above
    it), secrets named by `file_get_contents` wherever they are.

    Raises WpConfigError, one line: for files that cannot be read or that everybody may write, and
    for what only PHP can tell.
    """
    try:
        body = parse(load(path))
        if project := bedrock.project_of(path, body):
            return bedrock.read(path, project, environ)
        state = _run(path, body, environ, http_host)
        return _result(path, state, http_host)
    except SyntaxProblem as problem:
        raise WpConfigError(_line(path, problem.line, f"{problem.what}. {WAYS}")) from None
    except TooMuch as much:
        raise WpConfigError(f"{shown(str(path))} asks for too many {much}. {WAYS}") from None
    except RecursionError:
        raise WpConfigError(f"{shown(str(path))} is nested too deeply. {WAYS}") from None


def _run(path: Path, body: Body, environ: Mapping[str, str], http_host: str | None) -> State:
    real, folder = path.resolve(), path.absolute().parent
    main = Frame(inside(str(real)), body)
    state = State({inside(k): inside(v) for k, v in environ.items()}, main, main)
    root = inside(str(_wordpress(folder))).rstrip("/") + "/"
    state.define("ABSPATH", root, Place(main.file, 0))
    roots = [real.parent, folder.resolve()]
    if (folder.parent / "wp-load.php").exists():
        roots.append(folder.parent.resolve())
    host = None if http_host is None else inside(http_host)
    Interpreter(state, host, tuple(roots), [real]).run_main()
    return state


def _wordpress(folder: Path) -> Path:
    """Where WordPress lies, which loads the configuration: here, or in the one folder below."""
    if (folder / "wp-load.php").exists():
        return folder
    below = [found.parent for found in folder.glob("*/wp-load.php")]
    return below[0] if len(below) == 1 else folder


def _result(path: Path, state: State, http_host: str | None) -> WpConfig:
    sqlite = state.constants.get("DB_ENGINE") == "sqlite"
    facts = _Facts(path, state)
    constants: dict[str, Constant] = {}
    for name in NEEDED:
        if not sqlite or name in state.constants or name in state.maybe:
            constants[name] = facts.needed(name, state.constants.get(name))
    constants |= facts.others()
    prefix = None
    if not sqlite or PREFIX in state.main.variables:
        prefix = facts.needed(PREFIX, state.main.variables.get(PREFIX))
    content = constants.get("WP_CONTENT_DIR")
    folder = path.absolute().parent
    warnings = [
        *facts.warnings(constants),
        *([f"read as for a request to {shown(http_host)}"] if http_host is not None else []),
        *drop_in_warnings(
            folder, Path(content) if isinstance(content, str) else _wordpress(folder) / "wp-content"
        ),
    ]
    return WpConfig(path, MappingProxyType(constants), prefix, tuple(warnings))


class _Facts:
    """What the state holds of the names that are read, in real text."""

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state = path, state

    def needed(self, name: str, value: Value) -> str:
        """The value as text. Raises WpConfigError when it cannot be told, or is none."""
        if why := self.unknown(name, value):
            raise self.error(name, why)
        if name not in self.state.places:
            raise WpConfigError(f"{shown(str(self.path))} does not define {_word(name)}. {WAYS}")
        place = self.state.places[name]
        text = None if value is None or value is False else as_text(value)
        if text is None:
            problem = f"{_word(name)} is no text{self.missing(name)}"
            raise WpConfigError(f"{_place(place)}: {problem}. {WAYS}")
        try:
            return outside(text)
        except UnicodeDecodeError:
            raise WpConfigError(f"{_place(place)}: {_word(name)} is not UTF-8. {WAYS}") from None

    def unknown(self, name: str, value: Value) -> Unknown | None:
        """Why this name cannot be told, if so."""
        state = self.state
        if isinstance(value, Unknown):
            return value
        return state.maybe.get(name) or (None if name in state.places else state.hidden)

    def error(self, name: str, unknown: Unknown) -> WpConfigError:
        place = self.state.places.get(name, unknown.place)
        why = _words(unknown.why)
        if place != unknown.place:
            same = place.file == unknown.place.file
            why += f" ({f'line {unknown.place.line}' if same else _place(unknown.place)})"
        if unknown.why.startswith(_REQUEST):
            why += ", which a worker does not have"
        return WpConfigError(f"{_place(place)}: {_word(name)} depends on {why}. {WAYS}")

    def missing(self, name: str) -> str:
        names = _missed(self.state, name)
        return f": no {', '.join(names)} in this environment" if names else ""

    def others(self) -> dict[str, Constant]:
        """The settings that are simple; `warnings` names the rest."""
        found: dict[str, Constant] = {}
        for name in ALSO_READ:
            value = self.state.constants.get(name)
            if name in self.state.constants and not isinstance(value, dict | Unknown):
                with suppress(UnicodeDecodeError):
                    found[name] = outside(value) if isinstance(value, str) else value
        return found

    def warnings(self, constants: Mapping[str, Constant]) -> Iterator[str]:
        missed = {name: _missed(self.state, name) for name in (*NEEDED, PREFIX)}
        fallen = [_word(name) for name in missed if missed[name]]
        if fallen:
            variables = dict.fromkeys(n for names in missed.values() for n in names)
            yield (
                f"no {_words(', '.join(variables))} here: {', '.join(fallen)} fell to the default"
                f" in {shown(str(self.path))}; the environment of PHP's web server may differ"
            )
        for why in self.state.unread:
            yield f"{_place(why.place)}: {_words(why.why)}; if it sets the database, give --dsn"
        known = self.state.constants.keys() | self.state.maybe.keys()
        if left_out := [name for name in ALSO_READ if name in known and name not in constants]:
            yield f"only PHP can tell {', '.join(left_out)}: left out"


def _missed(state: State, name: str) -> list[str]:
    """The environment variables whose absence shaped a value; of a pair X and X_FILE only X."""
    return sorted(n for n in state.blame.get(name, ()) if not n.endswith("_FILE"))


def _word(name: str) -> str:
    return "$table_prefix" if name == PREFIX else name


def _words(text: str) -> str:
    """Words of the reader with names of the file in them, fit for a message."""
    return shown(text.encode("latin-1").decode("utf-8", "replace"))


def _place(place: Place) -> str:
    return f"{_words(place.file)} line {place.line}"


def _line(path: Path, line: int, text: str) -> str:
    return f"{shown(str(path))} line {line}: {_words(text)}"
