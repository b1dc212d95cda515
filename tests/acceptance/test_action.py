"""`runner action …`: what is shown, what is written, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import contextmanager

import pytest
from support.engine import Engine
from support.shell import Shell, complains
from support.terminal import on_terminal

from compat import schedules
from compat.site_time import sql_date
from runner import Handlers
from runner.demo.shop import build

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
HOUR = 3600
EVIL = "\x1b]0;owned\x07\x9b2J\r\u202e"


@pytest.fixture
def shell(site, server, capsys, monkeypatch):
    """Commands in this process, at a moment that stands still."""
    with server.frozen(NOW):
        yield Shell(site, capsys, monkeypatch)


@pytest.fixture
def queue(site):
    """Something of everything; ids from 1."""
    site.add("sync", [1], at=NOW, group="shop")
    site.add("sync", [2], at=NOW - 600, group="shop")
    site.add("mail", {"to": "é漢"}, at=NOW + HOUR, schedule=schedules.interval(NOW + HOUR, HOUR))
    site.add("report", at=NOW + 60, schedule=schedules.cron(NOW, "0 6 * * 1"), group="other")
    site.add("sync", [3], at=NOW - 900, status="in-progress", claim_id=7, attempts=1,
             last_attempt_gmt=sql_date(NOW - 900))  # fmt: skip
    site.add("soon", at=NOW, schedule=schedules.asynchronous())
    site.add("sync", [4], at=NOW - 9000, status="failed", last_attempt_gmt=sql_date(NOW - 60))
    return site


@contextmanager
def unchanged(site):
    """No row of any table is written, not even to be rolled back."""

    def everything():
        counters = site.run(
            "SELECT table_name, auto_increment FROM information_schema.tables"
            f" WHERE table_schema = '{site.name}' ORDER BY 1"
        )
        return counters, [site.rows(table) for table in ("actions", "claims", "groups", "logs")]

    before = everything()
    yield
    assert everything() == before


COMMANDS = (
    "list",
    "get",
    "logs",
    "next",
    "create",
    "cancel",
    "snooze",
    "priority",
    "delete",
    "run",
)


def test_help_shows_an_example(shell, subtests):
    """The help of every command tells what it is for and gives a line to copy."""
    for words in (("action",), ("clean",), *(("action", name) for name in COMMANDS)):
        with subtests.test(words=words):
            shown = shell.out(*words, "--help")
            assert shown.startswith(f"Usage: runner {' '.join(words)}")
            assert re.search(rf"Examples?:\s+runner {' '.join(words)} ", shown)


def test_a_list_reads_well(shell, queue):
    """The earliest date first, WP-CLI's columns, dates in UTC, everything lined up."""
    assert shell.out("action", "list").splitlines() == [
        "id  hook    status       group  recurring  scheduled_date",
        " 7  sync    failed              no         2026-11-23 03:35:00",
        " 5  sync    in-progress         no         2026-11-23 05:50:00",
        " 2  sync    pending      shop   no         2026-11-23 05:55:00",
        " 1  sync    pending      shop   no         2026-11-23 06:05:00",
        " 6  soon    pending             no         2026-11-23 06:05:00",
        " 4  report  pending      other  yes        2026-11-23 06:06:00",
        " 3  mail    pending             yes        2026-11-23 07:05:00",
    ]


CHOICES = {
    "hook": (["--hook", "SYNC"], [7, 5, 2, 1]),
    "args": (["--args", ' {"to": "é漢"} '], [3]),
    "group": (["--group", "Shop"], [2, 1]),
    "no group": (["--group", ""], [7, 5, 6, 3]),
    "statuses": (["--status", "failed, in-progress"], [7, 5]),
    "claimed": (["--claimed"], [5]),
    "claimed, and a hook": (["--claimed", "--hook", "mail"], []),
    "unclaimed": (["--claimed", "no", "--hook", "sync"], [7, 2, 1]),
    "claim": (["--claimed=7"], [5]),
    "past due": (["--past-due"], [2, 1, 6]),
    "past due for long": (["--past-due", "--older-than=10m"], [2]),
    "stuck": (["--status", "in-progress", "--older-than", "900"], [5]),
    "not stuck for longer": (["--status", "in-progress", "--older-than", "901"], []),
    "date": (["--date", "2026-11-23 05:55"], [7, 5, 2]),
    "date compared": (["--date", "now", "--date_compare", ">"], [4, 3]),
    "dashes": (["--date", "now", "--date-compare", "=", "--per-page", "1"], [1]),
    "modified": (["--modified", "2 minutes ago", "--modified_compare", ">="], [7]),
    "modified, dashes": (["--modified", "now", "--modified-compare", ">"], []),
    "page": (["--per_page", "2", "--offset", "3"], [1, 6]),
    "all": (["--per_page", "0", "--orderby", "id"], [1, 2, 3, 4, 5, 6, 7]),
    "order": (["--orderby", "scheduled_date", "--order", "DESC"], [3, 4, 6, 1, 2, 5, 7]),
}  # fmt: skip


