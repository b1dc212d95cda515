"""What keeps PHP away from Python's actions, and what only PHP knows: the plugin told it last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import PLUGIN_FACTS
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
from runner.operations.doctor.php import LINES
from runner.operations.plugin import Plugin, PluginError, by_hand
from runner.operations.trigger import Trigger
from runner.storage.queries import hooks_hex

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

STALE = 86_400
"""Seconds after which what the plugin told is old: it tells once an hour, when PHP's runner ran."""

SKEW = 5
"""Seconds by which PHP's clock may differ from the database's."""

_EACH = 1000
"""Actions of each hook that are counted."""

_ADVICE = "`runner install` puts it in place."


def _told(patient: Patient) -> dict[str, Any] | None:
    """The plugin's facts; None where it told nothing that could be read."""
    try:
        found = json.loads(patient.options.get(PLUGIN_FACTS, ""))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _untold(what: str) -> Verdict:
    return unknown("not told", f"Only PHP knows {what}, and the plugin has not told.", "")


@check("protection", server=True)
def protection(patient: Patient) -> Verdict:
    """Whether PHP can reach what is Python's: seen in the rows themselves."""
    if patient.installed is None or patient.installed.problem:
        return info("none", "Nothing is parked for Python here, so nothing protects its actions.")
    hooks = sorted(patient.installed.hooks)
    since = patient.installed.installed_at
    failed = patient.ask(
        "failed_by_php", hooks_hex=hooks_hex(hooks), since=since, limit=LIMIT, **LINES,
    )  # fmt: skip
    if failed:
        return error(
            sum(int(row["actions"]) for row in failed),
            "PHP's runner failed actions of Python's hooks: it met them before they were parked.",
            f"See that the plugin is in place ({_ADVICE}), then `runner action retry` them.",
            by_hook((str(row["hook"]), int(row["actions"])) for row in failed),
        )
    rows = [patient.ask("unparked_of_hook", hook=hook, limit=_EACH)[0] for hook in hooks]
    open_ = [(str(row["hook"]), int(row["actions"])) for row in rows if row["actions"]]
    if open_:
        return warning(
            sum(count for _, count in open_),
            "Actions of Python's hooks are not parked: PHP's runner can take and fail them. The"
            " plugin parks what PHP creates; a run parks the rest before it claims.",
            f"See that the plugin is in place ({_ADVICE}), and that a runner runs.",
            by_hook(open_),
        )
    return ok(0, "Actions of Python's hooks that PHP's runner could take.")


@check("plugin", server=True)
def plugin(patient: Patient) -> Verdict:
    told = _told(patient)
    if patient.installed is None and told is None:
        return unknown(
            "not told",
            "What only PHP knows is told by a plugin, which is not here.",
            "`runner install` puts it in place; it tells when PHP's runner ran.",
        )
    if trouble := _file(patient):
        return trouble
    if told is None:
        return unknown(
            "not heard",
            "The plugin has told nothing yet: it does when PHP's runner ends its first batch.",
            f"If that was a while ago, see that it is in place ({by_hand()}).",
        )
    age = patient.now - _number(told.get("written_at"))
    if age > STALE:
        return warning(
            f"silent for {age // 3600} hours",
            "The plugin tells once an hour, while PHP's runner runs: one of them does not.",
            f"See that it is in place ({_ADVICE}), and that WP-Cron runs.",
        )
    facts = ("php", "wordpress", "action_scheduler")
    versions = ", ".join(f"{name} {told[name]}" for name in facts if told.get(name))
    return ok(versions or "there", "The plugin works: these versions it told within a day.")


def _file(patient: Patient) -> Verdict | None:
    """What is wrong with the file, where it can be seen."""
    if patient.folder is None:
        return None
    try:
        state = Plugin(patient.folder).state()
    except PluginError as problem:
        return error("unfit", f"{problem}.", _ADVICE)
    if state == "update":
        return warning("old", "The plugin is not the one of this runner.", _ADVICE)
    if state == "there":
        return None
    return error(
        "missing",
        "The plugin is not in its folder: PHP fails what it creates when it comes first.",
        _ADVICE,
        (str(patient.folder),),
    )


