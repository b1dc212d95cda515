"""Figures, each with the guarantee it was measured under: `./dev bench --help` lists them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import click  # noqa: E402
from bench import (  # noqa: E402
    beside,
    claim,
    coldstart,
    enqueue,
    executors,
    health,
    page,
    purge,
    throughput,
)
from support import server as servers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

DURABLE = [
    "--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--skip-log-bin",
    "--innodb-buffer-pool-size=2G", "--innodb-log-file-size=512M", "--skip-name-resolve",
]  # fmt: skip
"""A commit is on disk when it is answered: what a site's server should do, and most do."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Benchmarks on a server of their own, every commit synced to disk."""


@contextmanager
def running() -> Iterator[servers.Server]:
    """A server of the benchmark's own."""
    program = servers._program()
    if program is None:
        sys.exit("the benchmark wants a local mariadbd or mysqld: apt-get install mariadb-server")
    server = servers.local(program, DURABLE)
    try:
        yield server
    finally:
        server.stop()


_rounds = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Interleaved rounds."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@bench.command("throughput")
@click.option(
    "--actions",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="Due actions a case and round.",
)
@_rounds
@click.option(
    "--batch-size",
    "batches",
    multiple=True,
    type=click.IntRange(1, 1000),
    default=[25, 100],
    show_default=True,
    help="Actions claimed at a time; may be repeated.",
)
@click.option("--own-tables", is_flag=True, help="After `runner migrate`: leases and attempts.")
@_json
def _throughput(
    actions: int, rounds: int, batches: tuple[int, ...], own_tables: bool, as_json: bool
) -> None:
    """Actions a second.

    Against a loop that does what Action Scheduler's runner does, and against huey on SQLite where
    it is installed.
    """
    with running() as server:
        throughput.measure(server, actions, rounds, batches, own_tables=own_tables, as_json=as_json)


@bench.command("executors")
@click.option(
    "--actions",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Due actions a case and round.",
)
@_rounds
@_json
def _executors(actions: int, rounds: int, as_json: bool) -> None:
    """What isolation costs.

    Children against calls in the runner's own process, 10 ms handlers against the ideal, and the
    parent's memory over 100,000 actions; fails below the promised ratios.
    """
    with running() as server:
        within = executors.measure(server, actions, rounds, as_json=as_json)
    sys.exit(0 if within else 1)


@bench.command("claim")
@click.option(
    "--rows", "sizes", multiple=True, type=click.IntRange(100), default=[10_000, 1_000_000], show_default=True,
    help="Rows in the table; may be repeated.",
)  # fmt: skip
@click.option(
    "--mix", "mixes", multiple=True, type=click.Choice(claim.MIXES), default=claim.MIXES,
    show_default=True, help="What the table is full of; may be repeated.",
)  # fmt: skip
@click.option(
    "--mode", type=click.Choice(["native", "parked"]), default="native", show_default=True,
    help="parked: beside a live PHP runner.",
)  # fmt: skip
@_json
def _claim(sizes: tuple[int, ...], mixes: tuple[str, ...], mode: str, as_json: bool) -> None:
    """What one claim reads, locks and takes.

    On large tables; fails over the promised bound.
    """
    with running() as server:
        within = claim.measure(server, sizes, mixes, mode=mode, as_json=as_json)
    sys.exit(0 if within else 1)


@bench.command("coldstart")
@click.option(
    "--rounds", type=click.IntRange(1), default=15, show_default=True, help="Interleaved rounds."
)
@click.option("--wp-path", envvar="WP_PATH", metavar="DIR", help="A WordPress to compare with.")
@_json
def _coldstart(rounds: int, wp_path: str | None, as_json: bool) -> None:
    """`runner run` with nothing due, as a whole process.

    Beside a bare boot of WordPress; fails over the promised memory.
    """
    if wp_path and not (Path(wp_path) / "wp-load.php").is_file():
        raise click.UsageError(f"--wp-path {wp_path} is no folder of a WordPress")
    with running() as server:
        within = coldstart.measure(server, rounds, wp_path, as_json=as_json)
    sys.exit(0 if within else 1)


@bench.command("enqueue")
@click.option(
    "--actions",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Actions a case and round.",
)
@_rounds
@_json
def _enqueue(actions: int, rounds: int, as_json: bool) -> None:
    """Actions created a second.

    Against a loop of one raw insert and its log line.
    """
    with running() as server:
        enqueue.measure(server, actions, rounds, as_json=as_json)


@bench.command("purge")
@click.option(
    "--rows", type=click.IntRange(1_000), default=200_000, show_default=True,
    help="Finished actions to purge, with three log lines each.",
)  # fmt: skip
@click.option(
    "--quiet-seconds", type=click.IntRange(1), default=30, show_default=True,
    help="How long claims are measured before the purge, and after it.",
)  # fmt: skip
@_json
def _purge(rows: int, quiet_seconds: int, as_json: bool) -> None:
    """A purge beside a daemon that claims.

    Claims during `runner purge` against claims before and after it; fails over twice the quiet
    p99, or when other rows are left than expected.
    """
    with running() as server:
        within = purge.measure(server, rows, quiet_seconds, as_json=as_json)
    sys.exit(0 if within else 1)


@bench.command("health")
@click.option(
    "--rows",
    type=click.IntRange(10_000),
    default=1_000_000,
    show_default=True,
    help="Actions in the table.",
)
@_json
def _health(rows: int, as_json: bool) -> None:
    """What one look at a site's health, a scrape of the metrics and a chart cost.

    Fails when a day by the minute of 100 hooks is not charted within 50 ms.
    """
    with running() as server:
        within = health.measure(server, rows, as_json=as_json)
    sys.exit(0 if within else 1)


@bench.command("page")
@click.option(
    "--rows", type=click.IntRange(1000), default=1_000_000, show_default=True, help="Actions."
)
@click.option(
    "--actions",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Due actions that a run does beside the viewers.",
)
@_rounds
@_json
def _page(rows: int, actions: int, rounds: int, as_json: bool) -> None:
    """The status page: each view on a large queue, 50 viewers, and what 10 cost the runner."""
    with running() as server:
        if not page.measure(server, rows, actions, rounds, as_json=as_json):
            sys.exit("the page is not as quick as it is to be")


@bench.command("beside")
@click.option("--wp-path", envvar="WP_PATH", metavar="DIR", help="A throw-away WordPress.")
@click.option(
    "--actions", type=click.IntRange(1), default=500, show_default=True,
    help="Actions of PHP's a case and round.",
)  # fmt: skip
@_rounds
@_json
def _beside(wp_path: str | None, actions: int, rounds: int, as_json: bool) -> None:
    """PHP's own runner beside a busy daemon.

    Against the same runner alone, on an existing WordPress and its server; fails below 0.9.
    """
    sys.exit(0 if beside.measure(wp_path, actions, rounds, as_json=as_json) else 1)


if __name__ == "__main__":
    bench(prog_name="./dev bench")
