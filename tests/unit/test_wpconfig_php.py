"""PHP's grammar and values as far as configurations need them, and what lies beyond."""

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.wpconfig import folder, outcome, write

from compat.wpconfig import WpConfigError, read

DATA = Path(__file__).parents[1] / "data" / "wpconfig"
DEFAULT = {"n": "n", "u": "u", "p": "p", "h": "h", "t": "wp_"}

# Code, and which of the facts it sets: n(ame), u(ser), p(assword), h(ost), t(able prefix).
READABLE = [
    (r"""define('DB_NAME', "a\x41\101\u{e9}\e\v\f\$x\q"); define('DB_USER', '\'\\\q');""", {"n": "aAAé\x1b\v\f$x\\q", "u": "'\\\\q"}),
    ("""$a = ['x' => ['y' => 'z'], 5 => 'five']; define('DB_NAME', "$a[5] {$a['x']['y']} {$a["x"]["y"]} { ");""", {"n": "five z z { "}),
    ("define('DB_NAME', !isset($q) && !defined('Q') ? 'yes' : 'no');", {"n": "yes"}),
    ("define('DB_NAME', null ?? 'a' ?: 'b');", {"n": "a"}),
    ("$x = false or true; define('DB_NAME', $x ? 't' : 'f');", {"n": "f"}),
    ("if ($x = 'set' and true) define('DB_NAME', $x);", {"n": "set"}),
    ("define('DB_NAME', '10' == 10 ? 'e' : 'n'); define('DB_USER', 'a' == 'A' ? 'e' : 'n'); define('DB_HOST', 'abc' == 0 ? 'e' : 'n');", {"n": "e", "u": "n", "h": "n"}),
    ("define('DB_NAME', 0 == '' ? 'e' : 'n'); define('DB_USER', '0' == false ? 'e' : 'n'); define('DB_HOST', '' == null ? 'e' : 'n');", {"n": "n", "u": "e", "h": "e"}),
    ("define('DB_NAME', !false === true ? 'y' : 'n'); define('DB_USER', '1' === 1 ? 'y' : 'n'); define('DB_HOST', 1 <> 2 ? 'y' : 'n');", {"n": "y", "u": "n", "h": "y"}),
    ("switch ('1') { case 1: define('DB_NAME', 'i'); case 2: define('DB_USER', 'fall'); break; default: define('DB_HOST', 'x'); }", {"n": "i", "u": "fall"}),
    ("switch ('q') { default: define('DB_NAME', 'd'); case 'a': define('DB_USER', 'fall'); break; case 'b': define('DB_HOST', 'x'); }", {"n": "d", "u": "fall"}),
    ("function f($a, $b = 'd') { if ($a) { return $a . $b; } return 'none'; } define('DB_NAME', f('x')); define('DB_USER', F('', 'q')); define('DB_HOST', \\f('a', 'b'));", {"n": "xd", "u": "none", "h": "ab"}),
    ("function g() { define('DB_NAME', 'from g'); } g();", {"n": "from g"}),
    ("function e() { if (true) { return 'in'; } define('DB_NAME', 'bad'); } define('DB_USER', e());", {"u": "in"}),
    ("function b($e) { switch ($e) { case 'a': return 'A'; default: $r = 'D'; break; } return $r; } define('DB_NAME', b('a')); define('DB_USER', b('z'));", {"n": "A", "u": "D"}),
    ("if (!function_exists('nx')) { function nx() { return 'nx'; } } define('DB_NAME', nx());", {"n": "nx"}),
    ("if (function_exists('later')) define('DB_NAME', 'hoisted'); function later() {}", {"n": "hoisted"}),
    ("include __DIR__ . '/inc/a.php';", {"u": "inc", "t": "inc_"}),
    ("require_once('inc/a.php'); $table_prefix = 'x_'; require_once 'inc/../inc/a.php';", {"u": "inc", "t": "x_"}),
    ("define('DB_NAME', (require 'inc/b.php')['n']); $d = include __DIR__ . '/inc/b.php'; define('DB_USER', \"{$d['k']['p']}\");", {"n": "bee", "u": "q"}),
    ("define('DB_NAME', (@include 'missing.php') === false ? 'false' : 'other');", {"n": "false"}),
    ("define('DB_NAME', trim(\"  x\\0 \")); define('DB_USER', rtrim('a//', '/')); define('DB_HOST', ltrim(' y'));", {"n": "x", "u": "a", "h": "y"}),
    ("define('DB_NAME', base64_decode('YWJj')); define('DB_USER', base64_decode('YW Jj='));", {"n": "abc", "u": "abc"}),
    ("define('DB_NAME', dirname('/a/b/c', 2)); define('DB_USER', dirname('a/b')); define('DB_HOST', dirname('/a'));", {"n": "/a", "u": "a", "h": "/"}),
    ("$u = parse_url('mysql://u:p%40w:x@h:33/d?s=1#f'); define('DB_PASSWORD', rawurldecode($u['pass'])); define('DB_NAME', $u['query'] . $u['fragment'] . $u['port']);", {"p": "p@w:x", "n": "s=1f33"}),
    ("define('DB_NAME', parse_url('mysql://u@h/db', PHP_URL_HOST)); define('DB_USER', parse_url('mysql://u@h/d')['pass'] ?? 'none');", {"n": "h", "u": "none"}),
    ("define('DB_PASSWORD', <<<\"X\"\n  a $table_prefix \\x41 \"q\"\n    b\n  X\n); define('DB_NAME', <<<'Y'\n\nY);", {"p": 'a wp_ A "q"\n  b', "n": ""}),
    ("define('DB_NAME', <<<XX\n XXY\n XX\n);", {"n": "XXY"}),
    ("if (1): if (0): define('DB_NAME', 'a'); elseif (1): define('DB_NAME', 'b'); endif; else: define('DB_NAME', 'c'); endif;", {"n": "b"}),
    ("if (0) define('DB_NAME', 'a'); else if (0) define('DB_NAME', 'b'); else define('DB_NAME', 'c');", {"n": "c"}),
    ("define('DB_NAME', 'a'); ?> text <?php define('DB_USER', 'b') ?> more <?= 'x' ?> <?PHP define('DB_HOST', 'c');", {"n": "a", "u": "b", "h": "c"}),
    ("// define('DB_NAME', 'x') ?> <?php define('DB_NAME', 'c1');", {"n": "c1"}),
    ("define /* x */ ( # y\n 'DB_NAME' // z\n , 'k', );", {"n": "k"}),
    ("define('db_name', 'lower'); define('DB_NAME', 'upper'); Define('DB_USER', db_name);", {"n": "upper", "u": "lower"}),
    ("$a = ['a', 'b', 'k' => 'c', 'd', '7' => 'e', 'f', true => 'T', null => 'N']; define('DB_NAME', $a[1] . $a[8] . $a[''] . $a['2']);", {"n": "TfNd"}),
    ("define('DB_USER', ($z = 'in') . $z);", {"u": "inin"}),
    ("declare(ticks=1); use A\\{B, C}; define('FS_CHMOD_FILE', 0644 & ~umask()); $i = 1 + 2; $a['k'] = 'v'; $s = (string) 5; echo 'x';", {}),
    ("function r($n) { return $n ? 'r' . r('') : 'z'; } define('DB_NAME', r('x'));", {"n": "rz"}),
    ("if (preg_match('/bot/', $_SERVER['HTTP_USER_AGENT'], $found)) { header('HTTP/1.1 403'); exit; }", {}),
    ("if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && strpos($_SERVER['HTTP_X_FORWARDED_PROTO'], 'https') !== false) { $_SERVER['HTTPS'] = 'on'; } define('WP_HOME', 'https://' . $_SERVER['HTTP_HOST']);", {}),
    ("@ini_set('memory_limit', '256M'); error_reporting(E_ALL & ~E_NOTICE); defined('DB_NAME') or define('DB_NAME', 'or');", {"n": "or"}),
    ("if (PHP_SAPI === 'cli') { define('WP_DEBUG', true); } require __DIR__ . '/vendor/autoload.php'; if (strpos('abc', 'b')) { switch ('a') { case 'a': define('X', 1); break; } }", {}),
]  # fmt: skip

