"""From a wp-config.php to the site's database facts, without running its code."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from compat.wpconfig import bedrock
from compat.wpconfig.config import WAYS, Constant, WpConfig, WpConfigError, shown
from compat.wpconfig.files import database_layer, load, wordpress_of
from compat.wpconfig.state import PREFIX, Code, Finished, State, TooMuch
from compat.wpconfig.statements import parse
from compat.wpconfig.tokens import SyntaxProblem
from compat.wpconfig.values import Place, Unknown, Unsure, Value, as_text, inside, outside

_PREFIX = f"${PREFIX}"
_NEEDED = ("DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST", _PREFIX)
_ALSO_READ = (
    "DB_ENGINE", "DB_DIR", "DB_FILE", "DB_CHARSET", "MYSQL_CLIENT_FLAGS", "MYSQL_SSL_CA",
    "MULTISITE", "CUSTOM_USER_TABLE", "WP_CONTENT_DIR", "WPMU_PLUGIN_DIR",
)  # fmt: skip
_REQUEST = "the web request"


def read(path: Path, environ: Mapping[str, str]) -> WpConfig:
    """The database facts of the site. PHP code is followed as far as it is simple, never run.

    `environ` stands for PHP's environment, which the web server's may differ from: a value that
    fell to its default gives a warning. Other files are read only below the folder of
    wp-config.php (or of the WordPress above it), secrets named by `file_get_contents` wherever
    they are.

    Raises WpConfigError, one line: for files that cannot be read or that everybody may write, and
    for what only PHP can tell.
    """
    name = shown(str(path))
    try:
        real, source = path.resolve(), load(path)
        code = parse(inside(str(real)), source)
        if project := bedrock.project_of(path, code.tokens):
            return bedrock.read(path, project, environ)
        return _Facts(path, _run(path, code, environ)).config()
    except SyntaxProblem as problem:
        text = f"{name} line {problem.line}: {_words(problem.what)}. {WAYS}"
        raise WpConfigError(text) from None
    except TooMuch as much:
        raise WpConfigError(f"{name} asks for too many {much}. {WAYS}") from None
    except RecursionError:
        raise WpConfigError(f"{name} is nested too deeply. {WAYS}") from None


def _run(path: Path, code: Code, environ: Mapping[str, str]) -> State:
    real, folder = path.resolve(), path.absolute().parent
    roots = [real.parent, folder.resolve()]
    if (folder.parent / "wp-load.php").exists():
        roots.append(folder.parent.resolve())
    variables: dict[str, Value | Unknown] = {inside(k): inside(v) for k, v in environ.items()}
    state = State(variables, roots, Place(inside(str(real)), 0), [real])
    state.constants["ABSPATH"] = inside(str(wordpress_of(folder))).rstrip("/") + "/"
    with suppress(Finished, Unsure):
        state.execute(code)
    return state


class _Facts:
    """What the state holds of the names that are read, in real text."""

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state = path, state
        prefix = state.main.variables.get(PREFIX, state.main.fog)
        self.values = {**state.constants, _PREFIX: prefix}

    def config(self) -> WpConfig:
        sqlite = self.values.get("DB_ENGINE") == "sqlite"
        optional = {name for name in _NEEDED if sqlite and self.values.get(name) is None}
        needed = {name: self.needed(name) for name in _NEEDED if name not in optional}
        prefix = needed.pop(_PREFIX, None)
        constants: dict[str, Constant] = {**needed, **dict(self.others())}
        folder, content = self.path.absolute().parent, constants.get("WP_CONTENT_DIR")
        drop_in = Path(str(content or wordpress_of(folder) / "wp-content")) / "db.php"
        warnings = [*self.warnings(constants), *database_layer(folder / "db-config.php", drop_in)]
        return WpConfig(self.path, MappingProxyType(constants), prefix, tuple(warnings))

    def needed(self, name: str) -> str:
        """The value as text. Raises WpConfigError when it cannot be told, or is none."""
        value, place = self.values.get(name, self.state.fog), self.state.places.get(name)
        if isinstance(value, Unknown):
            why = _words(value.why) + ", which a worker does not have" * (_REQUEST in value.why)
            raise WpConfigError(f"{_at(value.place)}: {name} depends on {why}. {WAYS}")
        if place is None:
            raise WpConfigError(f"{shown(str(self.path))} does not define {name}. {WAYS}")
        try:
            if value is not None and value is not False:
                return outside(as_text(value))
        except UnicodeDecodeError:
            raise WpConfigError(f"{_at(place)}: {name} is not UTF-8. {WAYS}") from None
        except Unsure:
            pass
        names = ", ".join(self.missed(name))
        missing = f": no {names} in this environment" if names else ""
        raise WpConfigError(f"{_at(place)}: {name} is no text{missing}. {WAYS}")

    def others(self) -> Iterator[tuple[str, Constant]]:
        """The settings that are simple; `warnings` names the rest."""
        for name in _ALSO_READ:
            value = self.values.get(name, {})
            if not isinstance(value, dict | Unknown):
                with suppress(UnicodeDecodeError):
                    yield name, outside(value) if isinstance(value, str) else value

    def warnings(self, constants: Mapping[str, Constant]) -> Iterator[str]:
        fallen = {name: missed for name in _NEEDED if (missed := self.missed(name))}
        if fallen:
            variables = dict.fromkeys(name for missed in fallen.values() for name in missed)
            yield (
                f"no {_words(', '.join(variables))} here: {', '.join(fallen)} fell to the default"
                f" in {shown(str(self.path))}; the environment of PHP's web server may differ"
            )
        left_out = [n for n in _ALSO_READ if n in self.values and n not in constants]
        if left_out:
            yield f"only PHP can tell {', '.join(left_out)}: left out"

    def missed(self, name: str) -> list[str]:
        """The environment variables whose absence shaped a value; of a pair X and X_FILE only X."""
        found = self.state.blame.get(name, frozenset())
        return sorted(missed for missed in found if not missed.endswith("_FILE"))


def _words(text: str) -> str:
    """Words of the reader with names of the file in them, fit for a message."""
    return shown(text.encode("latin-1").decode("utf-8", "replace"))


def _at(place: Place) -> str:
    return f"{_words(place.file)} line {place.line}"
