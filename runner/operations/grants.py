"""The least rights for what an account is to do, and which of them it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import TABLES
from runner.core.errors import DatabaseError, DatabaseGone, Denied, UsageError
from runner.site import OWN_TABLES
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.site import Tables
    from runner.storage.db import Database

Rights = dict[str, set[str]]
"""Words such as SELECT by table, without the prefix."""

_READ = ("SELECT",)
_SIGNING_IN = f"{_READ[0]} (ID, user_login, user_email, user_pass)"
_CAPABILITIES = f"{_READ[0]} (user_id, meta_key, meta_value)"
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
_ASKED = {
    "SELECT": "may_select",
    "INSERT": "may_insert",
    "UPDATE": "may_update",
    "DELETE": "may_delete",
    "CREATE": "may_create",
    _SIGNING_IN: "may_sign_in",
    _CAPABILITIES: "may_see_capabilities",
}
"""The statement that asks whether the account has a right."""
_PLACES = (*TABLES, "options", "users", "usermeta", *OWN_TABLES)

_SITE = dict.fromkeys((*TABLES, "options"), _READ)
"""Every command looks what the site is."""

_PEOPLE = ("accounts", "sessions", "sign_ins", "audit")
"""Who may open the page, and what people changed."""

_ALERTS = ("alerts", "messages", "silences", "looks")
"""What is wrong, and whom it was told."""

_AUDITED = {"audit": ("SELECT", "INSERT", "UPDATE")}

_RUN = {
    **dict.fromkeys(OWN_TABLES, _ALL),
    **dict.fromkeys(("migrations", "pauses", "minutes", "census", *_PEOPLE, *_ALERTS), _READ),
    **dict.fromkeys(("attempts", "failures", "dead_letters"), ("SELECT", "INSERT")),
    "rates": ("SELECT", "INSERT", "UPDATE"),
    "actions": ("SELECT", "INSERT", "UPDATE"),
    "claims": ("SELECT", "INSERT", "DELETE"),
    "logs": ("SELECT", "INSERT"),
}

_CLEAN = {
    "actions": ("SELECT", "DELETE"),
    "logs": ("SELECT", "DELETE"),
    "claims": ("SELECT", "DELETE"),
    **dict.fromkeys(OWN_TABLES, _READ),  # they count when all are seen
    **dict.fromkeys(
        ("attempts", "failures", "leases", "held", "locks", "audit"), ("SELECT", "DELETE")
    ),
}

_PURGE = {
    "actions": ("SELECT", "DELETE"),
    "logs": ("SELECT", "DELETE"),
    **dict.fromkeys(OWN_TABLES, _READ),
    **dict.fromkeys(("attempts", "failures"), ("SELECT", "DELETE")),
    **_AUDITED,
}

_RECORD = {
    **dict.fromkeys(("minutes", "census"), ("SELECT", "INSERT", "DELETE")),
    **dict.fromkeys(("alerts", "messages"), _ALL),
    "silences": ("SELECT", "DELETE"),
    "looks": ("SELECT", "INSERT", "DELETE"),
}
"""What a daemon writes each minute."""

_ENQUEUE = dict.fromkeys(("actions", "groups", "logs"), ("SELECT", "INSERT"))

_MANAGE = {
    **dict.fromkeys(OWN_TABLES, _READ),
    **dict.fromkeys(("attempts", "failures", "held"), ("SELECT", "DELETE")),
    **_AUDITED,
    "dead_letters": ("SELECT", "UPDATE"),
    "pauses": _ALL,
    "silences": ("SELECT", "INSERT", "DELETE"),
    "skips": ("SELECT", "DELETE"),
    "actions": ("SELECT", "UPDATE", "DELETE"),
    "logs": ("SELECT", "INSERT", "DELETE"),
}

_PAGE = dict.fromkeys(("sessions", "sign_ins"), _ALL)
_ACCOUNTS = {
    **dict.fromkeys(OWN_TABLES, _READ),
    **_AUDITED,
    "accounts": _ALL,
    "sessions": ("SELECT", "DELETE"),
}

_SIGN_IN = {"users": (_SIGNING_IN,), "usermeta": (_CAPABILITIES,)}
"""Columns of WordPress's own tables."""

_MIGRATE = {
    **dict.fromkeys(OWN_TABLES, ("CREATE",)),
    "migrations": ("SELECT", "INSERT", "CREATE"),
}

