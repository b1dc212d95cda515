"""The runner's own tables: made and changed by the numbered files in `sql/schema`.

DDL commits by itself, so each statement may run again: a migration that was cut is run anew, and
recorded when all of it is there. WordPress's tables are never touched.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from runner.core.errors import Busy, DatabaseError, Denied, SiteError
from runner.site import OWN_TABLES, alone, identifiers, newer_tables
from runner.storage.queries import Queries, folder, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row

LOCK_PATIENCE = 30
"""Seconds to wait for another migration of the same site."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file in `sql/schema`: its number, its name (`0001_leases`), its text's checksum."""

    number: int
    name: str
    checksum: str


def known() -> list[Migration]:
    """Every migration of this version of the runner, in order."""
    return [
        Migration(
            int(path.stem.partition("_")[0]),
            path.stem,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted((folder() / "schema").glob("*.sql"))
    ]


class Migrate:
    """Brings one site's own tables up to date."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._facts = identifiers(site, database.dialect)
        self._queries = Queries("migrate.sql", database.dialect, self._facts)
        self._tables = {table: site.tables.own(table) for table in OWN_TABLES}
        self._site = site

    def run(self) -> list[str]:
        """Runs what is pending; returns the names. Raises SiteError, before anything is done, for
        tables of a newer runner and for a file that was changed after it ran."""
        with alone(self._database, self._site, "migrate", LOCK_PATIENCE) as taken:
            if not taken:
                raise Busy("another `runner migrate` is at work on this site: try again")
            pending = self._pending()
            for statement in self._statements(pending):
                self._execute(statement)
        return [migration.name for migration, _ in pending]

    def script(self) -> list[str]:
        """The statements that `run` would run, for somebody who has the right to."""
        return self._statements(self._pending())

    def _pending(self) -> list[tuple[Migration, bool]]:
        """What is to run, and whether it is to be recorded: one that ran once runs again when a
        table was lost since."""
        names = list(self._tables.values())
        found = self._database.query(self._queries["own_tables"], names=names)
        there = {str(row["name"]) for row in found}
        recorded = self._tables["migrations"] in there
        applied = self._database.query(self._queries["applied"]) if recorded else []
        done = _checked(applied, known())
        whole = there.issuperset(names)
        return [(m, m.number not in done) for m in known() if m.number not in done or not whole]

    def _statements(self, pending: Sequence[tuple[Migration, bool]]) -> list[str]:
        statements = [self._queries["create_record"]] if pending else []
        for migration, unrecorded in pending:
            statements += self._tables_of(migration)
            if unrecorded:
                facts = self._facts | {k: str(v) for k, v in asdict(migration).items()}
                queries = Queries("migrate.sql", self._database.dialect, facts)
                statements.append(queries["record"])
        return statements

    def _tables_of(self, migration: Migration) -> list[str]:
        file, dialect = f"schema/{migration.name}.sql", self._database.dialect
        queries = Queries(file, dialect, self._facts)
        names = [name.partition("@") for name in load(file)]
        wanted = [name for name, _, server in names if server in {"", dialect}]
        return [queries[name] for name in dict.fromkeys(wanted)]

    def _execute(self, statement: str) -> None:
        try:
            self._database.write(statement, patience=0)
        except Denied as error:
            raise DatabaseError(
                "the account may not create the runner's tables: grant it CREATE, or let somebody"
                f" who may run what `runner migrate --print` prints ({error})"
            ) from error


def _checked(applied: Sequence[Row], migrations: Sequence[Migration]) -> Mapping[int, str]:
    """What has run, by number. Raises SiteError where it is not what this runner knows."""
    files = {migration.number: migration for migration in migrations}
    for row in applied:
        file = files.get(row["number"])
        if file is None:
            raise newer_tables(int(row["number"]), len(migrations))
        if file.checksum != row["checksum"]:
            raise SiteError(
                f"migration {file.name} was changed after it ran here: put back the file that came"
                " with the runner (sql/schema), and write changes into a new one"
            )
    return {row["number"]: row["name"] for row in applied}
