"""Looks after a site's health, at a moment that the test sets."""

from __future__ import annotations

from dataclasses import replace

from support.page import connected

from compat.site_time import epoch_of
from runner.core.thresholds import Thresholds, parse
from runner.operations.health.rules import findings, judge
from runner.operations.health.vitals import Setting, vitals
from runner.operations.health.watch import Plan, look

NOW = epoch_of("2026-11-23 06:05:10")


def rules(site, server, thresholds: str = "", *, migrated=None, **plan):
    """Every rule's answer, by name."""
    limits = Thresholds(parse(thresholds) if thresholds else ())
    with server.frozen(NOW):
        database, facts = connected(site)
        if migrated is not None:
            facts = replace(facts, migrated=migrated)
        seen = look(database, facts, Plan(limits, **plan))
    database.close()
    return {judged.rule: judged for judged in seen.judged}


def found(site, server, thresholds: str = "", *, open_chains=None, **setting):
    """What is wrong."""
    limits = Thresholds(parse(thresholds) if thresholds else ())
    with server.frozen(NOW):
        database, facts = connected(site)
        seen = vitals(database, facts, Setting(limits, open_chains=open_chains or {}, **setting))
    database.close()
    assert {*seen.unknown} <= {"backlog", "failures"}, seen.unknown  # a refused look hides nothing
    return findings(judge(seen, limits))
