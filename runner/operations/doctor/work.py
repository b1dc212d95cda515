"""Workers, claims and leases: what is held, by whom, and what nobody holds any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.site_time import epoch_of
from runner.operations.doctor.findings import LIMIT, check, counted, info, ok, warning
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

LEFT = 3600
"""Seconds after which a claim that holds nothing was left by a run that died."""

_TAKEN_BACK = "A run takes such actions back, if they have a handler there: see that one runs."


@check("workers")
def workers(patient: Patient) -> Verdict:
    if "workers" not in patient.own:
        return info("not told", "The list of workers is in the runner's own tables.")
    queries = Queries("leases.sql", patient.database.dialect, patient.tables.identifiers())
    rows = patient.database.query(queries["worker_list"])
    silent = [
        f"{row['host']} pid {row['pid']} ({row['queue'] or 'run'})"
        for row in rows
        if int(row["now"]) - (epoch_of(row["seen_at"]) or 0) > patient.lease
    ]
    if not silent:
        return ok(len(rows), "Workers at work at this moment.")
    return warning(
        len(silent),
        "Workers ended without a word, or their host hangs.",
        "See the logs of these hosts for a kill or a full memory. They leave the list in a day.",
        silent,
    )


@check("claims.unused")
def unused(patient: Patient) -> Verdict:
    count = int(patient.ask("claims_without_rows", seconds=LEFT, limit=LIMIT)[0]["claims"])
    if not count:
        return ok(0, "Claims that were left behind.")
    return info(
        counted(count),
        "Runs that died, PHP's mostly, left claims that hold nothing: they do no harm.",
        "Nothing needs to be done.",
    )


@check("claims.missing")
def missing(patient: Patient) -> Verdict:
    row = patient.ask("rows_without_claim", limit=LIMIT)[0]
    if not row["actions"]:
        return ok(0, "Claimed actions whose claim is gone.")
    return warning(
        int(row["actions"]),
        "Live actions belong to a claim that is gone: up to Action Scheduler 3.9.3 they stop PHP's"
        " runner.",
        f"{_TAKEN_BACK} PHP's cleaner frees the others after 300 s.",
        [f"action {row['example']}"],
    )


@check("claims.leases")
def leases(patient: Patient) -> Verdict:
    if "leases" not in patient.own:
        return info("not told", "Leases are in the runner's own tables.")
    count = int(patient.ask("old_leases", seconds=patient.expiry, limit=LIMIT)[0]["leases"])
    if not count:
        return ok(0, "Leases that ran out unseen.")
    return warning(
        counted(count),
        "Leases of dead workers ran out and nobody took back what they held.",
        _TAKEN_BACK,
    )


@check("running.stuck")
def stuck(patient: Patient) -> Verdict:
    row = patient.ask("stuck", seconds=patient.expiry, limit=LIMIT)[0]
    if not row["actions"]:
        return ok(0, "Running actions without a sign of life.")
    return warning(
        counted(int(row["actions"])),
        f"Actions in progress gave no sign of life for {patient.expiry} s: who ran them died.",
        f"{_TAKEN_BACK} PHP's cleaner fails the others.",
        [f"action {row['example']}"],
    )


@check("running.leaseless")
def leaseless(patient: Patient) -> Verdict:
    ids = [int(row["action_id"]) for row in patient.ask("undated", limit=LIMIT)]
    if ids and "held" in patient.own:
        held = {int(row["action_id"]) for row in patient.ask("held", ids=ids)}
        ids = [action for action in ids if action not in held]
    if not ids:
        return ok(0, "Running actions without a holder.")
    return warning(
        counted(len(ids)),
        "Actions are in progress, nobody holds them, and no cleaner will ever see them.",
        f"{_TAKEN_BACK} Else `runner action cancel` or `delete` takes them.",
        [f"action {ids[0]}"],
    )


CHECKS = (workers, unused, missing, leases, stuck, leaseless)
