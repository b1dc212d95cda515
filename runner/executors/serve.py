"""What runs inside a child. It gets jobs and answers with results; the database it knows only
through the settler that it is given.

It is started afresh, never forked, so it holds no socket of the runner's; when the runner dies,
the kernel kills it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from runner.core.clock import SystemClock
from runner.core.errors import RunnerError
from runner.core.limits import peak_memory
from runner.executors import logs
from runner.executors.call import Job, call
from runner.executors.settling import Settling, no_settler
from runner.executors.wire import Mailbox, send
from runner.handlers.loading import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.executors.settling import Settler
    from runner.handlers.registry import Handlers

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(descriptor: int, parent: int, settler_of: Callable[[Mapping[str, Any]], Settler]) -> None:
    """Serves jobs from the given socket until it closes. `settler_of` is asked, with what the
    orders say of the site, when a handler settles its action."""
    _die_with(parent)
    channel = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)  # not for what a handler starts
    mailbox = Mailbox(channel)
    orders = mailbox.wait()
    logs.configure(orders["log_level"], labelled=True)
    _stand_back(orders["nice"])
    try:
        handlers = load(orders["handlers"])
    except RunnerError as error:
        send(channel, {"refused": str(error)})
        channel.close()
        return
    send(channel, {"ready": os.getpid()})
    settler = cache(partial(settler_of, orders["site"])) if orders["site"] else no_settler
    _serve(channel, mailbox, handlers, settler)


def _serve(
    channel: socket.socket, mailbox: Mailbox, handlers: Handlers, settler: Callable[[], Settler]
) -> None:
    own, clock = os.getpid(), SystemClock()
    while (message := mailbox.wait()) is not None:
        if "cancel" in message:
            continue  # it came after the action's end
        settling = Settling(Job(**message), settler, clock.monotonic())
        cancellation = Cancellation(mailbox, message["id"])
        result = call(handlers, settling.job, cancellation.asked, settling)
        if os.getpid() != own:
            os._exit(0)  # a fork that the handler made and let return: it must not answer too
        logs.traceback(result, message["id"])
        answer = {
            "id": message["id"],
            "failure": asdict(result) if result else None,
            "memory": peak_memory(),
            "settled": settling.done,
        }
        try:
            send(channel, answer)
        except OSError:  # the handler closed it, or the runner is gone
            os._exit(1)
        settling.end()


class Cancellation:
    """Whether the action that runs has been canceled meanwhile: the runner then says so."""

    def __init__(self, mailbox: Mailbox, action_id: int) -> None:
        self._mailbox = mailbox
        self._id = action_id
        self._lock = threading.Lock()
        self._asked = False

    def asked(self) -> bool:
        """Looks into the channel; waits for nobody and never raises."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if not self._asked:
                self._asked = any(m.get("cancel") == self._id for m in self._mailbox.look())
        return self._asked


def _stand_back(nice: int) -> None:
    """A queue of less weight leaves the processor to others; one of the most weight is as it is."""
    if not nice:
        return
    from runner.executors.priority import stand_back  # noqa: PLC0415  for weighted queues alone

    try:
        stand_back(nice)
    except OSError as error:  # no reason not to work
        logging.getLogger("runner").warning("the queue's weight has no effect: %s", error)


def _die_with(parent: int) -> None:
    """Linux kills us when the runner is gone: a handler must not outlive its lease."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  only children need it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