FEATURES: Mapping[str, tuple[Mapping[str, tuple[str, ...]], ...]] = {
    "run": (_RUN,),
    "work": (_RUN, _CLEAN, _RECORD),
    "enqueue": (_ENQUEUE,),
    "manage": (_ENQUEUE, _MANAGE),
    "clean": (_CLEAN,),
    "purge": (_PURGE,),
    "web": (_ENQUEUE, _MANAGE, _PAGE),
    "accounts": (_ACCOUNTS,),
    "wordpress-sign-in": (_SIGN_IN,),
    "migrate": (_MIGRATE,),
    "install": (
        _MIGRATE,
        dict.fromkeys(OWN_TABLES, _READ),
        {"options": _ALL, "actions": ("SELECT", "UPDATE")},
    ),
    "health": (dict.fromkeys(OWN_TABLES, _READ), _RECORD),
    "status": (dict.fromkeys(OWN_TABLES, _READ),),
}
"""What an account may be for. `work` cleans once a day; `manage` is what a person does with single
actions: look, create, cancel, retry, delete; with dead letters; and pauses."""

_COLUMNS = {
    "actions": "status",
    "options": "option_value",
    "workers": "seen_at",
    "leases": "expires_at",
    "held": "claim_id",
    "dead_letters": "status",
    "pauses": "until",
    "rates": "spent_until",
    "locks": "expires_at",
    "skips": "reached",
    "accounts": "role",
    "sessions": "seen_at",
    "sign_ins": "tried_at",
    "audit": "changed",
    "alerts": "told",
    "messages": "tries",
}
"""A column that is written, for those that are updated."""


def rights(features: Iterable[str]) -> Rights:
    """What these features need together. Raises UsageError for one that there is none of."""
    needed: Rights = {}
    for feature in features:
        if feature not in FEATURES:
            raise UsageError(f"--for: there is no {feature!r} (there are: {', '.join(FEATURES)})")
        for part in (_SITE, *FEATURES[feature]):
            for table, words in part.items():
                needed.setdefault(table, set()).update(words)
    return needed


def statements(needed: Rights, database: str, tables: Tables, account: str) -> list[str]:
    """GRANT statements, one a table. `account` as `account_name` gives it."""
    return [
        _queries(
            table, tables, rights=", ".join(words), database=_quoted(database), account=account
        )["grant"]
        for table, words in _ordered(needed)
    ]


def lacking(database: Database, tables: Tables, needed: Rights) -> list[tuple[str, list[str]]]:
    """What the account in use lacks: tables with their words, in order. Writes nothing.

    A table that is missing lacks no right: the server tells it apart.
    """
    database.connect()
    found: list[tuple[str, list[str]]] = []
    for table, words in _ordered(needed):
        queries = _queries(table, tables)
        missing = [word for word in words if not _may(database, queries, word)]
        if missing:
            found.append((place(tables, table), missing))
    return found


def _may(database: Database, queries: Queries, word: str) -> bool:
    try:
        database.query(queries[_ASKED[word]])
        if word == "CREATE":
            database.query(queries["forget"])
    except Denied:
        return False
    except DatabaseGone:
        raise
    except DatabaseError:
        return True  # the table is missing, say: no matter of rights
    return True


def account_name(text: str) -> str:
    """`runner@%`, `'runner'@'%'` or `runner` (any host), quoted. Raises UsageError."""
    user, at, host = text.strip().rpartition("@")
    if not at:
        user, host = host, "%"
    parts = [_bare(user), _bare(host)]
    if not all(parts) or any(mark in part for part in parts for mark in "'`\"\\\n"):
        raise UsageError(f"--account {text!r} is no account: try \"'runner'@'%'\"")
    return "@".join(f"'{part}'" for part in parts)


def _bare(name: str) -> str:
    quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "'`\""
    return name[1:-1] if quoted else name


def place(tables: Tables, table: str) -> str:
    """A table's name with its prefix."""
    if table in TABLES:
        return tables.plain(table)
    return tables.own(table) if table in OWN_TABLES else f"{tables.prefix}{table}"


def _ordered(needed: Rights) -> Iterator[tuple[str, list[str]]]:
    for table in _PLACES:
        if words := needed.get(table):
            yield table, [word for word in _ASKED if word in words]


def _queries(table: str, tables: Tables, **facts: str) -> Queries:
    names = {"table": _quoted(place(tables, table)), "column": _COLUMNS.get(table, "a")}
    return Queries("grants.sql", "mysql", names | facts)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
