"""The SQL files: each statement is named, explained, used, and nothing else holds SQL."""

import ast
import re
from pathlib import Path

import pytest

from compat.site_time import SiteZone
from compat.tables import Shape
from runner.site import Site, Tables, identifiers
from runner.storage import queries
from runner.storage.queries import Queries, bind, load, numbered, repeated

ROOT = Path(__file__).parents[2]
SCHEMA = sorted(f"schema/{path.name}" for path in (ROOT / "sql" / "schema").glob("*.sql"))
FILES = [*sorted(path.name for path in (ROOT / "sql").glob("*.sql")), *SCHEMA]
STATEMENTS = [(file, name) for file in FILES for name in load(file)]
MARKS = {"mysql": "%%(%s)s", "sqlite": ":%s"}


def sources():
    """The runner's modules, but the demo, which makes rows of its own, as syntax trees."""
    for path in sorted((ROOT / "runner").rglob("*.py")):
        if "demo" not in path.parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def texts(tree):
    """String literals of a module that are not docstrings."""
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def facts(found, dialect):
    site = Site(Tables("wp_"), found, SiteZone(), "", "8", "", False, True, True)
    own = {"number": "1", "name": "x", "checksum": "y"}  # of a migration
    other = {
        "table": "wp_actionscheduler_actions",
        "isolation": "x",
        "limit": "x = 1",
        "home": "`x`",
    }
    other |= {"trigger": "`x`", "trigger_hooks": "'AB'"}
    parked = {"years": "800", "parked_from": "2800-01-01 00:00:00", "held": "`wp_runner_held`"}
    rights = {"rights": "x", "database": "`x`", "account": "'x'@'%'", "column": "a"}
    return identifiers(site, dialect) | own | other | parked | rights


def dialects(name):
    base, _, variant = name.partition("@")
    return base, [variant] if variant else list(MARKS)


def filled():
    """Every statement, for every kind of server and table."""
    shapes = [Shape(False, False, None, None), Shape(True, True, "by_hook", "by_claim")]
    for file, name in STATEMENTS:
        base, servers = dialects(name)
        for server in servers:
            for found in shapes:
                yield server, f"{file} {name}", Queries(file, server, facts(found, server))[base]


def test_the_files_are_there():
    """The tests below see the files that the runner uses."""
    assert FILES == [
        "accounts.sql", "action_scheduler.sql", "actions.sql", "alerts.sql", "audit.sql", "chains.sql", "changes.sql", "dead_letters.sql", "doctor.sql", "enqueue.sql",
        "explain.sql", "gates.sql", "grants.sql", "health.sql", "install.sql", "jobs.sql", "leases.sql", "listing.sql",
        "migrate.sql", "minutes.sql", "parked.sql", "pauses.sql", "purge.sql", "rail.sql", "report.sql", "settling.sql", "site.sql", "upstream.sql",
        "schema/0001_leases.sql", "schema/0002_parked.sql", "schema/0003_control.sql", "schema/0004_page.sql", "schema/0005_alerts.sql",
    ]  # fmt: skip
    assert queries.folder() == ROOT / "sql"
    assert all(load(file) for file in FILES)


@pytest.mark.parametrize("file", FILES)
def test_every_statement_has_a_name_and_a_purpose(file):
    """A file explains itself first; each name occurs once, is followed by its purpose, then SQL."""
    head, *parts = re.split(
        r"^-- name: ", (ROOT / "sql" / file).read_text("utf-8"), flags=re.MULTILINE
    )
    assert head.startswith("-- ")
    assert all(line.startswith("--") for line in head.split("\n") if line)
    names = [part.split("\n", 1)[0] for part in parts]
    assert sorted(names) == sorted(set(names)) == sorted(load(file))
    for part in parts:
        name, purpose, *rest = part.split("\n")
        assert re.fullmatch(r"-- \S.*", purpose), f"{name} has no purpose"
        assert any(line and not line.startswith("--") for line in rest), f"{name} is empty"


@pytest.mark.parametrize(("file", "name"), STATEMENTS)
def test_variants_are_of_known_servers(file, name):
    """After the @ stands a server that the runner knows."""
    assert set(dialects(name)[1]) <= set(MARKS)


