"""Why an action has not run, or what happened to it: in words, with what to do. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from compat.action_scheduler import PARKED_FROM
from compat.args import ArgsError, decode
from compat.site_time import epoch_of, sql_date
from runner.core.model import Status
from runner.core.pauses import EVERYTHING, GROUP, HOOK
from runner.core.rates import available, free_at
from runner.core.throttle import Throttle
from runner.operations.pauses import Pauses
from runner.operations.safety import other_site
from runner.operations.workers import ALIVE
from runner.site import identifiers
from runner.sources.gates import now_of, spent_of, taken_of
from runner.sources.rows import Unreadable, schedule_of, stored_args
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runner.core.pauses import Pause
    from runner.handlers.registry import Handlers
    from runner.site import Site
    from runner.storage.db import Database, Row

COUNTED = 10_000
"""What is ahead is counted no further, and a chain's next action looked for among so many."""

_LAST = "9999-12-31 23:59:59"
"""No date comes after it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason: a `code` that stays as it is, what is so, and what to do about it."""

    code: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What works here: the handlers, and the names of the groups that runs of these settings take
    or leave out."""

    handlers: Handlers
    groups: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody has read already, so that it is not asked for again; None is not known.

    `paused` says whether anything is; `seen` is when a worker was seen last (epoch seconds), 0 for
    never; `letters` are those of the action and the one that it replays, the oldest first."""

    last_line: str | None = None
    paused: bool | None = None
    seen: int | None = None
    letters: Sequence[Row] | None = None


def row_of(database: Database, site: Site, id_: int) -> Row | None:
    """The action as `explain` sees it."""
    queries = Queries("explain.sql", database.dialect, identifiers(site, database.dialect))
    rows = database.query(queries["row"], id=id_)
    return rows[0] if rows else None


def explain(database: Database, site: Site, work: Work, id_: int) -> tuple[Cause, ...]:
    """All causes that hold, the first the one that matters. Empty where there is no such action."""
    row = row_of(database, site, id_)
    return () if row is None else explain_row(database, site, work, row, Known())


def explain_row(
    database: Database, site: Site, work: Work, row: Row, known: Known
) -> tuple[Cause, ...]:
    """The same of a row that `row_of` gave."""
    queries = Queries("explain.sql", database.dialect, identifiers(site, database.dialect))
    story = _Story(database, site, work, queries, row, known=known)
    told = _BY_STATUS.get(story.status, (_strange,))
    return tuple(cause for why in told for cause in why(story))


