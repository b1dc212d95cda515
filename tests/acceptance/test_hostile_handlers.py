"""Whatever a handler does, its action is settled and the following ones run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.hostile import COMPLETE, DELETES, FAILED, FATES, HEAD, SWARM, took
from support.waiting import gone, until

from compat.site_time import sql_date

DUE = 1_700_000_000
RUN = ("run", "--handlers", "jobs:handlers")


HOSTILE = (
    HEAD
    + r"""
class Odd(BaseException):
    pass

class Unsayable(Exception):
    def __str__(self):
        raise ValueError("no text")

@handlers.on("raises_base")
def raises_base():
    raise Odd("neither Exception nor exit")

@handlers.on("interrupts")
def interrupts():
    raise KeyboardInterrupt

@handlers.on("generator_exit")
def generator_exit():
    raise GeneratorExit("odd")

@handlers.on("awaits_and_interrupts")
async def awaits_and_interrupts():
    await asyncio.sleep(0)
    raise KeyboardInterrupt("async")

@handlers.on("exits")
def exits():
    sys.exit("bye")

@handlers.on("exits_0")
def exits_0():
    sys.exit(0)

@handlers.on("dies_0")
def dies_0():
    os._exit(0)

@handlers.on("dies_3")
def dies_3():
    os._exit(3)

@handlers.on("kills_itself")
def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)

@handlers.on("loops", timeout=0.3)
def loops():
    while True:
        pass

@handlers.on("loops_in_c", timeout=0.3)
def loops_in_c():
    re.match(r"(a+)+$", "a" * 60 + "b")

@handlers.on("catches_all", timeout=0.3)
def catches_all():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@handlers.on("freezes", timeout=0.3)
def freezes():
    os.kill(os.getpid(), signal.SIGSTOP)

@handlers.on("prints")
def prints():
    print("printed")
    os.write(1, b"printed\n")
    subprocess.run(["echo", "printed"], check=True)

@handlers.on("closes_all")
def closes_all():
    os.closerange(0, 1024)

@handlers.on("recurses")
def recurses():
    recurses()

@handlers.on("is_huge")
def is_huge():
    raise ValueError("\U0001f4a5" * 1_000_000)

@handlers.on("has_a_huge_name")
def has_a_huge_name():
    raise type("E" * 1_000_000, (Exception,), {})("odd")

@handlers.on("is_odd")
def is_odd():
    raise ValueError("a\0b \U0001f389 \ud83d \x1b[31m\n\tend")

@handlers.on("is_unsayable")
def is_unsayable():
    raise Unsayable

@handlers.on("cancels_oddly")
def cancels_oddly():
    raise Cancel("\ud83d\0")

@handlers.on("changes_folder")
def changes_folder():
    (here / "left").mkdir()
    os.chdir(here / "left")
    (here / "left").rmdir()

@handlers.on("gets_long_args")
def gets_long_args(text, *, size=None):
    assert text == "ű" * 150, text
