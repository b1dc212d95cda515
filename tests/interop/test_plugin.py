"""The must-use plugin in a real WordPress, beside PHP's own runner."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from interop.wordpress import GROUP, Enqueued, until

from compat.action_scheduler import PLUGIN_FACTS
from compat.site_time import epoch_of, sql_date

JOBS = """
from runner import Handlers

handlers = Handlers()

@handlers.on("py_interop_single", "py_interop_recurring", "py_interop_cron", "py_interop_async")
def work(*args): raise AssertionError("only PHP works in these tests")
"""

KINDS = ("single", "recurring", "async", "cron")
DUE = KINDS[:3]
"""Those that can be due at once."""

RECURRENCE = {"recurring": 3600, "cron": "0 6 * * *"}
PLUGIN = Path(__file__).parents[2] / "docker" / "wp-action-runner.php"
PHP_ACTIONS = 5


def options(site) -> str:
    return f"`{site.facts['prefix']}options`"


def file_of(site) -> Path:
    return site.path / "wp-content" / "mu-plugins" / PLUGIN.name


@pytest.fixture
def installed(install):
    """The site with the plugin."""
    return install(JOBS)


def action(site, kind: str, side: str = "py", *, at: int | None = None, **more) -> Enqueued:
    when = site.now() - 60 if at is None else at
    return Enqueued(
        kind, f"{side}_interop_{kind}", [1], when, RECURRENCE.get(kind), f"{GROUP}plugin", **more
    )


def years(row) -> int:
    """How far the row's date is from its true one, which the local date (of UTC's day) tells."""
    return int(row["scheduled_date_gmt"][:4]) - int(row["scheduled_date_local"][:4])


def unpark(site, *ids: int) -> None:
    """As if the plugin had not been there when it was created."""
    site.run(
        f"UPDATE {site.table('actions')} SET scheduled_date_gmt = scheduled_date_gmt - INTERVAL 800"
        f" YEAR WHERE action_id IN ({', '.join(map(str, ids))})"
    )


def ask(site, *steps, hooks=("php_interop_single", "php_interop_async"), **more):
    return site.php("plugin", steps=steps, hooks=hooks, **more)


def states(site, ids) -> list[tuple]:
    rows = site.rows()
    return [(rows[i]["status"], rows[i]["claim_id"], rows[i]["attempts"], years(rows[i])) for i in ids]  # fmt: skip


FREE = ("pending", "0", "0", 800)


def test_the_file_is_php():
    """As the oldest PHP that is promised could parse it, as far as this one's parser tells."""
    done = subprocess.run(["php", "-l", PLUGIN], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_created_is_parked(installed):
    """Each kind that PHP creates, 800 years ahead; PHP's own hooks are not touched."""
    ours = installed.enqueue([action(installed, kind) for kind in KINDS])
    theirs = installed.enqueue([action(installed, kind, "php") for kind in KINDS])
    assert states(installed, ours) == [FREE] * len(KINDS)
    assert [years(installed.row(i)) for i in theirs] == [0] * len(KINDS)


def test_edges_of_dates(installed):
    """A leap day stays one; what is before 2000 or has no date parks at 2800; 2800 and later stay."""
    dates = {
        epoch_of("2028-02-29 12:00:00"): "2828-02-29 12:00:00",
        1: "2800-01-01 00:00:00",
        installed.now() * 1000: "2800-01-01 00:00:00",
        epoch_of("2799-12-31 22:00:00"): "3599-12-31 22:00:00",
        epoch_of("2800-01-01 00:00:00"): "2800-01-01 00:00:00",
        epoch_of("9300-01-01 00:00:00"): "9300-01-01 00:00:00",
    }
    ids = installed.enqueue([action(installed, "single", at=at) for at in dates])
    assert [installed.row(i)["scheduled_date_gmt"] for i in ids] == [*dates.values()]


def test_a_hook_of_other_letters_is_phps(installed):
    """The column compares without case; the plugin does not."""
    [id_] = installed.enqueue([action(installed, "single")._replace(hook="PY_interop_single")])
    assert years(installed.row(id_)) == 0


def test_phps_runner_leaves_ours_and_runs_its_own(installed):
    """Again and again, with ours both parked and (created before the plugin) due for PHP."""
    ours = installed.enqueue([action(installed, kind) for kind in KINDS])
    seen = installed.enqueue([action(installed, kind) for kind in DUE])
    unpark(installed, *seen)
    theirs = installed.enqueue([action(installed, "single", "php") for _ in range(PHP_ACTIONS)])
    assert [years(installed.row(i)) for i in seen] == [0] * len(DUE)
    calls = []
    for _ in range(3):
        calls += installed.php("run_queue", hooks=["php_interop_single"])["calls"]
        assert states(installed, ours + seen) == [FREE] * len(KINDS + DUE)
    assert sorted(call[0] for call in calls) == theirs
    assert {installed.row(i)["status"] for i in theirs} == {"complete"}
    assert installed.run(f"SELECT COUNT(*) FROM {installed.table('claims')}") == [("0",)]
    assert [installed.logs(i) for i in ours] == [["action created"]] * len(KINDS)
    assert [installed.logs(i)[1:] for i in seen] == [["action ignored via Interop"]] * len(DUE)


def test_the_administrators_run_leaves_ours(installed):
    """Parked or not, it is ignored and free again."""
    ids = installed.enqueue([action(installed, "single"), action(installed, "recurring")])
    unpark(installed, ids[1])
    ask(installed, *(("process", id_) for id_ in ids))
    assert states(installed, ids) == [FREE, FREE]
    assert [installed.logs(i)[1:] for i in ids] == [["action ignored via Admin List Table"]] * 2


def test_two_requests_that_run_the_same_action_leave_it(installed):
    """What the first puts back, the second must not find pending."""
    [id_] = installed.enqueue([action(installed, "single")])
    [met] = ask(installed, ("double_click", id_))
    assert met["answer"]
    assert states(installed, [id_]) == [FREE]
    assert installed.logs(id_)[1:] == ["action ignored via Admin List Table"]


def test_php_still_sees_what_is_parked(installed):
    """Unique, has, next and unschedule answer as before."""
    when = installed.now() + 3600
    [id_] = installed.enqueue([action(installed, "single", at=when)])
    again = installed.enqueue([action(installed, "single", at=when, unique=True)])
    [found] = installed.php("lookups", lookups=[["py_interop_single", [1], f"{GROUP}plugin"]])
    assert (again, found["has"], found["next"]) == ([0], True, when)
    assert found["ids"] == {"pending": [id_]}
    [done] = ask(installed, ("unschedule", "py_interop_single"))
    assert (int(done["answer"]), installed.row(id_)["status"]) == (id_, "canceled")


def test_what_dates_php_shows_of_parked_actions(installed):
    """The table in README.md: its schedule has the true date, the column a parked one, and PHP asks
    now this, now that."""
    now = installed.now()
    dates = (now - 90_000, now + 3600)
    due, later = installed.enqueue([action(installed, "single", at=at) for at in dates])
    seen = installed.php("seen", hook="py_interop_single", ids=[due, later])
    assert seen["pending"] >= 2
    assert (seen["past_due"], seen["by_then"], seen["after"]) == ([], [], [due, later])
    assert seen["in_order"] == [due, later]
    years = [int(sql_date(at)[:4]) for at in dates]
    assert [int(one["schedule"]) for one in seen["dates"]] == years
    assert [int(one["report"]) - 800 for one in seen["dates"]] == years


def test_without_its_file_parked_actions_are_safe(installed):
    """PHP goes on creating and running its own; what was parked stays as it is."""
    ours = installed.enqueue([action(installed, kind) for kind in KINDS])
    file_of(installed).unlink()
    [theirs, unparked] = installed.enqueue(
        [action(installed, "single", side) for side in ("php", "py")]
    )
    installed.run(f"DELETE FROM {installed.table('actions')} WHERE action_id = {unparked}")
    calls = installed.php("run_queue", hooks=["php_interop_single"])["calls"]
    assert [call[0] for call in calls] == [theirs]
    assert states(installed, ours) == [FREE] * len(KINDS)


@pytest.mark.parametrize("text", ["", "{not JSON", "[]", '{"hooks": 5}', '{"hooks": [null, {}]}'])
def test_an_option_that_cannot_be_read_parks_nothing_and_harms_nothing(installed, text):
    """Actions are created and run as if there were no plugin."""
    installed.run(f"UPDATE {options(installed)} SET option_value = %s WHERE option_name = 'wp_action_runner'", (text,))  # fmt: skip
    ours, theirs = installed.enqueue([action(installed, "single", side) for side in ("py", "php")])
    assert (years(installed.row(ours)), years(installed.row(theirs))) == (0, 0)
    assert len(installed.php("run_queue", hooks=["py_interop_single", "php_interop_single"])["calls"]) == 2  # fmt: skip


def more_statements(site, make, steps, **more) -> list[int]:
    """How many more each step takes with the plugin than without; `make` prepares both times."""
    counts = []
    text = file_of(site).read_bytes()
    for there in (True, False):
        if not there:
            file_of(site).unlink()
        answers = ask(site, *steps(make()), **more)
        counts.append([step["queries"] for step in answers])
    file_of(site).write_bytes(text)
    return [a - b for a, b in zip(*counts, strict=True)]


@pytest.mark.parametrize("cache", [False, True])
def test_it_costs_php_no_statement_an_action(installed, cache):
    """None for each that PHP creates; one for all that its runner claims at a time, however many;
    and one read of options a request."""
    enqueues = [("enqueue", "php_interop_async")] * 3
    ask(installed, *enqueues)  # their group is there
    assert more_statements(installed, list, lambda _: enqueues, cache=cache) == [cache, 0, 0]
    ask(installed, ("run",))  # the facts are written once an hour
    for count in (3, 20):

        def due(count=count):
            return installed.enqueue([action(installed, "single", "php") for _ in range(count)])

        run = more_statements(installed, due, lambda _: [("run",)], cache=cache)
        assert run == [1 + 1], count


def test_the_administrators_run_of_phps_own_costs_one_statement(installed):
    """It has no claim that could tell of others."""

    def make():
        return installed.enqueue([action(installed, "single", "php") for _ in range(2)])

    steps = more_statements(installed, make, lambda ids: [("process", id_) for id_ in ids])
    assert steps == [1, 1]


def test_statements_of_others_in_between_do_not_hide_an_action(installed):
    """Whoever asks the database when an action was stored, before the plugin hears of it."""
    [made] = ask(installed, ("interrupt",), ("enqueue", "py_interop_async"))[1:]
    assert years(installed.row(int(made["answer"]))) == 800


@pytest.mark.parametrize("hook", ["py_interop_100%_o'clock", 'py_interop_"é\\'])
def test_any_name_of_a_hook_is_known(installed, cli, hook):
    """Also one that SQL writes in another way."""
    cli.module("named", f"from runner import Handlers\nhandlers = Handlers()\n@handlers.on({hook!r})\ndef work(*args): ...")  # fmt: skip
    done = cli("install", "--handlers", "jobs:handlers,named:handlers")
    assert done.returncode == 0, done.stderr
    [made] = ask(installed, ("enqueue", hook))
    assert years(installed.row(int(made["answer"]))) == 800


def test_an_object_cache_does_not_hide_the_installation(installed):
    """The option is read from its table where the cache is another process's."""
    installed.run(f"UPDATE {options(installed)} SET autoload = 'no' WHERE option_name = 'wp_action_runner'")  # fmt: skip
    [made] = ask(installed, ("enqueue", "py_interop_async"), cache=True)
    assert years(installed.row(int(made["answer"]))) == 800


def told(site) -> dict:
    """The facts that the plugin wrote last; not loaded with each request."""
    [(text, autoload)] = site.run(
        f"SELECT option_value, autoload FROM {options(site)} WHERE option_name = '{PLUGIN_FACTS}'"
    )
    assert autoload == "no"
    return json.loads(text)


def test_the_facts_are_told_once_an_hour(installed):
    """After a run of PHP's queue: what only PHP knows."""
    ask(installed, ("run",), hooks=["py_interop_single"])
    first = facts = told(installed)
    assert abs(facts["written_at"] - installed.now()) < 30
    assert abs(facts["written_at"] - facts["database_at"]) < 3
    assert facts["php"].startswith("8.")
    assert facts["wordpress"]
    assert {key: facts[key] for key in facts.keys() - {"written_at", "database_at", "php", "wordpress"}} == {
        "action_scheduler": installed.facts["version"], "store": "ActionScheduler_DBStore",
        "object_cache": False, "batch_size": 25, "with_callback": ["py_interop_single"],
        "without_callback": facts["without_callback"],
    }  # fmt: skip
    installed.enqueue([action(installed, "recurring", "php", at=installed.now() + 3600)])
    ask(installed, ("run",))
    assert told(installed) == first
    old = json.dumps(first | {"written_at": installed.now() - 3601})
    installed.run(f"UPDATE {options(installed)} SET option_value = %s WHERE option_name = '{PLUGIN_FACTS}'", (old,))  # fmt: skip
    ask(installed, ("run",))
    facts = told(installed)
    assert facts["with_callback"] == []
    assert facts["without_callback"] == first["without_callback"] + 1


@pytest.mark.parametrize("text", ["", "{", "5", '{"written_at": "x"}', '{"written_at": []}', '{"written_at": 9e9}', '{"written_at": 9000000000}'])  # fmt: skip
def test_facts_that_make_no_sense_are_written_anew(installed, text):
    """And stop nothing: an error here would end PHP's run of its queue."""
    installed.run(
        f"REPLACE INTO {options(installed)} (option_name, option_value, autoload)"
        " VALUES (%s, %s, 'no')", (PLUGIN_FACTS, text),
    )  # fmt: skip
    ask(installed, ("run",))
    assert abs(told(installed)["written_at"] - installed.now()) < 30


def test_what_a_dying_php_left_aside_is_put_back(installed):
    """With the facts: what lies there for ten minutes; what was moved just now is being looked at."""
    ids = installed.enqueue([action(installed, "single") for _ in range(2)])
    for id_, ago in zip(ids, (601, 0), strict=True):
        installed.run(
            f"UPDATE {installed.table('actions')} SET status = 'runner-aside', claim_id = 7,"
            f" last_attempt_gmt = '{sql_date(installed.now() - ago)}' WHERE action_id = {id_}"
        )
    ask(installed, ("run",))
    assert [installed.row(i)["status"] for i in ids] == ["pending", "runner-aside"]
    assert states(installed, ids[:1]) == [FREE]
    installed.run(f"DELETE FROM {installed.table('actions')} WHERE action_id = {ids[1]}")


WORKER = (
    "workers (host, pid, queue, executor, version, started_at, seen_at)"
    " VALUES ('h', 1, '*', 'inline', '1', NOW(), NOW() - INTERVAL {} SECOND)"
)
ATTEMPT = (
    "attempts (action_id, claim_id, worker_id, hook, attempt, outcome, error, elapsed_ms,"
    " peak_memory, ended_at) VALUES (1, 1, 0, 'h', 1, 'completed', '', 1, 0, NOW() - INTERVAL {} SECOND)"
)
# Seconds that an action waits, the last sign of life, and whether administrators are told.
NOTICES = {
    "overdue, never seen": (900, None, True),
    "overdue, seen long ago": (900, WORKER.format(700), True),
    "overdue, seen just now": (900, WORKER.format(60), False),
    "overdue, an attempt ended long ago": (900, ATTEMPT.format(700), True),
    "overdue, an attempt ended just now": (900, ATTEMPT.format(60), False),
    "just due": (300, None, False),
}


def test_a_request_that_began_before_uninstalling_parks_nothing_afterwards(
    installed, cli, tmp_path
):
    """It goes by the options that it loaded at its start; what it creates then, and what it claims
    of what was given back, would be lost to both sides."""
    waiting = installed.enqueue([action(installed, "single") for _ in range(2)])
    answer, here, go = (tmp_path / name for name in ("answer", "here", "go"))
    steps = [
        ("enqueue", "py_interop_async"), ("meet", str(here), str(go)),
        ("enqueue", "py_interop_async"), ("run",),
    ]  # fmt: skip
    hooks = ["py_interop_single", "py_interop_async"]
    process = installed.start("plugin", answer, steps=steps, hooks=hooks)
    until("the request", here.exists)
    assert cli("uninstall").returncode == 0
    go.touch()
    assert process.communicate(timeout=60)[0] == ""
    before, _, after, _ = json.loads(answer.read_text())
    ids = [*waiting, int(before["answer"]), int(after["answer"])]
    assert [(installed.row(id_)["status"], years(installed.row(id_))) for id_ in ids] == [
        ("complete", 0)
    ] * len(ids)
    left = f"SELECT option_name FROM {options(installed)} WHERE option_name LIKE 'wp\\_action\\_runner%'"
    assert installed.run(left) == []


@pytest.mark.parametrize("case", NOTICES)
def test_administrators_hear_of_a_silent_runner(installed, case):
    """Only when parked actions wait for ten minutes and nobody was seen for as long; nobody else."""
    late, sign, told = NOTICES[case]
    installed.enqueue([action(installed, "single", at=installed.now() - late)])
    if sign:
        installed.run(f"INSERT INTO {installed.facts['prefix']}runner_{sign}")
    shown, hidden = ask(installed, ("notice", True), ("notice", False))
    assert ("no runner was seen" in shown["answer"]) == told
    assert hidden["answer"] == ""
    for table in ("workers", "attempts"):
        installed.run(f"DELETE FROM {installed.facts['prefix']}runner_{table}")


def test_the_notice_is_escaped_and_needs_no_tables(installed):
    """Without the runner's tables nobody was ever seen, and no error is printed or logged."""
    installed.enqueue([action(installed, "single", at=installed.now() - 900)])
    installed.run(f"DROP TABLE {installed.facts['prefix']}runner_workers")
    [shown] = ask(installed, ("notice", True))
    assert "&quot;runner uninstall&quot;" in shown["answer"]
