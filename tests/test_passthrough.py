"""Everything that is not ours does through sqlml what it does in DuckDB.

A body of ordinary SQL, the examples stored in DuckDB itself, and generated text: 2,000 inputs, or as many as the
environment variable SQLML_FUZZ says (`SQLML_FUZZ=100000` takes some minutes; `-s` shows what the inputs were).
"""

import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from sqlml.errors import StatementError
from sqlml.statements import Foreign, ShowModels, parse
from tests import test_grammar as grammar
from tests.twins import outcome, outcome_of_relation, twins

CLOSED = {"enable_external_access": "false", "threads": "1"}  # no files, nothing loaded by itself, one order of rows
SETUP = (
    "CREATE TABLE t (a INTEGER, b TEXT, c DOUBLE)",
    "INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', NULL), (3, NULL, -0.25), (4, 'four', 'nan')",
    "CREATE TABLE u AS SELECT i AS a, i % 3 AS g, DATE '2026-01-01' + i::INTEGER AS d FROM range(10) r(i)",
)

BODY = (Path(__file__).parent / "fixtures" / "passthrough.sql").read_text(encoding="utf-8")
"""By topic, each behind a comment with its name, one statement a line, in this order, over the tables above."""
STATEMENTS = {topic: text.split("\n") for topic, text in re.findall(r"^-- (\w+)\n(.+?)\n(?:\n|\Z)", BODY, re.S | re.M)}

WAYS = {
    "execute": outcome,
    "execute, tokenised": lambda con, text: outcome(con, f"{text} -- model"),
    "sql": outcome_of_relation,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("topic", STATEMENTS)
def test_ordinary_statements(topic, way, tmp_path):
    with twins(*SETUP) as (ours, theirs):
        for statement in STATEMENTS[topic]:
            text = statement.replace("{folder}", tmp_path.as_posix())
            assert WAYS[way](ours, text) == WAYS[way](theirs, text), text


@pytest.mark.parametrize("values", [[], [1], [1, "a"], [1, "a", None], {"a": 1}, {"a": 1, "b": [2]}, None])
@pytest.mark.parametrize("text", ["SELECT ?, ? AS model", "SELECT $2, $1", "SELECT $a, $b AS model", "SELECT 1", "?"])
def test_parameters(text, values):
    with twins() as (ours, theirs):
        assert outcome(ours, text, values) == outcome(theirs, text, values)


VOLATILE = re.compile(
    r"random|uuid|\bnow\b|current|today|time\(\)|sleep|memory|nextval|setseed|txid|timestamp\(\)|\bage\b", re.I
)


def test_examples_of_every_function():
    with twins(**CLOSED) as (ours, theirs):
        rows = theirs.execute("SELECT DISTINCT unnest(examples) AS e FROM duckdb_functions() ORDER BY e").fetchall()
        examples = [text for (text,) in rows if not VOLATILE.search(text)]
        assert len(examples) > 300
        for text in (f"SELECT {example} AS model" for example in examples):
            assert outcome(ours, text) == outcome(theirs, text), text


OURS = """CREATE OR REPLACE MODEL MODELS model DROP SHOW DESCRIBE ALTER EVALUATE EXPLAIN EXPORT IMPORT BACKTEST IF NOT EXISTS
    VERSION LIKE PROMOTE ROLLBACK RENAME TO RETRAIN OPTIONS PREDICT FOR EACH CUSTOMER WHERE HORIZON EVERY DAYS AS ON FROM"""
KEYWORDS = """SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT JOIN LEFT USING UNION ALL DISTINCT WITH VALUES INSERT INTO DELETE
    CREATE TABLE VIEW MACRO TEMP SCHEMA DROP ALTER COLUMN ADD CASE WHEN THEN ELSE END AND OR NOT NULL IN IS BETWEEN LIKE
    CAST INTERVAL DATE PIVOT UNPIVOT PREPARE EXECUTE SUMMARIZE TABLES COLUMNS EXCLUDE LAMBDA OVER PARTITION FILTER TRUE"""
NAMES = """t u model models main a b c g "model" "a b" "" """
VALUES = """0 1 2 30 1.5 .5 1e3 1_000 0x1F 9223372036854775808 '' 'a' 'model' 'it''s' E'\\n' x'00' $$a$$ $q$;$q$ $1 ? $x
    sum( count(*) lower( len( list( coalesce( [1,2] {'a':1}"""
SIGNS = """( ) [ ] { } , ; . : :: = == <> < > + - * / % ^ ! !~ ~ | || & @ # $ ? -> => := \\ `"""
OPEN = ["'", '"', "$$", "$q$", "E'", "/*", "*/", "--", "-- x\n", "/* x */"]
ODD = ["\x00", "\x01", "\x1b", "\x7f", "\r", "\v", "\f", "\u00a0", "\u200b", "\ufeff", "\u2028", "é", "ſ", "İ", "ß", "模型",
       "🙂", "👩\u200d🔬", "e\u0301", "\u202e", "\ufffd", "\ud800", "x" * 3000, "9" * 400, "(" * 30, "'" * 31]  # fmt: skip
GROUPS = [*[OURS.split(), KEYWORDS.split()] * 2, NAMES.split(), VALUES.split(), SIGNS.split(), OPEN, ODD]
SPACES = [" ", "\n", "\r\n", "\v", "\u00a0", "\u200b", "\ufeff", "/**/", "-- model\n", " /* ; SHOW MODELS */ ", "/* /* */ */"]  # fmt: skip
GLUE = [" "] * 8 + ["", "\n", "\t", ";", "/**/"]

UNFIT = re.compile(
    r"\b(copy|attach|detach|database|install|load|pragma|set|reset|use|begin|start|analyze|recursive|sample|tablesample)\b"
    r"|range|series|repeat|\w+pad|\bbar|read_|glob|folder|variable|checkpoint|vacuum|duckdb_|oid|" + VOLATILE.pattern,
    re.IGNORECASE,
)
"""Words that reach files, settings, clocks and numbers of objects, or make much of little: no generated text has one."""
ENDING = re.compile(r"\b(drop|rename|truncate|delete)\s+(table|schema|to|from|t\b)", re.IGNORECASE)

SEEDS = [
    *(text for text, _ in (*grammar.VALID, *grammar.SCRIPTS)),
    *(text.replace("¦", "") for rows in grammar.INVALID.values() for text, _ in rows),
    *(text for text in (*grammar.FOREIGN, *BODY.splitlines()) if not ENDING.search(text)),
]
SEEDS = [text for text in SEEDS if not UNFIT.search(text)]


def token(rng):
    return rng.choice(rng.choice(GROUPS))


def soup(rng):
    return "".join(token(rng) + rng.choice(GLUE) for _ in range(rng.randint(1, 15)))


def mutated(rng):
    """A valid text with some of its tokens or characters deleted, doubled, swapped, replaced, inserted or cut off."""
    text = rng.choice(SEEDS)
    parts = list(text) if rng.random() < 0.4 else re.findall(r"\w+|\s+|.", text, re.DOTALL)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at, other = rng.randrange(len(parts) + 1), rng.randrange(len(parts) + 1)
        change = rng.choice(
            [[], parts[at : at + 1] * 2, parts[other : other + 1], [token(rng)], [" ", token(rng), " "], [";"]]
        )
        parts[at : at + rng.randint(0, 1)] = change
        parts = parts[: at + 1] if rng.random() < 0.1 else parts
    return "".join(parts)


def spaced(rng):
    """A valid text with more spaces and comments, which change no meaning but inside quotes."""
    parts = re.findall(r"\w+|\s+|.", rng.choice(SEEDS), re.DOTALL)
    for _ in range(rng.randint(1, 4)):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(SPACES))
    return "".join(parts)