def test_every_statement_is_used():
    """No statement is left over: each name stands in the runner (the demo makes upstream's, and
    migrations are run whole)."""
    used = {text for _, tree in sources() for text in texts(tree)}
    whole = {"upstream.sql", *SCHEMA}
    names = {dialects(name)[0] for file, name in STATEMENTS if file not in whole}
    assert names - used == set()
    assert 'load("upstream.sql")' in (ROOT / "runner" / "demo" / "shop.py").read_text("utf-8")


def test_every_statement_that_is_asked_for_exists():
    """A name in `queries["…"]` is a statement of some file."""
    names = {dialects(name)[0] for _, name in STATEMENTS}
    asked = {
        node.slice.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and re.search(r"queries$|^Queries\(", ast.unparse(node.value))
    }
    assert len(asked) > 20
    assert asked - names == set()


SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|TRUNCATE|SET|WITH)\s"
    r"|\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\b.+\bSET\b|\bUNION ALL\b .",
    re.DOTALL,
)


def test_no_statement_stands_in_the_code():
    """SQL is in the SQL files alone: no literal of the runner is a statement."""
    found = [
        (path.name, text) for path, tree in sources() for text in texts(tree) if SQL.search(text)
    ]
    assert found == []


def test_the_scan_finds_statements():
    """The test above would see a statement, and takes no prose for one."""
    statements = ["SELECT 1", " update x set y = 1".upper(), "(SELECT a FROM b)", "INSERT INTO x"]
    assert all(SQL.search(text) for text in statements)
    prose = ["grant SELECT, INSERT and UPDATE on the tables, and SELECT on options", "FOR UPDATE"]
    assert not any(SQL.search(text) for text in prose)


def test_every_statement_is_filled_for_every_site():
    """No braces are left, and no table is named but through them."""
    for server, name, text in filled():
        assert not re.search(r"[{}]", text), name
        assert "--" not in text, name
        hint = name == "actions.sql index_of_hook"  # nothing where there is no such index
        assert hint or text.strip(), f"{name} for {server}"
    for file, name in STATEMENTS:
        assert not re.search(r"wp_|actionscheduler_", load(file)[name]), name


def test_every_statement_binds_on_every_server():
    """Each parameter gets its mark, every value that is given is bound, and no other mark is left."""
    for server, name, text in filled():
        wanted = set(queries._PARAMETER.findall(text))
        statement, bound = bind(text, dict.fromkeys(wanted, 5), MARKS[server])
        assert bound == dict.fromkeys(wanted, 5), name
        plain = statement % dict.fromkeys(wanted, "5") if server == "mysql" else statement
        marks = set(re.findall(r"(?<![:\w']):([a-z_]\w*)", plain))
        assert marks == (set() if server == "mysql" else wanted), name


@pytest.mark.parametrize(
    ("text", "values", "sqlite", "bound"),
    [
        pytest.param("a = :a", {"a": 1}, "a = :a", {"a": 1}, id="value"),
        pytest.param("a = :a OR :a", {"a": 1}, "a = :a OR :a", {"a": 1}, id="twice"),
        pytest.param("a = :a", {"a": None, "b": 2}, "a = :a", {"a": None}, id="null, and one too many"),
        pytest.param("(:a, :ab, :a_b)", {"a": 1, "ab": 2, "a_b": 3}, "(:a, :ab, :a_b)", {"a": 1, "ab": 2, "a_b": 3}, id="names within names"),
        pytest.param("IN (:a)", {"a": [1, "x"]}, "IN (:a__0, :a__1)", {"a__0": 1, "a__1": "x"}, id="list"),
        pytest.param("IN (:a)", {"a": (1,)}, "IN (:a__0)", {"a__0": 1}, id="tuple"),
        pytest.param("IN (:a)", {"a": []}, "IN (NULL)", {}, id="empty list"),
        pytest.param("'+00:00' AND 1", {}, "'+00:00' AND 1", {}, id="colon before a digit"),
        pytest.param("x::y ':z'", {}, "x::y ':z'", {}, id="no parameters"),
        pytest.param("a = :a", {"a": ":b"}, "a = :a", {"a": ":b"}, id="a value like a mark"),
    ],
)  # fmt: skip
def test_parameters_are_bound_never_written(text, values, sqlite, bound):
    """Parameters become the driver's marks; their values travel apart from the text."""
    assert bind(text, values, ":%s") == (sqlite, bound)
    statement, again = bind(text, values, "%%(%s)s")
    assert again == bound
    assert statement % {name: f":{name}" for name in bound} == sqlite


