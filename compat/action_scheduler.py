"""Names, texts and numbers of Action Scheduler, as seen in its tables (3.0 to 4.0)."""

from __future__ import annotations

CONTEXT = "Python runner"
"""Our name in log lines, where PHP writes `WP Cron` or `WP CLI`."""

PHP_CONTEXTS = ("WP Cron", "Async Request", "WP CLI")
"""What PHP's own runners call themselves in log lines, in every language."""

INSTALLED = "wp_action_runner"
"""Option that says which hooks are parked, as JSON. Written by `runner install`."""

PLUGIN_FACTS = "wp_action_runner_site"
"""Option in which the plugin writes what only PHP knows, as JSON."""

TABLES = ("actions", "claims", "groups", "logs")

RUN_QUEUE_EVENT = "action_scheduler_run_queue"
"""WP-Cron hook that starts PHP's own runner each minute."""

TIMEOUT = 300
"""Seconds after which PHP's cleaner frees claimed rows and fails running ones
(ten times its time limit of 30 s; filter `action_scheduler_timeout_period`)."""

FAILURE_THRESHOLD = 5
"""A recurring chain ends when this many of the hook's oldest rows are all failed
(filter `action_scheduler_recurring_action_failure_threshold`)."""

LONGEST_HOOK = 191
"""Characters of the `hook` column; PHP's session cuts longer names silently."""

LONGEST_SLUG = 255
"""Characters of a group's slug; PHP stores actions of a longer one without a group."""

PRIORITIES = (0, 255)
"""Lowest number (soonest) and highest; PHP brings any other number to the nearer end."""

NORMAL_PRIORITY = 10

NEWEST_SCHEMA = 9
"""Newest version of the store's tables that is known here."""

PARKED_YEARS = 800
"""A parked action's date is moved by two full cycles of the calendar, so that leap days stay right:
PHP's runner does not take it, and all else that PHP asks about it is answered as before."""

PARKED_FROM = "2800-01-01 00:00:00"
"""From this date on a date counts as parked. An earlier one than the year 2000 is parked here."""

CREATED = "action created"
STARTED = f"action started via {CONTEXT}"
COMPLETE = f"action complete via {CONTEXT}"
CANCELED = "action canceled"
IGNORED = f"action ignored via {CONTEXT}"
RESET = "action reset"
REVIVED = (
    f"action marked as failed by Action Scheduler while {CONTEXT} held it: its own outcome counts"
)
"""Ours alone: PHP's cleaner fails what was in progress for too long, whoever holds it."""

NOT_CALLED = f"action start taken back via {CONTEXT}: its handler was not called"

LONGEST_LOG = 60_000
"""Bytes of a log line: the column is TEXT (65,535 bytes)."""


def parked(date: str) -> str:
    """The date (UTC, as text) by which PHP's runner leaves an action alone."""
    if date >= PARKED_FROM:
        return date
    return max(f"{int(date[:4]) + PARKED_YEARS:04}{date[4:]}", PARKED_FROM)


def true_date(date: str, local: str = "") -> str:
    """The date that is meant, of one that may be parked. Where the local date, which is never
    moved, is as late, the date is true."""
    if date < PARKED_FROM or local >= PARKED_FROM:
        return date
    return f"{int(date[:4]) - PARKED_YEARS:04}{date[4:]}"


def failed(why: str) -> str:
    """The line of an action that failed for good, of the form that PHP writes."""
    return clipped(f"action failed via {CONTEXT}: {why}")


def retried(why: str, at: str) -> str:
    """Ours alone: Action Scheduler has no retries. `at` is a UTC date as text."""
    return clipped(f"action failed via {CONTEXT} and will be retried at {at} UTC: {why}")


def snoozed(why: str, at: str) -> str:
    reason = f": {why}" if why else ""
    return clipped(f"action put off via {CONTEXT} until {at} UTC{reason}")


def again(why: str) -> str:
    """Ours alone: Action Scheduler never runs a failed action again."""
    return clipped(f"action pending again for the {CONTEXT}: {why or 'somebody asked for it'}")


def hurried(why: str) -> str:
    """Ours alone: an action that was to come later is due at once."""
    return clipped(f"action due now for the {CONTEXT}: {why or 'somebody asked for it'}")


def locked(name: str) -> str:
    """Ours alone: another action holds the lock that this one needs."""
    return clipped(f"action put off via {CONTEXT} while another holds its {name}")


def prioritized(priority: int, why: str) -> str:
    """Ours alone: somebody wants it sooner, or later."""
    return clipped(f"action given priority {priority} via {CONTEXT}{f': {why}' if why else ''}")


def canceled(why: str) -> str:
    return clipped(f"{CANCELED} via {CONTEXT}: {why}") if why else CANCELED


def unreadable(why: str) -> str:
    """A row whose args or schedule cannot be read is canceled (as 4.0.0 does), its logs kept."""
    return clipped(f"{CANCELED} via {CONTEXT}: the row cannot be read: {why}")


def not_atomic(why: str) -> str:
    """Ours alone: a handler settled its action together with writes that are not undone."""
    return clipped(f"completed via {CONTEXT}, but not atomic: {why}")


def chain_ended(why: str) -> str:
    return clipped(f"no further instance of this action is scheduled: {why}")


def clipped(text: str) -> str:
    """A log line that fits its column, cut at a whole character."""
    data = text.encode("utf-8", "replace")
    if len(data) <= LONGEST_LOG:
        return data.decode()
    return data[:LONGEST_LOG].decode("utf-8", "ignore") + " […]"
