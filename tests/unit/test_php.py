"""The serialize codec against what real PHP 8.2 wrote, read and refused."""

import base64
import contextlib
import json
import math
import random
import resource
import time
import tracemalloc
from pathlib import Path

import pytest

from compat import php
from compat.php import Limits, PhpArray, PhpCustom, PhpEnum, PhpObject, PhpReference

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
    (b'O:9:"\\stdClass":0:{}', b'O:9:"\\stdClass":0:{}'),
]


@pytest.mark.parametrize(("text", "wanted"), RUN_IN_PHP)
def test_small_texts_come_out_as_php_writes_them(text, wanted):
    try:
        assert php.dumps(php.loads(text)) == wanted
    except php.PhpSyntaxError:
        assert wanted is None


@pytest.mark.parametrize("text", [b'O:1:"X"::{}', b'O:1:"X":+0:{}', b'C:1:"X":+0:{}'])
def test_counts_are_digits_although_php_takes_more(text):
    with pytest.raises(php.PhpSyntaxError):
        php.loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001, "1.0E-5"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (12345678901234568.0, "12345678901234568"),
        (72057594037927936.0, "72057594037927940"),
        (1e17, "1.0E+17"),
        (1.5e300, "1.5E+300"),
        (5e-324, "5.0E-324"),
        (math.inf, "INF"),
        (-math.inf, "-INF"),
        (math.nan, "NAN"),
    ],
)
def test_floats_are_written_as_php_8_writes_them(value, text):
    assert php.dumps(value) == b"d:%s;" % text.encode()
    assert repr(php.loads(php.dumps(value))) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"N;"),
        (False, b"b:0;"),
        (2**63 - 1, b"i:9223372036854775807;"),
        (b"\x00\xff", b's:2:"\x00\xff";'),
        (PhpArray.of([b"a", PhpArray()]), b'a:2:{i:0;s:1:"a";i:1;a:0:{}}'),
        (PhpArray({b"5": 1, b"05": 2}), b'a:2:{i:5;i:1;s:2:"05";i:2;}'),
        (PhpObject(b"A\\B", {b"\0*\0p": 1}), b'O:3:"A\\B":1:{s:4:"\0*\0p";i:1;}'),
        (PhpCustom(b"CC", b'x"}'), b'C:2:"CC":3:{x"}}'),
        (PhpEnum(b"Suit", b"H"), b'E:6:"Suit:H";'),
        (
            PhpArray.of([PhpEnum(b"Suit", b"H"), PhpEnum(b"suit", b"H")]),
            b'a:2:{i:0;E:6:"Suit:H";i:1;r:2;}',
        ),
    ],
)
def test_values_made_in_python_are_written(value, text):
    assert php.dumps(value) == text
    assert php.dumps(php.loads(text)) == text


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63) - 1,
        "text",
        [1],
        {b"a": 1},
        PhpArray({0: "text"}),
        PhpArray({2**63: 1}),
        PhpObject(b"", {}),
        PhpObject(b'a":0:{}', {}),
        PhpCustom(b"a b", b""),
        PhpEnum(b"Suit", b"::H"),
        PhpEnum(b"", b"H"),
    ],
)
def test_what_has_no_php_form_is_refused(value):
    with pytest.raises(php.PhpError):
        php.dumps(value)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (5, 5),
        (b"5", 5),
        (b"-5", -5),
        (b"0", 0),
        (b"-0", b"-0"),
        (b"05", b"05"),
        (b"5 ", b"5 "),
        (b"5\n", b"5\n"),
        (b"", b""),
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", b"9223372036854775808"),
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", b"-9223372036854775809"),
    ],
)
def test_keys_are_normalised_as_php_does(key, wanted):
    assert php.array_key(key) == wanted
    assert list(PhpArray({key: 1})) == [wanted]


def test_an_array_is_a_mapping_that_normalises_keys():
    array = PhpArray.of([b"x"])
    array[b"1"] = b"y"
    array[b"k"] = b"z"
    del array[b"0"]
    assert dict(array) == {1: b"y", b"k": b"z"}
    assert array[b"1"] == b"y"
    assert b"2" not in array
    assert repr(array) == "PhpArray(2 elements)"


def test_an_object_keeps_its_names_and_is_true_when_empty():
    record = PhpObject(b"ActionScheduler_NullSchedule")
    assert record
    assert not PhpArray()
    record[b"5"] = 1
    assert list(record) == [b"5"]
    assert repr(record) == "PhpObject(b'ActionScheduler_NullSchedule', 1 properties)"


def test_a_reference_is_one_variable_in_two_slots():
    array = php.loads(b'a:2:{s:1:"a";i:1;s:1:"b";R:2;}')
    assert isinstance(array.slots[b"a"], PhpReference)
    assert array.slots[b"a"] is array.slots[b"b"]
    array[b"b"] = 7
    assert array[b"a"] == 7
    assert php.dumps(array) == b'a:2:{s:1:"a";i:7;s:1:"b";R:2;}'


