"""What the pages show, and what their buttons do: over a real database, with the forms as they are."""

from __future__ import annotations

import json
import threading

import pytest
from support.page import NOW, Visitor, account, bury, connected, make_page, signed_in, texts
from support.waiting import until

from compat import schedules
from compat.site_time import sql_date
from runner.operations.report import snapshot


def test_the_overview_answers_in_one_look(admin, shop):
    """States with counts, how late the oldest is, who is at work, the day."""
    page = texts(admin.get("/").text)
    assert "Pending 3" in page
    assert "Overdue 1 oldest waits 5 min" in page
    assert "Running 1 longest for 30 s" in page
    assert "Dead letters 1" in page
    assert "no daemon" in page
    assert "The last 24 hours" in page
    assert "No minutes are recorded yet" in page


def test_the_list_is_searched_sorted_and_paged(admin, shop):
    """All state is in the address."""
    for number in range(60):
        shop.add("many", (number,), at=NOW + number, group="flood")
    seen, path = [], "/actions?q=hook:many&sort=date&dir=asc"
    while path:
        answer = admin.client.get(f"/api{path}")
        seen += [action["id"] for action in answer.json["actions"]]
        path = (answer.json["next"] or "").removeprefix("/api")
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 60
    page = texts(admin.get("/actions?q=status:failed").text)
    assert "shop_failed" in page
    assert "shop_complete" not in page
    assert "Next page" not in page


@pytest.mark.parametrize("sort", ["date", "hook"])
@pytest.mark.parametrize("way", ["asc", "desc"])
def test_pages_go_on_among_rows_without_a_date(admin, shop, sort, way):
    """The address of the next page names such a row too."""
    made = [shop.add("shop_many", (), at=NOW) for _ in range(60)]
    shop.run(
        "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = NULL WHERE action_id > %s",
        (made[9],),
    )
    path, found = f"/actions?q=hook:shop_many&sort={sort}&dir={way}", []
    while path:
        answer = admin.client.get(f"/api{path}")
        assert answer.status_code == 200, answer.text
        found += [action["id"] for action in answer.json["actions"]]
        path = (answer.json["next"] or "").removeprefix("/api")
    assert found == ([*made[10:], *made[:10]] if way == "asc" else [*made[9::-1], *made[:9:-1]])


@pytest.mark.parametrize(
    ("query", "hooks"),
    [
        ("status:failed", ["shop_failed"]),
        ("hook:shop_s*", ["shop_sync"]),
        ("shop_re", ["shop_report"]),
        ("group:mail", ["shop_mail"]),
        ("group:ma*", ["shop_mail"]),
        ('group:""', ["shop_running"]),
        ('args:["anna"]', ["shop_mail"]),
        ("hook:shop_sync args:api", ["shop_sync"]),
        ("status:pending older:4m", ["shop_sync"]),
        ("status:pending older:6m", []),
        ("hook:nobody", []),
        ("hook:nobody*", []),
        ("group:nobody*", []),
        ("hook:shop_% ", []),
        ("hook:shop!_*", []),
    ],
)
def test_qualifiers(admin, query, hooks):
    """Each finds what it says."""
    answer = admin.client.get("/api/actions", query_string={"q": query})
    assert [action["hook"] for action in answer.json["actions"]] == hooks, answer.json


@pytest.mark.parametrize(
    "args",
    [
        "München",
        "nchen/S",
        "nchen",
        r"M\u00fcnchen\/S",
        '["München/Süd"]',
        r'["M\u00fcnchen\/Süd"]',
    ],
)
def test_args_are_found_as_they_are_read(admin, shop, args):
    """The column has them as PHP writes JSON; people type letters and slashes."""
    made = shop.add("shop_town", ("München/Süd",), at=NOW)
    shop.add("shop_town", ("Berlin",), at=NOW)
    answer = admin.client.get("/api/actions", query_string={"q": f"hook:shop_town args:{args}"})
    assert [action["id"] for action in answer.json["actions"]] == [made], answer.json


