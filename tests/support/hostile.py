"""Handlers that do to their process, and to us, whatever they can."""

from __future__ import annotations

from datetime import datetime

FAILED = "action failed via Python runner: "
COMPLETE = "action complete via Python runner"

HEAD = """
import asyncio, json, os, pathlib, re, signal, subprocess, sys, time
from runner import Cancel, Fail, Handlers, Retry, RetryPolicy, Snooze

handlers = Handlers(retry=RetryPolicy.never())
here = pathlib.Path(__file__).parent

@handlers.on("innocent")
def innocent(number):
    with (here / "calls").open("a") as calls:
        calls.write(f"{number}\\n")
"""

DELETES = """
@handlers.on("deletes_itself")
def deletes_itself(table):
    import pymysql
    from runner.storage.dsn import parse

    dsn = parse(os.environ["RUNNER_DSN"])
    connection = pymysql.connect(
        host=dsn.host, port=dsn.port, user=dsn.user, password=dsn.password,
        database=dsn.database, autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        assert cursor.execute(f"DELETE FROM {table} WHERE hook = 'deletes_itself'") == 1
"""
"""One more, which deletes the row of its action."""

SWARM = (
    HEAD
    + r"""
import ctypes, resource, threading

class Hollow(Exception):
    def __reduce__(self):
        raise TypeError("cannot be pickled")
    def __str__(self):
        raise ValueError("cannot be printed")
    __repr__ = __str__

@handlers.on("neighbour")
def neighbour(number):
    time.sleep(0.02)

@handlers.on("loops_in_c", timeout=1)
def loops_in_c():
    re.match(r"(a+)+$", "a" * 60 + "b")

@handlers.on("ignores_everything", timeout=1)
def ignores_everything():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@handlers.on("stops_itself", timeout=1)
def stops_itself():
    os.kill(os.getpid(), signal.SIGSTOP)

@handlers.on("forks_and_exits", timeout=5)
def forks_and_exits():
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)

@handlers.on("segfaults")
def segfaults():
    ctypes.string_at(0)

@handlers.on("takes_4_gb")
def takes_4_gb():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    bytearray(4 << 30)

@handlers.on("is_killed_for_memory")
def is_killed_for_memory():
    bytearray(b"x") * (600 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

@handlers.on("closes_all", timeout=5)
def closes_all():
    os.closerange(0, 1024)
    time.sleep(60)

@handlers.on("prints_100_mb", timeout=60)
def prints_100_mb():
    for _ in range(1000):
        print("0123456789" * 10_000)

@handlers.on("prints_rubbish")
def prints_rubbish():
    for _ in range(100):
        os.write(1, os.urandom(10_000))

@handlers.on("never_ends_its_line", timeout=1)
def never_ends_its_line():
    while True:
        os.write(2, b"." * 1000)

@handlers.on("raises_hollow")
def raises_hollow():
    raise Hollow

@handlers.on("swallows_its_soft_end", timeout=2, soft_timeout=0.5)
def swallows_its_soft_end():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""
)

FATES = {
    "loops_in_c": (1, r"timed out after 1 seconds and was killed"),
    "ignores_everything": (1, r"timed out after 1 seconds and was killed"),
    "stops_itself": (1, r"timed out after 1 seconds and was killed"),
    "forks_and_exits": (5, r"the handler process \d+ died: exit code 3(, peak memory \d+ MB)?"),
    "segfaults": (0, r"the handler process \d+ died: killed by SIGSEGV(, peak memory \d+ MB)?"),
    "takes_4_gb": (0, r"MemoryError"),
    "is_killed_for_memory": (
        0, r"the handler process \d+ died: killed by SIGKILL, peak memory 6\d\d MB \(out of memory\?\)",
    ),
    "closes_all": (5, r"the handler process \d+ lost its channel and was killed"),
    "prints_100_mb": (60, None),
    "prints_rubbish": (0, None),
    "never_ends_its_line": (1, r"timed out after 1 seconds and was killed"),
    "raises_hollow": (0, r"Hollow: \(its message cannot be shown\)"),
    "swallows_its_soft_end": (2, r"timed out after 2 seconds and was killed"),
}  # fmt: skip
"""For each handler of SWARM its deadline in seconds (0: it ends at once), and what the log says. The
600 MB are more than the tests hold: a peak counts if it is over that of whoever started a process."""


def took(site, action: int) -> int:
    """Seconds from an action's start to its end, by its log."""
    rows = [row for row in site.rows("logs") if row["action_id"] == str(action)]
    begun, ended = (datetime.fromisoformat(row["log_date_gmt"]) for row in rows[-2:])
    return (ended - begun).total_seconds()
