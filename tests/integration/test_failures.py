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

    @handlers.on("halves", retry=RetryPolicy.never())
    def halves():
        raise ValueError("the remote said \ud83d")

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


def test_half_a_character_in_an_error_is_spelled_out(engine, site):
    """As of an answer that was cut in two: it can be stored nowhere, and must end no run."""
    action = site.add("halves", (), at=DUE)
    assert (engine.run().failed, site.row(action)["status"]) == (1, "failed")
    database, found = connected(site)
    tried = attempts(database, found, action)
    assert [a.message for a in tried] == ["the remote said \\ud83d"]
    assert "said \\ud83d" in tried[0].traceback
    (letter,) = site.own("dead_letters")
    assert "said \\ud83d" in letter["error_message"]
    assert "said \\ud83d" in letter["traceback"]
    database.close()
