"""CREATE MODEL … AS SELECT …: labels of every kind, columns of every type, rows in any shape."""

import json
import re
from pathlib import Path

import duckdb
import numpy as np
import pytest

import sqlml
from sqlml import connection, macros, options, tabular, training
from sqlml.errors import DataError, OptionError, SqlmlError
from sqlml.statements import RetrainModel
from sqlml.transforms import Calibration, Column, Encoder
from tests.conftest import one

FAST = "method = 'net', epochs = 12, members = 2, width = 8, folds = 2, bins = 8, patience = 4"
PEOPLE = """CREATE TABLE people AS
    SELECT i AS person_id, (hash(i * 10000 + 1) % 1000 / 100.0)::DOUBLE AS visits, hash(i * 10000 + 2) % 1000 / 1000.0 AS noise,
           ['red', 'green', 'blue'][(1 + hash(i * 10000 + 3) % 3)::INT] AS colour, DATE '2024-01-01' + (hash(i * 10000 + 4) % 700)::INT AS joined,
           [['a'], ['a', 'b'], ['b'], NULL][(1 + hash(i * 10000 + 5) % 4)::INT] AS tags,
           CASE WHEN hash(i * 10000 + 7) % 2 = 0 THEN 'this was a great fit for me' ELSE 'a very poor and sad fit ' END || i AS review,
           CASE WHEN hash(i * 10000 + 6) % 20 = 0 THEN NULL ELSE (hash(i * 10000 + 6) % 100)::INT END AS age,
           visits - 5 + 2 * (colour = 'red')::INT + 2 * (hash(i * 10000 + 7) % 2 = 0)::INT - 1 AS signal,
           hash(i * 10000 + 8) / 18446744073709551616.0 < 1 / (1 + exp(-signal)) AS churned
    FROM range(3000) t(i)"""
KEYS = "key = 'person_id', exclude = ['signal']"


@pytest.fixture(scope="module")
def db():
    with sqlml.connect() as con:
        con.execute(PEOPLE).fetchall()
        con.execute(f"CREATE MODEL p OPTIONS (label = 'churned', {KEYS}, {FAST}) AS SELECT * FROM people").fetchall()
        yield con


def record(con, sql):
    return [(topic, item, detail) for topic, item, detail in con.execute(sql).fetchall()]


def test_a_flag_is_classified_and_the_record_says_how(db):
    metrics = dict(db.execute("SELECT method, value FROM ml.metrics WHERE metric = 'auc'").fetchall())
    assert metrics["net"] > 0.85 > metrics["base rate"] == 0.5
    assert one(db, "SELECT tested FROM ml.versions") == "random"
    left_out = dict(db.execute("SELECT name, detail FROM ml.features WHERE NOT is_used").fetchall())
    assert left_out["churned"] == "the label"
    assert left_out["person_id"] == "the key"
    used = [name for (name,) in db.execute("SELECT name FROM ml.features WHERE is_used").fetchall()]
    assert {"visits", "colour", "age", "joined (age)", "tags has a", "review: great"} <= set(used)
    low, high = db.execute("SELECT min(p_score(t)), max(p_score(t)) FROM people t").fetchall()[0]
    assert 0 <= low < 0.2
    assert 0.8 < high <= 1


def test_the_functions_agree(db):
    wrong = """SELECT count(*) FROM people t WHERE p_class(t) <> (p_score(t) >= .5)
        OR abs(p_proba(t)[true] - p_score(t)) > 1e-6 OR abs(p_proba(t)[true] + p_proba(t)[false] - 1) > 1e-6
        OR len(p_interval(t, coverage := .999)) < len(p_interval(t, coverage := .5))"""
    assert one(db, wrong) == 0
    both = """SELECT count(*) FROM ml.predict('p', 'SELECT * FROM people -- ; all of them
        WHERE colour = ''red'';') WHERE predicted_churned <> (predicted_churned_probability >= .5)"""
    assert one(db, both) == 0
    assert len(db.sql("FROM ml.predict('p', 'SELECT * FROM people')").columns) == 12


