"""Registering handlers, finding them by name, and what a handler is told."""

import functools
import logging
import sys
from datetime import UTC, datetime
from importlib.metadata import EntryPoint

import pytest

from compat.action_scheduler import LONGEST_HOOK
from runner import Context, HandlerError, Handlers, RetryPolicy, transient
from runner.handlers import loading


def first():
    pass


def second():
    pass


class Callable:
    def __call__(self):
        pass


def test_a_hook_is_registered_with_its_policy():
    """The decorator returns the function and keeps hook, policy, timeout and name."""
    handlers, policy = Handlers(), RetryPolicy.fixed(5)
    assert handlers.on("a_hook", retry=policy, timeout=30)(first) is first
    handler = handlers["a_hook"]
    assert (handler.hook, handler.function, handler.retry, handler.timeout) == (
        "a_hook",
        first,
        policy,
        30.0,
    )
    assert handler.name == f"{__name__}.first"


def test_defaults_come_from_the_registry():
    """A handler that gives no policy or timeout takes those of its registry."""
    policy = RetryPolicy.never()
    handlers = Handlers(retry=policy, timeout=7)
    handlers.on("a_hook")(first)
    assert (handlers["a_hook"].retry, handlers["a_hook"].timeout) == (policy, 7.0)
    assert Handlers().retry == RetryPolicy()


def lists(handler):
    return handler.retry.retry_on, handler.retry.give_up_on


@pytest.mark.parametrize(
    ("registry", "policy", "given", "expected"),
    [
        pytest.param({}, {}, {}, ((), ()), id="none"),
        pytest.param({"retry_on": (KeyError,)}, {}, {}, ((KeyError,), ()), id="registry's"),
        pytest.param({"give_up_on": ("a.B",)}, {}, {}, ((), ("a.B",)), id="registry's, by name"),
        pytest.param({"retry_on": (KeyError,)}, {"retry_on": (OSError,)}, {}, ((OSError,), ()), id="policy before registry"),
        pytest.param({}, {"give_up_on": (OSError,)}, {"give_up_on": (ValueError,)}, ((), (ValueError,)), id="handler before policy"),
        pytest.param({"retry_on": (KeyError,)}, {"retry_on": (OSError,)}, {"retry_on": ()}, ((), ()), id="handler takes all back"),
        pytest.param({"retry_on": (KeyError,)}, {}, {"give_up_on": (OSError,)}, ((KeyError,), (OSError,)), id="each on its own"),
    ],
)  # fmt: skip
def test_which_errors_are_retried_is_given_nearest_first(registry, policy, given, expected):
    """A handler's own list, else its policy's, else its registry's; the delays stay the policy's."""
    handlers, policy = Handlers(**registry), RetryPolicy(attempts=7, first=5, **policy)
    handlers.on("a_hook", retry=policy, **given)(first)
    handler = handlers["a_hook"]
    assert lists(handler) == expected
    assert (handler.retry.attempts, handler.retry.delay(1)) == (7, 5)


def test_a_policy_of_the_site_s_own_class_is_kept():
    """Where no list is to be put in, the object itself is used, whatever its class."""

    class Nightly(RetryPolicy):
        def __init__(self, at):
            super().__init__(attempts=4)

    policy = Nightly("03:00")
    handlers = Handlers()
    handlers.on("a_hook", retry=policy)(first)
    assert handlers["a_hook"].retry is policy


def test_a_classifier_is_given_nearest_first():
    """A handler's own classifier, else its registry's; chosen hooks keep theirs."""
    handlers = Handlers(classify=transient)
    handlers.on("a")(first)
    handlers.on("b", classify=first)(second)
    assert [h.classify for h in handlers] == [transient, first]
    chosen = handlers.only(["b"])
    assert (chosen["b"].classify, chosen.classify) == (first, transient)
    assert Handlers().classify is None


@pytest.mark.parametrize(
    ("option", "why"),
    [
        pytest.param({"retry_on": OSError}, "retry_on must be a tuple", id="no tuple"),
        pytest.param({"retry_on": (5,)}, "retry_on must be a tuple", id="no error"),
        pytest.param({"give_up_on": ("OSError",)}, "give_up_on must be a tuple", id="no module"),
        pytest.param({"classify": "transient"}, "classify must be a function", id="no function"),
    ],
)
def test_errors_and_classifiers_are_what_they_should_be(option, why):
    """A wrong option is refused when registered, of the handler and of its registry."""
    with pytest.raises(HandlerError, match=f"hook a_hook: .*{why}"):
        Handlers().on("a_hook", **option)(first)
    with pytest.raises(HandlerError, match=f"hook a_hook: .*{why}"):
        Handlers(**option).on("a_hook")(first)