def test_options_choose_what_is_listed(shell, queue, subtests):
    """WP-CLI's options in both spellings, and those that WP-CLI lacks."""
    for name, (options, ids) in CHOICES.items():
        with subtests.test(name):
            done = shell("action", "list", "--format", "ids", *options)
            assert done.returncode == 0, done
            assert done.stdout.split() == [str(id_) for id_ in ids]
            count = shell.out("action", "list", "--format", "count", *options)
            if "--per_page" not in options and "--per-page" not in options:
                assert count == f"{len(ids)}\n"


def test_fields_and_formats(shell, queue):
    """Any field, as table, CSV or JSON, or one field alone."""
    fields = "id,args,schedule,priority,attempts,last_attempt,claim_id,log_entries"
    facts = json.loads(shell.out("action", "list", "--format", "json", "--fields", fields))
    assert facts[1] == {
        "id": 5, "args": [3], "schedule": "once", "priority": 10, "attempts": 1,
        "last_attempt": "2026-11-23 05:50:00", "claim_id": 7,
        "log_entries": ["2026-11-23 05:50:00 action created"],
    }  # fmt: skip
    assert [(fact["id"], fact["schedule"]) for fact in facts[4:]] == [
        (6, "async"), (4, "cron 0 6 * * 1"), (3, "every 1 h"),
    ]  # fmt: skip
    assert (facts[6]["args"], facts[6]["last_attempt"]) == ({"to": "é漢"}, None)
    text = shell.out("action", "list", "--format", "csv", "--fields", "id,args", "--hook", "mail")
    assert [*csv.reader(io.StringIO(text))] == [["id", "args"], ["3", '{"to": "é漢"}']]
    assert shell.out("action", "list", "--field", "hook", "--group", "shop") == "sync\nsync\n"
    assert shell.out("action", "list", "--hook", "none") == (
        "id  hook  status  group  recurring  scheduled_date\n"
    )
    assert shell.out("action", "list", "--hook", "none", "--format", "ids") == "\n"


def test_a_cut_page_says_so(shell, queue):
    """How many there are, and how to see them: on stderr, and only when there are more."""
    for style in ("table", "json", "ids"):
        done = shell("action", "list", "--per_page", "2", "--offset", "2", "--format", style)
        assert done.stderr == (
            "3 to 4 of 7 actions (--offset 4 shows the next ones, --per_page 0 all)\n"
        )
    for options in (["--per_page", "7"], ["--per_page", "2", "--offset", "5"], ["--per_page", "0"]):
        assert shell("action", "list", *options).stderr == ""


def test_a_page_is_cut_at_twenty(shell, site):
    """Unless more are asked for."""
    for number in range(21):
        site.add("sync", [number], at=NOW)
    done = shell("action", "list")
    assert len(done.stdout.splitlines()) == 1 + 20
    assert done.stderr.startswith("1 to 20 of 21 actions (")


def test_get_and_logs_tell_everything(shell, queue):
    """All facts of one action below each other, its log among them."""
    assert shell.out("action", "get", "5").splitlines() == [
        "id              5",
        "hook            sync",
        "status          in-progress",
        "group",
        "recurring       no",
        "scheduled_date  2026-11-23 05:50:00",
        "schedule        once",
        "args            [3]",
        "priority        10",
        "attempts        1",
        "last_attempt    2026-11-23 05:50:00",
        "claim_id        7",
        "log_entries     2026-11-23 05:50:00 action created",
    ]
    assert (
        json.loads(shell.out("action", "get", "3", "--format", "json"))["schedule"] == "every 1 h"
    )
    assert shell.out("action", "get", "3", "--field", "status") == "pending\n"
    assert shell.out("action", "logs", "3").splitlines() == [
        "date                 message", "2026-11-23 07:05:00  action created",
    ]  # fmt: skip
    assert shell.out("action", "logs", "3", "--field", "message") == "action created\n"


