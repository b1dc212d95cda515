"""What is wrong is said in one line that tells what to do, and nothing else happens."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from support.server import PASSWORD
from support.site import OPTIONS, PHP_CRON, SiteDatabase
from support.waiting import until

from compat import schedules
from compat.site_time import sql_date
from runner.core.clock import SystemClock
from runner.core.errors import DatabaseGone
from runner.storage import mysql
from runner.storage.db import Database
from runner.storage.dsn import parse

DUE = 1_700_000_000
ACTIONS = "wp_actionscheduler_actions"
RUN = ("run", "--handlers", "jobs:handlers")

JOBS = """
from runner import Cancel, Context, Fail, Handlers, Retry

handlers = Handlers()

@handlers.on("ok")
def ok(*args):
    pass

@handlers.on("fail")
def fail():
    raise Fail("as told")

@handlers.on("cancel")
def cancel():
    raise Cancel("as told")

@handlers.on("retry")
def retry():
    raise Retry("as told", after=60)
"""


def complains(done, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, no traceback, no password."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("runner: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for secret in (PASSWORD, "p%40ss", "hunter2"):
        assert secret not in done.stderr
    for word in words:
        assert word in done.stderr


def fingerprint(site) -> list:
    """Every table's content, columns and counter: an insert that was undone moves the counter."""
    tables = [name for (name,) in site.run("SHOW TABLES")]
    return [
        (site.run(f"CHECKSUM TABLE `{table}`"), site.run(f"SHOW CREATE TABLE `{table}`"))
        for table in tables
    ]


def spoil(site, action: int, **columns: str | None) -> None:
    """Writes into a row what the API never would."""
    for column, value in columns.items():
        site.run(f"UPDATE {ACTIONS} SET {column} = %s WHERE action_id = %s", (value, action))


@contextmanager
def unchanged(site):
    before = fingerprint(site)
    yield
    assert fingerprint(site) == before


