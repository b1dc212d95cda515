"""Messages that go out: by a real mail server and a real HTTPS endpoint, well behaved or not."""

from __future__ import annotations

import socket
import time

import pytest
from support.inbox import (
    CA,
    drop,
    drops_tls,
    hang,
    https_server,
    mail_server,
    rude_server,
    server_tls,
    trickle,
)

from runner.alerts import https, mail
from runner.alerts.https import request
from runner.alerts.mail import Mail
from runner.alerts.own import load
from runner.alerts.slack import Slack, payload
from runner.core.addresses import host_and_port
from runner.core.errors import ConfigError
from runner.core.message import RAISED, RESOLVED, Line, Message, SendError

EVIL = "<!channel> & <https://evil.test|click> */_`\r\nBcc: evil@evil.test"


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """The tests' own authority signs the servers' certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", CA)


@pytest.fixture
def quick(monkeypatch):
    """What hangs is left sooner."""
    for module in (https, mail):
        monkeypatch.setattr(module, "TIMEOUT", 0.4)
        monkeypatch.setattr(module, "ALL_TOGETHER", 1.0)


def message(text: str = "612 actions are overdue", **facts) -> Message:
    line = Line(RAISED, "overdue", "critical", "", text, "See that the queue is run.", 1000, 1090)
    given = {"site": "shop.test", "url": "https://shop.test", "link": "https://runner.test/alerts",
             "lines": (line,), "to": "admin@shop.test", "thread": "alert-7"}  # fmt: skip
    return Message("t", **given | facts)


def mailer(inbox, **options) -> Mail:
    host, port = host_and_port(inbox if isinstance(inbox, str) else inbox.host)
    return Mail(host, port, **options)


def test_a_mail_is_read_as_text_and_as_html():
    """To the site's own address; it threads, answers no robot, and is plainly from us."""
    with mail_server() as inbox:
        mailer(inbox).send(message())
    [letter] = inbox.letters
    assert letter.to == ["admin@shop.test"]
    assert letter["Subject"] == "[shop.test] CRITICAL: 612 actions are overdue"
    assert letter["From"].addresses[0].addr_spec == "runner@shop.test"
    assert letter["References"] == "<alert-7@shop.test>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"]
    assert letter["Message-ID"]
    text, html = (
        letter.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html")
    )
    assert text == (
        "Critical: 612 actions are overdue (for 1 min 30 s).\n  See that the queue is run.\n\n"
        "Site: https://shop.test\nPage: https://runner.test/alerts\n"
    )
    assert '<a href="https://runner.test/alerts">Open the page</a>' in html


def test_what_comes_from_the_site_is_text_everywhere():
    """No header, no tag and no call of everybody comes out of the name of a hook."""
    with mail_server() as inbox:
        mailer(inbox).send(message(EVIL, site=EVIL))
    [letter] = inbox.letters
    assert "Bcc" not in letter
    assert letter.to == ["admin@shop.test"]
    assert "<!channel>" not in letter.get_body(("html",)).get_content()
    lines = letter.get_body(("plain",)).get_content().splitlines()
    assert not any(line.startswith("Bcc") for line in lines)
    sent = str(payload(message(EVIL, site=EVIL)))
    assert "<!channel>" not in sent
    assert "<https://evil" not in sent
    assert "&lt;!channel&gt; &amp;" in sent


@pytest.mark.parametrize("mode", ["tls", "starttls", "auto"])
def test_mail_over_tls_with_a_password(mode):
    """Under each way of speaking it."""
    with mail_server(tls=mode == "tls", starttls=mode != "tls", auth=True) as inbox:
        mailer(inbox, tls=mode, user="me", password="right").send(message())
    assert inbox.logins == [(b"me", b"right")]
    assert inbox.letters[0].tls or mode == "tls"


def test_a_wrong_password_is_not_repeated():
    with mail_server(starttls=True, auth=True) as inbox, pytest.raises(SendError) as error:
        mailer(inbox, user="me", password="c4n4ry").send(message())
    assert "refused the account (535)" in str(error.value)
    assert "c4n4ry" not in repr(error.value) + repr(mailer(inbox, password="c4n4ry"))


