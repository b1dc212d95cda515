"""How late and how often an action is tried again."""

import random

import pytest

from runner import RetryPolicy
from runner.core.retry import DAY, PERMANENT, RETRY, class_names


def delays(policy, count):
    return [policy.delay(attempt) for attempt in range(1, count + 1)]


@pytest.mark.parametrize(
    ("policy", "attempts", "expected"),
    [
        pytest.param(RetryPolicy(), 3, [60, 120, 240, 480], id="default"),
        pytest.param(RetryPolicy.fixed(30), 3, [30, 30, 30], id="fixed"),
        pytest.param(RetryPolicy.fixed(30, attempts=9), 9, [30, 30, 30], id="fixed, more often"),
        pytest.param(RetryPolicy.steps(60, 300, 900), 4, [60, 300, 900, 900], id="list"),
        pytest.param(RetryPolicy(attempts=9, delays=(1, 2)), 9, [1, 2, 2, 2], id="last one stays"),
        pytest.param(RetryPolicy.exponential(30, 4, attempts=5), 5, [30, 120, 480, 1920], id="30 times 4 to the n"),
        pytest.param(RetryPolicy.exponential(60, attempts=4), 4, [60, 120, 240], id="60 times 2 to the n"),
        pytest.param(RetryPolicy.exponential(30, 4, attempts=9), 9, [30, 120, 480, 1920, 7680, 30720, DAY, DAY], id="at most a day"),
        pytest.param(RetryPolicy(first=1, factor=3), 3, [1, 3, 9, 27], id="exponential"),
        pytest.param(RetryPolicy(first=8, factor=0.5), 3, [8, 4, 2, 1], id="ever sooner"),
        pytest.param(RetryPolicy(first=10, factor=1), 3, [10, 10, 10], id="factor 1"),
        pytest.param(RetryPolicy(first=0), 3, [0, 0, 0], id="at once"),
        pytest.param(RetryPolicy(first=10, longest=25), 3, [10, 20, 25, 25], id="longest"),
        pytest.param(RetryPolicy(delays=(10, 99), longest=50), 3, [10, 50, 50], id="longest of a list"),
        pytest.param(RetryPolicy.fixed(7 * DAY), 3, [7 * DAY, 7 * DAY], id="fixed, a week"),
        pytest.param(RetryPolicy.steps(60, 7 * DAY), 3, [60, 7 * DAY], id="list up to a week"),
        pytest.param(RetryPolicy.never(), 1, [], id="never"),
    ],
)  # fmt: skip
def test_delays(policy, attempts, expected):
    """Each policy waits as long as it says after each try, and allows as many tries."""
    assert delays(policy, len(expected)) == expected
    assert policy.attempts == attempts


@pytest.mark.parametrize(
    ("policy", "last"),
    [
        (RetryPolicy.never(), 1),
        (RetryPolicy(), 3),
        (RetryPolicy.fixed(1, attempts=5), 5),
        (RetryPolicy.steps(1, 2, 3), 4),
    ],
)
def test_the_last_attempt_exhausts(policy, last):
    """Tries up to the last leave one more; the last and all after it leave none."""
    assert [policy.exhausted(n) for n in range(1, last)] == [False] * (last - 1)
    assert policy.exhausted(last)
    assert policy.exhausted(last + 1)


@pytest.mark.parametrize("factor", [0.5, 1, 1.5, 2, 3.0, 10, 1000])
@pytest.mark.parametrize("attempt", [64, 700, 1_001, 10**9])
def test_huge_attempts_do_not_overflow(factor, attempt):
    """However often it was tried, the delay is a number between nothing and the longest."""
    assert 0 <= RetryPolicy(attempts=10**9, factor=factor).delay(attempt) <= DAY