def test_a_bulk_deletion_names_hooks_in_the_audit(admin, shop):
    """The actions and their logs are gone: nothing else tells what they were."""
    chosen = [shop.ids["complete"], shop.ids["canceled"]]
    admin.post("/actions/bulk/delete", {"id": chosen})
    admin.post("/actions/bulk/delete", {"q": "status:failed"})
    entries = [(row["changed"], row["note"]) for row in shop.own("audit")]
    assert entries == [(2, "shop_canceled, shop_complete"), (1, "shop_failed")]


def test_an_id_is_found(admin, shop):
    """Typed alone."""
    id_ = shop.ids["failed"]
    assert [a["id"] for a in admin.client.get(f"/api/actions?q={id_}").json["actions"]] == [id_]


def test_a_search_that_is_not_understood_is_told(admin):
    """With the word that is wrong, in the page, not as an error."""
    answer = admin.get("/actions?q=state:failed")
    assert answer.status_code == 400
    assert "there is no state:" in texts(answer.text)
    assert 'value="state:failed"' in answer.text


def test_one_action_tells_its_story(admin, shop):
    """Why it has not run, args, log, lineage."""
    page = texts(admin.get(f"/actions/{shop.ids['pending']}").text)
    assert "Why it has not run" in page
    assert "no worker is at work on this site" in page
    page = texts(admin.get(f"/actions/{shop.ids['failed']}").text)
    assert "What happened" in page
    assert f"dead letter {shop.ids['letter']} (dead)" in page
    assert "every 1 h" in texts(admin.get(f"/actions/{shop.ids['recurring']}").text)


def test_what_is_gone_is_told(admin):
    """Calmly, with a way on."""
    answer = admin.get("/actions/99999")
    assert answer.status_code == 404
    assert "There is no action 99999" in texts(answer.text)
    assert admin.get("/dead-letters/99999").status_code == 404


def test_retrying(admin, shop):
    """The action waits again, its log and the audit name who asked; its letter is closed."""
    id_ = shop.ids["failed"]
    assert admin.post(f"/actions/{id_}/retry").status_code == 303
    assert admin.notice() == f"Action {id_}: pending again, with all attempts."
    assert shop.row(id_)["status"] == "pending"
    assert shop.logs(id_)[-1].endswith("by the-admin")
    audit = shop.own("audit")
    assert [(r["actor"], r["way"], r["verb"], r["asked"], r["changed"]) for r in audit] == [
        ("the-admin", "page", "retry", 1, 1)
    ]
    assert audit[0]["address"] == "127.0.0.1"
    assert shop.own("dead_letters")[0]["status"] == "replayed"


def test_two_people_press_one_button(admin, app, shop):
    """One does it, the other is told what it became; nothing is done twice."""
    other = signed_in(app, shop, "admin", "eva")
    id_ = shop.ids["failed"]
    admin.post(f"/actions/{id_}/retry")
    other.post(f"/actions/{id_}/retry")
    assert other.notice() == (
        f"Action {id_} is pending by now: only what failed or was canceled can be retried."
        " Nothing was done."
    )
    assert len([line for line in shop.logs(id_) if "pending again" in line]) == 1
    letter = shop.ids["letter"]
    assert (
        "was replayed before" in admin.post(f"/api/dead-letters/{letter}/replays").json["message"]
    )
    assert len(shop.rows()) == 7


def test_running_now(admin, shop):
    """Due at once; one that runs is left alone."""
    id_ = shop.ids["future"]
    admin.post(f"/actions/{id_}/run")
    assert shop.row(id_)["scheduled_date_gmt"] == sql_date(NOW)
    assert "due now" in shop.logs(id_)[-1]
    answer = admin.post(f"/api/actions/{shop.ids['running']}/run")
    assert (answer.status_code, answer.json["changed"]) == (409, [])


