"""Who may open the page: accounts of its own, and who is signed in.

Of passwords a slow hash is kept, of tokens and cookies (256 random bits) their SHA-256. Sessions
live in the database, so that one can be ended from anywhere; their cookie is all the secret there
is, and the forms' token is made from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from compat.site_time import epoch_of
from runner.config import ROLES
from runner.core.errors import RunnerError, SiteError, UsageError
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database, Transaction

TOKEN = "war_"  # noqa: S105  what a token begins with
LONGEST_NAME = 60
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 4096

IDLE, ABSOLUTE = 1800, 43_200
"""Seconds after which a session ends: without use, and in any case."""

_SEEN_EACH = 60
"""Seconds between two notes that a session is in use."""

WINDOW = 900
"""Seconds that a refused sign-in counts."""

TRIES, TRIES_OF_NAME, TRIES_OF_ADDRESS = 5, 50, 20
"""Refused sign-ins within that time: of a name from one address, of a name, of an address. That of
a name is higher, so that a stranger cannot lock somebody out soon."""

_COST = {"n": 2**14, "r": 8, "p": 1}
"""Of scrypt: 16 MB and some 40 to 100 ms. Each hash says its own, so that it can be raised."""

_DEAREST = {"n": 2**17, "r": 8, "p": 4}
"""What is computed at most."""

_STORED = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/=]+)\$([\w+/=]+)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Account:
    """`created_at` is a text in UTC."""

    name: str
    role: str
    has_password: bool = False
    has_token: bool = False
    created_at: str = ""
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in: `way` is own or wordpress, `csrf` what a form must send."""

    name: str
    way: str
    role: str
    created_at: str
    csrf: str


class Accounts:
    """The page's own accounts on one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._queries = _queries(database, site)

    def list(self) -> list[Account]:
        return [
            Account(
                row["name"],
                row["role"],
                bool(row["has_password"]),
                bool(row["has_token"]),
                str(row["created_at"]),
                row["created_by"],
            )
            for row in self._database.query(self._queries["known"])
        ]

    def add(
        self, name: str, role: str, *, password: str | None, token: bool, actor: str
    ) -> str | None:
        """Makes an account; returns its token, the only time that it is known. Raises UsageError
        for a name or a password that will not do, RunnerError for one that is there."""
        check_name(name)
        stored = None if password is None else hashed(password)
        made = new_token() if token else None

        def unit(tx: Transaction) -> None:
            if tx.query(self._queries["of_name"], name=name) and not tx.uncertain:
                raise RunnerError(f"there is an account {name} already")
            tx.execute(self._queries["remove"], name=name)  # of a COMMIT without an answer
            tx.execute(
                self._queries["add"],
                name=name,
                role=role,
                password=stored,
                token=made and _digest(made),
                actor=actor[:191],
            )

        self._database.unit(unit)
        return made

    def remove(self, name: str) -> None:
        """Raises RunnerError where there is none."""
        self._change("remove", name)

    def set_role(self, name: str, role: str) -> None:
        """Counts at once, for who is signed in too."""
        self._change("set_role", name, role=role, keep=True)

    def set_password(self, name: str, password: str) -> None:
        """Whoever is signed in by the old one must sign in again."""
        self._change("set_password", name, password=hashed(password))

    def renew_token(self, name: str) -> str:
        """The old one ends, with the sessions that it may have begun."""
        made = new_token()
        self._change("set_token", name, token=_digest(made))
        return made

    def by_password(self, name: str, password: str) -> Account | None:
        """The account, if that is its password. Takes as long for a name that there is none of."""
        rows = self._database.query(self._queries["of_name"], name=name)
        stored = rows[0]["password"] if rows else None
        right = matches(password, stored or _nobodys())
        return Account(rows[0]["name"], rows[0]["role"]) if stored and right else None

    def by_token(self, token: str) -> Account | None:
        rows = self._database.query(self._queries["of_token"], token=_digest(token))
        return Account(rows[0]["name"], rows[0]["role"]) if rows else None

    def _change(self, statement: str, name: str, *, keep: bool = False, **values: object) -> None:
        """One account; its sessions end with it, unless `keep`."""

        def unit(tx: Transaction) -> None:
            if not tx.execute(self._queries[statement], name=name, **values) and not tx.uncertain:
                raise RunnerError(f"there is no account {name} (see `runner web user list`)")
            if not keep:
                tx.execute(self._queries["end_sessions"], name=name)

        self._database.unit(unit)


class Sessions:
    """Who is signed in on one site's page."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._queries = _queries(database, site)

    def start(self, name: str, way: str, role: str, address: str) -> str:
        """Returns the cookie. Sessions that are over are forgotten."""
        cookie = secrets.token_urlsafe(32)

        def unit(tx: Transaction) -> None:
            tx.execute(self._queries["forget_sessions"], idle=IDLE, absolute=ABSOLUTE)
            tx.execute(self._queries["end_session"], id=_digest(cookie))
            facts = {"name": name[:191], "way": way, "role": role, "address": address[:45]}
            tx.execute(self._queries["begin_session"], id=_digest(cookie), **facts)

        self._database.unit(unit)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Whose it is; None when it is over, was ended, or its account is gone."""
        rows = self._database.query(self._queries["session"], id=_digest(cookie))
        if not rows or rows[0]["role"] not in ROLES:
            return None
        row = rows[0]
        now, idle = int(row["now"]), int(row["now"]) - (epoch_of(str(row["seen_at"])) or 0)
        if idle > IDLE or now - (epoch_of(str(row["created_at"])) or 0) > ABSOLUTE:
            return None
        if idle > _SEEN_EACH:
            self._database.write(self._queries["session_seen"], id=_digest(cookie))
        return Session(row["name"], row["way"], row["role"], str(row["created_at"]), _csrf(cookie))

    def end(self, cookie: str) -> None:
        self._database.write(self._queries["end_session"], id=_digest(cookie))


class Throttle:
    """Slows down who guesses passwords, across all processes."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._queries = _queries(database, site)

    def begin(self, name: str, address: str) -> int:
        """Before a password is looked at: 0, or the seconds to wait. The try is written down
        first, so that many at once are not let in together."""

        def unit(tx: Transaction) -> int:
            facts = _whose(name, address)
            tx.execute(self._queries["forget_old_tries"], seconds=WINDOW)
            row = tx.query(self._queries["tries"], seconds=WINDOW, **facts)[0]
            counts = [int(row[key] or 0) for key in ("both_match", "of_name", "of_address")]
            limits = (TRIES, TRIES_OF_NAME, TRIES_OF_ADDRESS)
            if any(count >= limit for count, limit in zip(counts, limits, strict=True)):
                first = epoch_of(str(row["first_at"])) or int(row["now"])
                return max(first + WINDOW - int(row["now"]), 1)
            tx.execute(self._queries["try"], **facts)
            return 0

        return self._database.unit(unit)

    def end(self, name: str, address: str) -> None:
        """It was the right password."""
        facts = _whose(name, address)
        self._database.unit(lambda tx: tx.execute(self._queries["forget_tries"], **facts))