def test_a_row_may_come_in_any_shape(db):
    expected = db.execute("SELECT p_score(t) FROM people t ORDER BY person_id LIMIT 50").fetchall()
    reordered = "SELECT review, 'more' AS extra, age::VARCHAR AS age, joined::TIMESTAMP AS joined, tags, visits::DECIMAL(9, 2) AS VISITS, colour, noise, person_id FROM people"
    assert db.execute(f"SELECT p_score(r) FROM ({reordered}) r ORDER BY person_id LIMIT 50").fetchall() == expected
    unseen = "SELECT * REPLACE ('purple' AS colour, NULL AS age, NULL AS tags, 'nan'::DOUBLE AS visits) FROM people"
    assert one(db, f"SELECT count(p_score(r)) FROM ({unseen}) r") == 3000
    with pytest.raises(duckdb.BinderException, match="visits"):
        db.execute("SELECT p_score(r) FROM (SELECT * EXCLUDE (visits) FROM people) r")
    with pytest.raises(duckdb.ConversionException, match="many"):
        db.execute("SELECT p_score(r) FROM (SELECT * REPLACE ('many' AS visits) FROM people) r").fetchall()


def test_effects_add_up_to_the_score(db):
    rows = db.execute("""SELECT ln(p_score(t) / (1 - p_score(t))), list_sum(list_transform(p_explain(t), lambda e: e.effect)),
                         p_explain(t)[1].feature FROM people t WHERE p_score(t) BETWEEN .001 AND .999 LIMIT 1000""").fetchall()
    score, total, first = zip(*rows, strict=True)
    assert np.std(np.array(score) - np.array(total)) < 1e-4
    assert max(set(first), key=first.count) in ("visits", "colour", "review")


def test_effects_are_in_the_unit_of_the_label_and_start_from_the_average(db):
    db.execute(f"""CREATE MODEL e OPTIONS (label = 'dear', key = 'person_id', {FAST}) AS
                   SELECT * EXCLUDE (churned, signal), 1000 * signal AS dear FROM people""").fetchall()
    query = "SELECT e(t), list_sum(list_transform(e_explain(t), lambda f: f.effect)) FROM people t LIMIT 500"
    answer, total = map(np.array, zip(*db.execute(query).fetchall(), strict=True))
    start = answer - total
    assert np.std(start) < 1e-4 * np.std(answer)
    assert abs(start.mean() - one(db, "SELECT avg(e(t)) FROM people t")) < 0.02 * np.std(answer)
    db.execute("DROP MODEL e").fetchall()


def test_a_coverage_that_is_none_is_refused(db):
    for coverage in ("90", "1.5", "0", "-1"):
        with pytest.raises(duckdb.Error, match="coverage must lie between 0 and 1"):
            db.execute(f"SELECT p_interval(t, coverage := {coverage}) FROM people t").fetchall()


def test_noise_has_no_importance(db):
    found = {name: (mean, spread) for name, mean, spread in db.execute(
        "SELECT feature, importance, deviation FROM ml.importance").fetchall()}  # fmt: skip
    assert found["visits"][0] > 5 * found["visits"][1] > 0
    assert db.execute("FROM ml.feature_importance('p')").fetchall()[0][0] == max(found, key=found.get)
    mean, spread = found["noise"]
    assert mean <= 2 * spread + 0.002


def test_intervals_cover_what_they_say(db):
    assert 0.85 <= one(db, "SELECT value FROM ml.metrics WHERE metric = 'coverage_90'") <= 0.95
    db.execute(
        f"CREATE MODEL v OPTIONS (label = 'signal', key = 'person_id', {FAST}) AS SELECT * FROM people"
    ).fetchall()
    covered = """SELECT avg((signal BETWEEN v_interval(t).low AND v_interval(t).high)::INT),
                        avg((signal BETWEEN v_interval(t, coverage := .5).low AND v_interval(t, coverage := .5).high)::INT),
                        corr(v(t), signal) FROM people t"""
    wide, narrow, fit = db.execute(covered).fetchall()[0]
    assert 0.85 <= wide <= 0.98  # most rows were trained on, and miss less
    assert 0.4 <= narrow <= 0.7
    assert fit > 0.95
    assert "'low'" in str(one(db, "SELECT v_interval(t) FROM people t LIMIT 1"))
    db.execute("DROP MODEL v").fetchall()


