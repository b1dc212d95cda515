"""What an administrator does, in a browser: with script and without."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.browser import working
from support.page import record
from support.waiting import until

from compat import schedules
from compat.site_time import sql_date

EVERY = ["/", "/actions", "/actions?q=status:failed", "/actions/{action}", "/dead-letters", "/dead-letters/{letter}",
         "/recurring", "/pauses", "/alerts", "/pauses/new?kind=group", "/workers", "/doctor", "/audit", "/actions/999999",
         "/actions/bulk/retry?q=status:failed", "/actions?q=nothing:x"]  # fmt: skip


@pytest.fixture
def failed(wordpress, cli):
    """An action that failed in the real way, and its dead letter."""
    now = wordpress.run("SELECT UNIX_TIMESTAMP()")[0][0]
    action = wordpress.add("shop_price", (7, "XYZ"), at=now - 60, group="wpkite-emails")
    done = cli("run", "--hooks", "shop_price")
    assert done.returncode == 0, done.stderr
    assert wordpress.row(action)["status"] == "failed"
    return action


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def visitor(browser, request):
    context = browser.new_context(java_script_enabled=request.param)
    made = context.new_page()
    made.set_default_timeout(15_000)
    made.script = request.param
    made.problems = []
    made.on("pageerror", lambda error: made.problems.append(str(error)))
    made.on("console", lambda said: note(made, said))
    yield made
    context.close()


def note(visitor, said) -> None:
    """What the browser complains of, but for answers that are no page: those are meant."""
    if said.type == "error" and not any(code in said.text for code in ("401", "409")):
        visitor.problems.append(said.text)


def sign_in(visitor, page):
    visitor.goto(f"{page}/")
    visitor.get_by_label("Name, or WordPress login").fill("admin")
    visitor.get_by_label("Password").fill("admin")
    visitor.get_by_role("button", name="Sign in").click()
    visitor.get_by_role("heading", name="Overview").wait_for()


def test_finding_reading_retrying_and_seeing_it_complete(visitor, page, wordpress, failed, cli):
    """A failed action is found by its hook, says why, is retried, and completes under one's eyes."""
    wordpress.run(
        "UPDATE wp_actionscheduler_actions SET args = '[7,\"EUR\"]' WHERE action_id = %s", (failed,)
    )
    sign_in(visitor, page)
    visitor.get_by_role("link", name="Failed", exact=False).first.click()
    visitor.get_by_label("Search actions").fill("status:failed hook:shop_price")
    visitor.get_by_role("button", name="Search").click()
    visitor.locator(f"#row-{failed}").get_by_role("link", name="shop_price").click()
    assert "no price of product 7 in XYZ" in visitor.locator(".why").inner_text()
    visitor.locator("summary", has_text="Traceback").first.click()
    assert "raise Fail" in visitor.locator("details[open] pre").inner_text()
    if visitor.script:  # a fold that is open holds its region still
        visitor.locator("summary", has_text="Traceback").first.click()
    visitor.get_by_role("button", name="Retry").click()
    assert f"Action {failed}: pending again" in visitor.get_by_role("status").inner_text()
    with working(cli):
        until(lambda: wordpress.row(failed)["status"] == "complete")
        if visitor.script:
            visitor.locator(".lead .state.complete").wait_for()  # by itself
        else:
            visitor.reload()
    assert "complete" in visitor.locator(".lead").inner_text()
    assert "by admin" in visitor.locator("#log").inner_text()
    assert visitor.problems == []


def test_replaying_a_dead_letter_with_other_args(visitor, page, wordpress, failed, cli):
    """The args are edited in place; the new action is shown, and completes."""
    sign_in(visitor, page)
    visitor.get_by_role("link", name="Dead letters", exact=False).first.click()
    letter = wordpress.own("dead_letters", f"action_id = {failed}")[0]["id"]
    visitor.locator(f"#row-{letter}").get_by_role("link").click()
    field = visitor.get_by_label("Args, as JSON")
    assert json.loads(field.input_value()) == [7, "XYZ"]
    field.fill('[7, "EUR"')
    visitor.get_by_role("button", name="Replay as a new action").click()
    assert "The args were not taken" in visitor.locator("main").inner_text()
    visitor.go_back()
    field.fill('[7, "EUR"]')
    visitor.get_by_role("button", name="Replay as a new action").click()
    visitor.get_by_role("status").wait_for()
    new = wordpress.own("dead_letters", f"id = {letter}")[0]["replayed_as"]
    assert f"#{new}" in visitor.locator(".crumbs").inner_text()
    assert f"dead letter {letter}" in visitor.locator("#facts-list").inner_text()
    done = cli("run", "--hooks", "shop_price")
    assert done.returncode == 0, done.stderr
    assert wordpress.row(new)["status"] == "complete"
    assert visitor.problems == []


def test_pausing_a_group_from_the_overview(visitor, page, wordpress, cli):
    """And resuming it; the worker heeds it meanwhile."""
    record(wordpress)  # the overview's groups come from what was counted
    sign_in(visitor, page)
    visitor.goto(f"{page}/")
    row = visitor.locator("#groups tr", has_text="image-descriptions")
    row.get_by_role("link", name="Pause").click()
    visitor.get_by_label("Why").fill("the mail server moves")
    visitor.get_by_role("button", name="Pause").click()
    assert "Paused: group image-descriptions" in visitor.get_by_role("status").inner_text()
    now = wordpress.run("SELECT UNIX_TIMESTAMP()")[0][0]
    held = wordpress.add("wpkite_send_single_email", (1,), at=now - 10, group="image-descriptions")
    assert cli("run", "--hooks", "wpkite_send_single_email").returncode == 0
    assert wordpress.row(held)["status"] == "pending"
    visitor.goto(f"{page}/actions/{held}")
    assert "paused" in visitor.locator(".why").inner_text().lower()
    visitor.goto(f"{page}/pauses")
    visitor.get_by_role("button", name="Resume").click()
    assert wordpress.own("pauses") == []
    wordpress.run("DELETE FROM wp_actionscheduler_actions WHERE action_id = %s", (held,))
    assert visitor.problems == []


