"""How the args of an action become the call of its handler."""

import asyncio
import enum
import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from runner import Context, HandlerError
from runner.handlers.binding import Signature, Unbound

CONTEXT = Context(7, "hook", "group", 1, 3, None, 300.0)


class Plain:
    """A class that no JSON value converts to."""


@dataclass
class Order:
    id: int
    note: str = "none"


@dataclass
class OrderOfPlain:
    customer: Plain


class Item(msgspec.Struct):
    sku: str
    count: int = 1


class ItemOfPlain(msgspec.Struct):
    owner: Plain


class Level(enum.Enum):
    GOLD = "gold"


def called(function, args):
    """What the handler returns when an action with these args is run."""
    signature = Signature.of(function)
    positional, named = signature.bind(args)
    if signature.takes_context:
        positional.insert(0, CONTEXT)
    return function(*positional, **named)


def table(*rows):
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def none():
    return "called"


def one(a):
    return a


def two(a, b):
    return a, b


def default(a, b="default"):
    return a, b


def keyword_only(a, *, b="default"):
    return a, b


def positional_only(a, b="default", /):
    return a, b


def variadic(*rest):
    return rest


def first_and_rest(a, *rest, b="default"):
    return a, rest, b


def named(**options):
    return options


def first_and_named(a, **options):
    return a, options


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    table(
        ("empty list", none, [], "called"),
        ("list", two, [1, "x"], (1, "x")),
        ("list with a default left", default, [1], (1, "default")),
        ("list fills a default", default, [1, 2], (1, 2)),
        ("list of one list", one, [[1, 2]], [1, 2]),
        ("list of one map", one, [{"id": 1}], {"id": 1}),
        ("null is a value", two, [None, False], (None, False)),
        ("list and *args", variadic, [1, 2, 3], (1, 2, 3)),
        ("empty list and *args", variadic, [], ()),
        ("list, *args after one", first_and_rest, [1, 2, 3], (1, (2, 3), "default")),
        ("list leaves keyword-only alone", keyword_only, [1], (1, "default")),
        ("list and positional-only", positional_only, [1, 2], (1, 2)),
        ("empty list and **kwargs", named, [], {}),
    ),
)
def test_a_list_binds_by_position(handler, args, expected):
    """A list's items go to the parameters in order."""
    assert called(handler, args) == expected


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    table(
        ("in order", two, {"a": 1, "b": 2}, (1, 2)),
        ("order does not matter", two, {"b": 2, "a": 1}, (1, 2)),
        ("defaults fill the rest", default, {"a": 1}, (1, "default")),
        ("keyword-only", keyword_only, {"b": 2, "a": 1}, (1, 2)),
        ("keyword-only after *args", first_and_rest, {"b": 2, "a": 1}, (1, (), 2)),
        ("**kwargs take any name", named, {"x": 1, "y": 2}, {"x": 1, "y": 2}),
        ("**kwargs take the rest", first_and_named, {"b": 2, "a": 1}, (1, {"b": 2})),
    ),
)
def test_a_map_binds_by_name_when_every_key_is_a_parameter(handler, args, expected):
    """Where all keys are names of parameters, the stored order means nothing."""
    assert called(handler, args) == expected


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    table(
        ("no key is a name", two, {"x": 1, "y": 2}, (1, 2)),
        ("one key is no name", two, {"b": 1, "y": 2}, (1, 2)),
        ("keys are numbers", two, {5: 1, 3: 2}, (1, 2)),
        ("a number among names", two, {"a": 1, 0: 2}, (1, 2)),
        ("names are case-sensitive", two, {"B": 1, "A": 2}, (1, 2)),
        ("one value of a map", one, {"id": 5}, 5),
        ("*args is not a name", variadic, {"rest": 1}, (1,)),
        ("**kwargs is not a name", default, {"options": 1}, (1, "default")),
        ("positional-only is not a name", positional_only, {"b": 1, "a": 2}, (1, 2)),
        ("to *args", variadic, {"x": 1, "y": 2}, (1, 2)),
    ),
)
def test_any_other_map_binds_by_position_in_stored_order(handler, args, expected):
    """A map with any other key is passed as PHP passes it: its values, in stored order."""
    assert called(handler, args) == expected


