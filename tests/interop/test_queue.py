"""500 mixed actions that PHP enqueued, run by Python under fire and then by PHP."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime
from itertools import cycle, islice

import pytest
from interop.wordpress import GROUP, Enqueued, until

from compat.site_time import epoch_of, sql_date

DAY = 86_400
KINDS = ("async", "single", "recurring", "cron")
HOOKS = tuple(f"{side}_interop_{kind}" for side in ("py", "php") for kind in KINDS)
GROUPS = ("", f"{GROUP}plain", f"{GROUP}Gruppe-ü", f"{GROUP}mail queue")
PRIORITIES = (10, 0, 5, 20, 255)
PAYLOADS = (
    [],
    ["Grüße aus Köln, ő ű 😀", 'it\'s "quoted" \\ back/slash'],
    {"order_id": 17, "deep": {"list": [1, 2.5, None, True, False], "a": {"b": ["ß", {"c": ""}]}}},
    [{"nested": {"x": {"y": "é"}}}, "", "0", 0, -1, [], 9007199254740993],
    {"long": "ü" * 120 + '"end"'},
    ["<b>html</b> & 'amp'", "line1\nline2\ttab \x7f", "%s %d", "50%"],
    {"5": "five", "9": "nine", "": "empty key", "x y": None},
    ["x" * 7000],
)
SCHEDULES = {
    "async": "ActionScheduler_NullSchedule",
    "single": "ActionScheduler_SimpleSchedule",
    "recurring": "ActionScheduler_IntervalSchedule",
    "cron": "ActionScheduler_CronSchedule",
}

JOBS = """
import itertools, json, os, time
from pathlib import Path
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(1, attempts=3))
calls = itertools.count(1)
name, other, hold = (os.environ.get(key, "") for key in ("NAME", "OTHER", "HOLD"))

def wait_for(file):
    while not Path(file).exists():
        time.sleep(0.01)

@handlers.on(*{hooks!r})
def record(context: Context, *args):
    with open("calls.jsonl", "a") as record:
        record.write(json.dumps([context.action_id, context.hook, args, name]) + "\\n")
    number = next(calls)
    if number == 1 and other:
        Path(name).touch()
        wait_for(other)
    if str(number) == hold:
        Path("held").touch()
        wait_for("never")