def test_a_password_needs_tls(monkeypatch):
    """Elsewhere than on this machine."""
    monkeypatch.setattr(mail, "_is_here", lambda _host: False)
    with mail_server(auth=True) as inbox, pytest.raises(SendError, match="does not go out without"):
        mailer(inbox, user="me", password="right").send(message())
    assert inbox.logins == inbox.letters == []


def test_a_certificate_is_checked(monkeypatch):
    """Of a server that TLS was asked for."""
    monkeypatch.setenv("SSL_CERT_FILE", CA.replace("ca.pem", "other-ca.pem"))
    with mail_server(starttls=True) as inbox, pytest.raises(SendError, match="not trusted"):
        mailer(inbox, tls="starttls").send(message())
    with https_server() as hook, pytest.raises(SendError, match="not trusted"):
        request(hook.url, b"{}", private=True)
    assert inbox.letters == hook.posts == []


def test_starttls_that_is_not_offered():
    with mail_server() as inbox, pytest.raises(SendError, match="does not offer STARTTLS"):
        mailer(inbox, tls="starttls").send(message())


@pytest.mark.parametrize("answer", ["451 later", "554 no thanks"])
def test_mail_that_is_refused(answer):
    """What the server says is told."""
    with mail_server() as inbox:
        inbox.says.append(answer)
        with pytest.raises(SendError, match=f"it answered {answer}"):
            mailer(inbox).send(message())
        mailer(inbox).send(message())
    assert len(inbox.letters) == 1


def test_a_password_that_cannot_be_written():
    """SMTP knows ASCII. It is told, and not what the password is."""
    with mail_server(starttls=True, auth=True) as inbox, pytest.raises(SendError) as error:
        mailer(inbox, user="me", password="c4n4ry-\N{RIGHT DOUBLE QUOTATION MARK}").send(message())
    assert "smtp_password has letters that are not ASCII" in str(error.value)
    assert "c4n4ry" not in str(error.value)


def test_mail_that_some_are_refused():
    """The others have it."""
    with mail_server() as inbox:

        async def handle_rcpt(server, session, envelope, address, options):
            if address.startswith("gone"):
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        inbox.handle_RCPT = handle_rcpt
        with pytest.raises(SendError, match=r"refused gone@b\.test, and took it") as error:
            mailer(inbox, to=("here@b.test", "gone@b.test")).send(message())
    assert error.value.partly
    assert inbox.letters[0].to == ["here@b.test"]


@pytest.mark.parametrize("rude", [hang, trickle, drop, drops_tls])
def test_a_rude_mail_server_costs_no_more_than_its_time(rude, quick):
    """However slowly it goes on answering."""
    began = time.monotonic()
    with rude_server(rude) as address, pytest.raises(SendError):
        mailer(address).send(message())
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("rude", [hang, trickle, drop])
def test_a_rude_endpoint_costs_no_more_than_its_time(rude, quick):
    began = time.monotonic()
    with rude_server(rude) as address, pytest.raises(SendError):
        request(f"https://{address}/", b"{}", private=True)
    assert time.monotonic() - began < 10


