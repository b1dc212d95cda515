"""`runner action run`: chosen actions run now, due or not."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.app import Progress
from runner.cli import complain
from runner.cli.action.inputs import number_of
from runner.cli.options import log_level, make_app, resolved, settings_options
from runner.cli.outcomes import say, sentence
from runner.cli.run import exit_code, report
from runner.core.events import Settled
from runner.core.model import Status
from runner.core.signals import Stop
from runner.core.summary import Summary
from runner.operations.actions import Actions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.app import App
    from runner.core.events import Event
    from runner.handlers import Handlers
    from runner.operations.actions import StoredAction

EPILOG = """\b
Examples:
  runner action run 48211 --handlers shop.jobs:handlers
  runner action run 48211 48212 --mode native --inline

\b
Exit codes: 0 done, 1 an action could not be run or the runner could not work, 2 usage,
3 an action failed (--fail-on-error), 78 configuration, 128+n cut short by a signal.
"""


@click.command("run", epilog=EPILOG)
@settings_options("database", "handlers", "mode", "executor")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@click.option("--fail-on-error", is_flag=True, help="Exit with 3 when an action failed for good.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    *, numbers: tuple[str, ...], fail_on_error: bool, quiet: bool, as_json: bool, **flags: Any
) -> int:
    """Run these pending actions now, due or not, in the order given.

    They run as `runner run` runs them: same handlers, time limits, retries and next occurrences,
    and beside a run that is at work. What cannot be run is named; the others run.
    """
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    found = resolved(flags)
    app = make_app(found)
    app.log_level = log_level(quiet=quiet)
    wanted, not_run = _sorted_out(app, ids)
    stop, tell, summary = Stop(), _Tell(silent=quiet or as_json), Summary()
    if wanted:
        with stop.listening():
            chosen = [action.id for action in wanted]
            summary = app.run(found.settings, stop, Progress(subscribers=[tell]), ids=chosen)
    not_run += _left([action for action in wanted if action.id not in tell.settled], stop)
    for line in not_run:
        complain(line)
    if as_json:
        click.echo(json.dumps(asdict(summary) | {"not_run": not_run}))
    elif wanted:
        report(summary, quiet=quiet, as_json=False)
    code = exit_code(summary, stop, fail_on_error=fail_on_error)
    return code if stop.now or not not_run else 1


class _Tell:
    """Says what became of each action as soon as it is recorded."""

    def __init__(self, *, silent: bool) -> None:
        self.settled: set[int] = set()
        self._silent = silent

    def __call__(self, event: Event) -> None:
        if isinstance(event, Settled):
            self.settled.add(event.settlement.action.id)
            if not self._silent:
                say(sentence(event), sys.stdout)


def _sorted_out(app: App, ids: Sequence[int]) -> tuple[list[StoredAction], list[str]]:
    """Actions that can be run, and what is wrong with the others."""
    with app.open() as (database, site):
        found = {action.id: action for action in Actions(database, site).read(ids)}
    wanted, refused = [], []
    for id_ in ids:
        action = found.get(id_)
        why = f"there is no action {id_}" if action is None else _refusal(action, app.handlers)
        if why:
            refused.append(why)
        elif action:
            wanted.append(action)
    return wanted, refused


def _refusal(action: StoredAction, handlers: Handlers) -> str | None:
    if action.hook not in handlers.hooks:
        return f"action {action.id}: its hook {action.hook} has no handler here"
    if action.status != Status.PENDING:
        return f"action {action.id} is {action.status}: only pending actions can be run"
    if action.claim_id:
        return f"action {action.id} is held by claim {action.claim_id}: a run is about to run it"
    return None


def _left(actions: Sequence[StoredAction], stop: Stop) -> Iterator[str]:
    """Why these were to run and did not."""
    for action in actions:
        if action.problems:
            yield f"action {action.id} is canceled: it cannot be read: {'; '.join(action.problems)}"
        elif stop.asked:
            yield f"action {action.id} was not run: {stop.asked} came before it"
        else:
            yield f"action {action.id} was not run: another run took it, or it was changed"
