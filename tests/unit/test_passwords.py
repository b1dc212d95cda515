"""WordPress's password hashes, made by PHP's own functions; and what an account may do."""

from __future__ import annotations

import bcrypt
import pytest

from compat.capabilities import capabilities, super_admins
from compat.passwords import Kind, bcrypt_parts, is_too_long, kind_of, nobodys, portable_matches
from runner.operations.wordpress_accounts import password_matches

MADE_BY_PHP = [
    ("correct horse", "$wp$2y$05$Cl0JpZt0HrOzBa9cFIRcDOytv2blcqBJp1vgjSZ1QoJgBwd0CG1HC"),
    ("correct horse", "$2y$05$XpP.fTDLQKS4lceEZ.GZOepAuLHuGogKUtNwDygzg2EEHKYIxD0MO"),
    (" spaced out ", "$wp$2y$05$KhDzc6FUwX69cAoGCG0yBOWiIj03Pnn2y2CQ2xFaMG51GH3SMquSS"),
    (" spaced out ", "$2y$05$a83tyWJ78tCqcW2keCbQ1OgFNh8ijL4tlo8xkxfVvjoziMxAjQIpS"),
    ("pässwörd", "$wp$2y$05$u2iL2Qua4RwuQkTRFStpQuqpEE6/k1MHncftrFgPM6XrGvQSApT9e"),
    ("pässwörd", "$2y$05$mot.8JThQq0q0xAnKZVSJuYV3xAlruJyOPrKQYm5sxJwQsXftf/.C"),
    ("x" * 100, "$wp$2y$05$/lOPHxa.rbEFUt2Y2f29a.sMPKmgDWP9Sj80jybQzEFkD.bvXPOVC"),
    ("x" * 100, "$2y$05$f47DvG1VaC0laZ9qpjnMnOQwdDaxjLgAIrdg.uVynI93iYefOwSsq"),
    ("correct horse", "$P$BabcdEFGHy9DcyJiTWZdCpz6vaL2XB1"),
    ("", "$P$BabcdEFGHO9BQaxWjpEtpJXGoPRNJ.0"),
    ("pässwörd", "$P$BabcdEFGH/NKS7kGoFV/RutmMYSpX/."),
    ("admin", "$wp$2y$10$JCk1qckWR/cM9i851TYhNeHJ6M6884/b2gRGfKfGB5FGDaRye/DQi"),
]


@pytest.mark.parametrize(("password", "stored"), MADE_BY_PHP)
def test_a_password_matches_its_own_hash(password, stored):
    """And another one does not."""
    assert password_matches(password, stored)
    assert not password_matches(password + "!", stored) or len(password) > 72
    assert not password_matches("another", stored)


def test_wordpress_trims_before_it_hashes():
    """The blanks at a password's ends do not count in its own kind, and do in plain bcrypt."""
    assert password_matches("spaced out", MADE_BY_PHP[2][1])
    assert not password_matches("spaced out", MADE_BY_PHP[3][1])


@pytest.mark.parametrize(
    "stored",
    ["", "admin", "5f4dcc3b5aa765d61d8327deb882cf99", "$argon2id$v=19$m=65536,t=4,p=1$c2FsdA$aGFzaA",
     "$P$", "$P$BabcdEFGH", "$wp", "$wp$argon2id$x", "$2y$", "$2y$05$short", "$wp$2y$99$" + "a" * 53],
)  # fmt: skip
def test_what_is_no_hash_that_is_known_matches_nothing(stored, caplog):
    """No exception comes out, and the log never has the hash."""
    for password in ("", "admin", stored):
        assert not password_matches(password, stored)
    assert not stored or stored not in caplog.text


def test_a_kind_that_is_unknown_is_told(caplog):
    """An operator can see why somebody cannot sign in."""
    assert not password_matches("x", "$argon2id$v=19$m=65536,t=4,p=1$c2FsdA$aGFzaA")
    assert "not known" in caplog.text


def test_a_hash_cannot_ask_for_endless_rounds():
    """2 to the 30th rounds would take an hour: such a hash was put there by somebody else."""
    hostile = "$P$S" + MADE_BY_PHP[8][1][4:]
    assert kind_of(hostile) is Kind.PORTABLE
    assert not portable_matches("correct horse", hostile)


