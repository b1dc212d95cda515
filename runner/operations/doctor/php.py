"""PHP's own runner, and what ties the site to this one: mode, installation, plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import (
    CONTEXT,
    INSTALLED,
    PHP_CONTEXTS,
    PLUGIN_FACTS,
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
    unknown,
    warning,
)

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

ALIVE = 3600
"""Seconds since PHP's runner wrote a line, up to which it is surely switched on."""

STALE = 86_400
"""Seconds after which what the plugin told is old: it tells once an hour, when somebody visits."""


def _scheduled(patient: Patient) -> bool:
    return f'"{RUN_QUEUE_EVENT}"' in patient.options.get("cron", "")


def _seen(patient: Patient) -> str | None:
    """When PHP's runner last wrote a line (UTC), None when it wrote none lately."""
    first, second, third, ours = (f"%{name}%" for name in (*PHP_CONTEXTS, CONTEXT))
    rows = patient.ask("php_seen", first=first, second=second, third=third, ours=ours, limit=LIMIT)
    seen = rows[0]["seen"]
    return None if seen is None else str(seen)


def installed(patient: Patient) -> dict[str, Any] | None:
    """What `runner install` wrote. None without it, and when it cannot be read."""
    return _object(patient.options.get(INSTALLED, ""))


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@check("php.runner")
def php(patient: Patient) -> Verdict:
    scheduled = "scheduled" if _scheduled(patient) else "not scheduled"
    seen = _seen(patient)
    if seen is None:
        return ok(f"{scheduled}, not seen", "No new line of the log is by PHP's runner.")
    return ok(f"{scheduled}, seen {seen} UTC", "PHP's runner wrote its last line of the log then.")


@check("mode")
def mode(patient: Patient) -> Verdict:
    parks = patient.mode == "auto" and installed(patient) is not None
    if parks or patient.mode == "parked":
        return ok("parked", "PHP's runner leaves the actions of Python alone.")
    if not _scheduled(patient):
        return ok(patient.mode, "WP-Cron does not start PHP's runner.")
    if patient.mode != "native":
        return warning(
            "auto",
            "`runner run` refuses here, since PHP's runner may be alive.",
            "Run `runner install` to work beside it, or say --mode native if it is switched off.",
        )
    seen = _seen(patient)
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
    found = installed(patient)
    if found is None or not isinstance(found.get("hooks"), list):
        return error(
            "unreadable",
            f"Option {INSTALLED} is not what `runner install` writes.",
            "Run `runner install` again.",
        )
    there, here = str(found.get("siteurl", "")), patient.options.get("siteurl", "")
    if there != here:
        return error(
            f"for {there}",
            f"It was installed for another address than {here}: this is a copy of the site.",
            "If the copy is to do its own work, run `runner install --confirm-site`.",
        )
    return _hooks(patient, {str(hook) for hook in found["hooks"]})


def _hooks(patient: Patient, parked: set[str]) -> Verdict:
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
    if rows and installed(patient) is None:
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


@check("plugin")
def plugin(patient: Patient) -> Verdict:
    """What only PHP knows."""
    found = _object(patient.options.get(PLUGIN_FACTS, ""))
    if found is None:
        return unknown(
            "not told",
            "Only PHP knows whether hooks have PHP callbacks, and which store is in use.",
            "`runner install` sets up a plugin that tells; it does at the next visit of the site.",
        )
    facts = [f"{key}: {value}" for key, value in sorted(found.items())]
    if "Hybrid" in str(found.get("store", "")):
        return error(
            "hybrid store",
            "Action Scheduler still reads its actions from two places.",
            "Let WordPress finish Action Scheduler's migration.",
            facts,
        )
    return info(
        f"PHP {found.get('php', '?')}",
        "The plugin works: that is what the site told last.",
        details=facts,
    )


CHECKS = (php, mode, install, parked, plugin)