def test_what_cannot_be_read_is_shown_as_it_is(shell, queue):
    """A broken row is no crash: the raw text, and on stderr what is wrong with it."""
    queue.run(
        "UPDATE wp_actionscheduler_actions SET args = '{x', schedule = 'y' WHERE action_id = 3"
    )
    done = shell("action", "get", "3")
    assert done.returncode == 0
    assert re.search(r"^args +\{x$", done.stdout, re.MULTILINE)
    assert re.search(r"^schedule +unreadable$", done.stdout, re.MULTILINE)
    assert re.findall(r"^this action cannot be read: its (\w+)", done.stderr, re.MULTILINE) == [
        "args", "schedule",
    ]  # fmt: skip
    shown = json.loads(
        shell.out("action", "list", "--format", "json", "--fields", "id,args,recurring")
    )
    assert shown[-1] == {"id": 3, "args": "{x", "recurring": "unreadable"}


def test_data_cannot_drive_the_terminal(shell, site, subtests):
    """Control characters in hook, args, group, status and log are spelled out on every output."""
    id_ = site.add("h" + EVIL, [EVIL], at=NOW, group="g" + EVIL)
    broken = site.add("h" + EVIL, at=NOW, group="g" + EVIL, claim_id=3)
    site.run(
        "UPDATE wp_actionscheduler_actions SET args = %s, schedule = %s WHERE action_id = %s",
        (EVIL, EVIL, broken),
    )
    site.run("UPDATE wp_actionscheduler_logs SET message = %s", ("m" + EVIL,))
    fields = ["--fields", "id,hook,group,args,schedule,log_entries"]
    commands = [
        *(["list", "--format", style, *fields] for style in ("table", "csv", "json")),
        *(["list", "--field", name] for name in ("hook", "args", "group", "log_entries")),
        *(["get", str(i), "--format", style] for style in ("table", "csv", "json") for i in (id_, broken)),
        *(["logs", str(id_), "--format", style] for style in ("table", "csv", "json")),
        ["next", "x" + EVIL],
        ["run", str(broken), "--handlers", "runner.demo.handlers:handlers"],
        ["cancel", "1" + EVIL],
        ["get", EVIL],
        ["list", "--status", EVIL],
        ["create", "x", EVIL],
        ["create", EVIL, "now"],
    ]  # fmt: skip
    for words in commands:
        with subtests.test(words=words[:3]):
            done = shell("action", *words)
            shown = done.stdout + done.stderr
            assert shown
            assert [c for c in shown if not c.isprintable() and c != "\n"] == []


def test_any_text_goes_to_any_terminal(cli, site):
    """What the terminal's encoding lacks is spelled out, and a reader may leave early."""
    for _ in range(2):
        site.add("漢", at=NOW)
    done = cli("action", "list", "--field", "hook", PYTHONIOENCODING="latin1")
    assert (done.returncode, done.stdout) == (0, "\\u6f22\n" * 2), done.stderr
    for style in ("csv", "json", "table"):
        process = cli.start("action", "list", "--format", style)
        process.stdout.close()
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")


