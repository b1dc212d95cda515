"""The database server, the session, and the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.operations.doctor.findings import check, error, info, ok, warning
from runner.operations.grants import lacking, rights
from runner.site import OWN_TABLES, has_skip_locked

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

SKEW = 5
"""Seconds that two hosts' clocks may differ before logs are hard to read."""

PATIENCE = 60
"""Seconds of silence that a connection must outlive: a handler may take that long."""

PACKET = 1 << 20
"""Bytes of the smallest packet that the runner's statements are made for."""

_ZERO_DATES = ("NO_ZERO_DATE", "NO_ZERO_IN_DATE")


@check("database", server=True)
def version(patient: Patient) -> Verdict:
    found = str(patient.server["version"])
    if has_skip_locked(found):
        return ok(found, "The database answers.")
    return info(
        found,
        "This server has no SKIP LOCKED, so runners wait for each other's claims.",
        "Several runners work better on MariaDB 10.6 or MySQL 8.0.1, and newer.",
    )


@check("database.writable", server=True)
def writable(patient: Patient) -> Verdict:
    if str(patient.server["read_only"]).upper() in {"0", "OFF"}:
        return ok("yes", "The server takes writes.")
    return error(
        "read-only",
        "The server takes no writes: no action can be claimed or settled.",
        "Point the runner at the primary server, or set read_only to 0 there.",
    )


@check("database.session", server=True)
def session(patient: Patient) -> Verdict:
    row = patient.server
    modes = str(row["modes"]).split(",")
    wrong = [mode for mode in _ZERO_DATES if mode in modes]
    if str(row["zone"]) != "+00:00":
        wrong.append(f"time_zone {row['zone']}")
    if not wrong:
        return ok("as set", "The session has the modes and the time zone that the runner sets.")
    return error(
        ", ".join(wrong),
        "Something between the runner and the server changes the session: dates would be wrong.",
        "Let the proxy keep SET statements, or connect to the server itself.",
    )


@check("database.limits", server=True)
def limits(patient: Patient) -> Verdict:
    row = patient.server
    wait, packet = int(row["patience"]), int(row["packet"])
    fact = f"wait_timeout {wait} s, max_allowed_packet {packet // 1024} KB"
    if wait >= PATIENCE and packet >= PACKET:
        return ok(fact, "The server's limits are wide enough.")
    return warning(
        fact,
        "Connections are cut while a handler runs, or long args do not fit into a statement.",
        f"Set wait_timeout to {PATIENCE} or more, and max_allowed_packet to {PACKET} or more.",
    )


@check("database.clock", server=True)
def clock(patient: Patient) -> Verdict:
    before = patient.clock()
    theirs = float(patient.ask("server")[0]["now"])
    skew = round(theirs - (before + patient.clock()) / 2)
    if abs(skew) <= SKEW:
        return ok(f"{abs(skew)} s apart", "The clocks of this host and of the database agree.")
    return warning(
        f"{abs(skew)} s {'ahead' if skew > 0 else 'behind'}",
        "The database's clock, which decides what is due, differs from this host's.",
        "Keep the time of both hosts with NTP.",
    )


@check("database.rights", server=True)
def account(patient: Patient) -> Verdict:
    advice = "`runner grants print` prints the statements for an administrator."
    if found := _lacks(patient, "run"):
        return error(
            len(found), "`runner run` and `work` lack rights on these tables.", advice, found
        )
    if found := _lacks(patient, "work", "enqueue"):
        return warning(
            len(found), "Cleaning or creating actions lacks rights on these tables.", advice, found
        )
    return ok("all", "The account may run, clean and create actions.")


def _lacks(patient: Patient, *features: str) -> list[str]:
    """By table. Rights on tables of ours that are not made yet are not missed."""
    needed = rights(features)
    there = {t: w for t, w in needed.items() if t not in OWN_TABLES or t in patient.own}
    found = lacking(patient.database, patient.tables, there)
    return [f"{table} lacks {', '.join(words)}" for table, words in found]


CHECKS = (version, writable, session, limits, clock, account)
