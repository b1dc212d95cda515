"""`runner action list`: actions, by what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from runner.cli.action.fields import ALL, USUAL, facts
from runner.cli.action.inputs import args_column, checked, number_of
from runner.cli.moments import Moment, moment, span
from runner.cli.options import names_list, settings_options, site_app
from runner.cli.output import (
    LIST_FORMATS,
    chosen_fields,
    output_options,
    per_page_option,
    print_rows,
)
from runner.core.errors import UsageError
from runner.core.model import Status
from runner.operations import actions as model
from runner.operations.actions import Actions, Bound, Filter, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EPILOG = """\b
Examples:
  runner action list --past-due
  runner action list --hook wpkite_sync_product --args '[42]' --fields id,status,args
  runner action list --status failed --orderby modified --order desc --format json
  runner action list --status in-progress --older-than 10m --format ids
  runner action list --date '2026-11-23 06:00' --date_compare '>=' --format count

\b
Fields: id, hook, status, group, recurring, scheduled_date (UTC) and, when asked for,
schedule, args, priority, attempts, last_attempt, claim_id, log_entries.
Moments: '2026-11-23 06:05' (UTC), '2026-11-23T06:05+01:00', '2 days ago', 'in 10m', seconds.
"""

MOST = 10**15
"""As much as anybody could have."""

_ORDER_NAMES = {"scheduled_date": "date", "last_attempt": "modified"}
"""The fields' own names are understood too."""


@dataclass(frozen=True, slots=True)
class _Date:
    """A bound before the database's clock is known."""

    compare: str
    moment: Moment

    def bound(self, now: int) -> Bound:
        return Bound(self.compare, self.moment.at(now))


@click.command("list", epilog=EPILOG)
@settings_options("database")
@click.option("--hook", metavar="NAME", help="Of this hook.")
@click.option("--args", metavar="JSON", help="With exactly these args, such as '[42]'.")
@click.option("--group", metavar="NAME", help="Of this group; '' is no group.")
@click.option("--status", metavar="A,B", help=f"In one of: {', '.join(Status)}.")
@click.option(
    "--claimed",
    is_flag=False,
    flag_value="yes",
    metavar="[yes|no|CLAIM]",
    help="With a claim, with none, or with this one. Finished actions keep theirs.",
)
@click.option("--past-due", is_flag=True, help="Pending, and its date has passed.")
@click.option("--older-than", metavar="SPAN", help="Its date has passed by at least 10m, 12h, 3d…")
@click.option("--date", metavar="MOMENT", help="Due up to this moment (see --date_compare).")
@click.option(
    "--date_compare",
    "--date-compare",
    type=click.Choice(model.COMPARISONS),
    default="<=",
    show_default=True,
    metavar="OP",
    help="How --date is compared: {}.".format(" ".join(model.COMPARISONS)),
)
@click.option("--modified", metavar="MOMENT", help="Last touched by a run up to this moment.")
@click.option(
    "--modified_compare",
    "--modified-compare",
    type=click.Choice(model.COMPARISONS),
    default="<=",
    show_default=True,
    metavar="OP",
    help="How --modified is compared: {}.".format(" ".join(model.COMPARISONS)),
)
@per_page_option("Actions", MOST)
@click.option(
    "--offset",
    type=click.IntRange(0, MOST),
    default=0,
    metavar="N",
    help="Skip the first N actions.",
)
@click.option(
    "--orderby",
    type=click.Choice([*model.ORDERS, *_ORDER_NAMES]),
    default="date",
    show_default=True,
    metavar="NAME",
    help=f"Sort by one of: {', '.join([*model.ORDERS, *_ORDER_NAMES])}.",
)
@click.option(
    "--order",
    type=click.Choice(["asc", "desc"], case_sensitive=False),
    default="asc",
    show_default=True,
)
@output_options(*LIST_FORMATS)
def command(
    *,
    style: str,
    field: str | None,
    fields: str | None,
    **options: Any,
) -> None:
    """List actions, the earliest date first.

    Hooks, groups and args are compared as the database does: by most sites' collation, upper and
    lower case are equal.
    """
    names = chosen_fields(field, fields, ALL, USUAL)
    dates = {name: _dates(options, name) for name in ("date", "modified")}
    page = _page(options)
    plain = _filter(options)
    app = site_app(options)
    with app.open() as (database, site):
        actions = Actions(database, site)
        wanted = _with_dates(plain, dates, actions)
        if style == "count":
            click.echo(actions.count(wanted))
            return
        ids = actions.ids(wanted, page)
        if style == "ids":
            click.echo(" ".join(map(str, ids)))
        else:
            rows = _rows(actions, ids, with_log="log_entries" in names)
            print_rows(rows, names, style, bare=field is not None)
        _tell_of_more(actions, wanted, page, len(ids))


