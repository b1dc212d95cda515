"""What changing one and changing many have in common: who asks, what was chosen, and how long one
request goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from flask import g, request

from runner.operations.manage import Manage
from web.gate import Refused, database, site
from web.search import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

PER_PAGE = 25

LARGE = 25
"""More than so many are changed at once only after their number was typed."""

COUNTED = 10_000
"""What is meant is counted no further."""

MOST_IDS = 200

PATIENCE = 8.0
"""Seconds that one request goes on changing; the rest is for the next one."""

MORE = "There are more: the same again goes on with them."


def manage() -> Manage:
    """The visitor's, with the site's facts as they are now."""
    return Manage(database(), site(anew=True), g.visitor.actor())


def chosen_ids() -> list[int]:
    """The ids whose boxes were ticked. Raises Refused for more than a page could have."""
    found = [number(text) for text in request.values.getlist("id")]
    if len(found) > MOST_IDS or None in found:
        raise Refused(403, f"At most {MOST_IDS} can be chosen one by one, by their numbers.")
    return [id_ for id_ in found if id_ is not None]


def check_typed(count: int) -> None:
    """Raises Refused where many are meant and nobody typed how many were shown."""
    shown = request.form.get("shown", "")
    typed = request.form.get("typed", "").replace(",", "").strip()
    if count > LARGE and (not shown.isdecimal() or typed != shown):
        raise Refused(403, "Type the number that is shown, to confirm that many. Go back.")


class Patient(Generic[T]):
    """Goes through things until time runs out; then `left` says that there are more."""

    def __init__(self, things: Iterable[T]) -> None:
        self._things = things
        self.left = False

    def __iter__(self) -> Iterator[T]:
        until = time.monotonic() + PATIENCE
        for thing in self._things:
            if time.monotonic() > until:
                self.left = True
                return
            yield thing
