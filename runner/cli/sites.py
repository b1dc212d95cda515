"""`runner run` and `runner work` for all sites of the settings' file."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runner.cli import complain, printable
from runner.cli.outcomes import say
from runner.core.clock import SystemClock
from runner.core.signals import Stop
from runner.fleet import TICK, Keeper, Process, Rounds
from runner.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.config import Resolved
    from runner.core.summary import Summary
    from runner.fleet import Total

_MILD = (0, 75, 3)
"""Exit codes that tell of no trouble with the site itself, the mildest first."""


def run_all(
    found: Resolved, sentence: Callable[[Summary], str], *, quiet: bool, as_json: bool
) -> int:
    """A run on each site; a line for each. The worst exit code."""
    stop, clock = Stop(), SystemClock()
    settings = found.settings
    with stop.listening():
        rounds = Rounds(found.sites, _arguments(), stop, clock, _teller(as_json=False))
        totals = rounds.run(settings.sites_at_once, settings.time_limit)
    for site, total in totals.items():
        if as_json:
            click.echo(json.dumps(_facts(site, total)))
        elif not quiet and not total.code:
            click.echo(f"{site}: {sentence(total.summary)}")
    if stop.now:
        return 128 + stop.number
    return max((total.code for total in totals.values()), key=_badness, default=0)


def look_all(found: Resolved, *, as_json: bool) -> int:
    """The same command on each site, some at a time; a site's lines come together. The worst exit
    code."""
    clock, tell = SystemClock(), _teller(as_json=as_json)
    waiting, worked, codes = deque(found.sites), list[Process](), list[int]()
    said: dict[str, list[tuple[str, bool]]] = {site: [] for site in found.sites}

    def hear(site: str, line: str, wrong: bool) -> None:
        said[site].append((line, wrong))

    while waiting or worked:
        while waiting and len(worked) < found.settings.sites_at_once:
            worked.append(Process(waiting.popleft(), _arguments(), hear, clock.monotonic()))
        for process in [*worked]:
            if (code := process.ended()) is not None:
                worked.remove(process)
                codes.append(code)
                for line, wrong in said[process.site]:
                    tell(process.site, line, wrong)
        clock.sleep(TICK)
    return max(codes, key=_badness, default=0)


def work_all(found: Resolved) -> int:
    """A daemon on each site, started again when it ends, until told to stop."""
    stop, clock = Stop(), SystemClock()
    notifier = Notifier.from_environment(os.environ)
    tell = _teller(as_json=found.settings.log_format == "json")
    with stop.listening(reloads=True):
        notifier.ready()
        keeper = Keeper(found.sites, _arguments(), stop, clock, tell)
        code = keeper.run(lambda: notifier.alive(clock.monotonic()))
    notifier.stopping()
    return 128 + stop.number if stop.now and stop.number else code


def _arguments() -> list[str]:
    """The command line of this process, for those that it starts."""
    return list(click.get_current_context().find_root().obj)


def _facts(site: str, total: Total) -> dict[str, object]:
    return {"site": site, "exit_code": total.code, "problem": total.problem} | asdict(total.summary)


def _badness(code: int) -> tuple[int, int]:
    return (_MILD.index(code), 0) if code in _MILD else (len(_MILD), code)


def _teller(*, as_json: bool) -> Callable[[str, str, bool], None]:
    """Prints a site's line under its name, JSON as JSON."""
    out, err = sys.stdout, sys.stderr

    def tell(site: str, line: str, wrong: bool) -> None:
        if as_json and line.startswith("{"):
            line = f'{{"site": {json.dumps(site)}, {line[1:]}'
        elif as_json:
            line = json.dumps({"site": site, "event": "message", "text": line})
        elif wrong:
            complain(f"{site}: {line.removeprefix('runner: ')}")
            return
        else:
            line = f"{site}: {printable(line)}"
        say(line, err if wrong else out)

    return tell
