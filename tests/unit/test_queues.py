"""Worker queues as text, and the nice values that their weights come to."""

from __future__ import annotations

import pytest

from runner.core.queues import WorkerQueue, parse


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("*:1", [WorkerQueue("*", 1)]),
        ("payments:4:3,mail:1,*:2", [WorkerQueue("payments", 4, 3), WorkerQueue("mail", 1), WorkerQueue("*", 2)]),
        (" my mail : 256 : 100 , *:02", [WorkerQueue("my mail", 256, 100), WorkerQueue("*", 2)]),
    ],
)  # fmt: skip
def test_queues_are_read(text, queues):
    """Name, children and, where one is given, weight; spaces around them do not matter."""
    assert list(parse(text)) == queues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "name:children"),
        ("mail", "name:children"),
        ("mail:", "name:children"),
        (":4", "name:children"),
        ("mail:1,", "name:children"),
        ("mail:1:", "name:children"),
        ("mail:1:2:3", "no colon in a name"),
        ("pay:ments:4", "no colon in a name"),
        ("mail:1.5", "name:children"),
        ("mail:-1", "name:children"),
        ("mail:1:x", "name:children"),
        ("mail:²", "name:children"),
        ("mail:0", "1 to 256 children for queue mail"),
        ("mail:257", "1 to 256 children for queue mail"),
        ("mail:1:0", "a weight of 1 to 100 for queue mail"),
        ("mail:1:101", "a weight of 1 to 100 for queue mail"),
        ("mail:1,*:1,mail:2", "queue mail once"),
    ],
)
def test_what_are_no_queues(text, expected):
    """The error says what was expected."""
    with pytest.raises(ValueError, match=expected):
        parse(text)


def test_queues_are_written_as_they_are_read():
    """A weight of 1 is not said."""
    text = "payments:4:3,mail:1,*:2"
    assert ",".join(map(str, parse(text))) == text
    assert str(*parse("mail:1:1")) == "mail:1"


@pytest.mark.parametrize(
    ("weight", "heaviest", "nice"),
    [(1, 1, 0), (7, 7, 0), (3, 4, 1), (1, 2, 3), (1, 4, 6), (1, 10, 10), (1, 69, 19), (1, 100, 19)],
)
def test_a_weight_is_a_nice_value(weight, heaviest, nice):
    """A level is about a factor of 1.25; there are no more than nineteen."""
    assert WorkerQueue("mail", 1, weight).nice(heaviest) == nice