# Code that sets a needed name in a way that is not computed, and what the error says.
UNREADABLE = [
    ("$x = 'v'; define('DB_NAME', \"$x->y\");", "line 3: DB_NAME depends on '$' in a place"),
    ("function g() { global $table_prefix; $table_prefix = 'g_'; } g();", "line 3: $table_prefix depends on"),
    ("function g() { $GLOBALS['table_prefix'] = 'g_'; } g();", "line 3: DB_NAME depends on '=' in a place"),
    ("function r(&$x) { $x = 'changed'; } r($table_prefix);", "line 3: DB_NAME depends on a call of r()"),
    ("foreach (['DB_NAME' => 'l'] as $k => $v) { define($k, $v); }", "line 3: DB_NAME depends on a loop (foreach)"),
    ("foreach ($c as $k => $v) { define($k, $v); }", "line 3: DB_NAME depends on a loop (foreach)"),
    ("if (strlen('x')) { define('DB_' . 'NAME', 'v'); }", "line 3: DB_NAME depends on a call of strlen()"),
    ("$f = 'define'; if (strlen('x')) { $f('DB_' . 'NAME', 'v'); }", "line 3: DB_NAME depends on"),
    ("foreach ($c as $k => $v): define($k, $v); endforeach;", "line 3: ':' in a place"),
    ("while (!defined('DB_NAME')) { define('DB_NAME', 'w'); }", "line 3: DB_NAME depends on a loop (while)"),
    ("do { define('DB_NAME', 'd'); } while (false);", "line 3: DB_NAME depends on a loop (do)"),
    ("try { define('DB_NAME', 't'); } catch (Exception $e) { define('DB_USER', 'c'); }", "line 3: DB_NAME depends on what is in try"),
    ("goto end; define('DB_NAME', 'skipped'); end:", "line 3: DB_NAME depends on"),
    ("call_user_func('define', 'DB_NAME', 'c');", "line 3: DB_NAME depends on a call of call_user_func()"),
    ("$f = 'define'; $f('DB_NAME', 'dyn');", "line 3: DB_NAME depends on '(' in a place"),
    ("class C { static function d() { define('DB_NAME', 's'); } } C::d();", "line 3: DB_NAME depends on"),
    ("class C { static function d() { global $table_prefix; $table_prefix = 's_'; } } C::d();", "line 3: DB_NAME depends on"),
    ("class D { const N = 'x'; } define('DB_NAME', D::N);", "line 3: DB_NAME depends on '::' in a place"),
    ("$n = 'table_prefix'; $$n = 'v_';", "line 3: DB_NAME depends on '$' in a place"),
    ("${'table_prefix'} = 'v_';", "line 3: DB_NAME depends on '$' in a place"),
    ("define('DB_NAME', \"a${'b'}\");", "line 3: DB_NAME depends on '$' in a place"),
    ("extract(['table_prefix' => 'e_']);", "line 3: DB_NAME depends on a call of extract()"),
    ("preg_match('/(b)/', 'abc', $m); $table_prefix = $m[1] ?? 'none_';", "line 3: $table_prefix depends on a call of preg_match()"),
    ("$a = 'x'; $b = &$a; $b = 'y'; define('DB_NAME', $a);", "line 3: DB_NAME depends on '&' in a place"),
    ("[$a] = ['x']; define('DB_NAME', $a);", "line 3: DB_NAME depends on '=' in a place"),
    ("define('DB_NAME', (fn() => 'x')());", "line 3: DB_NAME depends on 'fn'"),
    ("$x = match(true) { default => 'm' }; define('DB_NAME', $x);", "line 3: DB_NAME depends on 'match'"),
    ("define('DB_NAME', `hostname`);", "line 3: '`' where PHP code is expected"),
    ("define('DB_NAME', ltrim('0012', '0..1'));", "line 3: DB_NAME depends on what ltrim() gives"),
    ("define('DB_NAME', 1.5);", "line 3: DB_NAME depends on '1.5' in a place"),
    ("define('DB_NAME', ['a']);", "line 3: DB_NAME is no text"),
    ("define('DB_NAME', \"\\xff\");", "line 3: DB_NAME is not UTF-8"),
    ("define('DB_NAME', UNKNOWN_NAME);", "line 3: DB_NAME depends on the constant UNKNOWN_NAME"),
    ("return;", "does not define DB_NAME"),
    ("$table_prefix = include 'inc/a.php';", "line 3: $table_prefix is no text"),
    ("if (version_compare(PHP_VERSION, '8', '<')) { define('DB_NAME', 'old'); }", "line 3: DB_NAME depends on the constant PHP_VERSION"),
    ("if (isset($_GET['x'])) $table_prefix = 'get_';", "line 3: $table_prefix depends on the web request ($_GET)"),
    ("strpos('abc', 'b') && define('DB_NAME', 's');", "line 3: DB_NAME depends on a call of strpos()"),
    ("$x = strpos('abc', 'b') ? define('DB_NAME', 's') : 0;", "line 3: DB_NAME depends on a call of strpos()"),
    ("switch ('a') { case 'a': if (strpos('abc', 'b')) break; define('DB_NAME', 'x'); }", "line 3: DB_NAME depends on a call of strpos()"),
    ("function f() { if (strpos('abc', 'b')) { return 'x'; } return 'y'; } define('DB_NAME', f());", "line 3: DB_NAME depends on a call of strpos()"),
    ("$e = $_SERVER['SERVER_NAME'] === 'dev' ? 'a' : 'b'; require \"inc/$e.php\";", "line 3: DB_NAME depends on the web request"),
    ("Dotenv\\Dotenv::create(__DIR__)->load(); define('DB_NAME', $_ENV['DB_NAME']);", "line 3: DB_NAME depends on '::' in a place"),
    ("load_settings(); defined('DB_NAME') || define('DB_NAME', 'x');", "line 3: DB_NAME depends on a call of load_settings()"),
    ("if (getenv('HTTP_HOST') === 'x') define('DB_NAME', 'x');", "line 3: DB_NAME depends on the web request (getenv('HTTP_HOST'))"),
    ("declare(ticks=1) { define('DB_NAME', my()); }", "line 3: DB_NAME depends on '=' in a place"),
    ("define('DB_NAME', 'n'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p'); define('DB_HOST', 'h'); require ($table_prefix = strrev('x')) . '/wp-settings.php';", "line 3: $table_prefix depends on a call of strrev()"),
    ("include 'my-wp-settings.php' . my();", "line 3: DB_NAME depends on a call of my()"),
    ("eval($_GET['code']);", "line 3: DB_NAME depends on the web request"),
    ("define('DB_NAME', 'x' . 1 + 2);", "line 3: DB_NAME depends on '+' in a place"),
    ("define('DB_NAME', '10' == '1e1' ? 'e' : 'n');", "line 3: DB_NAME depends on a comparison of numbers"),
    ("switch (true): case true: define('DB_NAME', '2'); endswitch;", "line 3: ':' in a place"),
    ("function t(int $x) { return $x; } define('DB_NAME', t('05'));", "line 3: DB_NAME depends on a call of t()"),
    ("function y() { define('DB_NAME', 'never'); yield 1; } y();", "line 3: DB_NAME depends on a call of y()"),
    ("<?php namespace Foo; define('DB_NAME', 'n');", "line 1: 'namespace', which changes what names mean"),
    ("include 'inc/c.php';", "line 3: DB_NAME depends on inc/c.php, which has in line 1 'namespace'"),
    ("use function My\\define; define('DB_NAME', 'x');", "line 3: 'use', which changes what names mean"),
    ("$a['b'] = 'x'; define('DB_NAME', $a['b']);", "line 3: DB_NAME depends on '=' in a place"),
    ("$table_prefix .= 'x_';", "line 3: $table_prefix depends on '.=' in a place"),
    ("eval(\"define('DB_NAME', 'ev');\");", "line 3: DB_NAME depends on a call of eval()"),
    ("define('DB_NAME', 0x1F);", "line 3: DB_NAME depends on '0x1F' in a place"),
    ("define('DB_NAME', -5);", "line 3: DB_NAME depends on '-' in a place"),
    ("define('DB_NAME', (string) 5);", "line 3: DB_NAME depends on '5' in a place"),
    ("$_ENV['X'] = 'env'; define('DB_NAME', $_ENV['X']);", "line 3: DB_NAME depends on '=' in a place"),
    ("putenv('Z=put'); define('DB_NAME', getenv('Z') ?: 'd');", "line 3: DB_NAME depends on a call of putenv()"),
    ("$a = 'x'; $b = &$a; $a = 'k'; $b = 'y'; define('DB_NAME', $a);", "line 3: DB_NAME depends on '&' in a place"),
    ("$a = 'y'; define('DB_NAME', $a . ($a = 'x'));", "line 3: DB_NAME depends on an assignment inside"),
    ("array_map(fn($x) => define('DB_NAME', $x), ['m']);", "line 3: DB_NAME depends on 'fn'"),
    ("if (strlen('x')) { g(); } function g() { define('DB_NAME', 'g'); }", "line 3: DB_NAME depends on a call of strlen()"),
    ("if (strlen('x')) { $_SERVER['D'] = 'x'; } define('DB_NAME', $_SERVER['D'] ?? 'd');", "line 3: DB_NAME depends on a call of strlen()"),
    ("function_exists('mb_strlen') || define('DB_NAME', 'x');", "line 3: DB_NAME depends on whether there is a function"),
    ("defined('E_ALL') || define('DB_NAME', 'x');", "line 3: DB_NAME depends on whether there is a constant E_ALL"),
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("wp") / "site")


