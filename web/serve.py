"""gunicorn, started from Python: nobody needs to know its flags."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from runner.core.errors import RunnerError
from web.desk import THREADS

if TYPE_CHECKING:
    from flask import Flask

GRACE = 10
"""Seconds that requests have to end after a signal."""

SILENT = 30
"""Seconds after which a worker process that says nothing is replaced."""


class Server(BaseApplication):  # type: ignore[misc]
    """One process with a thread for each connection to the database. It is made anew when it
    dies."""

    def __init__(self, app: Flask, bind: str) -> None:
        self._app = app
        self._bind = bind
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "timeout": SILENT,
            "graceful_timeout": GRACE,
            "keepalive": 5,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",  # the gate reads what a trusted proxy says
            "proc_name": "runner web",
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def serve(app: Flask, bind: str) -> None:
    """Serves until a signal ends it. Raises RunnerError for an address that cannot be had."""
    _check_free(bind)
    Server(app, bind).run()


def _check_free(bind: str) -> None:
    """Gunicorn itself would try for five seconds, and say less."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise RunnerError(f"--bind {bind} cannot be had: {error.strerror}") from error
