"""What a site's tables and server are told from."""

import pytest

from compat.site_time import SiteZone
from compat.tables import CLAIM_INDEX, HOOK_INDEX, NEEDED, Shape, UnknownShape, shape
from runner import ConfigError
from runner.site import Site, Tables, check_prefix, has_skip_locked, identifiers

INDEXES = {
    "PRIMARY": ("action_id",),
    "hook_status_scheduled_date_gmt": HOOK_INDEX,
    "args": ("args",),
    "claim_id_status_priority_scheduled_date_gmt": CLAIM_INDEX,
}
OLD_INDEXES = {"hook": ("hook",), "claim_id_status_scheduled_date_gmt": ("claim_id", "status", "scheduled_date_gmt")}  # fmt: skip


def columns(*, add=(), without=(), required=()):
    """Columns of all four tables; names as `table.column`."""
    found = {table: dict.fromkeys(names, False) for table, names in NEEDED.items()}
    for name in (*add, *required):
        table, _, column = name.partition(".")
        found.setdefault(table, {})[column] = name in required
    for name in without:
        table, _, column = name.partition(".")
        if column:
            del found[table][column]
        else:
            del found[table]
    return found


@pytest.mark.parametrize(
    ("add", "indexes", "expected"),
    [
        pytest.param((), OLD_INDEXES, Shape(False, False, None, None), id="schema 3"),
        pytest.param(("actions.priority",), OLD_INDEXES, Shape(True, False, None, None), id="schema 7"),
        pytest.param(("actions.priority",), INDEXES, Shape(True, False, "hook_status_scheduled_date_gmt", "claim_id_status_priority_scheduled_date_gmt"), id="schema 8"),
        pytest.param(("actions.priority", "actions.unique_key"), INDEXES, Shape(True, True, "hook_status_scheduled_date_gmt", "claim_id_status_priority_scheduled_date_gmt"), id="schema 9"),
        pytest.param(("actions.priority",), {"own": HOOK_INDEX, "other": CLAIM_INDEX}, Shape(True, False, "own", "other"), id="indexes of other names"),
        pytest.param(("actions.priority",), {"a": HOOK_INDEX[:2], "b": (*CLAIM_INDEX, "args"), "c": CLAIM_INDEX[::-1]}, Shape(True, False, None, None), id="indexes of other columns"),
        pytest.param(("actions.priority",), {"status_last_attempt_gmt": ("status", "last_attempt_gmt")}, Shape(True, False, None, None, "status_last_attempt_gmt"), id="index for cleaning"),
        pytest.param(("actions.colour", "logs.level", "options.x"), {}, Shape(False, False, None, None), id="others' columns"),
    ],
)  # fmt: skip
def test_a_shape_is_told_from_columns_and_indexes(add, indexes, expected):
    """What the tables have decides, by columns; names of indexes mean nothing."""
    assert shape(columns(add=add), indexes) == expected


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        *[({"without": [table]}, f"there is no table {table}") for table in NEEDED],
        *[
            ({"without": [f"{table}.{column}"]}, f"table {table} has no column {column}")
            for table, names in NEEDED.items()
            for column in sorted(names)
        ],
        (
            {"required": ["actions.tenant"]},
            "table actions wants a value for the unknown column tenant",
        ),
        ({"required": ["logs.level"]}, "table logs wants a value for the unknown column level"),
    ],
    ids=str,
)
def test_an_unknown_shape_is_refused(changes, why):
    """A missing table or column, or one that an insert would have to fill, is named."""
    with pytest.raises(UnknownShape, match=f"^{why}$"):
        shape(columns(**changes), INDEXES)


def test_no_tables_at_all():
    """An empty database names the first table that is missing."""
    with pytest.raises(UnknownShape, match="there is no table actions"):
        shape({}, {})


