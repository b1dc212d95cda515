"""The program of a child process. `settler_of` is here since it names concrete classes; threads and
`inline` make their settlers with it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.executors import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.executors.settling import Settler


def main(descriptor: int, parent: int) -> None:
    """Serves jobs from the given socket until it closes."""
    serve.main(descriptor, parent, settler_of)


def settler_of(site: Mapping[str, Any]) -> Settler:
    """Settles actions of a site (`dsn` as a dict, table `prefix`) over a connection of its own.
    Imported when the first handler wants it: most never do."""
    from runner.core.clock import SystemClock  # noqa: PLC0415
    from runner.operations.settling import DatabaseSettler  # noqa: PLC0415
    from runner.storage.dsn import Dsn  # noqa: PLC0415

    return DatabaseSettler(Dsn(**site["dsn"]), site["prefix"], SystemClock())
