"""Retries on the real server: when the other side says, and not at all where that is no use."""

from __future__ import annotations

import pytest
from support.engine import Engine

from compat import schedules
from compat.site_time import sql_date
from runner.app import App
from runner.handlers import loading

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC

JOBS = """
from email.message import Message
from urllib.error import HTTPError
from runner import Handlers, RetryPolicy, transient

handlers = Handlers(retry=RetryPolicy.fixed(600), classify=transient)


@handlers.on("py_call", give_up_on=(LookupError,))
def ask(status, wait):
    if status == 0:
        raise LookupError("no such product")
    headers = Message()
    headers["Retry-After"] = wait
    raise HTTPError("https://api.example/", status, "no", headers, None)
"""

CALLS = [
    (429, "120"),
    (503, "Mon, 23 Nov 2026 06:08:00 GMT"),
    (500, "120"),
    (404, "120"),
    (0, ""),
]


@pytest.fixture
def engine(site, clock, tmp_path, monkeypatch):
    """Handlers in a child process; this process's clock stands still."""
    (tmp_path / "retry_jobs.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ["retry_jobs:handlers"]
    engine = Engine(site, loading.load(names), clock)
    engine.app = App(engine.app.connection, engine.handlers, names, clock)
    yield engine
    engine.close()
    loading.sys.modules.pop("retry_jobs", None)


def test_a_retry_comes_when_the_other_side_says(site, server, engine):
    """Seconds and dates of a Retry-After hold, by the database's clock, in row, schedule and log;
    a status that asks for nothing leaves the policy's delay, a permanent error is final at once."""
    for status, wait in CALLS:
        site.add("py_call", [status, wait], at=NOW - 60)
    with server.frozen(NOW):
        summary = engine.run(executor="processes:1")
    assert (summary.retried, summary.failed) == (3, 2)
    ends = [site.logs(number)[-1] for number in range(1, 6)]
    failed, error = "action failed via Python runner", "HTTPError: HTTP Error"
    again = f"{failed} and will be retried at 2026-11-23"
    asked = "(attempt 1 of 3; Retry-After asks for"
    assert ends == [
        f"{again} 06:07:00 UTC: {error} 429: no {asked} 120 s)",
        f"{again} 06:08:00 UTC: {error} 503: no {asked} 180 s)",
        f"{again} 06:15:00 UTC: {error} 500: no (attempt 1 of 3)",
        f"{failed}: {error} 404: no (permanent: its classifier says so)",
        f"{failed}: LookupError: no such product (permanent: named in give_up_on)",
    ]
    for number, at in ((1, NOW + 120), (2, NOW + 180), (3, NOW + 600)):
        row = site.row(number)
        assert (row["status"], row["scheduled_date_gmt"]) == ("pending", sql_date(at))
        assert schedules.read(row["schedule"].encode()).at == at
    assert site.statuses() == {"pending": 3, "failed": 2}
