"""Handlers that do nothing, or sleep."""

import time

from runner import Handlers

HOOKS = tuple(f"py_hook_{n}" for n in range(5))
handlers = Handlers()


idempotent = Handlers()


@handlers.on(*HOOKS)
@idempotent.on(*HOOKS, idempotent=True)
def nothing(*_args):
    pass


sleeping = Handlers()


@sleeping.on(*HOOKS)
def sleep(*_args):
    time.sleep(0.010)
