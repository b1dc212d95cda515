"""`runner doctor`: what is wrong, slow or unknown."""

from __future__ import annotations

import json
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from runner.cli import printable
from runner.cli.options import known_hooks, resolved, settings_options, site_app
from runner.operations.doctor import Patient, Severity, examine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.operations.doctor import Finding

EPILOG = """\b
Examples:
  runner doctor
  runner doctor --json --fail-on warning

\b
ok: as it should be; info: good to know; unknown: could not be told; warning: see to it soon;
error: actions do not run, or come to harm. Nothing is written, and no table is read as a whole.
Exit codes: 0 nothing as bad as --fail-on was found, 1 something was, 2 usage, 78 configuration.
"""

_ORDER = list(Severity)
_COLORS = {
    Severity.OK: "green",
    Severity.INFO: "blue",
    Severity.UNKNOWN: "magenta",
    Severity.WARNING: "yellow",
    Severity.ERROR: "red",
}


@click.command("doctor", epilog=EPILOG)
@settings_options("database", "handlers", "mode", "lease", "expiry")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    default="error",
    show_default=True,
    help="The least finding that exits with 1.",
)
def command(*, as_json: bool, fail_on: str, **flags: Any) -> int:
    """Look for what is wrong or slow, and say what to do: site, database, queue, runner."""
    found = resolved(flags)
    hooks, trouble = known_hooks(found)
    app = site_app(flags)
    with app.connected() as (database, tables):
        findings = examine(
            Patient(
                database,
                tables,
                hooks=hooks,
                trouble=trouble,
                mode=found.settings.mode,
                lease=found.settings.lease,
                expiry=found.settings.expiry,
                folder=app.connection.mu_plugins,
            )
        )
    if as_json:
        click.echo(json.dumps(_object(findings)))
    else:
        for line in _lines(findings):
            click.echo(line)
    worst = max(_ORDER.index(finding.verdict.severity) for finding in findings)
    return int(worst >= _ORDER.index(Severity(fail_on)))


def _object(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "counts": {severity: _count(findings, severity) for severity in Severity},
        "findings": [finding.as_json() for finding in findings],
    }


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.verdict.severity is severity for finding in findings)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The worst comes last, where a terminal stands still."""
    width = max(len(finding.code) for finding in findings)
    for finding in sorted(findings, key=lambda f: _ORDER.index(f.verdict.severity)):
        verdict = finding.verdict
        word = click.style(f"{verdict.severity:<9}", fg=_COLORS[verdict.severity])
        line = f"{word}{finding.code:<{width}}  {printable(verdict.fact)}"
        if verdict.severity is Severity.OK:
            yield f"{line}  {click.style(printable(verdict.meaning), dim=True)}"
            continue
        yield line
        for text in (verdict.meaning, verdict.advice, ", ".join(verdict.details)):
            yield from _wrapped(text)
    counts = ((_count(findings, severity), severity) for severity in reversed(_ORDER))
    yield ", ".join(f"{count} {severity}" for count, severity in counts if count)


def _wrapped(text: str) -> list[str]:
    width = min(get_terminal_size().columns, 100)
    indent = " " * 9
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,  # what is copied from here stays whole
        break_on_hyphens=False,
    )
