"""EXPORT and IMPORT MODEL: what goes out comes in the same; what was tampered with stays out, all of it."""

import hashlib
import json
import re
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load, save

import sqlml
from sqlml import archive, vetting
from sqlml.errors import ModelError, SqlmlError
from sqlml.queries import identifier, literal
from tests.conftest import copy_to, one

QUICK = "folds = 2"
LEVELS = ["a'b", "c,(d]", 'e"f', "g\nh", "$$i$$ --", "/* ü {label} <%s> ;"]
COLUMNS = f"""SELECT i AS id, (hash(i) % 100)::DOUBLE AS "größe ""x"" --",
        [{", ".join(map(literal, LEVELS))}][(1 + hash(i + 7) % 6)::INT] AS "le'vel $$" FROM range(300) t(i)"""
LABELS = {
    "b": """hash(id) % 100 + hash(id + 9) % 40 > 60""",
    "my \"Mo'del": "['x''y', 'z\"', 'ß $$'][(1 + hash(id) % 100 // 34)::INT]::ENUM('x''y', 'z\"', 'ß $$')",
    "n": "(hash(id) % 100)::INT - (hash(id + 9) % 10)::INT",
}
CALLS = {
    "b": ("_score(r)", "_class(r)", "_proba(r)", "_interval(r)", "_explain(r)"),
    'my "Mo\'del': ("(r)", "_proba(r)", "_interval(r)", "_explain(r)"),
    "n": ("(r)", "_interval(r, coverage := 0.5)", "_explain(r)"),
}  # fmt: skip


def export(con, name, path, version=""):
    con.execute(f"EXPORT MODEL {identifier(name)} {version} TO {literal(str(path))}").fetchall()
    return path


def take(con, path, name="taken", how=""):
    return con.execute(f"IMPORT {how} MODEL {identifier(name)} FROM {literal(str(path))}").fetchall()


def unpacked(path):
    with zipfile.ZipFile(path) as source:
        return {name: source.read(name) for name in source.namelist()}


