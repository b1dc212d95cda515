"""The page's list of actions: what it finds, in which order, page by page."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from support.fill import fill
from support.page import connected
from support.site import SiteDatabase

from compat.action_scheduler import parked
from compat.site_time import ZERO, epoch_of, sql_date
from runner.core.errors import UsageError
from runner.operations.listing import MOST_NAMES, Listing, Order, Wanted

NOW = epoch_of("2026-11-23 06:05:00")
STATUSES = ("pending", "in-progress", "complete", "failed", "canceled")


@pytest.fixture(scope="module")
def queue(server):
    """Four hundred actions of all kinds, some parked, many with the same date."""
    site = SiteDatabase.create(server)
    chance = random.Random(7)
    site.rows_made = []
    for number in range(400):
        status = chance.choice(STATUSES)
        hook = chance.choice(["a", "ab", "b_c", "b%c", "B_c2", "zoo"])
        at = NOW + chance.randrange(-40, 40) * 60
        group = chance.choice(["", "mail", "mails", "shop"])
        id_ = site.add(hook, (number % 7,), at=at, status=status, group=group)
        if status == "pending" and number % 3 == 0:
            site.run(
                "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = %s WHERE action_id = %s",
                (parked(sql_date(at)), id_),
            )
        site.rows_made.append((id_, hook, status, at, group, number % 7))
    database, found = connected(site)
    site.listing = Listing(database, found)
    yield site
    database.close()
    site.drop()


def pages(listing, wanted, name, descending, limit=17):
    """All ids, by following the pages."""
    ids, after = [], None
    while True:
        found = listing.page(wanted, Order(name, descending, after), limit, NOW)
        assert len(found.ids) <= limit
        assert not {*found.ids} & {*ids}
        ids += found.ids
        if not found.next:
            return ids
        after = found.next


FILTERS = [
    (Wanted(), lambda r: True),
    (Wanted(statuses=("pending",)), lambda r: r[2] == "pending"),
    (Wanted(statuses=("failed", "canceled")), lambda r: r[2] in {"failed", "canceled"}),
    (Wanted(hook="ab"), lambda r: r[1] == "ab"),
    (Wanted(hook="b_c"), lambda r: r[1] == "b_c"),
    (Wanted(hook_prefix="a"), lambda r: r[1] in {"a", "ab"}),
    (Wanted(hook_prefix="b_"), lambda r: r[1] in {"b_c", "B_c2"}),
    (Wanted(hook_prefix="b%"), lambda r: r[1] == "b%c"),
    (Wanted(hook="zoo", statuses=("pending",)), lambda r: r[1] == "zoo" and r[2] == "pending"),
    (Wanted(group="mail"), lambda r: r[4] == "mail"),
    (Wanted(group_prefix="mail"), lambda r: r[4].startswith("mail")),
    (Wanted(group=""), lambda r: not r[4]),
    (Wanted(args="[3]"), lambda r: r[5] == 3),
    (Wanted(hook="a", args_part="3"), lambda r: r[1] == "a" and r[5] == 3),
    (Wanted(statuses=("pending",), older=600), lambda r: r[2] == "pending" and r[3] <= NOW - 600),
    (Wanted(hook="a", group="shop", statuses=("complete", "pending")),
     lambda r: r[1] == "a" and r[4] == "shop" and r[2] in {"complete", "pending"}),
]  # fmt: skip


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", ["date", "id", "hook"])
@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_pages_hold_all_that_match_in_order(queue, number, name, descending):
    """Compared with the rows themselves: each once, none missing, also where many share a date and
    where some are parked."""
    wanted, matches = FILTERS[number]
    rows = [row for row in queue.rows_made if matches(row)]
    ids = pages(queue.listing, wanted, name, descending)
    assert sorted(ids) == [row[0] for row in rows]
    assert len(rows) > 3
    if name == "hook":
        key = lambda r: (r[1].casefold(), r[2], r[3], r[0])  # noqa: E731
        assert ids == [row[0] for row in sorted(rows, key=key, reverse=descending)]
        return
    key = (lambda r: (r[3], r[0])) if name == "date" else (lambda r: r[0])
    assert ids == [row[0] for row in sorted(rows, key=key, reverse=descending)]


def test_one_id(queue):
    """Whatever the order."""
    id_ = queue.rows_made[5][0]
    assert pages(queue.listing, Wanted(id=id_), "date", True) == [id_]
    assert pages(queue.listing, Wanted(id=10**12), "id", True) == []


def test_counting_and_walking(queue):
    """Counted no further than asked; walked in the order of ids, some at a time."""
    wanted = Wanted(statuses=("pending",))
    ids = [row[0] for row in queue.rows_made if row[2] == "pending"]
    assert queue.listing.count(wanted, NOW, 10_000) == len(ids)
    assert queue.listing.count(wanted, NOW, 5) == 5
    chunks = list(queue.listing.walk(wanted, NOW, 20))
    assert [id_ for chunk in chunks for id_ in chunk] == ids
    assert max(map(len, chunks)) == 20


def test_too_many_names(queue):
    """A beginning that half the site's hooks have is refused with a word, not read for minutes."""
    for number in range(MOST_NAMES + 1):
        queue.add(f"flood_{number}", (), at=NOW)
    with pytest.raises(UsageError, match="more than 50 names"):
        queue.listing.page(Wanted(hook_prefix="flood_"), Order(), 10, NOW)
    queue.run("DELETE FROM wp_actionscheduler_actions WHERE hook LIKE 'flood%'")


