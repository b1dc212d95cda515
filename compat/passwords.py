"""Hashes of WordPress's passwords, as they stand in `user_pass`.

Measured on WordPress 7.1, and of older sites: `$wp$2y$…` (since 6.8) is bcrypt of a pre-hash,
`$2y$…` plain bcrypt (a plugin's or a host's), `$P$…` phpass's portable hash (before 6.8). bcrypt
itself is the caller's: nothing but the standard library is used here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from enum import StrEnum

LONGEST = 4096
"""Bytes of a password: WordPress refuses longer ones."""

BCRYPT_READS = 72
"""Bytes of a password that bcrypt looks at; PHP drops the rest."""

COSTS = range(4, 16)
"""Of bcrypt that are computed: PHP gives 10, and 12 since 8.4; each more doubles the time, and the
31 that the format allows would take days."""

_USUAL_COST = 10

_PREFIX = "$wp"
_KEY = b"wp-sha384"
_BCRYPT = re.compile(r"(?:\$wp)?\$2[aby]\$(\d\d)\$")
_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PORTABLE = 34
"""Characters of a portable hash: $P$, one for the rounds, 8 of salt, 22 of hash."""

_ROUNDS = range(7, 17)
"""Logarithms of the rounds that are computed: WordPress wrote 8192 (13). More would let a hash
that somebody put there keep us busy."""


class Kind(StrEnum):
    WORDPRESS = "wordpress"
    BCRYPT = "bcrypt"
    PORTABLE = "portable"
    UNKNOWN = "unknown"


def kind_of(stored: str) -> Kind:
    """Which of them a stored hash is."""
    if _cost(stored) in COSTS:
        return Kind.WORDPRESS if stored.startswith(_PREFIX) else Kind.BCRYPT
    if stored.startswith(("$P$", "$H$")) and len(stored) == _PORTABLE:
        return Kind.PORTABLE
    return Kind.UNKNOWN


def nobodys(like: str) -> str:
    """A hash that no password has, of WordPress's own kind and as dear as another one of the same
    site: what is compared for an unknown name, so that time does not tell it."""
    cost = _cost(like)
    return f"{_PREFIX}$2y${cost if cost in COSTS else _USUAL_COST:02}${'.' * 53}"


def is_too_long(password: str) -> bool:
    return len(password.encode(errors="replace")) > LONGEST


def bcrypt_parts(password: str, stored: str) -> tuple[bytes, bytes]:
    """What bcrypt compares for the kinds WORDPRESS and BCRYPT: the secret and the hash."""
    if kind_of(stored) is Kind.WORDPRESS:
        digest = hmac.new(_KEY, _trimmed(password), hashlib.sha384).digest()
        return base64.b64encode(digest), stored[len(_PREFIX) :].encode(errors="replace")
    secret = password.encode(errors="replace")[:BCRYPT_READS]
    return secret, stored.encode(errors="replace")


def portable_matches(password: str, stored: str) -> bool:
    """Whether the password is that of a portable hash. False for one that is none, or that wants
    more rounds than WordPress ever wrote."""
    rounds = _ITOA64.find(stored[3:4])
    if kind_of(stored) is not Kind.PORTABLE or rounds not in _ROUNDS:
        return False
    secret = password.encode(errors="replace")
    digest = hashlib.md5(stored[4:12].encode(errors="replace") + secret).digest()  # noqa: S324
    for _ in range(1 << rounds):
        digest = hashlib.md5(digest + secret).digest()  # noqa: S324  the format's own
    return hmac.compare_digest((stored[:12] + _encoded(digest)).encode(), stored.encode())


def _cost(stored: str) -> int:
    """Of a hash by bcrypt; -1 for others."""
    match = _BCRYPT.match(stored)
    return int(match[1]) if match else -1


def _trimmed(password: str) -> bytes:
    """As PHP's trim() leaves it."""
    return password.encode(errors="replace").strip(b" \n\r\t\v\0")


def _encoded(digest: bytes) -> str:
    """Base 64 as phpass has it: six bits at a time, the lowest first."""
    out = []
    for start in range(0, len(digest), 3):
        group = digest[start : start + 3]
        value = int.from_bytes(group, "little")
        out += [_ITOA64[value >> (6 * n) & 63] for n in range(len(group) + 1)]
    return "".join(out)