def test_canceling_and_deleting(admin, shop):
    """What runs elsewhere is not touched."""
    admin.post(f"/actions/{shop.ids['future']}/cancel")
    assert shop.row(shop.ids["future"])["status"] == "canceled"
    assert admin.post(f"/actions/{shop.ids['complete']}/delete").headers["Location"] == "/actions"
    assert shop.row(shop.ids["complete"]) == {}
    for verb in ("cancel", "delete", "retry", "run"):
        admin.post(f"/actions/{shop.ids['running']}/{verb}")
    assert shop.row(shop.ids["running"])["status"] == "in-progress"
    assert "shop_complete" in shop.own("audit", "verb = 'delete'")[0]["note"]


def test_many_are_previewed_and_typed(admin, shop):
    """A count, the first of them, and the number to be typed when there are more than a few."""
    for number in range(30):
        shop.add("many", (number,), at=NOW, status="failed", attempts=1)
    page = admin.get("/actions/bulk/retry?q=hook:many")
    assert "Retry 30 actions?" in texts(page.text)
    assert "Type 30 to confirm" in texts(page.text)
    for typed in ("", "3", "300"):
        sent = {"q": "hook:many", "shown": "30", "typed": typed}
        assert admin.post("/actions/bulk/retry", sent).status_code == 403
    assert admin.post("/actions/bulk/retry", {"q": "hook:many"}).status_code == 403
    assert shop.statuses()["failed"] == 31
    answer = admin.post("/actions/bulk/retry", {"q": "hook:many", "shown": "30", "typed": "30"})
    assert answer.status_code == 303
    assert admin.notice() == "30 actions pending again, with all attempts."
    assert shop.statuses()["failed"] == 1
    audit = shop.own("audit")
    assert [(r["target"], r["asked"], r["changed"]) for r in audit] == [
        ("all that match hook:many", 30, 30)
    ]


def test_chosen_ones_and_the_rest(admin, shop):
    """A few need no typing; others stay."""
    ids = [shop.ids["failed"], shop.ids["canceled"], shop.ids["complete"]]
    page = admin.get("/actions/bulk/retry", query_string={"id": ids})
    assert "Retry 3 actions?" in texts(page.text)
    assert "Type" not in texts(page.text)
    admin.post("/actions/bulk/retry", {"id": ids, "shown": "3"})
    assert admin.notice() == "2 actions pending again, with all attempts."
    assert shop.row(shop.ids["complete"])["status"] == "complete"


def test_more_than_was_shown_is_not_changed(admin, shop):
    """Between preview and press the search came to match more."""
    admin.get("/actions/bulk/delete?q=hook:late")
    for number in range(40):
        shop.add("late", (number,), at=NOW, status="failed")
    assert admin.post("/actions/bulk/delete", {"q": "hook:late", "shown": "3"}).status_code == 403
    assert len(shop.rows("actions", "hook = 'late'")) == 40


def test_replaying_a_dead_letter(admin, shop):
    """As it is, and the new action is shown."""
    letter = shop.ids["letter"]
    answer = admin.post(f"/dead-letters/{letter}/replays")
    new = int(answer.headers["Location"].rpartition("/")[2])
    assert shop.row(new)["args"] == "[1]"
    assert admin.notice() == f"Dead letter {letter} is replayed as action {new}."


def test_replaying_with_edited_args(admin, shop):
    """JSON that the handler takes; anything else changes nothing."""
    letter = shop.ids["letter"]
    for args in ("[", "42", '"x"', "[1, 2, 3]", "[" * 600 + "]" * 600):
        answer = admin.post(f"/dead-letters/{letter}/replays", {"args": args})
        assert answer.status_code == 409, args
        assert "The args were not taken" in texts(answer.text)
    assert len(shop.rows()) == 7
    answer = admin.post(f"/dead-letters/{letter}/replays", {"args": '[5, {"a": 1}]'})
    new = int(answer.headers["Location"].rpartition("/")[2])
    assert json.loads(shop.row(new)["args"]) == [5, {"a": 1}]
    assert shop.own("audit")[-1]["note"] == "with other args"


