"""`runner dead-letter replay`: what failed for good runs again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from compat.args import ArgsError, decode, store
from runner.cli import complain, printable
from runner.cli.actor import actor_name, actor_option
from runner.cli.dead_letter.choice import (
    agreed,
    chosen,
    filter_options,
    ids_or_filter,
    wanted_by,
)
from runner.cli.options import make_app, resolved, settings_options
from runner.cli.progress import Bar
from runner.core.errors import DatabaseError, RunnerError, UsageError
from runner.core.limits import Limits
from runner.core.rates import Rate, RateError
from runner.core.signals import Stop
from runner.handlers.binding import Unbound
from runner.operations.actions import Actions
from runner.operations.dead_letters import DEAD, DeadLetters, Wanted
from runner.operations.manage import Actor, Manage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from compat.args import StoredArgs
    from runner.app import App
    from runner.operations.dead_letters import Head

EPILOG = """\b
Examples:
  runner dead-letter replay 17
  runner dead-letter replay --hook wpkite_sync_product --since 24h --dry-run
  runner dead-letter replay --hook wpkite_sync_product --rate 10/s --yes
  runner dead-letter replay 17 --edit-args '[42]'

\b
A letter is replayed once: a second replay says what the first became. Cut short, the command goes
on where it was when it is run again.
"""


@click.command("replay", epilog=EPILOG)
@settings_options("database", "handlers")
@click.argument("numbers", metavar="[ID...]", nargs=-1)
@filter_options
@click.option("--all", "everything", is_flag=True, help="All that are dead.")
@click.option("--rate", metavar="N/UNIT", help="At most so many: 10/s, 50/m, 1000/h.")
@click.option("--edit-args", metavar="JSON", help="With these args instead: for one letter.")
@click.option("--dry-run", is_flag=True, help="Change nothing, say what would be replayed.")
@click.option("--yes", is_flag=True, help="Replay several without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print each replay as a JSON object a line.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@actor_option
def command(
    *,
    numbers: tuple[str, ...],
    everything: bool,
    rate: str | None,
    edit_args: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    actor: str | None,
    **options: Any,
) -> int:
    """Replay dead letters, by their ids or by filters: each becomes a new action of the same hook,
    group, args and priority, due now, with all its attempts.

    Letter and action name each other, and both actions' logs say who asked for it.
    """
    ids = ids_or_filter(numbers, options, "replay", everything=everything)
    if edit_args is not None and (ids is None or len(ids) != 1):
        raise UsageError("--edit-args is for one letter: give its id")
    interval = _interval(rate)
    app = make_app(resolved(options), required=False)
    stop = Stop()
    with stop.listening(), app.open() as (database, site):
        letters = DeadLetters(database, site)
        now = Actions(database, site).now()
        wanted = Wanted(ids=ids, status=None) if ids else wanted_by(options, now)
        args = None
        if edit_args is not None:
            args = _edited(edit_args, app, letters.heads(wanted.ids or ()))
        if dry_run:
            return _preview(letters, wanted)
        total = letters.count(wanted)
        agreed(total, "replay", yes=yes or bool(ids))
        say = _Say(as_json=as_json, quiet=quiet, each=bool(ids))
        limits = Limits(app.clock, stop)
        manage = Manage(database, site, Actor(actor_name(actor)))
        with (
            manage.together("replay", chosen(ids, options)),
            Bar(shown=not (quiet or as_json)) as bar,
        ):
            bar.begin(total)
            for id_ in _ids(letters, wanted):
                if limits.reached():
                    break
                say.one(id_, partial(manage.replay, id_, args=args))
                bar.update()
                limits.rest(interval)
        say.all(total, cut=bool(stop.asked))
    return 128 + stop.number if stop.asked else int(bool(say.refused))


def _interval(text: str | None) -> float:
    """Seconds from one replay to the next."""
    if text is None:
        return 0.0
    try:
        return Rate.parse(text).interval
    except RateError as error:
        raise UsageError(f"--rate: {error}") from error


def _edited(text: str, app: App, heads: Sequence[Head]) -> StoredArgs:
    """The args given, if they are JSON and fit the hook's handler, where it is known here."""
    try:
        args = decode(text, None)
        stored = store(args)
        for head in heads:
            if head.hook in app.handlers.hooks:
                app.handlers.of(head.hook, args).signature.bind(args)
    except (ArgsError, Unbound) as error:
        raise UsageError(f"--edit-args: {error}; nothing was changed") from error
    return stored


def _ids(letters: DeadLetters, wanted: Wanted) -> Iterator[int]:
    """Those that were named, in that order and whether or not they are there; else all that match,
    the oldest first."""
    if wanted.ids is not None:
        yield from wanted.ids
        return
    for some in letters.walk(wanted):
        yield from some


def _preview(letters: DeadLetters, wanted: Wanted) -> int:
    count = 0
    for some in letters.walk(wanted):
        for head in letters.heads(some):
            count += 1
            what = "would be replayed" if head.status == DEAD else f"was {head.status} already"
            click.echo(f"dead letter {head.id} ({printable(head.hook)}) {what}")
    click.echo(f"{count} dead letter{'' if count == 1 else 's'}; nothing was changed")
    return 0


@dataclass(slots=True)
class _Say:
    """Tells of each replay, or of all together."""

    as_json: bool
    quiet: bool
    each: bool
    done: int = 0
    refused: int = 0

    def one(self, id_: int, replay: Callable[[], int]) -> None:
        """Replays one letter; one that cannot be is named and changes nothing for the others."""
        try:
            new = replay()
        except DatabaseError:
            raise
        except RunnerError as error:
            complain(str(error))
            self.refused += 1
            return
        self.done += 1
        if self.as_json:
            click.echo(json.dumps({"dead_letter": id_, "action": new}))
        elif self.each and not self.quiet:
            click.echo(f"dead letter {id_} is now action {new}")

    def all(self, total: int, *, cut: bool) -> None:
        if self.as_json or self.quiet or (self.each and not cut):
            return
        left = f", {total - self.done - self.refused} left: run it again to go on" if cut else ""
        refused = f", {self.refused} not" if self.refused else ""
        click.echo(
            f"replayed {self.done} dead letter{'' if self.done == 1 else 's'}{refused}{left}"
        )
