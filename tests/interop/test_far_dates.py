"""Dates in milliseconds, a slip that Action Scheduler takes: it stores such an action without a
date, so that it is due at once."""

from __future__ import annotations

import pytest
from interop.wordpress import GROUP, Enqueued

JOBS = """
from runner import Context, Handlers

handlers = Handlers()

def note(hook):
    with open("calls", "a") as calls:
        calls.write(f"{hook}\\n")

@handlers.on("py_interop_single")
def single(context: Context, *args): note(context.hook)

@handlers.on("py_interop_recurring")
def recurring(*args): note("py_interop_recurring")
"""


def far(site, kind: str, side: str) -> Enqueued:
    every = 3600 if kind == "recurring" else None
    return Enqueued(kind, f"{side}_interop_{kind}", [1], site.now() * 1000, every, f"{GROUP}far")


@pytest.mark.parametrize("how", ["--quiet", "--inline"])
def test_an_action_dated_in_milliseconds_runs_as_with_php(site, cli, how):
    """Complete after one call on both sides; a handler that asks for its Context gets one."""
    ours, theirs = site.enqueue([far(site, "single", side) for side in ("py", "php")])
    cli.module("jobs", JOBS)
    done = cli("run", "--handlers", "jobs:handlers", how)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(site.php("run_queue", hooks=["php_interop_single"])["calls"]) == 1
    assert site.row(theirs)["status"] == site.row(ours)["status"] == "complete"
    assert (cli.folder / "calls").read_text() == "py_interop_single\n"
    assert site.logs(ours)[1:] == [
        "action started via Python runner", "action complete via Python runner",
    ]  # fmt: skip


def test_a_chain_dated_in_milliseconds_does_not_spin(site, cli):
    """Its next date would be the same, none, and due at once for ever, as with PHP. Here the chain
    ends with a line that says so, and the run ends by itself."""
    [id_] = site.enqueue([far(site, "recurring", "py")])
    cli.module("jobs", JOBS)
    done = cli("run", "--handlers", "jobs:handlers", "--max-jobs", "20")
    assert "(nothing left)" in done.stdout
    assert (cli.folder / "calls").read_text() == "py_interop_recurring\n"
    assert site.row(id_)["status"] == "complete"
    assert "no further instance" in site.logs(id_)[-1]
    assert site.rows().keys() == {id_}
