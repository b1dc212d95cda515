"""What people change, from the shell and from the page: each change has an actor, leaves a line in
the action's log, and a row in the audit."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from runner.operations import changes
from runner.operations.audit import NAMED, Actor, Audit, Entry
from runner.operations.dead_letters import DeadLetters
from runner.operations.health.alerts import Alerts
from runner.operations.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compat.args import StoredArgs
    from runner.operations.pauses import Target
    from runner.site import Site
    from runner.storage.db import Database


class Manage:
    """The changes that one person makes on one site. Without the runner's own tables there is no
    audit, and what needs them raises SiteError."""

    def __init__(self, database: Database, site: Site, actor: Actor) -> None:
        self._database = database
        self._site = site
        self._actor = actor
        self._audit = Audit(database, site) if site.migrated else None
        self._together: Entry | None = None

    def run_now(self, ids: Sequence[int]) -> list[int]:
        """As `changes.run_now`."""
        with self._entry("run", ids) as entry:
            return self._counted(entry, changes.run_now(*self._place, ids, why=self._by()))

    def retry(self, ids: Sequence[int]) -> list[int]:
        """As `changes.retry`."""
        with self._entry("retry", ids) as entry:
            done = changes.retry(*self._place, ids, why=self._by(), actor=self._actor.name)
            return self._counted(entry, done)

    def cancel(self, ids: Sequence[int], *, running: bool = False) -> list[int]:
        """As `changes.cancel`; with `running` those too that a worker of ours runs."""
        with self._entry("cancel", ids) as entry:
            done = changes.cancel(*self._place, ids, why=self._by())
            if running and (left := [id_ for id_ in ids if id_ not in {*done}]):
                done += changes.cancel_running(*self._place, left, why=self._by())
            return self._counted(entry, done)

    def delete(self, ids: Sequence[int], *, running: bool = False) -> list[int]:
        """As `changes.delete`. Their logs go with them: the audit keeps their hooks' names."""
        with self._entry("delete", ids, hooks=self._hooks(ids)) as entry:
            return self._counted(entry, changes.delete(*self._place, ids, running=running))

    def put_off(self, ids: Sequence[int], at: int, why: str = "") -> list[int]:
        """As `changes.put_off`, `at` in epoch seconds."""
        with self._entry("snooze", ids, note=why) as entry:
            return self._counted(entry, changes.put_off(*self._place, ids, at, why=self._by(why)))

    def prioritize(self, ids: Sequence[int], priority: int, why: str = "") -> list[int]:
        """As `changes.prioritize`."""
        with self._entry("priority", ids, note=f"{priority} {why}".strip()) as entry:
            done = changes.prioritize(*self._place, ids, priority, why=self._by(why))
            return self._counted(entry, done)

    def replay(self, letter: int, *, args: StoredArgs | None = None) -> int:
        """As `DeadLetters.replay`: the new action's id."""
        letters = self._letters
        note = "with other args" if args else ""
        with self._entry("replay", [letter], of="dead letter", note=note) as entry:
            new = letters.replay(letter, self._actor.name, args=args)
            self._counted(entry, [new])
            return new

    def discard(self, letter: int, why: str = "") -> None:
        """As `DeadLetters.discard`."""
        letters = self._letters
        with self._entry("discard", [letter], of="dead letter", note=why) as entry:
            letters.discard(letter, self._actor.name, why)
            self._counted(entry, [letter])

    def pause(self, target: Target, *, until: int | None, reason: str = "") -> None:
        """As `Pauses.pause`."""
        pauses = Pauses(*self._place)
        with self._entry("pause", [], target=str(target), note=reason) as entry:
            pauses.pause(target, until=until, reason=reason, actor=self._actor.name)
            entry.asked = entry.changed = 1

    def resume(self, target: Target) -> bool:
        """As `Pauses.resume`: whether it was paused."""
        pauses = Pauses(*self._place)
        with self._entry("resume", [], target=str(target)) as entry:
            was = pauses.resume(target)
            entry.asked, entry.changed = 1, int(was)
            return was

    def silence(self, rule: str, subject: str, *, until: int, reason: str = "") -> None:
        """As `Alerts.silence`."""
        alerts = Alerts(*self._place)
        with self._entry("silence", [], target=silenced(rule, subject), note=reason) as entry:
            alerts.silence(rule, subject, until=until, reason=reason, actor=self._actor.name)
            entry.asked = entry.changed = 1

    def unsilence(self, rule: str, subject: str) -> bool:
        """As `Alerts.unsilence`: whether it was silenced."""
        alerts = Alerts(*self._place)
        with self._entry("unsilence", [], target=silenced(rule, subject)) as entry:
            was = alerts.unsilence(rule, subject)
            entry.asked, entry.changed = 1, int(was)
            return was

    @contextmanager
    def together(self, verb: str, target: str) -> Iterator[Entry]:
        """What is changed meanwhile is one entry of the audit: many actions, some at a time, or
        what another module changes."""
        entry = Entry(verb, target, 0)
        with self._written(entry):
            self._together = entry
            try:
                yield entry
            finally:
                self._together = None

    @cached_property
    def _letters(self) -> DeadLetters:
        """Raises SiteError without the runner's own tables."""
        return DeadLetters(*self._place)

    @property
    def _place(self) -> tuple[Database, Site]:
        return self._database, self._site

    def _by(self, why: str = "") -> str:
        """The reason and the name, for the log."""
        words = " ".join(why.split())
        by = f"by {self._actor.name}"
        return f"{words} ({by})" if words else by

    def _hooks(self, ids: Sequence[int]) -> list[str]:
        """The names of hooks that the audit is to keep of these; none once it has enough."""
        known = self._together.hooks if self._together else []
        if not ids or self._audit is None or len(known) > NAMED:
            return []
        return changes.hooks_of(*self._place, ids, NAMED + 1)

    @contextmanager
    def _entry(
        self,
        verb: str,
        ids: Sequence[int],
        *,
        of: str = "action",
        target: str = "",
        note: str = "",
        hooks: Sequence[str] = (),
    ) -> Iterator[Entry]:
        if (whole := self._together) is not None:
            whole.asked += len(ids)
            whole.hooks += [hook for hook in hooks if hook not in whole.hooks]
            yield whole
            return
        entry = Entry(verb, target or named(ids, of), len(ids), note, hooks=[*hooks])
        with self._written(entry):
            yield entry

    @contextmanager
    def _written(self, entry: Entry) -> Iterator[None]:
        """Before the change and after it, also after one that failed."""
        if self._audit is None:
            yield
            return
        self._audit.begin(self._actor, entry)
        try:
            yield
        finally:
            self._audit.end(entry)

    @staticmethod
    def _counted(entry: Entry, done: list[int]) -> list[int]:
        entry.changed += len(done)
        return done


def silenced(rule: str, subject: str) -> str:
    """`alerts`, `alerts of stuck`, `alerts of stuck, hook shop_sync`."""
    return f"alerts of {', '.join(filter(None, (rule, subject)))}" if rule or subject else "alerts"


def named(ids: Sequence[int], of: str = "action") -> str:
    """`action 48211`, `3 actions: 1, 2, 3`."""
    if len(ids) == 1:
        return f"{of} {ids[0]}"
    some = ", ".join(str(id_) for id_ in ids[:NAMED])
    more = ", …" if len(ids) > NAMED else ""
    return f"{len(ids)} {of}s: {some}{more}"


__all__ = ["Actor", "Manage", "named", "silenced"]
