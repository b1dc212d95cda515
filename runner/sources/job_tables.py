"""The WPKite job manager's tables, kept up in the transaction that settles or dispatches a job:
PHP code of the site reads them. Only where the site has them, with the columns that are written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.core.errors import Denied
from runner.core.judge import describe
from runner.core.model import Cancelled, Completed, Dead, Retried, Snoozed
from runner.site import JOB_TABLES, identifiers
from runner.sources.journal import BYTES, Journal
from runner.storage.queries import Queries, chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.core.jobs import Envelope
    from runner.core.model import Action, HandlerFailure, Settlement, Step
    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

LOG, LETTERS = JOB_TABLES["job_log"], JOB_TABLES["job_letters"]

COLUMNS: Mapping[str, frozenset[str]] = {
    LOG: frozenset(
        {
            "job_type",
            "status",
            "job_id",
            "duration_ms",
            "memory_peak",
            "message",
            "context",
            "created_at",
        }
    ),
    LETTERS: frozenset(
        {"job_type", "payload", "error_message", "attempts", "status", "created_at"}
    ),
}
"""What is written to each."""

_TYPE, _ID, _TEXT, _MILLISECONDS = 100, 36, 16_000, 2**31 - 1
"""What the columns hold: characters of a type, of an id, of a text column at four bytes each."""

Line = dict[str, object]


class JobTables:
    """Those of one site. `log` and `letters` say which of them are written."""

    def __init__(
        self, queries: Queries, texts: Journal, tell: Callable[[str], object], *tables: str
    ) -> None:
        self.queries = queries
        self.log = LOG in tables
        self.letters = LETTERS in tables
        self._texts = texts
        self._tell = tell

    @classmethod
    def of(
        cls, database: Database, site: Site, tell: Callable[[str], object] = lambda _: None
    ) -> JobTables | None:
        """Looks once. None where there is nothing to write; `tell` hears of a table that is there
        and cannot be written."""
        names = {table: f"{site.tables.prefix}{table}" for table in COLUMNS}
        probe = Queries("site.sql", database.dialect, {})["probe"]
        facts = database.query(probe, tables=list(names.values()))
        fit = []
        for table, name in names.items():
            about = [fact for fact in facts if fact["name"] == name]
            if not about:
                continue
            if why := _unfit(name, about, COLUMNS[table]) or _refused(database, name):
                tell(f"table {name} is not kept up: {why}")
            else:
                fit.append(table)
        if not fit:
            return None
        queries = Queries("jobs.sql", database.dialect, identifiers(site, database.dialect))
        return cls(queries, Journal(queries, site.zone, _charset(facts)), tell, *fit)

    def write(self, tx: Transaction, step: Step, now: float) -> None:
        """Tells of the jobs among what a turn settles and begins. `now` is the database's time in
        epoch seconds."""
        jobs = [(s, s.action.job) for s in step.settled if s.action.job]
        begun = () if step.ahead else step.starting
        if self.log:
            lines = [line for s, envelope in jobs for line in self._story(s, envelope, now)]
            lines += [self._started(action, action.job) for action in begun if action.job]
            self._insert(tx, "log", lines)
        if self.letters:
            dead = [(s, e, s.outcome.why) for s, e in jobs if isinstance(s.outcome, Dead)]
            letters = [self._letter(s.action, envelope, why) for s, envelope, why in dead]
            self._insert(tx, "dead_letter", letters)

    def _insert(self, tx: Transaction, name: str, lines: Sequence[Line]) -> None:
        for chunk in chunks(lines, _size, most=BYTES):
            tx.insert_rows_later(self.queries[name], chunk)

    def dispatched(self, tx: Transaction, envelope: Envelope, action_id: int, delay: float) -> None:
        """Tells of a new job."""
        if self.log:
            facts = {"action_id": action_id, "delay": round(delay)}
            line = self._line(envelope, "dispatched", facts)
            tx.insert_rows(self.queries["log"], [line])

    def gives_up(self, step: Step, error: Exception) -> bool:
        """Whether it wrote something in that turn, which the database has refused. It writes no
        more then: the work counts for more than what is told of it."""
        if not (self.log or self.letters) or not any(action.job for action in step.actions()):
            return False
        self.stop(error)
        return True

    def stop(self, error: Exception) -> None:
        self.log = self.letters = False
        self._tell(f"the job manager's tables {LOG} and {LETTERS} are no longer kept up: {error}")

    def _story(self, settlement: Settlement, envelope: Envelope, now: float) -> list[Line]:
        action, outcome, attempt = settlement.action, settlement.outcome, settlement.attempt
        lines = [self._started(action, envelope)] if settlement.marked_ahead else []
        ran: dict[str, Any] = {"attempt": action.attempt}
        if attempt:
            ran["duration_ms"] = min(round(attempt.elapsed * 1000), _MILLISECONDS)
        memory = attempt.memory if attempt else 0
        if isinstance(outcome, (Retried, Dead)):
            told = _error(attempt.failure if attempt else None)
            lines.append(self._line(envelope, "failed", ran | told, told["error"], memory))
        match outcome:
            case Completed():
                lines.append(self._line(envelope, "completed", ran, memory=memory))
            case Retried(at, _):
                facts = {"next_attempt": action.attempt + 1, "delay": int(at - now)}
                lines.append(self._line(envelope, "retrying", facts))
            case Snoozed(at, why):
                facts = {"next_attempt": action.attempt, "delay": int(at - now)}
                lines.append(self._line(envelope, "retrying", facts, f"snoozed {why}".strip()))
            case Cancelled(why):
                lines.append(self._line(envelope, "canceled", ran, why, memory))
            case Dead(why):
                lines.append(self._line(envelope, "dead_lettered", {"error": why}, why))
        return lines

    def _started(self, action: Action, envelope: Envelope) -> Line:
        return self._line(envelope, "started", {"attempt": action.attempt})

    def _line(
        self,
        envelope: Envelope,
        status: str,
        facts: Mapping[str, Any],
        message: str = "",
        memory: int = 0,
    ) -> Line:
        return {
            "job_type": self._text(envelope.type, _TYPE),
            "status": status,
            "job_id": self._text(envelope.job_id, _ID),
            "duration_ms": facts.get("duration_ms"),
            "memory_peak": memory or None,
            "message": self._text(message),
            "context": json.dumps({"job_id": envelope.job_id, **facts}),
        }

    def _letter(self, action: Action, envelope: Envelope, why: str) -> Line:
        facts = replace(envelope, attempt=action.attempt - 1).facts()
        return {
            "job_type": self._text(envelope.type, _TYPE),
            "payload": json.dumps(facts) if envelope.type else action.args_text,
            "error_message": self._text(why),
            "attempts": action.attempt,
        }

    def _text(self, text: str, longest: int = _TEXT) -> str:
        """The text as the columns will hold it."""
        return self._texts.text(text.encode(errors="replace").decode())[:longest]


def _unfit(name: str, facts: Sequence[Row], wanted: frozenset[str]) -> str:
    """Why a table cannot be written, and what to do; empty when it can."""
    columns = {fact["item"]: str(fact["value"]) for fact in facts if fact["kind"] == "column"}
    if missing := sorted(wanted - columns.keys()):
        return (
            f"it has no column {', '.join(missing)}; add what is missing, as WPKite_Job_Manager"
            " makes it, or leave it: jobs run without it"
        )
    required = {column for column, value in columns.items() if value.startswith("required")}
    if more := sorted(required - wanted):
        return (
            f"its column {', '.join(more)} wants a value that nobody knows here; give it a default,"
            " or leave it: jobs run without it"
        )
    if engine := next((fact["value"] for fact in facts if fact["kind"] == "engine"), ""):
        return f"{engine} has no transactions; change it with ALTER TABLE {name} ENGINE = InnoDB"
    return ""


def _refused(database: Database, name: str) -> str:
    """The same of the account's rights: asked, nothing is written."""
    if database.dialect != "mysql":
        return ""
    asks = Queries("grants.sql", database.dialect, {"table": f"`{name}`"})
    try:
        database.query(asks["may_insert"])
    except Denied:
        return f"the database account may not write it; GRANT SELECT, INSERT ON {name} to it"
    return ""


def _charset(facts: Sequence[Row]) -> str:
    """The least that the tables' texts can hold: a collation's name begins with its character
    set."""
    texts = {"message", "error_message", "job_type"}
    found = {
        str(fact["value"]).partition(" ")[2].partition("_")[0] or "utf8mb4"
        for fact in facts
        if fact["kind"] == "column" and fact["item"] in texts
    }
    narrow = [name for name in found if not name.startswith("utf8")]
    return min(narrow or found - {"utf8mb4"}, default="utf8mb4")


def _error(failure: HandlerFailure | None) -> dict[str, Any]:
    if failure is None:
        return {"error": "", "error_class": ""}
    text = " ".join(failure.message.split()) or describe(failure)
    return {"error": text[:_TEXT], "error_class": failure.error_class or failure.kind}


def _size(row: Mapping[str, object]) -> int:
    """Bytes of the row's values, or a little more."""
    return 300 + sum(4 * len(str(value)) for value in row.values())