def answers(con, kind, name):
    """What all functions of a query model say of all rows."""
    calls = ", ".join(identifier(name + call.partition("(")[0]) + call[call.index("(") :] for call in CALLS[kind])
    rows = con.execute(f"SELECT {calls} FROM ({COLUMNS}) r ORDER BY id").fetchall()
    return rows, con.execute(f"FROM ml.predict({literal(name)}, {literal(COLUMNS)}) ORDER BY id").fetchall()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A database with models of rows: two classes, three, a number; names and levels that want quotes."""
    with sqlml.connect(tmp_path_factory.mktemp("home") / "home.duckdb", threads=1) as con:
        for name, label in LABELS.items():
            method = "linear" if name == "n" else "logistic"
            con.execute(f"""CREATE MODEL {identifier(name)} OPTIONS (label = 'y', key = 'id', method = '{method}', {QUICK})
                            AS SELECT *, {label} AS y FROM ({COLUMNS})""").fetchall()  # fmt: skip
        yield con


@pytest.fixture(scope="module")
def rows_file(home, tmp_path_factory):
    return export(home, "b", tmp_path_factory.mktemp("rows") / "b.sqlml")


@pytest.fixture(scope="module")
def single(shop, tmp_path_factory):
    """The shop of one thread, whose model has attributes and items."""
    path = tmp_path_factory.mktemp("single") / "single.duckdb"
    copy_to(shop, path)
    with sqlml.connect(path, threads=1) as con:
        yield con


@pytest.fixture(scope="module")
def churn_file(single, tmp_path_factory):
    return export(single, "churn", tmp_path_factory.mktemp("churn") / "churn.sqlml")


@pytest.fixture(scope="module")
def away(shop, tmp_path_factory):
    """Another shop, with what an archive has no business with."""
    path = tmp_path_factory.mktemp("away") / "away.duckdb"
    copy_to(shop, path, "DROP SCHEMA copied.ml CASCADE")
    with sqlml.connect(path, threads=1) as con:
        con.execute("""CREATE TABLE secret AS SELECT 42 AS a; CREATE SEQUENCE counter;
                       CREATE MACRO mine(x) AS x + 1""").fetchall()  # fmt: skip
        yield con


@pytest.mark.parametrize("kind", LABELS)
def test_a_model_of_rows_answers_the_same_to_the_bit_elsewhere(home, tmp_path, kind):
    path, expected = export(home, kind, tmp_path / "größe x.sqlml"), answers(home, kind, kind)
    with sqlml.connect(threads=1) as con:
        take(con, path, "ein 'anderer \"Name -- <>")
        assert answers(con, kind, "ein 'anderer \"Name -- <>") == expected
        con.execute('ALTER MODEL "ein \'anderer ""Name -- <>" RENAME TO later').fetchall()
        take(con, export(con, "later", tmp_path / "again"), "third")
        assert answers(con, kind, "third") == expected
        con.execute("DROP MODEL later; DROP MODEL third").fetchall()
        assert one(con, "SELECT count(*) FROM duckdb_functions() WHERE regexp_matches(function_name, 'later|third')") == 0  # fmt: skip


BY_CUSTOMER = """SELECT {0}_score(customer_id), {0}_score(customer_id, TIMESTAMP '2026-01-01')
                 FROM behavior.customers ORDER BY customer_id LIMIT 4"""


def test_a_model_of_customers_answers_the_same_to_the_bit_elsewhere(single, churn_file, shop, tmp_path):
    copy_to(shop, tmp_path / "away.duckdb", "DROP SCHEMA copied.ml CASCADE")
    with sqlml.connect(tmp_path / "away.duckdb", threads=1) as con:
        assert ("head", "churn") not in take(con, churn_file)
        assert (
            con.execute(BY_CUSTOMER.format("taken")).fetchall()
            == single.execute(BY_CUSTOMER.format("churn")).fetchall()
        )
        at = "SELECT {0}_score FROM {0}_at('behavior.customers') WHERE customer_id < 99 ORDER BY customer_id"
        assert con.execute(at.format("taken")).fetchall() == single.execute(at.format("churn")).fetchall()
        assert con.execute("EVALUATE MODEL taken").fetchall() == single.execute("EVALUATE MODEL churn").fetchall()
    with sqlml.connect(tmp_path / "away.duckdb") as con:
        assert one(con, "SELECT taken_score(7)") == pytest.approx(one(single, "SELECT churn_score(7)"), rel=1e-6)


KEYS = {"VARCHAR": "'o''neil-' || i", 'STRUCT("a, b)" DECIMAL(9, 2), c INT[])': "{'a, b)': i, 'c': [i]}"}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_and_populations_of_any_kind_travel_and_ids_do_not(tmp_path, kind):
    with sqlml.connect(threads=1) as con:
        con.execute(f"""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
            SELECT ({KEYS[kind]})::{kind} AS customer_id, hash(i + 1000 * k) % 90 AS amount, 'a' AS event_type,
                   TIMESTAMP '2025-01-01' + to_hours((hash(i * 1000 + k) % 9000)::INT) AS event_time
            FROM range(120) t(i), range(20) u(k) WHERE k < 3 + i % 17""").fetchall()
        con.execute(f"""CREATE MODEL spend PREDICT sum(amount) FOR EACH CUSTOMER
            WHERE max(event_time) > as_of - INTERVAL 90 DAY AND count(*) FILTER (event_type LIKE 'a%') > 1
                  AND first(amount ORDER BY event_time DESC) IN (1, 2) IS NOT NULL
            HORIZON 30 DAYS OPTIONS (method = 'linear', max_cutoffs = 1, {QUICK})""").fetchall()
        path = export(con, "spend", tmp_path / "spend")
        take(con, path, 'spend "2"')
        found = con.execute("""SELECT DISTINCT spend(c) IS NOT DISTINCT FROM "spend ""2\"\"\"(c), count(spend(c)) OVER () > 20,
                spend_interval(c) IS NOT DISTINCT FROM "spend ""2""_interval"(c)
            FROM (SELECT DISTINCT customer_id AS c FROM behavior.events)""").fetchall()
        assert found == [(True, True, True)]
    assert b"neil" not in b"".join(unpacked(path).values())
    assert "key" not in json.loads(unpacked(path)["tables/predictions.json"])["columns"]


def test_a_version_travels_by_its_number_and_is_added_to_a_model(tmp_path):
    with sqlml.connect() as con:
        for limit in (20, 80):
            con.execute(f"""CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'i', method = 'logistic')
                AS SELECT i, hash(i) % 100 AS x, hash(i) % 100 > {limit} AS y FROM range(200) t(i)""").fetchall()
        score = "SELECT m_score({'x': 50})"
        newest = one(con, score)
        path = export(con, "m", tmp_path / "first", "VERSION 1")
        take(con, path, "m", "OR REPLACE")
        assert one(con, score) > 0.5 > newest
        history = "SELECT version, reason FROM ml.versions JOIN ml.promotions USING (version_id) ORDER BY 1"
        assert con.execute(history).fetchall() == [(1, "created"), (2, "created"), (3, "imported")]
        con.execute("ALTER MODEL m ROLLBACK").fetchall()
        assert one(con, score) == newest
        con.execute("CREATE MACRO other_class(x) AS 1").fetchall()
        refused(con, path, "There is a model 'm' already", "m")
        refused(con, path, "other_class is a function or macro of yours", "other")
        with pytest.raises(ModelError, match="no version 7"):
            export(con, "m", tmp_path / "x", "VERSION 7")
        con.execute("ALTER MODEL m PROMOTE VERSION 3; ALTER MODEL m RETRAIN").fetchall()
        assert one(con, score) > 0.5


def test_what_cannot_be_read_or_written_is_named(home, rows_file, tmp_path):
    for path in (tmp_path / "no" / "b", tmp_path, "", "a\0b"):
        with pytest.raises(ModelError, match="EXPORT cannot write"):
            export(home, "b", path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text").write_text("no zip")
    (tmp_path / "half").write_bytes(rows_file.read_bytes()[:2000])
    for file in ("missing", ".", "text", "half"):
        refused(home, tmp_path / file, "IMPORT cannot read")


def test_an_archive_is_replaced_as_a_whole_and_its_size_is_told(home, tmp_path):
    path = tmp_path / "b"
    path.write_text("before")
    with pytest.raises(ModelError, match="no exported model"):
        export(home, "b", path)
    assert path.read_text() == "before"
    with zipfile.ZipFile(path, "w") as sheet:
        sheet.writestr("a sheet", "of another program")
    with pytest.raises(ModelError, match="no exported model"):
        export(home, "b", path)
    path.unlink()
    export(home, "b", path)
    shown = home.execute(f"EXPORT MODEL b TO {literal(str(path))}").fetchall()
    assert [row[:4] for row in shown] == [("b", str(path), path.stat().st_size, 64)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_exports_and_does_not_import(churn_file, shop, tmp_path):
    copy_to(shop, tmp_path / "read.duckdb")
    with sqlml.connect(tmp_path / "read.duckdb", read_only=True) as con:
        path = export(con, "churn", tmp_path / "churn")
        assert unpacked(path).keys() == unpacked(churn_file).keys()
        refused(con, path, "read-only")


def test_without_its_tables_a_model_does_not_come_in(con, churn_file):
    refused(con, churn_file, "no table or view behavior[.]events")


def state(con):
    """Everything that an import could change."""
    tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    queries = [
        "SELECT database_name, schema_name, function_name, macro_definition, parameters::VARCHAR FROM duckdb_functions()",
        "SELECT sql FROM duckdb_views() WHERE NOT internal",
        "SELECT schema_name FROM duckdb_schemas()",
        "SELECT last_value FROM duckdb_sequences()",
        *(f"SELECT '{name}', count(*), sum(hash(t)) FROM {schema}.{name} t" for schema, name in tables),
    ]
    return [con.execute(f"{query} ORDER BY ALL").fetchall() for query in queries]


def refused(con, path, message, name="taken", how=""):
    before = state(con)
    with pytest.raises(SqlmlError, match=message):
        take(con, path, name, how)
    assert state(con) == before


def pack(parts, path, **said):
    """An archive of these files, with the hashes that they have."""
    content = {name: content for name, content in parts.items() if name != "manifest.json"}
    hashes = {name: hashlib.sha256(each).hexdigest() for name, each in content.items()}
    manifest = json.loads(parts["manifest.json"]) | {"files": hashes} | said
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, each in {"manifest.json": json.dumps(manifest), **content}.items():
            archived.writestr(name, each)
    return path


def statement(head, text):
    """A change: what makes one macro becomes another statement; {id} stands for its own."""

    def change(parts):
        version = json.loads(parts["manifest.json"])["version_id"]
        start = f"CREATE OR REPLACE MACRO {head.replace('{id}', version)}("
        name = next(name for name, content in parts.items() if start.encode() in content)
        before, _, rest = parts[name].decode().partition(start)
        _, following, after = rest.partition(";\nCREATE ")
        parts[name] = (before + text.replace("{id}", version) + following.replace(";", "") + after).encode()

    return change


def macro(text):
    return statement("ml.inputs_{id}", "CREATE OR REPLACE MACRO ml.inputs_{id}" + text + ";")


def expression(text):
    return macro(f"(__sqlml_row) AS {text}")


def relation(text, parameters="(__sqlml_t)"):
    return statement("ml.features_{id}", "CREATE OR REPLACE MACRO ml.features_{id}" + f"{parameters} AS TABLE {text};")


def record(table, column, change):
    """A change of a value in the first row of a table."""

    def changed(parts):
        content = json.loads(parts[f"tables/{table}.json"])
        row, place = content["rows"][0], content["columns"].index(column)
        row[place] = change(row[place]) if callable(change) else change
        parts[f"tables/{table}.json"] = json.dumps(content).encode()

    return changed


def option(**values):
    return record("versions", "options", lambda text: json.dumps(json.loads(text) | values))


def encoder(change):
    def changed(text):
        record = json.loads(text)
        change(record)
        return json.dumps(record)

    return record("versions", "encoder", changed)


def target(**values):
    return encoder(lambda fitted: fitted["target"].update(values))


def weights(change):
    def changed(parts):
        stored = load(parts["weights.safetensors"])
        parts["weights.safetensors"] = save(
            {name: np.ascontiguousarray(value) for name, value in (stored | change(stored)).items()}
        )

    return changed


def put(name, content):
    return lambda parts: parts.update({name: content})


def metrics(content):
    return put("tables/metrics.json", content)


def drop(name):
    return lambda parts: parts.pop(name)


INPUTS = "give other inputs|does not fit"
OWN, DAMAGED = "hands a relation of its own", "damaged or no model"
UNREADABLE = "cannot be read|Parser Error|syntax error|bracket closes"
EXPRESSIONS = [  # what a macro of a model of rows must not compute, and why
    ("(SELECT content FROM read_text('trap'))", "calls read_text"),
    ("(SELECT max(a) FROM 'trap.csv')", "reads trap.csv"),
    ("(SELECT max(a) FROM \"Read_CSV\"('trap.csv'))", "calls read_csv"),
    ("(SELECT max(a) FROM parquet_scan('https://example.org/x'))", "calls parquet_scan"),
    ("(SELECT max(a) FROM secret)", "reads secret"),
    ("(TABLE secret)", "reads secret"),
    ("(SELECT max(a) FROM main.secret)", "reads main.secret"),
    ("(SELECT max(a) FROM away.main.secret)", "reads away.main.secret"),
    ("(SELECT max(e.x) FROM away.behavior.events e)", "reads away.behavior.events"),
    ("(SELECT max(event_time) FROM behavior.events AT (VERSION => 1))", "reads behavior.events"),
    ("(SELECT max(a) FROM query('FROM secret'))", "calls query"),
    ("(SELECT max(a) FROM QUERY('FROM secret'))", "calls query"),
    ("(SELECT max(a) FROM query_table('secret'))", OWN),
    ("(SELECT max(a) FROM query_table(secret))", OWN),
    ("(SELECT max(a) FROM query_table(['secret']))", OWN),
    ("(SELECT max(a) FROM query_table(__sqlml_row))", OWN),
    ("'secret'.query_table()", OWN),
    ("(SELECT max(a) FROM ml.features_{id}_of('secret'))", OWN),
    ("(SELECT max(a) FROM (SUMMARIZE secret))", "holds SHOW_REF"),
    ("(SELECT max(a) FROM (DESCRIBE secret))", "holds SHOW_REF"),
    ("(SELECT max(name) FROM (SHOW ALL TABLES))", "holds SHOW_REF"),
    ("(SELECT max(a) FROM (PIVOT secret ON a USING sum(a)))", UNREADABLE),
    ("(SELECT max(sql) FROM duckdb_tables())", "calls duckdb_tables"),
    ("(WITH x AS (INSERT INTO secret VALUES (1) RETURNING a) SELECT max(a) FROM x)", "holds INSERT_QUERY_NODE"),
    ("(WITH x AS (DELETE FROM secret RETURNING a) SELECT max(a) FROM x)", "holds DELETE_QUERY_NODE"),
    ("(WITH x AS (UPDATE secret SET a = 1 RETURNING a) SELECT max(a) FROM x)", "holds UPDATE_QUERY_NODE"),
    ("(WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL FROM r) SELECT max(a) FROM r)", "holds RECURSIVE_CTE_NODE"),
    ("(WITH secret AS (SELECT 1 AS a) SELECT a FROM secret) + (SELECT max(a) FROM secret)", "reads secret"),
    ("(WITH secret AS (FROM secret) SELECT max(a) FROM secret)", "reads secret"),
    ("(WITH x AS (FROM secret), secret AS (SELECT 1 AS a) SELECT max(a) FROM x)", "reads secret"),
    ("(WITH secret AS (SELECT 1 AS a) SELECT max(a) FROM main.secret)", "reads main.secret"),
    ("nextval('counter')", "calls nextval"),
    ("__sqlml_row.nextval()", "calls __sqlml_row.nextval"),
    ("system.main.nextval('counter')", "calls system.main.nextval"),
    ("sum(1) OVER (ORDER BY nextval('counter'))", "calls nextval"),
    ("first(1 ORDER BY nextval('counter'))", "calls nextval"),
    ("count(*) FILTER (nextval('counter') > 1)", "calls nextval"),
    ("list_transform([1], lambda abs: nextval('counter') + abs)", "calls nextval"),
    ("[nextval('counter') for x in [1] if x > 0]", "calls nextval"),
    ("CASE WHEN false THEN (1 + -nextval('counter')) ELSE 1 END", "calls nextval"),
    ("{'a': [nextval('counter')]}", "calls nextval"),
    ("json_serialize_plan('FROM ''trap.csv''')", "calls json_serialize_plan"),
    ("current_setting('home_directory')", "calls current_setting"),
    ("getenv('HOME')", "calls getenv"),
    ("pg_catalog.pg_get_viewdef(1)", "calls pg_catalog.pg_get_viewdef"),
    ("random()", "calls random"),
    ("sleep_ms(1000000)", "calls sleep_ms"),
    ("repeat('x', 1000000000)", "calls repeat"),
    ("range(1000000000000)", "calls range"),
    ("mine(1)", "calls mine"),
    ("ml.version_of('x')", "calls ml.version_of"),
    ("ml.answers_ffffffffffff(1)", "calls ml.answers_ffffffffffff"),
    ("__sqlml_score_ffffffffffff(__sqlml_row)", "calls __sqlml_score_ffffffffffff"),
    ("away.ml.inputs_{id}(1)", "calls away.ml.inputs_"),
    ("'x'::INET", "names the type INET"),
    ("NULL::STRUCT(a INET[])", "names the type INET"),
    ("NULL::away.main.kind", "names the type away.main.kind"),
    ("'x' COLLATE de", "holds COLLATE"),
    ("(SELECT COLUMNS('.*') FROM behavior.events)", "calls COLUMNS"),
    ("(SELECT max(COLUMNS(lambda c: c = 'a')) FROM behavior.events)", "calls COLUMNS"),
    ("(SELECT #1 FROM behavior.events)", "holds POSITIONAL_REFERENCE"),
    ("$1", "holds PARAMETER"),
    ("x.a.a.a.a.a.a.a", "by 8 names"),
    ("(" * 3000 + "1" + ")" * 3000, "depth"),
    ("1 /* ' */ + (SELECT max(a) FROM -- '\n secret)", "reads secret"),
    ("'' || $$'$$ || (SELECT max(a) FROM secret) || $$'$$", "reads secret"),
    ("E'\\'' || (SELECT max(a) FROM secret) || E'\\''", "reads secret"),
    ('(SELECT max(a) FROM U&"s\\0065cret")', UNREADABLE),
    ("1 FROM secret", UNREADABLE),
    ("1 UNION SELECT a FROM secret", UNREADABLE),
    ("1; DROP TABLE secret", "makes no macro"),
    ("1); DROP TABLE secret; --", UNREADABLE),
    ("1, (__sqlml_row, __sqlml_x) AS (SELECT max(a) FROM secret)", "reads secret"),
    ("1, (__sqlml_row, __sqlml_x) AS TABLE FROM secret", UNREADABLE),
    ("1\u00a0+ 1", "outside of quotes"),
    ("'' ||\u00a0$x$ <{id}_score> $x$", "outside of quotes"),
    ("'<{id}_score>'", "stands within"),
    ("1 -- <{id}_score>\n", "stands within"),
    ('1 AS "a<{id}_score>"', "stands within"),
    ("$$<{id}_score>$$", "stands within"),
    (" + ".join(["ml.answers_{id}(1)"] * 9), "not exist|put in"),
]
ROWS = [
    *((expression(text), message) for text, message in EXPRESSIONS),
    (macro("(__sqlml_row VARCHAR) AS(SELECT max(content) FROM read_text(__sqlml_row)), (__sqlml_x, coverage) AS 1"), UNREADABLE),
    (macro("(__sqlml_row := (SELECT max(a) FROM secret)) AS 1"), UNREADABLE),
    (macro("(__sqlml_row := nextval('counter')) AS 1"), UNREADABLE),
    (macro("(__sqlml_row := 'x') AS 1"), UNREADABLE),
    (macro("(secret) AS 1"), UNREADABLE),
    (macro("(__sqlml_row INET) AS 1"), "names the type INET"),
    (macro("(__sqlml_row ENUM('a', ') AS 1')) AS nextval('counter')"), "calls nextval"),
    (macro("(__sqlml_relation) AS (SELECT max(a) FROM query_table(__sqlml_relation))"), "takes a relation"),
    (macro("(__sqlml_row) AS TABLE FROM behavior.events"), "would make the macro ml.inputs_"),
    (macro("(" + "__sqlml_row DECIMAL(1), " * 4000 + ") AS 1"), UNREADABLE),
    (macro("(__sqlml_row ENUM(" + "''" * 4000 + ") AS 1"), UNREADABLE),
    *((statement("ml.inputs_{id}", "CREATE " + what + " AS 1;"), f"makes no macro|would make the macro|does not exist|{UNREADABLE}") for what in (
        "OR REPLACE MACRO main.mine(__sqlml_row)", "OR REPLACE MACRO ml.utc(__sqlml_row)",
        "OR REPLACE MACRO ml.version_of(__sqlml_row)", "OR REPLACE MACRO main.inputs_{id}(__sqlml_row)",
        "OR REPLACE MACRO ml.<{id}_score>(__sqlml_row)", "OR REPLACE MACRO ml.inputs_ffffffffffff(__sqlml_row)",
        'OR REPLACE MACRO ml."""inputs_{id}"""(__sqlml_row)', "OR REPLACE MACRO away.ml.inputs_{id}(__sqlml_row)",
        "OR REPLACE TEMP MACRO ml.inputs_{id}(__sqlml_row)", "MACRO ml.inputs_{id}(__sqlml_row)",
        "OR REPLACE FUNCTION ml.inputs_{id}(__sqlml_row)", "OR REPLACE VIEW ml.latest", "TABLE main.mine",
    )),
    *((statement("ml.inputs_{id}", text), "makes no macro") for text in (
        "COPY secret TO 'stolen.csv';", "ATTACH 'stolen.duckdb';", "INSTALL inet;", "SET threads = 1;", "DROP TABLE secret;",
        "CALL pragma_version();", "SELECT 1;",
    )),
    (statement("main.<{id}_score>", ""), "lacks the function <"),
    (put("macros/99.sql", b"SELECT 1"), "KeyError"),
    (put("../x", b""), "holds the file '../x'"),
    (put("/etc/x", b""), "holds the file '/etc/x'"),
    (put("tables/../../x.json", b""), "holds the file"),
    (put("tables\\x.json", b""), "holds the file"),
    (put("macros/01.sql", b""), "holds the file 'macros/01.sql'"),
    (put("macros/١.sql", b""), "holds the file"),
    (put("weights.pickle", b""), "holds the file 'weights.pickle'"),
    (put("tables/secret.json", b'{"columns": [], "rows": []}'), "tables of the model are not"),
    (put("tables/models.json", b'{"columns": [], "rows": []}'), "tables of the model are not"),
    (put("tables/gates.json", b'{"columns": [], "rows": []}'), "tables of the model are not"),
    (drop("tables/metrics.json"), "tables of the model are not"),
    (drop("tables/versions.json"), "KeyError"),
    (drop("weights.safetensors"), "not those of the manifest"),
    (metrics(b"[" * 100_000), "more than 65,536 lists"),
    (metrics(b'{"columns": ["method"], "rows": [[' + b"1" * 5000 + b"]]}"), "holds the number 111"),
    (metrics(b"\xff\xfe"), DAMAGED),
    (metrics(b'{"columns": ["key"], "rows": [["1"]]}'), "no column metrics.key"),
    (metrics(b'{"columns": ["version_id"], "rows": [["1"]]}'), "no column metrics.version_id"),
    (metrics(b'{"columns": ["a) SELECT 1; --"], "rows": [["1"]]}'), "no column metrics.a"),
    (metrics(b'{"columns": ["method"], "rows": [["a", "b"]]}'), DAMAGED),
    (metrics(b'{"columns": ["method"], "rows": [["a"], []]}'), DAMAGED),
    (metrics(b'{"columns": ["method"], "rows": [["a"]]}'), "does not fit this database: Constraint"),
    (metrics(b'{"columns": ["method"], "rows": [["\\ud800"]]}'), "surrogate"),
    (metrics(b'{"columns": ["method"], "rows": ' + b"[" * 500 + b"]" * 500 + b"}"), f"{DAMAGED}|does not fit"),
    (record("metrics", "value", "many"), "does not fit this database: Conversion"),
    (record("functions", "kind", "theirs"), "not those of its task"),
    (record("functions", "kind", "value"), "not those of its task"),
    (record("functions", "suffix", "_of"), "not those of its task"),
    (record("functions", "suffix", '"; DROP TABLE secret; --'), "not those of its task"),
    (record("functions", "is_table", "true"), "not those of its task"),
    (record("versions", "task", "regression"), "not those of its task"),
    (record("versions", "query", "DROP TABLE secret"), UNREADABLE),
    (record("versions", "query", "SELECT 1; DROP TABLE secret"), UNREADABLE),
    (record("versions", "query", "SELECT 1; SELECT 2"), "more than one query"),
    (record("versions", "query", "WITH x AS (DELETE FROM secret RETURNING a) FROM x"), "does more than read"),
    (record("versions", "created_at", "yesterday"), "does not fit this database: Conversion"),
    (record("versions", "packages", "{"), "does not fit this database"),
    (record("versions", "options", "[" * 100_000), "more than 65,536 lists"),
    (option(method="theirs"), "no method 'theirs'"),
    (option(method="net", members=10**9, width=4096), "members = 1000000000 must be at most 256"),
    (option(members=-1), "must be at least 1"),
    (option(members=10**400), "must be a finite number"),
    (option(epochs=float("nan")), "must be a finite number"),
    (encoder(lambda fitted: fitted.update(columns=[])), "background"),
    (encoder(lambda fitted: fitted["columns"].append(fitted["columns"][0])), f"{DAMAGED}|background"),
    (encoder(lambda fitted: fitted["columns"][0].update(name="other")), INPUTS),
    (encoder(lambda fitted: fitted["columns"].reverse()), f"{DAMAGED}|answer two rows|{INPUTS}"),
    (encoder(lambda fitted: fitted["columns"][1].update(levels=["a"])), DAMAGED),
    (target(kind="theirs"), "its functions are not those of its task"),
    (target(kind="classes"), "not those of its task"),
    (target(kind="amount"), "not those of its task"),
    (weights(lambda w: {"slope": w["slope"] * np.float32(np.nan)}), "weights are not finite"),
    (weights(lambda w: {"slope": w["slope"] + np.float32(np.inf)}), "weights are not finite"),
    (weights(lambda w: {"slope": w["slope"].astype(np.float64)}), "weights are of type float64"),
    (weights(lambda w: {"slope": w["slope"][:-1]}), DAMAGED),
    (weights(lambda w: {"slope": np.repeat(w["slope"], 2, 1)}), f"answer two rows|{DAMAGED}"),
    (weights(lambda w: {"deviation": w["deviation"] * 0}), "answer two rows"),
    (weights(lambda w: {"background": w["background"][:, :1]}), "background has the shape"),
    (weights(lambda w: {"background": np.repeat(w["background"], 1000, 0)}), "background has the shape"),
    (put("weights.safetensors", b"\xff" * 200), DAMAGED),
    (put("weights.safetensors", b""), DAMAGED),
]  # fmt: skip
CUSTOMERS = [
    (relation("FROM secret"), "reads secret"),
    (relation("FROM query_table('secret')"), OWN),
    (relation("FROM query_table(__sqlml_t)"), OWN),
    (relation("FROM query_table(__sqlml_relation := 'secret')"), OWN),
    (relation("FROM ml.features_{id}_of('secret')"), OWN),
    (relation("FROM ml.features_{id}_of(secret)"), OWN),
    (relation("FROM main.<{id}_at>('sec' || 'ret')"), OWN),
    (relation("FROM ml.predict('churn', 'FROM secret')"), "calls ml.predict"),
    (relation("SELECT 1, (__sqlml_t) AS TABLE FROM secret"), "reads secret"),
    (relation("WITH secret AS (SELECT 1 AS a) SELECT 1, (__sqlml_t) AS TABLE FROM secret"), "reads secret"),
    (relation("SELECT 1; SELECT 2"), "makes no macro"),
    (relation("FROM behavior.events", "(__sqlml_relation)"), r"takes \(__sqlml_relation\), not"),
    (relation("FROM behavior.events", "(__sqlml_t := 1)"), "takes"),
    (option(population="(SELECT max(a) FROM secret) > 1"), "reads secret"),
    (option(population="true) FROM secret --"), UNREADABLE),
    (option(predict="sum(nextval('counter')) > 1"), "calls nextval"),
    (option(predict="count(*)), (SELECT 1"), UNREADABLE),
    (record("functions", "kind", "value"), "not those of its task"),
    (encoder(lambda fitted: fitted["columns"][0].update(name="other")), INPUTS),
]


@pytest.mark.parametrize(("change", "message"), ROWS, ids=range(len(ROWS)))
def test_a_hostile_model_of_rows_is_refused(away, rows_file, tmp_path, change, message):
    parts = unpacked(rows_file)
    change(parts)
    refused(away, pack(parts, tmp_path / "hostile"), message)


@pytest.mark.parametrize(("change", "message"), CUSTOMERS, ids=range(len(CUSTOMERS)))
def test_a_hostile_model_of_customers_is_refused(away, churn_file, tmp_path, change, message):
    parts = unpacked(churn_file)
    change(parts)
    refused(away, pack(parts, tmp_path / "hostile"), message)


def patched(marks, change):
    """An archive whose headers, each behind one of the marks, are changed."""

    def make(parts, path):
        data = bytearray(pack(parts, path).read_bytes())
        for mark in marks:
            for found in re.finditer(re.escape(mark), bytes(data)):
                change(data, found.start() + (2 if mark == b"PK\1\2" else 0))
        path.write_bytes(data)

    return make


def encrypt(data, start):
    data[start + 6] |= 1


def shorten(data, start):
    data[start + 22 : start + 26] = (10).to_bytes(4, "little")


def garble(data, start):
    data[start + 60 : start + 70] = b"\xff" * 10


def entries(*added):
    def make(parts, path):
        pack(parts, path)
        with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archived:
            warnings.simplefilter("ignore")
            for entry, content, compression in added:
                archived.writestr(entry, content, compression)

    return make


def saying(**said):
    return lambda parts, path: pack(parts, path, **said)


def manifest(content):
    def make(parts, path):
        with zipfile.ZipFile(path, "w") as archived:
            for name, each in (parts | {"manifest.json": content}).items():
                archived.writestr(name, each)

    return make


LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"
FORMS = [
    (patched([LOCAL, CENTRAL], encrypt), "encrypted"),
    (patched([CENTRAL], shorten), "cannot read"),
    (patched([LOCAL], garble), f"cannot read|{DAMAGED}"),
    (entries(("tables/metrics.json", "{}", zipfile.ZIP_STORED)), "some of one name"),
    (entries(*((f"macros/{n}.sql", "", zipfile.ZIP_STORED) for n in range(100, 400))), "more than 300"),
    (entries(("macros/99.sql", b"0" * 10**6, zipfile.ZIP_BZIP2)), "macros/99.sql is packed in a way"),
    (entries(("macros/99.sql", b"0" * 10**6, zipfile.ZIP_LZMA)), "macros/99.sql is packed in a way"),
    (entries(("macros/99.sql", b"", zipfile.ZIP_STORED)), "not those of the manifest"),
    (lambda parts, path: pack(parts | {"tables/metrics.json": b"{}"}, path, files=json.loads(parts["manifest.json"])["files"]), "is not what the manifest says"),
    (saying(format=2), "of format 2; this sqlml reads format 1"),
    (saying(format="1"), "of format '1'"),
    (saying(product="other"), "of format"),
    (saying(version_id="../../x"), "no proper id"),
    (saying(version_id="FFFFFFFFFFFF"), "no proper id"),
    (saying(version_id="ffffffffffff"), "would make the macro"),
    (saying(version_id=1), DAMAGED),
    (saying(files=[]), "not those of the manifest"),
    (saying(files=None), DAMAGED),
    (manifest("[]"), DAMAGED),
    (manifest("{}"), "KeyError"),
    (manifest(b"\xff"), DAMAGED),
    (manifest("[" * 100_000), DAMAGED),
    (manifest(" " * 2**21), "manifest.json is larger than"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), FORMS, ids=range(len(FORMS)))
def test_an_archive_of_another_making_is_refused(away, rows_file, tmp_path, make, message):
    make(unpacked(rows_file), tmp_path / "hostile")
    refused(away, tmp_path / "hostile", message)


LIMITS = [
    (archive, "MOST_OF_WEIGHTS", 100, "weights.safetensors is larger than"),
    (archive, "MOST_OF_TEXT", 1000, "is larger than"),
    (archive, "MOST_LISTS", 3, "holds more than 3 lists"),
    (vetting, "MOST_CHARACTERS", 500, "characters, with what it calls put in"),
]


@pytest.mark.parametrize(("module", "limit", "value", "message"), LIMITS)
def test_what_is_too_large_is_refused(away, rows_file, monkeypatch, module, limit, value, message):
    monkeypatch.setattr(module, limit, value)
    refused(away, rows_file, message)


def test_what_is_a_number_in_a_lifetime_value_is_one(con, tmp_path):
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
        SELECT (hash(i) % 300)::INT AS customer_id, TIMESTAMP '2025-01-01' + to_minutes((hash(i, 1) % 500000)::INT) AS event_time,
               (hash(i, 3) % 1000) / 7.0 AS amount FROM range(4000) t(i)""").fetchall()
    con.execute(
        "CREATE MODEL clv OPTIONS (task = 'clv', method = 'bgnbd', horizon = INTERVAL 30 DAY, max_cutoffs = 2, folds = 2)"
    ).fetchall()
    parts = unpacked(export(con, "clv", tmp_path / "clv.sqlml"))
    assert take(con, pack(parts, tmp_path / "same"), "same")
    weights(lambda stored: stored | {"closed.a": np.repeat(stored["closed.a"], 2)})(parts)
    refused(con, pack(parts, tmp_path / "twice"), "closed.a is an array where a number belongs")


