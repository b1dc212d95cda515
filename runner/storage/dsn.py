"""Where the database is: `mysql://user@host:port/database` or `sqlite:///path/to/file`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from runner.core.errors import ConfigError

_SCHEMES = {"mysql", "mariadb", "mysql+pymysql"}
_OPTIONS = {"prefix", "socket", "ssl_ca", "tls"}
TLS = ("auto", "required", "verify", "off")


@dataclass(frozen=True, slots=True)
class Dsn:
    """Connection facts. `password` never shows in repr or messages. A `port` of 0 is the default:
    then `localhost` means the server's socket. `tls` is one of TLS: `auto` takes what the server
    offers, `required` refuses without, `verify` also checks the certificate; with `ssl_ca`, a file
    of certificates, it is always checked."""

    dialect: str
    database: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    socket: str = ""
    ssl_ca: str = ""
    tls: str = "auto"
    prefix: str | None = None
    password_given: bool = False

    def place(self) -> str:
        """The database's name; of a SQLite file its real path, however it was written."""
        return str(Path(self.database).resolve()) if self.dialect == "sqlite" else self.database

    def where(self) -> str:
        """The place in words, without secrets."""
        if self.dialect == "sqlite":
            return f"SQLite file {self.database}"
        at = self.socket or f"{self.host}:{self.port or 3306}"
        return f"database {self.database!r} at {at} as {self.user!r}"

    def masked(self) -> str:
        """The DSN without its password."""
        if self.dialect == "sqlite":
            return f"sqlite://{quote(self.database)}"
        secret = ":***" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"mysql://{quote(self.user)}{secret}@{host}{port}/{quote(self.database)}"


def parse(text: str) -> Dsn:
    """Reads a DSN. Raises ConfigError, never showing the password."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port or 0
    except ValueError:
        raise ConfigError(
            "the DSN is not a URL: expected mysql://user@host:3306/database"
        ) from None
    if parts.scheme == "sqlite":
        if unknown := set(dict(parse_qsl(parts.query))) - {"prefix"}:
            raise ConfigError(f"the DSN has an unknown option {min(unknown)!r}")
        return _sqlite(parts.netloc + parts.path, dict(parse_qsl(parts.query)))
    if parts.scheme not in _SCHEMES:
        raise ConfigError(
            f"the DSN starts with {parts.scheme or 'no scheme'!r}: expected"
            " mysql://user@host:3306/database or sqlite:///path/to/file"
        )
    options = _checked(dict(parse_qsl(parts.query)))
    if "@" in parts.path + parts.query:
        raise ConfigError("the DSN is not a URL: in a password write / ? # @ as %2F %3F %23 %40")
    database = unquote(parts.path.lstrip("/"))
    if not database or "/" in database:
        raise ConfigError("the DSN names no database: expected mysql://user@host:3306/database")
    return Dsn(
        dialect="mysql",
        database=database,
        host=unquote(parts.hostname or "127.0.0.1"),
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        password_given=parts.password is not None,
        socket=options.get("socket", ""),
        ssl_ca=options.get("ssl_ca", ""),
        tls=options.get("tls", "auto"),
        prefix=options.get("prefix"),
    )


def _checked(options: dict[str, str]) -> dict[str, str]:
    if unknown := set(options) - _OPTIONS:
        raise ConfigError(f"the DSN has an unknown option {min(unknown)!r}")
    if options.get("tls", "auto") not in TLS:
        raise ConfigError(f"the DSN's option tls is one of {', '.join(TLS)}")
    return options


def _sqlite(path: str, options: dict[str, str]) -> Dsn:
    path = unquote(path)
    path = path[1:] if path.startswith(("/./", "/../")) else path
    if not path.strip("/"):
        raise ConfigError("the DSN names no file: expected sqlite:///path/to/file")
    return Dsn(dialect="sqlite", database=path, prefix=options.get("prefix"))
