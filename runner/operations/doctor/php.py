"""PHP's own runner, and what ties the site to this one: mode and installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import (
    CONTEXT,
    INSTALLED,
    PHP_CONTEXTS,
    RUN_QUEUE_EVENT,
)
from compat.site_time import epoch_of
from runner.operations.doctor.findings import (
    LIMIT,
    by_hook,
    check,
    error,
    info,
    ok,
    some,
    warning,
)

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

ALIVE = 3600
"""Seconds since PHP's runner wrote a line, up to which it is surely switched on."""


LINES = dict(
    zip(
        ("first", "second", "third", "ours"),
        (f"%{name}%" for name in (*PHP_CONTEXTS, CONTEXT)),
        strict=True,
    )
)
"""How lines of the log by PHP's runners are told, and those by ours: parameters of LIKE."""


def _scheduled(patient: Patient) -> bool:
    return f'"{RUN_QUEUE_EVENT}"' in patient.options.get("cron", "")


def seen_at(patient: Patient) -> str | None:
    """When PHP's runner last wrote a line (UTC), None when it wrote none lately."""
    seen = patient.ask("php_seen", limit=LIMIT, **LINES)[0]["seen"]
    return None if seen is None else str(seen)


@check("php.runner")
def php(patient: Patient) -> Verdict:
    scheduled = "scheduled" if _scheduled(patient) else "not scheduled"
    seen = seen_at(patient)
    if seen is None:
        return ok(f"{scheduled}, not seen", "No new line of the log is by PHP's runner.")
    return ok(f"{scheduled}, seen {seen} UTC", "PHP's runner wrote its last line of the log then.")


@check("mode")
def mode(patient: Patient) -> Verdict:
    parks = patient.mode == "auto" and patient.installed is not None
    if parks or patient.mode == "parked":
        return ok("parked", "PHP's runner leaves the actions of Python alone.")
    if patient.mode == "native" and patient.installed is not None:
        return error(
            "native, and installed",
            "Actions are parked here, and the native mode sees none of them: `runner run` refuses.",
            "Leave the mode out (RUNNER_MODE, runner.toml), or run `runner uninstall`.",
        )
    if not _scheduled(patient):
        return ok(patient.mode, "WP-Cron does not start PHP's runner.")
    if patient.mode != "native":
        return warning(
            "auto",
            "`runner run` refuses here, since PHP's runner may be alive.",
            "Run `runner install` to work beside it, or say --mode native if it is switched off.",
        )
    seen = seen_at(patient)
    if patient.now - (epoch_of(seen) or 0) < ALIVE:
        return error(
            "native beside PHP's runner",
            f"PHP's runner worked at {seen} UTC: it fails each action whose hook has no PHP"
            " callback, and stops while a claim of this runner is open.",
            "Switch PHP's runner off, or run `runner install` and leave the mode to auto.",
        )
    return info(
        "native",
        "WP-Cron holds the event that starts PHP's runner, but it has not worked for an hour.",
        "See that it is switched off: the event alone does not tell.",
    )


@check("install")
def install(patient: Patient) -> Verdict:
    if INSTALLED not in patient.options:
        return info("no", "Nothing is parked for Python here (`runner install` would do it).")
    found = patient.installed
    if found is None or found.problem:
        return error(
            "unreadable",
            f"Option {INSTALLED} {found.problem if found else 'is empty'}.",
            "Run `runner install` again.",
        )
    here = patient.options.get("siteurl", "")
    database = str(patient.server["home"]) if patient.database.dialect == "mysql" else ""
    if not found.is_for(here, database):
        return error(
            f"for {found.siteurl}",
            f"It was installed for {found.siteurl} in database {found.database or '?'}, and this is"
            f" {here} in {database}: a copy of the site.",
            "If the copy is to do its own work, run `runner install --confirm-site`.",
        )
    return _hooks(patient, found.hooks)


def _hooks(patient: Patient, parked: frozenset[str]) -> Verdict:
    """Whether the hooks that are parked are those that have a handler here."""
    if not patient.hooks:
        return ok(len(parked), "Hooks that are parked for Python.")
    lost = sorted(parked.difference(patient.hooks))
    new = sorted(set(patient.hooks) - parked)
    if not lost and not new:
        return ok(len(parked), "Hooks that are parked for Python, each with a handler here.")
    return warning(
        len(lost) + len(new),
        "The hooks that are parked are not those that have a handler here.",
        "Run `runner install` again with all handlers of the site.",
        some([f"parked, without a handler: {h}" for h in lost] + [f"not parked: {h}" for h in new]),
    )


@check("parked", server=True)
def parked(patient: Patient) -> Verdict:
    rows = patient.ask("parked", limit=LIMIT)
    many = sum(int(row["actions"]) for row in rows)
    counts = [(str(row["hook"]), int(row["actions"])) for row in rows]
    if rows and patient.installed is None:
        return error(
            many,
            "Actions are parked, but the runner is not installed: PHP never runs them.",
            "Run `runner install` with the handlers of these hooks, or `runner uninstall`, which"
            " gives every action its true date back.",
            by_hook(counts),
        )
    lost = [(hook, count) for hook, count in counts if hook not in patient.hooks]
    if lost and patient.hooks:
        return warning(
            sum(count for _, count in lost),
            "Actions are parked whose hook has no handler here: neither PHP nor this runner runs"
            " them.",
            "Add the handlers, or run `runner install` again: it gives them back to PHP.",
            by_hook(lost),
        )
    return ok(many, "Actions that are parked for Python.")


CHECKS = (php, mode, install, parked)
