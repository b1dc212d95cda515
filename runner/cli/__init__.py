"""The command line: `runner <command>`. Each command is a module, imported when it is called."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runner import __version__
from runner.core.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS = {
    "run": "Run the due actions of your handlers, then end.",
    "work": "Run due actions as they come, until told to stop: the daemon.",
    "migrate": "Make or update the runner's own tables: leases, workers, attempts.",
    "install": "Set up beside PHP's own runner: park the actions of your handlers' hooks.",
    "uninstall": "Undo `runner install`: every action gets its true date back.",
    "web": "Serve the status page; who may open it.",
    "health": "Say whether all is well, and tell people when it is not.",
    "alert": "List alerts, silence them, try the channels.",
    "doctor": "Look for what is wrong or slow: site, database, queue, runner.",
    "grants": "Print or verify the rights of the database account.",
    "status": "Show what waits, runs and failed.",
    "explain": "Say why an action has not run, or what happened to it.",
    "config": "Show every setting, its value, and where it came from.",
    "action": "List, create, cancel, delete and run single actions.",
    "dead-letter": "List, replay, discard and export what failed for good.",
    "pause": "Let nothing of a hook, a group, or all begin for a while.",
    "resume": "End a pause.",
    "audit": "Show who changed what.",
    "job": "Create jobs of the WPKite job manager.",
    "worker": "Show who works on this site.",
    "clean": "Delete old finished actions and their logs.",
    "purge": "Delete finished actions by hook, group, status, age or number; orphaned log lines.",
    "handlers": "Show which hooks are handled, by what, and how they are retried.",
    "version": "Show versions.",
}


class Lazy(click.Group):
    """Knows its commands by name, so that one command does not pay for the others' imports.

    `package` holds one module a command; `summaries` maps commands to their lines in the help.
    """

    def __init__(
        self, *arguments: Any, package: str, summaries: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._summaries = summaries

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click itself would call it an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read us has gone: no more words
            return 0

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's interface
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._summaries:
            return None
        command = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101  ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


@click.group(
    cls=Lazy,
    package="runner.cli",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example:  runner run --handlers shop.jobs:handlers --batch-size 25",
)
@click.option("--debug", is_flag=True, help="Show tracebacks and log details.")
@click.version_option(__version__, prog_name="runner", message="%(prog)s %(version)s")
def cli(*, debug: bool) -> None:
    """Run the jobs that WordPress plugins queued with Action Scheduler, by Python handlers."""
    if debug:
        import logging  # noqa: PLC0415  only when asked for

        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command; every error is one line that says what to do (`--debug` shows more).

    Exit codes: 0 done or nothing to do, 1 the runner could not work, 2 usage, 3 an action failed
    (with --fail-on-error), 75 another run holds the lock, 78 configuration, 128 + n after a
    signal that cut work short.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    _mend_streams()
    try:
        result = cli.main(args=given, prog_name="runner", standalone_mode=False, obj=given)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        complain(error.format_message() + _hint(error))
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  a user gets a line, no traceback
        if debug:
            import traceback  # noqa: PLC0415  only when asked for

            traceback.print_exc()
        sys.exit(_exit_code(error))
    sys.exit(result if isinstance(result, int) else 0)


def _mend_streams() -> None:
    """Streams that whoever started us closed lead nowhere, and data need not fit the terminal."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _exit_code(error: Exception) -> int:
    """Says what went wrong, each problem in one line."""
    if isinstance(error, RunnerError):
        for problem in error.problems:
            complain(problem)
        return error.exit_code
    complain(f"unexpected {type(error).__name__}: {error} (runner --debug … shows where)")
    return 1


def _hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see `{context.command_path} --help`)" if context else ""


def complain(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    click.echo("runner: " + printable(text), err=True)


def printable(text: Any) -> str:
    """Text on one line, with control characters made visible: data must not drive a terminal."""
    return visible(" ".join(str(text).split()))


def visible(text: str) -> str:
    """The text with control characters, and whatever else cannot be seen, spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
