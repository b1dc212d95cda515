"""What can be done to actions: which states allow it, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.core.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.operations.manage import Manage


@dataclass(frozen=True, slots=True)
class Verb:
    """`label` is on the button, `did` says what happened, `only` what is needed."""

    name: str
    label: str
    did: str
    only: str
    statuses: tuple[str, ...]
    do: Callable[[Manage, Sequence[int]], list[int]]
    danger: bool = False


def _cancel(manage: Manage, ids: Sequence[int]) -> list[int]:
    """Running ones too, if a worker of ours runs them."""
    return manage.cancel(ids, running=True)


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "run",
            "Run now",
            "due now: the next look of a worker takes it",
            "only what is pending and unclaimed can be told to run now",
            (Status.PENDING,),
            lambda manage, ids: manage.run_now(ids),
        ),
        Verb(
            "retry",
            "Retry",
            "pending again, with all attempts",
            "only what failed or was canceled can be retried",
            (Status.FAILED, Status.CANCELED),
            lambda manage, ids: manage.retry(ids),
        ),
        Verb(
            "cancel",
            "Cancel",
            "canceled",
            "only what is pending, or is run by Python's runner, can be canceled",
            (Status.PENDING, Status.RUNNING),
            _cancel,
            danger=True,
        ),
        Verb(
            "delete",
            "Delete",
            "deleted, with its log",
            "what runs cannot be deleted",
            (Status.PENDING, Status.COMPLETE, Status.FAILED, Status.CANCELED),
            lambda manage, ids: manage.delete(ids),
            danger=True,
        ),
    )
}
