"""The daemon, run as a user runs it."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support import server as servers
from support.browser import free_port
from support.site import PHP_CRON, SiteDatabase
from support.waiting import gone, until

DUE = 1_700_000_000
WORK = ("work", "--handlers", "jobs:handlers")

JOBS = """
import os, pathlib, time
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.never(), timeout=50)
here = pathlib.Path(__file__).parent

@handlers.on("quick")
def quick(number=0):
    pass

@handlers.on("gated", queue="slow")
def gated(number=0):
    (here / f"pid{number}").write_text(str(os.getpid()))
    (here / f"pid{number}").rename(here / f"begun{number}")
    while not (here / "go").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def daemon(cli, site):
    """Starts `runner work`; kills what is left of it."""
    processes = []
    site.migrate()
    cli.module("jobs", JOBS)

    def start(*arguments: str, **environ: str):
        process = cli.start(*WORK, "--sleep", "0.05", *arguments, **environ)
        processes.append(process)
        return process

    yield start
    (cli.folder / "go").touch()
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def ended(process, timeout: float = 30) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def test_what_becomes_due_is_picked_up_until_a_signal_ends_it(daemon, site):
    """Actions that were there and actions that come later run; SIGTERM is a clean end."""
    first = site.add("quick", [1], at=DUE)
    process = daemon()
    until(lambda: site.row(first)["status"] == "complete")
    later = site.add("quick", [2], at=DUE)
    until(lambda: site.row(later)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [f"action {i} (quick) is complete" for i in (first, later)]
    assert out.splitlines()[2].startswith("claimed 2: completed 2 in ")
    assert "signal SIGTERM" in out
    assert site.rows("claims") == []


def test_a_worker_that_seldom_looks_is_seen_often(daemon, site):
    """Looks five minutes apart are a wish to spare the database, no sign of a dead worker."""
    done = site.add("quick", [1], at=DUE)
    daemon("--sleep", "300", RUNNER_HEARTBEAT="1")
    until(lambda: site.row(done)["status"] == "complete")
    for _ in range(2):
        site.run("UPDATE wp_runner_workers SET seen_at = '2020-01-01 00:00:00'")
        until(lambda: "2020" not in str(site.own("workers")[0]["seen_at"]))


def test_probes_and_metrics_of_the_daemon(daemon, cli, site):
    """It answers while it works, to GET and HEAD alone; the address is free afterwards."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def ask(path: str, **request):
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, **request), timeout=5) as answer:  # fmt: skip
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    process = daemon("--listen", f"127.0.0.1:{port}")
    until(lambda: ask("/livez")[0])
    until(lambda: site.own("workers"))
    assert [ask(path) for path in ("/livez", "/readyz")] == [(200, '{"ok": true}')] * 2
    status, text = ask("/metrics")
    assert status == 200
    assert "runner_database_up 1.0" in text
    assert "runner_workers 1.0" in text
    assert ask("/metrics", method="HEAD") == (200, "")
    assert [ask(path)[0] for path in ("/", "/etc/passwd", "/../livez")] == [404] * 3
    assert ask("/livez", data=b"x")[0] == 501
    again = cli("work", "--handlers", "jobs:handlers", "--listen", f"127.0.0.1:{port}")
    assert (again.returncode, again.stderr) == (78, f"runner: --listen 127.0.0.1:{port}: Address already in use\n")  # fmt: skip
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    socket.create_server(("127.0.0.1", port)).close()


def test_a_queue_of_its_own_is_not_held_up(daemon, cli, site):
    """All children of one queue are busy, the other queue works on; a signal waits for both."""
    slow = [site.add("gated", [n], at=DUE) for n in range(2)]
    process = daemon("--queues", "slow:2,*:1")
    until(lambda: all((cli.folder / f"begun{n}").exists() for n in range(2)))
    quick = [site.add("quick", [n], at=DUE) for n in range(5)]
    until(lambda: all(site.row(i)["status"] == "complete" for i in quick))
    assert {site.row(i)["status"] for i in slow} == {"in-progress"}
    process.send_signal(signal.SIGTERM)
    (cli.folder / "go").touch()
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert "completed 7" in out
    assert site.statuses() == {"complete": 7}


def test_a_second_signal_hands_back_at_once(daemon, cli, site):
    """The running handler is killed and judged like a crash; the code says that work was cut."""
    action = site.add("gated", [0], at=DUE)
    process = daemon()
    until((cli.folder / "begun0").exists)
    child = int((cli.folder / "begun0").read_text())
    process.send_signal(signal.SIGTERM)
    until(lambda: not int(status(process.pid)["ShdPnd"], 16))
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert (code, err) == (128 + signal.SIGTERM, "")
    assert "told to stop at once" in site.logs(action)[-1]
    assert gone(child)
    assert site.rows("claims") == []


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_grace_ends_what_does_not_end(daemon, cli, site):
    """After a signal the daemon waits so long, then kills and judges."""
    cli.module("jobs", JOBS.replace("timeout=50", "timeout=0.9"))
    action = site.add("gated", [0], at=DUE)
    process = daemon("--grace", "1")
    until((cli.folder / "begun0").exists)
    process.send_signal(signal.SIGTERM)
    code, _, _ = ended(process)
    assert code == 0  # the handler's own limit came first: nothing was cut short
    assert "timed out after 0.9 seconds" in site.logs(action)[-1]


def test_limits_end_it(daemon, site):
    """--max-jobs and --time-limit are clean ends."""
    for number in range(3):
        site.add("quick", [number], at=DUE)
    code, out, _ = ended(daemon("--max-jobs", "2"))
    assert (code, "max jobs" in out, site.statuses()) == (0, True, {"complete": 2, "pending": 1})
    code, out, _ = ended(daemon("--max-seconds", "0.2"))
    assert (code, "time limit" in out) == (0, True)


def test_an_outage_is_waited_for_and_told_once(daemon, cli, site):
    """Every connection is killed while a handler runs: its result is recorded, work goes on, and
    the log has one line for the outage and one for its end."""
    action = site.add("gated", [0], at=DUE)
    process = daemon("--queues", "slow:1,*:1")
    until((cli.folder / "begun0").exists)
    rows = site.run("SELECT id FROM information_schema.processlist WHERE user = 'runner_test'")
    for (thread,) in rows:
        site.server.execute(f"KILL {thread}")
    (cli.folder / "go").touch()
    until(lambda: site.row(action)["status"] == "complete")
    later = site.add("quick", [1], at=DUE)
    until(lambda: site.row(later)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert code == 0
    lines = err.splitlines()
    assert 2 <= len(lines) <= 4
    assert lines[0].startswith("runner: the database is lost and waited for: database ")
    assert lines[-1].startswith("runner: the database is back after ")
    assert len(site.logs(action)) == 3


def test_a_database_that_was_never_there_is_not_waited_for(daemon):
    """Whoever starts services decides about that: systemd, say, tries again."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    process = daemon(RUNNER_DSN=f"mysql://u@127.0.0.1:{port}/d")
    code, _, err = ended(process)
    assert (code, "cannot reach" in err) == (1, True)


def test_a_queue_s_weight_is_its_children_s_priority(daemon, cli, site):
    """The heaviest queue's children are as they would be; others stand back, those that replace
    them as well, and what they start too."""
    cli.module("jobs", JOBS + TELLS)
    actions = [site.add(hook, at=DUE) for hook in ("light", "heavy", "light")]
    process = daemon("--queues", "light:1,*:1:4", "--recycle-after", "1")
    until(lambda: site.statuses() == {"complete": len(actions)})
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    told = [line.split() for line in (cli.folder / "told").read_text().splitlines()]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert sorted((hook, int(nice) - own) for hook, nice, _ in told) == [
        ("heavy", 0), ("light", 6), ("light", 6),
    ]  # fmt: skip
    if Path("/proc/self/autogroup").exists():
        assert {(hook, group) for hook, _, group in told} == {("heavy", "0"), ("light", "6")}


TELLS = """
def group():
    file = pathlib.Path("/proc/self/autogroup")
    return file.read_text().split()[-1] if file.exists() else "-"

@handlers.on("light", group="light")
@handlers.on("heavy", group="of no queue")
def tells(context: Context):
    with open(here / "told", "a") as told:
        told.write(f"{context.hook} {os.getpriority(os.PRIO_PROCESS, 0)} {group()}\\n")
"""


def test_systemd_hears_of_it(daemon, tmp_path):
    """READY once it works, signs of life as often as wanted, and the last word before the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        process = daemon(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        heard = [channel.recv(100).decode()]
        while heard.count("WATCHDOG=1") < 3:
            heard.append(channel.recv(100).decode())
        process.send_signal(signal.SIGTERM)
        while heard[-1] != "STOPPING=1":
            heard.append(channel.recv(100).decode())
        assert ended(process)[0] == 0
    assert heard[0] == "READY=1"


def test_sighup_has_children_load_changed_code(daemon, cli, site):
    """After a reload the next action is run by what the handlers' module says now."""
    process = daemon()
    first = site.add("quick", [1], at=DUE)
    until(lambda: site.row(first)["status"] == "complete")
    changed = "def quick(number=0):\n    raise RuntimeError('changed code')"
    cli.module("jobs", JOBS.replace("def quick(number=0):\n    pass", changed))
    process.send_signal(signal.SIGHUP)
    until(lambda: not int(status(process.pid)["ShdPnd"], 16))
    second = site.add("quick", [2], at=DUE)
    until(lambda: site.row(second)["status"] == "failed")
    assert "changed code" in site.logs(second)[-1]
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


def test_a_canceled_action_can_know_it(daemon, cli, site):
    """An administrator cancels a running action in WordPress: its handler may ask, and end."""
    cli.module(
        "jobs",
        """
import pathlib, time
from runner import Context, Handlers

handlers = Handlers(timeout=50)
here = pathlib.Path(__file__).parent

@handlers.on("long")
def long(context: Context):
    (here / "begun").touch()
    while not context.cancelled:
        time.sleep(0.01)
    (here / "knows").touch()
""",
    )
    action = site.add("long", at=DUE)
    process = daemon("--expiry", "1")
    until((cli.folder / "begun").exists)
    site.run(
        "UPDATE wp_actionscheduler_actions SET status = 'canceled' WHERE action_id = %s", (action,)
    )
    until((cli.folder / "knows").exists)
    process.send_signal(signal.SIGTERM)
    code, out, _ = ended(process)
    assert (code, "lost 1" in out, site.row(action)["status"]) == (0, True, "canceled")
    assert f"action {action} (long) was lost: another runner took it" in out


@pytest.mark.parametrize("executor", ["threads:2", "inline"])
def test_other_executors(daemon, site, executor):
    """Handlers may run in threads, or in the daemon itself."""
    process = daemon("--executor", executor)
    actions = [site.add("quick", [n], at=DUE) for n in range(5)]
    until(lambda: site.statuses() == {"complete": len(actions)})
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


CRASHING = """
@handlers.on("crash")
def crash(number=0):
    (here / "crashing").touch()
    while not (here / "crash").exists():
        time.sleep(0.01)
    os._exit(3)
"""


def test_half_a_deploy_stops_nobody(daemon, cli, site):
    """A child dies while its module is broken: the others work on, somebody is told, and a child
    of the mended module takes its place."""
    cli.module("jobs", JOBS + CRASHING)
    process = daemon("--queues", "*:2")
    crash, slow = site.add("crash", at=DUE), site.add("gated", [0], at=DUE)
    until(lambda: (cli.folder / "begun0").exists() and (cli.folder / "crashing").exists())
    cli.module("jobs", "raise ValueError('half a deploy')")
    (cli.folder / "crash").touch()
    until(lambda: site.row(crash)["status"] == "failed")
    assert site.row(slow)["status"] == "in-progress"
    told = process.stderr.readline()
    assert told.startswith("runner: queue *: cannot import handlers from jobs: ValueError: half a")
    assert told.endswith("tried again in 5 s\n")
    cli.module("jobs", JOBS)
    quick = site.add("quick", [1], at=DUE)
    until(lambda: site.row(quick)["status"] == "complete")  # in the place of the dead one
    assert site.row(slow)["status"] == "in-progress"
    process.send_signal(signal.SIGTERM)
    (cli.folder / "go").touch()
    assert ended(process)[0] == 0
    assert site.row(slow)["status"] == "complete"


def test_nobody_reads_what_it_says(daemon, cli, site):
    """A log that is closed or full is no reason to stop working."""
    process = daemon()
    process.stdout.close()
    actions = [site.add("quick", [n], at=DUE) for n in range(3)]
    until(lambda: site.statuses() == {"complete": len(actions)})
    later = site.add("quick", [9], at=DUE)
    until(lambda: site.row(later)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stdout = None


def test_queues_share_max_jobs(daemon, cli, site):
    """However many places begin at the same time."""
    (cli.folder / "go").touch()
    for number in range(8):
        site.add("gated" if number % 2 else "quick", [number], at=DUE)
    code, out, _ = ended(daemon("--queues", "slow:4,*:4", "--max-jobs", "4"))
    assert (code, "max jobs" in out) == (0, True)
    assert site.statuses() == {"complete": 4, "pending": 4}


def test_settings_for_cron_do_not_end_it(daemon, cli, site):
    """One file of settings serves both: a daemon has no batches, and only the hooks asked for."""
    (cli.folder / "go").touch()
    other = site.add("gated", [0], at=DUE)
    process = daemon("--sleep", "0", RUNNER_BATCHES="1", RUNNER_HOOKS="quick")
    for number in range(2):
        action = site.add("quick", [number], at=DUE)
        until(lambda: site.row(action)["status"] == "complete")  # noqa: B023  awaited here
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    assert site.row(other)["status"] == "pending"


def test_a_policy_that_exits_ends_nothing(daemon, cli, site):
    """A retry policy of the site's own is code like any other."""
    exits = "import sys\nhandlers.on('bad', classify=lambda error: sys.exit(3))(quick_fails)\n"
    fails = "\ndef quick_fails(number=0):\n    raise ValueError\n"
    cli.module("jobs", JOBS + fails + exits)
    process = daemon()
    bad = site.add("bad", at=DUE)
    until(lambda: site.row(bad)["status"] in {"failed", "complete"})
    quick = site.add("quick", [1], at=DUE)
    until(lambda: site.row(quick)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    assert (ended(process)[0], site.row(bad)["status"]) == (0, "failed")


def test_a_long_outage_is_survived(daemon, cli, mortal):
    """Longer than claims live, with a handler at work: its time limit is kept meanwhile, it is
    never run beside itself, and its result is recorded when the database is back."""
    runs = 'open(here / "runs", "a").write("x")\n    (here / f"pid{number}").write_text'
    jobs = JOBS.replace('(here / f"pid{number}").write_text', runs)
    cli.module("jobs", jobs.replace('queue="slow")', 'queue="slow", timeout=3)'))
    action, other = mortal.add("gated", [0], at=DUE), mortal.add("gated", [1], at=DUE)
    process = daemon("--queues", "*:3", "--expiry", "4", RUNNER_DSN=mortal.url)
    until(lambda: all((cli.folder / f"begun{n}").exists() for n in range(2)))
    children = [int((cli.folder / f"begun{n}").read_text()) for n in range(2)]
    down = time.monotonic()
    mortal.server.kill()
    until(lambda: all(gone(child) for child in children))  # over their limit, nobody to tell
    until(lambda: time.monotonic() - down > 6)  # longer than a claim lives, and than one try
    assert process.poll() is None
    mortal.server.restart()
    mortal.reconnect()
    until(lambda: {mortal.row(i)["status"] for i in (action, other)} == {"failed"})
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert (code, (cli.folder / "runs").read_text()) == (0, "xx")
    assert ["lost" in line for line in err.splitlines()].count(True) >= 1
    for i in (action, other):
        assert len([line for line in mortal.logs(i) if "timed out" in line]) == 1


WRONG = {
    "queue string": (("--queues", "mail"), 2, ["--queues is 'mail'", "payments:4:3,mail:1,*:2"]),
    "empty": (("--queues", ""), 2, ["payments:4:3,mail:1,*:2"]),
    "colon in a name": (("--queues", "pay:ments:4:3"), 2, ["no colon in a name"]),
    "too much": (("--queues", "mail:1:2:3"), 2, ["name:children:weight"]),
    "no number": (("--queues", "mail:1:heavy"), 2, ["name:children:weight"]),
    "minus": (("--queues", "mail:-1"), 2, ["name:children:weight"]),
    "weight 0": (("--queues", "*:1:0"), 2, ["a weight of 1 to 100 for queue *"]),
    "weight 101": (("--queues", "*:1:101"), 2, ["a weight of 1 to 100 for queue *"]),
    "weight of threads": (
        ("--queues", "*:1:2", "--executor", "threads:1"),
        78,
        ["queue *:1:2 has a weight", "the executor is threads: leave"],
    ),
    "weight of one place": (
        ("--queues", "*:1:2", "--executor", "inline"),
        78,
        ["queue *:1:2 has a weight", "the executor is inline: leave"],
    ),
    "executor": (
        ("--executor", "processes"),
        2,
        ["--executor is 'processes'", "processes:N or threads:N"],
    ),
    "executor without children": (("--executor", "processes:0"), 2, ["N from 1 to 100"]),
    "no children": (("--queues", "*:0"), 2, ["--queues", "1 to 256 children"]),
    "twice": (("--queues", "*:1,*:2"), 2, ["queue * once"]),
    "unknown queue": (("--queues", "mail:1,*:1"), 78, ["no handler is in queue mail", "slow"]),
    "nobody works the rest": (("--queues", "slow:1"), 78, ["no queue works quick", "*:1"]),
    "short grace": (("--grace", "10"), 78, ["--grace 10", "50 s", "quick"]),
    "no handlers": (("--handlers", "nothing:h"), 1, ["nothing"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input(daemon, name):
    """One line that says what to do, before anything is done."""
    arguments, code, words = WRONG[name]
    found, out, err = ended(daemon(*arguments))
    assert (found, out, err.count("\n")) == (code, "", 1)
    for word in words:
        assert word in err


def test_it_refuses_beside_a_php_runner(daemon, site):
    """As `runner run` does."""
    site.set_option("cron", PHP_CRON)
    code, _, err = ended(daemon(RUNNER_MODE="auto"))
    assert (code, "PHP's own queue runner may be alive" in err) == (1, True)


@pytest.fixture
def mortal(tmp_path):
    """A site on a server of its own, which may be killed."""
    program = servers._program()
    if program is None:
        pytest.fail("needs a mariadbd or mysqld of this machine: apt-get install mariadb-server")
    server = servers.local(program)
    server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")  # what it said survives
    site = SiteDatabase.create(server)
    site.migrate()
    yield site
    server.stop()


def test_a_server_that_dies_is_waited_for_until_a_signal(daemon, mortal):
    """Killed and started again, the server finds the daemon at work; killed once more, it does not
    keep the daemon from ending."""
    process = daemon(RUNNER_DSN=mortal.url)
    first = mortal.add("quick", [1], at=DUE)
    until(lambda: mortal.row(first)["status"] == "complete")
    mortal.server.kill()
    assert "lost and waited for" in process.stderr.readline()
    mortal.server.restart()
    assert "the database is back after" in process.stderr.readline()
    mortal.reconnect()
    second = mortal.add("quick", [2], at=DUE)
    until(lambda: mortal.row(second)["status"] == "complete")
    mortal.server.kill()
    assert "lost and waited for" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


LATE = """
import os, pathlib, time
from runner import Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.never())
here = pathlib.Path(__file__).parent

@handlers.on("gated")
def gated():
    while not (here / "go").exists():
        time.sleep(0.01)

@handlers.on("late", timeout=2)
def late():
    (here / "part").write_text(str(os.getpid()))
    (here / "part").rename(here / "late")
    while True:
        time.sleep(1)
"""


def test_time_limits_are_kept_while_a_result_waits_for_the_database(daemon, cli, mortal):
    """The server is gone, one action's result waits for it: its neighbour is killed when its time
    is over, and both are recorded when the server is back."""
    cli.module("jobs", LATE)
    gated, late = (mortal.add(hook, at=DUE) for hook in ("gated", "late"))
    process = daemon("--executor", "processes:2", RUNNER_DSN=mortal.url)
    until((cli.folder / "late").exists)
    mortal.server.kill()
    (cli.folder / "go").touch()
    assert "lost and waited for" in process.stderr.readline()
    until(lambda: gone(int((cli.folder / "late").read_text())), seconds=20)
    mortal.server.restart()
    mortal.reconnect()
    until(lambda: mortal.statuses() == {"complete": 1, "failed": 1})
    assert (mortal.row(gated)["status"], mortal.row(late)["status"]) == ("complete", "failed")
    assert "timed out after 2 seconds" in mortal.logs(late)[-1]
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    told = [line for line in err.splitlines() if "figures of this minute" not in line]
    assert (code, len(told)) == (0, 1), err


def test_a_broken_module_is_waited_out(daemon, cli, site):
    """All children are replaced while the module is broken and nothing runs: nothing is claimed,
    it is told once, and the mended module's children go on."""
    process = daemon("--queues", "*:2")
    first = site.add("quick", [1], at=DUE)
    until(lambda: site.row(first)["status"] == "complete")
    cli.module("jobs", "raise ValueError('half a deploy')")
    process.send_signal(signal.SIGHUP)
    told = process.stderr.readline()
    assert told == (
        "runner: queue *: cannot import handlers from jobs: ValueError: half a deploy;"
        " tried again every 5 s\n"
    )
    second = site.add("quick", [2], at=DUE)
    cli.module("jobs", JOBS)
    until(lambda: site.row(second)["status"] == "complete")
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert (code, err) == (0, "")
    assert site.row(second)["attempts"] == "1"