def stitched(rng):
    """A script of several texts, some of them changed."""
    texts = [*rng.choices(SEEDS, k=rng.randint(0, 2)), spaced(rng), rng.choice([spaced, mutated])(rng)]
    return rng.choice([";", ";\n", " ; -- model\n", "; /* model */ "]).join(rng.sample(texts, len(texts)))


def inputs(seed, count):
    rng = random.Random(seed)
    while count:
        text = rng.choice([soup, mutated, mutated, spaced, stitched])(rng)
        if not UNFIT.search(text):
            count -= 1
            yield text


def judged(ours, theirs, text):
    """What an input was, and what is wrong about it, if anything."""
    try:
        statements = parse(text)
    except StatementError:
        return "statement error", can_parse(theirs, text) and "DuckDB can read it"
    except Exception as error:  # nothing else may come out of it
        return "crash", repr(error)
    if statements == [Foreign(text)]:
        mine, plain = outcome(ours, text), outcome(theirs, text)
        return f"foreign, {'ran' if isinstance(plain, str) else 'error'}", mine != plain and f"{mine} != {plain}"
    return "ours", is_wrong(theirs, text, statements)


def is_wrong(theirs, text, statements):
    """Foreign text must stand in the script as it is, and a statement must be none of DuckDB's."""
    at = 0
    for foreign in (s.text for s in statements if isinstance(s, Foreign)):
        if foreign not in text[at:]:
            return f"{foreign!r} is not its text"
        at = text.index(foreign, at) + len(foreign)
    if all(isinstance(s, Foreign) for s in statements):
        return "nothing is ours"
    shows = any(isinstance(s, ShowModels) for s in statements)  # to DuckDB SHOW MODELS is about a table of that name
    return not shows and can_parse(theirs, text) and "DuckDB can read it"


def can_parse(con, text):
    try:
        con.extract_statements(text)
    except (duckdb.Error, RuntimeError):
        return False
    return True


def shortest(text, fails):
    """Cut out pieces as long as what is left still fails."""
    size = len(text) // 2
    while size:
        shorter = [text[:at] + text[at + size :] for at in range(0, len(text), size)]
        text, size = next(((s, size) for s in shorter if fails(s)), (text, size // 2))
    return text


def fails(text):
    with twins(*grammar.TABLES, *SETUP, **CLOSED) as (ours, theirs):
        return bool(judged(ours, theirs, text)[1])


def test_generated_text():
    count, batch = int(os.environ.get("SQLML_FUZZ", "2000")), 250
    kinds, wrong, begun = Counter(), {}, time.perf_counter()
    for seed in range(-(-count // batch)):
        with twins(*grammar.TABLES, *SETUP, **CLOSED) as (ours, theirs):  # fresh, so that they stay equal and small
            for text in inputs(seed, min(batch, count - seed * batch)):
                kind, complaint = judged(ours, theirs, text)
                kinds[kind] += 1
                if complaint:
                    wrong[text] = complaint
    print(f"\n{count} inputs in {time.perf_counter() - begun:.0f} s: {dict(kinds)}")
    found = {shortest(text, fails): wrong[text] for text in sorted(wrong, key=len)[:10]}
    assert not wrong, f"{len(wrong)} inputs, among them {found}"