def test_several_classes(db):
    db.execute(f"""CREATE MODEL c OPTIONS (label = 'colour', key = 'person_id', {FAST}) AS
        SELECT * REPLACE (signal + 6 * list_position(['red', 'green', 'blue'], colour) AS signal) FROM people""").fetchall()
    assert one(db, "SELECT value FROM ml.metrics WHERE metric = 'accuracy' AND method = 'net'") > 0.6
    wrong = """SELECT count(*) FROM people t WHERE c(t) <> map_keys(c_proba(t))[list_position(map_values(c_proba(t)), list_max(map_values(c_proba(t))))]
               OR abs(list_sum(map_values(c_proba(t))) - 1) > 1e-5 OR NOT list_contains(['red', 'green', 'blue'], c(t))"""
    assert one(db, wrong) == 0
    assert len(one(db, "SELECT c_explain(t) FROM people t LIMIT 1")) > 3
    db.execute("DROP MODEL c").fetchall()


def test_a_skewed_label_is_an_amount_and_its_total_fits(db):
    db.execute(f"""CREATE MODEL m OPTIONS (label = 'spend', key = 'person_id', {FAST.replace("epochs = 12", "epochs = 60")}) AS
        SELECT person_id, visits, colour, CASE WHEN churned THEN 0 ELSE exp(visits / 2) * (1 + noise) END AS spend FROM people""").fetchall()
    assert one(db, "SELECT encoder->>'$.target.kind' FROM ml.versions WHERE model = 'm'") == "amount"
    low, total = (
        db.execute("""SELECT min(m(t)), sum(m(t)) / sum(CASE WHEN churned THEN 0 ELSE exp(visits / 2) * (1 + noise) END)
                               FROM people t""").fetchall()[0]
    )
    assert low >= 0
    assert 0.85 < total < 1.15
    db.execute("DROP MODEL m").fetchall()


def test_a_replaced_model_leaves_no_function_of_another_kind(db):
    for label in ("churned", "visits"):
        db.execute(f"CREATE OR REPLACE MODEL k OPTIONS (label = '{label}', {KEYS}, method = '{'logistic' if label == 'churned' else 'linear'}') "
                   "AS SELECT * FROM people").fetchall()  # fmt: skip
    names = {
        n
        for (n,) in db.execute(
            "SELECT function_name FROM duckdb_functions() WHERE function_name LIKE 'k%' AND schema_name = 'main'"
        ).fetchall()
    }
    assert {n for n in names if n in ("k", "k_score", "k_class", "k_proba", "k_interval", "k_explain")} == {
        "k",
        "k_interval",
        "k_explain",
    }
    db.execute("DROP MODEL k").fetchall()
    assert (
        one(db, "SELECT count(*) FROM duckdb_functions() WHERE function_name IN ('k', 'k__predict', 'k_explain')") == 0
    )


def held_out(con, sql, **values):
    rows = con.sql(sql).to_arrow_reader()
    chosen = options.make(options.QueryOptions, values)
    with con.native.cursor() as cursor:
        types = tabular.load(cursor, rows)
        how = tabular.hold_out(cursor, types, tabular.target_of(cursor, types, chosen), chosen)
        return how, cursor.sql(f"FROM {tabular.EXAMPLES}").to_arrow_table().to_pylist()