BAD = {
    "id that is no number": (["get", "x"], 2, ["'x' is no action id"]),
    "id zero": (["logs", "0"], 2, ["'0' is no action id"]),
    "id beyond the column": (["delete", "9" * 21], 2, ["is no action id"]),
    "id with other digits": (["run", "\u0661"], 2, ["is no action id"]),
    "unknown id": (["get", "99"], 1, ["there is no action 99"]),
    "unknown id's log": (["logs", "99"], 1, ["there is no action 99"]),
    "no id": (["delete"], 2, ["ID"]),
    "no such command": (["generate"], 2, ["generate", "--help"]),
    "unknown status": (["list", "--status", "pending,cancelled"], 2, ["'cancelled'", "canceled"]),
    "no status": (["list", "--status", ","], 2, ["--status"]),
    "past due and failed": (["list", "--past-due", "--status", "failed"], 2, ["--past-due"]),
    "unknown field": (["list", "--fields", "id,name"], 2, ["--fields", "'name'", "scheduled_date"]),
    "unknown field alone": (["get", "1", "--field", "name"], 2, ["--field", "'name'"]),
    "both": (["list", "--field", "id", "--fields", "id"], 2, ["--field and --fields"]),
    "unknown format": (["list", "--format", "yaml"], 2, ["--format", "json"]),
    "ids of one": (["get", "1", "--format", "ids"], 2, ["--format"]),
    "unknown order": (["list", "--orderby", "priority; DROP"], 2, ["--orderby", "modified"]),
    "unknown way": (["list", "--order", "up"], 2, ["--order"]),
    "unknown comparison": (["list", "--date", "now", "--date_compare", "~"], 2, ["--date"]),
    "page below zero": (["list", "--per_page", "-1"], 2, ["per"]),
    "offset": (["list", "--offset", "x"], 2, ["--offset"]),
    "claim": (["list", "--claimed=maybe"], 2, ["'maybe'"]),
    "date": (["list", "--date", "soon"], 2, ["--date 'soon'", "31 days ago"]),
    "modified": (["list", "--modified", "12h"], 2, ["--modified '12h'"]),
    "span": (["list", "--older-than", "long"], 2, ["--older-than 'long'", "10m"]),
    "args are no JSON": (["list", "--args", "[1"], 2, ["--args", "'[42]'"]),
    "args are a text": (["next", "sync", "--args", '"x"'], 2, ["--args"]),
    "nothing is next": (["next", "nope"], 1, ["no action of hook nope is pending"]),
    "args of a new one": (["create", "x", "now", "--args", "{x}"], 2, ["--args"]),
    "args are a number": (["create", "x", "now", "--args", "5"], 2, ["--args"]),
    "args are empty": (["create", "x", "now", "--args", ""], 2, ["--args"]),
    "args are Python's": (["create", "x", "now", "--args", "[NaN]"], 2, ["--args"]),
    "args are too long": (
        ["create", "x", "now", "--args", json.dumps(["x" * 8000])], 2, ["--args", "8004 bytes"],
    ),
    "no hook": (["create", "", "now"], 2, ["the hook has no name"]),
    "long hook": (["create", "x" * 192, "now"], 2, ["192", "191"]),
    "long group": (["create", "x", "now", "--group", "g" * 256], 2, ["256", "255"]),
    "start": (["create", "x", "soon"], 2, ["START 'soon'", "in 10m"]),
    "start is a span": (["create", "x", "10m"], 2, ["START '10m'"]),
    "start beyond the calendar": (["create", "x", "in 999999 weeks"], 2, ["START"]),
    "cron": (["create", "x", "now", "--cron", "x"], 2, ["cron", "'x'"]),
    "cron without a date": (["create", "x", "now", "--cron", "0 0 31 4 *"], 2, ["0 0 31 4 *"]),
    "negative interval": (["create", "x", "now", "--interval", "-5"], 2, ["--interval '-5'"]),
    "interval of nothing": (["create", "x", "now", "--interval", "0"], 2, ["interval"]),
    "interval is a text": (["create", "x", "now", "--interval", "often"], 2, ["--interval"]),
    "interval and cron": (
        ["create", "x", "now", "--interval", "5", "--cron", "* * * * *"], 2, ["not both"],
    ),
    "async and interval": (["create", "x", "async", "--interval", "5"], 2, ["async"]),
    "priority": (["create", "x", "now", "--priority", "256"], 2, ["--priority", "255"]),
    "nothing to cancel": (["cancel"], 2, ["ids, a hook"]),
    "cancel everything": (["cancel", "--all", "--yes"], 2, ["--group"]),
    "cancel a group": (["cancel", "--group", "shop"], 2, ["--all"]),
    "cancel two hooks": (["cancel", "sync", "mail"], 2, ["one hook"]),
    "cancel a hook and an id": (["cancel", "sync", "1"], 2, ["one hook"]),
    "cancel an id of a group": (["cancel", "1", "--group", "shop"], 2, ["ids stand alone"]),
    "cancel with bad args": (["cancel", "sync", "--args", "x"], 2, ["--args"]),
    "cancel several": (["cancel", "sync"], 2, ["2 pending actions match", "--args", "--yes"]),
    "cancel several of a group": (["cancel", "--all", "--group", "shop"], 2, ["2 pending", "--yes"]),
    "cancel an unknown id": (["cancel", "99"], 1, ["there is no action 99"]),
    "cancel what runs": (["cancel", "5"], 1, ["action 5 is in-progress"]),
    "cancel what failed": (["cancel", "7"], 1, ["action 7 is failed"]),
    "delete an unknown id": (["delete", "99"], 1, ["there is no action 99"]),
    "delete what runs": (["delete", "5"], 1, ["action 5 is in progress", "--force"]),
    "run without handlers": (["run", "1"], 78, ["--handlers"]),
    "run an unknown mode": (["run", "1", "--mode", "often"], 2, ["--mode"]),
}  # fmt: skip


