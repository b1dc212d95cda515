"""What the worker works with: where actions come from, and where handlers are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.core.model import Action, Attempt, Claim, Held, Receipt, Settlement


class Source(Protocol):
    """Where actions are leased from."""

    contended: bool
    again_in: float

    def seen(self) -> None: ...

    def claim(
        self,
        limit: int,
        *,
        expired: bool = False,
        held: Collection[int] = (),
        room: int | None = None,
    ) -> Claim | None: ...

    def advance(
        self,
        claim: Claim,
        settled: Sequence[Settlement],
        starting: Sequence[Action],
        *,
        unmarked: Sequence[Action] = (),
        told: Collection[int] = (),
        ahead: bool = False,
        patience: float | None = None,
    ) -> Held: ...

    def beat(self, claim: Claim, ids: Sequence[int]) -> Sequence[int]: ...

    def release(self, claim: Claim, left: Sequence[Action], *, begun: bool) -> None: ...


class Executor(Protocol):
    """Where handlers are called."""

    def room(self) -> int: ...

    def busy(self) -> bool: ...

    def prepare(self) -> None: ...

    def submit(self, action: Action, receipt: Receipt) -> None: ...

    def finished(self, wait: float) -> list[Attempt]: ...

    def cancel(self, action_id: int) -> None: ...
