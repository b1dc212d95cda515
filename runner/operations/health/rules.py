"""The rules: from what was read to what is wrong. Pure: no rule asks anybody anything."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from runner.core.durations import duration
from runner.core.findings import Finding, Judged, Severity, State
from runner.core.pauses import GROUP, HOOK
from runner.core.thresholds import KNOWN, RULES
from runner.operations.rail import LATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.core.thresholds import Thresholds
    from runner.operations.health.vitals import Vitals, Waiting

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL

POINTS = 3
"""So many counts of what waits, at least, tell whether it only grows."""

COVERED = 0.75
"""Share of the time that is looked at which those counts must span."""

NAMED = 3
"""Hooks that a sentence names before it counts the rest."""


def judge(vitals: Vitals, thresholds: Thresholds) -> list[Judged]:
    """Every rule's answer, in the order of RULES, that of the database left out: it answered."""
    return [_judged(rule, vitals, thresholds) for rule in RULES if rule in _RULES]


def findings(judged: Iterable[Judged]) -> list[Finding]:
    return [finding for answer in judged for finding in answer.findings]


def worst(judged: Iterable[Judged]) -> State:
    """Of all rules; what is unknown or off counts as good."""
    states = {answer.state for answer in judged}
    return next((s for s in (State.CRITICAL, State.WARNING) if s in states), State.OK)


def _judged(rule: str, vitals: Vitals, limits: Thresholds) -> Judged:
    if all(limits.least(name) is None for name in _switches(rule)):
        return Judged(rule, State.OFF, "switched off")
    if rule in vitals.unknown:
        return Judged(rule, State.UNKNOWN, vitals.unknown[rule])
    if rule == "workers" and vitals.heartbeat is None and "overdue" in vitals.unknown:
        return Judged(rule, State.UNKNOWN, vitals.unknown["overdue"])
    if rule in vitals.unasked:
        return Judged(rule, State.OK, vitals.unasked[rule])
    look, fine = _RULES[rule]
    found = tuple(look(vitals, limits))
    if not found:
        return Judged(rule, State.OK, fine)
    critical = any(finding.severity is CRITICAL for finding in found)
    text = found[0].text if len(found) == 1 else f"{len(found)}: {found[0].text} …"
    return Judged(rule, State.CRITICAL if critical else State.WARNING, text, found)


def _switches(rule: str) -> list[str]:
    """The thresholds that switch a rule off."""
    return [name for name, known in KNOWN.items() if known.rule == rule and "." not in name]


