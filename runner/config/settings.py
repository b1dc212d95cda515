"""Every setting, defined once: the flags, the environment's names, the keys of runner.toml and the
tables of `runner config` are derived from here."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, fields
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from compat.action_scheduler import LONGEST_HOOK, TIMEOUT
from compat.tables import PREFIX
from runner.core.errors import ConfigError
from runner.core.jobs import HOOK, PHP_HOOK
from runner.core.queues import WorkerQueue
from runner.core.queues import parse as parse_queues
from runner.core.thresholds import Limit
from runner.core.thresholds import parse as parse_thresholds
from runner.storage.dsn import TLS, parse

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("auto", "native", "parked")
LOG_FORMATS = ("text", "json")
ROLES = ("read", "admin")
LONGEST = 31_536_000
"""Seconds of the longest duration: a year."""


MOST_PLACES = 100
"""Children or threads of one runner at most: more than that is a slip of the pen."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting besides its value.

    `read` makes the value from text and raises ValueError with what was expected. `secret` values
    are never shown and never stand on a command line or in runner.toml; `file` allows the form
    `…_FILE`. A setting with `flag_only` belongs to one call: it has no other form.
    """

    name: str
    default: Any
    section: str
    help: str
    read: Callable[[str], Any]
    flag: str
    alias: str = ""
    metavar: str = "TEXT"
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = False
    file: bool = False
    flag_only: bool = False
    switch: bool = False
    repeated: bool = False

    @property
    def env(self) -> str:
        return f"RUNNER_{self.name.upper()}"


def _text(text: str) -> str:
    if not text:
        raise ValueError("a value, or leave it out")
    return text


def _dsn(text: str) -> str:
    if not text:
        raise ValueError("mysql://user@host:3306/database, or leave it out")
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise ValueError("letters, digits and _ alone, as in a table prefix of WordPress")
    return text


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("a file that is there")
    return text


def _names(text: str) -> tuple[str, ...]:
    """`a, b` as a tuple."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise ValueError("names, with commas between")
    return names


def _hook(text: str) -> str:
    if not text or len(text) > LONGEST_HOOK:
        raise ValueError(f"the name of a hook, {LONGEST_HOOK} characters at most")
    return text


def _yes(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.lower() == "true"


def _choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"one of {', '.join(choices)}")
    return text


def _whole(text: str, minimum: int, maximum: int | None) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if number < minimum or (maximum is not None and number > maximum):
        most = "or more" if maximum is None else f"to {maximum}"
        raise ValueError(f"a whole number, {minimum} {most}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LONGEST:
        raise ValueError(f"a number of seconds, 0 to {LONGEST:,}")
    return number


def _time_of_day(text: str) -> str:
    if text != "off" and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("a time of day such as 03:00, or off")
    return text


def _address(text: str) -> str:
    """`127.0.0.1:8020`, `[::1]:8020`, `0.0.0.0:80`."""
    host, _, port = text.rpartition(":")
    try:
        if host != "localhost":
            ip_address(host[1:-1] if host.startswith("[") else host.replace(":", "?"))
        _whole(port, 1, 65_535)
    except ValueError:
        raise ValueError("an address and a port, such as 127.0.0.1:8020") from None
    return text


def _addresses(text: str) -> tuple[str, ...]:
    """IP addresses, as the socket names them."""
    try:
        return tuple(str(ip_address(name)) for name in _names(text))
    except ValueError:
        raise ValueError("IP addresses, with commas between") from None


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}", text):
        raise ValueError("the name of a header, such as X-Forwarded-User")
    return text


def _mail_addresses(text: str) -> tuple[str, ...]:
    from runner.core.addresses import check_addresses  # noqa: PLC0415  for alerts alone

    return check_addresses(text)


def _mail_sender(text: str) -> str:
    from runner.core.addresses import check_sender  # noqa: PLC0415  for alerts alone

    return check_sender(text)


def _mail_host(text: str) -> str:
    from runner.core.addresses import check_host  # noqa: PLC0415  for alerts alone

    return check_host(text)


def _https(text: str) -> str:
    """Empty is nothing: a secret's variable may be there without a value."""
    from runner.core.addresses import check_url  # noqa: PLC0415  for alerts alone

    return check_url(text) if text.strip() else ""


def _title(text: str) -> str:
    from runner.core.message import check_template  # noqa: PLC0415  for alerts alone

    return check_template(text)


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/<>|\"']+(/[^\s<>|\"']*)?", text):
        raise ValueError("the page's address, such as https://runner.example.com")
    return text.rstrip("/")