def test_a_reference_left_alone_is_a_value():
    array = php.loads(b"a:2:{i:0;i:1;i:1;R:2;}")
    del array[1]
    assert php.dumps(array) == b"a:1:{i:0;i:1;}"
    assert php.dumps(PhpReference(5)) == b"i:5;"


def test_an_object_found_twice_is_one_object():
    array = php.loads(b'a:2:{i:0;O:1:"X":0:{}i:1;r:2;}')
    array[0][b"a"] = 1
    assert array[1][b"a"] == 1


def test_values_that_contain_themselves_compare_print_and_are_written():
    text = b'O:1:"X":1:{s:4:"self";r:1;}'
    first, second = php.loads(text), php.loads(text)
    assert first[b"self"] is first
    assert first == second
    assert first != php.loads(b'O:1:"Y":1:{s:4:"self";r:1;}')
    assert repr(first) == "PhpObject(b'X', 1 properties)"
    array = PhpArray()
    array[0] = array
    assert php.dumps(array) == b"a:1:{i:0;N;}"


def test_equality_is_by_content_and_kind():
    assert PhpArray({0: math.nan}) == PhpArray.of([math.nan])
    assert PhpArray({0: 1}) != PhpArray({0: True})
    assert PhpArray({0: 1, 1: 2}) != PhpArray({1: 2, 0: 1})
    assert PhpArray() != PhpObject(b"X")
    assert PhpArray() != {}
    with pytest.raises(TypeError):
        hash(PhpArray())


def nested(levels):
    return b"a:1:{i:0;" * levels + b"N;" + b"}" * levels


def flat(count):
    return b"a:%d:{%s}" % (count, b"".join(b"i:%d;N;" % i for i in range(count)))


ONE_CLASS = Limits(classes=frozenset({b"Foo\\Bar"}))


@pytest.mark.parametrize(
    ("text", "limits", "error"),
    [
        (b"i:55;", Limits(max_bytes=5), None),
        (b"i:555;", Limits(max_bytes=5), php.PhpLimitError),
        (b's:%d:"%s";' % (2**20, bytes(2**20)), Limits(), php.PhpLimitError),
        (nested(32), Limits(), None),
        (nested(33), Limits(), php.PhpLimitError),
        (b"a:1:{i:0;" * 100_000, Limits(), php.PhpLimitError),
        (nested(50_000), Limits(max_depth=50_000, max_elements=50_000), None),
        (b"N;", Limits(max_depth=0), None),
        (b"a:0:{}", Limits(max_depth=0), php.PhpLimitError),
        (flat(10_000), Limits(), None),
        (flat(10_001), Limits(), php.PhpLimitError),
        (b"a:2:{i:0;a:1:{i:0;N;}i:1;N;}", Limits(max_elements=3), None),
        (b"a:2:{i:0;a:1:{i:0;N;}i:1;N;}", Limits(max_elements=2), php.PhpLimitError),
        (b"a:999999999:{}", Limits(), php.PhpLimitError),
        (b'O:1:"X":999999999:{}', Limits(), php.PhpLimitError),
        (b"a:99999999999999999999999:{}", Limits(), php.PhpLimitError),
        (b'O:7:"Foo\\Bar":0:{}', ONE_CLASS, None),
        (b'O:7:"fOO\\bAR":0:{}', ONE_CLASS, None),
        (b'a:1:{i:0;O:3:"Foo":0:{}}', ONE_CLASS, php.PhpClassError),
        (b'C:3:"Foo":0:{}', ONE_CLASS, php.PhpClassError),
        (b'E:5:"Foo:A";', ONE_CLASS, php.PhpClassError),
        (b'O:8:"stdClass":0:{}', ONE_CLASS, php.PhpClassError),
        (b'O:8:"stdClass":0:{}', Limits(classes=frozenset()), php.PhpClassError),
    ],
    ids=range(23),
)
def test_limits(text, limits, error):
    if error is None:
        assert php.dumps(php.loads(text, limits=limits)).lower() == text.lower()
    else:
        with pytest.raises(error):
            php.loads(text, limits=limits)


def test_a_record_has_the_class_name_as_spelled_in_the_allow_list():
    assert php.loads(b'O:7:"fOO\\bAR":0:{}', limits=ONE_CLASS).class_name == b"Foo\\Bar"
    assert php.loads(b'O:8:"STDCLASS":0:{}').class_name == b"stdClass"
    assert php.loads(b'O:3:"fOO":0:{}').class_name == b"fOO"


