"""What a run costs, in counted statements, commits, rows and locks: no stopwatch."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from support.engine import Engine, handlers_for
from support.fill import fill
from support.measure import counting_locks, rows_read
from support.proxy import COM_QUERY, Proxy

NOW = 1_795_413_900
HOOKS = tuple(f"py_hook_{n}" for n in range(5))
BATCH = 25


def mode_of(kind: str) -> str:
    return "parked" if kind == "parked" else "native"


@pytest.fixture
def engine(site, clock):
    engine = Engine(site, handlers_for(*HOOKS), clock)
    yield engine
    engine.close()


@pytest.mark.parametrize(("kind", "most"), [("bare", 4.5), ("leases", 5.7), ("parked", 7.7)])
def test_statements_and_commits_of_an_action(kind, most, site, server, cli):
    """Strict default, handlers in a child: at most 1.25 commits and 4.5 statements an action; with
    the runner's own tables one statement more, which records the attempt; beside PHP's runner two
    more, which prove that the action is held."""
    if kind != "bare":
        site.migrate()
    for number in range(300):
        site.add(HOOKS[number % 5], [number], at=NOW - 1000 + number)
    cli.module(
        "jobs",
        f"from runner import Handlers\nhandlers = Handlers()\n@handlers.on(*{HOOKS!r})\ndef nothing(n): pass\n",
    )
    names = ("Com_commit", "Com_insert", "Com_update", "Handler_commit")
    with server.frozen(NOW):
        before, statements_before = server.status(*names), server.statements()
        done = cli(
            "run",
            "--batch-size",
            "25",
            "--json",
            "--handlers",
            "jobs:handlers",
            "--mode",
            mode_of(kind),
        )
        after, statements_after = server.status(*names), server.statements()
    assert json.loads(done.stdout)["completed"] == 300, done.stderr
    own = 3  # reading the counters is counted as well
    statements = (statements_after - statements_before - own) / 300
    commits = (after["com_commit"] - before["com_commit"]) / 300
    # DELETE of the claims row commits by itself, once a batch.
    commits += (300 / BATCH) / 300
    assert statements <= most
    assert commits <= 1.25
    assert site.statuses() == {"complete": 300}


@pytest.mark.parametrize("kind", ["bare", "leases", "parked"])
def test_an_action_costs_one_round_trip(kind, site, server, cli):
    """Strict, counted on the wire: what an action finishes and what the next begins is one packet;
    a batch of 25 adds 5 more, a run its start. Leases, attempts and proofs ride along."""
    if kind != "bare":
        site.migrate()
    for number in range(100):
        site.add(HOOKS[number % 5], [number], at=NOW - 1000 + number)
    cli.module(
        "jobs",
        f"from runner import Handlers\nhandlers = Handlers()\n@handlers.on(*{HOOKS!r})\ndef nothing(n): pass\n",
    )
    with server.frozen(NOW), Proxy(server.port) as proxy:
        url = proxy.url(site)
        done = cli(
            "run", "--batch-size", "25", "--handlers", "jobs:handlers", RUNNER_DSN=url,
            RUNNER_MODE=mode_of(kind),
        )  # fmt: skip
    assert done.stdout.startswith("claimed 100: completed 100"), done.stderr
    most = 100 + 4 * (1 + 5) + {"bare": 5, "leases": 10, "parked": 14}[kind]
    assert proxy.commands.count(COM_QUERY) <= most


MIXES = ("due", "future", "complete")


@pytest.mark.parametrize("mix", MIXES)
def test_rows_read_and_locked_by_a_claim(mix, site, server, engine):
    """At most 4 x batch x hooks rows read and locked, with 100,000 rows in the table; the look
    for abandoned work at the start of a run is bounded too."""
    fill(site, 100_000, mix, hooks=HOOKS, now=NOW)
    if mix != "due":
        fill(site, 200, "due", hooks=HOOKS, now=NOW)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        limit = 4 * BATCH * len(HOOKS)
        before = rows_read(database)
        source._ownership.find(database, BATCH, expired=True)
        looked = rows_read(database) - before
        before = rows_read(database)
        with counting_locks(server, source) as locked:
            claim = source.claim(BATCH)
        read = rows_read(database) - before
    assert looked <= limit
    assert len(claim.actions) == BATCH
    assert read <= limit
    assert locked
    assert locked[0] <= limit


@pytest.fixture(params=["whole", "by hook"])
def beside(request, site, clock):
    """A runner beside PHP's: it handles every parked hook, or some of them."""
    hooks = HOOKS if request.param == "whole" else (*HOOKS, "elsewhere")
    site.set_option("wp_action_runner", json.dumps({"hooks": hooks}))
    engine = Engine(site, handlers_for(*HOOKS), clock, "parked")
    yield engine
    engine.close()