@pytest.fixture(scope="module")
def alike(server):
    """Hooks that the column's collation takes for one, far apart for Python, among many others."""
    site = SiteDatabase.create(server)
    names = ["e1", "é1", "E1 ", "É1", *(f"f{number:02}" for number in range(20)), "zoo", "über"]
    site.ids = {name: [site.add(name, (), at=NOW + at) for at in range(3)] for name in names}
    site.migrate()
    yield site
    site.drop()


@pytest.fixture(params=["asked", "counted"])
def alike_listing(request, alike):
    """Over the names that the table has, or over a census that has not seen all."""
    alike.run("DELETE FROM wp_runner_census")
    for hook in ("É1", "zoo") if request.param == "counted" else ():
        alike.run(
            "INSERT INTO wp_runner_census (status, group_slug, hook, actions, due, recurring,"
            " taken_at, cost_ms) VALUES ('pending', '', %s, 3, 0, 0, NOW(), 1)",
            (hook,),
        )
    database, found = connected(alike)
    yield Listing(database, found)
    database.close()


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_hooks_that_are_one_to_the_server_are_listed_once(alike, alike_listing, descending, limit):
    """In the order of hooks they stand together, by date, wherever a page ends."""
    ids = pages(alike_listing, Wanted(), "hook", descending, limit)
    assert sorted(ids) == sorted(id_ for some in alike.ids.values() for id_ in some)
    together = {id_ for name in ("e1", "é1", "E1 ", "É1") for id_ in alike.ids[name]}
    places = [place for place, id_ in enumerate(ids) if id_ in together]
    assert places == [*range(places[0], places[0] + 12)]


@pytest.mark.parametrize("name", ["date", "id", "hook"])
@pytest.mark.parametrize(
    "wanted", [Wanted(hook="e1"), Wanted(hook_prefix="é"), Wanted(hook_prefix="E1")]
)
def test_a_hook_stands_for_all_that_are_one_with_it(alike, alike_listing, wanted, name):
    """Typed as a whole or by its beginning, with or without marks."""
    ids = pages(alike_listing, wanted, name, False, 2)
    assert sorted(ids) == sorted(
        id_ for name in ("e1", "é1", "E1 ", "É1") for id_ in alike.ids[name]
    )