def side_by_side(cli, cases: dict) -> dict:
    """Runs the commands together, since none of them gets as far as the site's lock."""
    with ThreadPoolExecutor(4) as pool:
        started = {
            name: pool.submit(cli, *arguments, **environ)
            for name, (arguments, environ, *_) in cases.items()
        }
        return {name: future.result() for name, future in started.items()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


USER = {"WORDPRESS_DB_USER": "u", "WORDPRESS_DB_PASSWORD": "hunter2", "WORDPRESS_DB_NAME": "d"}

SETTINGS = {
    "no database": (RUN, {}, 78, ["--dsn mysql://", "RUNNER_DSN", "WORDPRESS_DB_HOST"]),
    "no handlers": (("run",), {}, 78, ["--handlers", "RUNNER_HANDLERS"]),
    "no hook registered": (("run", "--handlers", "empty:handlers"), {}, 78, ["empty:handlers"]),
    "password in --dsn": (
        (*RUN, "--dsn", "mysql://u:hunter2@h/d"), {}, 2, ["RUNNER_DB_PASSWORD_FILE"],
    ),
    "DSN is no URL": (RUN, {"RUNNER_DSN": "hunter2 nonsense"}, 78, ["mysql://user@host"]),
    "DSN of another server": (RUN, {"RUNNER_DSN": "postgres://u:hunter2@h/d"}, 78, ["mysql://"]),
    "DSN without database": (RUN, {"RUNNER_DSN": "mysql://u:hunter2@h"}, 78, ["names no database"]),
    "DSN with / in the password": (RUN, {"RUNNER_DSN": "mysql://u:hun/hunter2@h/d"}, 78, ["URL"]),
    "certificate missing": (RUN, {"RUNNER_DSN": "mysql://u@h/d?ssl_ca=/no/ca"}, 78, ["/no/ca"]),
    "DSN file missing": (RUN, {"RUNNER_DSN_FILE": "/no/file"}, 78, ["RUNNER_DSN_FILE", "/no/file"]),
    "password file missing": (
        (*RUN, "--dsn", "mysql://u@h/d"), {"RUNNER_DB_PASSWORD_FILE": "/no/file"}, 78,
        ["RUNNER_DB_PASSWORD_FILE", "/no/file"],
    ),
    "WordPress host only": (
        RUN, {"WORDPRESS_DB_HOST": "h"}, 78, ["WORDPRESS_DB_USER", "WORDPRESS_DB_NAME", "_FILE"],
    ),
    "WordPress password file missing": (
        RUN, USER | {"WORDPRESS_DB_HOST": "h", "WORDPRESS_DB_PASSWORD": "", "WORDPRESS_DB_PASSWORD_FILE": "/no/file"}, 78,
        ["WORDPRESS_DB_PASSWORD_FILE", "/no/file"],
    ),
    "prefix with a quote": (
        (*RUN, "--prefix", "wp_`; DROP"), {"RUNNER_DSN": "mysql://u@h/d"}, 2, ["table prefix"],
    ),
    "prefix with a quote in the environment": (
        RUN, {"RUNNER_DSN": "mysql://u@h/d", "RUNNER_TABLE_PREFIX": "wp'"}, 78, ["table prefix"],
    ),
    "mode in the environment": (
        RUN, {"RUNNER_DSN": "mysql://u@h/d", "RUNNER_MODE": "often"}, 78,
        ["RUNNER_MODE", "auto", "native"],
    ),
    "mode": ((*RUN, "--mode", "often"), {}, 2, ["--mode", "auto", "native"]),
    **{
        f"expiry {text!r}": (
            RUN, {"RUNNER_DSN": "mysql://u@h/d", "RUNNER_EXPIRY": text}, 78, ["RUNNER_EXPIRY"],
        )
        for text in ("0", "soon")
    },
    **{
        f"batch size {text!r}": ((*RUN, "--batch-size", text), {}, 2, ["--batch-size", "1 to 1000"])
        for text in ("0", "many", "100000")
    },
    "group and excluded group": (
        (*RUN, "--group", "a", "--exclude-groups", "b"), {"RUNNER_DSN": "mysql://u@h/d"}, 2,
        ["--group and --exclude-groups"],
    ),
    "no such command": (("drain",), {}, 2, ["drain", "--help"]),
    "no such option": ((*RUN, "--fast"), {}, 2, ["--fast", "--help"]),
}  # fmt: skip


@pytest.fixture
def bare(cli):
    """The command line without any settings."""
    cli.environ.clear()
    cli.module("jobs", JOBS)
    cli.module("empty", "from runner import Handlers\nhandlers = Handlers()\n")
    return cli


def test_wrong_settings_are_named(bare, subtests):
    """A setting that is missing or wrong is refused before anything is connected to."""
    done = side_by_side(bare, SETTINGS)
    for name, (_, _, code, words) in SETTINGS.items():
        with subtests.test(name):
            complains(done[name], code, *words)


def test_settings_reach_the_right_tables(bare, site, server, subtests):
    """Each documented way to name database, password and prefix works, and flags win."""
    for prefix in ("shop_", "env_"):
        SiteDatabase(server, site.name, prefix, site.connection).create_tables(OPTIONS)
    bare.environ.clear()
    for name, text in {
        "password": PASSWORD, "dsn": site.url, "host": server.host, "user": "runner_test",
        "name": site.name, "full": f"{server.host}:{server.port}",
    }.items():  # fmt: skip
        (bare.folder / name).write_text(text + "\n")
    files = {
        f"WORDPRESS_DB_{name}_FILE": file
        for name, file in (("HOST", "full"), ("USER", "user"), ("PASSWORD", "password"), ("NAME", "name"))
    }  # fmt: skip
    plain = {
        "WORDPRESS_DB_HOST": f"{server.host}:{server.port}", "WORDPRESS_DB_USER": "runner_test",
        "WORDPRESS_DB_PASSWORD": PASSWORD, "WORDPRESS_DB_NAME": site.name,
    }  # fmt: skip
    bare_dsn = ("--dsn", server.url(site.name, password=False))
    cases = {
        "RUNNER_DSN_FILE": ((), {"RUNNER_DSN_FILE": "dsn"}, "wp_"),
        "--dsn": (bare_dsn, {"RUNNER_DB_PASSWORD": PASSWORD, "RUNNER_DSN": "mysql://u@h/d"}, "wp_"),
        "password file": (bare_dsn, {"RUNNER_DB_PASSWORD_FILE": "password"}, "wp_"),
        "WordPress files": ((), files, "wp_"),
        "WordPress prefix": ((), plain | {"WORDPRESS_TABLE_PREFIX": "shop_"}, "shop_"),
        "prefix in the environment": (
            (), plain | {"WORDPRESS_TABLE_PREFIX": "shop_", "RUNNER_TABLE_PREFIX": "env_"}, "env_",
        ),
        "--prefix": (
            ("--prefix", "env_"), {"RUNNER_DSN": site.url + "?prefix=shop_"}, "env_",
        ),
    }  # fmt: skip
    commands = {
        name: (("status", "--json", *arguments), environ)
        for name, (arguments, environ, _) in cases.items()
    }
    done = side_by_side(bare, commands)
    for name, (_, _, prefix) in cases.items():
        with subtests.test(name):
            assert done[name].returncode == 0, done[name].stderr
            assert json.loads(done[name].stdout)["prefix"] == prefix


@contextmanager
def rude_server():
    """The port of something that hangs up on everybody."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_database_that_cannot_be_reached_is_named(bare, server, site, subtests):
    """Server, account and database are told apart, and the place is in the message."""
    nobody, at = free_port(), f"{server.host}:{server.port}"
    with rude_server() as rude:
        cases = {
            "not running": (f"mysql://u:hunter2@127.0.0.1:{nobody}/d", [f"127.0.0.1:{nobody}", "running"]),
            "wrong password": (f"mysql://runner_test:hunter2@{at}/{site.name}", [at, "user or password is wrong"]),
            "no such database": (server.url("runner_test_none"), ["runner_test_none", "check the name"]),
            "not our database": (server.url("elsewhere"), ["elsewhere", "grants"]),
            "not a database server": (f"mysql://u:hunter2@127.0.0.1:{rude}/d", [f"127.0.0.1:{rude}"]),
            "no SQLite file": ("sqlite:///./no.sqlite", ["no SQLite file ./no.sqlite", "./dev demo"]),
            "no SQLite folder": ("sqlite:///no/no.sqlite", ["no SQLite file /no/no.sqlite", "./dev demo"]),
        }  # fmt: skip
        done = side_by_side(
            bare, {name: (RUN, {"RUNNER_DSN": dsn}) for name, (dsn, _) in cases.items()}
        )
    for name, (_, words) in cases.items():
        with subtests.test(name):
            complains(done[name], 1, *words)
    assert not [*bare.folder.glob("no.sqlite*")]


def test_a_wrong_password_is_tried_once(bare, server, site):
    """A run from cron must not knock twice: servers lock accounts and hosts out for that."""
    before = server.status("Aborted_connects")["aborted_connects"]
    done = bare(*RUN, RUNNER_DSN=site.url.replace("right", "hunter2"))
    complains(done, 1, "user or password is wrong")
    assert server.status("Aborted_connects")["aborted_connects"] == before + 1


@pytest.mark.timeout(10)
def test_a_server_that_never_answers_is_given_up(monkeypatch):
    """A server that accepts and then says nothing must not hold the runner, and cron, for ever."""
    monkeypatch.setattr(mysql, "CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = parse(f"mysql://u@127.0.0.1:{silent.getsockname()[1]}/d")
        with pytest.raises(DatabaseGone):
            Database(mysql.MySQL(dsn, "wp_actionscheduler_actions"), SystemClock()).connect()


_MIGRATION = "action_scheduler_migration_status"


def option(name: str, value: str) -> str:
    return f"UPDATE wp_options SET option_value = '{value}' WHERE option_name = '{name}'"


TABLES = {
    "all missing": (
        "RENAME TABLE {actions} TO a, {claims} TO b, {groups} TO c, {logs} TO d",
        "RENAME TABLE a TO {actions}, b TO {claims}, c TO {groups}, d TO {logs}",
        ["no table actions", "'wp_'", "prefix"],
    ),
    **{
        f"{table} missing": (
            f"RENAME TABLE {{{table}}} TO gone", f"RENAME TABLE gone TO {{{table}}}",
            [f"no table {table}", "fix-schema"],
        )
        for table in ("actions", "claims", "groups", "logs")
    },
    "options missing": (
        "RENAME TABLE wp_options TO gone", "RENAME TABLE gone TO wp_options",
        ["cannot read wp_options", "prefix"],
    ),
    "migration not complete": (
        option(_MIGRATION, "in-progress"), option(_MIGRATION, "complete"),
        ["migration", _MIGRATION],
    ),
    "migration not begun": (
        f"UPDATE wp_options SET option_name = 'x' WHERE option_name = '{_MIGRATION}'",
        f"UPDATE wp_options SET option_name = '{_MIGRATION}' WHERE option_name = 'x'",
        ["migration", _MIGRATION],
    ),
    "newer schema": (
        option("schema-ActionScheduler_StoreSchema", "10.0.1"),
        option("schema-ActionScheduler_StoreSchema", "8.0.1"),
        ["schema 10", "3 to 9", "Update the runner"],
    ),
    "unknown column": (
        "ALTER TABLE {actions} ADD tenant int NOT NULL", "ALTER TABLE {actions} DROP tenant",
        ["unknown column tenant"],
    ),
    "unknown column of the log": (
        "ALTER TABLE {logs} ADD level int NOT NULL", "ALTER TABLE {logs} DROP level",
        ["unknown column level"],
    ),
    "older than schema 3": (
        "ALTER TABLE {actions} DROP extended_args",
        "ALTER TABLE {actions} ADD extended_args varchar(8000)",
        ["no column extended_args"],
    ),
}  # fmt: skip


@pytest.fixture
def queue(cli, site):
    """A site with two due actions, and the handlers for them."""
    cli.module("jobs", JOBS)
    for number in range(2):
        site.add("ok", (number,), at=DUE)
    return site


def test_tables_that_cannot_be_used_are_named_and_left_alone(cli, queue, subtests):
    """A missing table, a hybrid store, a newer schema: refused, with every table unchanged."""
    names = {table: queue.table(table) for table in ("actions", "claims", "groups", "logs")}
    for name, (damage, repair, words) in TABLES.items():
        queue.run(damage.format(**names))
        with subtests.test(name), unchanged(queue):
            complains(cli(*RUN), 1, *words)
        queue.run(repair.format(**names))
    assert cli(*RUN).returncode == 0  # all repaired: it was the damage
    assert queue.statuses() == {"complete": 2}


LEAST = {
    "actions": "SELECT, INSERT, UPDATE",
    "claims": "SELECT, INSERT, DELETE",
    "groups": "SELECT",
    "logs": "SELECT, INSERT",
    "options": "SELECT",
}


@contextmanager
def account(site, rights: dict[str, str]):
    """An account with these rights alone; its DSN."""
    name = f"own_{site.name}"
    site.run(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'hunter2'")
    try:
        for table, right in rights.items():
            full = "wp_options" if table == "options" else site.table(table)
            site.run(f"GRANT {right} ON {site.name}.{full} TO '{name}'@'%'")
        yield f"mysql://{name}:hunter2@{site.server.host}:{site.server.port}/{site.name}"
    finally:
        site.run(f"DROP USER '{name}'@'%'")


def test_the_least_rights_are_enough(cli, queue):
    """No right beyond the documented ones is used, not even by failure, recurrence or retry."""
    for hook in ("fail", "cancel", "retry"):
        queue.add(hook, at=DUE)
    queue.add("ok", at=DUE, schedule=schedules.interval(DUE, 3600))
    spoil(queue, queue.add("ok", at=DUE), schedule="")
    with account(queue, LEAST) as dsn:
        done = cli(*RUN, RUNNER_DSN=dsn)
    assert done.returncode == 0, done.stderr
    assert queue.statuses() == {"complete": 3, "failed": 1, "canceled": 2, "pending": 2}
    assert queue.rows("claims") == []


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"options": None}, ["cannot read wp_options", "grant", "SELECT on options"]),
        ({"actions": "SELECT"}, ["grant SELECT, INSERT and UPDATE"]),
        ({"claims": "SELECT"}, ["grant SELECT, INSERT and UPDATE"]),
        ({"logs": None}, ["no table logs"]),
    ],
    ids=["options", "actions", "claims", "logs"],
)
def test_a_missing_right_is_named_and_nothing_is_changed(cli, queue, lacking, words):
    """An account that may not do the work is told what to grant before anything is claimed."""
    rights = {table: right for table, right in (LEAST | lacking).items() if right}
    before = [queue.rows(table) for table in ("actions", "claims", "groups", "logs")]
    with account(queue, rights) as dsn:
        complains(cli(*RUN, RUNNER_DSN=dsn), 1, *words)
    assert [queue.rows(table) for table in ("actions", "claims", "groups", "logs")] == before


def test_claims_are_given_back_when_the_log_cannot_be_written(cli, queue):
    """A right that is missed only after the claim leaves every row free again."""
    with account(queue, LEAST | {"logs": "SELECT"}) as dsn:
        complains(cli(*RUN, RUNNER_DSN=dsn), 1, "grant SELECT, INSERT and UPDATE")
    assert [(row["status"], row["claim_id"], row["attempts"]) for row in queue.rows()] == [
        ("pending", "0", "0"), ("pending", "0", "0"),
    ]  # fmt: skip
    assert queue.rows("claims") == []


def test_a_unique_key_is_freed_by_every_final_move(cli, queue):
    """The column of schema 9 becomes NULL on a terminal move, and stays with a pending row."""
    queue.run(
        f"ALTER TABLE {ACTIONS} ADD unique_key varchar(191) NULL, ADD UNIQUE KEY (unique_key)"
    )
    ids = {
        hook: queue.add(hook, at=DUE, unique_key=hook) for hook in ("fail", "cancel", "retry")
    } | {
        "ok": queue.add("ok", at=DUE, unique_key="ok", schedule=schedules.interval(DUE, 3600)),
        "corrupt": queue.add("ok", at=DUE, unique_key="corrupt"),
        "later": queue.add("ok", at=4_000_000_000, unique_key="later"),
        "not ours": queue.add("php", at=DUE, unique_key="not ours"),
    }
    spoil(queue, ids["corrupt"], schedule="")
    done = cli(*RUN)
    assert done.returncode == 0, done.stderr
    kept = {name for name, id_ in ids.items() if queue.row(id_)["unique_key"]}
    assert kept == {"retry", "later", "not ours"}
    statuses = {name: queue.row(id_)["status"] for name, id_ in ids.items()}
    assert statuses == {
        "fail": "failed", "cancel": "canceled", "retry": "pending", "ok": "complete",
        "corrupt": "canceled", "later": "pending", "not ours": "pending",
    }  # fmt: skip
    new = queue.rows("actions", f"action_id > {max(ids.values())}")
    assert [(row["hook"], row["unique_key"]) for row in new] == [("ok", None)]


_DATES = ("scheduled_date_gmt", "scheduled_date_local", "last_attempt_gmt", "last_attempt_local")
OLDER = {
    "7, of 3.7.0": [
        "DROP KEY claim_id_status_priority_scheduled_date_gmt", "DROP KEY status_last_attempt_gmt",
        "DROP KEY status_claim_id", "ADD KEY three (claim_id, status, scheduled_date_gmt)",
    ],
    "7, of 3.6.0": [
        "DROP KEY hook_status_scheduled_date_gmt", "DROP KEY status_scheduled_date_gmt",
        "ADD KEY hook (hook(163))", "ADD KEY status (status)",
    ],
    "6": ["DROP COLUMN priority"],
    "5": ["ADD KEY claim_id (claim_id)"],
    "4": [
        f"MODIFY {date} datetime NOT NULL DEFAULT '0000-00-00 00:00:00'" for date in _DATES
    ],
    "3": ["DROP KEY three"],
    "3, stripped": ["DROP KEY hook", "DROP KEY status", "DROP KEY claim_id", "DROP KEY args"],
}  # fmt: skip


def test_older_schemas_work(cli, site, server, subtests):
    """A site of schema 3 to 7 is drained like one of 8: by its columns, with whatever indexes."""
    cli.module("jobs", JOBS)
    ends = {"ok": "complete", "fail": "failed", "cancel": "canceled", "retry": "pending"}
    levels = {
        name: {
            hook: site.add(
                hook, at=DUE, scheduled_date_gmt="2099-01-01 00:00:00",
                schedule=schedules.interval(DUE, 3600) if hook == "ok" else None,
            )
            for hook in ends
        }
        for name in OLDER
    }  # fmt: skip
    ((last,),) = site.run(f"SELECT MAX(action_id) FROM {ACTIONS}")
    for (name, changes), ids in zip(OLDER.items(), levels.values(), strict=True):
        site.run(f"ALTER TABLE {ACTIONS} {', '.join(changes)}")
        site.set_option("schema-ActionScheduler_StoreSchema", f"{name[0]}.0.1")
        for action in ids.values():
            spoil(site, action, scheduled_date_gmt=sql_date(DUE))
        with subtests.test(name), server.frozen(DUE + 10):
            done = cli(*RUN)
            assert done.returncode == 0, done.stderr
            assert {hook: site.row(action)["status"] for hook, action in ids.items()} == ends
            following = site.rows("actions", f"action_id > {last}")
            assert [(row["hook"], row["status"]) for row in following] == [("ok", "pending")]
            assert site.rows("claims") == []
        site.run(f"DELETE FROM {ACTIONS} WHERE action_id > {last}")


IMPORT = "from runner import Handlers\nhandlers = Handlers()\n"
ON = "@handlers.on('ok')\n"

MODULES = {
    "syntax error": ("def", ["cannot import", "broken", "SyntaxError"]),
    "import error": ("import no_such_module", ["cannot import", "no_such_module"]),
    "exit": ("raise SystemExit('bye')", ["cannot import", "SystemExit", "bye"]),
    "error of two lines": ("raise ValueError('one\\ntwo\\x1b[31m')", ["one two", "\\x1b"]),
    "BaseException": ("class Odd(BaseException): pass\nraise Odd('odd')", ["cannot import", "odd"]),
    "no attribute": ("", ["broken:handlers", "not there"]),
    "wrong type": ("handlers = {}", ["broken:handlers", "is a dict", "runner.Handlers"]),
    "two handlers": (
        IMPORT + ON + "def one(): pass\n" + ON + "def two(): pass",
        ["hook ok has two handlers", "broken.one", "broken.two"],
    ),
    "unknown name": (IMPORT + ON + "def one(a: 'Nope'): pass", ["one", "unknown annotation", "Nope"]),
    "unknown type": (
        "import io\n" + IMPORT + ON + "def one(a: io.BytesIO): pass",
        ["one", "unknown annotation BytesIO", "parameter a"],
    ),
}  # fmt: skip


def test_handlers_that_cannot_be_loaded_are_named(cli, queue, subtests):
    """Whatever is wrong with the module, it is said in one line and no action is touched."""
    cli.module("more", IMPORT + ON + "def again(): pass")
    cases = {
        "no module": (("run", "--handlers", "nowhere:handlers"), {}, ["cannot import", "nowhere"]),
        "two registries": (
            ("run",), {"RUNNER_HANDLERS": "jobs:handlers, more:handlers"},
            ["hook ok has two handlers", "jobs.ok", "more.again"],
        ),
    }  # fmt: skip
    for number, (name, (text, words)) in enumerate(MODULES.items()):
        module = f"broken{number}"
        cli.module(module, text)
        named = [word.replace("broken", module) for word in words]
        cases[name] = (("run", "--handlers", f"{module}:handlers"), {}, named)
    with unchanged(queue):
        done = side_by_side(cli, cases)
        for name, (_, _, words) in cases.items():
            with subtests.test(name):
                complains(done[name], 1, *words)


@pytest.mark.parametrize(
    "otherwise",
    ["raise RuntimeError('no licence')", "import os; os._exit(7)"],
    ids=["raises", "dies"],
)
def test_claims_are_given_back_when_only_the_child_cannot_import(cli, queue, otherwise):
    """A module that loads in the runner but not in the handler process costs no action."""
    cli.module(
        "picky",
        "import os, pathlib\n"
        "first = pathlib.Path(__file__).with_name('first')\n"
        "if first.exists() and first.read_text() != str(os.getpid()):\n"
        f"    {otherwise}\n"
        "first.write_text(str(os.getpid()))\n" + IMPORT + ON + "def one(*args): pass\n",
    )
    words = ["no licence"] if "licence" in otherwise else ["handler process did not start"]
    complains(cli("run", "--handlers", "picky:handlers"), 1, *words)
    for row in queue.rows():
        assert (row["status"], row["claim_id"], row["attempts"]) == ("pending", "0", "0")
        assert queue.logs(int(row["action_id"])) == ["action created"]
    assert queue.rows("claims") == []


def test_an_unknown_hook_or_group_is_named(cli, queue):
    """A filter that matches nothing on this site is a mistake, not an empty queue."""
    queue.add("ok", at=DUE, group="mails")
    with unchanged(queue):
        complains(cli(*RUN, "--hooks", "ok,nope"), 1, "hook nope", "ok, fail, cancel")
        complains(cli(*RUN, "--group", "nope"), 2, "no group nope")


FITTING = """
from dataclasses import dataclass
from runner import Context, Handlers

handlers = Handlers()

@dataclass
class Mail:
    to: str
    copies: int = 1

@handlers.on("two")
def two(first: int, second: str = "b"):
    pass

@handlers.on("whole")
def whole(context: Context, mail: Mail):
    pass

@handlers.on("none")
def none():
    pass
"""


_TWO = "two(first: int, second: str = 'b')"
MISFITS = [
    ("two", [], _TWO, "missing a required argument: 'first'"),
    ("two", [1, "b", 3], _TWO, "too many positional arguments"),
    ("two", ["x"], _TWO, "argument first", "Expected `int`, got `str`"),
    ("two", {"first": 1, "third": 3, "fourth": 4}, _TWO, "too many positional arguments"),
    ("whole", {"copies": 2}, "whole(context: ", "mail: ", "missing required field `to`"),
    ("whole", [{"to": 1}], "whole(context: ", "Expected `str`, got `int`"),
    ("none", [None], "none()", "too many positional arguments"),
]
FITS = [
    ("two", ["7"]), ("two", {"second": "x", "first": 1}), ("two", {"other": 1, "names": "x"}),
    ("whole", {"to": "a@b.c"}), ("whole", [{"to": "a@b.c"}]), ("none", []),
]  # fmt: skip


def test_args_that_do_not_fit_fail_with_the_signature(cli, site):
    """What cannot be bound fails at once, without a retry, and the log shows what was expected."""
    cli.module("jobs", FITTING)
    wrong = {site.add(hook, args, at=DUE): words for hook, args, *words in MISFITS}
    fine = [site.add(hook, args, at=DUE) for hook, args in FITS]
    done = cli(*RUN)
    assert done.returncode == 0, done.stderr
    for action, words in wrong.items():
        row, logs = site.row(action), site.logs(action)
        assert (row["status"], row["attempts"]) == ("failed", "1")
        assert len(logs) == 3
        for word in words:
            assert word in logs[-1]
    assert {site.row(action)["status"] for action in fine} == {"complete"}


CORRUPT = {
    "args are no JSON": {"args": '{"a":'},
    "args are empty": {"args": ""},
    "args are NULL": {"args": None},
    "args are a JSON string": {"args": '"text"'},
    "args are a JSON number": {"args": "5"},
    "args are a JSON null": {"args": "null"},
    "long args are no JSON": {"args": "0" * 32, "extended_args": "[1,"},
    "schedule is NULL": {"schedule": None},
    "schedule is empty": {"schedule": ""},
    "schedule is garbage": {"schedule": "garbage"},
    "schedule is false": {"schedule": "b:0;"},
    "schedule is of another class": {"schedule": 'O:8:"stdClass":0:{}'},
    "schedule is cut": {"schedule": 'O:28:"ActionScheduler_NullSchedule":0:{'},
}


def test_corrupt_rows_are_canceled_with_one_line(cli, site, subtests):
    """Such a row is never run; it is canceled, its log is kept, and one line says why."""
    cli.module("jobs", JOBS)
    ids = {}
    for name, columns in CORRUPT.items():
        ids[name] = site.add("ok", at=DUE)
        spoil(site, ids[name], **columns)
    good = site.add("ok", at=DUE)
    done = cli(*RUN, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["claimed"], summary["corrupt"]) == (len(CORRUPT) + 1, len(CORRUPT))
    for name, id_ in ids.items():
        with subtests.test(name):
            row, logs = site.row(id_), site.logs(id_)
            assert (row["status"], row["attempts"]) == ("canceled", "0")
            assert len(logs) == 2
            assert logs[0] == "action created"
            assert f"cannot be read: its {name.replace('long ', '').split()[0]}" in logs[1]
    assert site.row(good)["status"] == "complete"
    assert site.rows("claims") == []


def test_a_hook_that_only_looks_alike_is_not_touched(cli, site):
    """Case, accents and trailing spaces make another hook, though the column's collation differs."""
    cli.module("jobs", JOBS)
    looks = ["OK", "Ok", "ok ", "ók"]
    alike = [site.add(hook, at=DUE) for hook in looks]
    urgent = [site.add(hook, at=DUE, priority=0) for hook in looks]
    claimed = site.add("OK", at=DUE, claim_id=5)  # expired, but not ours
    before = {id_: site.row(id_) for id_ in [*alike, *urgent, claimed]}
    ours = site.add("ok", at=DUE + 1)
    done = cli(*RUN, "--batch-size", "1")
    assert done.returncode == 0, done.stderr
    assert site.row(ours)["status"] == "complete"
    for id_, row in before.items():
        assert site.row(id_) == row
        assert site.logs(id_) == ["action created"]


@pytest.mark.parametrize("command", [RUN, (*RUN, "--mode", "auto")], ids=["default", "flag"])
def test_auto_refuses_where_php_may_be_alive(cli, queue, command):
    """With PHP's event in the cron option a run says what would happen, exits 1, writes nothing."""
    queue.set_option("cron", PHP_CRON)
    environ = {"RUNNER_MODE": "" if command is RUN else "native"}
    with unchanged(queue):
        complains(cli(*command, **environ), 1, "nothing was touched", "PHP", "--mode native")
    if command is RUN:
        queue.set_option("cron", "a:0:{}")
    done = cli(*RUN, "--mode", "auto" if command is RUN else "native")
    assert done.returncode == 0, done.stderr
    assert queue.statuses() == {"complete": 2}


WAITING = """
import pathlib, time
from runner import Handlers

handlers = Handlers()
here = pathlib.Path(__file__).parent

@handlers.on("wait")
def wait():
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)

@handlers.on("ok")
def ok():
    pass
"""


def test_one_run_at_a_time(cli, site, server):
    """A second run leaves with 75 and touches nothing; --force runs beside; other sites go on."""
    cli.module("jobs", WAITING)
    waiting = site.add("wait", at=DUE)
    other = SiteDatabase(server, site.name, "two_", site.connection)
    other.create_tables(OPTIONS)
    first = cli.start(*RUN, "--batch-size", "1")
    try:
        until((cli.folder / "begun").exists)
        beside = site.add("ok", at=DUE)
        with unchanged(site):
            complains(cli(*RUN), 75, "another run", "--force")
            assert cli(*RUN, "--prefix", "two_").returncode == 0
        assert cli(*RUN, "--force").returncode == 0
        assert site.row(beside)["status"] == "complete"
        assert site.row(waiting)["status"] == "in-progress"
    finally:
        (cli.folder / "go").touch()
        _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert site.row(waiting)["status"] == "complete"
    assert cli(*RUN).returncode == 0  # and the lock is free again


@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        (("--debug", *RUN), {"RUNNER_DSN": ""}, 78),
        (("--debug", *RUN, "--group", "nope"), {}, 2),
    ],
    ids=["configuration", "usage"],
)
def test_debug_adds_the_traceback_and_nothing_else_changes(cli, queue, arguments, environ, code):
    """With --debug the traceback is shown, and the exit code stays what it is."""
    done = cli(*arguments, **environ)
    assert "Traceback" in done.stderr
    assert done.returncode == code