def test_known_columns_may_be_required():
    """A value that is always written may be demanded."""
    everything = columns(required=[f"{t}.{c}" for t, names in NEEDED.items() for c in names])
    assert shape(everything, {}) == Shape(False, False, None, None)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("10.5.26-MariaDB", False),
        ("10.6.0-MariaDB", True),
        ("10.6.18-MariaDB-0ubuntu0.22.04.1", True),
        ("10.11.14-MariaDB-0+deb12u2", True),
        ("11.4.2-MariaDB-ubu2404", True),
        ("12.0.1-MariaDB", True),
        ("10.10.2-MariaDB", True),
        ("5.5.5-10.5.8-MariaDB-1:10.5.8+maria~focal", False),
        ("5.5.5-10.6.4-MariaDB-1:10.6.4+maria~focal", True),
        ("5.5.68-MariaDB", False),
        ("5.7.44", False),
        ("5.7.44-log", False),
        ("8.0.0-dmr", False),
        ("8.0.1-dmr", True),
        ("8.0.36-0ubuntu0.22.04.1", True),
        ("8.4.0", True),
        ("9.1.0-commercial", True),
        ("5.6.47.0", False),
        ("SQLite 3.45.1", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_which_servers_skip_locked_rows(server, expected):
    """MariaDB from 10.6.0 and MySQL from 8.0.1 can; what is unknown cannot."""
    assert has_skip_locked(server) is expected


@pytest.mark.parametrize("prefix", ["wp_", "wp_2_", "WP", "a", "_", "0", "x" * 40])
def test_a_prefix_is_letters_digits_and_underscores(prefix):
    """Such a prefix gives quoted table names that fit MySQL's 64 characters."""
    tables = check_prefix(prefix)
    assert tables.identifiers() == {
        "actions": f"`{prefix}actionscheduler_actions`",
        "claims": f"`{prefix}actionscheduler_claims`",
        "groups": f"`{prefix}actionscheduler_groups`",
        "logs": f"`{prefix}actionscheduler_logs`",
        "options": f"`{prefix}options`",
        "job_log": f"`{prefix}wpkite_job_log`",
        "job_letters": f"`{prefix}wpkite_dead_letters`",
        "migrations": f"`{prefix}runner_migrations`",
        "workers": f"`{prefix}runner_workers`",
        "leases": f"`{prefix}runner_leases`",
        "held": f"`{prefix}runner_held`",
        "dead_letters": f"`{prefix}runner_dead_letters`",
        "pauses": f"`{prefix}runner_pauses`",
        "rates": f"`{prefix}runner_rates`",
        "locks": f"`{prefix}runner_locks`",
        "skips": f"`{prefix}runner_skips`",
        "minutes": f"`{prefix}runner_minutes`",
        "census": f"`{prefix}runner_census`",
        "failures": f"`{prefix}runner_failures`",
        "accounts": f"`{prefix}runner_accounts`",
        "sessions": f"`{prefix}runner_sessions`",
        "sign_ins": f"`{prefix}runner_sign_ins`",
        "audit": f"`{prefix}runner_audit`",
        "alerts": f"`{prefix}runner_alerts`",
        "messages": f"`{prefix}runner_messages`",
        "silences": f"`{prefix}runner_silences`",
        "looks": f"`{prefix}runner_looks`",
        "attempts": f"`{prefix}runner_attempts`",
        "people": f"`{prefix}users`",
        "people_meta": f"`{prefix}usermeta`",
        "network_meta": f"`{prefix}sitemeta`",
        "attempts_index": f"`{prefix}runner_attempt_index`",
    }
    assert max(len(name) - 2 for name in tables.identifiers().values()) <= 64


@pytest.mark.parametrize(
    "prefix", ["", "wp-", "wp'", 'wp"', "wp`", "wp ", "wp;--", "wp\n", "wé_", "wp_{actions}", "x" * 41]
)  # fmt: skip
def test_any_other_prefix_is_refused(prefix):
    """Nothing that could break out of a quoted name comes through."""
    with pytest.raises(ConfigError, match="table prefix"):
        check_prefix(prefix)


def site(found, *, skip_locked=True):
    return Site(Tables("wp_"), found, SiteZone(), "", "8", "", False, skip_locked, True)


BARE = Shape(False, False, None, None)
FULL = Shape(True, True, "by_hook", "by_claim")


@pytest.mark.parametrize(
    ("found", "dialect", "skip_locked", "expected"),
    [
        pytest.param(
            FULL, "mysql", True,
            {
                "hook_index": "FORCE INDEX (`by_hook`)", "claim_index": "FORCE INDEX (`by_claim`)",
                "by_key": "FORCE INDEX (PRIMARY)", "lock": "FOR UPDATE",
                "lock_free": "FOR UPDATE SKIP LOCKED", "priority": "priority",
                "priority_column": "priority,", "release_unique_key": ", unique_key = NULL",
            },
            id="newest schema",
        ),
        pytest.param(
            BARE, "mysql", True,
            {"hook_index": "", "claim_index": "", "priority": "10", "priority_column": "",
             "release_unique_key": "", "turn_unique_key": ""},
            id="oldest schema",
        ),
        pytest.param(FULL, "mysql", False, {"lock": "FOR UPDATE", "lock_free": "FOR UPDATE"}, id="old server"),
        pytest.param(
            FULL, "sqlite", False,
            {"hook_index": "", "claim_index": "", "by_key": "", "lock": "", "lock_free": ""},
            id="SQLite",
        ),
    ],
)  # fmt: skip
def test_statements_are_fitted_to_the_site(found, dialect, skip_locked, expected):
    """Hints, locks and optional columns appear only where site and server have them."""
    fitted = identifiers(site(found, skip_locked=skip_locked), dialect)
    assert {name: fitted[name] for name in expected} == expected
    assert fitted["actions"] == "`wp_actionscheduler_actions`"


def test_a_unique_key_is_kept_while_an_action_waits():
    """A row that begins keeps its key; one that ends loses it."""
    text = identifiers(site(FULL), "mysql")["turn_unique_key"]
    assert text == ", unique_key = CASE WHEN status = 'pending' THEN unique_key ELSE NULL END"
