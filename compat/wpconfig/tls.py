"""The encryption that a site's configuration asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

_TLS = 2048
_NO_CHECK = 64


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