def _whose(name: str, address: str) -> dict[str, str]:
    return {"name": folded(name)[:191], "address": address[:45]}


def folded(name: str) -> str:
    """The same for names that are one to who signs in: capitals and blanks around do not count."""
    return name.strip().casefold()


def check_name(name: str) -> None:
    """Raises UsageError."""
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME:
        raise UsageError(f"a name has 1 to {LONGEST_NAME} characters, and no blank at its ends")
    if not name.isprintable():
        raise UsageError("a name is made of characters that can be seen")


def hashed(password: str) -> str:
    """Raises UsageError for a password that is too short or too long."""
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"a password has {SHORTEST_PASSWORD} characters or more")
    if len(password) > LONGEST_PASSWORD:
        raise UsageError(f"a password has {LONGEST_PASSWORD} characters at most")
    salt = secrets.token_bytes(16)
    facts = f"ln={_COST['n'].bit_length() - 1},r={_COST['r']},p={_COST['p']}"
    return f"$scrypt${facts}${_b64(salt)}${_b64(_scrypt(password, salt, _COST))}"


def matches(password: str, stored: str) -> bool:
    """Whether it is the password of a stored hash. False for a text that is none."""
    match = _STORED.fullmatch(stored)
    if match is None or len(password) > LONGEST_PASSWORD:
        return False
    cost = {"n": 1 << int(match[1]), "r": int(match[2]), "p": int(match[3])}
    if any(cost[key] > most for key, most in _DEAREST.items()):
        return False
    try:
        salt, wanted = base64.b64decode(match[4]), base64.b64decode(match[5])
        return hmac.compare_digest(_scrypt(password, salt, cost), wanted)
    except ValueError:
        return False


def new_token() -> str:
    return TOKEN + secrets.token_urlsafe(32)


@cache
def _nobodys() -> str:
    """A hash of a password that nobody knows: what is compared for unknown names."""
    return hashed(secrets.token_urlsafe(32))


def _scrypt(password: str, salt: bytes, cost: dict[str, int]) -> bytes:
    secret = password.encode(errors="surrogatepass")
    return hashlib.scrypt(secret, salt=salt, dklen=32, maxmem=256 * 1024 * 1024, **cost)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _csrf(cookie: str) -> str:
    return hmac.new(cookie.encode(), b"form", hashlib.sha256).hexdigest()


def _queries(database: Database, site: Site) -> Queries:
    if not site.migrated:
        raise SiteError("accounts need the runner's own tables: run `runner migrate`")
    return Queries("accounts.sql", database.dialect, identifiers(site, database.dialect))
