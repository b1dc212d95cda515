"""Figures, each with the guarantee it was measured under: `./dev bench throughput|claim|enqueue`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import click  # noqa: E402
from bench import claim, enqueue, throughput  # noqa: E402
from support import server as servers  # noqa: E402

DURABLE = [
    "--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--skip-log-bin",
    "--innodb-buffer-pool-size=2G", "--innodb-log-file-size=512M", "--skip-name-resolve",
]  # fmt: skip
"""A commit is on disk when it is answered: what a site's server should do, and most do."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Benchmarks on a server of their own, every commit synced to disk."""


def start() -> servers.Server:
    program = servers._program()
    if program is None:
        sys.exit("the benchmark wants a local mariadbd or mysqld: apt-get install mariadb-server")
    return servers.local(program, DURABLE)


@bench.command("throughput")
@click.option("--actions", default=500, show_default=True, help="Due actions a case and round.")
@click.option("--rounds", default=5, show_default=True, help="Interleaved rounds.")
@click.option(
    "--batch-size", "batches", multiple=True, type=int, default=[25, 100], show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def _throughput(actions: int, rounds: int, batches: tuple[int, ...], as_json: bool) -> None:
    """Actions a second, against a loop that does what Action Scheduler's runner does."""
    server = start()
    try:
        throughput.measure(server, actions, rounds, batches, as_json=as_json)
    finally:
        server.stop()


@bench.command("claim")
@click.option("--rows", default=1_000_000, show_default=True, help="Rows in the table.")
@click.option("--mix", "mixes", multiple=True, type=click.Choice(claim.MIXES), default=claim.MIXES)
def _claim(rows: int, mixes: tuple[str, ...]) -> None:
    """What one claim reads, locks and takes on a large table; fails over the promised bound."""
    server = start()
    try:
        within = claim.measure(server, rows, mixes)
    finally:
        server.stop()
    sys.exit(0 if within else 1)


@bench.command("enqueue")
@click.option("--actions", default=1000, show_default=True, help="Actions a round.")
@click.option("--rounds", default=5, show_default=True, help="Interleaved rounds.")
def _enqueue(actions: int, rounds: int) -> None:
    """Many actions created at once, against a loop of single inserts."""
    server = start()
    try:
        enqueue.measure(server, actions, rounds)
    finally:
        server.stop()


if __name__ == "__main__":
    bench(prog_name="./dev bench")