@pytest.mark.parametrize("mix", [*MIXES, "php"])
def test_rows_read_and_locked_by_a_claim_of_parked_rows(mix, site, server, beside):
    """Within the same bounds beside PHP's runner, whose own backlog of 100,000 due rows is neither
    read nor locked."""
    fill(
        site,
        100_000,
        "due" if mix == "php" else mix,
        hooks=("x",) if mix == "php" else HOOKS,
        now=NOW,
    )
    if mix != "due":
        fill(site, 200, "due", hooks=HOOKS, now=NOW)
    park(site)
    with server.frozen(NOW):
        database = beside.database()
        source = beside.source(database)
        limit = 4 * BATCH * len(HOOKS)
        before = rows_read(database)
        source._ownership.find(database, BATCH, expired=True)
        looked = rows_read(database) - before
        before = rows_read(database)
        with counting_locks(server, source) as locked:
            claim = source.claim(BATCH)
        read = rows_read(database) - before
    assert len(claim.actions) == BATCH
    assert max(looked, read) <= limit
    assert 0 < locked[0] <= limit


def park(site, hooks=HOOKS) -> None:
    """As an installation leaves the rows of these hooks."""
    site.run(
        "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt ="
        " scheduled_date_gmt + INTERVAL 800 YEAR WHERE status = 'pending' AND hook IN %s", (hooks,)
    )  # fmt: skip
    site.run("ANALYZE TABLE wp_actionscheduler_actions")


def test_plans_of_the_claim_sort_nothing_large(site, server, engine):
    """EXPLAIN: every branch of the claim reads an index range in order, without a filesort; what
    is sorted in the end are the few rows that the branches gave."""
    fill(site, 20_000, "due", hooks=HOOKS, now=NOW)
    with server.frozen(NOW):
        database, asked = engine.database(), []
        ask = database.query
        database.query = lambda text, **values: asked.append((text, values)) or ask(text, **values)
        engine.source()._ownership.find(database, BATCH, expired=True)
        ((text, values),) = asked
        plan = ask("EXPLAIN FORMAT=TRADITIONAL " + text, **values)
    table = [row for row in plan if "actionscheduler_actions" in str(row["table"])]
    assert len(table) == len(HOOKS) + 10 + 2
    assert not [row for row in table if "filesort" in str(row["Extra"])]
    assert {row["table"] for row in plan if "filesort" in str(row["Extra"])} == {"<derived2>"}
    assert {row["type"] for row in table} <= {"range", "ref", "index_merge"}


BY_KEY = ("turn", "mark", "postpone", "beat", "lock_due", "lock_rows")
PARKED_BY_KEY = (
    "turn",
    "postpone",
    "unbegin",
    "park",
    "lock_unparked",
    "lock_due",
    "lock_expired",
    "lock_rows",
)


