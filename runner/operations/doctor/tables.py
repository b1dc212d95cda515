"""Action Scheduler's tables, and the runner's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import NEWEST_SCHEMA, TABLES
from compat.site_time import SiteZone
from runner.core.errors import SiteError
from runner.operations.doctor.findings import check, error, info, ok, warning
from runner.site import OWN_SCHEMA, OWN_TABLES, shape_of
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict


@check("tables", server=True)
def shape(patient: Patient) -> Verdict:
    try:
        shape_of(patient.facts, patient.tables)
    except SiteError as problem:
        return error("unfit", f"{problem}.", "`wp action-scheduler fix-schema` makes lost tables.")
    schema = patient.options.get("schema-ActionScheduler_StoreSchema", "").partition(".")[0]
    if schema.isdigit() and int(schema) > NEWEST_SCHEMA:
        return error(
            f"schema {schema}",
            f"This runner knows schemas 3 to {NEWEST_SCHEMA} and works with none that is newer.",
            "Update the runner.",
        )
    return ok(f"schema {schema or 'not told'}", "Action Scheduler's four tables are there.")


@check("tables.migration")
def migration(patient: Patient) -> Verdict:
    state = patient.options.get("action_scheduler_migration_status", "")
    if state == "complete":
        return ok("complete", "All actions live in these tables.")
    return error(
        state or "not complete",
        "Action Scheduler's migration to its tables is not complete: actions may live in posts.",
        "Let WordPress run its queue until option action_scheduler_migration_status is complete.",
    )


@check("tables.engine", server=True)
def engine(patient: Patient) -> Verdict:
    others = [f"{r['name']} ({r['value']})" for r in patient.facts if r["kind"] == "engine"]
    if not others:
        return ok("InnoDB", "All tables have transactions.")
    return error(
        len(others),
        "These tables have no transactions, so no claim could be trusted: nothing runs.",
        "Change each with ALTER TABLE … ENGINE = InnoDB.",
        others,
    )


@check("tables.indexes", server=True)
def indexes(patient: Patient) -> Verdict:
    found = shape_of(patient.facts, patient.tables)
    wanted = {
        "hook, status, scheduled_date_gmt": found.hook_index,
        "claim_id, status, priority, scheduled_date_gmt": found.claim_index,
        "status, last_attempt_gmt": found.retention_index,
    }
    missing = [columns for columns, name in wanted.items() if name is None]
    if not missing:
        return ok("there", "The indexes for claiming and cleaning are there.")
    return warning(
        len(missing),
        "Without an index on these columns, claiming or cleaning reads many more rows.",
        "Update Action Scheduler to 3.9.3 or newer, or run `wp action-scheduler fix-schema`.",
        missing,
    )


@check("tables.collation", server=True)
def collation(patient: Patient) -> Verdict:
    names = {patient.tables.plain(table) for table in TABLES}
    found: dict[str, set[str]] = {}
    for row in patient.facts:
        collation = str(row["value"]).partition(" ")[2]
        if row["kind"] == "column" and row["name"] in names and collation:
            found.setdefault(collation, set()).add(str(row["name"]))
    if len(found) == 1 and min(found).startswith("utf8mb4"):
        return ok(min(found), "All text columns have one collation, and take every character.")
    return warning(
        ", ".join(sorted(found)),
        "Columns compare text in different ways, or cannot hold every character of args and logs.",
        "Give all four tables one utf8mb4 collation (ALTER TABLE … CONVERT TO CHARACTER SET).",
        [f"{key}: {', '.join(sorted(tables))}" for key, tables in sorted(found.items())],
    )


@check("own.tables")
def own(patient: Patient) -> Verdict:
    missing = [patient.tables.own(table) for table in OWN_TABLES if table not in patient.own]
    advice = "Run `runner migrate`; `runner migrate --print` prints it for somebody who may."
    if missing:
        return warning(
            "missing",
            "Without them a dead worker is noticed after 300 s instead of 60, no attempt is"
            " recorded, and nothing can be parked.",
            advice + " If they are there, the account may not see them.",
            missing,
        )
    facts = patient.tables.identifiers()
    applied = Queries("migrate.sql", patient.database.dialect, facts)["applied"]
    newest = max((int(row["number"]) for row in patient.database.query(applied)), default=0)
    if newest < OWN_SCHEMA:
        return warning(f"version {newest}", "They are older than this runner.", advice)
    if newest > OWN_SCHEMA:
        return error(f"version {newest}", "A newer runner made them.", "Update the runner here.")
    return ok(f"version {newest}", "The runner's own tables are up to date.")


@check("site.time_zone")
def zone(patient: Patient) -> Verdict:
    options = patient.options
    found = SiteZone.from_options(options.get("timezone_string", ""), options.get("gmt_offset", ""))
    if found.name or not found.hours:
        return ok(found.name or "UTC", "The site has a time zone.")
    return info(
        f"UTC{found.hours:+g}",
        "The site has an offset and no zone, so its times do not follow summer time.",
        "Choose a city in WordPress's general settings.",
    )


CHECKS = (shape, migration, engine, indexes, collation, own, zone)