TAKE = """
import resource, sys, sqlml
with sqlml.connect() as con:
    try:
        con.execute(f"IMPORT MODEL taken FROM '{sys.argv[1]}'").fetchall()
    except sqlml.errors.SqlmlError as error:
        print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def many_keys(count):
    return b'{"columns": ["warning"], "rows": [], ' + b", ".join(b'"%d": ""' % i for i in range(count)) + b"}"


def of_noise(content, size):
    """An archive is large where it does not pack well: it may then unpack to more."""
    return content + np.random.default_rng(0).bytes(size).hex().encode()


SMALL = {
    "rows": {"tables/warnings.json": b'{"columns": ["warning"], "rows": [' + b'[""], ' * 4_200_000 + b'[""]]}'},
    "fewer rows": {"tables/warnings.json": b'{"columns": ["warning"], "rows": [' + b'[""], ' * 600_000 + b'[""]]}'},
    "keys": {"tables/warnings.json": many_keys(2_000_000)},
    "keys, of a large one": {"tables/warnings.json": many_keys(2_000_000), "tables/trials.json": of_noise(b"", 10**7)},
    "numbers": {"tables/warnings.json": b'{"columns": ["warning"], "rows": [[' + b"1.5, " * 800_000 + b"1]]}"},
    "depth": {"tables/warnings.json": b"[" * 3_000_000},
    "zeros": {"weights.safetensors": save({"background": np.zeros(2**25, np.float32)})},
}


@pytest.mark.skipif(sys.platform == "win32", reason="asks for the peak of a process")
def test_what_is_small_takes_little_memory_before_it_is_refused(rows_file, tmp_path, tally):
    def taken(file):
        done = subprocess.run([sys.executable, "-c", TAKE, str(file)], capture_output=True, text=True, check=True)
        return int(done.stdout), done.stderr

    plain, told = taken(rows_file)
    assert not told
    for name, change in SMALL.items():
        peak, told = taken(pack({**unpacked(rows_file), **change}, tmp_path / "small"))
        assert "The archive is refused" in told, (name, told)
        assert peak < 1.2 * plain, (name, peak, plain)
        tally["small archives"] += 1


@pytest.mark.skipif(sys.platform == "win32", reason="opens a device")
def test_what_is_no_file_is_not_read(home):
    with pytest.raises(ModelError, match="refused: it is no file"):
        home.execute("IMPORT MODEL endless FROM '/dev/zero'")


def test_a_hostile_version_leaves_the_model_that_it_would_replace(home, rows_file, tmp_path):
    parts = unpacked(rows_file)
    expression("(SELECT max(a) FROM secret)")(parts)
    before = answers(home, "b", "b")
    refused(home, pack(parts, tmp_path / "hostile"), "reads secret", "b", "OR REPLACE")
    assert answers(home, "b", "b") == before


def test_ids_of_another_type_are_refused(shop, tmp_path):
    file, path = tmp_path / "churn.sqlml", tmp_path / "text.duckdb"
    shop.execute(f"EXPORT MODEL churn TO '{file}'").fetchall()
    copy_to(shop, path)
    with sqlml.connect(path) as con:
        con.execute("DROP MODEL churn").fetchall()
        con.execute(
            "CREATE TABLE texts AS SELECT * REPLACE (customer_id::VARCHAR AS customer_id) FROM behavior.events"
        ).fetchall()
        con.execute(
            "CREATE OR REPLACE VIEW behavior.events AS FROM main.texts; DROP VIEW behavior.customers"
        ).fetchall()
        with pytest.raises(ModelError, match="customer_id of behavior.events is VARCHAR here".replace(".", "[.]")):
            con.execute(f"IMPORT MODEL churn FROM '{file}'")


def test_a_database_shut_off_from_files_stays_so(tmp_path):
    with sqlml.connect(enable_external_access=False) as con:
        for statement in ("EXPORT MODEL m TO 'm.sqlml'", "IMPORT MODEL m FROM 'm.sqlml'"):
            with pytest.raises(ModelError, match="Files are out of reach"):
                con.execute(statement)