@pytest.mark.parametrize(("code", "expected"), READABLE)
def test_simple_code_is_followed(site, code, expected):
    """Each form of PHP that configurations use gives what PHP gives."""
    assert outcome(write(site, code)) == DEFAULT | expected


@pytest.mark.parametrize(("code", "why"), UNREADABLE)
def test_other_code_stops_at_a_needed_name(site, code, why):
    """What is beyond the reader is named with its line as soon as a needed name depends on it."""
    found = outcome(write(site, code))
    assert isinstance(found, str)
    assert found.startswith(f"wp-config.php {why}")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("<?php\n/* open", "line 2: a comment without an end"),
        ("<?php\n'open", "line 2: a text in single quotes without an end"),
        ('<?php\n"open', "line 2: a text in double quotes without an end"),
        ("<?php\n\n$a = <<<X\nopen", "line 3: a text that begins with <<<X without an end"),
        ("<?php if (1) {\n", "line 2: a block without its }"),
        ("<?php f(;\n", "line 2: brackets that do not match"),
        ("<?php\n}", "line 2: '}' without its opening"),
        ("<?php if (1):\n", "line 2: a block without its endif"),
        ("<?php\n?>\n<? $a = 1;", "line 3: <? without php"),
        ("<?php \x01", "line 1: '\\x01' where PHP code is expected"),
        ("no code at all", "does not define DB_NAME"),
    ],
)
def test_text_that_is_no_php_is_refused(site, code, why):
    """A file whose shape is broken is refused at the line where it breaks."""
    path = site / "wp-config.php"
    path.write_text(code)
    assert str(outcome(path)).startswith(f"wp-config.php {why}")


