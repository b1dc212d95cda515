"""Locks and places that running actions hold, with the lease of their claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.core.model import Settlement
    from runner.storage.db import Database, Transaction
    from runner.storage.queries import Queries


class Locks:
    """Those of one site, as long as `seconds` where no heartbeat renews them. Only actions of
    `hooks` hold any; None where that is not known."""

    def __init__(
        self, queries: Queries, seconds: int, hooks: Collection[str] | None = None
    ) -> None:
        self.queries = queries
        self._seconds = seconds
        self._hooks = hooks

    def take(self, tx: Transaction, name: str, place: int, action: int, *, expired: bool) -> bool:
        """Whether the action has the place now; `expired` says that a dead one is seen there."""
        what = self.queries["take_expired" if expired else "take"]
        taken = tx.execute(what, name=name, place=place, action=action, lease=self._seconds)
        return taken == 1

    def sign(self, tx: Transaction, claim: int, ids: Sequence[int]) -> None:
        """What these actions took belongs to the claim."""
        if self._used:
            tx.later(self.queries["sign"], claim=claim, ids=ids)

    def renew(self, database: Database, claim: int) -> None:
        """The claim lives. Tried once, as for its lease."""
        if self._used:
            database.try_write(self.queries["renew"], claim=claim, lease=self._seconds)

    def free(self, tx: Transaction, settled: Sequence[Settlement]) -> None:
        """What is over holds nothing."""
        hooks = self._hooks
        self.free_ids(tx, [s.action.id for s in settled if hooks is None or s.action.hook in hooks])

    def free_ids(self, tx: Transaction, ids: Sequence[int]) -> None:
        """What is not begun after all holds nothing."""
        if ids and self._used:
            tx.later(self.queries["free"], ids=ids)

    def hand_back(self, tx: Transaction, claim: int, ids: Sequence[int]) -> None:
        """The same, of what this claim took: another may hold them now."""
        if ids and self._used:
            tx.later(self.queries["hand_back"], claim=claim, ids=ids)

    def free_claims(self, tx: Transaction, claims: Sequence[int]) -> None:
        """These claims are over."""
        if self._used:
            tx.later(self.queries["free_claims"], claims=claims)

    def free_unheld(self, tx: Transaction, claim: int) -> None:
        """Of parked actions: those that the claim has lost hold nothing any more."""
        if self._used:
            tx.later(self.queries["free_unheld"], claim=claim)

    @property
    def _used(self) -> bool:
        return self._hooks is None or bool(self._hooks)