def test_hooks_that_differ_by_case_alone_are_two_where_the_server_says_so(server):
    """A column that is compared byte by byte: none is lost, none is twice."""
    site = SiteDatabase.create(server)
    site.run(
        "ALTER TABLE wp_actionscheduler_actions MODIFY hook varchar(191) NOT NULL COLLATE utf8mb4_bin"
    )
    ids = [site.add(name, (), at=NOW) for name in ("a", "A", "b", "a", "A", "B")]
    database, found = connected(site)
    for descending in (True, False):
        listed = pages(Listing(database, found), Wanted(), "hook", descending, 2)
        assert sorted(listed) == ids
    database.close()
    site.drop()


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", ["date", "hook"])
@pytest.mark.parametrize("hook", [None, "a"])
@pytest.mark.parametrize("limit", [1, 3, 5, 10])
def test_rows_without_a_date_come_before_all_others(undated, hook, name, descending, limit):
    """The server says so, and a page that ends among them, or before them, goes on."""
    ids = pages(undated.listing, Wanted(hook=hook), name, descending, limit)
    assert ids == (undated.in_order[::-1] if descending else undated.in_order)


@pytest.fixture(scope="module")
def undated(server):
    """Fourteen actions: five without a date, one with the zero date, two parked."""
    site = SiteDatabase.create(server)
    ids = [site.add("a", (), at=NOW + number) for number in range(14)]
    table = site.table("actions")
    site.run(f"UPDATE {table} SET scheduled_date_gmt = NULL WHERE action_id IN %s", (ids[5:10],))
    site.run(f"UPDATE {table} SET scheduled_date_gmt = %s WHERE action_id = %s", (ZERO, ids[10]))
    for number in (2, 12):
        site.run(
            f"UPDATE {table} SET scheduled_date_gmt = %s WHERE action_id = %s",
            (parked(sql_date(NOW + number)), ids[number]),
        )
    site.in_order = [*ids[5:11], *ids[:5], *ids[11:]]
    database, found = connected(site)
    site.listing = Listing(database, found)
    yield site
    database.close()
    site.drop()


@pytest.fixture(scope="module")
def moment(server):
    """Thousands of actions, of which sixty have one date and the same args, in a group of their
    own."""
    site = SiteDatabase.create(server)
    fill(site, 5_000, "complete", hooks=("a", "b"), now=NOW)
    fill(site, 2_000, "due", hooks=("a", "b"), now=NOW)
    site.alike = [site.add("a", ("x",), at=NOW, group="few", status="failed") for _ in range(60)]
    site.run("ANALYZE TABLE wp_actionscheduler_actions")
    database, found = connected(site)
    site.database, site.listing = database, Listing(database, found)
    yield site
    database.close()
    site.drop()


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", ["date", "hook"])
@pytest.mark.parametrize(
    "wanted", [Wanted(args='["x"]'), Wanted(group="few"), Wanted(hook="a", args='["x"]')]
)
def test_no_row_of_a_date_is_lost_where_the_server_sorts(moment, wanted, name, descending):
    """Dates alone would leave it to the server which of those that share one come first."""
    ids = pages(moment.listing, wanted, name, descending)
    assert ids == (moment.alike[::-1] if descending else moment.alike)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", ["date", "hook"])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(statuses=("pending",)),
        Wanted(statuses=("complete",)),
        Wanted(statuses=("failed", "canceled")),
        Wanted(statuses=("pending",), older=60),
        Wanted(hook="a"),
        Wanted(hook_prefix="a", statuses=("complete",)),
    ],
)
def test_plans_of_the_common_lists_sort_nothing(moment, wanted, name, descending):
    """EXPLAIN: the first page and the next are read in the order of an index, and so is one after
    a row without a date."""
    asked, ask = [], moment.database.query
    moment.database.query = lambda text, **values: (
        asked.append((text, values)) or ask(text, **values)
    )
    try:
        first = moment.listing.page(wanted, Order(name, descending), 10, NOW)
        for place in (first.next, replace(first.next, date="")):
            moment.listing.page(wanted, Order(name, descending, place), 10, NOW)
    finally:
        moment.database.query = ask
    branches = [(text, values) for text, values in asked if "AS branch" in text]
    assert len(branches) == 3
    for text, values in branches:
        plan = ask("EXPLAIN FORMAT=TRADITIONAL " + text, **values)
        table = [row for row in plan if "actionscheduler_actions" in str(row["table"])]
        assert table
        large = [
            row for row in table if int(row["rows"] or 0) > 100
        ]  # a few rows are sorted at once
        assert not [row for row in large if "filesort" in str(row["Extra"])]
        assert {row["type"] for row in large} <= {"range", "ref"}