TREE = "".join(f"function f{n}(){{return f{n + 1}().f{n + 1}();}}" for n in range(18))
DEEP, LARGE = "nested too deeply", "more code than any configuration has"
HOSTILE = [
    ("$a=" + "(" * 20_000 + "1" + ")" * 20_000 + ";", DEEP),
    ("{" * 20_000 + "}" * 20_000, DEEP),
    ("$a=" + "'a'." * 20_000 + "'';", DEEP),
    ('"{$a[' * 200_000, DEEP),
    ("if(x()){" * 9_000 + "}" * 9_000, DEEP),
    ("/* " * 300_000, "a comment without an end"),
    ("$a=1;" * 200_000, LARGE),
    (" " * 1_048_576, "is larger than 1048576 bytes"),
    ("<<<A\n" * 200_000, "without an end"),
    ("$a=" + "9" * 900_000 + ";", "does not define DB_NAME"),
    (
        "$a='x';" + "$a=$a.$a;" * 60 + "define('DB_NAME', $a);",
        "DB_NAME depends on a text that is too long",
    ),
    (
        "$a=[];" + "$a=[$a,$a];" * 60 + "define('DB_NAME', $a === $a);",
        "depends on a comparison of arrays",
    ),
    ("function f(){return f().f();} f();", "too many calls"),
    (TREE + "f0();", "too many steps"),
    ("include __FILE__;", "too many calls or files"),
    ("eval('$$a = 1;');", "depends on a call of eval()"),
]


