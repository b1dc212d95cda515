"""`./dev chaos [NAME…]`: scenarios in their long form, one after the other, and what was seen."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("test_") for path in HERE.glob("test_*.py"))


@dataclass
class Row:
    """One test: how many runs it made and what it saw, by its own words."""

    scenario: str
    test: str
    runs: int = 0
    seen: str = "see above"
    held: bool = False
    seconds: float = 0.0


class Table:
    """Hears of every test that ends."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not report.failed:
            return
        if isinstance(report, pytest.SubtestReport):
            return
        file, _, test = report.nodeid.partition("::")
        row = Row(Path(file).stem.removeprefix("test_"), test.removeprefix("test_"))
        row.held, row.seconds = report.passed, report.duration
        for name, value in report.user_properties:
            if name == "chaos":
                row.runs, row.seen = value
        self.rows.append(row)

    def show(self) -> None:
        for row in self.rows:
            verdict = "held" if row.held else "BROKEN"
            click.echo(
                f"{row.scenario:<14}{row.runs:>5}  {verdict:<7}{row.seconds:>5.0f} s"
                f"  {row.test.replace('_', ' ')}: {row.seen}"
            )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]…")
def chaos(names: tuple[str, ...]) -> None:
    """Scenarios in their long form, on a real server, with real processes.

    Names are the files of tests/chaos without `test_` and `.py`; without any, all of them run.
    """
    os.environ["RUNNER_TEST_CHAOS"] = "full"
    table = Table()
    files = [str(HERE / f"test_{name}.py") for name in names or NAMES]
    code = pytest.main(["-q", "--no-header", *files], plugins=[table])
    click.echo(f"\n{'scenario':<14}{'runs':>5}  {'':<7}{'':>5}    what was seen")
    table.show()
    sys.exit(code)


if __name__ == "__main__":
    chaos(prog_name="./dev chaos")