def test_a_syntax_error_tells_the_byte():
    with pytest.raises(php.PhpSyntaxError, match="at byte 9") as caught:
        php.loads(b"a:1:{i:0;x}")
    assert caught.value.offset == 9


def bomb(levels):
    """Every level holds the one below twice: 2**levels leaves for who does not share."""
    text = b"i:1;"
    for _ in range(levels):
        text = b"a:2:{i:0;%s" % text
    return text + b"".join(b"i:1;R:%d;}" % number for number in range(levels + 1, 1, -1))


HOSTILE = {
    "count": b"a:9999:{i:0;",
    "length": b's:999999999999:"',
    "lengths": b'a:1:{S:99999999999999999999:"' + b"a" * 1_000_000,
    "number": b"i:" + b"9" * 1_000_000 + b";",
    "float": b"d:" + b"9" * 1_000_000 + b"e5;",
    "float without end": b"d:" + b"9" * 500_000 + b"." + b"9" * 500_000,
    "reference": b"a:1:{i:0;R:" + b"9" * 1_000_000 + b";}",
    "class name": b'O:1000000:"' + b"A" * 1_000_000 + b'":0:{}',
    "escapes": b'S:300000:"' + b"\\61" * 300_000 + b'";',
    "escapes here and there": b'S:60000:"' + b"a\\61" * 30_000 + b'";',
    "elements": flat(10_000),
    "shared": b"a:10000:{i:0;i:1;" + b"".join(b"i:%d;R:2;" % i for i in range(1, 10_000)) + b"}",
    "bomb": bomb(31),
    "strings": b"a:9000:{" + b"".join(b'i:%d;s:90:"%090d";' % (i, i) for i in range(9000)) + b"}",
}


def attempt(text):
    with contextlib.suppress(php.PhpError):
        php.dumps(php.loads(text))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_little_time(name):
    """Within a second for up to 1 MB of the worst kind; damaged rows are timed below."""
    begun = time.process_time()
    attempt(HOSTILE[name])
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_little_memory(name):
    """Below 8 MB for 1 MB of text, or 10,000 elements, of the worst kind."""
    tracemalloc.start()
    attempt(HOSTILE[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_reference_bomb_stays_as_small_as_it_is():
    text = bomb(31)
    assert php.dumps(php.loads(text)) == text
    assert php.loads(text) == php.loads(text)


PIECES = [
    b"N;",
    b"i:5;",
    b"d:.5;",
    b"r:1;",
    b"R:1;",
    b"R:2;",
    b"a:0:{}",
    b"}",
    b'";',
    b"i:0;",
    b"9" * 20,
]
SIGNIFICANT = b'0123456789:;"{}aOsirRNbdSEC+-.\\\x00\xff'


def mutate(text, rng, corpus):
    """One to three small damages: bytes changed, dropped or put in, pieces of other texts."""
    damaged = bytearray(text)
    for _ in range(rng.randrange(3) + 1):
        place = rng.randrange(len(damaged) + 1)
        choice = rng.randrange(6)
        if choice == 0:
            damaged[place : place + 1] = bytes((rng.choice(SIGNIFICANT),))
        elif choice == 1:
            damaged[place:place] = bytes((rng.choice(SIGNIFICANT),))
        elif choice == 2:
            del damaged[place : place + rng.randrange(1, 9)]
        elif choice == 3:
            donor = rng.choice(corpus)
            start = rng.randrange(len(donor) + 1)
            damaged[place:place] = donor[start : start + rng.randrange(40)]
        elif choice == 4:
            damaged[place:place] = rng.choice(PIECES)
        else:  # a value for a value, so that much stays readable
            start = damaged.find(b"i:", place)
            end = damaged.find(b";", start)
            if 0 <= start < end:
                damaged[start : end + 1] = rng.choice(PIECES)
    return bytes(damaged)


def survives(text):
    """Whether it is read; then it must be written so that it reads the same again."""
    try:
        value = php.loads(text)
    except php.PhpError:
        return False
    written = php.dumps(value)
    assert php.dumps(php.loads(written, limits=WIDE)) == written
    return True


def test_damaged_input_is_refused_or_survives_a_round_trip():
    """100,000 inputs: nothing but PhpError, each below 50 ms, the process grows by < 32 MB."""
    rng = random.Random(20_260_101)
    corpus = [source(record) for record in RECORDS] + SCHEDULES + [text for text, _ in RUN_IN_PHP]
    corpus = [text for text in corpus if len(text) < 2000]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted, slowest = 0, 0.0
    for _ in range(100_000):
        text = mutate(rng.choice(corpus), rng, corpus)
        begun = time.process_time()
        accepted += survives(text)
        slowest = max(slowest, time.process_time() - begun)
    assert 5_000 < accepted < 60_000  # else the damage is too great or too small to tell anything
    assert slowest < 0.05
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KB
