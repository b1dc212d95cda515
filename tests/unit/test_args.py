"""Arguments against what the real Action Scheduler 4.0.0 stored and read back."""

import base64
import contextlib
import hashlib
import json
import math
import random
from datetime import UTC, datetime
from enum import Enum, IntEnum
from pathlib import Path

import pytest

from compat import php
from compat.args import (
    MAX_DEPTH,
    ArgsError,
    CorruptArgs,
    JsonObject,
    StoredArgs,
    decode,
    encode,
    positional,
    store,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "args.jsonl"
RECORDS = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
DEEP = php.Limits(max_depth=600, max_elements=10_000)

# Values only PHP can make, since code of their class decides: what Python passes in their place.
MADE_BY_PHP = {
    "args-0067": ("JsonSerializable: its method answers", [{"js": True}]),
    "args-0068": ("a backed enum is encoded as its value", ["hearts"]),
    "args-0069": ("WordPress reduces a pure enum to its name", [{"name": "A"}]),
    "args-0072": ("a closure cannot be serialized; it has no public properties", [JsonObject()]),
    "args-0073": ("ArrayObject shows its elements", [JsonObject({"0": 1, "1": 2})]),
    "args-0074": ("a resource: PHP serializes it as 0, JSON has no form for it", [object()]),
}


def from_php(value):
    """A PHP value in Python: text as UTF-8, of objects the public properties."""
    if isinstance(value, bytes):
        return to_text(value)
    if isinstance(value, php.PhpArray):
        return {from_php(key): from_php(item) for key, item in value.items()}
    if isinstance(value, php.PhpObject):
        public = {key: item for key, item in value.items() if not key.startswith(b"\0")}
        return JsonObject({from_php(key): from_php(item) for key, item in public.items()})
    assert value is None or isinstance(value, bool | int | float)
    return value


def to_text(value):
    """WordPress puts ``?`` for each byte that is not UTF-8."""
    return value.decode("utf-8", "surrogateescape").translate(
        dict.fromkeys(range(0xDC80, 0xDD00), "?")
    )


def from_php_deep(value):
    """The same for lists nested too deeply for recursion."""
    levels = 0
    while isinstance(value, php.PhpArray):
        value, levels = value[0], levels + 1
    for _ in range(levels):
        value = [value]
    return value


def arguments(record):
    if record["id"] in MADE_BY_PHP:
        return MADE_BY_PHP[record["id"]][1]
    value = php.loads(base64.b64decode(record["php_serialized_base64"]), limits=DEEP)
    return from_php_deep(value) if record["label"].startswith("deep ") else from_php(value)


def named(records):
    return [pytest.param(record, id=f"{record['id']} {record['label']}") for record in records]


REFUSED = [record for record in RECORDS if not record["stored_args_column"]]
STORED = [record for record in RECORDS if record["stored_args_column"]]


def test_every_golden_record_is_used():
    assert len(RECORDS) == len(STORED) + len(REFUSED) == 96
    assert {record["id"] for record in RECORDS} >= MADE_BY_PHP.keys()


@pytest.mark.parametrize("record", named(STORED))
def test_columns_are_those_action_scheduler_stored(record):
    stored = store(arguments(record))
    assert stored.args == record["stored_args_column"]
    assert stored.extended == record["extended_args_column"]
    assert len(encode(arguments(record))) == record["json_bytes"]


@pytest.mark.parametrize("record", named(REFUSED))
def test_what_cannot_be_stored_is_refused(record):
    """PHP throws over 8000 bytes; what it cannot encode it stores as an unreadable empty text."""
    with pytest.raises(ArgsError):
        store(arguments(record))
    if record["error"]:
        assert "not be more than 8000 characters" in record["error"]
    else:
        assert record["fetched_class"] == "ActionScheduler_NullAction"
        with pytest.raises(CorruptArgs):
            decode(record["stored_args_column"], record["extended_args_column"])


@pytest.mark.parametrize("record", named(STORED))
def test_columns_are_read_as_action_scheduler_reads_them(record):
    args = decode(record["stored_args_column"], record["extended_args_column"])
    assert repr(args) == repr(decode(record["fetched_args_json"], None))
    assert repr(positional(args)) == repr(decode(record["callback_positional_json"], None))


class Colour(Enum):
    RED = "red"


class Text(str, Enum):  # noqa: UP042 - its str() is not its value
    HERE = "a/b"


class Number(IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "[]"),
        ((), "[]"),
        ({}, "[]"),
        ([{}, []], "[[],[]]"),
        ([JsonObject()], "[{}]"),
        ((1, (2,)), "[1,[2]]"),
        ({0: "a", 1: "b"}, '["a","b"]'),
        ({"0": "a", "1": "b"}, '["a","b"]'),
        ({1: "b", 0: "a"}, '{"1":"b","0":"a"}'),
        ({-1: "a"}, '{"-1":"a"}'),
        ({"01": 1, "-0": 2, "": 3}, '{"01":1,"-0":2,"":3}'),
        ({"a/é": 1}, '{"a\\/\\u00e9":1}'),
        ({5: 1, "5": 2}, '{"5":2}'),
        ([JsonObject({"0": 1})], '[{"0":1}]'),
        ([2**63 - 1, -(2**63)], "[9223372036854775807,-9223372036854775808]"),
        (
            [1.0, -0.0, 0.1, 1e16, 72057594037927936.0],
            "[1,-0,0.1,10000000000000000,72057594037927940]",
        ),
        ([1e17, 1e-5, 1e25, 1.5e-7], "[1.0e+17,1.0e-5,1.0e+25,1.5e-7]"),
        (['"\\/\b\f\n\r\t\x00\x1f\x7f'], '["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"]'),
        (["\x80\u2028\uffff\U0001f600"], '["\\u0080\\u2028\\uffff\\ud83d\\ude00"]'),
        (["\\u007f"], '["\\\\u007f"]'),
        ([Text.HERE, Number.TWO], '["a\\/b",2]'),
        ({Text.HERE: 1, Number.TWO: 2}, '{"a\\/b":1,"2":2}'),
        ([True, False, None], "[true,false,null]"),
    ],
)
def test_json_is_the_text_php_writes(args, text):
    assert encode(args) == text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("text", "not str"),
        (None, "not NoneType"),
        (5, "not int"),
        ([b"bytes"], "bytes has no form"),
        ([{1, 2}], "set has no form"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "datetime has no form"),
        ([Colour.RED], "Colour has no form"),
        ([math.nan], "nan has no form"),
        ([-math.inf], "-inf has no form"),
        ([2**63], "64 bit"),
        ({2**63: 1}, "64 bit"),
        ({True: 1}, "not bool"),
        ({None: 1}, "not NoneType"),
        ({1.5: 1}, "not float"),
        ({b"a": 1}, "not bytes"),
        (["\ud800"], "surrogate"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_what_php_has_no_form_for_is_refused(args, message):
    with pytest.raises(ArgsError, match=message):
        encode(args)


def nest(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_512_levels_are_written_and_511_are_read():
    """As PHP 8.2 does: json_decode() reads one level less than json_encode() writes."""
    assert encode(nest(MAX_DEPTH)) == "[" * 512 + "]" * 512
    with pytest.raises(ArgsError, match="512 levels"):
        encode(nest(MAX_DEPTH + 1))
    assert decode("[" * 511 + "]" * 511, None) == nest(511)
    for levels in (512, 8_000, 1_000_000):
        with pytest.raises(CorruptArgs):
            decode("[" * levels + "]" * levels, None)
        with pytest.raises(CorruptArgs):
            decode('{"a":' * levels, None)


def test_arguments_that_contain_themselves_are_refused():
    args = []
    args += [args, args]
    with pytest.raises(ArgsError):
        encode(args)


def deepen(levels, act):
    return act() if levels == 0 else deepen(levels - 1, act)


def test_a_stack_nearly_full_is_an_error_of_ours():
    with pytest.raises(ArgsError, match="stack"):
        deepen(700, lambda: encode(nest(500)))


def test_the_limits_are_counted_in_bytes_of_the_json():
    assert store(["x" * 187]) == StoredArgs('["' + "x" * 187 + '"]', None)
    longer = '["' + "x" * 188 + '"]'
    assert store(["x" * 188]) == StoredArgs(hashlib.md5(longer.encode()).hexdigest(), longer)
    assert store(["é" * 32]).extended is not None  # 36 characters, 196 bytes
    assert len(store(["x" * 7996]).extended) == 8000
    with pytest.raises(ArgsError, match="8001 bytes as JSON, the limit is 8000"):
        store(["x" * 7997])


@pytest.mark.parametrize(
    ("args", "extended", "wanted"),
    [
        ("[1]", "", [1]),
        ("[1]", "0", [1]),
        ("[1]", "[2]", [2]),
        ("0e2a603a451a2d715ea540ca3af3dad7", "[2]", [2]),
        (None, "[2]", [2]),
        ("{}", None, []),
        ('[{"a":{}}]', None, [{"a": []}]),
        ('{"0":1,"1":2}', None, [1, 2]),
        ('{"1":1,"0":2}', None, {1: 1, 0: 2}),
        ('{"1":1,"01":2,"-0":3,"a":4}', None, {1: 1, "01": 2, "-0": 3, "a": 4}),
        ('{"9223372036854775808":1}', None, {"9223372036854775808": 1}),
        ('{"a":1,"0":2,"a":3}', None, {"a": 3, 0: 2}),
        ('{"\\u0031":1,"1":2}', None, {1: 2}),
        ("[1.0,-0,-0.0,1e3]", None, [1.0, 0, -0.0, 1000.0]),
        ("[9223372036854775807,-9223372036854775808]", None, [2**63 - 1, -(2**63)]),
        ("[9223372036854775808,-9223372036854775809]", None, [2.0**63, -(2.0**63)]),
        ("[" + "1" * 5000 + ",1e999]", None, [math.inf, math.inf]),
        (' \t\r\n[ 1 , "a" ] ', None, [1, "a"]),
        ('["\\ud83d\\ude00\\u00E9\\/"]', None, ["\U0001f600é/"]),
        ('["\\\\ud800"]', None, ["\\ud800"]),
        ('["\x7f\u2028"]', None, ["\x7f\u2028"]),
    ],
)
def test_reading_follows_php(args, extended, wanted):
    assert repr(decode(args, extended)) == repr(wanted)


CORRUPT = r"""
    0 null 5 "text" true 0e2a603a451a2d715ea540ca3af3dad7
    [ [1,] {"a":1,} [1][2] [1]x {a:1} {1:1} ['a']
    [NaN] [Infinity] [-Infinity] [TRUE] [01] [+1] [.5] [1.] [0x1] [1_0]
    ["\x41"] ["\u00g0"]
    ["\ud800"] ["\uDE00\ud83d"] ["\ud800\u0041"] {"\ud800":1} {"a":"\ud800","a":1}
"""
BYTES = ["", "[1]\0", "\ufeff[1]", "\v[1]", "\xa0[1]", '["\t"]', '["\n"]', '["\ud800"]']


@pytest.mark.parametrize("text", [None, *BYTES, *CORRUPT.split()])
def test_what_php_does_not_read_is_corrupt(text):
    with pytest.raises(CorruptArgs):
        decode(text, None)


def test_a_hash_without_its_json_is_corrupt():
    """Also when it is made of digits only, which is a number in JSON."""
    with pytest.raises(CorruptArgs):
        decode("12345678901234567890123456789012", None)
    with pytest.raises(CorruptArgs):
        decode("[1]", "[")


def test_an_error_does_not_repeat_the_arguments():
    with pytest.raises(CorruptArgs) as caught:
        decode('["password" x', None)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ([], []),
        ([1, [2]], [1, [2]]),
        ((1, 2), [1, 2]),
        ({"b": 1, "a": 2}, [1, 2]),
        ({7: "x"}, ["x"]),
    ],
)
def test_callbacks_get_values_by_position(args, wanted):
    assert positional(args) == wanted