@check("trigger", server=True)
def trigger(patient: Patient) -> Verdict:
    """The one that `runner install --trigger` makes."""
    wanted = patient.installed
    made = Trigger(patient.database, patient.tables, wanted.hooks if wanted else ())
    found, promised = made.found(), bool(wanted and wanted.trigger)
    if found is None and not promised:
        return ok("none", "Nobody asked for a trigger.")
    if found is None or not found.statement:
        return unknown(
            "not seen",
            "The trigger that parks was dropped, or this account may not see it.",
            "`runner install` makes it again.",
        )
    account = str(patient.ask("account")[0]["account"])
    if not promised or not made.is_up_to_date(found):
        return warning(
            f"by {found.definer}",
            "The trigger that parks is not for the hooks that are Python's now.",
            "Run `runner install` again, or `runner uninstall`.",
        )
    if found.definer != account and patient.folder is None:
        return unknown(
            f"by {found.definer}",
            "Whether that is the site's own account, as it must be, only its wp-config.php tells.",
            "Run `runner doctor --wp-path DIR`.",
        )
    if found.definer != account:
        return warning(
            f"by {found.definer}",
            f"Another account than {account} made the trigger: once that is dropped, PHP can"
            " create no actions.",
            "Run `runner install --trigger` with --wp-path, after `runner install --no-trigger`.",
        )
    return ok(f"by {found.definer}", "The trigger parks what PHP creates for Python.")


@check("php.store", server=True)
def store(patient: Patient) -> Verdict:
    told = _told(patient)
    if told is None or not told.get("store"):
        return _untold("which store Action Scheduler uses")
    name = str(told["store"])
    if "Hybrid" in name:
        return error(
            name,
            "Action Scheduler still reads its actions from two places.",
            "Let WordPress finish Action Scheduler's migration.",
        )
    if name != "ActionScheduler_DBStore":
        return warning(
            name,
            "A plugin brought a store of its own: its actions may not live in these tables.",
            "Ask its author where its actions live.",
        )
    return ok(name, "Action Scheduler's actions live in these tables.")


@check("php.callbacks", server=True)
def callbacks(patient: Patient) -> Verdict:
    told = _told(patient)
    if told is None:
        return _untold("which hooks have a PHP callback")
    both = [str(hook) for hook in told.get("with_callback") or ()]
    without = _number(told.get("without_callback"))
    if without:
        return warning(
            without,
            "Hooks have pending actions, and neither Python nor PHP has anything for them: PHP's"
            " runner fails these actions.",
            "Run `runner install` again with all handlers; else a plugin was switched off.",
        )
    if both:
        return info(
            len(both),
            "Hooks of Python have a PHP callback too: it is not called while they are Python's.",
            details=some(sorted(both)),
        )
    return ok(0, "Hooks with pending actions that nobody runs.")


@check("php.batch_size", server=True)
def batch_size(patient: Patient) -> Verdict:
    told = _told(patient)
    if told is None or not told.get("batch_size"):
        return _untold("how much its runner claims at once")
    return ok(_number(told["batch_size"]), "Actions that PHP's runner claims at once.")


@check("php.object_cache", server=True)
def object_cache(patient: Patient) -> Verdict:
    told = _told(patient)
    if told is None or "object_cache" not in told:
        return _untold("whether there is an object cache")
    if told["object_cache"]:
        return ok("there", "The plugin then reads its option past it, from the table.")
    return ok("none", "Options are read from the table.")


@check("php.clock", server=True)
def clock(patient: Patient) -> Verdict:
    told = _told(patient)
    if told is None or not told.get("database_at"):
        return _untold("its own clock")
    skew = _number(told.get("written_at")) - _number(told["database_at"])
    if abs(skew) <= SKEW:
        return ok(f"{abs(skew)} s apart", "The clocks of PHP and of the database agree.")
    return warning(
        f"{abs(skew)} s {'ahead' if skew > 0 else 'behind'}",
        "PHP's clock, by which actions are dated, differs from the database's.",
        "Keep the time of both hosts with NTP.",
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


CHECKS = (protection, plugin, trigger, store, callbacks, batch_size, object_cache, clock)
