"""A site whose PHP runner may be alive, and nobody has said that it is off."""

from __future__ import annotations

from interop.wordpress import Enqueued

JOBS = """
from pathlib import Path
from runner import Handlers

handlers = Handlers()

@handlers.on("py_interop_single")
def single(*args):
    Path("called").touch()
"""


def test_mode_auto_refuses_beside_phps_runner_and_touches_nothing(site, cli):
    """Exit 1 and one line that says what to do; every table stays as it was, no handler ran."""
    assert site.facts["scheduled"], (
        "this site has no action_scheduler_run_queue event: boot it once"
    )
    site.enqueue([Enqueued("single", "py_interop_single", [i], site.now() - 60) for i in range(3)])
    cli.module("jobs", JOBS)
    before = site.checksums()
    done = cli("run", "--handlers", "jobs:handlers", RUNNER_MODE="auto")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "--mode native" in done.stderr
    assert site.checksums() == before
    assert not (cli.folder / "called").exists()
