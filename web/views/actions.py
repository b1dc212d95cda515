"""Actions: the list with its search, one action, and what can be done to them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, g, jsonify, request, url_for

from compat.site_time import ZERO, epoch_of, sql_date
from runner.core.errors import TookTooLong, UsageError
from runner.core.model import Status
from runner.operations.actions import Actions, stored
from runner.operations.explain import Known, Work, explain_row, row_of
from runner.operations.listing import ORDERS, Listing, Order, Place
from runner.operations.manage import named
from runner.operations.workers import attempts
from web import chrome
from web.answers import done, here, page
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
from web.counted import census
from web.gate import database, desk, need_admin, site
from web.search import MOST_ID, Search, SearchError, parse
from web.verbs import VERBS, Verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response
    from werkzeug.wrappers import Response as BaseResponse

    from runner.operations.listing import Found, Wanted

blueprint = Blueprint("actions", __name__)


@blueprint.get("/actions")
def index() -> Response:
    g.live = True
    rail = chrome.counts()
    text, sort, way = _asked()
    search, problem, found, shown = None, "", None, []
    status = 200
    try:
        search = parse(text)
        order = Order(sort or _usual_sort(search), _descending(way, search), _place())
        found = _listing(rail.many).page(search.wanted, order, PER_PAGE, rail.now)
        shown = _rows(found)
        sort, way = order.name, "desc" if order.descending else "asc"
    except (SearchError, UsageError) as error:
        problem, status = str(error), 400
    except TookTooLong:
        problem = (
            "The database needs too long for this search and was told to stop after 2 seconds."
            " Name a whole hook: or a status:, or sort by date."
        )
        status = 503
    state = _state(search)
    return page(
        "actions.html",
        status,
        actions=shown,
        query=text,
        sort=sort or "date",
        way=way or "desc",
        problem=problem,
        next=_next(found),
        state=state,
        verbs=[verb for verb in VERBS.values() if state in {"", *verb.statuses}],
    )


@blueprint.get("/actions/<int:id_>")
def show(id_: int) -> Response:
    g.live = True
    row = row_of(database(), site(), id_)
    if row is None:
        return page("gone.html", 404, id=id_, kind="action")
    found, rail = stored(row), chrome.counts()
    log = Actions(database(), site()).logs([id_])[id_]
    lineage = Listing(database(), site()).lineage(id_)
    known = Known(
        last_line=log[-1].message if log else "",
        paused=bool(rail.pauses),
        seen=0 if rail.silent is None else rail.now - rail.silent,
        letters=lineage,
    )
    work = Work(desk().app.handlers, desk().settings.groups, desk().settings.exclude_groups)
    return page(
        "action.html",
        action=_plain(found),
        causes=explain_row(database(), site(), work, row, known),
        log=log,
        attempts=attempts(database(), site(), id_) if found.attempts or log[1:] else [],
        lineage=lineage,
        verbs=[verb for verb in VERBS.values() if found.status in verb.statuses],
    )


@blueprint.get("/suggestions")
def suggestions() -> Response:
    """Words that the search may begin with."""
    counted = census()
    rows = counted.rows if counted else ()
    hooks = dict.fromkeys(row.hook for row in rows)
    groups = dict.fromkeys(row.group for row in rows if row.group)
    words = [f"status:{status}" for status in Status]
    words += [f"hook:{_quoted(hook)}" for hook in sorted(hooks)]
    words += [f"group:{_quoted(group)}" for group in sorted(groups)]
    words += ["older:10m", "older:1h", "older:1d", "args:", "id:"]
    return jsonify(words[:500])


def _change(id_: int, verb: Verb) -> BaseResponse:
    """One action, from its own page or the list."""
    changed = verb.do(manage(), [id_])
    gone = verb.name == "delete" and changed
    to = url_for("actions.index") if gone else url_for("actions.show", id_=id_)
    if changed:
        return done(f"Action {id_}: {verb.did}.", to, changed=changed)
    now = next(iter(Actions(database(), site()).read([id_])), None)
    if now is None:
        return done(f"Action {id_} is gone: nothing was done.", url_for("actions.index"), "bad")
    text = f"Action {id_} is {now.status} by now: {verb.only}. Nothing was done."
    return done(text, to, "bad", changed=[])


def _preview(verb: Verb) -> Response:
    """What would be changed, before it is."""
    need_admin()
    wanted, ids, text = _chosen(verb)
    rail = chrome.counts()
    listing = _listing(rail.many)
    count = _count(listing, wanted, ids, rail.now)
    sample = _sample(listing, wanted, ids, rail.now)
    return page(
        "bulk.html",
        verb=verb.name,
        label=verb.label,
        danger=verb.danger,
        only=verb.only,
        query=text,
        ids=ids,
        count=count,
        more=count > COUNTED,
        large=count > LARGE,
        sample=sample,
    )


def _run(verb: Verb) -> BaseResponse:
    """Changes what was previewed, for as long as one request may take."""
    wanted, ids, text = _chosen(verb)
    rail = chrome.counts()
    listing = _listing(rail.many)
    check_typed(_count(listing, wanted, ids, rail.now))
    chunks, mine = Patient(_walk(listing, wanted, ids, rail.now)), manage()
    with mine.together(verb.name, named(ids) if ids else f"all that match {text}".strip()) as entry:
        changed = sum(len(verb.do(mine, some)) for some in chunks)
        entry.note = MORE if chunks.left else ""
    to = url_for("actions.index", q=text) if text else url_for("actions.index")
    said = f"{changed:,} action{'' if changed == 1 else 's'} {verb.did}. {entry.note}".strip()
    return done(said, to, "good" if changed else "bad", changed=changed, left=chunks.left)


def _chosen(verb: Verb) -> tuple[Wanted, list[int], str]:
    """By ids, or all that a search finds; only those that the verb can change."""
    ids = chosen_ids()
    text = "" if ids else request.values.get("q", "")
    try:
        wanted = parse(text).wanted
    except SearchError as error:
        raise UsageError(str(error)) from None
    allowed = verb.statuses
    meant = wanted.statuses or allowed
    both = tuple(status for status in meant if status in allowed)
    return replace(wanted, statuses=both or ("none",)), ids, text


def _count(listing: Listing, wanted: Wanted, ids: list[int], now: int) -> int:
    return len(ids) if ids else listing.count(wanted, now, COUNTED + 1)


def _sample(listing: Listing, wanted: Wanted, ids: list[int], now: int) -> list[dict[str, Any]]:
    chosen = ids[:10] or listing.page(wanted, Order("id"), 10, now).ids
    return [_plain(action) for action in Actions(database(), site()).read(chosen)]


def _walk(listing: Listing, wanted: Wanted, ids: list[int], now: int) -> Iterator[list[int]]:
    if ids:
        yield ids
        return
    yield from listing.walk(wanted, now)


def _listing(many: tuple[str, ...]) -> Listing:
    return Listing(database(), site(), many)


def _asked() -> tuple[str, str, str]:
    text = request.args.get("q", "")
    sort = request.args.get("sort", "")
    way = request.args.get("dir", "")
    if (sort and sort not in ORDERS) or (way and way not in {"asc", "desc"}):
        abort(400)
    return text, sort, way


def _usual_sort(search: Search) -> str:
    """The ids of all that there is, else dates."""
    wanted = search.wanted
    alone = replace(wanted, group=None, group_prefix=None, args=None, id=None)
    return "id" if alone == type(wanted)() else "date"


def _descending(way: str, search: Search) -> bool:
    """What waits begins with what is next; what is over with what was last."""
    if way:
        return way == "desc"
    waits = {Status.PENDING, Status.RUNNING}
    return not (search.wanted.statuses and waits.issuperset(search.wanted.statuses))


def _place() -> Place | None:
    """Where the page before ended. It comes from the address line: anything may be in it."""
    text = request.args.get("after", "")
    if not text:
        return None
    try:
        id_, date, hook, status = json.loads(base64.urlsafe_b64decode(text.encode() + b"=="))
        texts = all(isinstance(text, str) for text in (date, hook, status))
        if texts and type(id_) is int and 0 < id_ <= MOST_ID and _is_date(date):
            return Place(id_, date, hook[:191], status[:20])
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise SearchError("the address names a page that there is none of: begin anew")


def _is_date(text: str) -> bool:
    """Whether a list could have it: none, or a text that the server compares with dates."""
    epoch = epoch_of(text)
    return text in {"", ZERO} if epoch is None else text == sql_date(epoch)


def _next(found: Found | None) -> str | None:
    if found is None or found.next is None:
        return None
    facts = list(asdict(found.next).values())
    text = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
    given = {key: value for key, value in request.args.items() if key != "after"}
    return here("actions.index", **given, after=text)


def _state(search: Search | None) -> str:
    """The one status that the rail marks; none where the search was not understood."""
    statuses = search.wanted.statuses if search else ()
    return statuses[0] if len(statuses) == 1 else ""


def _rows(found: Found) -> list[dict[str, Any]]:
    actions = Actions(database(), site())
    lines = Listing(database(), site()).last_lines(found.ids)
    return [
        _plain(action) | {"last_line": lines.get(action.id, "")}
        for action in actions.read(found.ids)
    ]


def _plain(action: Any) -> dict[str, Any]:
    """An action as plain values, with its schedule in words."""
    schedule = action.schedule
    facts = {
        name: getattr(action, name)
        for name in ("id", "hook", "status", "group", "priority", "args", "attempts", "claim_id")
    }
    facts["due_gmt"] = action.scheduled_gmt
    facts["last_attempt_gmt"] = action.last_attempt_gmt
    facts["problems"] = list(action.problems)
    facts["recurrence"] = None if schedule is None else schedule.recurrence
    return facts


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _add_verbs() -> None:
    """Each verb is a resource of its own under an action, and for many."""
    for verb in VERBS.values():

        def one(id_: int, verb: Verb = verb) -> BaseResponse:
            return _change(id_, verb)

        def preview(verb: Verb = verb) -> Response:
            return _preview(verb)

        def run(verb: Verb = verb) -> BaseResponse:
            return _run(verb)

        name = verb.name
        blueprint.add_url_rule(f"/actions/<int:id_>/{name}", name, one, methods=["POST"])
        blueprint.add_url_rule(f"/actions/bulk/{name}", f"preview_{name}", preview)
        blueprint.add_url_rule(f"/actions/bulk/{name}", f"bulk_{name}", run, methods=["POST"])


_add_verbs()