def whole_dict(order: dict):
    return order


def whole_typed_dict(order: dict[str, int]):
    return order


def whole_dataclass(order: Order):
    return order


def whole_struct(item: Item):
    return item


def whole_and_more(order: dict, b=None):
    return order, b


def whole_with_context(context: Context, order: Order):
    return context, order


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    table(
        ("dict, alone", whole_dict, {"id": 1, "x": [2]}, {"id": 1, "x": [2]}),
        ("dict, in a list", whole_dict, [{"id": 1}], {"id": 1}),
        ("dict, numbers as keys", whole_dict, {5: "a"}, {5: "a"}),
        ("dict, empty", whole_dict, [], {}),
        ("dict, empty in a list", whole_dict, [{}], {}),
        ("dict, its own name is one of many keys", whole_dict, {"order": 1, "x": 2}, {"order": 1, "x": 2}),
        ("dict, its own name with no map under it", whole_dict, {"order": 1}, {"order": 1}),
        ("dict, meant by name", whole_dict, {"order": {"id": 1}}, {"id": 1}),
        ("typed dict", whole_typed_dict, {"a": "1"}, {"a": 1}),
        ("dataclass, alone", whole_dataclass, {"id": "1"}, Order(1)),
        ("dataclass, in a list", whole_dataclass, [{"id": 1, "note": "x"}], Order(1, "x")),
        ("dataclass, meant by name", whole_dataclass, {"order": {"id": 1}}, Order(1)),
        ("dataclass, unknown keys are left out", whole_dataclass, {"id": 1, "new": 2}, Order(1)),
        ("Struct, alone", whole_struct, {"sku": "x", "count": "3"}, Item("x", 3)),
        ("Struct, in a list", whole_struct, [{"sku": "x"}], Item("x")),
        ("beside a context", whole_with_context, {"id": 1}, (CONTEXT, Order(1))),
    ),
)  # fmt: skip
def test_one_map_is_taken_whole_by_a_handler_of_one_map(handler, args, expected):
    """One map, alone or as a one-item list, fills the one parameter annotated for a map."""
    assert called(handler, args) == expected


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    table(
        ("no annotation", one, {"id": 1}, 1),
        ("two parameters", lambda a, b: (a, b), {"id": 1, "x": 2}, (1, 2)),
        ("not its only one", whole_and_more, {"id": {"x": 1}, "y": 2}, ({"x": 1}, 2)),
    ),
)
def test_a_map_is_not_taken_whole_by_other_handlers(handler, args, expected):
    """Without such an annotation a map's values are passed one by one."""
    assert called(handler, args) == expected


def test_no_args_leave_a_default_in_place():
    """An empty list means no args: the one parameter's own default stands."""

    def handler(order: Order = Order(0, "made up")):  # noqa: B008  the default is the point
        return order

    assert called(handler, []) == Order(0, "made up")


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    table(
        ("int from text", int, "42", 42),
        ("int from negative text", int, "-7", -7),
        ("int from a whole float", int, 42.0, 42),
        ("int as it is", int, 42, 42),
        ("float from text", float, "1.5", 1.5),
        ("float from int", float, 3, 3.0),
        ("bool from text", bool, "1", True),
        ("bool from text, no", bool, "0", False),
        ("bool from a word", bool, "true", True),
        ("bool from int", bool, 0, False),
        ("text as it is", str, "42", "42"),
        ("any as it is", Any, "42", "42"),
        ("object as it is", object, "42", "42"),
        ("null or int", int | None, None, None),
        ("int or null", int | None, "42", 42),
        ("list of int", list[int], ["1", 2], [1, 2]),
        ("set of int", set[int], ["1", 2, 2], {1, 2}),
        ("pair", tuple[int, str], ["1", "x"], (1, "x")),
        ("dict of int", dict[str, int], {"a": "1"}, {"a": 1}),
        ("dict of int, keys that PHP made numbers", dict[str, int], {17: "1", "a": 2}, {"17": 1, "a": 2}),
        ("list of dataclasses", list[Order], [{"id": "1"}], [Order(1)]),
        ("date from text", datetime, "2026-11-23T06:05:00Z", datetime(2026, 11, 23, 6, 5, tzinfo=UTC)),
        ("decimal", Decimal, "12.50", Decimal("12.50")),
        ("enum", Level, "gold", Level.GOLD),
        ("literal", Literal["a", "b"], "b", "b"),
    ),
)  # fmt: skip
def test_values_are_converted_leniently(type_, value, expected):
    """PHP often stores numbers as text: what can be read as the annotated type is converted."""

    def handler(first, value):
        return value

    handler.__annotations__ = {"value": type_}
    converted = called(handler, ["x", value])
    assert converted == expected
    assert type(converted) is type(expected)