def test_one_function_may_take_several_hooks():
    """Hooks are listed in the order in which they were registered."""
    handlers = Handlers()
    handlers.on("b", "a")(first)
    handlers.on("c")(second)
    assert handlers.hooks == ("b", "a", "c")
    assert [handler.function for handler in handlers] == [first, first, second]
    assert len(handlers) == 3


@pytest.mark.parametrize(
    ("hooks", "why"),
    [
        pytest.param((), "wants the name of a hook", id="no hook"),
        pytest.param((first,), "wants the name of a hook", id="used without parentheses"),
        pytest.param(("",), "has no name", id="empty"),
        pytest.param(("ü" * (LONGEST_HOOK + 1),), "more than 191 characters", id="too long"),
    ],
)
def test_a_name_that_cannot_be_a_hook_is_refused(hooks, why):
    """A hook is text that fits its column, counted in characters."""
    with pytest.raises(HandlerError, match=why):
        Handlers().on(*hooks)(first)


def test_the_longest_hook_is_accepted():
    """A hook of exactly the column's width is a hook: the column counts characters, not bytes."""
    handlers = Handlers()
    handlers.on("ü" * LONGEST_HOOK)(first)
    assert len(handlers) == 1


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
def test_a_timeout_is_more_than_nothing(timeout):
    """A timeout of nothing is refused, it does not silently mean the default."""
    with pytest.raises(HandlerError, match="timeout must be more than 0"):
        Handlers().on("a_hook", timeout=timeout)(first)
    with pytest.raises(HandlerError, match="timeout must be more than 0"):
        Handlers(timeout=timeout).on("a_hook")(first)


@pytest.mark.parametrize("retry", [3, "never", RetryPolicy])
def test_a_policy_is_a_policy(retry):
    """What is no RetryPolicy is refused when registered, not when the first action fails."""
    with pytest.raises(HandlerError, match="RetryPolicy"):
        Handlers().on("a_hook", retry=retry)(first)


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        pytest.param(first, second, "first", id="functions"),
        pytest.param(first, first, "first", id="the same function"),
        pytest.param(Callable(), first, "Callable", id="callable object"),
        pytest.param(functools.partial(first), second, "first", id="partial"),
    ],
)
def test_two_handlers_for_one_hook_are_refused(one, other, name):
    """Neither silently wins: the error names the hook and both handlers."""
    handlers = Handlers()
    handlers.on("a_hook")(one)
    with pytest.raises(HandlerError, match="hook a_hook has two handlers") as raised:
        handlers.on("a_hook")(other)
    assert name in str(raised.value)
    assert other.__name__ in str(raised.value)
    assert handlers["a_hook"].function is one


def test_hooks_differ_by_case():
    """WordPress's hooks are case-sensitive."""
    handlers = Handlers()
    handlers.on("a_hook")(first)
    handlers.on("A_Hook")(second)
    assert handlers["A_Hook"].function is second


def test_a_handler_s_queue_is_its_group_unless_it_says_otherwise():
    """Without both it is in none of its own."""
    handlers = Handlers()
    handlers.on("a", group="shop, old: orders")(first)
    handlers.on("b", group="shop", queue="mail")(first)
    handlers.on("c")(first)
    assert [handler.queue for handler in handlers] == ["shop, old: orders", "mail", ""]


@pytest.mark.parametrize("queue", ["a:b", "a,b", " a", "a ", " ", ":"])
def test_a_queue_has_a_name_that_can_be_given(queue):
    """On the command line, colons and commas stand between."""
    with pytest.raises(HandlerError, match=r"hook a_hook: queue .* has no colon, no comma"):
        Handlers().on("a_hook", queue=queue)(first)


def test_groups_and_queues_are_names():
    """Of anything else one is told at once."""
    with pytest.raises(HandlerError, match="hook a_hook: group and queue are names"):
        Handlers().on("a_hook", group=5)(first)


def test_registries_are_joined():
    """Included handlers keep their own policy; a hook in both is refused."""
    ours, theirs = Handlers(timeout=1), Handlers(timeout=2)
    ours.on("a")(first)
    theirs.on("b")(second)
    ours.include(theirs)
    assert [(h.hook, h.timeout) for h in ours] == [("a", 1.0), ("b", 2.0)]
    with pytest.raises(HandlerError, match=r"hook b has two handlers: \S+second and \S+second"):
        ours.include(theirs)


