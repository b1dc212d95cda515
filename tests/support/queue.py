"""What tests of `runner.Queue` share."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pymysql
from support.server import ACCOUNT, PASSWORD


@contextmanager
def caller(site, **options):
    """A connection of the site's own code; what it writes is not committed by itself."""
    where = {"host": site.server.host, "port": site.server.port, "database": site.name}
    connection = pymysql.connect(user=ACCOUNT, password=PASSWORD, **where | options)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def server_variable(server, name: str, value):
    """A global variable of the server, which new connections have."""
    before = server.execute(f"SELECT @@GLOBAL.{name}")[0][0]
    server.execute(f"SET GLOBAL {name} = {value!r}")
    try:
        yield
    finally:
        server.execute(f"SET GLOBAL {name} = {before!r}")


def together(count: int, work) -> list:
    """Runs work(number) in so many threads that begin at the same moment; gives their results."""
    start = threading.Barrier(count)
    results: list = [None] * count

    def run(number: int) -> None:
        begun = threading.Event()

        def begin() -> None:
            start.wait()
            begun.set()

        try:
            results[number] = work(number, begin)
        except Exception as error:  # noqa: BLE001  the test compares it
            results[number] = error
            if not begun.is_set():  # else the others may still be on their way out of the wait
                start.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