def test_bad_input_is_named_and_nothing_is_written(shell, queue, subtests):
    """One line that tells what to do, the right exit code, and every table as it was."""
    for name, (words, code, parts) in BAD.items():
        with subtests.test(name), unchanged(queue):
            complains(shell("action", *words), code, *parts)


STARTS = {
    "now": NOW, "1795417500": NOW + HOUR, "2026-11-23 07:05": NOW + HOUR, "in 10m": NOW + 600,
    "2026-11-23T08:05+01:00": NOW + HOUR, "+10 minutes": NOW + 600, "1 hour ago": NOW - HOUR,
}  # fmt: skip


def test_create_writes_what_wordpress_would(shell, site, subtests):
    """The date by the database's clock, args as PHP writes them, group, priority, and the log."""
    for start, at in STARTS.items():
        with subtests.test(start):
            words = (
                "create",
                "sync",
                start,
                "--args",
                '{"a": "é/"}',
                "--group",
                "shop",
                "--priority",
                "3",
            )
            id_ = int(shell.out("action", *words, "--porcelain"))
            row = site.row(id_)
            assert (row["hook"], row["status"], row["priority"]) == ("sync", "pending", "3")
            assert row["scheduled_date_gmt"] == sql_date(at)
            assert row["args"] == r'{"a":"\u00e9\/"}'
            assert row["schedule"] == schedules.simple(at).to_bytes().decode()
            assert site.logs(id_) == ["action created"]
            assert shell.out("action", "get", str(id_), "--field", "group") == "shop\n"


def test_create_knows_async_interval_and_cron(shell, site):
    """Each kind of schedule, its first date, and the sentence."""

    def created(*words: str) -> str:
        shown = shell.out("action", "create", "sync", *words)
        id_ = re.fullmatch(r"created action (\d+)\n", shown)[1]
        return shell.out("action", "list", "--args", words[-1], "--fields", "id,schedule,scheduled_date",
                         "--format", "csv").splitlines()[1].removeprefix(f"{id_},")  # fmt: skip

    assert created("async", "--args", "[1]") == "async,2026-11-23 06:05:00"
    assert created("now", "--interval", "3600", "--args", "[2]") == "every 1 h,2026-11-23 06:05:00"
    assert (
        created("in 5m", "--interval", "2 days", "--args", "[3]") == "every 2 d,2026-11-23 06:10:00"
    )
    assert created("now", "--cron", "0 6 * * 1", "--args", "[4]") == (
        "cron 0 6 * * 1,2026-11-30 06:00:00"
    )


def test_a_duplicate_of_a_unique_action_has_no_id(shell, site):
    """Exit 0, a line on stderr, nothing on stdout, one row."""
    first = int(shell.out("action", "create", "sync", "async", "--unique", "--porcelain"))
    for flags in ([], ["--porcelain"]):
        done = shell("action", "create", "sync", "async", "--unique", *flags)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "nothing was created: an action like this is pending or running\n"
    assert (
        int(shell.out("action", "create", "sync", "async", "--args", "[1]", "--porcelain")) > first
    )
    assert len(site.rows()) == 2


