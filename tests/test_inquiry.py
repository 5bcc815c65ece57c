"""What is asked of a model: EVALUATE, EXPLAIN, BACKTEST; and RETRAIN with its gate."""

import gzip
import shutil
from pathlib import Path

import pytest
from sklearn.metrics import log_loss, roc_auc_score

import sqlml
from sqlml.catalog import SCHEMA_VERSION
from sqlml.errors import CatalogError, DataError, ModelError, OptionError
from tests.conftest import FAST, one

FIXTURE = Path(__file__).parent / "fixtures" / "first_schema.duckdb.gz"
ROWS = """SELECT i AS id, hash(i * 10000) % 1000 AS x, ['a', 'b'][1 + i % 2] AS kind,
          hash(i * 10000) % 1000 + 300 * (i % 2) + hash(i * 10000 + 1) % 500 > 900 AS y FROM range({}, {}) t(i)"""


@pytest.fixture(scope="module")
def con():
    with sqlml.connect() as connection:
        for method, more in (("logistic", "folds = 2"), ("net", FAST)):
            connection.execute(f"""CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'id', method = '{method}', {more})
                                   AS {ROWS.format(0, 900)}""").fetchall()
        yield connection


def metrics(con, statement, *parameters):
    rows = con.execute(statement, *parameters).fetchall()
    return {(method, population, metric): value for method, population, metric, value, *_ in rows}


def test_the_stored_metrics_of_any_version(con):
    newest = metrics(con, "EVALUATE MODEL m")
    assert newest["net", "all", "auc"] == one(
        con, "SELECT value FROM ml.evaluate('m') WHERE metric = 'auc' AND method = 'net'"
    )
    assert {in_sample for *_, in_sample in con.execute("EVALUATE MODEL m").fetchall()} == {False}
    assert ("net", "all", "auc") not in metrics(con, "EVALUATE MODEL m VERSION 1")
    with pytest.raises(ModelError, match="no version 7"):
        con.execute("EVALUATE MODEL m VERSION 7")