@pytest.mark.parametrize("prefix", ["", "$wp"])
def test_a_hash_cannot_ask_for_days(prefix, caplog):
    """bcrypt's cost doubles the time with each step: what nobody writes is not computed, but told."""
    hostile = f"{prefix}$2y$31${'a' * 53}"
    assert kind_of(hostile) is Kind.UNKNOWN  # before it would be computed
    assert not password_matches("x", hostile)
    assert "cost" in caplog.text
    assert kind_of(f"{prefix}$2y$15${'a' * 53}") is not Kind.UNKNOWN


@pytest.mark.parametrize(
    ("like", "cost"),
    [("$wp$2y$12$x", "12"), ("$2y$05$x", "05"), ("$P$B", "10"), ("", "10"), ("$2y$31$x", "10")],
)
def test_the_hash_of_nobody(like, cost):
    """It costs what the site's own do, and is one that bcrypt computes."""
    assert nobodys(like).startswith(f"$wp$2y${cost}$")
    assert kind_of(nobodys(like)) is Kind.WORDPRESS
    bcrypt.checkpw(b"x", nobodys("$2y$04$")[3:].encode())  # raises for what is no hash


def test_bcrypt_gets_no_more_than_it_reads():
    """bcrypt's library refuses what is longer than 72 bytes."""
    secret, _ = bcrypt_parts("ö" * 100, "$2y$05$" + "a" * 53)
    assert len(secret) == 72
    assert is_too_long("ö" * 2049)
    assert not is_too_long("ö" * 2048)


ADMIN = 'a:1:{s:13:"administrator";b:1;}'
ROLES = (
    'a:2:{s:13:"administrator";a:2:{s:4:"name";s:5:"Admin";s:12:"capabilities";a:2:'
    '{s:14:"manage_options";b:1;s:4:"read";b:1;}}s:10:"subscriber";a:2:{s:4:"name";s:3:"Sub";'
    's:12:"capabilities";a:1:{s:4:"read";b:1;}}}'
)


@pytest.mark.parametrize(
    ("meta", "roles", "found"),
    [
        (ADMIN, ROLES, {"administrator", "manage_options", "read"}),
        ('a:1:{s:10:"subscriber";b:1;}', ROLES, {"subscriber", "read"}),
        ('a:1:{s:13:"administrator";b:0;}', ROLES, set()),
        ('a:2:{s:10:"subscriber";b:1;s:14:"manage_options";b:1;}', ROLES,
         {"subscriber", "read", "manage_options"}),
        ('a:2:{s:13:"administrator";b:1;s:14:"manage_options";b:0;}', ROLES, {"administrator", "read"}),
        ('a:1:{s:13:"administrator";s:1:"1";}', ROLES, {"administrator", "manage_options", "read"}),
        (ADMIN, "", {"administrator", "manage_options", "edit_users", "activate_plugins"}),
        (ADMIN, "broken", {"administrator"}),
        ("", ROLES, set()),
        ("a:1:{s:13:", ROLES, set()),
        ('O:8:"stdClass":1:{s:13:"administrator";b:1;}', ROLES, set()),
        ("a:1:{i:0;R:1;}", ROLES, set()),
        ('s:13:"administrator";', ROLES, set()),
        ("b:1;", "b:1;", set()),
        ('a:2:{s:10:"subscriber";b:1;s:5:"extra";a:0:{}}', ROLES, {"subscriber", "read"}),
        ('a:1:{s:13:"administrator";O:3:"Foo":0:{}}', ROLES, set()),
        (ADMIN, 'a:1:{s:13:"administrator";a:1:{s:12:"capabilities";a:1:{s:4:"read";a:0:{}}}}',
         {"administrator"}),
    ],
)  # fmt: skip
def test_what_an_account_may_do(meta, roles, found):
    """By its roles and its own entries; what cannot be read gives nothing."""
    assert capabilities(meta, roles) == found


def test_super_admins():
    """Of a network; nobody where the list cannot be read."""
    assert super_admins('a:2:{i:0;s:5:"admin";i:1;s:3:"eva";}') == {"admin", "eva"}
    assert super_admins("b:0;") == set()
    assert super_admins("") == set()
