"""How much there is: tables that grew, and log lines of actions that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import TABLES
from runner.core.model import Status
from runner.operations.doctor.findings import check, counted, ok, unknown, warning
from runner.site import OWN_TABLES

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

MANY = 100_000
"""Finished rows of one status from which on every look is slower than it has to be."""

SAMPLE = 1000
"""Log lines looked at from each end."""

_TOLERATED = 10
"""Per cent of the sampled lines that may be orphaned."""


@check("size.rows")
def rows(patient: Patient) -> Verdict:
    count = {
        status: int(patient.ask("count", status=status, limit=MANY)[0]["actions"])
        for status in (Status.COMPLETE, Status.FAILED, Status.CANCELED)
    }
    details = [f"{status}: {counted(number, MANY)}" for status, number in count.items()]
    if max(count.values()) < MANY:
        return ok(sum(count.values()), "Finished actions in the table: not too many.")
    return warning(
        f"{MANY} or more",
        "The table holds many finished actions: screens and reports of WordPress get slow.",
        "`runner clean --all` deletes those that are older than a month, `runner purge` those that"
        " you name.",
        details,
    )


@check("size.tables", server=True)
def tables(patient: Patient) -> Verdict:
    names = [patient.tables.plain(table) for table in TABLES]
    names += [patient.tables.own(table) for table in OWN_TABLES]
    found = patient.ask("sizes", names=names)
    sizes = {row["name"]: (int(row["bytes"] or 0), row["count"]) for row in found}
    if not sizes:
        return unknown("not told", "The account may not see how large the tables are.", "")
    total = sum(size for size, _ in sizes.values())
    largest = max(sizes, key=lambda name: sizes[name][0])
    fact = f"{total / 1e6:.1f} MB"
    return ok(fact, f"The largest is {largest}, with about {sizes[largest][1]} rows.")


@check("size.orphaned_logs")
def orphaned_logs(patient: Patient) -> Verdict:
    row = patient.ask("log_sample", limit=SAMPLE)[0]
    found, orphaned = int(row["found"]), int(row["orphaned"] or 0)
    fact = f"{orphaned} of {found}"
    if orphaned * 100 <= found * _TOLERATED:
        return ok(fact, "Log lines belong to actions (looked at from both ends).")
    return warning(
        fact,
        "Many log lines belong to actions that are gone: something deletes actions without them.",
        "Find what deletes actions in the database itself; `runner purge --orphan-logs` deletes the"
        " lines.",
    )


CHECKS = (rows, tables, orphaned_logs)