def test_hidden_args_are_not_sent_back(admin, shop):
    """A form that showed them hidden would replace the true ones."""
    letter = bury(shop, 77, args='[{"password":"c4n4ryV4lu3"}]')
    page = admin.get(f"/dead-letters/{letter}")
    assert "c4n4ry" not in page.text
    assert "<textarea" not in page.text
    new = int(admin.post(f"/dead-letters/{letter}/replays").headers["Location"].rpartition("/")[2])
    assert shop.row(new)["args"] == '[{"password":"c4n4ryV4lu3"}]'


def test_discarding(admin, shop):
    """With a reason; a second time says what became of it."""
    letter = shop.ids["letter"]
    admin.post(f"/dead-letters/{letter}/discards", {"why": "the order was\r\ncanceled"})
    assert shop.own("dead_letters")[0]["note"] == "the order was canceled"
    admin.post(f"/dead-letters/{letter}/discards")
    assert "was discarded" in admin.notice()


def test_many_dead_letters(admin, shop):
    """Replayed together, each once, one row of the audit."""
    for number in range(30):
        bury(shop, 100 + number, "shop_many")
    assert "Replay 30 dead letters?" in texts(
        admin.get("/dead-letters/bulk/replays?hook=shop_many").text
    )
    sent = {"hook": "shop_many", "shown": "30", "typed": "30"}
    admin.post("/dead-letters/bulk/replays", sent)
    assert admin.notice() == "30 dead letters replayed."
    assert len(shop.rows("actions", "hook = 'shop_many'")) == 30
    admin.post("/dead-letters/bulk/replays", sent)
    assert len(shop.rows("actions", "hook = 'shop_many'")) == 30
    assert [(r["asked"], r["changed"]) for r in shop.own("audit")] == [(30, 30), (0, 0)]


def test_pausing_and_resuming(admin, shop):
    """A group that there is, for a while; the overview says so."""
    sent = {"kind": "group", "name": "shop", "for": "1h", "reason": "stocktaking"}
    assert admin.post("/pauses", sent).status_code == 303
    pause = shop.own("pauses")[0]
    assert (pause["kind"], pause["name"], pause["actor"]) == ("group", "shop", "the-admin")
    assert str(pause["until"]) == sql_date(NOW + 3600)
    assert "1 paused shop" in texts(admin.get("/").text)
    assert "stocktaking" in texts(admin.get("/pauses").text)
    admin.post("/pauses/ends", {"kind": "group", "name": "shop"})
    assert shop.own("pauses") == []
    admin.post("/pauses/ends", {"kind": "group", "name": "shop"})
    assert "was not paused any more" in admin.notice()
    for wrong in ({"kind": "group", "name": "nobody"}, {"kind": "x"}, {"kind": "hook", "name": ""},
                  {"kind": "group", "name": "shop", "for": "9y"}):  # fmt: skip
        assert admin.post("/pauses", wrong).status_code == 409, wrong


def test_the_audit_shows_both_ways(admin, shop):
    """Page and shell, the newest first."""
    admin.post(f"/actions/{shop.ids['failed']}/retry")
    page = texts(admin.get("/audit").text)
    assert f"the-admin retry action {shop.ids['failed']} 1 of 1 page, 127.0.0.1" in page
    assert "Nobody has changed anything that matches" in texts(admin.get("/audit?actor=eva").text)


def test_the_api_is_the_same_model_as_the_shells(admin, shop, server):
    """/api/status and `runner status --json` tell one truth."""
    database, site = connected(shop)
    told = snapshot(database, site, ["shop_failed", "shop_sync"]).as_json()
    database.close()
    shown = admin.client.get("/api/status").json
    assert shown.pop("counted_to") == 5_000
    told.pop("counted_to")
    assert shown == json.loads(json.dumps(told))


