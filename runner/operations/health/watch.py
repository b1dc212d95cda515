"""One look after another: read, judge, write down, tell. Who does it is the daemon, once a minute,
or `runner health --send` from cron; of several at a time, one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runner.core.durations import duration
from runner.core.errors import ConfigError, DatabaseError, DatabaseGone, RunnerError, SiteError
from runner.core.findings import Finding, Judged, Severity, State
from runner.core.message import RAISED, STILL, Line, Message
from runner.core.redact import redact_text
from runner.operations.health.alerts import Alerts, Telling, addressee
from runner.operations.health.looks import Looks
from runner.operations.health.lost import Memory
from runner.operations.health.outbox import Outbox
from runner.operations.health.rules import findings, judge, worst
from runner.operations.health.vitals import Setting, vitals
from runner.site import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from runner.core.message import Channel
    from runner.core.thresholds import Thresholds
    from runner.operations.health.lost import Lost
    from runner.site import Site
    from runner.storage.db import Database

    Open = Callable[[], AbstractContextManager[tuple[Database, Site]]]


AFTER_OUTAGE = 5
"""Seconds that a runner which remembers an outage waits for another one's look: it has something to
tell, and must forget it."""

SHOUT = 35.0
"""Seconds that all channels together have to tell of an outage; they go on by themselves."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings say of health: against what is judged, and whom it is told how. `hooks`
    have a handler here; `cooldown` is in seconds; `pulse` tells the outside that all is well."""

    thresholds: Thresholds
    hooks: Sequence[str] = ()
    mode: str = "auto"
    folder: Path | None = None
    channels: Sequence[Channel] = ()
    most: int = 20
    cooldown: int = 1800
    link: str = ""
    host: str = ""
    pulse: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to, at `now` by the database's clock and `ticks` by this machine's. `held`
    says that it was not judged, for the time was changed; `alone` that this runner wrote it down,
    and not another one."""

    judged: Sequence[Judged]
    site: str = ""
    now: int = 0
    held: bool = False
    alone: bool = True
    ticks: float = 0.0

    @property
    def state(self) -> State:
        return worst(self.judged)


def look(database: Database, site: Site, plan: Plan) -> Look:
    """Reads and judges; writes nothing."""
    known = _open_chains(database, site) if site.migrated else {}
    setting = Setting(plan.thresholds, plan.hooks, plan.mode, plan.folder, known)
    seen = vitals(database, site, setting)
    answered = Judged("database", State.OK, "it answers")
    judged = [*judge(seen, plan.thresholds), answered]
    return Look(judged, site.name, seen.now, ticks=seen.ticks)


def unreachable(error: RunnerError, plan: Plan) -> Look:
    """What a look comes to that finds no database."""
    if plan.thresholds.of("database") is None:
        return Look([Judged("database", State.OFF, "switched off")])
    what = "database is out of reach" if isinstance(error, DatabaseGone) else "site cannot be read"
    text = f"the {what}: {redact_text(str(error))}"
    found = replace(_LOST, text=text)
    return Look([Judged("database", State.CRITICAL, text, (found,))])


