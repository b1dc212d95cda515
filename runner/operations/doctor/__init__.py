"""What is wrong, slow or unknown on a site: checks that read, each with a code that never changes.

One file a theme. A check that the database refuses to answer is unknown, never ok.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.core.errors import DatabaseError
from runner.operations.doctor import here, php, plugin, queue, server, size, tables, work
from runner.operations.doctor.findings import Finding, Patient, Severity, error

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Check

CHECKS: tuple[Check, ...] = (
    *server.CHECKS,
    *tables.CHECKS,
    *php.CHECKS,
    *plugin.CHECKS,
    *work.CHECKS,
    *queue.CHECKS,
    *size.CHECKS,
    *here.CHECKS,
)

__all__ = ["CHECKS", "Finding", "Patient", "Severity", "examine"]


def examine(patient: Patient) -> list[Finding]:
    """Runs all checks in order. A database that cannot be reached is the only finding then."""
    try:
        patient.database.connect()
    except DatabaseError as problem:
        unreachable = error("unreachable", f"{problem}.", "Nothing else was looked at.")
        return [Finding("database", unreachable)]
    served = patient.database.dialect == "mysql"
    return [check.run(patient) for check in CHECKS if served or not check.server]