def test_every_kind_of_parameter_is_converted():
    """Also *args, **kwargs and keyword-only parameters are converted; defaults are not."""

    def handler(a: int, *rest: int, b: int = "not touched", **options: int):
        return a, rest, b, options

    assert called(handler, ["1", "2", "3"]) == (1, (2, 3), "not touched", {})
    assert called(handler, {"a": "1", "b": "2", "c": "3"}) == (1, (), 2, {"c": 3})


def typed(a: int, b: str = "x"):
    return a, b


@pytest.mark.parametrize(
    ("handler", "args", "why"),
    table(
        ("too few", two, [1], "missing a required argument: 'b'"),
        ("too many", two, [1, 2, 3], "too many positional arguments"),
        ("none wanted", none, [1], "too many positional arguments"),
        ("too few by name", two, {"b": 1}, "missing a required argument: 'a'"),
        ("keyword-only has no position", keyword_only, [1, 2], "too many positional arguments"),
        ("wrong type", typed, ["many"], "argument a does not fit"),
        ("fraction for int", typed, [1.5], "argument a does not fit"),
        ("null for int", typed, [None], "argument a does not fit"),
        ("map for text", typed, [1, {"x": 1}], "argument b does not fit"),
        ("map without a field", whole_dataclass, {"note": "x"}, "missing required field `id`"),
        ("field of a wrong type", whole_struct, {"sku": "x", "count": "many"}, "$.count"),
        ("no map for a whole", whole_dataclass, [5], "argument order does not fit"),
        ("two maps for a whole", whole_dataclass, [{"id": 1}, {"id": 2}], "too many"),
    ),
)
def test_what_cannot_bind_says_why_and_shows_the_signature(handler, args, why):
    """Args that do not fit raise Unbound, whose text names the reason and the whole signature."""
    signature = Signature.of(handler)
    with pytest.raises(Unbound) as raised:
        signature.bind(args)
    assert why in str(raised.value)
    assert signature.text in str(raised.value)
    assert signature.text.startswith(f"{handler.__name__}(")


def test_a_name_taken_by_the_context_cannot_be_bound():
    """A key with the name of the context's parameter is refused before the handler is called."""

    def handler(context: Context, **options):
        return context, options

    with pytest.raises(Unbound):
        called(handler, {"context": 1})


class Shop:
    def __call__(self, context: Context, a: int):
        return context, a

    def method(self, context: Context, a: int):
        return context, a

    @classmethod
    def of_class(cls, context: Context, a: int):
        return context, a

    @staticmethod
    def static(context: Context, a: int):
        return context, a


def plain(context: Context, a: int):
    return context, a


def partial_source(context: Context, b: str, a: int):
    return context, a


def logged(function):
    """A decorator that keeps the signature, as `functools.wraps` does."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


async def asynchronous(context: Context, a: int):
    return context, a


def awaited(*args, **kwargs):
    return asyncio.run(asynchronous(*args, **kwargs))


LATE = """
from __future__ import annotations
from runner import Context

def handler(context: Context, a: int):
    return context, a
