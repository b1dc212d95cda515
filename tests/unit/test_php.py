"""The serialize codec against what real PHP 8.2 wrote, read and refused."""

import base64
import json
from pathlib import Path

import pytest

from compat import php
from compat.php import Limits, PhpArray, PhpCustom, PhpEnum, PhpObject

GOLDEN = Path(__file__).parents[1] / "golden"
WIDE = Limits(max_depth=600, max_elements=100_000)


def read_lines(name):
    return [json.loads(line) for line in (GOLDEN / name).read_text("utf-8").splitlines()]


RECORDS = read_lines("phpserialize.jsonl")
SCHEDULES = [
    base64.b64decode(record["serialized_base64"])
    for record in read_lines("schedules.jsonl")
    if record["serialized_base64"]
]

# Where this codec differs from PHP on purpose, and why; by record id.
TRAILING = {
    "pser-0098": "PHP 8.2 ignores bytes after the value; here they are refused",
    "pser-0178": "the same, with bytes that are no value",
}
CLASS_KNOWN_TO_PHP = {
    "pser-0163": "PHP refuses because its enum Suit has no case X: refused with an allow-list",
    "pser-0173": "PHP refuses because Suit is an enum, no class: refused with an allow-list",
}
DEFAULTS_KNOWN_TO_PHP = {
    "pser-0106": "PHP adds the declared properties that the text leaves out; a record cannot",
}
# Classes whose own code makes something else of the properties than the text says.
REBUILT = {b"ArrayObject", b"ArrayIterator", b"SplObjectStorage", b"SplStack", b"CC"}


def source(record):
    return base64.b64decode(record["serialized_base64"])


def split(accept):
    return [
        pytest.param(record, id=record["id"] + " " + record["label"][:40])
        for record in RECORDS
        if record["accept"] is accept and record["id"] not in TRAILING | CLASS_KNOWN_TO_PHP
    ]


def check(value, wanted):
    """Compare a value with the golden description of it, to the depth described."""
    kind = wanted["t"]
    if kind == "...":
        return
    assert type(value) in KINDS[kind]
    if kind == "array":
        check_pairs(value.items(), wanted["items"])
    elif kind in {"object", "enum"}:
        check_object(value, wanted)
    elif kind == "float":
        assert repr(value) == repr(float(wanted["v"]))
    elif kind != "null":
        assert value == (base64.b64decode(wanted["b64"]) if kind == "string" else wanted["v"])


KINDS = {
    "null": {type(None)},
    "bool": {bool},
    "int": {int},
    "float": {float},
    "string": {bytes},
    "array": {PhpArray},
    "object": {PhpObject, PhpCustom},
    "enum": {PhpEnum},
}


def check_object(value, wanted):
    name = wanted["class"].encode()
    if name == b"__PHP_Incomplete_Class":  # PHP keeps the name of an unknown class in a property
        wanted = {"t": "object", "class": "", "props": wanted["props"][1:]}
    else:
        assert value.class_name == name
    if wanted["t"] == "enum":
        assert value.case == wanted["case"].encode()
    elif not wanted.get("recursive") and name not in REBUILT:
        check_pairs(value.items(), wanted["props"])


def check_pairs(found, wanted):
    found = list(found)
    assert len(found) == len(wanted)
    for (key, value), (wanted_key, wanted_value) in zip(found, wanted, strict=True):
        check(key, wanted_key)
        check(value, wanted_value)


def as_described(record):
    """PHP's description with ints as ints, and without what only the class knows."""
    text = json.dumps(record["value"])
    wanted = json.loads(
        text,
        object_hook=lambda node: {**node, "v": int(node["v"])} if node["t"] == "int" else node,
    )
    if record["id"] in DEFAULTS_KNOWN_TO_PHP:
        wanted["props"] = wanted["props"][:1]
    return wanted


@pytest.mark.parametrize("record", split(accept=True))
def test_what_php_reads_is_read_as_php_reads_it(record):
    check(php.loads(source(record), limits=WIDE), as_described(record))


@pytest.mark.parametrize("record", split(accept=True))
def test_what_php_reads_is_written_as_php_writes_it(record):
    wanted = source(record)
    if not record["reserialize_equal"] and record["id"] not in DEFAULTS_KNOWN_TO_PHP:
        wanted = base64.b64decode(record["reserialized_base64"])
    assert php.dumps(php.loads(source(record), limits=WIDE)) == wanted


@pytest.mark.parametrize("record", split(accept=False))
def test_what_php_refuses_is_refused(record):
    with pytest.raises(php.PhpError):
        php.loads(source(record), limits=WIDE)


@pytest.mark.parametrize("record", [r for r in RECORDS if r["id"] in TRAILING])
def test_bytes_after_the_value_are_refused_although_php_ignores_them(record):
    assert record["accept"]
    with pytest.raises(php.PhpSyntaxError, match="more bytes than one value"):
        php.loads(source(record))


@pytest.mark.parametrize("record", [r for r in RECORDS if r["id"] in CLASS_KNOWN_TO_PHP])
def test_what_php_refuses_for_its_classes_needs_an_allow_list(record):
    with pytest.raises(php.PhpClassError):
        php.loads(source(record), limits=Limits(classes=frozenset({b"stdClass"})))


def test_every_golden_record_is_used_and_every_difference_exists():
    ids = {record["id"] for record in RECORDS}
    assert len(RECORDS) == 125
    assert ids >= TRAILING.keys() | CLASS_KNOWN_TO_PHP.keys() | DEFAULTS_KNOWN_TO_PHP.keys()
    assert len(split(accept=True)) + len(split(accept=False)) + 4 == 125


