"""What a WordPress site's configuration says, and that it cannot be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

WAYS = (
    "Give --dsn, or the environment variables WORDPRESS_DB_HOST, WORDPRESS_DB_USER,"
    " WORDPRESS_DB_PASSWORD, WORDPRESS_DB_NAME and WORDPRESS_TABLE_PREFIX"
)
Constant = str | int | bool | None

_TLS = 2048
_NO_CHECK = 64


class WpConfigError(ValueError):
    """The configuration cannot be read, or not without running PHP: one line with the file, the
    line, what was met and what to do."""


@dataclass(frozen=True, slots=True)
class WpConfig:
    """`constants` are those of interest that are defined and readable; DB_NAME, DB_USER,
    DB_PASSWORD and DB_HOST are always text, and always there unless DB_ENGINE is `sqlite`.
    `warnings` are lines for the operator. Secrets never show in repr."""

    path: Path
    constants: Mapping[str, Constant] = field(repr=False)
    table_prefix: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tls:
    """`wanted`: the connection is to be encrypted. `verify`: the server's certificate is checked.
    `ca` is the file with the authority to trust, empty for the system's; WordPress itself takes no
    encryption from it alone."""

    wanted: bool
    verify: bool
    ca: str


def tls_of(constants: Mapping[str, object]) -> Tls:
    """From MYSQL_CLIENT_FLAGS (bits of PHP's mysqli: MYSQLI_CLIENT_SSL is 2048,
    MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT 64; compression, 32, is ignored) and MYSQL_SSL_CA, a
    common convention of hosts."""
    flags, ca = constants.get("MYSQL_CLIENT_FLAGS"), constants.get("MYSQL_SSL_CA")
    bits = flags if isinstance(flags, int) else 0
    file = ca if isinstance(ca, str) else ""
    return Tls(bool(bits & _TLS), not bits & _NO_CHECK, file)


def shown(text: str) -> str:
    """Text of a file on one line, without characters that would drive a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