def _filter(options: dict[str, Any]) -> Filter:
    """All conditions but dates."""
    checked(options["hook"], options["group"])
    statuses = _statuses(options["status"])
    if options["past_due"]:
        if statuses and Status.PENDING not in statuses:
            raise UsageError("--past-due means pending: leave --status out")
        statuses = (Status.PENDING,)
    claimed = options["claimed"]
    known = {None: None, "yes": True, "true": True, "no": False, "false": False}
    word = None if claimed is None else claimed.lower()
    return Filter(
        hook=options["hook"],
        args=args_column(options["args"]),
        group=options["group"],
        statuses=statuses,
        claimed=known.get(word),
        claim=None if word in known else number_of(claimed, "claim id (nor yes, nor no)"),
    )


def _statuses(text: str | None) -> tuple[str, ...]:
    names = names_list("--status", text)
    for name in names:
        if name not in [*Status]:
            raise UsageError(f"--status: there is no {name!r} (there are: {', '.join(Status)})")
    return names


def _dates(options: dict[str, Any], name: str) -> list[_Date]:
    dates = []
    if options[name] is not None:
        dates.append(_Date(options[f"{name}_compare"], moment(f"--{name}", options[name])))
    if name == "date" and options["past_due"]:
        dates.append(_Date("<=", Moment(0, relative=True)))
    if name == "date" and options["older_than"] is not None:
        late = span("--older-than", options["older_than"])
        dates.append(_Date("<=", Moment(-late, relative=True)))
    return dates


def _with_dates(plain: Filter, dates: dict[str, list[_Date]], actions: Actions) -> Filter:
    """The filter with its moments told by the database's clock, which is asked when needed."""
    if not any(dates.values()):
        return plain
    now = actions.now()
    scheduled, modified = (tuple(d.bound(now) for d in dates[name]) for name in dates)
    return replace(plain, scheduled=scheduled, modified=modified)


def _page(options: dict[str, Any]) -> Page:
    return Page(
        order=_ORDER_NAMES.get(options["orderby"], options["orderby"]),
        descending=options["order"] == "desc",
        limit=options["per_page"] or model.ALL,
        offset=options["offset"],
    )


def _rows(actions: Actions, ids: Sequence[int], *, with_log: bool) -> Iterator[dict[str, Any]]:
    """The fields of each action, read as they are printed."""
    for start in range(0, len(ids), model.CHUNK):
        chunk = ids[start : start + model.CHUNK]
        logs = actions.logs(chunk) if with_log else {}
        for action in actions.read(chunk):
            yield facts(action, logs.get(action.id, ()))


def _tell_of_more(actions: Actions, wanted: Filter, page: Page, shown: int) -> None:
    """Says on stderr that the page was cut."""
    if not shown or shown < page.limit:
        return
    end = page.offset + shown
    total = actions.count(wanted, at_most=max(model.COUNTED, end) + 1)
    if total > end:
        many = f"{total:,}" if total <= model.COUNTED else f"more than {max(model.COUNTED, end):,}"
        click.echo(
            f"{page.offset + 1} to {end} of {many} actions"
            f" (--offset {end} shows the next ones, --per_page 0 all)",
            err=True,
        )