def test_every_view_and_write_is_in_the_api(app, shop):
    """A token does without cookies and forms; each page has its JSON."""
    token = account(shop, "bot", "admin", token=True)
    bot = Visitor(app, headers={"Authorization": f"Bearer {token}"})
    for path in ("/", "/actions", f"/actions/{shop.ids['failed']}", "/dead-letters", "/recurring", "/workers",
                 f"/dead-letters/{shop.ids['letter']}", "/pauses", "/doctor", "/audit", "/status"):  # fmt: skip
        answer = bot.client.get(f"/api{path}", headers=bot.headers)
        assert answer.status_code == 200, path
        assert answer.is_json
        assert "c4n4ry" not in answer.text
    done = bot.post(f"/api/actions/{shop.ids['failed']}/retry", csrf="")
    assert (done.status_code, done.json["ok"], done.json["changed"]) == (
        200,
        True,
        [shop.ids["failed"]],
    )
    assert shop.own("audit")[0]["way"] == "api"
    gone = bot.client.get("/api/actions/99999", headers=bot.headers)
    assert gone.status_code == 404
    assert gone.is_json


def test_times_are_the_sites_or_utc(admin, shop):
    """As one prefers; the other is on hovering."""
    id_ = shop.ids["failed"]
    assert "06:55:10" in texts(admin.get(f"/actions/{id_}").text)  # Budapest is an hour ahead
    admin.post("/preferences", {"zone": "utc", "to": "/actions"})
    assert "05:55:10" in texts(admin.get(f"/actions/{id_}").text)


def test_nothing_secret_is_shown_anywhere(admin, shop):
    """Args, log lines, errors, tracebacks, with a canary in each."""
    for path in ("/", "/actions", "/actions?q=status:failed", "/dead-letters", "/audit", "/recurring",
                 *(f"/actions/{shop.ids[k]}" for k in ("pending", "failed")),
                 f"/dead-letters/{shop.ids['letter']}", "/actions/bulk/retry?q=status:failed"):  # fmt: skip
        for face in ("", "/api"):
            answer = admin.client.get(f"{face}{path}")
            assert answer.status_code == 200, path
            assert "c4n4ry" not in answer.text, path
    assert "[hidden]" in admin.get(f"/actions/{shop.ids['pending']}").text


def test_the_doctor_looks_beside_the_request(app, shop, admin, monkeypatch):
    """A page that comes before the findings says so; everybody within a minute sees the same."""
    from runner.operations.doctor import examine  # noqa: PLC0415  it is held up
    from web.views import doctor  # noqa: PLC0415  the same

    go, looks = threading.Event(), []

    def slowly(patient):
        looks.append(1)
        assert go.wait(30)
        return examine(patient)

    monkeypatch.setattr(doctor, "examine", slowly)
    assert "The doctor is looking" in texts(admin.get("/doctor").text)
    assert admin.client.get("/api/doctor").json["ready"] is False
    go.set()
    until(lambda: "as they should be" in admin.get("/doctor").text)
    assert admin.client.get("/api/doctor").json["counts"]["ok"] > 10
    assert looks == [1]


def test_without_handlers_it_works_too(shop):
    """A page that knows no handlers shows everything all the same."""
    visitor = signed_in(make_page(shop), shop)
    for path in ("/", f"/actions/{shop.ids['pending']}", "/workers", "/doctor"):
        assert visitor.get(path).status_code == 200


def test_a_chain_that_stopped(admin, shop):
    """It is told when it ended, not when its next one comes: there is none. One that is late is due."""
    hourly = schedules.interval(NOW - 7200, 3600)
    ended = {"status": "failed", "last_attempt_gmt": sql_date(NOW - 3600)}
    last = shop.add("shop_hourly", (), at=NOW - 3600, schedule=hourly, **ended)
    shop.add("shop_late", (), at=NOW - 60, schedule=hourly)
    rows = admin.get("/recurring").text.split("<li ")
    row = next(line for line in rows if "shop_hourly" in line)
    assert [text in row for text in ("stopped", f"#{last}", "ended <time")] == [True] * 3
    assert "next" not in row
    assert "due <time" in next(line for line in rows if "shop_late" in line)
    assert any("next <time" in line for line in rows)