class _Story:
    """One action, and what is asked about it when it matters."""

    def __init__(
        self,
        database: Database,
        site: Site,
        work: Work,
        queries: Queries,
        row: Row,
        *,
        known: Known,
    ) -> None:
        self.known = known
        self.site = site
        self.work = work
        self.row = row
        self.id = int(row["action_id"])
        self.hook = str(row["hook"])
        self.group = str(row["slug"] or "")
        self.status = str(row["status"])
        self.now = int(row["now"])
        self.due = epoch_of(row["due"])
        self._database = database
        self._queries = queries

    def ask(self, name: str, **values: object) -> list[Row]:
        return self._database.query(self._queries[name], **values)

    @cached_property
    def is_ours(self) -> bool:
        return self.hook in self.work.handlers.hooks

    @cached_property
    def is_parked(self) -> bool:
        return str(self.row["due"]) != str(self.row["scheduled_date_gmt"])

    @cached_property
    def is_recurring(self) -> bool:
        try:
            return schedule_of(self.row["schedule"]).is_recurring
        except Unreadable:
            return False

    @cached_property
    def problem(self) -> str:
        """What cannot be read of it; empty when all can."""
        try:
            schedule_of(self.row["schedule"])
            decode(stored_args(self.row), None)
        except Unreadable as error:
            return str(error)
        except ArgsError as error:
            return f"its args: {error}"
        return ""

    @cached_property
    def holder(self) -> Row | None:
        """The lease of the claim that has it."""
        if not self.site.migrated:
            return None
        waits_plainly = self.status == Status.PENDING and not self.is_parked
        if waits_plainly and not self.row["claim_id"]:
            return None
        rows = self.ask("holders", id=self.id, claim=int(self.row["claim_id"]))
        return rows[0] if rows else None

    @cached_property
    def pauses(self) -> list[Pause]:
        if not self.site.migrated or self.known.paused is False:
            return []
        named = {(EVERYTHING, ""), (HOOK, self.hook), (GROUP, self.group)}
        found = Pauses(self._database, self.site).list()
        return [pause for pause in found if (pause.kind, pause.name) in named]

    @cached_property
    def seen(self) -> int:
        """When a worker was seen last, in epoch seconds; 0 for never."""
        if self.known.seen is not None:
            return self.known.seen
        rows = self.ask("workers")
        return (epoch_of(rows[0]["seen_at"]) or 0) if rows else 0

    def letters(self) -> Sequence[Row]:
        """Its newest dead letter, in a list."""
        if self.known.letters is None:
            return self.ask("letter", id=self.id)
        return [row for row in self.known.letters if row["action_id"] == self.id][-1:]

    def replay_of(self) -> Sequence[Row]:
        """The letter that it is a replay of, in a list."""
        if self.known.letters is None:
            return self.ask("replay_of", id=self.id)
        return [
            row
            for row in self.known.letters
            if row["replayed_as"] == self.id and row["action_id"] != self.id
        ][:1]

    @cached_property
    def throttle(self) -> Throttle:
        return self.work.handlers.throttles().get(self.hook, Throttle())

    @cached_property
    def last_line(self) -> str:
        if self.known.last_line is not None:
            return self.known.last_line
        rows = self.ask("last_line", id=self.id)
        return str(rows[0]["message"]) if rows else ""

    def closed(self) -> Iterator[Cause]:
        """Which of its limits let nothing through now."""
        if not (self.site.migrated and self.is_ours and self.throttle):
            return
        gates = Queries(
            "gates.sql", self._database.dialect, identifiers(self.site, self._database.dialect)
        )
        names = sorted(self.throttle.gates)
        lock = None
        if self.throttle.lock and not self.problem:
            lock = self.throttle.lock(decode(stored_args(self.row), None))
        wanted = [*names, *([lock.name] if lock else [])]
        places = self._database.query(gates["places"], names=wanted)
        spent = spent_of(self._database.query(gates["rates"], names=names)) if names else {}
        now, taken = now_of(places), taken_of(places)
        for name, rate in self.throttle.rates.items():
            if not available(rate, spent.get(name, 0.0), now):
                left = free_at(rate, spent[name]) - now
                text = f"the rate {rate} of {name} is used up for {left:.1f} s."
                yield Cause("rate", text, "It goes on by itself.")
        for name, most in self.throttle.places.items():
            if len(taken.get(name, ())) >= most:
                yield self._taken(name, most)
        if lock and taken.get(lock.name):
            yield self._taken(lock.name, 1)

    def _taken(self, name: str, most: int) -> Cause:
        who = "; ".join(
            f"action {row['action_id']} ({row['host'] or 'a worker that is gone'}, process"
            f" {row['pid'] or '?'})"
            for row in self.ask("lock_holders", names=[name])
        )
        if name.startswith("lock:"):
            return Cause("locked", f"{name} is held by {who}.", "It goes on when that is over.")
        text = f"all {most} places of {name} are taken by {who}."
        return Cause("full", text, "It goes on when one of them is over.")


def _clone(story: _Story) -> Iterator[Cause]:
    site, installed = story.site, story.site.installed
    if installed is None or (not installed.problem and installed.is_for(site.url, site.database)):
        return
    text = f"the option of the installation {installed.problem}."
    if not installed.problem:
        text = other_site(installed, site)
    advice = "Nothing runs here until `runner install --confirm-site`, if this is the site."
    yield Cause("clone", text, advice)


def _corrupt(story: _Story) -> Iterator[Cause]:
    if story.problem:
        text = f"the row cannot be read: {story.problem}."
        yield Cause("corrupt", text, "The next claim cancels it and keeps it as a dead letter.")


def _claimed(story: _Story) -> Iterator[Cause]:
    held = story.holder
    if held and held["alive"]:
        yield Cause("claimed.live", f"{_whose(held)} has claimed it and begins it soon.")
    elif held:
        text = f"{_whose(held)} had claimed it and died; its lease ended {held['expires_at']} UTC."
        yield Cause("claimed.dead", text, "The next run takes it back: see that one runs.")
    elif story.row["claim_id"]:
        text = f"claim {story.row['claim_id']} has it, which is no worker's that is known here."
        advice = "PHP's cleaner, or a run, frees it after 300 s without a sign of life."
        yield Cause("claimed.other", text, advice)


