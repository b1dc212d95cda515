"""What the process of several sites passes on to theirs."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from runner.core.signals import Stop
from runner.fleet import Signals


@dataclass
class Site:
    got: list[int] = field(default_factory=list)

    def signal(self, number: int) -> None:
        self.got.append(number)


def test_each_signal_is_passed_on_once():
    """A clean end, fresh children, an end now; however often it is looked."""
    stop, sites = Stop(), [Site(), Site()]
    signals = Signals(stop)

    def got() -> list[list[int]]:
        for _ in range(3):
            signals.pass_on(sites)
        return [site.got for site in sites]

    try:
        assert got() == [[], []]
        stop.reloads += 1
        assert got() == [[signal.SIGHUP]] * 2
        stop.ask(signal.SIGTERM)
        assert got() == [[signal.SIGHUP, signal.SIGTERM]] * 2
        stop.ask(signal.SIGTERM)
        assert got() == [[signal.SIGHUP, signal.SIGTERM, signal.SIGTERM]] * 2
    finally:
        stop.close()


def test_both_signals_at_once_are_both_passed_on():
    """Somebody was in a hurry before anybody looked."""
    stop, site = Stop(), Site()
    signals = Signals(stop)
    try:
        stop.ask(signal.SIGINT)
        stop.ask(signal.SIGINT)
        signals.pass_on([site])
        assert site.got == [signal.SIGTERM, signal.SIGTERM]
    finally:
        stop.close()
