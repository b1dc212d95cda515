"""Dead letters: an action that is given up is kept, in the transaction that gives it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import clipped
from runner.core.model import Dead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.jobs import Envelope
    from runner.core.model import Settlement
    from runner.storage.db import Transaction
    from runner.storage.queries import Queries

CORRUPT = "corrupt"
"""The kind of a letter whose action could not be read; others have that of their failure."""

_LONGEST_CLASS = 191


class Letters:
    """Writes the letters of one site. `site` is its address; `worker` tells who gave up."""

    def __init__(self, queries: Queries, site: str) -> None:
        self.worker = ""
        self._queries = queries
        self._site = site[:191]

    def bury(self, tx: Transaction, claim: int, settled: Sequence[Settlement]) -> None:
        """A letter for each that is dead."""
        for settlement in settled:
            if isinstance(settlement.outcome, Dead):
                failure = settlement.attempt.failure if settlement.attempt else None
                self._write(
                    tx,
                    claim,
                    settlement.action.id,
                    settlement.outcome.why,
                    kind=failure.kind if failure else "error",
                    error_class=failure.error_class if failure else "",
                    traceback=failure.traceback if failure else "",
                    job=settlement.action.job,
                )

    def bury_unreadable(
        self, tx: Transaction, claim: int, broken: Sequence[tuple[int, str]]
    ) -> None:
        """Rows whose args or schedule cannot be read, and why: they are kept to the byte."""
        for action_id, why in broken:
            self._write(tx, claim, action_id, why, kind=CORRUPT)

    def _write(
        self,
        tx: Transaction,
        claim: int,
        action_id: int,
        why: str,
        *,
        kind: str,
        error_class: str = "",
        traceback: str = "",
        job: Envelope | None = None,
    ) -> None:
        from runner.core.redact import redact_text  # noqa: PLC0415  for failures alone

        tx.later(
            self._queries["bury"],
            id=action_id,
            claim=claim,
            message=redact_text(clipped(why)),
            kind=kind,
            error_class=error_class[:_LONGEST_CLASS],
            traceback=redact_text(traceback),
            worker=self.worker,
            site=self._site,
            job_type=_type(job) if job else None,
            payload=_json(job.payload) if job else None,
        )


def _json(value: object) -> str:
    import json  # noqa: PLC0415  only where there are jobs

    return json.dumps(value)


def _type(job: Envelope) -> str | None:
    """What the column can hold; None where the envelope names none."""
    return job.type.encode(errors="replace").decode()[:_LONGEST_CLASS] or None
