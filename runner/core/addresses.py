"""Addresses that a setting holds: of mail, of a mail server, of a web hook. Each is refused with
what was expected, before anything is sent there."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})|\[[0-9a-fA-F:.]+\]")


def is_address(text: str) -> bool:
    """Whether it is one mail address, and nothing else."""
    return bool(_ADDRESS.fullmatch(text)) and ".." not in text


def check_addresses(text: str) -> tuple[str, ...]:
    """Addresses with commas between. Raises ValueError."""
    found = tuple(part.strip(" ") for part in text.split(",") if part.strip(" "))
    if not found or not all(is_address(address) for address in found):
        raise ValueError("mail addresses, such as ops@example.com, with commas between")
    return found


def check_sender(text: str) -> str:
    """One address that may stand in a mail's From. Raises ValueError."""
    [address, *others] = check_addresses(text)
    try:
        Address(addr_spec=address)
    except (ValueError, MessageError):
        others = [address]
    if others:
        raise ValueError("one mail address, such as runner@example.com")
    return address


def check_host(text: str) -> str:
    """`smtp.example.com`, `smtp.example.com:587`, `[::1]:25`. Raises ValueError."""
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    host = host if colon else text
    known = _HOST.fullmatch(host) and (not colon or (port.isascii() and port.isdigit()))
    if not known or (colon and not 0 < int(port) < 65_536):  # noqa: PLR2004
        raise ValueError("a host, or a host and a port, such as smtp.example.com:587")
    return text


def host_and_port(text: str) -> tuple[str, int]:
    """Of a text that `check_host` took; port 0 where it has none."""
    if text.endswith("]") or ":" not in text:
        return text.strip("[]"), 0
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def check_url(text: str) -> str:
    """The address, if it is one of https. Raises ValueError, and never repeats it: whoever knows
    it can post there."""
    expected = "an address that begins with https:// (it is a secret: name a file with it)"
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme == "https" and parts.hostname and (parts.port or 443) > 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.strip().isprintable() or " " in text.strip():
        raise ValueError(expected)
    return text.strip()