def test_next_tells_the_earliest_date(shell, queue):
    """A running one comes first, then the earliest pending one; any args unless some are given."""
    assert shell.out("action", "next", "mail") == "2026-11-23 07:05:00 UTC\n"
    assert shell.out("action", "next", "mail", "--raw") == f"{NOW + HOUR}\n"
    assert shell.out("action", "next", "soon") == "async\n"
    assert shell.out("action", "next", "sync") == "in-progress\n"
    assert shell.out("action", "next", "sync", "--args", "[1]") == "2026-11-23 06:05:00 UTC\n"
    assert shell.out("action", "next", "sync", "--group", "shop") == "2026-11-23 05:55:00 UTC\n"


def canceled(site) -> set[int]:
    return {int(row["action_id"]) for row in site.rows(where="status = 'canceled'")}


def test_cancel_by_id(shell, queue):
    """What is pending is canceled with a log line; the rest is named, and the exit code tells."""
    done = shell("action", "cancel", "1", "7", "3", "99", "1")
    assert (done.returncode, done.stdout) == (1, "canceled 2 actions\n")
    assert done.stderr.splitlines() == [
        "runner: action 7 is failed: only pending actions can be canceled",
        "runner: there is no action 99",
    ]
    assert canceled(queue) == {1, 3}
    assert queue.logs(3)[0] == "action created"
    assert queue.logs(3)[1].startswith("action canceled via Python runner: by ")


def test_cancel_what_matches(shell, queue):
    """One match needs no word, several need --yes, none is nothing wrong."""
    assert shell.out("action", "cancel", "sync", "--args", "[2]") == "canceled 1 action\n"
    assert canceled(queue) == {2}
    queue.add("sync", [5], at=NOW)
    assert shell.out("action", "cancel", "SYNC", "--yes") == "canceled 2 actions\n"
    assert canceled(queue) == {1, 2, 8}
    assert shell.out("action", "cancel", "--all", "--group", "other") == "canceled 1 action\n"
    with unchanged(queue):
        assert shell.out("action", "cancel", "sync", "--yes") == "no pending action matches\n"


def test_cancel_asks_on_a_terminal(cli, queue):
    """The count is shown; no means that nothing is written."""
    with unchanged(queue):
        code, shown = on_terminal(cli, "action", "cancel", "sync", answer="n", TERM="dumb")
    assert (code, "Cancel 2 pending actions? [y/N]" in shown) == (1, True)
    code, shown = on_terminal(cli, "action", "cancel", "sync", answer="y", TERM="dumb")
    assert (code, "canceled 2 actions" in shown) == (0, True)
    assert canceled(queue) == {1, 2}


def test_delete_takes_the_log_along(shell, queue):
    """Rows of any status go; of a chain that waits it is said that it ends."""
    done = shell("action", "delete", "7", "3", "99", "5")
    assert done.returncode == 1
    assert done.stdout == (
        "deleted action 7\ndeleted action 3 (every 1 h: no further instance will follow)\n"
    )
    assert done.stderr.splitlines() == [
        "runner: there is no action 99",
        "runner: action 5 is in progress, a run may be at work on it: --force deletes it all the same",
    ]
    assert {row["action_id"] for row in queue.rows()} == {"1", "2", "4", "5", "6"}
    assert {row["action_id"] for row in queue.rows("logs")} == {"1", "2", "4", "5", "6"}
    assert shell.out("action", "delete", "5", "--force") == "deleted action 5\n"
    assert (queue.row(5), queue.logs(5)) == ({}, [])


JOBS = """
import os, signal
from runner import Fail, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(60))
ran = []
meanwhile = []

@handlers.on("meddle")
def meddle():
    for step in meanwhile:
        step()

@handlers.on("quit")
def quit():
    os.kill(os.getpid(), signal.SIGTERM)

@handlers.on("sync", "mail", "soon")
def sync(*args, **named):
    ran.append(list(args))

@handlers.on("boom")
def boom():
    raise ValueError("no")

@handlers.on("fail")
def fail():
    raise Fail("as told")
"""


@pytest.fixture
def run(shell, tmp_path, monkeypatch, request):
    """`runner action run` with handlers that note their args, called in this process."""
    name = f"jobs_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)

    def call(*words: str):
        return shell("action", "run", "--inline", "--handlers", f"{name}:handlers", *words)

    call.module = lambda: __import__(name)
    return call


