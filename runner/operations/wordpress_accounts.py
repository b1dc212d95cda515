"""Signing in with an account of WordPress: its password's hash and its capabilities are read, and
nothing else of WordPress is asked: plugins that add a second factor are not consulted, and accounts
that wp-config.php puts into a table of another name (CUSTOM_USER_TABLE) are not found."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from compat.capabilities import capabilities, super_admins
from compat.passwords import Kind, bcrypt_parts, is_too_long, kind_of, nobodys, portable_matches
from runner.core.errors import DatabaseError, DatabaseGone
from runner.operations.accounts import folded
from runner.site import PEOPLE_TABLES, identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database, Row

logger = logging.getLogger("runner.web")

_BLOG = re.compile(r"^(.*?_)\d+_$")
"""The prefix of all but the first site in a network of sites."""


class WordPressAccounts:
    """Those of one site who have a capability."""

    def __init__(self, database: Database, site: Site, capability: str) -> None:
        self._database = database
        self._prefix = site.tables.prefix
        self._capability = capability
        match = _BLOG.match(self._prefix)
        self._bases = [self._prefix, *([match[1]] if match else [])]
        self._names = identifiers(site, database.dialect)

    def sign_in(self, login: str, password: str) -> str | None:
        """The account's login, if the password is right and it has the capability. Takes as long
        for an unknown login."""
        if is_too_long(password):
            return None
        base, row = self._account(login)
        dummy = nobodys(self._first(base))
        right = password_matches(password, str(row["user_pass"]) if row else dummy)
        if row is None or not right or not self._may(base, row):
            return None
        return str(row["user_login"])

    def _account(self, login: str) -> tuple[str, Row | None]:
        """Where the accounts are, and the one that is meant. In a network of sites they are under
        the network's prefix.

        The server takes `ádmin` for `admin`, which is as many names to guess by as one likes: here
        a name is as it was written, but for capitals."""
        for number, base in enumerate(self._bases):
            by = "wordpress_by_email" if "@" in login else "wordpress_by_login"
            try:
                rows = self._database.query(self._queries(base)[by], login=login)
                if not rows and "@" in login:  # a login may have one too
                    rows = self._database.query(
                        self._queries(base)["wordpress_by_login"], login=login
                    )
            except DatabaseGone:
                raise
            except DatabaseError:
                if number + 1 == len(self._bases):
                    raise
                continue
            exact = [row for row in rows if folded(str(row["written"])) == folded(login)]
            return base, exact[0] if len(exact) == 1 else None
        raise AssertionError("there is a last one")  # pragma: no cover

    def _first(self, base: str) -> str:
        """The hash of the first account: what others cost here. Asked for known logins too."""
        rows = self._database.query(self._queries(base)["wordpress_first"])
        return str(rows[0]["user_pass"]) if rows else ""

    def _may(self, base: str, row: Row) -> bool:
        queries, id_ = self._queries(base), row["id"]
        key = f"{self._prefix}capabilities"
        meta = self._database.query(queries["wordpress_meta"], id=id_, key=key)
        roles = self._database.query(queries["wordpress_roles"], name=f"{self._prefix}user_roles")
        found = capabilities(
            str(meta[0]["meta_value"] or "") if meta else "",
            str(roles[0]["option_value"] or "") if roles else "",
        )
        return self._capability in found or self._is_super(base, str(row["user_login"]))

    def _is_super(self, base: str, login: str) -> bool:
        """Whether it has all rights in a network of sites. One site alone has no such table."""
        try:
            rows = self._database.query(self._queries(base)["wordpress_admins"])
        except DatabaseGone:
            raise
        except DatabaseError:
            return False
        return bool(rows) and login in super_admins(str(rows[0]["meta_value"] or ""))

    def _queries(self, base: str) -> Queries:
        tables = {key: f"`{base}{table}`" for key, table in PEOPLE_TABLES.items()}
        return Queries("accounts.sql", self._database.dialect, self._names | tables)


def password_matches(password: str, stored: str) -> bool:
    """Whether it is the password of a hash in `user_pass`. One of a kind that is not known here is
    told in the log: its owner cannot sign in."""
    kind = kind_of(stored)
    if kind is Kind.PORTABLE:
        return portable_matches(password, stored)
    if kind is Kind.UNKNOWN:
        logger.warning(
            "a WordPress account's password is hashed in a way or at a cost that is not known here"
        )
        return False
    import bcrypt  # noqa: PLC0415  for sign-ins alone

    secret, hash_ = bcrypt_parts(password, stored)
    try:
        return bcrypt.checkpw(secret, hash_)
    except ValueError:
        return False


__all__ = ["WordPressAccounts", "password_matches"]
