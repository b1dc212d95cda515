"""E-mail by SMTP, as text and as HTML."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from html import escape
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.alerts.deadline import deadline
from runner.core.addresses import is_address
from runner.core.message import RESOLVED, TITLE, SendError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.message import Line, Message

TIMEOUT = 10.0
"""Seconds for each step."""

ALL_TOGETHER = 30.0
"""Seconds for the whole conversation."""

PORTS = {"tls": 465, "starttls": 587, "auto": 25, "off": 25}

_COLORS = {"critical": "#b32d2e", "warning": "#996800"}
_GREEN = "#007017"


@dataclass(frozen=True, slots=True)
class Mail:
    """`to` is empty for the site's own address. `tls` is auto, starttls, tls or off: `auto` takes
    what the server offers, and a password never goes out without."""

    host: str
    port: int = 0
    tls: str = "auto"
    user: str = ""
    password: str = field(default="", repr=False)
    to: tuple[str, ...] = ()
    sender: str = ""
    title: str = TITLE
    name: str = "email"

    def send(self, message: Message) -> None:
        to = [*self.to] or [message.to]
        if not is_address(to[0]):
            raise SendError("nobody to send it to: the site's admin_email is none, set alert_email")
        letter = letter_of(message, to, self.sender, self.title)
        held: list[smtplib.SMTP] = []
        with deadline(ALL_TOGETHER, lambda: held[0].sock if held else None) as cut:
            try:
                refused = self._deliver(letter, to, held)
            except (OSError, smtplib.SMTPException, UnicodeError) as error:
                why = f"not done within {ALL_TOGETHER:g} s" if cut.over else _why(error)
                raise SendError(f"{self.host}: {why}") from None
        if refused:
            who = ", ".join(sorted(refused))
            raise SendError(f"{self.host} refused {who}, and took it for the others", partly=True)

    def _deliver(
        self, letter: EmailMessage, to: Sequence[str], held: list[smtplib.SMTP]
    ) -> set[str]:
        """Talks to the server. Those whom it refused, where it took others."""
        port = self.port or PORTS[self.tls]
        if self.tls == "tls":
            made: smtplib.SMTP = smtplib.SMTP_SSL(timeout=TIMEOUT, context=self._context())
        else:
            made = smtplib.SMTP(timeout=TIMEOUT)
        held.append(made)
        made._host = self.host  # type: ignore[attr-defined]  # noqa: SLF001  for the certificate's name
        with contextlib.closing(made):
            made.connect(self.host, port)
            made.ehlo()
            is_safe = self._secure(made)
            if self.user:
                if not is_safe and not _is_here(self.host):
                    raise SendError(
                        f"{self.host} offers no TLS, and a password does not go out without:"
                        " smtp_tls = tls speaks it from the start"
                    )
                made.login(self.user, self.password)
            refused = made.send_message(letter, to_addrs=[*to])
            with contextlib.suppress(OSError, smtplib.SMTPException):
                made.quit()
            return {*refused}

    def _secure(self, made: smtplib.SMTP) -> bool:
        """Whether what follows is encrypted."""
        if self.tls == "tls":
            return True
        if self.tls == "off":
            return False
        if not made.has_extn("starttls"):
            if self.tls == "starttls":
                raise SendError(f"{self.host} does not offer STARTTLS")
            return False
        made.starttls(context=self._context())
        made.ehlo()
        return True

    def _context(self) -> ssl.SSLContext:
        """Certificates are checked, but for a server on this machine that nobody asked to."""
        context = ssl.create_default_context()
        if self.tls == "auto" and _is_here(self.host):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def letter_of(message: Message, to: Sequence[str], sender: str, title: str) -> EmailMessage:
    """The mail. What is raised and what is over stand in one thread."""
    letter = EmailMessage()
    host = (urlsplit(message.url).hostname or "localhost").rstrip(".")
    given = sender or f"runner@{host if is_address(f'runner@{host}') else 'localhost'}"
    letter["Subject"] = message.title(title)
    letter["From"] = Address("WP Action Runner", addr_spec=given)
    letter["To"] = ", ".join(to)
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = make_msgid(domain=given.rpartition("@")[2])
    if message.thread:
        domain = given.rpartition("@")[2]
        letter["References"] = letter["In-Reply-To"] = f"<{message.thread}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter.set_content(message.text())
    letter.add_alternative(_html(message), subtype="html")
    return letter


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return _answer(code, words)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refused the account ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return _trouble(error)


def _trouble(error: Exception) -> str:
    """What hindered the conversation itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(error, UnicodeError):  # its own text repeats what could not be written: a secret
        return "its name, smtp_user or smtp_password has letters that are not ASCII"
    return str(error.args[-1] if error.args else error) or type(error).__name__


def _answer(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"it answered {code} {one_line(text)[:200]}"


def _html(message: Message) -> str:
    rows = "".join(_row(line) for line in message.lines)
    more = ""
    if message.more:
        more = f"<p>And {message.more} more: <code>runner alert list</code> shows them all.</p>"
    link = ""
    if message.link:
        link = f' &middot; <a href="{escape(message.link)}">Open the page</a>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(message.title())}</title></head>"
        '<body style="margin:0;padding:24px;background:#f6f7f7;color:#1d2327;'
        'font:15px/1.5 system-ui,-apple-system,Segoe UI,sans-serif">'
        '<div style="max-width:640px;margin:0 auto;background:#fff;border:1px solid #dcdcde;'
        'border-radius:8px;padding:8px 24px 20px">'
        f"{rows}{more}"
        '<p style="margin:20px 0 0;padding-top:12px;border-top:1px solid #dcdcde;color:#50575e">'
        f"{escape(message.url or message.site)}{link}</p></div></body></html>"
    )


def _row(line: Line) -> str:
    color = _GREEN if line.state == RESOLVED else _COLORS.get(line.severity, "#2271b1")
    lasted = f' <span style="color:#50575e">({escape(line.lasted)})</span>' if line.lasted else ""
    advice = ""
    if line.advice and line.state != RESOLVED:
        advice = f'<p style="margin:4px 0 0;color:#50575e">{escape(line.advice)}</p>'
    return (
        f'<div style="margin:16px 0;padding-left:14px;border-left:4px solid {color}">'
        f'<strong style="color:{color}">{escape(line.label)}</strong>'
        f'<p style="margin:2px 0 0">{escape(line.text)}{lasted}</p>{advice}</div>'
    )