class Watch:
    """Looks and tells, for one site. `open_` connects, `lost` remembers an outage between looks,
    `tell` hears what went wrong with that itself."""

    def __init__(self, open_: Open, plan: Plan, lost: Lost, tell: Callable[[str], object]) -> None:
        self._open = open_
        self._plan = plan
        self._lost = lost
        self._tell = tell
        self._posts = {channel.name: _Post(channel) for channel in plan.channels}
        self._beating = _Errand("pulse")

    def once(self) -> Look:
        """One look, and what is to be told of it. Raises RunnerError for what is no outage."""
        try:
            with self._open() as (database, site):
                seen = self._look(database, site)
        except (DatabaseError, SiteError) as error:
            seen = unreachable(error, self._plan)
            self._miss(seen)
            return seen
        self.deliver()
        if self._plan.pulse and seen.state is not State.CRITICAL:
            self._beating.begin(self._beat, self._plan.pulse)
        return seen

    def deliver(self) -> None:
        """Sends what is due, each channel in a thread of its own: one that hangs holds up nobody,
        and is left alone until it has ended."""
        for post in self._posts.values():
            post.start(self._open, self._tell)

    def join(self, seconds: float) -> None:
        """Waits for the channels and the pulse that long."""
        until = time.monotonic() + seconds
        for errand in (*self._posts.values(), self._beating):
            errand.join(max(until - time.monotonic(), 0.0))

    def _look(self, database: Database, site: Site) -> Look:
        if not site.migrated:
            raise ConfigError("alerts need the runner's own tables: run `runner migrate`")
        seen = look(database, site, self._plan)
        wait = AFTER_OUTAGE if self._lost.read().since else 0
        with alone(database, site, "health", wait) as taken:
            if not taken:
                return replace(seen, alone=False)
            return replace(seen, held=self._write(database, site, seen))

    def _write(self, database: Database, site: Site, seen: Look) -> bool:
        """Writes down what was seen, and what is to be told of it. Whether it was not judged."""
        plan = self._plan
        names = [channel.name for channel in plan.channels]
        looks = Looks(database, site, plan.host)
        held = looks.begin(seen.now, plan.thresholds, names, ticks=seen.ticks)
        to = addressee(database, site) if names else ""
        telling = Telling(names, plan.most, plan.cooldown, plan.link, to)
        alerts = Alerts(database, site)
        self._found_again(alerts, site, telling)
        undecided = [j.rule for j in seen.judged if j.state is State.UNKNOWN]
        alerts.update(findings(seen.judged), telling, undecided=undecided, hold=held)
        return held

    def _found_again(self, alerts: Alerts, site: Site, telling: Telling) -> None:
        """The database answers: an outage that was remembered is over."""
        memory = self._lost.read()
        if memory.since:
            self._hear(memory)
            seconds = max(int(time.time() - memory.since), 0)
            text = f"the database was out of reach for {duration(seconds)}"
            found = replace(_LOST, text=text)
            if memory.told or seconds >= (self._plan.thresholds.of("database") or seconds + 1):
                alerts.record(found, seconds, telling, told=bool(memory.told))
        fresh = (site.name, site.url, telling.to)
        if memory.since or (memory.site, memory.url, memory.to) != fresh:
            self._remember(Memory(0.0, {}, *fresh))

    def _miss(self, seen: Look) -> None:
        """The database does not answer: after a while that is told, without it."""
        memory, now = self._lost.read(), time.time()
        limit = self._plan.thresholds.of("database")
        if not memory.since or memory.since > now:
            memory.since = now
        if limit is not None and now - memory.since >= limit and seen.judged[0].findings:
            self._shout(memory, seen.judged[0].findings[0], now)
        self._remember(memory)

    def _shout(self, memory: Memory, found: Finding, now: float) -> None:
        """Straight to the channels, each until it has heard, and again after the cooldown."""
        self._hear(memory)
        for post in self._posts.values():
            told = memory.told.get(post.channel.name)
            if told is not None and 0 <= now - told < self._plan.cooldown:
                continue
            line = Line(
                STILL if told else RAISED, found.rule, found.severity, "", found.text, found.advice,
                int(memory.since), int(now),
            )  # fmt: skip
            message = Message(
                "", memory.site or "this site", memory.url, self._plan.link, (line,), to=memory.to
            )
            post.shout(message, self._tell)
        self.join(SHOUT)
        self._hear(memory)

    def _hear(self, memory: Memory) -> None:
        """Notes which channels took word of this outage."""
        for name, post in self._posts.items():
            if post.took_at >= memory.since:
                memory.told[name] = post.took_at

    def _remember(self, memory: Memory) -> None:
        try:
            self._lost.write(memory)
        except RunnerError as error:
            self._tell(str(error))

    def _beat(self, pulse: Callable[[], None]) -> None:
        try:
            pulse()
        except Exception as error:  # noqa: BLE001  whatever it is, the next minute tries again
            self._tell(f"the pulse did not go out: {redact_text(str(error))}")


class _Errand:
    """What goes out of this machine, in a thread of its own: it holds up nobody, and is begun again
    when it has ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None

    def begin(self, work: Callable[..., object], *given: object) -> None:
        if self._thread and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=work, args=given, name=self._name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        if self._thread:
            self._thread.join(seconds)


class _Post(_Errand):
    """One channel. `took_at` tells when it took what was sent at once."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(f"alerts by {channel.name}")
        self.channel = channel
        self.took_at = 0.0

    def start(self, open_: Open, tell: Callable[[str], object]) -> None:
        """Sends what is due, unless it is at work still."""
        self.begin(self._deliver, open_, tell)

    def shout(self, message: Message, tell: Callable[[str], object]) -> None:
        """Sends it at once, unless it is at work still."""
        self.begin(self._send, message, tell)

    def _send(self, message: Message, tell: Callable[[str], object]) -> None:
        try:
            self.channel.send(message)
        except Exception as error:  # noqa: BLE001  whatever it is, the next minute tries again
            tell(f"{self.channel.name}: {redact_text(str(error))}")
        else:
            self.took_at = time.time()

    def _deliver(self, open_: Open, tell: Callable[[str], object]) -> None:
        try:
            with open_() as (database, site):
                Outbox(database, site).deliver(self.channel)
        except Exception as error:  # noqa: BLE001  whatever it is, the next minute tries again
            tell(f"alerts by {self.channel.name}: {redact_text(str(error))}")


def _open_chains(database: Database, site: Site) -> Mapping[str, int]:
    facts: list[Mapping[str, Any]] = Alerts(database, site).open_facts("chains")
    return {str(f["hook"]): int(f["newest"]) for f in facts if "hook" in f}


_LOST = Finding(
    "database",
    Severity.CRITICAL,
    "the database is out of reach",
    "See that the server runs and that this machine reaches it; `runner doctor` says why not.",
)
