"""PHP values in Python: how they are made, changed, compared and written."""

import math

import pytest

from compat import php
from compat.php import PhpArray, PhpCustom, PhpEnum, PhpObject, PhpReference


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


def test_an_array_is_a_value_and_written_wherever_it_stands():
    inner = PhpArray.of([1])
    assert php.dumps(PhpArray.of([inner, inner])) == b"a:2:{i:0;a:1:{i:0;i:1;}i:1;a:1:{i:0;i:1;}}"


def test_equality_is_by_content_and_kind():
    assert PhpArray({0: math.nan}) == PhpArray.of([math.nan])
    assert PhpArray({0: 1}) != PhpArray({0: True})
    assert PhpArray({0: 1, 1: 2}) != PhpArray({1: 2, 0: 1})
    assert PhpArray() != PhpObject(b"X")
    assert PhpArray() != {}
    with pytest.raises(TypeError):
        hash(PhpArray())