def _stuck(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    by_hook: dict[str, list[tuple[int, int]]] = {}
    for action in vitals.silent:
        limit = limits.of("stuck", action.hook, [action.group])
        if limit is not None and action.seconds >= limit:
            by_hook.setdefault(action.hook, []).append((action.seconds, action.id))
    for hook, silent in sorted(by_hook.items()):
        seconds, example = max(silent)
        yield Finding(
            "stuck",
            WARNING,
            f"{_count(len(silent), 'action')} of {hook} {_runs(len(silent))} without a sign of"
            f" life, the longest for {duration(seconds)}",
            f"`runner explain {example}` says what holds the longest; a run of the queue takes back"
            " what a dead worker held.",
            f"{HOOK} {hook}",
            seconds,
        )


def _overdue(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    for scope, waiting in vitals.waiting.items():
        hook, groups = _named(scope)
        most, late = limits.of("overdue", hook, groups), limits.of("late", hook, groups)
        overdue = sum(row.overdue for row in waiting)
        behind = sum(row.late for row in waiting)
        if most is not None and overdue > most:
            yield _backed_up(vitals, scope, CRITICAL, overdue, LATE)
        elif late is not None and behind > late:
            yield _backed_up(vitals, scope, WARNING, behind, limits.number("late.seconds"))


def _backed_up(
    vitals: Vitals, scope: tuple[str, str], severity: Severity, number: int, seconds: float
) -> Finding:
    waiting, subject = vitals.waiting[scope], _subject(scope)
    oldest = min((row.oldest for row in waiting if row.oldest is not None), default=None)
    more = " or more" if number >= vitals.counted_to else ""
    since = "" if oldest is None else f", the oldest for {duration(vitals.now - oldest)}"
    return Finding(
        "overdue",
        severity,
        f"{_count(number, 'action', more)}{_of(subject)} {_are(number)} overdue by more than"
        f" {duration(seconds)}{since}: {_largest(waiting)}",
        "See that the queue is run (`runner worker list`, `runner doctor`); if it is, give it more"
        " children.",
        subject,
        number,
    )


def _largest(waiting: Sequence[Waiting]) -> str:
    """The hooks that most of it is of."""
    hooks: dict[str, int] = {}
    for row in waiting:
        hooks[row.hook] = hooks.get(row.hook, 0) + row.overdue
    most = sorted(hooks.items(), key=lambda item: (-item[1], item[0]))
    names = ", ".join(f"{hook} ({count})" for hook, count in most[:NAMED])
    return names + (f" and {len(most) - NAMED} more" if len(most) > NAMED else "")


def _failures(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    seconds = limits.number("failures.seconds")
    for row in vitals.ended:
        groups = vitals.groups_of.get(row.hook, frozenset())
        most = limits.of("failures", row.hook, groups)
        least = limits.of("failures.least", row.hook, groups) or 0
        rate = row.failed * 100 / (row.done + row.failed)
        if most is not None and rate > most and row.failed >= least:
            yield Finding(
                "failures",
                WARNING,
                f"{rate:.0f} % of {row.hook} failed within {duration(seconds)}: {row.failed} of"
                f" {row.done + row.failed}",
                f"`runner action list --status failed --hook {row.hook}` lists them.",
                f"{HOOK} {row.hook}",
                round(rate, 2),
            )


def _dead_letters(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    by_hook: dict[str, int] = {}
    allowed: dict[str, list[float | None]] = {}
    for row in vitals.letters:
        by_hook[row.hook] = by_hook.get(row.hook, 0) + row.letters
        allowed.setdefault(row.hook, []).append(limits.of("dead_letters", row.hook, [row.group]))
    for hook, letters in by_hook.items():
        if None in allowed[hook]:
            continue
        if letters >= max(value for value in allowed[hook] if value is not None):
            seconds = limits.number("dead_letters.seconds")
            yield Finding(
                "dead_letters",
                WARNING,
                f"{_count(letters, 'new dead letter')} of {hook} within {duration(seconds)}",
                "`runner dead-letter list` lists them; replay or discard them.",
                f"{HOOK} {hook}",
                letters,
            )


def _backlog(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    for scope, points in vitals.grown.items():
        most = limits.of("backlog", *_named(scope))
        counts = [count for _, count in points]
        if most is None or len(counts) < POINTS or not _only_grows(counts):
            continue
        seconds, grew = points[-1][0] - points[0][0], counts[-1] - counts[0]
        if grew > most and seconds >= limits.number("backlog.seconds") * COVERED:
            yield Finding(
                "backlog",
                WARNING,
                f"what waits{_of(_subject(scope))} only grows: from {counts[0]} to {counts[-1]} due"
                f" actions within {duration(seconds)}",
                "More comes than is done: give the queue more children, or see who enqueues.",
                _subject(scope),
                grew,
            )


def _only_grows(counts: Sequence[int]) -> bool:
    return all(later >= earlier for earlier, later in pairwise(counts))


def _chains(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    for hook, newest in sorted(vitals.stopped.items()):
        if limits.of("chains", hook, vitals.groups_of.get(hook, frozenset())) is not None:
            yield Finding(
                "chains",
                WARNING,
                f"{hook} recurred and has no next action: it will not run again",
                f"See the log of its newest action (`runner action logs {newest}`); the plugin that"
                " owns it may have to schedule it anew.",
                f"{HOOK} {hook}",
                1,
                {"hook": hook, "newest": newest},
            )


def _php(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    if vitals.php_late:
        seen, limit = vitals.php_late["seen"], limits.of("php") or 0
        last = f"it wrote its last line at {seen} UTC" if seen else "it wrote no line lately"
        yield Finding(
            "php",
            CRITICAL,
            f"PHP's runner is silent for more than {duration(limit)} while actions of PHP are due"
            f" ({vitals.php_late['hook']}); {last}",
            "See that WP-Cron runs, or whatever calls `wp action-scheduler run`: open a page of the"
            " site, and look at its PHP error log.",
            number=limit,
        )


def _workers(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:
    limit = limits.of("workers") or 0
    waits = max((vitals.now - at for at in _ours_since(vitals)), default=0)
    if vitals.heartbeat is not None and vitals.heartbeat <= limit:
        return
    if vitals.heartbeat is not None:
        text = f"no worker gave a sign of life for {duration(vitals.heartbeat)}"
        number = vitals.heartbeat
    elif waits > 2 * limit:
        text = f"no worker is there, and actions of Python wait for up to {duration(waits)}"
        number = waits
    else:
        return
    yield Finding(
        "workers",
        CRITICAL,
        text,
        "Start the runner again (`systemctl status runner`, or the cron line of `runner run`).",
        number=number,
    )


def _ours_since(vitals: Vitals) -> list[int]:
    return [
        row.oldest
        for waiting in vitals.waiting.values()
        for row in waiting
        if row.hook in vitals.ours and row.oldest is not None
    ]


def _protection(vitals: Vitals, limits: Thresholds) -> Iterable[Finding]:  # noqa: ARG001  as all rules
    if vitals.harmed:
        yield Finding(
            "protection",
            CRITICAL,
            f"PHP's runner can take and fail actions of Python: {'; '.join(vitals.harmed[:NAMED])}",
            "`runner doctor` says more; `runner install` puts the plugin in place.",
            number=len(vitals.harmed),
        )


_RULES: Mapping[str, tuple[Callable[[Vitals, Thresholds], Iterable[Finding]], str]] = {
    "stuck": (_stuck, "what runs gives signs of life"),
    "overdue": (_overdue, "what is due is run in time"),
    "failures": (_failures, "few or none failed"),
    "dead_letters": (_dead_letters, "none are new"),
    "backlog": (_backlog, "what waits does not only grow"),
    "chains": (_chains, "what recurs goes on"),
    "php": (_php, "PHP's runner keeps up"),
    "workers": (_workers, "a worker was seen, or nothing waits for one"),
    "protection": (_protection, "PHP leaves Python's actions alone"),
}


def _named(scope: tuple[str, str]) -> tuple[str, list[str]]:
    """Hook and groups that thresholds of this scope are asked for by."""
    kind, name = scope
    return (name if kind == HOOK else ""), ([name] if kind == GROUP else [])


def _subject(scope: tuple[str, str]) -> str:
    return " ".join(filter(None, scope))


def _of(subject: str) -> str:
    return f" of {subject}" if subject else ""


def _count(number: int, noun: str, more: str = "") -> str:
    return f"{number:,}{more} {noun}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _runs(number: int) -> str:
    return "runs" if number == 1 else "run"
