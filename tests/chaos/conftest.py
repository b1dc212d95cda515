"""Fixtures of the chaos tests."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support import server as servers
from support.scene import Scene


@pytest.fixture
def scenes(server, tmp_path):
    """Makes scenes, each with a site and a folder of its own; may be called by several threads."""
    with ExitStack() as stack:

        def scene(jobs: str, name: str = "scene", on=server, **facts) -> Scene:
            return stack.enter_context(Scene(on, tmp_path / name, jobs, **facts))

        yield scene


@pytest.fixture(scope="module")
def mortal():
    """A server that may be stopped and killed: what it said is on its disk."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    server = servers.local(program, [*servers.FAST, "--innodb-flush-log-at-trx-commit=1"])
    yield server
    server.stop()


@pytest.fixture
def seen(record_property):
    """Notes how many runs a scenario made and what was seen, for the table of `./dev chaos`."""

    def note(runs: int, text: str) -> None:
        record_property("chaos", (runs, text))

    return note
