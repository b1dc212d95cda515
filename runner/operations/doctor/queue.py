"""What waits, what failed, and chains that run twice or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import CONTEXT, FAILURE_THRESHOLD, PHP_CONTEXTS
from compat.site_time import epoch_of
from runner.core.model import Status
from runner.operations.doctor.findings import (
    LIMIT,
    by_hook,
    check,
    counted,
    info,
    ok,
    some,
    warning,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from runner.operations.doctor.findings import Patient, Verdict
    from runner.storage.db import Row

LATE = 300
"""Seconds that an action may wait before somebody should know: cron starts a run each minute."""

DAY = 86_400

SETTLED = 30
"""Seconds after its last action ended, from which on a chain must have a next one."""

EACH = 1000
"""Due actions of each hook that are counted."""

SAMPLE = 2000
"""Newest ended rows among which chains are looked for."""

CHAINS = 20
"""Chains that are looked at one by one."""


@check("due.ours")
def ours(patient: Patient) -> Verdict:
    """Those of hooks with a handler here, parked ones too."""
    rows = [
        row for hook in patient.hooks for row in patient.ask("due_of_hook", hook=hook, limit=EACH)
    ]
    rows += [row for row in _parked_due(patient) if row["hook"] in patient.hooks]
    rows = [row for row in rows if row["actions"]]
    since = min((str(row["oldest"]) for row in rows if row["oldest"]), default="")
    many = sum(int(row["actions"]) for row in rows)
    if patient.now - (epoch_of(since) or patient.now) <= LATE:
        return ok(many, "Due actions with a handler here: they wait no longer than they should.")
    return warning(
        many,
        f"Due actions with a handler here wait; the oldest since {since} UTC.",
        "See that `runner run` or `runner work` runs; if it does, give it more children.",
        _counts(rows),
    )


def _parked_due(patient: Patient) -> list[Row]:
    if patient.database.dialect != "mysql":
        return []
    rows = patient.ask("parked", limit=LIMIT)
    return [{**row, "actions": row["due"]} for row in rows if row["due"]]


@check("paused")
def paused(patient: Patient) -> Verdict:
    rows = patient.ask("pauses") if "pauses" in patient.own else []
    old = [
        row
        for row in rows
        if not row["until"] and patient.now - (epoch_of(row["created_at"]) or 0) > DAY
    ]
    if old:
        return warning(
            len(old),
            f"Paused for more than a day and without an end, since {old[0]['created_at']} UTC.",
            "See `runner pause`; `runner resume` ends one that was forgotten.",
            [_pause(row) for row in old],
        )
    if rows:
        text = "Paused: these actions wait until that ends, or `runner resume`."
        return info(len(rows), text, "See `runner pause`.", [_pause(row) for row in rows])
    return ok(0, "Nothing is paused.")


def _pause(row: Row) -> str:
    return f"{row['kind']} {row['name']}".strip() + f", by {row['actor']}"


@check("due.unhandled")
def unhandled(patient: Patient) -> Verdict:
    rows = [r for r in patient.ask("due", limit=LIMIT) if r["hook"] not in patient.hooks]
    if not rows:
        return ok(0, f"Due actions without a handler here, of the {LIMIT} oldest.")
    many, details = counted(sum(int(row["actions"]) for row in rows)), _counts(rows)
    if patient.mode != "native" or patient.installed:
        return info(many, "Due actions without a handler here are PHP's.", details=details)
    return warning(
        many,
        "Due actions have no handler here, and nobody else runs them when PHP's runner is off.",
        "Add handlers, or let PHP run these hooks (`wp action-scheduler run --hooks=…`).",
        details,
    )


@check("failed")
def failed(patient: Patient) -> Verdict:
    rows = patient.ask("failed", seconds=DAY, limit=LIMIT)
    if not rows:
        return ok(0, "Actions that failed within a day.")
    return warning(
        counted(sum(int(row["actions"]) for row in rows)),
        "Actions failed within a day.",
        "`runner action list --status failed` lists them, `runner action logs ID` tells why.",
        _counts(rows),
    )


@check("chains.duplicate")
def duplicate(patient: Patient) -> Verdict:
    rows = patient.ask("twins", limit=LIMIT)
    if not rows:
        return ok(0, "Recurring actions that wait twice.")
    return warning(
        len(rows),
        "Recurring actions wait more than once with the same hook, args and group: their work is"
        " done as often.",
        "Cancel all but one (`runner action list --hook …`, `runner action cancel ID`).",
        _counts(rows),
    )


@check("chains.stopped")
def stopped(patient: Patient) -> Verdict:
    ended = [*ended_chains(patient)]
    if not ended:
        return ok(0, "Recurring actions that lately ended without a next one.")
    return warning(
        len(ended),
        "Recurring actions have no next one: they were not canceled, and they will not run again.",
        "See the log of the newest one; the plugin that owns it may have to schedule it anew.",
        some([_why(patient, hook) for hook in ended[:CHAINS]]),
    )


def ended_chains(
    patient: Patient, known: Mapping[str, int] | None = None, alive: Collection[str] = ()
) -> dict[str, int]:
    """Hooks of chains that ended without a next action, and that nobody canceled, with their newest
    action. `known` are those found before: they are looked at however long ago they ended; `alive`
    are hooks that are known to go on. PHP makes the next action after it has ended the one before:
    in between nothing can be told. Canceled actions are soon deleted by PHP's cleaner, so a chain
    that ended well has not stopped by itself."""
    found: dict[str, int] = dict(known or {})
    fresh = set()
    for status in (Status.COMPLETE, Status.FAILED):
        for row in patient.ask("recurred", status=status, limit=SAMPLE):
            found[row["hook"]] = max(found.get(row["hook"], 0), int(row["newest"]))
            if abs(patient.now - (epoch_of(str(row["ended"])) or 0)) < SETTLED:
                fresh.add(row["hook"])
    asked = sorted({*found} - fresh - {*alive}, key=lambda hook: (hook not in (known or {}), hook))
    return {
        hook: found[hook]
        for hook in asked[: CHAINS * 10]
        if not patient.ask("goes_on", hook=hook, newest=found[hook])
        and (_ended_oddly(patient, found[hook]) or _always_failed(patient, hook))
    }


def _ended_oddly(patient: Patient, action: int) -> bool:
    """Whether the log's last line of it is no runner's: PHP says there, in the site's language,
    that it could not schedule the next one."""
    rows = patient.ask("last_line", id=action)
    names = (*PHP_CONTEXTS, CONTEXT)
    return bool(rows) and not any(name in str(rows[0]["message"]) for name in names)


def _why(patient: Patient, hook: str) -> str:
    if _always_failed(patient, hook):
        return f"{hook} (its {FAILURE_THRESHOLD} oldest actions all failed)"
    return hook


def _always_failed(patient: Patient, hook: str) -> bool:
    """A chain ends when the oldest rows of its hook are all failed."""
    rows: list[Row] = []
    for status in Status:
        rows += patient.ask("oldest", hook=hook, status=status, limit=FAILURE_THRESHOLD)
    rows.sort(key=lambda row: str(row["scheduled_date_gmt"] or ""))
    oldest = [row["status"] for row in rows[:FAILURE_THRESHOLD]]
    return oldest == [Status.FAILED] * FAILURE_THRESHOLD


def _counts(rows: Iterable[Row]) -> tuple[str, ...]:
    return by_hook((str(row["hook"]), int(row["actions"])) for row in rows)


CHECKS = (ours, paused, unhandled, failed, duplicate, stopped)