def test_run_now_in_the_order_given(run, queue):
    """Due or not, the given ones alone; a recurring one that runs early repeats its date."""
    done = run("3", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == [
        "action 3 (mail) is complete", "action 1 (sync) is complete",
    ]  # fmt: skip
    assert re.fullmatch(
        r"claimed 2: completed 2 in \d+\.\d s \(nothing left\)", done.stdout.splitlines()[2]
    )
    assert [queue.row(id_)["status"] for id_ in (1, 2, 3, 6)] == [
        "complete", "pending", "complete", "pending",
    ]  # fmt: skip
    (following,) = queue.rows(where="action_id > 7")
    assert (following["hook"], following["scheduled_date_gmt"]) == ("mail", sql_date(NOW + HOUR))
    assert queue.rows("claims") == []
    assert queue.logs(3)[1:] == [
        "action started via Python runner", "action complete via Python runner",
    ]  # fmt: skip


def test_the_order_given_beats_priority_and_date(run, queue):
    """What `runner run` would take last comes first when it is named first."""
    late = queue.add("sync", ["late"], at=NOW + HOUR, priority=200)
    assert run(str(late), "1", "2", str(late)).returncode == 0
    assert run.module().ran == [["late"], [1], [2]]


def test_what_cannot_be_run_is_named_and_the_others_run(run, queue):
    """Unknown, running, claimed, and without a handler; then exit 1."""
    claimed = queue.add("sync", at=NOW, claim_id=9)
    done = run("4", "1", "99", "5", str(claimed), "7")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "action 1 (sync) is complete"
    assert done.stderr.splitlines() == [
        "runner: action 4: its hook report has no handler here",
        "runner: there is no action 99",
        "runner: action 5 is in-progress: only pending actions can be run",
        f"runner: action {claimed} is held by claim 9: a run is about to run it",
        "runner: action 7 is failed: only pending actions can be run",
    ]
    assert run.module().ran == [[1]]


def test_when_nothing_can_be_run_nothing_is_written(run, queue):
    """A look, and no more."""
    with unchanged(queue):
        complains(run("99"), 1, "there is no action 99")
        complains(run("4", "--quiet"), 1, "report has no handler")


def test_a_retried_action_runs_once(run, queue):
    """Pending again under its id, it has had its turn; its outcome is told with the reason."""
    id_ = queue.add("boom", at=NOW + HOUR)
    done = run(str(id_))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(
        rf"action {id_} \(boom\) failed and will be retried at 2026-11-23 06:06:0\d UTC: ValueError: no",
        done.stdout,
    )
    row = queue.row(id_)
    assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "1", "0")


def test_failures_and_formats(run, queue):
    """--fail-on-error gives 3, --quiet is silent, --json has the summary and what was not run."""
    ids = [str(queue.add("fail", at=NOW)) for _ in range(3)]
    done = run(ids[0], "--fail-on-error")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        3, f"action {ids[0]} (fail) failed: as told",
    )  # fmt: skip
    assert run(ids[1], "--quiet") == type(done)(0, "", "")
    done = run(ids[2], "99", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["failed"], facts["claimed"]) == (1, 1, 1)
    assert facts["not_run"] == ["there is no action 99"]


def test_an_unreadable_row_is_canceled_and_named(run, queue):
    """As `runner run` does it, but the operator asked for this one: exit 1."""
    queue.run("UPDATE wp_actionscheduler_actions SET args = '' WHERE action_id = 1")
    done = run("1", "2")
    assert done.returncode == 1
    assert done.stderr.startswith("runner: action 1 is canceled: it cannot be read: its args")
    assert [queue.row(id_)["status"] for id_ in (1, 2)] == ["canceled", "complete"]


def test_what_was_taken_meanwhile_is_named(run, queue):
    """Canceled by somebody while another action ran: it is not run, and exit 1."""
    first = str(queue.add("meddle", at=NOW))
    cancel = "UPDATE wp_actionscheduler_actions SET status = 'canceled' WHERE action_id = 1"
    run("4")  # makes the module
    run.module().meanwhile.append(lambda: queue.run(cancel))
    done = run(first, "1", "2")
    assert done.returncode == 1
    assert done.stderr == "runner: action 1 was not run: another run took it, or it was changed\n"
    assert run.module().ran == [[2]]