"""
)

ENDS = {
    "raises_base": ("failed", FAILED + "Odd: neither Exception nor exit"),
    "interrupts": ("failed", FAILED + "KeyboardInterrupt"),
    "generator_exit": ("failed", FAILED + "GeneratorExit: odd"),
    "awaits_and_interrupts": ("failed", FAILED + "KeyboardInterrupt: async"),
    "exits": ("failed", FAILED + "SystemExit: bye"),
    "exits_0": ("failed", FAILED + "SystemExit: 0"),
    "dies_0": ("failed", "died: exit code 0"),
    "dies_3": ("failed", "died: exit code 3"),
    "kills_itself": ("failed", "died: killed by SIGKILL"),
    "loops": ("failed", FAILED + "timed out after 0.3 seconds and was killed"),
    "loops_in_c": ("failed", FAILED + "timed out after 0.3 seconds and was killed"),
    "catches_all": ("failed", FAILED + "timed out after 0.3 seconds and was killed"),
    "freezes": ("failed", FAILED + "timed out after 0.3 seconds and was killed"),
    "prints": ("complete", COMPLETE),
    "closes_all": ("failed", FAILED + "the handler process"),
    "recurses": ("failed", FAILED + "RecursionError: "),
    "is_huge": ("failed", FAILED + "ValueError: 💥💥💥"),
    "has_a_huge_name": ("failed", FAILED + "EEEE"),
    "is_odd": ("failed", FAILED + "ValueError: a\0b 🎉 \\ud83d \x1b[31m end"),
    "is_unsayable": ("failed", FAILED + "Unsayable: (its message cannot be shown)"),
    "cancels_oddly": ("canceled", "action canceled via Python runner: \\ud83d\0"),
    "changes_folder": ("complete", COMPLETE),
    "gets_long_args": ("complete", COMPLETE),
}


def interleaved(site, hooks, args=()) -> tuple[dict[str, int], list[int]]:
    """One action of each hook, and an innocent one after each."""
    hostile, innocent = {}, []
    for number, hook in enumerate(hooks):
        hostile[hook] = site.add(hook, args, at=DUE + 2 * number)
        innocent.append(site.add("innocent", (number,), at=DUE + 2 * number + 1))
    return hostile, innocent


def all_ran(cli, site, innocent) -> None:
    """Every innocent action ran once, in its turn, and is complete."""
    calls = (cli.folder / "calls").read_text().split()
    assert calls == [str(number) for number in range(len(innocent))]
    for action in innocent:
        assert site.row(action)["status"] == "complete"
        assert site.logs(action)[1:] == ["action started via Python runner", COMPLETE]


def test_every_hostile_action_is_settled_and_the_next_one_runs(cli, site, subtests):
    """However a call ends, the log says how, the next action runs, and stdout stays the JSON's."""
    cli.module("jobs", HOSTILE)
    hostile, innocent = interleaved(site, [hook for hook in ENDS if hook != "gets_long_args"])
    hostile["gets_long_args"] = site.add("gets_long_args", ["ű" * 150], at=DUE + 9999)
    assert len(site.row(hostile["gets_long_args"])["args"]) == 32  # a hash: the args are elsewhere

    done = cli(*RUN, "--json")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["claimed"], summary["lost"]) == (len(hostile) + len(innocent), 0)
    assert done.stderr == f"[action {hostile['prints']}] printed\n" * 3
    for hook, (status, line) in ENDS.items():
        with subtests.test(hook):
            row, logs = site.row(hostile[hook]), site.logs(hostile[hook])
            assert (row["status"], row["attempts"]) == (status, "1")
            assert logs[:2] == ["action created", "action started via Python runner"]
            assert line in logs[2]
            assert len(logs) == 3
            assert len(logs[2].encode()) <= 65_535
    all_ran(cli, site, innocent)
    assert site.rows("claims") == []


FORKING = (
    HEAD
    + """
@handlers.on("forks")
def forks():
    if os.fork() == 0:
        while not (here / "next").exists():
            time.sleep(0.01)
    # and both go on

@handlers.on("fails_later")
def fails_later():
    (here / "next").touch()
    time.sleep(0.5)
    raise Fail("it ran to its end")

@handlers.on("forks_and_dies", timeout=2)
def forks_and_dies():
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)
"""
)


def test_a_forked_handler_answers_once(cli, site):
    """The copy of the handler process must not answer for the action that runs next."""
    cli.module("jobs", FORKING)
    forked = site.add("forks", at=DUE)
    following = site.add("fails_later", at=DUE + 1)
    innocent = [site.add("innocent", (n,), at=DUE + 2) for n in range(3)]
    done = cli(*RUN)
    assert done.returncode == 0, done.stderr
    assert site.logs(forked)[-1] == COMPLETE
    assert site.logs(following)[-1] == FAILED + "it ran to its end"
    all_ran(cli, site, innocent)


def test_a_death_is_noticed_though_a_fork_lives_on(cli, site):
    """What the handler process leaves behind holds its channel; its death counts all the same."""
    cli.module("jobs", FORKING)
    (action,) = interleaved(site, ["forks_and_dies"])[0].values()
    done = cli(*RUN)
    assert done.returncode == 0, done.stderr
    assert "died: exit code 3" in site.logs(action)[-1]


SILENT = (
    HEAD
    + """
@handlers.on("closes_stdout")
def closes_stdout():
    sys.stdout.close()

@handlers.on("drops_stdout")
def drops_stdout():
    sys.stdout = None
"""
)