@pytest.mark.parametrize(("code", "why"), HOSTILE, ids=[code[:20] for code, _ in HOSTILE])
def test_hostile_code_ends_in_one_line(site, code, why):
    """Depth, size and work are limited: no input hangs the reader or exhausts its stack."""
    path = site / "wp-config.php"
    path.write_text("<?php " + code)
    begun = time.monotonic()
    with pytest.raises(WpConfigError) as caught:
        read(path, {})
    assert time.monotonic() - begun < 20  # seconds; a slow machine takes one
    assert why in str(caught.value)
    assert str(caught.value).isprintable()


FRAGMENTS = [
    "'", '"', "{", "}", "(", ")", "<<<X\n", "?>", "<?php ", "/*", "*/", "$", "${", "{$", "\\", ";", " if(",
    " foreach($a as $b):", " switch(", "case ", " function f(", " return ", "::", "->", "=>", " const ", " include ",
    "[", "]", "\0", "\xff", " break 2;", "#[", "...", " eval(", " and ", " else ", "try{", "f();", "0x", "1e9",
]  # fmt: skip


def mutated(randomly, sources):
    text = randomly.choice(sources)
    for _ in range(randomly.randint(1, 5)):
        at = randomly.randrange(len(text) + 1)
        other = randomly.choice(sources)
        start = randomly.randrange(len(other))
        text = randomly.choice(
            [
                text[:at] + randomly.choice(FRAGMENTS) + text[at:],
                text[:at] + text[at + randomly.randint(1, 20) :],
                text[:at] + other[start : start + randomly.randint(1, 80)] + text[at:],
            ]
        )
    return text