def _executor(text: str) -> str:
    """`processes:N`, `threads:N` or `inline`."""
    kind, _, count = text.partition(":")
    if kind in {"processes", "threads"}:
        with contextlib.suppress(ValueError):
            return f"{kind}:{_whole(count, 1, MOST_PLACES)}"
    if text != "inline":
        raise ValueError(f"processes:N or threads:N, N from 1 to {MOST_PLACES}, or inline")
    return text


def _define(default: T, section: str, help_: str, read: Callable[[str], Any], **facts: Any) -> T:
    made = {"default": default, "section": section, "help": help_, "read": read, **facts}
    return field(default=default, metadata={"setting": made})


def _count(
    default: int,
    help_: str,
    section: str = "run",
    *,
    least: int = 0,
    most: int | None = None,
    **facts: Any,
) -> int:
    read = partial(_whole, minimum=least, maximum=most)
    facts = {"metavar": "N", "minimum": least, "maximum": most, **facts}
    return _define(default, section, help_, read, **facts)


def _duration(default: float, help_: str, section: str = "run", **facts: Any) -> float:
    return _define(default, section, help_, _seconds, metavar="SECONDS", **facts)


def _list(section: str, help_: str, **facts: Any) -> tuple[str, ...]:
    return _define((), section, help_, _names, **({"metavar": "A,B"} | facts))


