"""The serialize reader against input that is too large, hostile or damaged."""

import base64
import contextlib
import json
import random
import resource
import time
import tracemalloc
from pathlib import Path

import pytest

from compat import php
from compat.php import Limits

GOLDEN = Path(__file__).parents[1] / "golden"


def read_corpus():
    """Every text of the golden files, and strings with escapes, which they hardly have."""
    lines = [
        line
        for name in ("phpserialize.jsonl", "schedules.jsonl")
        for line in (GOLDEN / name).read_text("utf-8").splitlines()
    ]
    texts = [json.loads(line)["serialized_base64"] or "" for line in lines]
    return [*map(base64.b64decode, texts), b'a:1:{S:1:"\\61";S:2:"\\00b";}', b'S:3:"a\\62c";']


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
        (nested(20_000), Limits(max_depth=20_000, max_elements=20_000), None),
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


# What contains itself is written with its content twice, so it needs more to be read again.
TWICE = Limits(max_depth=64, max_elements=20_000, max_bytes=2**21)
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
    assert php.dumps(php.loads(written, limits=TWICE)) == written
    return True


def test_damaged_input_is_refused_or_survives_a_round_trip():
    """100,000 inputs: nothing but PhpError, none that takes for ever (the test's own time limit
    would end it), and the process grows by < 32 MB."""
    rng = random.Random(20_260_101)
    corpus = [text for text in read_corpus() if len(text) < 2000]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = sum(survives(mutate(rng.choice(corpus), rng, corpus)) for _ in range(100_000))
    assert 5_000 < accepted < 60_000  # else the damage is too great or too small to tell anything
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KB