def test_a_handler_without_stdout_still_completes(cli, site, subtests):
    """A handler that returned is complete, whatever became of its output; so are the next."""
    cli.module("jobs", SILENT)
    hostile, innocent = interleaved(site, ["closes_stdout", "drops_stdout"])
    done = cli(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    for hook, action in hostile.items():
        with subtests.test(hook):
            assert site.logs(action)[-1] == COMPLETE
    all_ran(cli, site, innocent)


WAITS = [
    "Retry('odd', after=float('nan'))", "Retry('odd', after=1e12)", "Retry('odd', after='soon')",
    "Snooze(float('nan'))", "Snooze(float('inf'))", "Snooze(1e12)", "Snooze(1e30)", "Snooze(-5)",
]  # fmt: skip


def test_odd_waits_neither_end_the_run_nor_spin(cli, site, server, subtests):
    """A wait that is no number, or beyond the calendar, is settled: later, or failed, but once."""
    text = HEAD.replace("RetryPolicy.never()", "RetryPolicy(attempts=9)")
    for number, wait in enumerate(WAITS):
        text += f"@handlers.on('odd{number}')\ndef odd{number}():\n    raise {wait}\n"
        text += f"handlers.on('innocent{number}')(innocent)\n"
    cli.module("jobs", text)
    odd = [site.add(f"odd{n}", at=DUE) for n in range(len(WAITS))]
    innocent = [site.add(f"innocent{n}", (n,), at=DUE + 1) for n in range(len(WAITS))]
    with server.frozen(DUE + 10), ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(cli, *RUN, "--force", "--max-jobs", "5", "--hooks", f"odd{n},innocent{n}")
            for n in range(len(WAITS))
        ]
    for run, wait, action, beside in zip(runs, WAITS, odd, innocent, strict=True):
        with subtests.test(wait):
            assert (run.result().returncode, run.result().stderr) == (0, "")
            row = site.row(action)
            assert row["status"] in {"pending", "failed"}
            assert row["status"] == "failed" or row["scheduled_date_gmt"] > sql_date(DUE + 10)
            assert len(site.logs(action)) == 3
            assert site.row(beside)["status"] == "complete"


def test_a_row_that_its_handler_deletes_is_counted_as_lost(cli, site):
    """Nothing is written for a row that is gone, and its neighbours never notice."""
    cli.module("jobs", HEAD + DELETES)
    hostile, innocent = interleaved(site, ["deletes_itself"], (site.table("actions"),))
    innocent.append(site.add("innocent", (1,), at=DUE + 9))
    done = cli(*RUN, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["claimed"], summary["completed"], summary["lost"]) == (3, 2, 1)
    assert site.row(hostile["deletes_itself"]) == {}
    all_ran(cli, site, innocent)
    assert site.rows("claims") == []


LEAVING = (
    HEAD
    + """
kept = []

@handlers.on("leaves_a_process")
def leaves_a_process(name, **options):
    kept.append(subprocess.Popen(["sleep", "600"], **options))
    (here / name).write_text(str(kept[-1].pid))

@handlers.on("leaves_a_daemon")
def leaves_a_daemon():
    null = subprocess.DEVNULL
    leaves_a_process("daemon", start_new_session=True, stdin=null, stdout=null, stderr=null)

@handlers.on("leaves_and_dies")
def leaves_and_dies():
    leaves_a_process("orphan")
    os._exit(1)
"""
)


def test_a_process_that_a_handler_leaves_does_not_hold_the_run(cli, site):
    """It ends with the handler process, unless it made a session of its own: that one is let be."""
    cli.module("jobs", LEAVING)
    action = site.add("leaves_a_process", ("left",), at=DUE)
    hostile, innocent = interleaved(site, ["leaves_a_daemon", "leaves_and_dies"])
    done = cli(*RUN)
    pids = {name: int((cli.folder / name).read_text()) for name in ("left", "daemon", "orphan")}
    try:
        assert done.returncode == 0, done.stderr
        until(lambda: gone(pids["left"]) and gone(pids["orphan"]))
        assert not gone(pids["daemon"])
    finally:
        os.kill(pids["daemon"], signal.SIGKILL)
    assert site.logs(action)[-1] == COMPLETE
    assert site.logs(hostile["leaves_a_daemon"])[-1] == COMPLETE
    assert "died: exit code 1" in site.logs(hostile["leaves_and_dies"])[-1]
    all_ran(cli, site, innocent)


@pytest.mark.parametrize("charset", ["utf8mb3", "latin1"])
def test_a_log_of_an_older_character_set_takes_every_error(cli, site, charset):
    """Characters that the column cannot hold become ?; the action is settled all the same."""
    site.run(f"ALTER TABLE {site.table('logs')} CONVERT TO CHARACTER SET {charset}")
    cli.module("jobs", HEAD + "\n@handlers.on('odd')\ndef odd():\n    raise Fail('é ű 🎉 end')\n")
    hostile, innocent = interleaved(site, ["odd"])
    done = cli(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    shown = "é ű ? end" if charset == "utf8mb3" else "? ? end"
    assert site.logs(hostile["odd"])[-1].startswith(FAILED)
    assert site.logs(hostile["odd"])[-1].endswith(shown)
    all_ran(cli, site, innocent)


PRINTING = (
    HEAD
    + """
print("printed while importing")

@handlers.on("prints")
def prints():
    print("printed by the handler")
"""
)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--json"),
        ("run", "--json", "--inline"),
        ("status", "--json"),
        ("handlers", "--json"),
    ],
    ids=" ".join,
)
def test_what_handlers_print_never_mixes_with_the_json(cli, site, command):
    """While importing, in a child or inline: stdout holds one JSON value and nothing else."""
    cli.module("jobs", PRINTING)
    site.add("prints", at=DUE)
    done = cli(*command, "--handlers", "jobs:handlers")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert "printed while importing" in done.stderr


