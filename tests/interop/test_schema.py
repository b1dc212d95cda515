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


OLDER = {("claim_id", "status", "scheduled_date_gmt")}
NEWER = {
    ("claim_id", "status", "priority", "scheduled_date_gmt"),
    ("status", "last_attempt_gmt"),
    ("status", "claim_id"),
}
"""Indexes of the actions that schema 8 took away from schema 7, and those that it brought."""


def shape(site, table: str) -> dict[str, list[tuple]]:
    return {"columns": site.run(COLUMNS, (table,)), "indexes": site.run(INDEXES, (table,))}


def indexed(shape: dict[str, list[tuple]]) -> set[tuple[str, ...]]:
    """The columns of each index."""
    found: dict[str, list[str]] = {}
    for name, _, column, *_ in shape["indexes"]:
        found.setdefault(name, []).append(column)
    return {tuple(columns) for columns in found.values()}


def test_our_tables_are_those_of_this_action_scheduler(site):
    """Columns and indexes made from sql/upstream.sql equal those that Action Scheduler made."""
    schema = site.facts["schema"].partition(".")[0]
    assert schema in {"7", KNOWN}, (
        f"this site's tables are of schema {schema}; sql/upstream.sql shows schema {KNOWN}: if the"
        " site's Action Scheduler is newer, bring it up to that"
    )
    ours = Tables(PREFIX)
    queries = Queries("upstream.sql", "mysql", ours.identifiers())
    drop = "DROP TABLE IF EXISTS " + ", ".join(f"`{ours.plain(table)}`" for table in TABLES)
    site.run(drop)
    try:
        for table in TABLES:
            site.run(queries[table])
            theirs = site.table(table).strip("`")
            known, found = shape(site, ours.plain(table)), shape(site, theirs)
            if schema == "7" and table == "actions":
                assert known["columns"] == found["columns"]
                assert indexed(known) - indexed(found) == NEWER
                assert indexed(found) - indexed(known) == OLDER
            else:
                assert known == found, table
    finally:
        site.run(drop)