def _chosen(default: str, section: str, choices: tuple[str, ...], help_: str, **facts: Any) -> str:
    return _define(
        default, section, help_, partial(_choice, choices=choices), choices=choices, **facts
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the runner can be told. Durations are in seconds, 0 is no limit; `memory_limit` and
    `recycle_memory` are in megabytes. Empty texts and tuples mean that nothing was said."""

    dsn: str = _define(
        "", "database", "mysql://user@host:port/database, without password.", _dsn,
        metavar="URL", file=True,
    )  # fmt: skip
    wp_path: str = _define(
        "", "database", "Folder of a WordPress: its wp-config.php tells the database.", _text,
        metavar="DIR",
    )  # fmt: skip
    table_prefix: str = _define(
        "", "database", "Table prefix of the site (default: the site's own, or wp_).", _prefix,
        flag="--prefix",
    )  # fmt: skip
    blog: int = _define(
        1, "database", "Number of the site in a network of sites: all but the first have it in"
        " their tables' names.", partial(_whole, minimum=1, maximum=None), metavar="N", minimum=1,
    )  # fmt: skip
    db_password: str = _define(
        "", "database", "Password of the database account.", str, secret=True, file=True, flag="",
    )  # fmt: skip
    db_tls: str = _chosen(
        "auto", "database", TLS, "TLS to the database: auto takes what the server offers, required"
        " refuses without, verify also checks the certificate.", flag="",
    )  # fmt: skip
    db_ssl_ca: str = _define(
        "", "database", "File with the authority's certificate; the server's is checked with it.",
        _file, metavar="FILE", flag="",
    )  # fmt: skip
    handlers: tuple[str, ...] = _list(
        "handlers", "Where your Handlers object is; may be repeated (default: what installed"
        " packages offer).", metavar="MODULE:NAME", repeated=True,
    )  # fmt: skip
    jobs_hook: str = _define(
        HOOK, "jobs", "Hook of the jobs that Python runs: their envelopes are enqueued under it,"
        " from PHP too.", _hook, metavar="HOOK", flag="",
    )  # fmt: skip
    jobs_all_types: bool = _define(
        False, "jobs", f"true says that Python runs every type of job, so that {PHP_HOOK} is"
        " Python's as well.", _yes, metavar="true|false", flag="",
    )  # fmt: skip
    mode: str = _chosen(
        "auto", "run", MODES,
        "native says that PHP's runner is off, parked works beside it; auto is parked where the"
        " runner was installed for that, and else refuses where PHP's may be alive.",
    )  # fmt: skip
    batch_size: int = _count(25, "Actions claimed at a time.", least=1, most=1000)
    batches: int = _count(0, "Batches to run; 0 is all.")
    hooks: tuple[str, ...] = _list("run", "Only these hooks.")
    groups: tuple[str, ...] = _list("run", "Only actions of these groups.", flag="--group")
    exclude_groups: tuple[str, ...] = _list("run", "No actions of these groups.")
    time_limit: float = _duration(
        0.0, "Begin nothing after this time; 0 is no limit.", alias="--max-seconds"
    )
    max_jobs: int = _count(0, "Begin at most this many actions; 0 is no limit.")
    memory_limit: int = _count(
        0, "Begin nothing once the runner or a child used more than this; 0 is no limit.",
        metavar="MB",
    )  # fmt: skip
    executor: str = _define(
        "processes:1", "run", "Where handlers are called: in N processes, which can be killed, in N"
        " threads, which cannot, or inline.", _executor, metavar="processes:N|threads:N|inline",
    )  # fmt: skip
    recycle_after: int = _count(5000, "Replace a child after this many calls; 0 is never.")
    recycle_memory: int = _count(
        0, "Replace a child that holds more than this after a call; 0 is no limit.", metavar="MB",
    )  # fmt: skip
    pause: float = _duration(0.0, "Rest between batches.")
    expiry: int = _count(
        TIMEOUT, "Seconds without a sign of life after which work counts as abandoned.", least=1,
        metavar="SECONDS",
    )  # fmt: skip
    lease: int = _count(
        45, "Seconds that a claim lasts without a heartbeat (with the tables of `runner migrate`).",
        least=1, metavar="SECONDS",
    )  # fmt: skip
    heartbeat: int = _count(
        15, "Seconds between heartbeats, at most 30: a worker that says nothing for 60 s is missed;"
        " a third of a lease that is shorter than 45.", least=1, most=30, metavar="SECONDS",
    )  # fmt: skip
    sites_at_once: int = _count(
        8, "Of several sites, this many runs at a time; each has a turn of 10 seconds while others"
        " wait.", least=1, most=1000, metavar="N",
    )  # fmt: skip
    queues: tuple[WorkerQueue, ...] = _define(
        (), "work", "Queues with children of their own and a weight, as in payments:4:3,mail:1,*:2"
        " (default: one for all handlers with 2 children).", parse_queues,
        metavar="NAME:N[:WEIGHT],…",
    )  # fmt: skip
    sleep: float = _duration(
        0.2, "Seconds between looks for due actions while there are none.", "work"
    )
    grace: float = _duration(
        0.0, "After a signal, kill what still runs then; 0 lets handlers run to their own limits.",
        "work",
    )  # fmt: skip
    log_format: str = _chosen(
        "text", "work", LOG_FORMATS, "The daemon's log as text, or as one JSON object a line.",
    )  # fmt: skip
    clean_at: str = _define(
        "03:00", "work", "Time of day, in the site's zone, at which old finished actions of your"
        " hooks are deleted (as `runner clean` does); off for never.", _time_of_day,
        metavar="HH:MM",
    )  # fmt: skip
    keep_minutes: int = _count(
        7, "Days that figures by the minute are kept.", least=1, most=3660, metavar="DAYS",
        section="work",
    )  # fmt: skip
    listen: str = _define(
        "", "work", "Address and port at which the daemon answers /livez, /readyz and /metrics to"
        " everybody who can reach it (default: it does not).", _address, metavar="HOST:PORT",
    )  # fmt: skip
    thresholds: tuple[Limit, ...] = _define(
        (), "alerts", "From when on something is wrong: NAME=NUMBER or NAME=off, for one hook or"
        " group with @hook:NAME or @group:NAME after it. `runner health` shows them.",
        parse_thresholds, metavar="NAME=N,…", flag="--threshold", repeated=True,
    )  # fmt: skip
    smtp_host: str = _define(
        "", "alerts", "Server that takes mail: HOST or HOST:PORT. Without it nothing is mailed.",
        _mail_host, metavar="HOST:PORT", flag="",
    )  # fmt: skip
    smtp_tls: str = _chosen(
        "auto", "alerts", ("auto", "starttls", "tls", "off"), "TLS to that server: auto takes what"
        " it offers, starttls refuses without, tls speaks it from the start.", flag="",
    )  # fmt: skip
    smtp_user: str = _define("", "alerts", "Account at that server.", _text, flag="")
    smtp_password: str = _define(
        "", "alerts", "Its password.", str, secret=True, file=True, flag="",
    )  # fmt: skip
    alert_email: tuple[str, ...] = _define(
        (), "alerts", "To whom alerts are mailed (default: the site's admin_email).",
        _mail_addresses, metavar="A,B", flag="",
    )  # fmt: skip
    alert_from: str = _define(
        "", "alerts", "Who the mail is from (default: runner@ the site's host).",
        _mail_sender, metavar="ADDRESS", flag="",
    )  # fmt: skip
    slack_webhook: str = _define(
        "", "alerts", "Incoming webhook of Slack, https.", _https, secret=True, file=True, flag="",
    )  # fmt: skip
    alert_channels: tuple[str, ...] = _list(
        "alerts", "Functions of your own that alerts are told to as well.",
        metavar="MODULE:NAME", flag="",
    )  # fmt: skip
    alert_private: bool = _define(
        False, "alerts", "true lets webhook and pulse be addresses of a private network.", _yes,
        metavar="true|false", flag="",
    )  # fmt: skip
    alert_title: str = _define(
        "[{site}] {state}: {text}", "alerts", "First line of an alert.", _title, metavar="TEXT",
        flag="",
    )  # fmt: skip
    alert_cooldown: int = _count(
        30, "Minutes after which an alert that still holds is told again.", "alerts", least=1,
        most=10_080, metavar="MINUTES", flag="",
    )  # fmt: skip
    alert_most: int = _count(
        20, "Messages an hour at most; what comes beyond is told together.", "alerts", least=2,
        most=1000, metavar="N", flag="",
    )  # fmt: skip
    pulse_url: str = _define(
        "", "alerts", "Address, https, that is called once a minute while all is well: who watches"
        " it hears when this machine is dead.", _https, secret=True, file=True, flag="",
    )  # fmt: skip
    state_dir: str = _define(
        "", "alerts", "Folder of a small file that remembers an outage of the database (default:"
        " STATE_DIRECTORY of systemd, else .local/state/wp-action-runner at home).", _text,
        metavar="DIR", flag="",
    )  # fmt: skip
    bind: str = _define(
        "127.0.0.1:8020", "web", "Address and port of the page.", _address, metavar="HOST:PORT",
    )  # fmt: skip
    web_hosts: tuple[str, ...] = _list(
        "web", "Names under which the page may be asked for, besides localhost: what browsers have"
        " in their address line.", flag="--host",
    )  # fmt: skip
    web_tls: bool = _define(
        False, "web", "A proxy in front of the page speaks TLS: cookies are for https"
        " alone, and --bind may be more than this machine.", _yes, metavar="true|false",
        flag="--behind-tls", switch=True,
    )  # fmt: skip
    web_proxies: tuple[str, ...] = _define(
        (), "web", "Addresses of proxies whose X-Forwarded-For and user header are believed.",
        _addresses, metavar="A,B", flag="--proxy",
    )  # fmt: skip
    web_user_header: str = _define(
        "", "web", "Header in which a proxy of web_proxies names the person it has signed in.",
        _header, metavar="NAME", flag="--user-header",
    )  # fmt: skip
    web_wordpress: bool = _define(
        False, "web", "People may sign in with their accounts of WordPress.", _yes,
        metavar="true|false", flag="--wordpress-accounts", switch=True,
    )  # fmt: skip
    web_capability: str = _define(
        "manage_options", "web", "What a WordPress account must be allowed to do.", _text,
        metavar="NAME", flag="--capability",
    )  # fmt: skip
    web_role: str = _chosen(
        "read", "web", ROLES, "What people may do who sign in by WordPress or a proxy: read looks"
        " only, admin changes things.", flag="--role",
    )  # fmt: skip
    web_url: str = _define(
        "", "web", "Where browsers find the page: alerts link to it.", _web_address, metavar="URL",
        flag="",
    )  # fmt: skip
    redact: tuple[str, ...] = _list(
        "web", "Further names in args whose values the page does not show.", flag="",
    )  # fmt: skip
    force: bool = _define(
        False, "run", "Run although another run is at work on this site.", bool,
        flag_only=True, switch=True,
    )  # fmt: skip


def job_hooks(settings: Settings) -> tuple[str, ...]:
    """The hooks whose actions are envelopes of ours."""
    hooks = [settings.jobs_hook, *([PHP_HOOK] if settings.jobs_all_types else [])]
    return tuple(dict.fromkeys(hooks))


@cache
def definitions() -> dict[str, Setting]:
    """Every setting by name, in order."""
    return {f.name: _setting(f.name, f.metadata["setting"]) for f in fields(Settings)}


def _setting(name: str, facts: dict[str, Any]) -> Setting:
    return Setting(**{"name": name, "flag": f"--{name.replace('_', '-')}", **facts})
