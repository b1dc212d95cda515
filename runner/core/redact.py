"""Secrets are not shown: values under names that tell of one, and what looks like one in a text.

Names are looked at by their words: `api_key` and `apiKey` are hidden, `monkey` is not. Texts are
read by expressions that cannot go back and forth.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HIDDEN = "[hidden]"

_WORDS = {
    "pass", "passwd", "password", "passphrase", "passcode", "pwd", "secret", "secrets", "token",
    "tokens", "key", "keys", "apikey", "auth", "authorization", "bearer", "card", "cardnumber",
    "iban", "cvv", "cvc", "pin", "cookie", "cookies", "session", "sessionid", "credential",
    "credentials", "signature", "otp", "nonce", "salt", "privatekey", "secretkey", "accesstoken",
    "refreshtoken", "clientsecret",
}  # fmt: skip
_INSIDE = ("password", "passwd", "secret", "apikey", "credential", "authorization")
"""These tell of a secret wherever they stand in a name: userpassword."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_DEEPEST = 40

_NAME = (
    r"(?i:[\w.-]{0,60}(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key"
    r"|access[_-]?key|credential|authorization|cookie|session[_-]?id|signature|card[_-]?number)s?"
    r"|(?:[\w.-]{0,60}[_.-])?(?:pass|cvv|cvc|iban|auth))"
)
_QUOTED = r"(?:\"(?:[^\"\\\n]|\\.){0,4000}\"?|'(?:[^'\\\n]|\\.){0,4000}'?)"
_IS = r"\s{0,4}(?:=>|=|:)\s{0,4}"
_BARE = r"[^\s\"',;&)}\]]{1,4000}"
_KEY = r"[A-Z ]{0,40}PRIVATE KEY-----"
_PATTERNS: tuple[tuple[str, str], ...] = (
    # scheme://user:password@host, as in DSNs
    (r"\b([a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/@]{0,200}):\S{1,500}@", rf"\1:{HIDDEN}@"),
    # of PHP's serialize(): s:8:"password";s:5:"abcde";
    (rf"(s:\d+:\"{_NAME}\";)s:\d+:\"[^\"]{{0,4000}}\"", rf'\1s:8:"{HIDDEN}"'),
    (r"(?i)\b((?:(?:proxy-)?authorization|(?:set-)?cookie)\s*:)[^\r\n]+", rf"\1 {HIDDEN}"),
    (r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{8,}", rf"\1 {HIDDEN}"),
    # name=value, name: value, "name": "value", 'name' => 'value'
    (
        rf"(?<![\w.-])([\"']?{_NAME}[\"']?{_IS})(?!\[hidden)(?:{_QUOTED}|{_BARE})",
        rf"\1{HIDDEN}",
    ),
    (r"(https://hooks\.slack\.com/services/)[A-Za-z0-9/_-]+", rf"\1{HIDDEN}"),
    (r"\b(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{10,}", HIDDEN),
    (r"\b(?:ghp|gho|ghs|github_pat|xox[abpr]|war)[_-][A-Za-z0-9_-]{10,}", HIDDEN),
    (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*", HIDDEN),
    (rf"-----BEGIN {_KEY}[\s\S]{{0,4000}}?(?:-----END {_KEY}|\Z)", HIDDEN),
)  # fmt: skip
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")


def redacted(value: Any, keys: Sequence[str] = ()) -> Any:
    """The same value with secrets hidden, deep inside. `keys` are further names."""
    return _deep(value, frozenset(key.casefold() for key in keys), 0)


def redact_text(text: str, keys: Sequence[str] = ()) -> str:
    """The same text with what looks like a secret hidden. `keys` are further names."""
    for pattern, shown in _compiled():
        text = pattern.sub(shown, text)
    if keys:
        text = _further(tuple(keys)).sub(rf"\1{HIDDEN}", text)
    return _CARD.sub(_card, text)


def tells_of_secret(name: str) -> bool:
    """Whether what stands under this name is to be hidden."""
    plain = re.sub(r"[^a-z]", "", name.casefold())
    if any(word in plain for word in _INSIDE):
        return True
    return any(part.casefold() in _WORDS for part in _PARTS.findall(name[:200]))


def _deep(value: Any, keys: frozenset[str], depth: int) -> Any:
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, dict):
        return {
            name: HIDDEN
            if isinstance(name, str)
            and item not in (None, "", [], {})
            and (name.casefold() in keys or tells_of_secret(name))
            else _deep(item, keys, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_deep(item, keys, depth + 1) for item in value]
    return redact_text(value) if isinstance(value, str) else value


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Made when the first text is read: it takes longer than most runs have to spare."""
    return tuple((re.compile(pattern), shown) for pattern, shown in _PATTERNS)


@lru_cache(maxsize=8)
def _further(keys: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(key) for key in keys)
    return re.compile(rf"(?<![\w.-])([\"']?(?i:{names})[\"']?{_IS})(?:{_QUOTED}|{_BARE})")


def _card(match: re.Match[str]) -> str:
    """A number by which one could pay: its digits add up as on cards."""
    digits = [int(c) for c in match[0] if c.isdigit()]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return HIDDEN if total % 10 == 0 and any(digits) else match[0]
