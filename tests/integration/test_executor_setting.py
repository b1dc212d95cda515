"""The setting `executor`, from the command line to the place where handlers are called."""

from __future__ import annotations

import os

import pytest
from support.shell import Shell, complains

from runner import Handlers, engine
from runner.app import App
from runner.config import Connection, Settings
from runner.core.signals import Stop
from runner.executors.inline import Inline
from runner.executors.processes import Processes
from runner.executors.threads import Threads
from runner.storage.dsn import parse

DUE = 1_700_000_000

JOBS = """
import logging, os, pathlib, threading
from runner import Context, Handlers

handlers = Handlers()

@handlers.on("where")
def where(context: Context):
    print("printed")
    context.log.info("logged")
    pathlib.Path("where").write_text(f"{os.getpid()} {threading.current_thread().name}")
"""


@pytest.fixture
def shell(site, tmp_path, monkeypatch, capsys):
    (tmp_path / "setting_jobs.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shell(site, capsys, monkeypatch)


PLACES = {
    (): "MainThread elsewhere",
    ("--executor", "processes:2"): "MainThread elsewhere",
    ("--executor", "threads:2"): "handler here",
    ("--executor", "inline"): "MainThread here",
    ("--inline",): "MainThread here",
    ("--inline", "--executor", "inline"): "MainThread here",
}


@pytest.mark.parametrize("flags", PLACES, ids=" ".join)
@pytest.mark.parametrize("command", ["run", "action run"])
def test_handlers_are_called_where_the_setting_says(shell, site, tmp_path, flags, command):
    """For both commands; what they print never mixes with the runner's own words."""
    id_ = site.add("where", at=DUE)
    chosen = ("action", "run", f"{id_}") if command == "action run" else ("run",)
    done = shell(*chosen, "--handlers", "setting_jobs:handlers", "--json", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    assert done.stdout.count("\n") == 1
    pid, thread = (tmp_path / "where").read_text().split()
    assert f"{thread} {'here' if int(pid) == os.getpid() else 'elsewhere'}" == PLACES[flags]
    assert site.row(id_)["status"] == "complete"


def test_a_flag_goes_before_the_environment(shell, site, tmp_path):
    """Also the short form."""
    site.add("where", at=DUE)
    shell.environ.setenv("RUNNER_EXECUTOR", "threads:1")
    done = shell("run", "--handlers", "setting_jobs:handlers", "--inline", "--quiet")
    assert done.returncode == 0
    assert (tmp_path / "where").read_text() == f"{os.getpid()} MainThread"


@pytest.mark.parametrize(
    ("flags", "environ", "told"),
    [
        (
            ("--inline", "--executor", "threads:2"),
            "",
            (2, "--inline and --executor cannot be given together"),
        ),
        (
            ("--executor", "threads"),
            "",
            (2, "--executor is 'threads': expected processes:N or threads:N"),
        ),
        (("--executor", "processes:0"), "", (2, "N from 1 to 100, or inline")),
        ((), "processes:many", (78, "RUNNER_EXECUTOR is 'processes:many': expected processes:N")),
        (("--recycle-after", "-1"), "", (2, "--recycle-after")),
    ],
)
def test_what_cannot_be_meant_is_told(shell, site, flags, environ, told):
    """In one line, and nothing is run."""
    id_ = site.add("where", at=DUE)
    shell.environ.setenv("RUNNER_EXECUTOR", environ)
    complains(shell("run", "--handlers", "setting_jobs:handlers", *flags), *told)
    assert site.row(id_)["status"] == "pending"


def test_the_settings_reach_the_executor():
    """Count, recycling and memory."""
    app = App(Connection(parse("sqlite:///none"), "wp_"), Handlers(), ["a:b"])
    stop = Stop()
    settings = Settings(executor="processes:3", recycle_after=7, recycle_memory=2)
    executor = engine.executor_of(app, settings, stop)
    assert isinstance(executor, Processes)
    assert (executor._count, executor._max_calls, executor._max_memory) == (3, 7, 2 * 1024 * 1024)
    threads = engine.executor_of(app, Settings(executor="threads:4"), stop)
    assert isinstance(threads, Threads)
    assert threads.room() == 4
    threads.close()
    assert isinstance(engine.executor_of(app, Settings(executor="inline"), stop), Inline)
    stop.close()
