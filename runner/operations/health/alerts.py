"""Alerts: raised once, said again while they last, resolved once, whoever looks and however often.

What is found goes into the table of alerts; what people have not heard of it yet becomes a message,
in the same transaction. Many at a time are told together, and no more than so many an hour: the
last of an hour's messages are kept for later in it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compat.site_time import epoch_of, sql_date
from runner.core.errors import SiteError
from runner.core.findings import Finding, Severity
from runner.core.message import RAISED, RESOLVED, STILL, WORSE, Line, Message
from runner.site import identifiers
from runner.storage.queries import Queries, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

CALM = 90
"""Seconds for which something must not be found any more, until it is over: two looks."""

HOUR = 3600

LINES = 20
"""Alerts that one message tells of one by one."""

MOST = 5000
"""Alerts that one message tells of, those without a line of their own too."""

CHUNK = 400_000
"""Bytes of the rows that one statement writes."""

KEPT = 90 * 86_400
"""Seconds that alerts are kept after they are over, and messages."""

_LONGEST_SUBJECT, _LONGEST_TEXT, _LONGEST_REASON, _LONGEST_ACTOR = 255, 2000, 255, 191


@dataclass(frozen=True, slots=True)
class Telling:
    """How alerts are told: on which channels, at most how many messages an hour, said again after
    `cooldown` seconds. `link` is the page's address, `to` the site's own mail address."""

    channels: Sequence[str] = ()
    most: int = 20
    cooldown: int = 1800
    link: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Moments are in epoch seconds; `resolved_at` is None while it is open; `told` is
    what people have heard: nothing, `raised`, or `resolved`."""

    id: int
    rule: str
    subject: str
    severity: str
    text: str
    advice: str
    raised_at: int
    resolved_at: int | None
    told: str
    told_at: int | None
    now: int

    @property
    def seconds(self) -> int:
        """How long it lasts, or lasted."""
        return max((self.resolved_at or self.now) - self.raised_at, 0)


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that nobody is told of until then (a text in UTC); empty names mean all."""

    rule: str
    subject: str
    until: str
    reason: str
    actor: str
    created_at: str

    def covers(self, rule: str, subject: str) -> bool:
        return self.rule in {"", rule} and self.subject in {"", subject}


class Alerts:
    """Those of one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        if not site.migrated:
            raise SiteError("alerts need the runner's own tables: run `runner migrate`")
        self._database = database
        self._site = site
        self._queries = Queries("alerts.sql", database.dialect, identifiers(site, database.dialect))

    def update(
        self,
        findings: Iterable[Finding],
        telling: Telling,
        *,
        undecided: Collection[str] = (),
        hold: bool = False,
    ) -> None:
        """Writes what was found, and makes messages of what people have not heard. Alerts of
        `undecided` rules stay as they are; on `hold` none is raised and none resolved."""
        found = {finding.key: finding for finding in map(_cut, findings)}

        def unit(tx: Transaction) -> None:
            rows = {_key_of(row): row for row in tx.query(self._queries["open"])}
            for key, finding in found.items():
                if key in rows and not _is_same(rows[key], finding):
                    tx.later(self._queries["see"], id=rows[key]["id"], **_columns(finding))
            if not hold:
                self._raise(tx, [f for key, f in found.items() if key not in rows])
            self._let_go(tx, rows, {*found}, undecided, hold=hold)
            if telling.channels and not hold:
                self._tell(tx, telling)

        self._database.unit(unit)

    def record(self, finding: Finding, seconds: int, telling: Telling, *, told: bool) -> None:
        """Writes down what is over and could not be written while it lasted, `seconds` long; where
        people were `told`, they hear that it is over."""

        def unit(tx: Transaction) -> None:
            self._raise(tx, [finding])
            rows = tx.query(self._queries["open"])
            ids = [row["id"] for row in rows if _key_of(row) == finding.key]
            tx.later(self._queries["backdate"], ids=ids, seconds=seconds)
            tx.later(self._queries["resolve"], ids=ids)
            if told:
                tx.later(self._queries["tell"], ids=ids, told=RAISED)
                if telling.channels:
                    self._tell(tx, telling)
            else:
                tx.later(self._queries["never_tell"], ids=ids)

        self._database.unit(unit)

    def open_facts(self, rule: str) -> list[Mapping[str, object]]:
        """What was noted of a rule's open alerts."""
        rows = self._database.query(self._queries["facts"], rule=rule)
        return [json.loads(row["facts"]) for row in rows]

    def history(self, *, only_open: bool = False, limit: int = 200) -> list[Alert]:
        """Open ones first, then the newest."""
        where = self._queries["only_open"] if only_open else ""
        rows = self._database.query(
            self._queries["history"].replace("/*where*/", where), limit=limit
        )
        return [_alert(row) for row in rows]

    def silences(self) -> list[Silence]:
        """Those that hold now."""
        return _silences(self._database.query(self._queries["silences"]))

    def silence(self, rule: str, subject: str, *, until: int, reason: str, actor: str) -> None:
        """In place of an older one of the same names; `until` is in epoch seconds."""

        def unit(tx: Transaction) -> None:
            tx.later(self._queries["forget_silences"])
            tx.later(
                self._queries["silence"],
                rule=rule,
                subject=subject[:_LONGEST_SUBJECT],
                until=sql_date(until),
                reason=reason[:_LONGEST_REASON],
                actor=actor[:_LONGEST_ACTOR],
            )

        self._database.unit(unit)

    def unsilence(self, rule: str, subject: str) -> bool:
        """Whether there was one."""
        gone = self._database.write(self._queries["unsilence"], rule=rule, subject=subject)
        return bool(gone)

    def forget(self) -> None:
        """Deletes what is long over."""
        for name in ("forget_alerts", "forget_messages", "forget_looks"):
            self._database.write(self._queries[name], seconds=KEPT)

    def _raise(self, tx: Transaction, findings: Sequence[Finding]) -> None:
        made = [
            {
                "rule": finding.rule,
                "subject": finding.subject,
                "open_key": hashlib.sha256("\0".join(finding.key).encode()).hexdigest(),
                **_columns(finding),
            }
            for finding in findings
        ]
        for some in chunks(made, _bytes, most=CHUNK):
            tx.insert_rows_later(self._queries["raise"], some)

    def _let_go(
        self,
        tx: Transaction,
        rows: Mapping[tuple[str, str], Row],
        found: Collection[tuple[str, str]],
        undecided: Collection[str],
        *,
        hold: bool,
    ) -> None:
        """What was not found: it may hold still, or is over once it was not found for a while."""
        kept, over = [], []
        for key, row in rows.items():
            if hold or key in found or row["rule"] in undecided:
                kept.append(row["id"])
            elif abs(int(row["silent"])) >= CALM:
                over.append(row["id"])
        if kept:
            tx.later(self._queries["keep"], ids=kept)
        if over:
            tx.later(self._queries["resolve"], ids=over)

    def _tell(self, tx: Transaction, telling: Telling) -> None:
        untold = tx.query(self._queries["untold"], cooldown=telling.cooldown, limit=MOST)
        silences = _silences(tx.query(self._queries["silences"]))
        unheard, wanted = [], []
        for row in untold:
            quiet = any(silence.covers(row["rule"], row["subject"]) for silence in silences)
            if not quiet or (row["told"] and row["resolved_at"]):
                wanted.append(row)
            elif row["resolved_at"]:
                unheard.append(row["id"])
        if unheard:
            tx.later(self._queries["never_tell"], ids=unheard)
        if wanted and self._may_tell(tx, telling.most):
            self._send(tx, wanted, telling)

    def _may_tell(self, tx: Transaction, most: int) -> bool:
        """The first half of an hour's messages go out at once, the others at even distances."""
        row = tx.query(self._queries["lately"], seconds=HOUR)[0]
        made = int(row["messages"])
        return made < most and (made < most // 2 or abs(int(row["ago"])) >= HOUR // most)

    def _send(self, tx: Transaction, rows: Sequence[Row], telling: Telling) -> None:
        lines = [_line(row) for row in rows]
        tag = uuid.uuid4().hex
        message = Message(
            tag,
            self._site.name,
            self._site.url,
            telling.link,
            tuple(lines[:LINES]),
            more=len(lines) - len(lines[:LINES]),
            to=telling.to,
            thread=f"alert-{rows[0]['id']}" if len(rows) == 1 else "",
        )
        for channel in telling.channels:
            tx.later(self._queries["message"], tag=tag, channel=channel, body=message.as_json())
        for state, ids in (
            (RESOLVED, [row["id"] for row in rows if row["resolved_at"]]),
            (RAISED, [row["id"] for row in rows if not row["resolved_at"]]),
        ):
            if ids:
                tx.later(self._queries["tell"], ids=ids, told=state)


def addressee(database: Database, site: Site) -> str:
    """The site's own mail address, empty where it has none."""
    queries = Queries("alerts.sql", database.dialect, identifiers(site, database.dialect))
    rows = database.query(queries["addressee"])
    return str(rows[0]["address"]) if rows else ""


def _cut(finding: Finding) -> Finding:
    """Texts from the database are as long as somebody liked."""
    return replace(finding, subject=finding.subject[:_LONGEST_SUBJECT])


def _columns(finding: Finding) -> dict[str, object]:
    return {
        "severity": str(finding.severity),
        "said": finding.text[:_LONGEST_TEXT],
        "advice": finding.advice[:_LONGEST_TEXT],
        "facts": json.dumps(dict(finding.facts)),
    }


def _key_of(row: Row) -> tuple[str, str]:
    return row["rule"], row["subject"]


def _silences(rows: Sequence[Row]) -> list[Silence]:
    return [Silence(**{name: str(value) for name, value in row.items()}) for row in rows]


def _is_same(row: Row, finding: Finding) -> bool:
    return all(row[name] == value for name, value in _columns(finding).items())


def _bytes(row: Mapping[str, object]) -> int:
    return sum(4 * len(str(value)) for value in row.values())


def _epoch(value: object) -> int | None:
    return epoch_of(str(value)) if value else None


def _alert(row: Row) -> Alert:
    return Alert(
        id=int(row["id"]),
        rule=row["rule"],
        subject=row["subject"],
        severity=row["severity"],
        text=row["text"],
        advice=row["advice"],
        raised_at=_epoch(row["raised_at"]) or 0,
        resolved_at=_epoch(row["resolved_at"]),
        told=row["told"],
        told_at=_epoch(row["told_at"]),
        now=int(row["now"]),
    )


def _line(row: Row) -> Line:
    if row["resolved_at"]:
        state = RESOLVED
    elif not row["told"]:
        state = RAISED
    elif (row["severity"], row["told_severity"]) == (Severity.CRITICAL, Severity.WARNING):
        state = WORSE
    else:
        state = STILL
    until = _epoch(row["resolved_at"]) or int(row["now"])
    return Line(
        state,
        row["rule"],
        row["severity"],
        row["subject"],
        row["text"],
        row["advice"],
        _epoch(row["raised_at"]) or 0,
        until,
    )
