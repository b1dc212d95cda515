"""The process that calls handlers. It knows no database: it gets jobs and answers with results.

It is started afresh, never forked, so it holds no socket of the runner's; when the runner dies,
the kernel kills it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from dataclasses import asdict

from runner.core.errors import RunnerError
from runner.core.limits import peak_memory
from runner.executors.call import Job, call
from runner.executors.wire import receive, send
from runner.handlers.loading import load

_log = logging.getLogger("runner.handler")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(descriptor: int, parent: int) -> None:
    """Serves jobs from the given socket until it closes."""
    _die_with(parent)
    channel = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)  # not for what a handler starts
    orders = receive(channel)
    _configure_logging(orders["log_level"])
    try:
        handlers = load(orders["handlers"])
    except RunnerError as error:
        send(channel, {"refused": str(error)})
        channel.close()
        return
    send(channel, {"ready": os.getpid()})
    own = os.getpid()
    while (message := receive(channel)) is not None:
        result = call(handlers, Job(**message))
        if os.getpid() != own:
            os._exit(0)  # a fork that the handler made and let return: it must not answer too
        if result and result.traceback:
            _log.debug("%s", result.traceback, extra={"action_id": message["id"]})
        failure = asdict(result) if result else None
        try:
            send(channel, {"id": message["id"], "failure": failure, "memory": peak_memory()})
        except OSError:  # the handler closed it, or the runner is gone
            os._exit(1)


def _configure_logging(level: str) -> None:
    """What handlers log goes to stderr with the action's id."""
    lines = logging.StreamHandler()
    text = "%(levelname)s %(name)s action %(action_id)s: %(message)s"
    lines.setFormatter(logging.Formatter(text, defaults={"action_id": "-"}))
    logging.basicConfig(level=level, handlers=[lines])


def _die_with(parent: int) -> None:
    """Linux kills us when the runner is gone: a handler must not outlive its lease."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  only children need it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