LOOKING = (
    HEAD
    + """
def ports():
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:  # the one that lists
            pass
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    remote = []
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                remote.append(int(fields[2].rpartition(":")[2], 16))
    return {"pid": os.getpid(), "sockets": len(inodes), "ports": remote}

def note(facts):
    with (here / "seen").open("a") as seen:
        seen.write(json.dumps(facts) + "\\n")

@handlers.on("looks")
def looks():
    note(ports())

@handlers.on("hangs", timeout=0.3)
def hangs():
    time.sleep(600)

@handlers.on("dies")
def dies():
    os._exit(1)

@handlers.on("connects")
def connects(host, port):
    import socket
    with socket.create_connection((host, port)):
        note(ports())
"""
)


def test_the_handler_process_never_holds_the_database_connection(cli, site, server):
    """Its one socket is its channel: in the first child, and in those that replace it."""
    cli.module("jobs", LOOKING)
    hooks = ["looks", "hangs", "looks", "dies", "looks"]
    for number, hook in enumerate(hooks):
        site.add(hook, at=DUE + number)
    site.add("connects", (server.host, server.port), at=DUE + 9)
    done = cli(*RUN)
    assert done.returncode == 0, done.stderr
    *seen, control = [json.loads(line) for line in (cli.folder / "seen").read_text().splitlines()]
    assert control["ports"] == [server.port]  # such a connection would have been seen
    assert [(facts["sockets"], facts["ports"]) for facts in seen] == [(1, [])] * 3
    assert len({facts["pid"] for facts in seen}) == 3


@pytest.mark.parametrize("executor", ["processes:1", "threads:1", "inline"])
def test_what_handlers_log_goes_to_stderr_with_the_action_s_id(cli, site, executor):
    """From INFO on, quietly from WARNING on; with --debug also the traceback of a failure."""
    cli.module(
        "jobs",
        "from runner import Context, Handlers, RetryPolicy\n"
        "handlers = Handlers(retry=RetryPolicy.never())\n"
        "@handlers.on('py_log')\n"
        "def log(context: Context):\n"
        "    context.log.info('told')\n"
        "    context.log.warning('warned')\n"
        "    raise LookupError('gone')\n",
    )
    shown = {}
    for name, before, after in (
        ("plain", [], []),
        ("quiet", [], ["--quiet"]),
        ("debug", ["--debug"], []),
    ):
        site.add("py_log", at=1_700_000_000)
        done = cli(*before, "run", "--handlers", "jobs:handlers", "--executor", executor, *after)
        assert done.returncode == 0
        shown[name] = done.stderr.splitlines()
    assert shown["plain"] == [
        "[action 1] INFO runner.handler.py_log: told",
        "[action 1] WARNING runner.handler.py_log: warned",
    ]
    assert shown["quiet"] == ["[action 2] WARNING runner.handler.py_log: warned"]
    assert any(line.endswith("LookupError: gone") for line in shown["debug"])
    assert any("DEBUG runner.handler: Traceback" in line for line in shown["debug"])
    assert executor != "processes:1" or "[action 3] LookupError: gone" in shown["debug"]


def test_a_swarm_of_hostile_handlers_delays_no_neighbour(cli, site, subtests):
    """With three children: each is settled within its deadline and 5 seconds, each neighbour within
    5 seconds of its start; nothing is lost, and the runner stays small."""
    cli.module("jobs", SWARM)
    hostile, neighbours = {}, []
    for number, hook in enumerate(FATES):
        hostile[hook] = site.add(hook, at=DUE + 2 * number)
        neighbours += [site.add("neighbour", (n,), at=DUE + 2 * number + 1) for n in range(5)]
    with (cli.folder / "shown").open("wb") as shown:
        done = subprocess.run(
            cli.command(*RUN, "--json", "--executor", "processes:3"), cwd=cli.folder, env=cli.env(),
            stdout=subprocess.PIPE, stderr=shown, text=True, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert (summary["claimed"], summary["lost"]) == (len(hostile) + len(neighbours), 0)
    assert (cli.folder / "shown").stat().st_size > 100_000_000
    for hook, (deadline, fate) in FATES.items():
        with subtests.test(hook):
            last = site.logs(hostile[hook])[-1]
            assert last == COMPLETE if fate is None else re.fullmatch(FAILED + fate, last), last
            assert took(site, hostile[hook]) <= deadline + 5
    for action in neighbours:
        assert site.logs(action)[1:] == ["action started via Python runner", COMPLETE]
        assert took(site, action) <= 5
    assert site.rows("claims") == []
