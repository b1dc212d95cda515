"""Bedrock: a site whose wp-config.php only loads config/application.php, which takes the database
from the environment and `.env` (roots/bedrock, config/application.php)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.php import INT_MAX
from compat.wpconfig.config import WAYS, Constant, WpConfig, WpConfigError, shown
from compat.wpconfig.files import load
from compat.wpconfig.functions import PURE
from compat.wpconfig.tokens import Token
from compat.wpconfig.values import inside, outside

_APPLICATION = "config/application.php"
_MYSQLI_CLIENT_SSL = 2048
_CONVERTED = {"true": "1", "false": "", "null": ""}
_OVERRIDE = re.compile(r"['\"]DB_(?:NAME|USER|PASSWORD|HOST)['\"]|\$table_prefix")
_DATABASE = ("DB_NAME", "DB_USER", "DB_PASSWORD")
# The usual lines of a `.env` file, of which phpdotenv 5 reads more.
_LINE = re.compile(
    r"(?:export[ \t]+)?(?P<name>[A-Za-z0-9_.]+)[ \t]*=[ \t]*(?:'(?P<single>[^'\\]*)'"
    r"|\"(?P<double>(?:[^\"\\]|\\[\"\\$])*+)\"|(?P<plain>[^\s#\"'][^\s#\"]*+|))(?:[ \t]+#.*|[ \t]*)"
)
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_SPECIAL = re.compile(rf"\\([\"\\$])|{_REFERENCE.pattern}")


def project_of(path: Path, tokens: Sequence[Token]) -> Path | None:
    """The project's folder, if this is the wp-config.php of a Bedrock site."""
    loads = any(token.kind == "string" and token.text.endswith(_APPLICATION) for token in tokens)
    project = path.resolve().parent.parent
    return project if loads and (project / _APPLICATION).exists() else None


def read(path: Path, project: Path, environ: Mapping[str, str]) -> WpConfig:
    """The facts from the environment and the project's `.env` and `.env.local`: a variable of the
    environment wins over both, `.env.local` over `.env`. Raises WpConfigError."""
    first, second = project / ".env", project / ".env.local"
    variables = dict(environ)
    for file in (first, second) if first.exists() else ():  # the second only beside the first
        if file.exists():
            _parse(file, variables, environ)
    facts = {name: _converted(value) for name, value in variables.items()}
    constants: dict[str, Constant] = {name: facts[name] for name in _DATABASE if name in facts}
    constants["DB_HOST"] = facts.get("DB_HOST") or "localhost"
    if url := facts.get("DATABASE_URL"):
        constants |= _from_url(url, first)
    for name in _DATABASE:
        if name not in constants:
            raise WpConfigError(f"{shown(str(first))}: no {name} and no DATABASE_URL. {WAYS}")
    constants |= {"DB_CHARSET": "utf8mb4", "WP_CONTENT_DIR": str(project / "web" / "app")}
    if facts.get("DB_SSL", "") not in {"", "0"}:
        constants["MYSQL_CLIENT_FLAGS"] = _MYSQLI_CLIENT_SSL
    return WpConfig(path, constants, facts.get("DB_PREFIX") or "wp_", _warnings(project, facts))


def _parse(file: Path, known: dict[str, str], environ: Mapping[str, str]) -> None:
    """Add the variables of one file that the environment lacks. Raises WpConfigError."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", load(file)), 1):
        try:
            text = outside(line.strip())
        except UnicodeDecodeError:
            raise WpConfigError(
                f"{shown(str(file))} is not UTF-8: save it as such. {WAYS}"
            ) from None
        match = _LINE.fullmatch(text)
        if match and match["name"] not in environ:
            known[match["name"]] = _value(match, known)
        elif not match and text and not text.startswith("#"):
            problem = "this is no simple NAME=value; a value with blanks needs quotes"
            raise WpConfigError(f"{shown(str(file))} line {number}: {problem}. {WAYS}")


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    single, double, plain = match["single"], match["double"], match["plain"]
    if double is not None:
        return _SPECIAL.sub(lambda m: m[1] or known.get(m[2], m[0]), double)
    return _REFERENCE.sub(lambda m: known.get(m[1], m[0]), plain) if single is None else single


def _converted(value: str) -> str:
    """What Bedrock's env() makes of a value, as text: words for true, false and null are these,
    digits are a number (which loses its leading zeros), and quotes inside quotes go."""
    if value.lower() in _CONVERTED:
        return _CONVERTED[value.lower()]
    if re.fullmatch(r"[0-9]+", value, re.ASCII):
        return str(min(int(value.lstrip("0")[:20] or "0"), INT_MAX))
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _from_url(url: str, env: Path) -> dict[str, Constant]:
    """Bedrock takes the parts as they stand, without decoding %40."""
    try:
        parts = PURE["parse_url"](inside(url))
    except ValueError:
        parts = None
    if not isinstance(parts, dict) or not parts.get("path") or "user" not in parts:
        form = "mysql://user:password@host:port/database"
        raise WpConfigError(f"{shown(str(env))}: DATABASE_URL is not {form}. {WAYS}")
    text = {str(name): outside(str(value)) for name, value in parts.items()}
    return {
        "DB_NAME": text["path"][1:],
        "DB_USER": text["user"],
        "DB_PASSWORD": text.get("pass", ""),
        "DB_HOST": text["host"] + (f":{text['port']}" if "port" in text else ""),
    }


def _warnings(project: Path, facts: Mapping[str, str]) -> tuple[str, ...]:
    """Bedrock's files for one environment may change anything; they are not read as code."""
    file = project / "config" / "environments" / f"{facts.get('WP_ENV') or 'production'}.php"
    if not file.is_file() or not _OVERRIDE.search(load(file)):
        return ()
    warning = f"{shown(str(file))} mentions the database, and it is not read"
    return (f"{warning}: if the facts found are wrong, give --dsn",)