class Chance(random.Random):
    """A chance that always falls to one end."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def uniform(self, a, b):
        return {"low": a, "high": b}[self.end]


@pytest.mark.parametrize(
    ("policy", "low", "high"),
    [
        pytest.param(RetryPolicy.fixed(100, jitter=0.2), 80, 120, id="a fifth"),
        pytest.param(RetryPolicy.fixed(100, jitter=1), 0, 200, id="all of it"),
        pytest.param(RetryPolicy.steps(100, jitter=0.5), 50, 150, id="of a list"),
        pytest.param(RetryPolicy.exponential(100, jitter=0.1), 90, 110, id="exponential"),
        pytest.param(RetryPolicy(first=100, longest=100, jitter=0.5), 50, 100, id="longest holds"),
        pytest.param(RetryPolicy.fixed(100), 100, 100, id="none"),
    ],
)
def test_jitter_stays_within_its_share(policy, low, high):
    """Jitter spreads the delay to either side by at most its share, never over the longest."""
    ends = [policy.delay(1, chance=Chance(end)) for end in ("low", "high")]
    assert ends == pytest.approx([low, high])
    chance = random.Random(7)
    assert all(low <= policy.delay(1, chance=chance) <= high for _ in range(500))


def test_jitter_spreads():
    """With jitter, actions that failed together do not come back together."""
    policy = RetryPolicy.fixed(100, jitter=0.2)
    assert len({policy.delay(1) for _ in range(50)}) > 40


class ShopError(Exception):
    pass


class SoldOutError(ShopError):
    pass


@pytest.mark.parametrize(
    ("named", "error", "expected"),
    [
        pytest.param((ValueError,), ValueError, True, id="class"),
        pytest.param((ShopError,), SoldOutError, True, id="base"),
        pytest.param((SoldOutError,), ShopError, False, id="not the base of it"),
        pytest.param((LookupError,), KeyError, True, id="builtin base"),
        pytest.param((OSError,), ValueError, False, id="another class"),
        pytest.param((OSError, ValueError), ValueError, True, id="one of several"),
        pytest.param(("builtins.ValueError",), ValueError, True, id="name"),
        pytest.param((f"{__name__}.ShopError",), SoldOutError, True, id="name of a base"),
        pytest.param(("other.ShopError",), ShopError, False, id="same name elsewhere"),
        pytest.param((BaseException,), SystemExit, True, id="everything"),
        pytest.param((), ValueError, False, id="none"),
    ],
)
def test_errors_are_known_by_class_base_or_name(named, error, expected):
    """An error named in give_up_on is permanent; with retry_on, one that is not named there is."""
    lineage = class_names(*error.__mro__)
    gives_up = RetryPolicy(give_up_on=named).why_permanent(lineage)
    assert gives_up == ("named in give_up_on" if expected else "")
    kept = RetryPolicy(retry_on=named).why_permanent(lineage)
    assert kept == ("" if expected or not named else "not named in retry_on")


CLASSIFIED = "its classifier says so"


@pytest.mark.parametrize(
    ("retry_on", "give_up_on", "verdict", "expected"),
    [
        pytest.param((), (), "", "", id="nothing said"),
        pytest.param((), (), RETRY, "", id="classifier: retry"),
        pytest.param((), (), PERMANENT, CLASSIFIED, id="classifier: permanent"),
        pytest.param((KeyError,), (), "", "", id="named in retry_on"),
        pytest.param((KeyError,), (), PERMANENT, "", id="retry_on before the classifier"),
        pytest.param((OSError,), (), "", "not named in retry_on", id="not named"),
        pytest.param((OSError,), (), RETRY, "", id="not named, but the classifier knows"),
        pytest.param((OSError,), (), PERMANENT, CLASSIFIED, id="not named, nor by the classifier"),
        pytest.param((), (KeyError,), RETRY, "named in give_up_on", id="give_up_on first"),
        pytest.param((LookupError,), (KeyError,), RETRY, "named in give_up_on", id="in both"),
        pytest.param((LookupError,), (IndexError,), "", "", id="another is given up on"),
    ],
)
def test_lists_are_stronger_than_a_classifier(retry_on, give_up_on, verdict, expected):
    """give_up_on decides first, then retry_on, then the classifier; the reason names who did."""
    policy = RetryPolicy(retry_on=retry_on, give_up_on=give_up_on)
    assert policy.why_permanent(class_names(*KeyError.__mro__), verdict) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"first": -1},
        {"factor": 0},
        {"factor": -2},
        {"longest": 0},
        {"delays": (1, -1)},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"first": float("nan")},
        {"give_up_on": ValueError},
        {"give_up_on": "builtins.ValueError"},
        {"give_up_on": ("ValueError",)},
        {"give_up_on": (5,)},
        {"retry_on": ValueError},
        {"retry_on": [ValueError]},
        {"retry_on": (int,)},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    """A wrong policy fails where it is written, not when the first action fails."""
    with pytest.raises((ValueError, TypeError), match="RetryPolicy"):
        RetryPolicy(**wrong)