def test_a_wrong_password_and_leaving(visitor, page):
    """A calm word, and out again."""
    visitor.goto(f"{page}/workers")
    visitor.get_by_label("Name, or WordPress login").fill("admin")
    visitor.get_by_label("Password").fill("wrong")
    visitor.get_by_role("button", name="Sign in").click()
    assert "Name or password is wrong" in visitor.get_by_role("alert").inner_text()
    visitor.get_by_label("Password").fill("admin")
    visitor.get_by_role("button", name="Sign in").click()
    visitor.get_by_role("heading", name="Workers").wait_for()
    visitor.get_by_role("button", name="Sign out").click()
    visitor.get_by_role("button", name="Sign in").wait_for()
    visitor.goto(f"{page}/workers")
    assert visitor.get_by_label("Password").is_visible()


@pytest.fixture
def person(browser):
    """With script, on a screen as it is asked for."""
    contexts = []

    def made(**options):
        contexts.append(browser.new_context(**options))
        visitor = contexts[-1].new_page()
        visitor.set_default_timeout(15_000)
        return visitor

    yield made
    for context in contexts:
        context.close()


def test_it_refreshes_itself_and_can_be_stopped(person, page, wordpress):
    """New rows come by themselves; not while it is paused, nor under one's hands."""
    visitor = person()
    sign_in(visitor, page)
    visitor.goto(f"{page}/actions?q=hook:live_one")
    now = wordpress.run("SELECT UNIX_TIMESTAMP()")[0][0]
    first = wordpress.add("live_one", (), at=now)
    visitor.locator(f"#row-{first}").wait_for()
    visitor.locator(f"#row-{first} input").check()
    second = wordpress.add("live_one", (), at=now)
    for _ in range(2):
        with visitor.expect_response(lambda answer: "live_one" in answer.url):
            pass
    assert visitor.locator(f"#row-{second}").count() == 0
    assert visitor.locator(f"#row-{first} input").is_checked()
    visitor.locator(f"#row-{first} input").uncheck()
    visitor.get_by_role("heading", name="Actions", level=1).click()
    visitor.locator(f"#row-{second}").wait_for()
    live = visitor.get_by_role("button", name="Live")
    live.click()
    assert visitor.get_by_role("button", name="Paused").get_attribute("aria-pressed") == "false"
    asked = []
    visitor.on("request", lambda request: asked.append(request.url))
    visitor.wait_for_timeout(6_500)
    assert [url for url in asked if "live_one" in url] == []


def test_the_keyboard_is_enough(person, page):
    """To the content, to the search and through it, without a mouse."""
    visitor = person()
    sign_in(visitor, page)
    visitor.goto(f"{page}/actions")
    visitor.keyboard.press("Tab")
    assert visitor.evaluate("document.activeElement.textContent") == "To the content"
    visitor.keyboard.press("Enter")
    assert visitor.evaluate("document.activeElement.id") == "main"
    visitor.keyboard.press("/")
    visitor.keyboard.type("status:complete")
    visitor.keyboard.press("Enter")
    visitor.wait_for_url("**/actions?q=status%3Acomplete**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found_by_axe(person, page, wordpress, failed, scheme):
    """On every view, in both schemes, and nothing is wider than a phone."""
    letter = wordpress.own("dead_letters")[0]["id"]
    visitor = person(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    visitor.goto(f"{page}/")
    checked = [check(visitor, "sign in")]
    sign_in(visitor, page)
    for path in EVERY:
        visitor.goto(page + path.format(action=failed, letter=letter))
        checked.append(check(visitor, path))
        wide = visitor.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, path
    assert [found for found in checked if found] == []


def check(visitor, path):
    found = Axe().run(visitor).response["violations"]
    return [
        (path, v["id"], [node["html"][:200] for node in v["nodes"][:3]])
        for v in found
        if v["impact"] in {"serious", "critical"}
    ]


def test_nobody_loads_anything_from_elsewhere(person, page):
    """Every request goes to the page itself."""
    visitor = person()
    asked = []
    visitor.on("request", lambda request: asked.append(request.url))
    sign_in(visitor, page)
    for path in ("/actions", "/workers", "/doctor"):
        visitor.goto(f"{page}{path}")
    assert [url for url in asked if not url.startswith(page)] == []


def test_a_day_of_figures_is_drawn(person, page, wordpress):
    """The chart has what the table has."""
    now = wordpress.run("SELECT UNIX_TIMESTAMP()")[0][0]
    wordpress.run("DELETE FROM wp_runner_minutes")
    for hours in range(1, 20):
        wordpress.run(
            "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, waiting) VALUES (%s, '', %s, 2, 1, 40)",
            (sql_date(int(now) // 60 * 60 - hours * 3600), 100 + hours),
        )
    wordpress.add("nightly", (), at=int(now) + 60, schedule=schedules.interval(int(now) + 60, 3600))
    visitor = person()
    sign_in(visitor, page)
    until(lambda: visitor.reload() and visitor.locator("rect.done").count() == 19, every=0.5)
    assert visitor.locator("rect.failed").count() == 19
    assert "2,090 done, 19 retried and 38 failed" in visitor.locator("#chart").inner_text()
