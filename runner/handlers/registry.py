"""Which callable runs which hook, and under what policy. No global registry: a module makes one
`Handlers` object and the runner is told its name (`--handlers shop.jobs:handlers`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from runner.core.errors import HandlerError
from runner.core.jobs import GROUP, Envelope
from runner.core.retry import RetryPolicy
from runner.core.throttle import Throttle, named
from runner.handlers import checks, jobs, throttles
from runner.handlers.binding import Signature, name_of
from runner.handlers.callbacks import (
    AFTER,
    BEFORE,
    ON_DEAD_LETTER,
    ON_ERROR,
    Callback,
    callback,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol

    from runner.core.errors import Snooze
    from runner.core.rates import Rate
    from runner.core.throttle import Args, KeyLock
    from runner.handlers.checks import Classifier

    Errors = tuple[type[BaseException] | str, ...]

    class Called(Protocol):
        """What is called: an action, or what a child is told of one."""

        @property
        def hook(self) -> str: ...

        @property
        def type(self) -> str | None: ...


Function = TypeVar("Function", bound="Callable[..., Any]")

NO_THROTTLE = Throttle()

UNKNOWN = ""
"""The job type that nobody has registered."""

DEFAULT_TIMEOUT = 300.0
"""Seconds: as long as Action Scheduler lets an action run before it calls it failed."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One hook's callable, or one job type's: then `hook` is the type. Both times are in seconds
    from its start: after `soft_timeout` SoftTimeout is raised in it, after `timeout` its process is
    killed.

    `classify` is asked about each error, in that process: "retry", "permanent", a number of
    seconds after which to retry, or None to leave it to `retry`.

    `idempotent` says that running an action again does no harm: many short ones are then marked
    ahead and recorded together (see runner.operations.windows). Handlers of one `queue` can be
    given children of their own (`runner work --queues`).

    `on_crash` says what becomes of an action whose process or worker died in the handler, so that
    nobody knows how far it came: `retry` by its policy; `fail` for good; `ask`: failed, with a log
    line that says how to run it again by hand.
    """

    hook: str
    function: Callable[..., Any]
    retry: RetryPolicy
    timeout: float
    signature: Signature
    idempotent: bool = False
    classify: Classifier | None = None
    queue: str = ""
    soft_timeout: float | None = None
    on_crash: str = "retry"
    group: str = ""
    throttle: Throttle = NO_THROTTLE

    @property
    def name(self) -> str:
        """Where it is defined, as `module.function`."""
        return f"{self.function.__module__}.{name_of(self.function)}"


@dataclass(slots=True)
class Handlers:
    """The handlers of one site. What it is given are defaults for handlers that give none."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float = DEFAULT_TIMEOUT
    retry_on: Errors = ()
    give_up_on: Errors = ()
    classify: Classifier | None = None
    _by_hook: dict[str, Handler] = field(default_factory=dict)
    _callbacks: list[Callback] = field(default_factory=list)
    _jobs: dict[str, Handler] = field(default_factory=dict)
    _groups: dict[str, Throttle] = field(default_factory=dict)
    job_hooks: tuple[str, ...] = field(default=(), init=False)

    def on(
        self,
        *hooks: str,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        retry_on: Errors | None = None,
        give_up_on: Errors | None = None,
        classify: Classifier | None = None,
        idempotent: bool = False,
        group: str = "",
        queue: str = "",
        on_crash: str = "retry",
        rate: str | Rate | None = None,
        concurrency: int | str | None = None,
        lock: str | None = None,
        on_locked: Snooze | float | None = None,
    ) -> Callable[[Function], Function]:
        """Registers the decorated callable for one or more hooks.

        `retry_on` and `give_up_on` are those of RetryPolicy: given here they stand in place of
        the policy's, which stand in place of the registry's. `classify` is asked about errors
        that neither names: see Handler. After `soft_timeout` seconds SoftTimeout is raised in the
        handler, so that it can clean up (in a process of its own and inline, not in threads, and
        not before code in C returns). `idempotent` allows fast windows: after a crash of the
        runner, an action of a window may run again although it had been done, and is counted as
        begun although it had not. `on_crash` is for handlers that must not run twice: see Handler.
        `group` is the group in which WordPress puts this hook's actions: the default of `queue`,
        and see `limit`.

        Limits hold for all machines together; they need the runner's own tables. `rate` is how many
        may begin in a time: `"50/m"`, `"50/s,burst=10"`, `"100/h,key=crm"`; `concurrency` how many
        may run at once: `2`, `"2,key=crm"`. Hooks that name the same key share one limit. `lock`
        lets one action at a time run of those that share its name, which may hold args:
        `"crm:{customer_id}"`. While it is taken, an action is put off for as long as `on_locked`
        says, 30 seconds otherwise, and spends no attempt.

        Raises HandlerError for a hook that has a handler already, a name that does not fit its
        column, an option that makes no sense, and a signature that no action could be bound to.
        """
        policy = self.retry if retry is None else retry
        seconds = self.timeout if timeout is None else timeout
        classifier = self.classify if classify is None else classify

        def register(function: Function) -> Function:
            for hook in hooks:
                checks.check_policy(hook, policy, seconds, soft_timeout, classifier)
                checks.check_crash(hook, on_crash, idempotent=idempotent)
                checks.check_queue(hook, group, queue)
                signature = Signature.of(function)
                throttle = throttles.merged(
                    f"hook {hook}",
                    [
                        throttles.limits(f"hook {hook}", named("hook", hook), rate, concurrency),
                        throttles.lock_by_key(f"hook {hook}", lock, on_locked, signature),
                    ],
                )
                self._add(
                    Handler(
                        hook,
                        function,
                        self._policy(hook, policy, retry_on, give_up_on),
                        float(seconds),
                        signature,
                        idempotent=idempotent,
                        classify=classifier,
                        queue=queue or group,
                        soft_timeout=soft_timeout,
                        on_crash=on_crash,
                        group=group,
                        throttle=throttle,
                    )
                )
            return function

        if not hooks or not all(isinstance(hook, str) for hook in hooks):
            raise HandlerError("on() wants the name of a hook: @handlers.on('my_hook')")
        return register

    def limit(
        self, group: str, *, rate: str | Rate | None = None, concurrency: int | str | None = None
    ) -> None:
        """Limits all hooks together that are registered with this `group`, as `on` limits one.
        Raises HandlerError."""
        if not group or (rate is None and concurrency is None):
            raise HandlerError(
                "limit() wants a group, and a rate or a concurrency:"
                " handlers.limit('shop', rate='50/m')"
            )
        label = f"group {group}"
        found = throttles.limits(label, named("group", group), rate, concurrency)
        if group in self._groups:
            raise HandlerError(f"{label} is limited twice: put both limits into one")
        self._groups[group] = found

    def throttles(self) -> dict[str, Throttle]:
        """What is limited, by hook. Raises HandlerError where limits contradict."""
        lock = self._lock_of_job if any(job.throttle for job in self.jobs) else None
        of_jobs = Throttle(lock=lock)
        return throttles.by_hook(
            {
                hook: [
                    handler.throttle,
                    self._groups.get(handler.group, NO_THROTTLE),
                    of_jobs if hook in self.job_hooks else NO_THROTTLE,
                ]
                for hook, handler in self._by_hook.items()
            }
        )

    def check_limits(self) -> None:
        """Raises HandlerError where limits contradict, and for the limit of a group that no handler
        is registered with: a slip of the pen."""
        self.throttles()
        groups = {handler.group for handler in self}
        if unknown := sorted(self._groups.keys() - groups):
            raise HandlerError(
                f"group {unknown[0]} has a limit, and no handler is registered with it:"
                f" @handlers.on(..., group={unknown[0]!r})"
            )

    def _lock_of_job(self, args: Args) -> KeyLock | None:
        handler = self._jobs.get(Envelope.of(args).type)
        return handler.throttle.lock(args) if handler and handler.throttle.lock else None

    def job(
        self,
        *types: str,
        max_retries: int = 3,
        base_delay: float = 60,
        timeout: float | None = None,
        retryable: bool = True,
        lock: str | None = None,
        on_locked: Snooze | float | None = None,
        **options: Any,
    ) -> Callable[[Function], Function]:
        """Registers the decorated callable for one or more types of jobs.

        The numbers are those of WPKite_Job_Manager::register(): `max_retries` tries after the
        first, `base_delay` seconds before the first of them and twice as long before each further
        one; none at all when it is not `retryable`. The other options are those of `on`, but for
        `retry`, `group` and `queue`. The payload is bound by name, where its keys are parameters;
        one parameter that is none of its keys takes it whole.

        Raises HandlerError as `on` does.
        """
        if not types:
            raise HandlerError("job() wants the name of a type: @handlers.job('sync_product')")

        def register(function: Function) -> Function:
            for type_ in types:
                label = jobs.check(type_, options)
                retry = jobs.policy(label, max_retries, base_delay, retryable=retryable)
                alone = replace(self, _by_hook={})
                try:
                    alone.on(type_, retry=retry, timeout=timeout, **options)(function)
                except HandlerError as error:
                    raise HandlerError(str(error).replace(f"hook {type_}", label, 1)) from error
                signature = jobs.PayloadSignature.of(function)
                throttle = throttles.lock_by_key(label, lock, on_locked, signature, gate=False)
                self._add_job(replace(alone[type_], signature=signature, throttle=throttle))
            return function

        return register

    def _add_job(self, handler: Handler) -> None:
        if other := self._jobs.get(handler.hook):
            raise HandlerError(
                f"job type {handler.hook} has two handlers: {other.name} and {handler.name}"
            )
        self._jobs[handler.hook] = handler

    def own_jobs(self, hooks: Sequence[str]) -> None:
        """Actions of these hooks are envelopes of its job types, where it has any. Raises
        HandlerError for a hook that has a handler: it would have two owners."""
        if not self._jobs:
            return
        longest = max(handler.timeout for handler in self._jobs.values())
        for hook in hooks:
            if other := self._by_hook.get(hook):
                raise HandlerError(
                    f"hook {hook} runs jobs (settings jobs_hook and jobs_all_types), and"
                    f" {other.name} handles it too: leave one out"
                )
            self._by_hook[hook] = Handler(
                hook, jobs.run_job, RetryPolicy.never(), longest, Signature.of(jobs.run_job),
                queue=GROUP, group=GROUP,
            )  # fmt: skip
        self.job_hooks = tuple(hooks)

    def find(self, action: Called) -> Handler:
        """The handler of an action: its hook's, or its job type's."""
        return self._by_hook[action.hook] if action.type is None else self._job(action.type)

    def of(self, hook: str, args: Args) -> Handler:
        """The same of an action with these args, as they are decoded."""
        if hook in self.job_hooks:
            return self._job(Envelope.of(args).type)
        return self._by_hook[hook]

    def _job(self, type_: str) -> Handler:
        return self._jobs.get(type_) or _unregistered(type_)

    def may_run_ahead(self, action: Called) -> bool:
        """Whether an action may be marked before its turn: not one that has to be on time."""
        handler, group = self.find(action), self._by_hook[action.hook].group
        return handler.idempotent and not (handler.throttle or group in self._groups)

    def _policy(
        self,
        hook: str,
        policy: RetryPolicy,
        retry_on: Errors | None,
        give_up_on: Errors | None,
    ) -> RetryPolicy:
        """The policy with the lists of errors that hold for this hook."""
        if retry_on is None:
            retry_on = policy.retry_on or self.retry_on
        if give_up_on is None:
            give_up_on = policy.give_up_on or self.give_up_on
        if (retry_on, give_up_on) == (policy.retry_on, policy.give_up_on):
            return policy  # also one of a class of the site's own
        try:
            return replace(policy, retry_on=retry_on, give_up_on=give_up_on)
        except ValueError as error:
            raise HandlerError(f"hook {hook}: {error}") from error

    def _add(self, handler: Handler) -> None:
        if other := self._by_hook.get(handler.hook):
            raise HandlerError(
                f"hook {handler.hook} has two handlers: {other.name} and {handler.name}"
            )
        self._by_hook[handler.hook] = handler

    def before(self, *what: Any) -> Any:
        """Has the decorated `function(context)` called before handlers, where they are called and
        inside their time limit.

        `@handlers.before` is for every handler of this registry, those it includes as well;
        `@handlers.before("a_hook", "b_hook")` for these. Several are called in the order in which
        they were registered. Whatever one raises is logged and changes nothing.
        """
        return self._callback(BEFORE, what)

    def after(self, *what: Any) -> Any:
        """As `before`, once the handler has returned."""
        return self._callback(AFTER, what)

    def on_error(self, *what: Any) -> Any:
        """As `before`, with `function(context, error)` once the handler has raised an error;
        Retry, Snooze, Fail and Cancel are none. A process that dies or is killed calls nothing."""
        return self._callback(ON_ERROR, what)

    def on_dead_letter(self, *what: Any) -> Any:
        """As `before`, with `function(context, why)` once an action has failed for good, for
        whatever reason, and that is recorded.

        Called at most once, not where the handler was, and with a time limit of its own
        (runner.executors.dead_letters). When the runner dies first, it is not called.
        """
        return self._callback(ON_DEAD_LETTER, what)

    def _callback(self, moment: str, what: tuple[Any, ...]) -> Any:
        """Registers at once when used without names, else gives what will."""
        if len(what) == 1 and callable(what[0]):
            self._callbacks.append(callback(moment, what[0], ()))
            return what[0]
        if not what:
            raise HandlerError(f"{moment}() names no hook: leave the parentheses out for all")

        def register(function: Function) -> Function:
            self._callbacks.append(callback(moment, function, what))
            return function

        return register

    def callbacks(self, moment: str, hook: str, type_: str | None = None) -> list[Callback]:
        """What is to be called at that moment for that hook, or for that job type, in order."""
        name = hook if type_ is None else type_ if type_ in self._jobs else UNKNOWN
        return [
            c for c in self._callbacks if c.moment == moment and (not c.hooks or name in c.hooks)
        ]

    def check_callbacks(self) -> None:
        """Raises HandlerError for a callback of a hook that has no handler: a slip of the pen."""
        for found in self._callbacks:
            if unknown := (found.hooks or frozenset()) - self._names():
                raise HandlerError(
                    f"{found.moment} {found.name}: there is no handler for hook {min(unknown)}"
                )

    def include(self, other: Handlers) -> None:
        """Adds all that another registry has now. Its callbacks stay with its own hooks. Raises
        HandlerError for a hook that is in both."""
        for handler in other:
            self._add(handler)
        for job in other.jobs:
            self._add_job(job)
        for group in other._groups:
            if group in self._groups:
                raise HandlerError(f"group {group} is limited twice: put both limits into one")
        self._groups |= other._groups
        if hooks := other._names():
            self._callbacks += [replace(c, hooks=c.hooks or hooks) for c in other._callbacks]

    def _names(self) -> frozenset[str]:
        """What its callbacks may be for: its hooks and job types, and whatever type nobody has."""
        return frozenset({*self._by_hook, *self._jobs, *([UNKNOWN] if self._jobs else [])})

    def only(self, hooks: Sequence[str]) -> Handlers:
        """The handlers of these hooks. Raises HandlerError for a hook that has none."""
        for hook in hooks:
            if hook not in self._by_hook:
                known = ", ".join(self._by_hook) or "none"
                raise HandlerError(f"there is no handler for hook {hook} (there are: {known})")
        chosen = {hook: self._by_hook[hook] for hook in hooks}
        found = replace(self, _by_hook=chosen, _callbacks=[*self._callbacks])
        found.job_hooks = self.job_hooks
        return found

    @property
    def jobs(self) -> tuple[Handler, ...]:
        """The handlers of its job types."""
        return tuple(self._jobs.values())

    @property
    def hooks(self) -> tuple[str, ...]:
        return tuple(self._by_hook)

    def __getitem__(self, hook: str) -> Handler:
        return self._by_hook[hook]

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._by_hook.values())

    def __len__(self) -> int:
        return len(self._by_hook)


def _unregistered(type_: str) -> Handler:
    """Refuses whatever it is called with, for good."""
    signature = jobs.unregistered(type_)
    return Handler(type_, jobs.run_job, RetryPolicy.never(), DEFAULT_TIMEOUT, signature)
