"""Limits between machines: what must be slow is slow, what must be alone is alone."""

from __future__ import annotations

import random
import socket
import time
from email import message_from_bytes
from itertools import pairwise

import pytest
from aiosmtpd.controller import Controller
from support.scene import DUE, kill_runner, pick
from support.waiting import until

MAILS = pick(150, 5000)
A_SECOND = 50
WINDOW = 2.0

MAIL = f"""
import smtplib
from email.message import EmailMessage

@handlers.on("mail", rate="{A_SECOND}/s", retry=RetryPolicy.fixed(1, attempts=5))
def mail(number: int):
    message = EmailMessage()
    message["From"], message["To"] = "shop@shop.test", f"customer{{number}}@shop.test"
    message["Subject"] = str(number)
    message.set_content("Your order is on its way.")
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"])) as server:
        server.send_message(message)
"""


class Letterbox:
    """A mail server that keeps what it gets: number and moment of each."""

    def __init__(self) -> None:
        self.letters: list[tuple[int, float]] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        number = int(message_from_bytes(envelope.content)["Subject"])
        self.letters.append((number, time.monotonic()))
        return "250 OK"


@pytest.fixture
def letterbox():
    box = Letterbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


def busiest(moments: list[float], seconds: float) -> int:
    """The most that came in any window of so many seconds."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.timeout(pick(120, 600))
@pytest.mark.parametrize("mode", ["native", "parked"])
def test_mails_at_a_rate(scenes, seen, letterbox, mode):
    """Two daemons with two workers each send through one mail server: never more in two seconds
    than the rate and its burst, each mail once."""
    scene = scenes(MAIL, mode=mode)
    for number in range(MAILS):
        scene.site.add("mail", [number], at=DUE)
    for _ in range(2):
        scene.work("--queues", "*:2", SMTP_PORT=str(letterbox.port))
    until(lambda: len(letterbox.letters) >= MAILS, MAILS / A_SECOND * 2 + 30, every=0.2)
    until(scene.is_done)
    scene.end()
    numbers, moments = zip(*letterbox.letters, strict=True)
    assert sorted(numbers) == list(range(MAILS))
    most = busiest(list(moments), WINDOW)
    assert most <= A_SECOND * WINDOW + 1
    assert scene.site.statuses() == {"complete": MAILS}
    scene.check()
    rate = (MAILS - 1) / (moments[-1] - moments[0])
    seen(
        1, f"{MAILS:,} mails at {A_SECOND}/s: {rate:.1f} a second, at most {most} in 2 s, each once"
    )


LOCKED = """
turns = os.open(here / "turns", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def alone(context):
    effect(context)
    began = time.monotonic()
    time.sleep(0.02)
    os.write(turns, f"{context.action_id} {began:.4f} {time.monotonic():.4f}\\n".encode())

@handlers.on("fixed", lock="crm", retry=RetryPolicy.fixed(1, attempts=20))
def fixed(context: Context, customer):
    alone(context)

@handlers.on("by_args", lock="crm:{customer}", on_locked=1, retry=RetryPolicy.fixed(1, attempts=20))
def by_args(context: Context, customer):
    alone(context)
"""

WORKERS, ACTIONS, KILLS = pick((4, 40, 3), (20, 600, 30))


@pytest.mark.timeout(pick(120, 900))
@pytest.mark.parametrize("hook", ["fixed", "by_args"])
def test_one_lock_many_workers(scenes, seen, hook):
    """However many want it and whoever is killed: two are never in it at once, and all have their
    turn."""
    scene = scenes(LOCKED)
    for _ in range(ACTIONS):
        scene.site.add(hook, [7], at=DUE)
    workers = [work(scene) for _ in range(WORKERS)]
    for number in range(KILLS):
        wanted = ACTIONS * number // (KILLS + 1)
        until(lambda: len(turns(scene)) >= wanted, 120)  # noqa: B023  awaited here
        held = scene.site.run(
            "SELECT w.pid FROM wp_runner_locks AS k JOIN wp_runner_leases USING (claim_id)"
            " JOIN wp_runner_workers AS w USING (worker_id)"
        )
        holder = held[0][0] if held else random.choice(workers).pid
        (victim,) = [w for w in workers if w.pid == holder]
        kill_runner(victim)
        workers[workers.index(victim)] = work(scene)
    until(scene.is_done, 300, every=0.2)
    scene.end()
    scene.finish()
    assert scene.site.statuses() == {"complete": ACTIONS}
    scene.check()
    found = sorted(turns(scene), key=lambda turn: turn[1])
    assert {turn[0] for turn in found} == {int(row["action_id"]) for row in scene.site.rows()}
    overlaps = [pair for pair in pairwise(found) if pair[0][2] > pair[1][1]]
    assert overlaps == []
    seen(KILLS, f"{WORKERS} workers, {ACTIONS} turns, {KILLS} holders killed: never two at once")


def turns(scene) -> list[tuple[int, float, float]]:
    """Each turn that came to its end: of which action, from when to when."""
    if not scene.has("turns"):
        return []
    lines = (line.split() for line in (scene.folder / "turns").read_text().splitlines())
    return [(int(a), float(b), float(c)) for a, b, c in lines]


def work(scene):
    return scene.work("--executor", "processes:1")