def test_hooks_can_be_chosen():
    """Chosen hooks keep their handlers; one that has none is named with those that have."""
    handlers = Handlers()
    handlers.on("a", "b", "c")(first)
    assert handlers.only(["c", "a"]).hooks == ("c", "a")
    with pytest.raises(HandlerError, match=r"no handler for hook d \(there are: a, b, c\)"):
        handlers.only(["a", "d"])
    with pytest.raises(HandlerError, match=r"there are: none"):
        Handlers().only(["d"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder of its own, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("reg_")]:
        del sys.modules[name]


GOOD = "from runner import Handlers\n{0} = Handlers()\n@{0}.on({1!r})\ndef run(): pass\n"


def test_registries_are_loaded_by_name_from_the_working_folder(folder):
    """Several `module:attribute` names become one registry; packages work too."""
    (folder / "reg_one.py").write_text(GOOD.format("handlers", "a"))
    (folder / "reg_pack").mkdir()
    (folder / "reg_pack" / "jobs.py").write_text(GOOD.format("mine", "b"))
    loaded = loading.load(["reg_one:handlers", "reg_pack.jobs:mine"])
    assert loaded.hooks == ("a", "b")
    assert loading.load([]).hooks == ()


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        pytest.param(None, "reg_absent:handlers", "ModuleNotFoundError: No module named", id="no module"),
        pytest.param("def x(:", "reg_bad:handlers", "SyntaxError", id="syntax error"),
        pytest.param("import nothing_here", "reg_bad:handlers", "nothing_here", id="import fails"),
        pytest.param("1 / 0", "reg_bad:handlers", "ZeroDivisionError: division by zero", id="raises"),
        pytest.param("import sys; sys.exit(4)", "reg_bad:handlers", "SystemExit: 4", id="exits"),
        pytest.param("", "reg_bad:handlers", "reg_bad:handlers is not there", id="no attribute"),
        pytest.param("handlers = {}", "reg_bad:handlers", "is a dict, not a runner.Handlers", id="wrong type"),
        pytest.param("", "reg_bad", "expected MODULE:NAME", id="no colon"),
        pytest.param("", "reg_bad:", "expected MODULE:NAME", id="no attribute given"),
        pytest.param("", ":handlers", "expected MODULE:NAME", id="no module given"),
        pytest.param("", "", "expected MODULE:NAME", id="nothing given"),
        pytest.param("", ".reg_bad:handlers", "cannot import handlers from .reg_bad", id="relative"),
        pytest.param(
            "from runner import Handlers\nh = Handlers()\n@h.on('x')\ndef f(a: 'Missing'): pass",
            "reg_bad:h", "handler f: unknown annotation", id="refused handler",
        ),
        pytest.param(
            GOOD.format("h", "x") + "h.on('x')(run)", "reg_bad:h", "hook x has two handlers", id="two handlers",
        ),
    ],
)  # fmt: skip
def test_a_registry_that_cannot_be_loaded_is_one_error(folder, source, name, why):
    """Whatever goes wrong while importing is a HandlerError that says what."""
    if source is not None:
        (folder / "reg_bad.py").write_text(source)
    with pytest.raises(HandlerError) as raised:
        loading.load([name])
    assert why in str(raised.value)


def test_two_modules_with_one_hook_are_refused(folder):
    """A hook that two modules handle is refused when they are joined, naming both."""
    (folder / "reg_one.py").write_text(GOOD.format("h", "x"))
    (folder / "reg_two.py").write_text(GOOD.format("h", "x"))
    with pytest.raises(
        HandlerError, match=r"hook x has two handlers: reg_one\.run and reg_two\.run"
    ):
        loading.load(["reg_one:h", "reg_two:h"])


def test_installed_packages_offer_registries(monkeypatch):
    """Names come from the entry points of our group alone."""
    ours = EntryPoint("shop", "shop.jobs:handlers", "wp_action_runner.handlers")
    others = EntryPoint("shop", "shop.cli:main", "console_scripts")
    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda *, group: [point for point in (ours, others) if point.group == group],
    )
    assert loading.entry_points() == ["shop.jobs:handlers"]


def test_a_handler_logs_under_the_actions_id(caplog):
    """Records of the context's logger carry the hook in their name and the action's id."""
    context = Context(42, "a_hook", "", 1, 3, datetime(2026, 11, 23, tzinfo=UTC), 300.0)
    with caplog.at_level(logging.INFO):
        context.log.info("hello %s", "shop")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("runner.handler.a_hook", "hello shop")
    assert record.action_id == 42


def test_a_context_cannot_be_changed():
    """A handler cannot make the runner believe something else."""
    context = Context(42, "a_hook", "", 1, 3, None, 300.0)
    with pytest.raises(AttributeError):
        context.attempt = 2