def test_a_server_that_is_reached_late_has_no_more_time(quick, monkeypatch):
    """The time was over while its name was looked up: what it then says letter by letter is not
    listened to."""
    found = socket.getaddrinfo

    def slowly(*given, **named):
        time.sleep(1.2)
        return found(*given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setattr(https, "getaddrinfo", slowly)
    began = time.monotonic()
    with rude_server(trickle) as address:
        for send in (
            lambda: mailer(address).send(message()),
            lambda: request(f"https://{address}/", private=True),
        ):
            with pytest.raises(SendError):
                send()
    assert time.monotonic() - began < 12


def test_nobody_to_mail_to():
    with mail_server() as inbox, pytest.raises(SendError, match="set alert_email"):
        mailer(inbox).send(message(to="nobody"))
    assert inbox.letters == []


def test_slack_gets_blocks():
    """A heading, what is wrong and what to do, and a link to the page."""
    over = Line(RESOLVED, "php", "critical", "", "PHP's runner is silent", "", 1000, 4600)
    with https_server() as hook:
        Slack(hook.url, private=True).send(message(lines=(*message().lines, over), more=3))
    [post] = hook.posts
    assert post["text"] == "[shop.test] CRITICAL: 5 alerts, first: 612 actions are overdue"
    kinds = [block["type"] for block in post["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    said = [block["text"]["text"] for block in post["blocks"][1:4]]
    assert said[0] == ":red_circle: *Critical*  612 actions are overdue (for 1 min 30 s)\nSee that the queue is run."  # fmt: skip
    assert said[1] == ":large_green_circle: *Resolved*  PHP's runner is silent (lasted 1 h)"
    assert said[2].startswith("And 3 more")
    assert "<https://runner.test/alerts|Open the page>" in post["blocks"][4]["elements"][0]["text"]


def test_slack_s_limits_are_kept():
    """However long a hook's name is, and however much of it must be escaped."""
    found = payload(message("&" * 5000))
    assert len(found["blocks"][0]["text"]["text"]) <= 150
    assert all(len(b["text"]["text"]) <= 3000 for b in found["blocks"] if "text" in b)
    assert not found["blocks"][0]["text"]["text"].endswith(("&", "&a", "&am", "&amp"))


@pytest.mark.parametrize(
    ("status", "headers", "body", "why", "after"),
    [
        (429, {"Retry-After": "77"}, b"slow down", "answered 429 slow down", 77),
        (429, {"Retry-After": "tomorrow"}, b"", "answered 429", None),
        (500, {}, b"\x1b[31moh\r\nno", "answered 500", None),
        (302, {"Location": "https://127.0.0.1:1/"}, b"", "redirects are not followed", None),
        (500, {}, b"x" * 10_000_000, "answered 500", None),
    ],
)
def test_an_endpoint_that_refuses(status, headers, body, why, after):
    """It is told why, on one line, without the address's secret; a redirect leads nowhere."""
    with https_server() as hook:
        hook.answers.append((status, headers, body))
        with pytest.raises(SendError, match=why) as error:
            Slack(hook.url, private=True).send(message())
    assert error.value.after == after
    assert len(hook.posts) == 1
    assert "c4n4ry" not in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "body",
    [b"Cannot POST /services/T0/B0/c4n4ry", b"<pre>no c4n4ry here</pre>", b"x" * 95 + b"c4n4ry"],
)
def test_an_endpoint_that_repeats_its_address(body):
    """Whoever knows it can post there: neither the answer nor its status line tells it on."""
    with https_server() as hook:
        hook.answers.append((404, {}, body))
        with pytest.raises(SendError, match="answered 404") as error:
            request(hook.url, b"{}", private=True)
    assert "c4n" not in str(error.value)


def test_an_endpoint_that_speaks_no_http():
    """It may say whatever it was asked."""

    def echo(connection, over):
        with server_tls().wrap_socket(connection, server_side=True) as tls:
            asked = b""
            while not asked.endswith(b"{}"):  # what is left unread would reset the connection
                asked += tls.recv(1000)
            tls.sendall(asked)

    with (
        rude_server(echo) as address,
        pytest.raises(SendError, match="no answer that is one") as error,
    ):
        request(f"https://{address}/services/c4n4ry", b"{}", private=True)
    assert "c4n4ry" not in str(error.value)


def test_no_private_address_unless_that_is_allowed():
    """Nobody is made to ask this network's own machines."""
    with https_server() as hook:
        for url in (hook.url, hook.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(SendError, match="alert_private = true"):
                request(url, b"{}")
    assert hook.posts == []


def test_a_channel_of_one_s_own(tmp_path, monkeypatch):
    """A function; whatever it raises is a failure like another."""
    (tmp_path / "ours_channels.py").write_text(
        "def page(message):\n    raise KeyError(message.title())\nnumber = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SendError, match=r"KeyError: '\[shop.test\] CRITICAL"):
        load("ours_channels:page").send(message())
    for name, why in (
        ("pager", "there is no channel 'pager': expected MODULE:NAME"),
        ("ours_channels:number", "cannot be called"),
        ("ours_channels:gone", "cannot be loaded"),
        ("ours_nothing:page", "cannot be loaded"),
    ):
        with pytest.raises(ConfigError, match=why):
            load(name)


def test_a_message_survives_its_way_through_a_table():
    assert Message.from_json(message().as_json()) == message()