"""


def mixed(count: int, now: int) -> list[Enqueued]:
    """Every kind, payload, group and priority for both sides; one in ten is not due yet."""
    month = (datetime.fromtimestamp(now, UTC).month + 5) % 12 + 1  # half a year from now
    crons = cycle((f"30 3 15 {month} *", f"*/20 1-5 10-20 {month} 1-5", f"0 0 L {month} *"))
    actions = []
    for i, hook in enumerate(islice(cycle(HOOKS), count)):
        kind = hook.rsplit("_", 1)[1]
        args = PAYLOADS[i // 8 % len(PAYLOADS)]
        if kind in {"recurring", "cron"}:  # their next rows must be told apart
            args = [i, *args] if isinstance(args, list) else {"n": i} | args
        due = i // 8 % 10 != 9
        when = now - 60 - i if due else now + 7 * DAY + i
        recurrence = {"recurring": 3 * DAY + i, "cron": next(crons)}.get(kind)
        if kind == "cron" and due:
            when = now - 400 * DAY
        actions.append(
            Enqueued(
                kind, hook, args, when, recurrence, GROUPS[i % 3 + i // 8 % 2], PRIORITIES[i % 5]
            )
        )
    return actions


def values(args: list | dict) -> str:
    """What a callback is given, in a form that tells 1 from true."""
    return json.dumps(args if isinstance(args, list) else list(args.values()))


def recorded(folder) -> list[list]:
    file = folder / "calls.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Queue:
    """What was enqueued, and how the rows were before anybody ran."""

    def __init__(self, site) -> None:
        self.site = site
        self.actions = mixed(500, site.now())
        self.ids = site.enqueue(self.actions)
        self.by_id = dict(zip(self.ids, self.actions, strict=True))
        self.before = site.rows()
        self.log_before = site.rows("1", "logs")
        now = site.now()
        self.due = {
            i for i, row in self.before.items() if epoch_of(row["scheduled_date_gmt"]) <= now
        }

    def of(self, side: str, ids) -> set[int]:
        return {i for i in ids if self.by_id[i].hook.startswith(f"{side}_")}

    def rows(self, ids) -> dict[int, dict]:
        rows = self.site.rows()
        return {i: rows[i] for i in ids}

    def successors(self, ids) -> dict[int, int]:
        """The one row that follows each recurring action of these."""
        new = {i: row for i, row in self.site.rows().items() if i not in self.by_id}
        same = ("hook", "args", "extended_args", "group_id", "priority")
        found = {}
        for i in ids:
            if self.by_id[i].kind in {"recurring", "cron"}:
                mine = {key: self.before[i][key] for key in same}
                [found[i]] = [
                    n for n, row in new.items() if {key: row[key] for key in same} == mine
                ]
        return found

    def check_untouched(self, ids) -> None:
        """Rows and log lines of these are as they were, to the byte."""
        assert self.rows(ids) == {i: self.before[i] for i in ids}
        logs = self.site.rows("1", "logs").items()
        assert {key: row for key, row in logs if int(row["action_id"]) in ids} == {
            key: row for key, row in self.log_before.items() if int(row["action_id"]) in ids
        }

    def check_read_by_php(self) -> None:
        """PHP's store reads every row, old and new, with all that was put into it."""
        rows = self.site.rows()
        came_from = {n: i for i, n in self.successors(self.due).items()}
        for i, told in zip(rows, self.site.php("read", ids=[*rows]), strict=True):
            action = self.by_id[came_from.get(i, i)]
            finished = rows[i]["status"] != "pending"
            assert told == {
                "class": "ActionScheduler_FinishedAction" if finished else "ActionScheduler_Action",
                "hook": action.hook,
                "args": told["args"],
                "group": action.group,
                "priority": action.priority,
                "status": rows[i]["status"],
                "schedule": told["schedule"],
                "date": told["date"],
                "same": True,
            }, told
            assert values(told["args"]) == values(action.args)
            allowed = {SCHEDULES[action.kind]}
            if action.kind == "async" and rows[i]["attempts"] == "2":
                allowed = {SCHEDULES["single"]}  # tried again: the retry has a date
            assert told["schedule"] in allowed
            if told["date"] is not None:
                assert told["date"] == epoch_of(rows[i]["scheduled_date_gmt"])

    def check_successors(self, ids) -> None:
        """Each next row is what PHP makes of the old row, given when its run ended."""
        rows, following = self.site.rows(), self.successors(ids)
        ended = {i: epoch_of(rows[i]["last_attempt_gmt"]) for i in following}
        for late in (0, 1, 2):
            after = {i: sql_date(at + late) + ".5" for i, at in ended.items()}
            told = self.site.php("read", ids=[*following], after=after)
            for i, answer in zip([*following], told, strict=True):
                row = rows[following[i]]
                if base64.b64decode(answer["next_bytes"]) != row["schedule"].encode():
                    continue
                assert epoch_of(row["scheduled_date_gmt"]) == answer["next"]
                assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "0", "0")
                assert self.site.logs(following[i]) == ["action created"]
                del ended[i]
            following = {i: following[i] for i in ended}
        assert not following, f"not the next rows that PHP gives: {following}"


@pytest.fixture
def queue(site, cli):
    made = Queue(site)
    assert 0 not in made.ids
    assert (len(made.of("py", made.ids)), len(made.of("php", made.ids))) == (252, 248)
    cli.module("jobs", JOBS.format(hooks=[hook for hook in HOOKS if hook.startswith("py_")]))
    return made


