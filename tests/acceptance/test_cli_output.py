"""What the commands print, and what their options do."""

from __future__ import annotations

import json
import re

import pytest
from support.terminal import on_terminal
from support.waiting import until

from runner import __version__
from runner.demo.shop import build

DUE = 1_700_000_000
NOW = DUE + 90_061
RUN = ("run", "--handlers", "jobs:handlers")

JOBS = """
import time
from runner import Cancel, Context, Fail, Handlers, Retry, RetryPolicy, Snooze

handlers = Handlers()

@handlers.on("ok")
def ok(*args):
    pass

@handlers.on("fail", retry=RetryPolicy.never(), timeout=20)
def fail(code: int = 0):
    raise Fail("as told")

@handlers.on("cancel", retry=RetryPolicy.steps(1, 2, 3, 4, 5, 6))
def cancel():
    raise Cancel("as told")

@handlers.on("retry", retry=RetryPolicy.fixed(60))
def retry(context: Context):
    raise Retry("as told")

@handlers.on("snooze")
def snooze():
    raise Snooze(60)

@handlers.on("slow")
def slow():
    time.sleep(1.1)
"""


@pytest.fixture
def shop(cli):
    cli.module("jobs", JOBS)
    return cli


def summary_of(cli, *arguments: str) -> dict:
    done = cli(*RUN, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_help_shows_an_example(cli, subtests):
    """The help of every command tells what it is for and gives a line to copy."""
    for command in ((), ("run",), ("status",), ("handlers",), ("version",)):
        with subtests.test(command=command):
            done = cli(*command, "--help")
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(f"Usage: runner {' '.join(command)}")
            assert re.search(rf"Examples?:\s+runner {' '.join(command)}", done.stdout)


def test_no_command_shows_the_help(cli):
    """`runner` alone is answered with the whole help, readable, and counts as wrong usage."""
    done = cli()
    assert done.returncode == 2
    shown = (done.stdout + done.stderr).splitlines()
    assert len(shown) > 10
    assert any(line.startswith("  run ") for line in shown)


def test_version_says_what_is_known(cli):
    """Versions of the runner and of Python, and the schemas that it works with."""
    text, as_json = cli("version"), cli("version", "--json")
    assert text.stdout.startswith(f"wp-action-runner {__version__} (Python 3.")
    facts = json.loads(as_json.stdout)
    assert facts.keys() == {"runner", "python", "schemas"}
    assert (facts["runner"], facts["schemas"]) == (__version__, "3 to 9")


def test_handlers_shows_hooks_functions_and_retries(shop):
    """Which hooks are handled, by which function with which parameters, retried how."""
    shop.environ.clear()  # no database is needed
    text = shop("handlers", "--handlers", "jobs:handlers")
    assert (text.returncode, text.stderr) == (0, "")
    lines = text.stdout.splitlines()
    assert "fail    jobs.fail(code: int = 0)" in lines
    assert "        1 attempt, no retry; killed after 20 s" in lines
    assert "        7 attempts, retried after 1, 2, 3, 4, … s; killed after 300 s" in lines
    listed = json.loads(shop("handlers", "--json", RUNNER_HANDLERS="jobs:handlers").stdout)
    assert [entry["hook"] for entry in listed] == [
        "ok",
        "fail",
        "cancel",
        "retry",
        "snooze",
        "slow",
    ]
    assert {tuple(entry) for entry in listed} == {
        (
            "hook", "job_type", "handler", "attempts", "retries", "retry_on", "give_up_on", "classify",
            "timeout", "queue", "limits", "before", "after", "on_error", "on_dead_letter",
        ),
    }  # fmt: skip


KEYS = {
    "claimed", "completed", "retried", "snoozed", "failed", "canceled", "corrupt", "lost",
    "taken_back", "contended", "seconds", "stopped",
}  # fmt: skip


def test_run_reports_what_it_did(shop, site):
    """The summary counts each outcome: as a sentence, as JSON with fixed keys, or not at all."""

    def enqueue() -> None:
        for hook in ("ok", "ok", "fail", "cancel", "retry", "snooze"):
            site.add(hook, at=DUE)
        broken = site.add("ok", at=DUE)
        site.run("UPDATE wp_actionscheduler_actions SET args = '' WHERE action_id = %s", (broken,))

    enqueue()
    facts = summary_of(shop)
    assert facts.keys() == KEYS
    assert {name: count for name, count in facts.items() if count and name != "seconds"} == {
        "claimed": 7, "completed": 2, "failed": 1, "canceled": 1, "retried": 1, "snoozed": 1,
        "corrupt": 1, "stopped": "nothing left",
    }  # fmt: skip
    enqueue()
    text = shop(*RUN)
    assert (text.returncode, text.stderr) == (0, "")
    assert re.fullmatch(
        r"claimed 7: completed 2, retried 1, snoozed 1, failed 1, canceled 1, corrupt 1"
        r" in \d+\.\d s \(nothing left\)\n",
        text.stdout,
    )
    enqueue()
    quiet = shop(*RUN, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert shop(*RUN).stdout == "nothing is due\n"


def test_fail_on_error_tells_of_failed_actions(shop, site, subtests):
    """Exit 3 when an action failed for good or was corrupt; not for a retry, nor unless asked."""

    def run(hook: str, *flags: str) -> int:
        action = site.add("ok" if hook == "corrupt" else hook, at=DUE)
        if hook == "corrupt":
            site.run("UPDATE wp_actionscheduler_actions SET schedule = NULL")
        done = shop(*RUN, "--quiet", *flags)
        assert (done.stdout, done.stderr) == ("", "")
        assert len(site.logs(action)) > 1
        return done.returncode

    for hook, code in {"ok": 0, "retry": 0, "cancel": 0, "fail": 3, "corrupt": 3}.items():
        with subtests.test(hook):
            assert run(hook, "--fail-on-error") == code
    assert run("fail") == 0


LIMITS = {
    "max jobs": (["--max-jobs", "3"], 3, "max jobs"),
    "max jobs over batches": (["--max-jobs", "3", "--batch-size", "2"], 3, "max jobs"),
    "batches": (["--batches", "2", "--batch-size", "2"], 4, "batches done"),
    "time": (["--time-limit", "0.000000001"], 0, "time limit"),
    "memory": (["--memory-limit", "1"], 0, "memory limit"),
    "none": (["--max-jobs", "0", "--batches", "0", "--time-limit", "0"], 5, "nothing left"),
}


def test_a_limit_ends_the_run_and_hands_back_the_rest(shop, site, subtests):
    """So many actions run, the oldest first; the others are free again, and the reason is given."""
    for name, (flags, done, why) in LIMITS.items():
        actions = [site.add("ok", (n,), at=DUE + n) for n in range(5)]
        with subtests.test(name):
            facts = summary_of(shop, *flags)
            assert (facts["completed"], facts["stopped"]) == (done, why)
            statuses = [site.row(action)["status"] for action in actions]
            assert statuses == ["complete"] * done + ["pending"] * (5 - done)
            for action in actions[done:]:
                assert site.row(action)["claim_id"] == "0"
                assert site.logs(action) == ["action created"]
            assert site.rows("claims") == []
        site.run("DELETE FROM wp_actionscheduler_actions")


def test_the_time_limit_lets_the_current_action_end(shop, site):
    """Time that runs out inside a handler ends the run after it."""
    first, second = [site.add("slow", at=DUE) for _ in range(2)]
    facts = summary_of(shop, "--time-limit", "1")
    assert (facts["completed"], facts["stopped"]) == (1, "time limit")
    assert site.row(first)["status"] == "complete"
    assert (site.row(second)["status"], site.row(second)["claim_id"]) == ("pending", "0")


def test_a_limit_that_stops_all_work_is_not_an_empty_queue(shop, site):
    """A run that began nothing because of a limit must not say that nothing is due."""
    site.add("ok", at=DUE)
    done = shop(*RUN, "--memory-limit", "1")
    assert done.returncode == 0, done.stderr
    assert "nothing is due" not in done.stdout
    assert "memory limit" in done.stdout


def test_pause_rests_between_batches(shop, site):
    """Three batches, three rests: the run takes at least as long."""
    for _ in range(3):
        site.add("ok", at=DUE)
    facts = summary_of(shop, "--batch-size", "1", "--pause", "0.1")
    assert facts["completed"] == 3
    assert facts["seconds"] >= 0.2


FILTERS = {
    "one hook": (["--hooks", "snooze"], {"snooze"}),
    "two hooks": (["--hooks", " snooze , cancel"], {"snooze", "cancel"}),
    "one group": (["--group", "mails"], {"ok"}),
    "two groups": (["--group", "mails,feeds"], {"ok", "snooze"}),
    "all but one group": (["--exclude-groups", "mails"], {"snooze", "cancel"}),
    "all but two groups": (["--exclude-groups", "mails,feeds"], {"cancel"}),
    "all but an unknown group": (["--exclude-groups", "nope"], {"ok", "snooze", "cancel"}),
    "a hook of another group": (["--hooks", "ok", "--group", "feeds"], set()),
}


def test_filters_choose_what_runs(shop, site, subtests):
    """Hooks and groups narrow a run; everything else stays as it was, urgent rows too."""
    groups = {"ok": "mails", "snooze": "feeds", "cancel": ""}
    for name, (flags, begun) in FILTERS.items():
        for hook, group in groups.items():
            for priority in (0, 10):
                site.add(hook, at=DUE, group=group, priority=priority)
        before = site.rows()
        with subtests.test(name):
            assert summary_of(shop, *flags)["claimed"] == 2 * len(begun)
            for row in before:
                same = site.row(row["action_id"]) == row
                unsaid = site.logs(row["action_id"]) == ["action created"]
                assert (same, unsaid) == (row["hook"] not in begun,) * 2
        site.run("DELETE FROM wp_actionscheduler_actions")


@pytest.fixture
def queue(site):
    """A queue with something of everything."""
    for number in range(3):
        site.add("ok", at=DUE + number)
    site.add("php", at=DUE + 10)
    site.add("OK", at=DUE + 10)
    site.add("ok", at=NOW + 60)
    site.add("ok", at=DUE, status="complete")
    site.add("php", at=DUE, status="failed")
    return site


def test_status_tells_the_state_of_the_queue(shop, queue, server):
    """Counts of all actions and of ours, what is late, what comes next, and the site's facts."""
    with server.frozen(NOW):
        done = shop("status", "--json", "--handlers", "jobs:handlers")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts.pop("server")
    assert facts == {
        "site": "http://shop.test", "prefix": "wp_", "schema": "8",
        "time_zone": "Europe/Budapest", "php_runner": "not scheduled", "migrated": False,
        "statuses": {
            "pending": {"all": 6, "ours": 4}, "in-progress": {"all": 0, "ours": 0},
            "complete": {"all": 1, "ours": 1}, "failed": {"all": 1, "ours": 0},
            "canceled": {"all": 0, "ours": 0},
        },
        "parked": {"all": 0, "ours": 0},
        "due": {"all": 5, "ours": 3},
        "oldest_due_gmt": "2023-11-14 22:13:20", "oldest_due_seconds": 90_061,
        "next_due_gmt": "2023-11-15 23:15:21", "dead_letters": None, "paused": [], "counted_to": None,
        "jobs": {
            "pending": 0, "in_progress": 0, "completed": 0, "failed": 0, "dead_letters": 0,
            "failure_rate": {}, "avg_duration": {},
        },
    }  # fmt: skip


def test_status_reads_well(shop, queue, server):
    """The same as text, lined up, without any handler named and without a write."""
    before = queue.rows(), queue.rows("logs")
    with server.frozen(NOW):
        done = shop("status")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "site         http://shop.test (prefix wp_)"
    assert lines[1].endswith("Action Scheduler schema 8")
    assert lines[2:4] == ["time zone    Europe/Budapest", "PHP's runner not scheduled"]
    assert "pending              6                       0" in lines
    assert "due now              5                       0" in lines
    assert lines[-2:] == [
        "oldest due   2023-11-14 22:13:20 UTC, 1 d 1 h ago", "next due     2023-11-15 23:15:21 UTC",
    ]  # fmt: skip
    assert (queue.rows(), queue.rows("logs")) == before


def test_status_of_an_empty_queue(shop, site):
    """No action at all is a state like any other."""
    done = shop("status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["due"] == {"all": 0, "ours": 0}
    assert (facts["oldest_due_gmt"], facts["next_due_gmt"]) == (None, None)
    assert "oldest due" not in shop("status").stdout


def test_data_cannot_drive_the_terminal(shop, site):
    """Control characters from the database are shown as text, wherever they were hidden."""
    evil = "\x1b]0;owned\x07\x9b2J\r\x08\u202e"
    site.set_option("siteurl", "http://shop.test" + evil)
    site.set_option("timezone_string", "Europe/Budapest" + evil)
    site.set_option("schema-ActionScheduler_StoreSchema", evil + ".0.1")
    site.add("ok", at=DUE, status="odd" + "\x1b]2;\x07")
    for command in (("status",), ("status", "--json")):
        done = shop(*command)
        assert (done.returncode, done.stderr) == (0, "")
        assert not [c for c in done.stdout if not c.isprintable() and c != "\n"]
        assert "owned" in done.stdout


def test_a_reader_that_leaves_is_no_error(shop):
    """`runner status | head -1`: what is not read is not complained about."""
    process = shop.start("handlers", "--handlers", "jobs:handlers")
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_terminal_gets_a_progress_bar(shop, site):
    """On a terminal a bar counts up to what was due; --quiet and --json show none."""
    for flags in ([], ["--quiet"], ["--json"]):
        for _ in range(3):
            site.add("ok", at=DUE)
        code, shown = on_terminal(shop, *RUN, *flags)
        assert code == 0
        if flags:
            assert shown == ""
        else:
            assert "actions" in shown
            assert "3/3" in shown


@pytest.fixture
def embedded(cli):
    """The command line, pointed at the demo's SQLite file and nothing else."""
    build(cli.folder / "shop.sqlite")
    cli.environ.clear()
    cli.environ |= {
        "RUNNER_DSN": f"sqlite://{cli.folder}/shop.sqlite",
        "RUNNER_HANDLERS": "runner.demo.handlers:handlers",
    }
    return cli


def test_the_embedded_default_works_from_end_to_end(embedded):
    """A SQLite file is drained like a site: batches, retries, failures, the next occurrence."""
    before = json.loads(embedded("status", "--json").stdout)
    assert (before["due"], before["server"][:6]) == ({"all": 221, "ours": 221}, "SQLite")
    done = embedded("run", "--batch-size", "25", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["claimed"], facts["completed"], facts["retried"], facts["failed"]) == (
        221, 217, 2, 2,
    )  # fmt: skip
    after = json.loads(embedded("status", "--json").stdout)
    assert {status: count["all"] for status, count in after["statuses"].items()} == {
        "pending": 3, "in-progress": 0, "complete": 217, "failed": 2, "canceled": 0,
    }  # fmt: skip
    assert embedded("run").stdout == "nothing is due\n"


WAITING = """
import pathlib, time
from runner import Handlers

handlers = Handlers()
here = pathlib.Path(__file__).parent

@handlers.on("demo_clean_carts")
def wait():
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
"""


def test_one_run_at_a_time_on_the_embedded_default(embedded):
    """A second run on the file leaves with 75, however the file is called; --force runs beside."""
    embedded.module("jobs", WAITING)
    first = embedded.start(*RUN, "--batch-size", "1")
    try:
        until(lambda: (embedded.folder / "begun").exists() or first.poll() is not None)
        second = embedded("run")
        assert (second.returncode, second.stdout) == (75, "")
        assert second.stderr.startswith("runner: another run is at work on this site")
        forced = embedded("run", "--force", "--hooks", "demo_send_mail", "--max-jobs", "1")
        assert (forced.returncode, forced.stderr) == (0, "")
        assert embedded("run", RUNNER_DSN="sqlite:///./shop.sqlite").returncode == 75
    finally:
        (embedded.folder / "go").touch()
        _, err = first.communicate(timeout=30)
    assert (first.returncode, err) == (0, "")
    assert embedded("run", "--quiet").returncode == 0
