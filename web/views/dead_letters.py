"""Dead letters: the list, one of them, replaying (with other args too) and discarding."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, request, url_for

from compat.args import ArgsError, decode, encode, store
from runner.core.errors import DatabaseError, RunnerError, UsageError
from runner.handlers.binding import Unbound
from runner.operations.dead_letters import DEAD, STATUSES, Closed, DeadLetters, Wanted
from runner.operations.manage import named
from web.answers import done, here, page, problem
from web.bulk import (
    COUNTED,
    LARGE,
    MORE,
    PER_PAGE,
    Patient,
    check_typed,
    chosen_ids,
    manage,
)
from web.formats import hidden
from web.gate import database, desk, need_admin, site
from web.search import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response
    from werkzeug.wrappers import Response as BaseResponse

    from compat.args import StoredArgs

blueprint = Blueprint("dead_letters", __name__)


@blueprint.get("/dead-letters")
def index() -> Response:
    g.live = True
    letters = DeadLetters(database(), site())
    wanted, asked = _wanted()
    found = letters.newest(wanted, PER_PAGE + 1, before=number(request.args.get("before", "")))
    following = found[PER_PAGE - 1].id if len(found) > PER_PAGE else None
    return page(
        "dead_letters.html",
        letters=found[:PER_PAGE],
        asked=asked,
        statuses=(*STATUSES, "all"),
        next=following and here("dead_letters.index", **(asked | {"before": following})),
    )


@blueprint.get("/dead-letters/<int:id_>")
def show(id_: int) -> Response:
    found = DeadLetters(database(), site()).whole([id_])
    if not found:
        return page("gone.html", 404, id=id_, kind="dead letter")
    letter = found[0]
    letter.pop("schedule", None)
    return page("dead_letter.html", letter=letter, editable=_editable(letter))


@blueprint.post("/dead-letters/<int:id_>/replays")
def replay(id_: int) -> BaseResponse:
    """A new action with the letter's hook and args, or with those that were sent."""
    letter = next(iter(DeadLetters(database(), site()).whole([id_])), None)
    if letter is None:
        return problem(404, "Not found", f"There is no dead letter {id_}.")
    try:
        args = _edited(letter)
        new = manage().replay(id_, args=args)
    except Closed as error:
        return done(f"{error}.", url_for("dead_letters.show", id_=id_), "bad")
    return done(
        f"Dead letter {id_} is replayed as action {new}.",
        url_for("actions.show", id_=new),
        action=new,
    )


@blueprint.post("/dead-letters/<int:id_>/discards")
def discard(id_: int) -> BaseResponse:
    why = " ".join(request.form.get("why", "").split())[:200]
    to = url_for("dead_letters.show", id_=id_)
    try:
        manage().discard(id_, why)
    except Closed as error:
        return done(f"{error}.", to, "bad")
    return done(f"Dead letter {id_} is discarded.", to)


@blueprint.get("/dead-letters/bulk/<any(replays, discards):what>")
def preview(what: str) -> Response:
    need_admin()
    letters = DeadLetters(database(), site())
    wanted, asked = _chosen()
    count = letters.count(wanted, at_most=COUNTED + 1)
    return page(
        "bulk_letters.html",
        what=what,
        label="Replay" if what == "replays" else "Discard",
        asked=asked,
        ids=list(wanted.ids or ()),
        count=count,
        more=count > COUNTED,
        large=count > LARGE,
        sample=letters.newest(wanted, 10),
    )


@blueprint.post("/dead-letters/bulk/<any(replays, discards):what>")
def run(what: str) -> BaseResponse:
    letters = DeadLetters(database(), site())
    wanted, asked = _chosen()
    count = letters.count(wanted, at_most=COUNTED + 1)
    check_typed(count)
    said = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    meant = named(wanted.ids, "dead letter") if wanted.ids else f"dead letters: {said}"
    ids = Patient(_ids(letters, wanted))
    changed, refused = _do(what, ids, meant)
    did = "replayed" if what == "replays" else "discarded"
    text = f"{changed:,} dead letter{'' if changed == 1 else 's'} {did}"
    text += f", {refused:,} could not be." if refused else "."
    text += f" {MORE}" if ids.left else ""
    kind = "good" if changed else "bad"
    return done(text, url_for("dead_letters.index"), kind, changed=changed, left=ids.left)


def _do(what: str, ids: Patient[int], meant: str) -> tuple[int, int]:
    """How many were changed, and how many could not be."""
    mine, changed, refused = manage(), 0, 0
    with mine.together("replay" if what == "replays" else "discard", meant) as entry:
        for id_ in ids:
            try:
                mine.replay(id_) if what == "replays" else mine.discard(id_)
                changed += 1
            except DatabaseError:
                raise
            except RunnerError:
                refused += 1
        entry.note = MORE if ids.left else ""
    return changed, refused


def _ids(letters: DeadLetters, wanted: Wanted) -> Iterator[int]:
    for some in letters.walk(wanted):
        yield from some


def _wanted() -> tuple[Wanted, dict[str, str]]:
    """The filter that the address asks for, and its words."""
    given = request.values
    asked = {
        name: given.get(name, "").strip()[:191] for name in ("hook", "group", "error", "status")
    }
    asked["status"] = asked["status"] or DEAD
    if asked["status"] not in {*STATUSES, "all"}:
        raise UsageError(f"there is no status {asked['status']!r} of dead letters")
    wanted = Wanted(
        hook=asked["hook"] or None,
        group=asked["group"] or None,
        error=asked["error"] or None,
        status=None if asked["status"] == "all" else asked["status"],
    )
    return wanted, asked


def _chosen() -> tuple[Wanted, dict[str, str]]:
    """By ids or by the filter; those alone that are open."""
    wanted, asked = _wanted()
    if ids := chosen_ids():
        return Wanted(ids=tuple(ids), status=DEAD), {}
    return replace(wanted, status=DEAD), asked


def _editable(letter: dict[str, Any]) -> str | None:
    """The args as JSON for a form; None where they hold what is not shown: sent back, the hidden
    value would replace the true one."""
    args = letter["args"]
    if isinstance(args, str) or hidden(args) != args:
        return None
    return json.dumps(args, ensure_ascii=False, indent=2)


def _edited(letter: dict[str, Any]) -> StoredArgs | None:
    """The args that were sent, None for the letter's own. Raises UsageError for what is no args,
    or what the hook's handler does not take."""
    text = request.form.get("args", "").strip()
    if not text:
        return None
    with contextlib.suppress(ArgsError, ValueError):
        if not isinstance(letter["args"], str) and encode(letter["args"]) == encode(
            decode(text, None)
        ):
            return None
    handlers = desk().app.handlers
    try:
        args = decode(text, None)
        if letter["hook"] in handlers.hooks:
            handlers.of(letter["hook"], args).signature.bind(args)
        return store(args)
    except (ArgsError, Unbound) as error:
        raise UsageError(f"The args were not taken: {error}. Nothing was changed") from None