def run(cli, *arguments: str, **environ: str):
    done = cli("run", "--handlers", "jobs:handlers", "--mode", "native", *arguments, **environ)
    assert done.returncode == 0, done.stderr


def work_under_fire(cli) -> None:
    """Two runs at once; one of them is killed in the middle of its 30th call."""
    command = ("run", "--handlers", "jobs:handlers", "--mode", "native", "--force", "--quiet")
    first = cli.start(*command, NAME="first", OTHER="second", HOLD="30")
    second = cli.start(*command, NAME="second", OTHER="first")
    until("the first run to be held", (cli.folder / "held").exists)
    first.kill()
    first.communicate()
    _, complaints = second.communicate(timeout=60)
    assert second.returncode == 0, complaints


def take_back(cli, site, left: dict[int, dict]) -> None:
    """A run after the expiry, and one more when the retry is due."""
    newest = max(epoch_of(row["last_attempt_gmt"]) for row in left.values())
    until("the expiry", lambda: site.now() > newest)
    run(cli, RUNNER_EXPIRY="1")
    waiting = [
        row for row in site.rows().values() if row["status"] == "pending" and row["attempts"] == "1"
    ]
    assert len(waiting) <= 1
    for row in waiting:
        at = epoch_of(row["scheduled_date_gmt"])
        until("the retry to be due", lambda at=at: site.now() >= at)
        run(cli)


def check_calls(queue: Queue, calls: list, expected: Counter) -> None:
    """Each was called as often as expected, with the args that were enqueued."""
    assert Counter(i for i, *_ in calls) == expected
    for i, hook, args, *_ in calls:
        assert (hook, json.dumps(args)) == (queue.by_id[i].hook, values(queue.by_id[i].args))


def check_story(lines: list[str], *, killed: bool, handed_back: bool) -> None:
    """An action's log: what was lost on the way says why."""
    started = "action started via Python runner"
    assert lines[0] == "action created"
    assert lines[-2:] == [started, "action complete via Python runner"]
    between = lines[1:-2]
    if killed:
        begun, why = between
        assert begun == started
        assert "will be retried" in why
        assert "its worker died: nothing was heard of it for 1 second" in why
    else:
        assert between == (["action reset"] if handed_back else [])


def test_python_runs_its_hooks_of_a_mixed_queue_and_php_the_rest(queue, site, cli):
    """Two Python runs and a SIGKILL: each action of ours completes with the right args, called
    once but for the one that was killed; PHP's rows stay as they were, to the byte. PHP then runs
    its own, and reads every row and every next instance as its own."""
    ours, theirs = queue.of("py", queue.due), queue.of("php", queue.due)

    work_under_fire(cli)
    left = {i: row for i, row in queue.rows(ours).items() if row["status"] != "complete"}
    [killed] = [i for i, row in left.items() if row["status"] == "in-progress"]
    assert len({row["claim_id"] for row in left.values()}) == 1
    take_back(cli, site, left)

    calls = recorded(cli.folder)
    assert {name for *_, name in calls} == {"first", "second", ""}
    check_calls(queue, calls, Counter([*ours, killed]))
    for i, row in queue.rows(ours).items():
        assert (row["status"], row["attempts"]) == ("complete", "2" if i == killed else "1")
        check_story(site.logs(i), killed=i == killed, handed_back=i in left)
    queue.check_successors(ours)
    queue.check_untouched(set(queue.ids) - ours)

    by_php = site.php("run_queue", hooks=[hook for hook in HOOKS if hook.startswith("php_")])

    check_calls(queue, by_php["calls"], Counter(theirs))
    assert {row["status"] for row in queue.rows(theirs).values()} == {"complete"}
    queue.check_successors(theirs)
    queue.check_untouched(set(queue.ids) - ours - theirs)
    queue.check_read_by_php()
    followed = queue.successors(ours | theirs)
    assert site.rows().keys() == {*queue.ids, *followed.values()}