def value_of(rng, depth):
    """Any value whose form PHP keeps: no float that is whole, no list written as a dict."""
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randrange(-(2**63), 2**63) >> rng.randrange(63)
    if kind == 2:
        return rng.choice([rng.random(), rng.uniform(-1e6, 1e6), 2.0**70])
    if kind < 6:
        return "".join(rng.choices('\t"/\\\x7f\u00e9\u2028\U0001f600A', k=rng.randrange(5)))
    size = rng.randrange(4)
    if kind == 6:
        return [value_of(rng, depth + 1) for _ in range(size)]
    return {f"k{key}": value_of(rng, depth + 1) for key in range(size)} or []


def test_what_was_stored_is_read_back():
    rng = random.Random(7)
    for _ in range(2_000):
        args = [value_of(rng, 0) for _ in range(3)]
        text = encode(args)
        assert text.isascii()
        assert repr(decode(text, None)) == repr(args)
        assert encode(decode(text, None)) == text


def test_damaged_text_is_corrupt_or_read():
    rng = random.Random(8)
    texts = [encode([value_of(rng, 0) for _ in range(3)]) for _ in range(100)]
    for _ in range(10_000):
        text = list(rng.choice(texts))
        text[rng.randrange(len(text))] = rng.choice('[]{},:"0\\ -eu\ud800')
        with contextlib.suppress(CorruptArgs):
            decode("".join(text), None)
