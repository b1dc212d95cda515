"""What can be typed into the page's search."""

from __future__ import annotations

import pytest

from runner.operations.listing import Wanted
from web.search import SearchError, number, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted()),
        ("  ", Wanted()),
        ("4711", Wanted(id=4711)),
        ("id:4711", Wanted(id=4711)),
        ("wpkite", Wanted(hook_prefix="wpkite")),
        ("hook:wpkite_sync", Wanted(hook="wpkite_sync")),
        ("hook:wpkite_*", Wanted(hook_prefix="wpkite_")),
        ('hook:"my hook"', Wanted(hook="my hook")),
        ('"my hook"', Wanted(hook_prefix="my hook")),
        ("status:failed", Wanted(statuses=("failed",))),
        ("STATUS:failed", Wanted(statuses=("failed",))),
        ("status:Failed,canceled,failed", Wanted(statuses=("failed", "canceled"))),
        ("group:mail", Wanted(group="mail")),
        ("group:wc*", Wanted(group_prefix="wc")),
        ('group:""', Wanted(group="")),
        ("group:", Wanted(group="")),
        ("args:[42]", Wanted(args="[42]")),
        ('args:{"a":"/"}', Wanted(args='{"a":"\\/"}')),
        ("hook:x args:42", Wanted(hook="x", args_part="42")),
        ("hook:x args:München", Wanted(hook="x", args_part="M\\u00fcnchen")),
        ("hook:x args:nchen/S", Wanted(hook="x", args_part="nchen\\/S")),
        ("hook:x args:😀", Wanted(hook="x", args_part="\\ud83d\\ude00")),
        ('hook:x args:a"b', Wanted(hook="x", args_part='a"b')),
        (r"hook:x args:M\u00fcnchen\/S", Wanted(hook="x", args_part=r"M\u00fcnchen\/S")),
        (r"hook:x args:\\/", Wanted(hook="x", args_part=r"\\\/")),
        (r"hook:x args:\ü", Wanted(hook="x", args_part=r"\\u00fc")),
        ('args:["München/Süd"]', Wanted(args='["M\\u00fcnchen\\/S\\u00fcd"]')),
        ("older:1h", Wanted(older=3600)),
        ("older:30s status:pending hook:a", Wanted(statuses=("pending",), hook="a", older=30)),
    ],
)  # fmt: skip
def test_words(text, wanted):
    """Each says one thing; all must hold."""
    assert parse(text).wanted == wanted


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("status:broken", "status:broken"),
        ("nothing:here", "there is no nothing:"),
        ("status:failed status:pending", "twice"),
        ("hook:a hook:b*", "twice"),
        ("hook:", "wants a value"),
        ("hook:*", "leave it out"),
        ("hook:a*b", "at its end only"),
        ("older:soon", "no span"),
        ("older:99999999h", "no span"),
        ("args:[", "no JSON"),
        ("args:42", "within a hook"),
        ("hook:x args:\ud83d", "half a character"),
        ("id:-1", "no number"),
        ("id:" + "9" * 30, "no number"),
        ("hook:" + "x" * 192, "191 characters"),
        ("x" * 513, "512 characters"),
    ],
)
def test_what_is_not_understood_is_told(text, word):
    """With the word that is meant, and what is expected."""
    with pytest.raises(SearchError, match=word.replace("[", r"\[").replace("*", r"\*")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", 0),
        ("007", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("\u0664", None),
    ],
)
def test_ids(text, found):
    """Plain digits, no more of them than an id has."""
    assert number(text) == found
