"""When a run stops: limits and signals."""

import os
import resource
import select
import signal
from types import SimpleNamespace

import pytest

from runner.core.clock import SystemClock
from runner.core.limits import Limits, peak_memory
from runner.core.signals import Stop


@pytest.fixture
def stop():
    stop = Stop()
    yield stop
    stop.close()


def rings(stop):
    """Whether whoever waits for a handler would be woken up."""
    return bool(select.select([stop.wakeup], [], [], 0)[0])


@pytest.mark.parametrize(
    ("limits", "after", "jobs", "expected"),
    [
        pytest.param({}, 1e9, 10**9, None, id="no limits"),
        pytest.param({"seconds": 5}, 4.9, 0, None, id="before the time limit"),
        pytest.param({"seconds": 5}, 5, 0, "time limit", id="at the time limit"),
        pytest.param({"seconds": 0.5}, 0.5, 0, "time limit", id="a fraction of a second"),
        pytest.param({"jobs": 3}, 0, 2, None, id="before max jobs"),
        pytest.param({"jobs": 3}, 0, 3, "max jobs", id="at max jobs"),
        pytest.param({"memory": 1}, 0, 0, "memory limit", id="over the memory limit"),
        pytest.param({"memory": 2**60}, 0, 0, None, id="below the memory limit"),
        pytest.param({"seconds": 1, "jobs": 1, "memory": 1}, 1, 1, "time limit", id="several"),
    ],
)
def test_each_limit_ends_the_run(clock, limits, after, jobs, expected):
    """Each limit ends the run when it is reached, and 0 is no limit."""
    tested = Limits(clock, SimpleNamespace(asked=""), **limits)
    tested.jobs_begun = jobs
    clock.sleep(after)
    assert tested.reached() == expected


def test_a_signal_comes_before_any_limit(clock, stop):
    """The reason shown is what the operator did."""
    limits = Limits(clock, stop, jobs=1)
    limits.jobs_begun = 1
    stop.ask(signal.SIGTERM)
    assert limits.reached() == "signal SIGTERM"


@pytest.mark.parametrize(
    ("jobs", "wanted", "taken", "room"),
    [(0, 99, 99, None), (3, 1, 1, 2), (3, 3, 3, 0), (3, 5, 3, 0)],
)
def test_room_is_what_max_jobs_leaves(stop, jobs, wanted, taken, room):
    """No more is taken than may begin, whoever asks; what is given back may be taken again."""
    limits = Limits(SystemClock(), stop, jobs=jobs)
    assert (limits.take(wanted), limits.room()) == (taken, room)
    assert limits.take(1) == int(room != 0)
    limits.give_back(1)
    assert limits.room() == (room if room != 0 else 1)


@pytest.mark.parametrize(
    ("batches", "claimed", "expected"), [(0, 99, False), (2, 1, False), (2, 2, True), (2, 3, True)]
)
def test_batches_are_counted(clock, stop, batches, claimed, expected):
    """With a number of batches the run ends after the last one."""
    limits = Limits(clock, stop, batches=batches, batches_claimed=claimed)
    assert limits.no_more_batches() is expected


def test_time_counts_from_the_start(clock, stop):
    """Elapsed time is the clock's since the limits were made."""
    clock.sleep(100)
    limits = Limits(clock, stop)
    clock.sleep(2.5)
    assert limits.elapsed() == 2.5


def test_peak_memory_is_in_bytes():
    """The peak is at least what this process is known to have used, in bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 2**20 < kilobytes * 1024 <= peak_memory() < 2**44


def test_the_first_signal_asks_and_the_second_insists(stop):
    """The first asks for a clean end and wakes nobody; the second rings once; more change nothing."""
    assert (stop.asked, stop.now, stop.number, rings(stop)) == ("", False, 0, False)
    stop.ask(signal.SIGTERM)
    assert (stop.asked, stop.now, stop.number, rings(stop)) == ("SIGTERM", False, 15, False)
    stop.ask(signal.SIGINT)
    assert (stop.asked, stop.now, stop.number, rings(stop)) == ("SIGTERM", True, 15, True)
    stop.ask(signal.SIGINT)
    assert os.read(stop.wakeup, 10) == b"!"
    assert not rings(stop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_real_signals_are_heard_only_while_listening(stop, number):
    """Inside the block a signal sets the flag; afterwards it means what it meant before."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    with stop.listening() as heard:
        os.kill(os.getpid(), number)
        assert heard.asked == signal.Signals(number).name
        os.kill(os.getpid(), number)
        assert heard.now
    assert {n: signal.getsignal(n) for n in before} == before


def test_handlers_are_restored_after_an_error(stop):
    """An error inside the block does not leave the signals deaf."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), stop.listening():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) == before


def test_children_do_not_inherit_the_bell(stop):
    """A process that is started meanwhile cannot hold or ring the bell."""
    assert not os.get_inheritable(stop.wakeup)
    assert not os.get_inheritable(stop._bell)