@pytest.mark.parametrize("text", SCHEDULES[:1] + SCHEDULES[-1:])
def test_a_schedule_is_known_by_its_class(text):
    assert php.loads(text).class_name.startswith(b"ActionScheduler_")


def test_every_schedule_is_written_as_it_was_read():
    assert len(SCHEDULES) > 150
    for text in SCHEDULES:
        assert php.dumps(php.loads(text)) == text


# What PHP 8.2.32 made of these: serialize(unserialize(text)), None where it refused.
RUN_IN_PHP = [
    # references: r: takes a number, R: does not
    (b'a:3:{i:0;O:1:"X":0:{}i:1;r:2;i:2;R:2;}', b'a:3:{i:0;O:1:"X":0:{}i:1;r:2;i:2;R:2;}'),
    (
        b'a:4:{i:0;O:1:"X":0:{}i:1;r:2;i:2;R:2;i:3;R:3;}',
        b'a:4:{i:0;O:1:"X":0:{}i:1;R:2;i:2;R:2;i:3;R:2;}',
    ),
    (b"a:2:{i:0;a:1:{i:0;i:7;}i:1;a:1:{i:0;R:3;}}", b"a:2:{i:0;a:1:{i:0;i:7;}i:1;a:1:{i:0;R:3;}}"),
    (
        b'a:2:{i:0;O:1:"X":1:{s:1:"a";i:3;}i:1;R:3;}',
        b'a:2:{i:0;O:1:"X":1:{s:1:"a";i:3;}i:1;R:3;}',
    ),
    (b"a:1:{i:0;a:1:{i:0;R:2;}}", b"a:1:{i:0;a:1:{i:0;R:2;}}"),
    (b'O:1:"X":1:{s:1:"a";r:1;}', b'O:1:"X":1:{s:1:"a";r:1;}'),
    (b'O:1:"X":1:{s:1:"a";R:1;}', b'O:1:"X":1:{s:1:"a";r:1;}'),
    (
        b'a:4:{i:0;i:1;i:1;R:2;i:2;O:1:"X":0:{}i:3;r:3;}',
        b'a:4:{i:0;i:1;i:1;R:2;i:2;O:1:"X":0:{}i:3;r:3;}',
    ),
    (b"a:3:{i:0;i:1;i:1;R:2;i:2;R:2;}", b"a:3:{i:0;i:1;i:1;R:2;i:2;R:2;}"),
    # an array in itself is cut when no reference leads there any more
    (b"a:1:{i:0;R:1;}", b"a:1:{i:0;N;}"),
    (b"a:2:{i:0;i:5;i:1;R:1;}", b"a:2:{i:0;i:5;i:1;N;}"),
    (b"a:1:{i:0;a:1:{i:0;R:1;}}", b"a:1:{i:0;a:1:{i:0;a:1:{i:0;N;}}}"),
    # a repeated key
    (b"a:3:{i:0;i:1;i:1;R:2;i:0;i:5;}", b"a:2:{i:0;i:5;i:1;i:1;}"),
    (b"a:2:{i:0;i:1;i:0;R:2;}", None),
    (b'a:2:{i:0;O:1:"X":0:{}i:0;r:2;}', None),
    # numbers that mean nothing, or no object
    (b"a:1:{i:0;r:1;}", None),
    (b"a:2:{i:0;N;i:1;r:2;}", None),
    (b"r:1;", None),
    (b"a:1:{R:1;i:1;}", None),
    # text
    (b'S:2:"\\61b";', b's:2:"ab";'),
    (b'a:1:{S:1:"\\61";i:1;}', b'a:1:{s:1:"a";i:1;}'),
    (b's:+1:"a";', None),
    # keys and numbers at the edge of 64 bit
    (b'a:1:{s:20:"-9223372036854775808";i:1;}', b"a:1:{i:-9223372036854775808;i:1;}"),
    (b'a:1:{s:20:"18446744073709551617";i:1;}', b'a:1:{s:20:"18446744073709551617";i:1;}'),
    (b"i:99999999999999999999999;", b"i:9223372036854775807;"),
    (b"i:-99999999999999999999999;", b"i:-9223372036854775808;"),
    (b"d:18014398509481984;", b"d:18014398509481984;"),
    (b"d:72057594037927936;", b"d:72057594037927940;"),
    (b"d:5.;", b"d:5;"),
    (b"d:1e;", None),
    (b"d:-NAN;", None),
    (b" i:5;", None),
    # names
    (b'O:5:"\\Nope":0:{}', None),
    (b'O:2:"\x7fX":0:{}', None),
    (b'O:3:"A\\\x80":0:{}', b'O:3:"A\\\x80":0:{}'),
    (b'O:2:"1X":0:{}', b'O:2:"1X":0:{}'),
]


@pytest.mark.parametrize(("text", "wanted"), RUN_IN_PHP)
def test_small_texts_come_out_as_php_writes_them(text, wanted):
    try:
        assert php.dumps(php.loads(text)) == wanted
    except php.PhpSyntaxError:
        assert wanted is None


@pytest.mark.parametrize(
    "text",
    [b'C:2:"CC":3:{abcx', b'C:2:"CC":3:{abc', b'C:2:"CC":4:{abc}', b'E:6:"Pure:";', b'S:1:"\\6";'],
)
def test_broken_texts_are_refused(text):
    with pytest.raises(php.PhpSyntaxError):
        php.loads(text)


@pytest.mark.parametrize("text", [b'O:1:"X"::{}', b'O:1:"X":+0:{}', b'C:1:"X":+0:{}'])
def test_counts_are_digits_although_php_takes_more(text):
    with pytest.raises(php.PhpSyntaxError):
        php.loads(text)