def test_a_signal_ends_it_after_the_current_action(run, queue):
    """What had not begun is handed back untouched and named."""
    first = str(queue.add("quit", at=NOW))
    done = run(first, "1")
    assert (done.returncode, done.stderr) == (
        1, "runner: action 1 was not run: SIGTERM came before it\n",
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == f"action {first} (quit) is complete"
    row = queue.row(1)
    assert (row["status"], row["claim_id"], row["attempts"]) == ("pending", "0", "0")


def test_older_tables_work(run, shell, queue):
    """Without the priority column and the newer indexes (schemas 3 to 6)."""
    keys = (
        "claim_id_status_priority_scheduled_date_gmt",
        "status_last_attempt_gmt",
        "status_claim_id",
    )
    for key in keys:
        queue.run(f"ALTER TABLE wp_actionscheduler_actions DROP KEY {key}")
    queue.run("ALTER TABLE wp_actionscheduler_actions DROP COLUMN priority")
    assert shell.out("action", "list", "--field", "priority", "--hook", "mail") == "10\n"
    id_ = shell.out("action", "create", "sync", "async", "--priority", "3", "--porcelain").strip()
    assert shell.out("action", "get", id_, "--field", "priority") == "10\n"
    assert run("3", id_).stdout.splitlines()[0] == "action 3 (mail) is complete"
    assert shell.out("action", "cancel", "1") == "canceled 1 action\n"
    assert shell.out("action", "delete", "2") == "deleted action 2\n"
    shown = shell.out("clean", "--all", "--before", "now", "--status", "failed,complete,canceled")
    assert shown.startswith("deleted 4 actions (failed 1, complete 2, canceled 1) in ")


def test_the_embedded_default_knows_every_command(shell, tmp_path):
    """The same commands on the demo's SQLite file."""
    build(tmp_path / "shop.sqlite", NOW)
    shell.environ.setenv("RUNNER_DSN", f"sqlite://{tmp_path}/shop.sqlite")
    shell.environ.setenv("RUNNER_HANDLERS", "runner.demo.handlers:handlers")
    assert shell.out("action", "list", "--past-due", "--format", "count") == "221\n"
    words = ("--hook", "DEMO_clean_carts", "--group", "demo", "--order", "desc", "--format", "ids")
    id_ = shell.out("action", "list", *words).strip()
    assert shell.out("action", "get", id_, "--field", "recurring") == "yes\n"
    assert shell.out("action", "run", "1", "--inline", "--quiet") == ""
    assert "action complete via Python runner" in shell.out("action", "logs", "1")
    new = shell.out("action", "create", "demo", "in 5m", "--unique", "--porcelain").strip()
    assert shell("action", "create", "demo", "now", "--unique").stdout == ""
    assert shell.out("action", "next", "demo").endswith(" UTC\n")
    assert shell.out("action", "cancel", new) == "canceled 1 action\n"
    assert shell.out("action", "delete", new) == f"deleted action {new}\n"
    assert shell.out("clean", "--before", "now").startswith("deleted 1 action (complete 1) in ")


def test_run_refuses_where_php_may_be_alive(run, shell, queue):
    """The same safety check as `runner run`."""
    queue.set_option("cron", 'a:1:{i:1;a:1:{s:26:"action_scheduler_run_queue";a:0:{}}}')
    shell.environ.delenv("RUNNER_MODE")
    with unchanged(queue):
        complains(run("1"), 1, "PHP's own queue runner", "--mode native")
    assert run("1", "--mode", "native").returncode == 0


def test_run_uses_a_child_and_runs_beside_another_run(cli, queue, server, clock):
    """The lock of a run that is at work is not wanted, and handlers get a process of their own."""
    cli.module("jobs", "import os\nfrom runner import Handlers, Fail\nhandlers = Handlers()\n"
                       "@handlers.on('sync')\ndef sync(n):\n    raise Fail(str(os.getppid()))\n")  # fmt: skip
    other = server.admin(queue.name)
    lock = Engine(queue, Handlers(), clock).app._lock_name(())
    with other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock,))
        assert cli("run", "--handlers", "jobs:handlers").returncode == 75
        process = cli.start("action", "run", "1", "--handlers", "jobs:handlers")
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[0] == f"action 1 (sync) failed: {process.pid}"