def test_of_many_rows_a_share_is_drawn(con):
    sql = "SELECT i, hash(i) % 100 AS x, CASE WHEN i < 4_000 THEN hash(i) % 100 > 50 END AS y FROM range(5_000) t(i)"
    for most in (1_000, 4_000):
        con.execute(f"""CREATE OR REPLACE MODEL m OPTIONS (
            label = 'y', key = 'i', method = 'logistic', folds = 2, max_examples = {most}) AS {sql}""").fetchall()
        newest = "version_id = (SELECT version_id FROM ml.models WHERE model = 'm')"
        told = one(con, f"SELECT count(*) FROM ml.warnings WHERE {newest} AND warning LIKE '%drawn by chance%'")
        facts = con.execute(f"SELECT fingerprint FROM ml.versions WHERE {newest}").fetchall()[0][0]
        given, labelled, used = (json.loads(facts)[name] for name in ("rows", "rows_with_label", "rows_learnt_from"))
        assert (given, labelled) == (5_000, 4_000)
        assert told == (most == 1_000)
        assert used == 4_000 if most == 4_000 else 850 < used < 1_150
    keys = "SELECT count(*), count(DISTINCT p.key), count_if(p.key::INT < 4_000) FROM ml.predictions p JOIN ml.versions USING (version_id)"
    assert len(set(con.execute(f"{keys} WHERE version = 2 GROUP BY method").fetchall())) == 1


def test_what_is_drawn_is_the_same_in_any_order(con):
    drawn = []
    for order in ("i", "hash(i)"):
        with con.native.cursor() as cursor:
            types = tabular.load(
                cursor,
                con.sql(f"SELECT i, 7 AS x, i % 2 AS y FROM range(9_000) t(i) ORDER BY {order}").to_arrow_reader(),
            )
            chosen = options.make(options.QueryOptions, {"label": "y", "max_examples": 1_000})
            tabular.draw(cursor, types, chosen)
            drawn.append({i for (i,) in cursor.execute(f"SELECT i FROM {tabular.ROWS}").fetchall()})
    assert drawn[0] == drawn[1]
    assert 850 < len(drawn[0]) < 1_150


def test_rows_that_a_flag_holds_out_are_not_drawn_from(con):
    sql = "SELECT i, i < 3_000 AS held, i % 2 AS y FROM range(9_000) t(i)"
    chosen = options.make(options.QueryOptions, {"label": "y", "split_column": "held", "max_examples": 1_000})
    with con.native.cursor() as cursor:
        types = tabular.load(cursor, con.sql(sql).to_arrow_reader())
        given, told = tabular.draw(cursor, types, chosen)
        held, learnt = cursor.execute(f"SELECT count_if(held), count_if(NOT held) FROM {tabular.ROWS}").fetchall()[0]
    assert (given["rows"], held) == (9_000, 3_000)
    assert 850 < learnt < 1_150
    assert f"{learnt:,}" in told[0]
    assert "6,000" in told[0]


