"""WordPress's own admin screen (Tools, Scheduled Actions) after Python has worked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from interop.wordpress import GROUP, Enqueued

HOUR = 3600

JOBS = """
from runner import Cancel, Fail, Handlers, RetryPolicy, Snooze

handlers = Handlers(retry=RetryPolicy.fixed(900))

@handlers.on("py_interop_fine", "py_interop_unreadable")
def fine(*args): pass

@handlers.on("py_interop_retried")
def retried(*args): raise OSError("no <b>answer</b> from the Lager-Größe")

@handlers.on("py_interop_snoozed")
def snoozed(*args): raise Snooze(2 * 3600, "the other side rests")

@handlers.on("py_interop_failed")
def failed(*args): raise Fail("never")

@handlers.on("py_interop_canceled")
def canceled(*args): raise Cancel("not wanted")
"""

STARTED = "action started via Python runner"
RETRIED = (
    r"action failed via Python runner and will be retried at [-\d]+ [:\d]+ UTC:"
    r" OSError: no <b>answer</b> from the Lager-Größe \(attempt 1 of 3\)"
)
AHEAD = r"\(1[45] minutes( \d+ seconds?)?\)"
LATER = r"\((2 hours( \d seconds?)?|1 hour 59 minutes)\)"
AGO = r"\(.* ago\)"

SHOWS_UNREADABLE = (4, 0, 0)
"""Before, the screen leaves out rows that cannot be read, whoever ended them."""

# hook, kind: status, recurrence, when, lines after "action created"
SHOWN = {
    ("fine", "async"): ("Complete", "", "async", [STARTED, "action complete via Python runner"]),
    ("fine", "single"): ("Complete", "", AGO, [STARTED, "action complete via Python runner"]),
    ("failed", "single"): ("Failed", "", AGO, [STARTED, "action failed via Python runner: never"]),
    ("canceled", "single"): ("Canceled", "", AGO,
                             [STARTED, "action canceled via Python runner: not wanted"]),
    ("unreadable", "single"): ("Canceled", "", AGO,
                               ["action canceled via Python runner: the row cannot be read: .*args.*"]),
    ("retried", "async"): ("Pending", "", AHEAD, [STARTED, RETRIED]),
    ("retried", "single"): ("Pending", "", AHEAD, [STARTED, RETRIED]),
    ("retried", "recurring"): ("Pending", "Every 6 hours", AHEAD, [STARTED, RETRIED]),
    ("retried", "cron"): ("Pending", r"0 0 15 \d+ \*", AHEAD, [STARTED, RETRIED]),
    ("snoozed", "single"): ("Pending", "", LATER,
                            [STARTED, r"action put off via Python runner until [-\d]+ [:\d]+ UTC: the other side rests"]),
}  # fmt: skip


class Table(HTMLParser):
    """Rows of a WordPress list table by the number of their checkbox: texts by column."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[int, dict[str, str]] = {}
        self._row: dict[str, str] | None = None
        self._column = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs) -> None:
        named = dict(attrs)
        if tag == "input" and named.get("name") == "ID[]":
            self._row = self.rows.setdefault(int(named["value"]), {})
        elif tag in {"td", "th"}:
            found = re.search(r"column-(?!primary)(\w+)", named.get("class") or "")
            self._column = found[1] if found else ""
        elif tag == "li":
            self.handle_data("\n")
        elif tag == "br":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._row is not None and self._column:
            self._row[self._column] = self._row.get(self._column, "") + data


def enqueue(site) -> dict[tuple[str, str], int]:
    now = site.now()
    kinds = {
        "async": (0, None),
        "single": (now - HOUR, None),
        "recurring": (now - HOUR, 6 * HOUR),
        "cron": (
            now - 400 * 24 * HOUR,
            f"0 0 15 {(datetime.fromtimestamp(now, UTC).month + 5) % 12 + 1} *",
        ),
    }
    actions = [
        Enqueued(kind, f"py_interop_{hook}", [f"ä-{hook}"], *kinds[kind], f"{GROUP}ü")
        for hook, kind in SHOWN
    ]
    ids = dict(zip(SHOWN, site.enqueue(actions), strict=True))
    site.run(
        f"UPDATE {site.table('actions')} SET args = '[1,' WHERE action_id = %s",
        (ids["unreadable", "single"],),
    )
    return ids


@pytest.fixture
def shown(site, cli):
    ids = enqueue(site)
    cli.module("jobs", JOBS)
    done = cli("run", "--handlers", "jobs:handlers")
    assert done.returncode == 0, done.stderr
    return ids, Table(site.php("list_table", search="py_interop_")).rows


def test_the_admin_screen_shows_what_python_did(site, shown):
    """Each row with its true next time, its recurrence, its status and our lines of its story."""
    ids, table = shown
    if site.version < SHOWS_UNREADABLE:
        ids = {key: id_ for key, id_ in ids.items() if key[0] != "unreadable"}
    assert table.keys() == set(ids.values())
    for key in ids:
        status, recurrence, when, lines = SHOWN[key]
        id_, cells = ids[key], table[ids[key]]
        assert cells["status"] == status
        assert re.fullmatch(recurrence or "Non-repeating", cells["recurrence"])
        assert cells["group"] == f"{GROUP}ü"
        if key[0] != "unreadable":
            assert cells["args"].strip() == f"0 => 'ä-{key[0]}'"
        date, _, ago = cells["schedule"].partition(" +0000  ")
        assert re.fullmatch(when, ago or date), (key, cells["schedule"])
        if ago:
            assert date == site.row(id_)["scheduled_date_gmt"]
        story = [line.split(" +0000 ", 1)[1] for line in cells["log_entries"].strip().split("\n")]
        expected = ["action created", *lines]
        assert len(story) == len(expected)
        for line, pattern in zip(story, expected, strict=True):
            assert re.fullmatch(pattern, line), (key, line)
