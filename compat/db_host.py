"""DB_HOST as WordPress reads it (wpdb::parse_db_host)."""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"[0-9A-Fa-f:]*")
_DIGITS = re.compile(r"0*([0-9]{1,5})(?![0-9])")


@dataclass(frozen=True, slots=True)
class DbHost:
    """An empty `host` means PHP's default, the local server, and so does None for the others."""

    host: str
    port: int | None
    socket: str | None
    is_ipv6: bool


def parse_db_host(text: str) -> DbHost:
    """Host, port and socket. WordPress ignores what follows a part it understands: `db:abc` has no
    port, and a bare path is no socket but the default host."""
    address, colon, path = text.partition(":/")
    socket = "/" + path if colon else None
    is_ipv6 = address.count(":") > 1
    if is_ipv6:
        host, rest = _split_ipv6(address)
    else:
        host, _, rest = address.partition("/")[0].partition(":")
    digits = _DIGITS.match(rest)
    port = int(digits[1]) if digits else 0
    return DbHost("" if host == "0" else host, port or None, socket, is_ipv6)


def _split_ipv6(text: str) -> tuple[str, str]:
    """An address in brackets or without, and what follows `]:`."""
    found = _ADDRESS.match(text, pos=text.startswith("["))
    if not found or not found[0]:
        return text, ""  # WordPress hands it to the driver as it is
    rest = text[found.end() :]
    return found[0], rest[2:] if rest.startswith("]:") else ""