@pytest.mark.parametrize(
    "query", ["DELETE FROM r RETURNING *", "COPY r TO 'r.csv'", "INSERT INTO r SELECT * FROM r RETURNING *", "BEGIN"]
)
def test_a_query_that_changes_something_is_not_run(con, query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    con.execute("CREATE TABLE r AS SELECT i, i % 2 AS y FROM range(99) t(i)")
    con.execute("CREATE MODEL m OPTIONS (label = 'y', method = 'logistic') AS FROM r").fetchall()
    for statement in ("CREATE MODEL n OPTIONS (label = 'y') AS", "EVALUATE MODEL m ON"):
        with pytest.raises(SqlmlError):
            con.execute(f"{statement} {query}")
    assert one(con, "SELECT count(*) FROM r") == 99
    assert not list(tmp_path.iterdir())
    con.execute("BEGIN; COMMIT")
    pivot = "PIVOT (SELECT i, i % 3 AS k, i AS v, i % 2 AS y FROM range(99) t(i)) ON k USING sum(v)"
    con.execute(f"CREATE MODEL p OPTIONS (label = 'y', key = 'i', method = 'logistic') AS {pivot}").fetchall()


def test_a_query_that_fails_in_one_of_its_rows(con):
    sql = "SELECT i, CASE WHEN i = 99_999 THEN error('Parse Error: bad') ELSE i % 2 END AS y FROM range(100_000) t(i)"
    message = "fails while its rows are read: Invalid Input Error: Parse Error: bad"
    with pytest.raises(DataError, match=message) as error:  # which holds on to what was being read
        con.execute(f"CREATE MODEL m OPTIONS (label = 'y') AS {sql}")
    assert con.catalog().models() == []
    assert one(con, "SELECT 42") == 42
    con.execute("CREATE MODEL m OPTIONS (label = 'y', method = 'logistic') AS SELECT i, i % 2 AS y FROM range(99) t(i)")
    with pytest.raises(DataError, match=message):
        con.execute(f"EVALUATE MODEL m ON {sql}")
    with pytest.raises(DataError, match="twice") as error:
        con.execute("CREATE MODEL n OPTIONS (label = 'y') AS SELECT i, 1 AS y, 2 AS y FROM range(100_000) t(i)")
    assert one(con, "SELECT 42") == 42, error


def test_equal_rows_never_straddle_a_split(con):
    twice = "SELECT i // 3 AS a, (i // 3) % 7 AS b, (i // 3) % 2 = 0 AS y FROM range(900) t(i)"
    how, rows = held_out(con, twice, label="y")
    assert how == "random"
    places = {}
    for row in rows:
        places.setdefault(row["a"], set()).add((row["__sqlml_test"], row["__sqlml_fold"]))
    assert all(len(found) == 1 for found in places.values())
    assert 0.18 < np.mean([row["__sqlml_test"] for row in rows]) < 0.22
    for fold in range(3):
        assert (
            0.4 < np.mean([row["y"] for row in rows if row["__sqlml_fold"] == fold and not row["__sqlml_test"]]) < 0.6
        )


def test_the_newest_rows_or_the_marked_ones_are_held_out(con):
    sql = "SELECT i, DATE '2025-01-01' + i::INT AS day, i % 5 = 0 AS mark, i % 2 = 0 AS y FROM range(200) t(i)"
    how, rows = held_out(con, sql, label="y", split_column="day")
    assert how == "time"
    assert {r["__sqlml_test"] for r in rows if r["i"] < 160} == {False}
    assert {r["__sqlml_test"] for r in rows if r["i"] > 160} == {True}
    quarters = "SELECT i, DATE '2025-01-01' + 90 * (i // 50)::INT AS day, CASE WHEN i < 150 THEN i % 2 = 0 END AS y FROM range(200) t(i)"
    how, rows = held_out(con, quarters, label="y", split_column="day")
    assert {(r["i"] >= 100) == r["__sqlml_test"] for r in rows} == {True}
    how, rows = held_out(con, sql, label="y", split_column="mark")
    assert how == "custom"
    assert all(r["__sqlml_test"] == r["mark"] for r in rows)


@pytest.mark.parametrize(
    ("given", "query", "error", "message"),
    [
        ("key = 'i'", "SELECT 1 AS i", OptionError, "label is missing"),
        ("label = 'nope'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "no column 'nope'"),
        ("label = 'y', key = 'nope'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "no column 'nope'"),
        ("label = 'y', columns = ['z']", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "no column 'z'"),
        ("label = 'y'", "SELECT i, i % 2 AS y FROM range(10) t(i)", DataError, "50 are the least"),
        ("label = 'y'", "SELECT i, 1 AS y FROM range(99) t(i)", DataError, "the same"),
        ("label = 'y'", "SELECT i, NULL::INT AS y FROM range(99) t(i)", DataError, "not NULL: 0"),
        ("label = 'y'", "SELECT i, CASE WHEN i < 3 THEN 'rare' ELSE 'often' END AS y FROM range(99) t(i)", DataError, "'rare' of the label"),
        ("label = 'y'", "SELECT i % 2 AS y, 7 AS constant FROM range(99) t(i)", DataError, "too few different rows"),
        ("label = 'y', task = 'regression'", "SELECT i, 'x' || i % 2 AS y FROM range(99) t(i)", OptionError, "needs a number"),
        ("label = 'y', task = 'churn'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "no task 'churn'"),
        ("label = 'y', positive = '3'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "one of two classes"),
        ("label = 'y', split = 'tim'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "Did you mean time"),
        ("label = 'y', split = 'time'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "needs a split_column"),
        ("label = 'y', method = 'forest'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "no method 'forest'"),
        ("label = 'y'", "SELECT i, i AS I, i % 2 AS y FROM range(99) t(i)", DataError, "twice"),
        ("label = 'c0'", f"SELECT {', '.join(f'hash(i * 10000 + {k}) % 2 AS c{k}' for k in range(5000))} FROM range(99) t(i)", DataError, "4,999 columns"),
        ("label = 'y', split_column = 'd'", "SELECT i, DATE '2025-01-01' + i::INT AS d, i > 80 AS y FROM range(99) t(i)", DataError, "all with the same label"),
        ("label = 'y', blend = 'fited'", "SELECT i, i % 2 AS y FROM range(99) t(i)", OptionError, "Did you mean fitted"),
        ("label = 'y'", "SELECT i, 'nan'::DOUBLE AS y FROM range(99) t(i)", DataError, "not NULL: 0"),
        ("horizon = '3 days'", "SELECT 1", OptionError, "horizon is one of a model of customers"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(con, given, query, error, message):
    with pytest.raises(error, match=message):
        con.execute(f"CREATE MODEL q OPTIONS ({given}) AS {query}")
    assert con.execute("SHOW MODELS").fetchall() == []


def test_infinite_missing_and_huge_values_are_learnt_from_and_scored(con):
    wild = """SELECT i, CASE i % 5 WHEN 0 THEN 'infinity'::DOUBLE WHEN 1 THEN '-infinity'::DOUBLE WHEN 2 THEN 'nan'::DOUBLE
                     WHEN 3 THEN 1e300 ELSE NULL END AS wild, (hash(i) % 100)::DOUBLE AS x, NULL::INT AS nothing,
                     x > 50 AS y FROM range(600) t(i)"""
    con.execute(f"CREATE MODEL w OPTIONS (label = 'y', {FAST}) AS {wild}").fetchall()
    low, high, missing = con.execute(
        f"SELECT min(w_score(t)), max(w_score(t)), count_if(w_score(t) IS NULL) FROM ({wild}) t"
    ).fetchall()[0]
    assert 0 <= low < 0.2
    infinite, missing_one = con.execute(
        "SELECT w_score({'i': 1, 'wild': 'inf'::DOUBLE, 'x': 3}), w_score({'i': 1, 'wild': NULL, 'x': 3})"
    ).fetchall()[0]
    assert infinite == missing_one
    assert 0.8 < high <= 1
    assert missing == 0


def test_names_that_differ_in_case_alone_are_told_apart(con):
    con.execute(f"""CREATE MODEL c OPTIONS (label = 'y', positive = true, {FAST}) AS SELECT i, CASE i % 3 WHEN 0 THEN ['Red'] WHEN 1 THEN ['red'] END AS tags,
                    1e17 + 0 * i AS huge, i % 3 = 0 AS y FROM range(300) t(i)""").fetchall()
    red, other = con.execute(
        "SELECT c_score({'tags': ['Red'], 'huge': NULL, 'i': 5}), c_score({'tags': ['red'], 'huge': 1e17, 'i': 5})"
    ).fetchall()[0]
    assert red > 0.7
    assert other < 0.3


def test_a_few_rows_are_not_learnt_by_heart(con):
    noise = ", ".join(f"hash(i * 10000 + {k}) % 1000 / 1000.0 AS n{k}" for k in range(20))
    con.execute(
        f"CREATE TABLE few AS SELECT {noise}, hash(i * 10000 + 99) % 2 = 0 AS y FROM range(1000) t(i)"
    ).fetchall()
    con.execute("CREATE MODEL few OPTIONS (label = 'y') AS FROM few").fetchall()
    low, high = con.execute("SELECT quantile_cont(few_score(t), [.05, .95]) FROM few t").fetchall()[0][0]
    assert 0.35 < low < high < 0.65


def test_braces_in_names_are_no_placeholders(con):
    con.execute("""CREATE MODEL b OPTIONS (label = '{content}', method = 'logistic', folds = 2) AS
                    SELECT i % 7 AS "{row}", i AS "{seed} {is_test}", i % 3 = 0 AS "{content}" FROM range(400) t(i)""").fetchall()
    predicted = con.sql("""FROM ml.predict('b', 'SELECT 1 AS "{row}", 2 AS "{seed} {is_test}"')""")
    assert predicted.columns[-2:] == ["predicted_{content}", "predicted_{content}_probability"]


def test_a_leak_is_named(con):
    con.execute(PEOPLE).fetchall()
    rows = record(con, f"CREATE MODEL q OPTIONS (label = 'churned', {KEYS}, method = 'logistic') AS "
                  "SELECT *, CASE WHEN churned THEN 'left' ELSE 'stayed' END AS status FROM people")  # fmt: skip
    assert any("'status' alone tells the label" in detail for topic, _, detail in rows if topic == "warning")


def test_rows_from_variables_parameters_and_odd_names(con):
    frame = con.sql(
        'SELECT i AS "select", i % 7 AS "a ""b""; --", i % 3 = 0 AS "it\'s" FROM range(400) t(i)'
    ).to_arrow_table()
    assert len(frame) == 400
    con.execute(
        """CREATE MODEL "my ""model" OPTIONS (label = 'it''s', method = 'logistic', folds = 2) AS
                    SELECT * FROM frame WHERE "select" >= ?""",
        [50],
    ).fetchall()
    scored = con.execute('SELECT count("my ""model_score"(f)) FROM frame f').fetchall()
    assert scored == [(400,)]
    assert len(con.execute("""FROM ml.predict('my "model', 'FROM frame')""").fetchall()) == 400
    con.execute('DROP MODEL "my ""model"').fetchall()


def test_a_file_with_a_query_model_alone_opens_again(tmp_path):
    path = tmp_path / "tabular.duckdb"
    with sqlml.connect(path) as con:
        con.execute(PEOPLE).fetchall()
        con.execute(
            f"CREATE MODEL p OPTIONS (label = 'churned', {KEYS}, method = 'logistic') AS FROM people"
        ).fetchall()
        expected = con.execute("SELECT p_score(t) FROM people t LIMIT 9").fetchall()
    with sqlml.connect(path, read_only=True) as con:
        assert con.execute("SELECT p_score(t) FROM people t LIMIT 9").fetchall() == expected
        with pytest.raises(SqlmlError):
            con.execute("DROP MODEL nothing")


@pytest.mark.parametrize(
    ("label", "method", "apart"),
    [("churned", "logistic", 1e-6), ("signal", "linear", 1e-5), ("exp(signal)", "linear", 1e-5)],
)
def test_a_linear_model_is_plain_sql_that_agrees_with_jax(db, label, method, apart):
    db.execute(f"""CREATE MODEL s OPTIONS (label = 'label', {KEYS}, method = '{method}') AS
                   SELECT * EXCLUDE (churned), {label} AS label FROM people""").fetchall()
    version = one(db, "SELECT version_id FROM ml.models WHERE model = 's'")
    name, kind = ("s_score", "score") if method == "logistic" else ("s", "value")
    odd = """SELECT * REPLACE (CASE WHEN person_id % 5 = 0 THEN NULL ELSE visits END AS visits,
                               CASE WHEN person_id % 7 = 0 THEN 'x' ELSE colour END AS colour) FROM people"""
    jax = f"__sqlml_{kind}_{version}(ml.inputs_{version}(t))"
    assert one(db, f"SELECT max(abs({name}(t) - {jax}) / greatest(1, abs({jax}))) FROM ({odd}) t") < apart
    macro = one(db, f"SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'answers_{version}'")
    assert f"__sqlml_{kind}" not in macro
    db.execute("DROP MODEL s").fetchall()


def test_the_statements_of_the_readme_run_as_written(con):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Any table.*?```sql\n(.*?)```", readme, re.DOTALL)
    assert block
    con.execute(f"{PEOPLE}; CREATE TABLE telco_churn AS SELECT * EXCLUDE (person_id, churned, signal), person_id AS customer_id, "
                "churned AS churn FROM people; CREATE VIEW new_customers AS SELECT * EXCLUDE (churn) FROM telco_churn").fetchall()  # fmt: skip
    *_, top, predicted = [con.execute(s).fetchall() for s in block[1].strip().split(";") if s.strip()]
    assert len(top) == 10
    assert top[0][1] >= top[-1][1] > 0.5
    assert len(predicted) == 3000


def test_the_formula_of_a_thousand_columns_is_not_too_deep(con):
    columns = tuple(Column(f"c{i}", f"c{i}", "__sqlml_row.x") for i in range(1000))
    slope = np.random.default_rng(0).normal(size=(2000, 1)).astype(np.float32)
    weights = {"slope": slope, "mean": np.zeros(1000), "deviation": np.ones(1000), "intercept": np.ones(1)}
    formula = macros.linear_sql(Encoder(columns), weights, Calibration())
    expected = 1 / (1 + np.exp(-1 - np.log(2) * slope[:1000].astype(float).sum()))
    assert one(con, f"SELECT {formula} FROM (SELECT 1 AS x) __sqlml_row") == pytest.approx(expected, rel=1e-6)


def test_a_retrain_is_of_one_version_whatever_is_promoted_meanwhile(con, monkeypatch):
    for size in (300, 600):
        query = f"SELECT i AS x, i % 2 = 0 AS y FROM range({size}) t(i)"
        con.execute(f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', method = 'logistic') AS {query}").fetchall()
    rows = connection.Connection._rows

    def meanwhile(self, statement, parameters):
        found = rows(self, statement, parameters)
        if isinstance(statement, RetrainModel):
            con.native.cursor().execute(
                "UPDATE ml.models SET version_id = (SELECT version_id FROM ml.versions WHERE version = 1)"
            )
        return found

    monkeypatch.setattr(connection.Connection, "_rows", meanwhile)
    con.execute("ALTER MODEL m RETRAIN").fetchall()
    assert one(con, "SELECT query LIKE '%range(600)%' FROM ml.versions WHERE version = 3")


def test_batches_are_no_larger_than_an_epoch(con, monkeypatch):
    monkeypatch.setattr(training, "EPOCH_ROWS", 64)
    query = "SELECT i AS x, i >= 150 AS y FROM range(300) t(i)"
    con.execute(
        f"CREATE MODEL m OPTIONS (label = 'y', method = 'net', epochs = 3, members = 2, width = 8, batch_size = 128) AS {query}"
    ).fetchall()
    assert one(con, "SELECT count(*) FROM ml.training_log") > 0


@pytest.mark.parametrize("label", ["1.7e9 + z", "1.7e12 + z * 1000", "z * 1e-300", "z * 1e300", "z * 1e38"])
def test_a_number_that_float_does_not_hold_is_refused(con, label):
    query = f"SELECT i, z, {label} AS y FROM (SELECT i, hash(i) % 1000 / 10 AS z FROM range(400) t(i))"
    with pytest.raises(DataError, match="The number to predict"):
        con.execute(f"CREATE MODEL r OPTIONS (label = 'y', key = 'i', {FAST}) AS {query}").fetchall()


def test_an_instant_has_one_score_in_every_time_zone(con):
    con.execute("""CREATE TABLE t AS SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i) HOUR AS seen, DATE '2024-01-01' + (i % 9)::INT AS day,
                   i % 24 < 8 AS y FROM range(1000) t(i)""").fetchall()
    con.execute(f"CREATE MODEL m OPTIONS (label = 'y', {FAST}) AS FROM t").fetchall()
    found = set()
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        con.execute(f"SET TimeZone = '{zone}'").fetchall()
        found.add(tuple(con.execute("SELECT m_score(t) FROM t ORDER BY epoch(seen) LIMIT 48").fetchall()))
    assert len(found) == 1
    assert one(con, "SELECT m_score({'seen': NULL::TIMESTAMPTZ, 'day': DATE '300000-01-01'})") is not None