@pytest.mark.parametrize(
    ("mode", "query"),
    [*(("native", query) for query in BY_KEY), *(("parked", query) for query in PARKED_BY_KEY)],
)
def test_rows_are_written_and_locked_by_primary_key(mode, query, site, server, clock):
    """No statement on known rows goes through an index over the columns that it changes."""
    engine = Engine(site, handlers_for(*HOOKS), clock, mode)
    fill(site, 5_000, "due", hooks=HOOKS, now=NOW)
    values = {
        "ids": [1, 2], "chosen": False, "finished": [1], "starting": [2], "claim": 7, "final": "complete", "id": 1,
        "offset": 0, "attempts": 1, "schedule": "", "gmt": "2026-01-01", "local": "2026-01-01",
        "unchecked": True, "matched": None, "hooks_hex": [],
    }  # fmt: skip
    with server.frozen(NOW):
        source = engine.source()
        text = source._queries[query]
        used = {name: values[name] for name in re.findall(r":([a-z]\w*)", text)}
        plan = engine.database().query("EXPLAIN FORMAT=TRADITIONAL " + text, **used)
    engine.close()
    own = {"h", "l", "t"}  # aliases of the runner's own tables, which are small or asked by key
    assert [row["key"] for row in plan if row["table"] not in own] == ["PRIMARY"]


@pytest.mark.parametrize(("tables", "most"), [(False, 3), (True, 4)], ids=["bare", "leases"])
def test_a_run_with_nothing_due_asks_three_questions_and_writes_nothing(
    tables, most, site, server, cli
):
    """At most three round trips after the login, four with own tables, no write, counted on the
    wire."""
    if tables:
        site.migrate()
    fill(site, 2_000, "future", hooks=HOOKS, now=NOW)
    cli.module(
        "jobs",
        f"from runner import Handlers\nhandlers = Handlers()\nhandlers.on(*{HOOKS!r})(print)\n",
    )
    writes = ("Com_insert", "Com_update", "Com_delete", "Com_replace", "Com_commit", "Com_begin")
    with server.frozen(NOW), Proxy(server.port) as proxy:
        before = server.status(*writes)
        done = cli("run", "--handlers", "jobs:handlers", RUNNER_DSN=proxy.url(site))
        after = server.status(*writes)
    assert (done.returncode, done.stdout) == (0, "nothing is due\n"), done.stderr
    assert after == before
    assert 0 < proxy.commands.count(COM_QUERY) <= most


def test_the_run_command_imports_nothing_heavy(cli, site):
    """Nothing heavy is part of `runner run`; and what works is not loaded when there is no work."""
    cli.module(
        "jobs", "from runner import Handlers\nhandlers = Handlers()\nhandlers.on('x')(print)\n"
    )
    program = (
        "import sys\nfrom runner.cli import main\n"
        "try: main(['run', '--handlers', 'jobs:handlers'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'sqlalchemy', 'flask', 'apscheduler', 'rich', 'msgspec', 'asyncio', 'multiprocessing',"
        " 'compat.wpconfig', 'runner.engine', 'runner.executors', 'compat.schedules', 'json'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cli.folder, env=cli.env(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["nothing is due", "[]"], done.stderr


def test_rows_read_by_the_look_for_what_dead_workers_left(site, server, engine):
    """With 100,000 actions and as many attempts on record, the look and the claim of what a lease
    of 25 left read a few rows for each, also of those that had failed already."""
    site.migrate()
    fill(site, 100_000, "due", hooks=HOOKS, now=NOW)
    site.run(
        "INSERT INTO wp_runner_attempts (action_id, claim_id, worker_id, hook, attempt, outcome,"
        " error, elapsed_ms, peak_memory, ended_at) SELECT action_id, 999, 1, hook, 1, 'failed', '',"
        " 1, 1, UTC_TIMESTAMP() FROM wp_actionscheduler_actions"
    )
    with server.frozen(NOW):
        claim = engine.source().claim(BATCH)
    first, second, *_ = (action.id for action in claim.actions)
    site.run(
        "UPDATE wp_actionscheduler_actions SET status = 'failed', attempts = 1"
        f" WHERE action_id IN ({first}, {second})"
    )
    site.run(f"UPDATE wp_runner_attempts SET claim_id = {claim.id} WHERE action_id = {first}")
    site.run("ANALYZE TABLE wp_actionscheduler_actions, wp_runner_attempts, wp_runner_leases")
    with server.frozen(NOW + 60):
        database = engine.database()
        source = engine.source(database)
        before = rows_read(database)
        taken = source.claim(BATCH, expired=True)
    assert (len(taken.expired), taken.reset) == (1, BATCH - 2)
    assert rows_read(database) - before <= 20 * BATCH
