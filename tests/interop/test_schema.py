"""The tables that all other tests are made on, against the site's own."""

from __future__ import annotations

from runner.site import Tables
from runner.storage.queries import Queries

TABLES = ("actions", "claims", "groups", "logs")
PREFIX = "runner_interop_"
KNOWN = "8"

COLUMNS = """
SELECT column_name, column_type, is_nullable, column_default, extra FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s ORDER BY column_name
"""
INDEXES = """
SELECT index_name, seq_in_index, column_name, sub_part, non_unique, index_type
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = %s ORDER BY index_name, seq_in_index
"""


def shape(site, table: str) -> dict[str, list[tuple]]:
    return {"columns": site.run(COLUMNS, (table,)), "indexes": site.run(INDEXES, (table,))}


def test_our_tables_are_those_of_this_action_scheduler(site):
    """Columns and indexes made from sql/upstream.sql equal those that Action Scheduler made."""
    schema = site.facts["schema"].partition(".")[0]
    assert schema == KNOWN, (
        f"this site's tables are of schema {schema}; sql/upstream.sql shows schema {KNOWN}."
        " Compare on a site with Action Scheduler 3.9.3 or newer; if that is what this is, bring"
        " sql/upstream.sql up to it"
    )
    ours = Tables(PREFIX)
    queries = Queries("upstream.sql", "mysql", ours.identifiers())
    drop = "DROP TABLE IF EXISTS " + ", ".join(f"`{ours.plain(table)}`" for table in TABLES)
    site.run(drop)
    try:
        for table in TABLES:
            site.run(queries[table])
            theirs = site.table(table).strip("`")
            assert shape(site, ours.plain(table)) == shape(site, theirs), table
    finally:
        site.run(drop)