def _future(story: _Story) -> Iterator[Cause]:
    if story.due is not None and story.due > story.now:
        why = ""
        if "will be retried" in story.last_line or "put off" in story.last_line:
            why = f" Its log: {story.last_line}"
        text = f"it is due {sql_date(story.due)} UTC, in {_span(story.due - story.now)}.{why}"
        advice = f"`runner action run {story.id}` runs it now." if story.is_ours else ""
        yield Cause("future", text, advice)


def _paused(story: _Story) -> Iterator[Cause]:
    for pause in story.pauses:
        option = f"--{pause.kind} {pause.name}".strip()
        yield Cause("paused", f"paused: {pause}.", f"`runner resume {option}` ends that.")


def _whose_hook(story: _Story) -> Iterator[Cause]:
    """Of hooks that have no handler here."""
    if story.is_ours:
        return
    installed = story.site.installed
    if story.is_parked or (installed and story.hook in installed.hooks):
        text = f"hook {story.hook} is Python's on this site, and no handler for it is known here."
        advice = (
            "Give --handlers as for the runner; or register one; or run `runner install` again."
        )
        yield Cause("no_handler.ours", text, advice)
        return
    text = f"no Python handler here is for hook {story.hook}: it is PHP's to run."
    yield Cause("no_handler", text, "Give --handlers as for the runner, if that is wrong.")
    if not story.site.php_scheduled:
        text = "WP-Cron does not start PHP's runner on this site."
        yield Cause("php.off", text, "`wp action-scheduler run` runs it, where PHP knows the hook.")
        return
    claims = int(story.ask("php_claims")[0]["claims"])
    if claims:
        text = f"{claims} claim{'s are' if claims > 1 else ' is'} open, and PHP's runner begins no"
        text += " batch while there are as many as it may have at a time (one, unless filtered)."
        yield Cause("php.full", text, "Its cleaner ends old ones after 300 s; see `runner doctor`.")


def _exposed(story: _Story) -> Iterator[Cause]:
    installed = story.site.installed
    if installed and story.hook in installed.hooks and not story.is_parked and story.is_ours:
        if str(story.row["due"]) >= PARKED_FROM:
            return
        text = "it is not parked yet: PHP's runner could take it, and would fail it."
        yield Cause("exposed", text, "The next look parks it; see `runner doctor` for the plugin.")


def _excluded(story: _Story) -> Iterator[Cause]:
    work = story.work
    left_out = bool(work.groups) and story.group not in work.groups
    if left_out or (story.group and story.group in work.excluded):
        text = f"runs of these settings leave out group {story.group or '(none)'}."
        yield Cause("excluded", text, "See --group and --exclude-groups (`runner config`).")


def _nobody(story: _Story) -> Iterator[Cause]:
    """Of Python's hooks, when no daemon is at work."""
    if not (story.is_ours and story.site.migrated):
        return
    seen = story.seen
    if story.now - seen <= ALIVE:
        return
    last = f"; the last one was seen {sql_date(seen)} UTC" if seen else ""
    advice = "Start `runner work`, or see that cron starts `runner run`."
    yield Cause("no_worker", f"no worker is at work on this site{last}.", advice)


def _due(story: _Story) -> Iterator[Cause]:
    if story.due is None or story.due > story.now or not story.is_ours or story.row["claim_id"]:
        return
    stored = str(story.row["scheduled_date_gmt"])
    ahead = int(story.ask("ahead", hook=story.hook, stored=stored, limit=COUNTED)[0]["actions"])
    shown = f"{ahead:,} or more" if ahead == COUNTED else f"{ahead:,}"
    text = f"it is due since {sql_date(story.due)} UTC ({_span(story.now - story.due)}); {shown} of"
    yield Cause("due", f"{text} its hook come before it.", "The next look takes what is due.")


