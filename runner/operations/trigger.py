"""A database trigger that parks, for those who ask for it: without the gap between PHP's INSERT and
the plugin's UPDATE.

MySQL checks the account that made a trigger on each insert: were that account dropped, the site
could create no actions any more. So it is made by the site's own account, without which there is no
site.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from runner.core.errors import DatabaseError, Denied, TooBusy
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runner.site import Tables
    from runner.storage.db import Database

_REFUSED = (
    "nothing was changed: the database does not let this account make a trigger ({error})."
    " --no-trigger does without, the plugin parks as well; or have an administrator grant TRIGGER"
    " on the actions' table and, where the binary log is on, set log_bin_trust_function_creators"
    " = 1"
)


PATIENCE = 3
"""Seconds to wait for whoever uses the table; meanwhile all others wait behind us."""


class Found(NamedTuple):
    """A trigger that is there; `definer` is the account that made it. `statement` is empty where
    this account may not see more than its name (on MariaDB)."""

    definer: str
    statement: str


class Trigger:
    """The trigger of one site, for these hooks. `server` is the database's version."""

    def __init__(
        self, database: Database, tables: Tables, hooks: Collection[str], server: str = ""
    ) -> None:
        self._database = database
        self._replaces = "MariaDB" in server
        self._name = tables.own("park")
        # In hexadecimal hooks are compared exactly, and are safe in a statement.
        literals = ", ".join(f"'{text}'" for text in hooks_hex(sorted(hooks))) or "''"
        facts = {"trigger": f"`{self._name}`", "trigger_hooks": literals}
        self._queries = Queries("install.sql", database.dialect, tables.identifiers() | facts)

    def found(self) -> Found | None:
        """None where there is none, or the account may not see it."""
        if self._database.dialect != "mysql":
            return None
        rows = self._database.query(self._queries["trigger"], name=self._name)
        if not rows:
            return None
        return Found(str(rows[0]["definer"] or ""), str(rows[0]["statement"] or ""))

    def state(self, *, wanted: bool) -> str:
        """What bringing it about would do: `there`, `create`, `replace`, `drop`, or nothing (the
        empty text)."""
        found = self.found()
        if not wanted:
            return "drop" if found else ""
        if found is None:
            return "create"
        return "there" if self.is_up_to_date(found) else "replace"

    def is_up_to_date(self, found: Found) -> bool:
        """Whether it is the one that would be made for these hooks."""
        made = self._queries["create_trigger"].partition("FOR EACH ROW")[2]
        return found.statement.split() == made.split()

    def put(self) -> None:
        """Makes it, in place of an older one. Raises DatabaseError with the way out; then there is
        none, and the plugin and the sweep park."""
        try:
            with self._session():
                if not self._replaces and self.found():
                    self._database.write(self._queries["drop_trigger"])
                self._database.write(self._queries["create_trigger"])
        except DatabaseError as error:
            raise DatabaseError(_REFUSED.format(error=error)) from error

    @contextmanager
    def _session(self) -> Iterator[None]:
        before = self._database.query(self._queries["trigger_session"])[0]
        session = self._queries["set_trigger_session"]
        try:
            self._database.write(session, modes="", seconds=PATIENCE)
            yield
        finally:
            self._database.try_write(session, **before)

    def drop(self) -> None:
        """Raises DatabaseError where the account may not, or the table is in use for long."""
        try:
            with self._session():
                self._database.write(self._queries["drop_trigger"])
        except TooBusy as error:
            raise TooBusy(
                f"nothing was changed: trigger {self._name} cannot be dropped while a long"
                f" transaction uses the actions' table: try again later ({error})"
            ) from error
        except Denied as error:
            raise DatabaseError(
                f"nothing was changed: trigger {self._name} is there and this account may not drop"
                f" it: use the site's own account (--wp-path) or one with TRIGGER ({error})"
            ) from error
