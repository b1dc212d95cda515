"""The mail of an alert, as it came out of a real mail server, in a real browser."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from support.inbox import mail_server

from runner.alerts.mail import Mail
from runner.core.addresses import host_and_port
from runner.core.message import RAISED, RESOLVED, Line, Message

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def test_the_mail_is_read_back_and_rendered(browser):
    """What is wrong, what to do, what is over, a link; nothing of the site's is run or loaded."""
    message = Message(
        "t", "shop.test", "https://shop.test", "https://runner.test/alerts",
        (
            Line(RAISED, "php", "critical", "", "PHP's runner is silent", "See that WP-Cron runs.", 1000, 1090),
            Line(RAISED, "failures", "warning", f"hook {EVIL}", f"34 % of {EVIL} failed"),
            Line(RESOLVED, "stuck", "warning", "", "one was stuck", "", 1000, 4600),
        ),
        more=4, to="admin@shop.test",
    )  # fmt: skip
    with mail_server() as inbox:
        host, port = host_and_port(inbox.host)
        Mail(host, port).send(message)
    html = inbox.letters[0].get_body(("html",)).get_content()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(html)
    shown = page.inner_text("body")
    for text in ("Critical", "PHP's runner is silent (for 1 min 30 s)", "See that WP-Cron runs.", EVIL,
                 "Resolved", "one was stuck (lasted 1 h)", "And 4 more", "https://shop.test"):  # fmt: skip
        assert text in shown, text
    assert page.get_by_role("link", name="Open the page").get_attribute("href") == message.link
    assert page.title().startswith("[shop.test] CRITICAL: 7 alerts, first: PHP's runner is silent")
    assert asked == []
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
    context.close()