@pytest.mark.parametrize("version", [1, 2])
def test_metrics_on_the_rows_of_a_query_are_those_of_scikit_learn(con, version):
    query = ROWS.format(5000, 5400)
    method = ("logistic", "net")[version - 1]
    found = metrics(con, f"EVALUATE MODEL m VERSION {version} ON {query}")
    con.execute(f"ALTER MODEL m PROMOTE VERSION {version}").fetchall()
    labels, scores = zip(*con.execute(f"SELECT y, m_score(t) FROM ({query}) t").fetchall(), strict=True)
    con.execute("ALTER MODEL m PROMOTE VERSION 2").fetchall()
    assert found[method, "all", "auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert found[method, "all", "log_loss"] == pytest.approx(log_loss(labels, scores), abs=1e-6)
    assert found[method, "all", "n_rows"] == 400


def test_evaluate_takes_parameters_and_says_what_is_missing(con):
    some = metrics(con, f"EVALUATE MODEL m ON SELECT * FROM ({ROWS.format(5000, 5400)}) WHERE x > $1", [500])
    assert 100 < some["net", "all", "n_rows"] < 300
    with pytest.raises(DataError, match="no column 'y'"):
        con.execute("EVALUATE MODEL m ON SELECT 1 AS x")
    with pytest.raises(DataError, match=r"do not fit the model.*kind"):
        con.execute("EVALUATE MODEL m ON SELECT 1 AS x, true AS y")
    with pytest.raises(
        DataError, match="1 rows have a label that the model does not know, such as perhaps; it knows false, true"
    ):
        con.execute("EVALUATE MODEL m ON SELECT 1 AS x, 'a' AS kind, 'perhaps' AS y")
    with pytest.raises(DataError, match="No row"):
        con.execute("EVALUATE MODEL m ON SELECT 1 AS x, 'a' AS kind, true AS y WHERE false")


def test_customers_are_evaluated_where_the_horizon_is_over(shop):
    moment = "SELECT customer_id, TIMESTAMP '2026-03-01' AS as_of FROM behavior.customers"
    rows = shop.execute(f"EVALUATE MODEL churn ON {moment}").fetchall()
    assert {in_sample for *_, in_sample in rows} == {True}
    found = {metric: value for _, _, metric, value, *_ in rows}
    assert 0.5 < found["auc"] <= 1
    truth = one(shop, f"""SELECT avg((c.customer_id NOT IN (SELECT customer_id FROM behavior.events WHERE event_time > TIMESTAMP '2026-03-01'
                AND event_time <= TIMESTAMP '2026-03-01' + INTERVAL 60 DAY))::INT) FROM ({moment}) c
                WHERE customer_id IN (SELECT customer_id FROM behavior.events WHERE event_time <= TIMESTAMP '2026-03-01')""")  # fmt: skip
    assert found["base_rate"] == pytest.approx(truth)
    with pytest.raises(DataError, match="as_of may be at most"):
        shop.execute("EVALUATE MODEL churn ON SELECT customer_id FROM behavior.customers")
    with pytest.raises(DataError, match="needs the column customer_id"):
        shop.execute("EVALUATE MODEL churn ON SELECT 7 AS customer")


def test_explain_says_how_a_model_was_made(con, shop):
    topics = {}
    for topic, item, detail in con.execute("EXPLAIN MODEL m").fetchall():
        topics.setdefault(topic, {})[item] = detail
    assert topics["training SQL"][""].startswith("SELECT i AS id")
    assert topics["option"]["label"] == "y"
    assert topics["encoding"]["kind"] == "2 levels: a, b"
    assert topics["version"].keys() == {"version 1", "version 2"}
    assert "promoted" in topics["version"]["version 2"]
    assert "rows/s" in topics["speed"]["forward pass"]
    assert "bytes" in topics["size"]["weights"]
    assert {"option", "encoding", "data", "package", "cut-off"} <= {
        t for t, *_ in shop.execute("EXPLAIN MODEL churn").fetchall()
    }


def test_explanations_of_the_rows_of_a_query(con, shop):
    rows = con.execute("EXPLAIN MODEL m FOR SELECT 'n' AS note, ? AS x, 'b' AS kind", [800]).fetchall()
    expected = con.execute(
        "SELECT 'n', 800, 'b', m_score(t), m_explain(t) FROM (SELECT 800 AS x, 'b' AS kind) t"
    ).fetchall()
    assert rows == expected
    version = con.execute("EXPLAIN MODEL m VERSION 1 FOR SELECT 800 AS x, 'b' AS kind").fetchall()
    assert version[0][2] != rows[0][3]
    asked = (
        "SELECT customer_id, TIMESTAMP '2026-01-01' AS as_of FROM behavior.customers WHERE customer_id < 5 ORDER BY 1"
    )
    for i, _, score, effects in shop.execute(f"EXPLAIN MODEL churn FOR {asked}").fetchall():
        alone = shop.execute(
            f"SELECT churn_score({i}, TIMESTAMP '2026-01-01'), churn_explain({i}, TIMESTAMP '2026-01-01')"
        ).fetchall()
        assert alone[0][0] == pytest.approx(score, rel=1e-5)
        assert {e["feature"] for e in effects} == {e["feature"] for e in alone[0][1]}


def test_a_backtest_retrains_at_each_cut_off_and_is_stored(shop):
    rows = shop.execute("BACKTEST MODEL churn FROM DATE '2026-02-01' TO '2026-03-31' EVERY 1 MONTH").fetchall()
    auc = {
        as_of: value
        for as_of, method, population, metric, value, *_ in rows
        if (method, population, metric) == ("net", "all", "auc")
    }
    moments = [moment for moment in auc if moment]
    assert [f"{m:%Y-%m-%d}" for m in moments] == ["2026-02-01", "2026-03-01"]
    assert auc[None] == pytest.approx(sum(auc[m] for m in moments) / 2)
    assert auc[moments[0]] != auc[moments[1]]
    assert one(shop, "SELECT count(DISTINCT as_of) FROM ml.backtests") == 2
    assert "back-test" in {topic for topic, *_ in shop.execute("EXPLAIN MODEL churn").fetchall()}
    in_sample = {m: v for _, _, m, v, *_ in shop.execute(
        "EVALUATE MODEL churn ON SELECT customer_id, TIMESTAMP '2026-03-01' AS as_of FROM behavior.customers").fetchall()}  # fmt: skip
    assert in_sample["n_rows"] == one(
        shop,
        "SELECT value FROM ml.backtests WHERE metric = 'n_rows' AND as_of = '2026-03-01' AND method = 'net' AND population = 'all'",
    )
    for wrong, message in [
        ("FROM '2026-06-01' TO '2026-06-20' EVERY 1 WEEK", "Let it end TO"),
        ("FROM '2026-03-01' TO '2026-02-01' EVERY 1 WEEK", "the end lies before the start"),
        ("FROM 'soon' TO '2026-02-01' EVERY 1 WEEK", "cannot be read"),
        ("FROM '2025-02-01' TO '2026-02-01' EVERY 1 HOUR", "choose a longer EVERY"),
        ("FROM '2025-01-20' TO '2026-02-01' EVERY 1 MONTH", "too short"),
        ("FROM '2026-01-01' TO '2026-02-01' EVERY 3", "EVERY.*no constant"),
    ]:
        with pytest.raises((OptionError, DataError), match=message):
            shop.execute(f"BACKTEST MODEL churn {wrong}")


def test_a_backtest_is_of_customers(con):
    with pytest.raises(ModelError, match="one of rows"):
        con.execute("BACKTEST MODEL m FROM '2026-01-01' TO '2026-02-01' EVERY 1 MONTH")


def test_retraining_keeps_the_recipe_and_takes_the_rows_of_now():
    with sqlml.connect() as con:
        con.execute(f"CREATE TABLE t AS {ROWS.format(0, 500)}").fetchall()
        con.execute(
            "CREATE MODEL m OPTIONS (label = 'y', key = 'id', method = 'logistic', folds = 2) AS FROM t"
        ).fetchall()
        con.execute(f"INSERT INTO t {ROWS.format(500, 900)}").fetchall()
        assert con.execute("ALTER MODEL m RETRAIN OPTIONS (folds = 3)").fetchall() == [
            ("m", 2, True, None, None, None, "Promoted.")
        ]
        query = "SELECT options->>'method', options->>'folds', fingerprint->>'rows' FROM ml.versions ORDER BY version"
        assert con.execute(query).fetchall() == [("logistic", "2", "500"), ("logistic", "3", "900")]
        with pytest.raises(OptionError, match=r"no option 'wdith'.*width"):
            con.execute("ALTER MODEL m RETRAIN OPTIONS (wdith = 3)")
        con.execute("DROP TABLE t").fetchall()
        with pytest.raises(ModelError, match=r"does not run again.*CREATE OR REPLACE"):
            con.execute("ALTER MODEL m RETRAIN")


def test_a_gate_promotes_what_is_not_worse(con):
    before = one(con, "SELECT m_score({'x': 700, 'kind': 'a'})")
    _, number, is_promoted, metric, old, new, _ = con.execute(
        "ALTER MODEL m RETRAIN OPTIONS (gate = true, exclude = ['x'])"
    ).fetchall()[0]
    assert (metric, is_promoted) == ("log_loss", False)
    assert new > old * 1.02
    assert one(con, "SELECT m_score({'x': 700, 'kind': 'a'})") == before
    assert con.execute("SELECT metric, old_value, new_value, is_passed FROM ml.gates").fetchall() == [
        ("log_loss", old, new, False)
    ]
    assert (
        metrics(con, f"EVALUATE MODEL m VERSION {number} ON {ROWS.format(5000, 5100)}")["net", "all", "n_rows"] == 100
    )
    assert con.execute("ALTER MODEL m RETRAIN OPTIONS (gate = true)").fetchall()[0][2]
    con.execute(f"ALTER MODEL m PROMOTE VERSION {number}").fetchall()
    assert one(con, "SELECT m_score({'x': 700, 'kind': 'a'})") != before
    con.execute("ALTER MODEL m PROMOTE VERSION 2").fetchall()
    with pytest.raises(OptionError, match="one target; option label would change"):
        con.execute("ALTER MODEL m RETRAIN OPTIONS (gate = true, label = 'kind')")
    with pytest.raises(OptionError, match="must be true or false"):
        con.execute("ALTER MODEL m RETRAIN OPTIONS (gate = 'perhaps')")


def test_the_gate_of_customers_draws_the_same_ones(shop):
    options = "task = 'churn', horizon = INTERVAL 60 DAY, method = 'logistic', folds = 2, max_cutoffs = 2"
    try:
        shop.execute(f"CREATE MODEL drawn OPTIONS ({options}, max_examples = 1000)").fetchall()
        shop.execute("ALTER MODEL drawn RETRAIN OPTIONS (gate = true, max_cutoffs = 1)").fetchall()
        assert one(shop, "SELECT count(*) FROM ml.gates JOIN ml.versions USING (version_id) WHERE model = 'drawn'") == 1
        with pytest.raises(OptionError, match="max_examples would change"):
            shop.execute("ALTER MODEL drawn RETRAIN OPTIONS (gate = true, max_examples = 2000)")
    finally:
        shop.execute("DROP MODEL IF EXISTS drawn").fetchall()


def test_the_gate_of_customers_rehearses_both_recipes(shop):
    _, number, is_promoted, metric, old, new, _ = shop.execute(
        "ALTER MODEL churn RETRAIN OPTIONS (gate = true, versions_kept = 9)"
    ).fetchall()[0]
    assert is_promoted
    assert old == new == pytest.approx(
        one(shop, f"""SELECT value FROM ml.metrics JOIN ml.versions USING (version_id) WHERE model = 'churn' AND version = {number}
                      AND ml.metrics.method = 'net' AND population = 'all' AND metric = '{metric}'"""), rel=1e-5)  # fmt: skip
    with pytest.raises(OptionError, match="horizon would change"):
        shop.execute("ALTER MODEL churn RETRAIN OPTIONS (gate = true, horizon = INTERVAL 30 DAY)")
    shop.execute("ALTER MODEL churn ROLLBACK").fetchall()
    shop.execute(f"DROP MODEL churn VERSION {number}").fetchall()


def test_only_so_many_versions_are_kept():
    with sqlml.connect() as con:
        for _ in range(4):
            con.execute(
                f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'id', method = 'logistic', versions_kept = 2) AS {ROWS.format(0, 300)}"
            ).fetchall()
        assert con.execute("SELECT version FROM ml.versions ORDER BY 1").fetchall() == [(3,), (4,)]
        assert one(con, "SELECT count(DISTINCT version_id) FROM ml.macros") == 2
        con.execute("ALTER MODEL m ROLLBACK").fetchall()