"""


def late():
    """A handler of a module whose annotations are text."""
    names: dict[str, Any] = {"__name__": "late"}
    exec(compile(LATE, "late.py", "exec"), names)
    return names["handler"]


@pytest.mark.parametrize(
    "handler",
    table(
        ("function", plain),
        ("annotations as text", late()),
        ("callable object", Shop()),
        ("method", Shop().method),
        ("class method", Shop.of_class),
        ("static method", Shop.static),
        ("decorated", logged(plain)),
        ("decorated twice", logged(logged(plain))),
        ("decorated, annotations as text", logged(late())),
        ("cached", functools.lru_cache(plain)),
        ("async", functools.wraps(asynchronous)(awaited)),
        ("partial by name", functools.partial(partial_source, b="x")),
        ("partial of a decorated one", functools.partial(logged(partial_source), b="x")),
    ),
)
def test_every_kind_of_callable_gets_context_and_converted_values(handler):
    """The context comes first and values are converted, whatever kind of callable it is."""
    assert Signature.of(handler).takes_context
    assert called(handler, {"a": "42"}) == (CONTEXT, 42)


def test_a_partial_keeps_the_types_of_what_is_left():
    """A parameter that a partial has not filled is still converted to its annotation."""
    assert called(functools.partial(typed, b="y"), ["42"]) == (42, "y")


def test_a_decorator_that_hides_the_signature_takes_everything():
    """Without functools.wraps a handler is what it shows: it takes any args, and no context."""

    def opaque(function):
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    handler = opaque(two)
    assert not Signature.of(handler).takes_context
    assert called(handler, [1, 2]) == called(handler, {"b": 2, "a": 1}) == (1, 2)


def unannotated(context):
    return context


def test_only_the_annotation_makes_a_context():
    """A first parameter that is merely named context is bound like any other."""
    assert called(unannotated, [5]) == 5


@pytest.mark.parametrize(
    "handler",
    table(("callable object", Shop()), ("partial", functools.partial(two, b=1))),
)
def test_a_signature_is_shown_without_memory_addresses(handler):
    """What a shop owner reads in a log names the handler, not an address."""
    assert " at 0x" not in Signature.of(handler).text


def refused(annotation):
    def handler(value):
        return value

    handler.__annotations__ = {"value": annotation}
    return handler


def context_second(a, context: Context):
    return a, context


def context_by_name(*, context: Context):
    return context


def generator(a):
    yield a


async def async_generator(a):
    yield a


class CallableGenerator:
    def __call__(self, a):
        yield a


@pytest.mark.parametrize(
    ("handler", "why"),
    table(
        ("unknown name", refused("Missing"), "unknown annotation"),
        ("unknown name inside", refused("list[Missing]"), "unknown annotation"),
        ("unknown attribute", refused("msgspec.Missing"), "unknown annotation"),
        ("no expression", refused("two words"), "annotation"),
        ("plain class", refused(Plain), "unknown annotation Plain of parameter value"),
        ("list of a plain class", refused(list[Plain]), "unknown annotation"),
        ("dict of a plain class", refused(dict[str, Plain]), "unknown annotation"),
        ("plain class or null", refused(Plain | None), "unknown annotation"),
        ("pair with a plain class", refused(tuple[int, Plain]), "unknown annotation"),
        ("dataclass of a plain class", refused(OrderOfPlain), "unknown annotation"),
        ("list of such dataclasses", refused(list[OrderOfPlain]), "unknown annotation"),
        ("Struct of a plain class", refused(ItemOfPlain), "unknown annotation"),
        ("a value, no type", refused(5), "unknown annotation 5"),
        ("context is not first", context_second, "context"),
        ("context by name only", context_by_name, "context"),
        ("generator", generator, "generator"),
        ("async generator", async_generator, "generator"),
        ("callable object that is a generator", CallableGenerator(), "generator"),
        ("not callable", 5, "not a callable object"),
        ("builtin without a signature", dict, "signature cannot be read"),
    ),
)
def test_a_signature_that_no_action_could_be_bound_to_is_refused(handler, why):
    """What could never work is a HandlerError that names the reason, not a failed action later."""
    with pytest.raises(HandlerError, match=why):
        Signature.of(handler)


def test_values_without_a_type_are_passed_as_they_are():
    """A parameter that is not annotated, or as Any, gets the very value that was stored."""
    value = {"a": ["42", None]}
    assert called(one, [value]) is value
    assert called(refused(Any), [value]) is value
