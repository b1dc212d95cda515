"""What was said by attempts that failed: kept beside them, without secrets."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.page import connected

from runner import Handlers, RetryPolicy
from runner.operations import changes
from runner.operations.workers import attempts

DUE = 1_700_000_000


@pytest.fixture(params=["native", "parked"])
def engine(site, clock, request):
    site.migrate()
    handlers = Handlers(retry=RetryPolicy(attempts=3, first=0, factor=1))

    @handlers.on("fails")
    def fails(token):
        raise ValueError(f"no price for password=c4n4ryV4lu3 and {token}" + "x" * 5000)

    @handlers.on("works")
    def works():
        pass

    made = Engine(site, handlers, clock, request.param)
    yield made
    made.close()


def test_each_failed_attempt_is_kept(engine, site):
    """Its message and its traceback, cut; a success leaves nothing."""
    failing, working = site.add("fails", ("t",), at=DUE), site.add("works", (), at=DUE)
    engine.run()
    database, found = connected(site)
    (tried,) = attempts(database, found, failing)
    assert tried.message.startswith("no price for password=[hidden] and t")
    assert 1900 < len(tried.message) <= 2000
    assert "in fails" in tried.traceback
    assert [a.message for a in attempts(database, found, working)] == [""]
    assert "c4n4ry" not in str(site.own("failures"))
    assert len(site.own("failures")) == 1
    assert sorted(changes.delete(database, found, [failing])) == [failing]
    assert site.own("failures") == []
    database.close()