def test_mutated_configurations_give_a_result_or_an_error(site):
    """Thousands of broken files: nothing but a result or a WpConfigError on one line comes out."""
    sources = [path.read_text("latin-1") for path in sorted(DATA.glob("[0-9]*.php"))]
    randomly, path, results = random.Random(8), site / "wp-config.php", set()
    for _ in range(3000):
        code = mutated(randomly, sources)
        path.write_bytes(code.encode("latin-1"))
        try:
            read(path, {})
            results.add("read")
        except WpConfigError as error:
            results.add("refused" if str(error).isprintable() else f"{error!r} for {code!r}")
        except Exception as error:  # noqa: BLE001  the code must be shown
            pytest.fail(f"{error!r} for {code!r}")
    assert results == {"read", "refused"}


PHP = """<?php error_reporting(0); ob_start(); define('ABSPATH', __DIR__ . '/');
function out() { global $table_prefix; while (ob_get_level()) ob_end_clean();
$o = ['t' => is_string($table_prefix) ? $table_prefix : null];
foreach (['n' => 'NAME', 'u' => 'USER', 'p' => 'PASSWORD', 'h' => 'HOST'] as $k => $c) {
    $v = defined("DB_$c") ? constant("DB_$c") : null; $o[$k] = is_scalar($v) ? (string) $v : null; }
$fatal = in_array(error_get_last()['type'] ?? 0, [E_ERROR, E_PARSE, E_COMPILE_ERROR]);
echo json_encode($fatal ? null : $o, JSON_INVALID_UTF8_SUBSTITUTE); }
register_shutdown_function('out'); require __DIR__ . '/wp-config.php';"""


@pytest.fixture
def php(site):
    """A function that runs the site's wp-config.php: its facts, None if PHP stops with an error."""
    if not shutil.which("php"):
        pytest.skip("no PHP here")
    (site / "run.php").write_text(PHP)
    settings = site / "wp-settings.php"
    before = settings.read_text()
    settings.write_text("<?php exit;")

    def run():
        answer = subprocess.run(
            ["php", "-d", "display_errors=0", "run.php"], capture_output=True, check=False,
            timeout=20, env={"PATH": os.environ["PATH"]}, cwd=site,
        )  # fmt: skip
        return json.loads(answer.stdout)

    yield run
    settings.write_text(before)


def test_php_itself_agrees(site, php):
    """All the simple code above, run by PHP: the expected values are PHP's."""
    for code, expected in READABLE:
        write(site, code)
        assert php() == DEFAULT | expected, code


def test_what_is_read_of_mutated_code_is_what_php_gives(site, php):
    """Code above and fixtures, broken and mixed: what is read at all is read as PHP runs it."""
    randomly, compared = random.Random(5), 0
    path = site / "wp-config.php"
    sources = [file.read_text("latin-1") for file in sorted(DATA.glob("[0-9]*.php"))]
    sources += [write(site, code).read_text("latin-1") for code, _ in READABLE + UNREADABLE]
    for _ in range(1500):
        path.write_bytes(mutated(randomly, sources).encode("latin-1"))
        found = outcome(path)
        if isinstance(found, dict) and (wanted := php()):
            compared += 1
            assert found == wanted, path.read_text("latin-1")
    assert compared > 15
