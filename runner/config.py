"""Where the database is and how to run: flags over environment over defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from compat.db_host import parse_db_host
from runner.core.errors import ConfigError, UsageError
from runner.storage.dsn import Dsn, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("auto", "native")

_WAYS = (
    "no database is configured. Give --dsn mysql://user@host/database (password in"
    " RUNNER_DB_PASSWORD or RUNNER_DB_PASSWORD_FILE), or RUNNER_DSN, or WORDPRESS_DB_HOST,"
    " WORDPRESS_DB_USER, WORDPRESS_DB_PASSWORD and WORDPRESS_DB_NAME"
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the tables are."""

    dsn: Dsn
    prefix: str


def connection(dsn: str | None, prefix: str | None, environ: Mapping[str, str]) -> Connection:
    """Finds the database. Raises ConfigError or UsageError with what to do."""
    found = _dsn(dsn, environ)
    return Connection(
        found,
        prefix
        or found.prefix
        or environ.get("RUNNER_TABLE_PREFIX")
        or _secret("WORDPRESS_TABLE_PREFIX", environ)
        or "wp_",
    )


def mode(flag: str | None, environ: Mapping[str, str]) -> str:
    value = flag or environ.get("RUNNER_MODE") or "auto"
    if value not in MODES:
        raise ConfigError(f"RUNNER_MODE is {value!r}: expected one of {', '.join(MODES)}")
    return value


def handler_names(flags: tuple[str, ...], environ: Mapping[str, str]) -> list[str]:
    """Names of handler registries; empty when none is given."""
    given = flags or (environ.get("RUNNER_HANDLERS", ""),)
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def seconds(name: str, default: int, environ: Mapping[str, str]) -> int:
    """A whole number of seconds from the environment."""
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{name} is {text!r}: expected a number of seconds, 1 or more")
    return int(text)


def _dsn(flag: str | None, environ: Mapping[str, str]) -> Dsn:
    if flag:
        found = parse(flag)
        if found.password_given:
            raise UsageError(
                "--dsn must not hold a password: everybody can read a command line. Put it into"
                " RUNNER_DB_PASSWORD or a file named by RUNNER_DB_PASSWORD_FILE, or use RUNNER_DSN"
            )
        return _with_password(found, environ)
    if text := _secret("RUNNER_DSN", environ):
        found = parse(text)
        return found if found.password_given else _with_password(found, environ)
    if any(name.startswith("WORDPRESS_DB_") for name in environ):
        return _official_image(environ)
    raise ConfigError(_WAYS)


def _with_password(dsn: Dsn, environ: Mapping[str, str]) -> Dsn:
    return replace(dsn, password=_secret("RUNNER_DB_PASSWORD", environ) or "")


def _official_image(environ: Mapping[str, str]) -> Dsn:
    """The variables of the official WordPress image, each also as a file."""
    values = {
        name: _secret(f"WORDPRESS_DB_{name}", environ)
        for name in ("HOST", "USER", "PASSWORD", "NAME")
    }
    missing = [f"WORDPRESS_DB_{n}" for n in ("HOST", "USER", "NAME") if not values[n]]
    if missing:
        raise ConfigError(f"not set: {', '.join(missing)} (or the same with _FILE)")
    place = parse_db_host(values["HOST"] or "")
    return Dsn(
        dialect="mysql",
        database=values["NAME"] or "",
        host=place.host or "localhost",
        port=place.port or 0,
        socket=place.socket or "",
        user=values["USER"] or "",
        password=values["PASSWORD"] or "",
        password_given=True,
    )


def _secret(name: str, environ: Mapping[str, str]) -> str | None:
    """The variable, or the content of the file that its `_FILE` form names."""
    if path := environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE names {path}, which cannot be read: {error}") from error
    return environ.get(name)