def _runs(story: _Story) -> Iterator[Cause]:
    held = story.holder
    if held and held["alive"]:
        text = f"it runs: {_whose(held)} has it, attempt {story.row['attempts']}."
        advice = f"`runner action cancel {story.id} --running` stops it."
        yield Cause("running", text, advice)
    elif held:
        text = f"it ran when {_whose(held)} died; its lease ended {held['expires_at']} UTC."
        advice = "The next run judges it by its handler's on_crash: see that one runs."
        yield Cause("running.dead", text, advice)
    else:
        since = story.row["last_attempt_gmt"] or "an unknown date"
        text = f"it runs since {since} UTC, and no worker that is known here has it: PHP's runner?"
        advice = "If nobody does, PHP's cleaner fails it, or a run takes it back, after 300 s."
        yield Cause("running.other", text, advice)


def _complete(story: _Story) -> Iterator[Cause]:
    times = f"{story.row['attempts']} attempt{'' if int(story.row['attempts']) == 1 else 's'}"
    yield Cause("complete", f"it is complete since {story.row['last_attempt_gmt']} UTC, {times}.")
    if story.site.migrated:
        for row in story.replay_of():
            text = f"it was a replay of dead letter {row['id']} (action {row['action_id']})."
            yield Cause("replay", text)


def _failed(story: _Story) -> Iterator[Cause]:
    text = f"it failed for good: {story.last_line or 'its log says nothing'}."
    letters = story.letters() if story.site.migrated else []
    if not letters:
        yield Cause("failed", text, f"`runner action retry {story.id}` runs it again.")
        return
    letter = letters[0]
    number = letter["id"]
    if letter["status"] == "replayed":
        text += f" Dead letter {number} was replayed as action {letter['replayed_as']}."
        yield Cause("failed.replayed", text, f"`runner explain {letter['replayed_as']}`.")
    elif letter["status"] == "discarded":
        text += f" Dead letter {number} was discarded by {letter['reprocessed_by']}."
        yield Cause("failed.discarded", text)
    else:
        advice = f"`runner dead-letter get {number}` tells all, `… replay {number}` runs it again."
        yield Cause("failed.letter", text, advice)


def _canceled(story: _Story) -> Iterator[Cause]:
    text = f"it is canceled: {story.last_line or 'its log says nothing'}."
    if story.problem:
        advice = "Its args or its schedule must be mended first: see `runner action get`."
        yield Cause("canceled.corrupt", text, advice)
    else:
        yield Cause("canceled", text, f"`runner action retry {story.id}` runs it after all.")


def _chain(story: _Story) -> Iterator[Cause]:
    """Of a recurring action: whether there is a next one."""
    if not story.is_recurring:
        return
    facts = {name: story.row[name] for name in ("args", "group_id")}
    following = story.ask("next_of_chain", hook=story.hook, id=story.id, limit=COUNTED, **facts)
    if following:
        text = f"its chain goes on with action {following[0]['action_id']}, due"
        yield Cause("chain", f"{text} {following[0]['due']} UTC.")
        return
    if (
        int(story.ask("ahead", hook=story.hook, stored=_LAST, limit=COUNTED)[0]["actions"])
        == COUNTED
    ):
        return  # it may be among the others
    advice = "WordPress may schedule it again by itself; `runner action create` can."
    yield Cause("chain.stopped", "its chain has stopped: no next action is pending.", advice)


def _strange(story: _Story) -> Iterator[Cause]:
    if story.status == "runner-aside":
        text = "PHP's runner looks at it, and the plugin has moved it aside for that moment."
        yield Cause("aside", text, "It is pending again within a minute.")
    else:
        yield Cause("status", f"its status, {story.status}, is none that is known here.")


_BY_STATUS: Mapping[str, tuple[Callable[[_Story], Iterator[Cause]], ...]] = {
    Status.PENDING: (
        _clone, _corrupt, _claimed, _future, _paused, _whose_hook, _exposed, _excluded,
        _Story.closed, _nobody, _due,
    ),
    Status.RUNNING: (_clone, _runs),
    Status.COMPLETE: (_complete, _chain),
    Status.FAILED: (_failed, _chain),
    Status.CANCELED: (_canceled, _chain),
}  # fmt: skip


def _whose(held: Row) -> str:
    if held["host"] is None:
        return "a worker that has left the list"
    return f"{held['host']}, process {held['pid']}"


def _span(seconds: int) -> str:
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds} s"