@pytest.fixture
def first_schema(tmp_path):
    path = tmp_path / "first.duckdb"
    with gzip.open(FIXTURE) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def test_a_file_of_the_first_schema_is_brought_up_to_date(first_schema):
    asked = "SELECT first_score({'weight': 40, 'way': 'air'}), first_score({'weight': 10, 'way': 'sea'})"
    with sqlml.connect(first_schema, read_only=True) as con:
        assert one(con, "SELECT max(version) FROM ml.schema_version") == 1
        before = con.execute(asked).fetchall()
        assert before[0] == pytest.approx((0.22401347756385803, 0.9567303657531738), abs=1e-6)
        assert len(con.execute("SHOW MODELS").fetchall()) == 1
        with pytest.raises(CatalogError, match="open it once for writing"):
            con.execute("EXPLAIN MODEL first")
    with sqlml.connect(first_schema) as con:
        assert one(con, "SELECT max(version) FROM ml.schema_version") == SCHEMA_VERSION > 1
        assert con.execute(asked).fetchall() == before
        assert len(con.execute("EXPLAIN MODEL first").fetchall()) > 20
        con.execute("ALTER MODEL first PROMOTE VERSION 1").fetchall()
        con.execute("ALTER MODEL first RETRAIN").fetchall()
        assert con.execute("SELECT version FROM ml.versions ORDER BY 1").fetchall() == [(1,), (2,), (3,)]