def test_percent_signs_survive():
    """PyMySQL formats with percent signs: those of the statement are doubled, and only there."""
    text = "LIKE 'utf8%' AND a = :a"
    assert bind(text, {"a": "5%"}, "%%(%s)s")[0] % {"a": "x"} == "LIKE 'utf8%' AND a = x"
    assert bind(text, {"a": "5%"}, ":%s")[0] == text


def test_a_missing_value_is_an_error():
    """A parameter without a value is the runner's mistake, seen before the database is."""
    with pytest.raises(KeyError, match="b"):
        bind("a = :a AND b = :b", {"a": 1}, ":%s")


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("a = :hook", ["hook"], "a = :hook_3"),
        ("a = :hook OR :hook", ["hook"], "a = :hook_3 OR :hook_3"),
        ("(:hooks, :hook_x, :hook)", ["hook"], "(:hooks, :hook_x, :hook_3)"),
        ("(:a, :b, :c)", ["a", "b"], "(:a_3, :b_3, :c)"),
        ("a = :a", [], "a = :a"),
    ],
)
def test_parameters_are_numbered(text, names, expected):
    """A statement can be repeated in a union: named parameters, and no others, get a number."""
    assert numbered(text, names, 3) == expected


def test_an_insert_is_repeated_by_position():
    """One statement for many rows: the marks stand in the order of the values, also of a
    parameter that occurs twice; percent signs are kept from a driver that formats."""
    text = "INSERT INTO x (a, b) VALUES (:a, '5%', :b, f(:a))"
    rows = [{"a": 1, "b": 2, "c": 0}, {"a": ":b", "b": None, "c": 0}]
    statement, values = repeated(text, rows, "?")
    assert statement == "INSERT INTO x (a, b) VALUES (?, '5%', ?, f(?)), (?, '5%', ?, f(?))"
    assert values == [1, 2, 1, ":b", None, ":b"]
    statement, again = repeated(text, rows[:1], "%s")
    assert statement % tuple(again) == "INSERT INTO x (a, b) VALUES (1, '5%', 2, f(1))"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    other = tmp_path / "another project's sql"
    other.mkdir()
    (tmp_path / "site.sql").touch()  # by which ours is known
    monkeypatch.setattr(queries, "_FOLDERS", (other, tmp_path))
    load.cache_clear()
    yield tmp_path
    load.cache_clear()


FILE = """-- The head is no statement.

-- name: one
-- Purpose: :not_a_parameter, {not_filled}.
SELECT {a}
  -- a comment inside
FROM {b}

-- name: one@sqlite
-- The same.
SELECT {a} FROM lite

-- name: two
-- Another.
SELECT 'a--b', {b}
"""


def test_a_file_is_read_without_its_comments(folder):
    """Statements come by name, without comment lines; the folder that exists is used."""
    (folder / "x.sql").write_text(FILE)
    assert load("x.sql") == {
        "one": "SELECT {a}\nFROM {b}",
        "one@sqlite": "SELECT {a} FROM lite",
        "two": "SELECT 'a--b', {b}",
    }


def test_a_servers_variant_comes_before_the_common_statement(folder):
    """Braces are filled with identifiers; what is unknown is an error."""
    (folder / "x.sql").write_text(FILE)
    known = {"a": "x", "b": "{a}"}
    assert Queries("x.sql", "mysql", known)["one"] == "SELECT x\nFROM {a}"
    assert Queries("x.sql", "sqlite", known)["one"] == "SELECT x FROM lite"
    assert Queries("x.sql", "sqlite", known)["two"] == "SELECT 'a--b', {a}"
    with pytest.raises(KeyError, match="three"):
        Queries("x.sql", "mysql", known)["three"]
    with pytest.raises(KeyError, match="b"):
        Queries("x.sql", "mysql", {"a": "x"})["one"]
