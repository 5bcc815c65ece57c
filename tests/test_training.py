"""What a training writes, refuses and knows; the generated shop is data whose right answer is known."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import numpy as np
import pytest

import sqlml
from sqlml import cutoffs, demo, evaluation, training
from sqlml.catalog import NewVersion
from sqlml.errors import DataError, ModelError, OptionError, SqlmlError
from tests.conftest import CHURN, FAST, copy_to, one


def test_scores_follow_the_true_probability(shop):
    truth = dict(demo.true_probability(shop.native, datetime(2026, 6, 30), 60).fetchall())
    scores = dict(shop.execute("SELECT customer_id, churn_score(customer_id) FROM behavior.customers").fetchall())
    both = np.array([(scores[i], p) for i, p in truth.items() if scores.get(i) is not None])
    assert np.corrcoef(both.T)[0, 1] > 0.8
    assert abs(both[:, 0].mean() - both[:, 1].mean()) < 0.06


def test_the_record_is_complete(shop):
    assert one(shop, "SELECT tested FROM ml.versions") == "in time"
    metrics = dict(
        shop.execute("""SELECT method || ' ' || population, value FROM ml.metrics
                                   WHERE metric = 'auc'""").fetchall()
    )
    assert set(metrics) == {f"{m} {p}" for m in ("net", "logistic", "recency", "base rate") for p in ("all", "active")}
    assert metrics["net all"] > metrics["base rate all"] == 0.5
    assert one(shop, "SELECT bool_and(low <= value AND value <= high) FROM ml.metrics WHERE metric = 'log_loss'")
    purposes = dict(shop.execute("SELECT purpose, count(*) FROM ml.cutoffs GROUP BY ALL").fetchall())
    assert purposes["test"] == 1
    assert one(shop, "SELECT count(*) FROM ml.predictions") == one(
        shop, "SELECT n_rows FROM ml.cutoffs WHERE purpose = 'test'"
    )
    left_out = dict(shop.execute("SELECT name, detail FROM ml.features WHERE NOT is_used").fetchall())
    assert "customer.country" in left_out
    assert "365 days" in left_out["events_365d"]


def test_of_many_customers_a_share_is_drawn(shop):
    create = "CREATE MODEL few OPTIONS (task = 'churn', horizon = INTERVAL 60 DAY, method = 'logistic', folds = 2"
    try:
        counts = {}
        for most in (1_000, 1_000_000):
            shop.execute(f"{create}, max_examples = {most})".replace("CREATE", "CREATE OR REPLACE")).fetchall()
            newest = "version_id = (SELECT version_id FROM ml.models WHERE model = 'few')"
            counts[most] = one(shop, f"SELECT sum(n_rows) FROM ml.cutoffs WHERE purpose = 'train' AND {newest}")
            told = shop.execute(f"SELECT warning FROM ml.warnings WHERE {newest}").fetchall()
            assert any("drawn by chance" in warning for (warning,) in told) == (most == 1_000)
        assert 0.6 * 1_000 < counts[1_000] < 1.1 * 1_000 < counts[1_000_000]
        assert one(shop, "SELECT count(few_score(customer_id)) FROM behavior.customers") > 1_000
    finally:
        shop.execute("DROP MODEL IF EXISTS few").fetchall()


def test_what_is_stored_comes_back(shop):
    known = shop.catalog().version("churn")
    weights = {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.float32(0.5)}
    moment, span = datetime(2026, 1, 1), timedelta(days=30)
    with shop.cursor() as con:
        con.execute(
            "CREATE TEMP TABLE sqlml_metrics AS SELECT * EXCLUDE (version_id) FROM ml.metrics LIMIT 0"
        ).fetchall()
        con.execute("""CREATE TEMP TABLE sqlml_heldout AS SELECT 'k' AS key, as_of, label, score, 'net' AS method
                       FROM ml.predictions LIMIT 0""").fetchall()
        new = NewVersion(
            model="stored", task="churn", tested="in time", options=known.options, encoder=known.encoder, input_sql="SELECT 1",
            packages={}, fingerprint={}, seconds=1.0, weights=weights, features=[("a", True, "8 bins")], warnings=["careful"],
            training_log=[(0.5, 0.6)], functions=[("score", "stored_score", False)], importance=[("a", 0.5, 0.1)],
            cutoffs=[("train", moment, 5, 0.5)], key_type="INTEGER", trained_until=moment, horizon=span, label_window=span,
            lookback=span,
        )  # fmt: skip
        store = con.catalog()
        with store.transaction():
            written = store.insert(new, [])
        assert store.version("stored") == written == new.as_version(1, store.version("churn").database)
        read = store.weights(written.version_id)
        assert {name: value.tolist() for name, value in read.items()} == {k: v.tolist() for k, v in weights.items()}
        with store.transaction():
            store.delete("stored")
    assert one(shop, f"SELECT count(*) FROM ml.weights WHERE version_id = '{new.version_id}'") == 0


def test_held_out_predictions_give_the_stored_auc(shop):
    from sklearn.metrics import roc_auc_score

    label, score = zip(*shop.execute("SELECT label, score FROM ml.predictions").fetchall(), strict=True)
    stored = one(shop, "SELECT value FROM ml.metrics WHERE metric = 'auc' AND method = 'net' AND population = 'all'")
    assert roc_auc_score(label, score) == pytest.approx(stored, abs=1e-9)


def test_the_same_seed_gives_the_same_weights(shop):
    blobs = []
    for name in ("first", "again"):
        shop.execute(CHURN.replace("MODEL churn", f"MODEL {name}_") + "").fetchall()
        blobs.append(
            one(shop, f"SELECT safetensors FROM ml.weights JOIN ml.versions USING (version_id) WHERE model = '{name}_'")
        )
        shop.execute(f"DROP MODEL {name}_").fetchall()
    assert blobs[0] == blobs[1]


def test_replace_adds_a_version(shop, tmp_path):
    path = tmp_path / "replace.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=600, days=400)
        for replace, version in (("", 1), ("OR REPLACE ", 2)):
            con.execute(CHURN.replace("CREATE ", f"CREATE {replace}")).fetchall()
            assert con.execute("SHOW MODELS").fetchall()[0][2] == version
        assert one(con, "SELECT count(*) FROM ml.versions") == 2
        with pytest.raises(DataError):
            con.execute("CREATE OR REPLACE MODEL churn OPTIONS (horizon = '9 years')")
        assert con.execute("SHOW MODELS").fetchall()[0][2] == 2


def test_a_planted_leak_is_refused_by_name(con):
    demo.write_shop(con.native, customers=800, days=400)
    con.execute("""CREATE OR REPLACE VIEW behavior.customers AS SELECT c.*, (SELECT max(happened_at) FROM main.shop_events e
        WHERE e.customer_id = c.customer_id) < TIMESTAMP '2026-04-15' AS closed_account FROM main.shop_customers c""").fetchall()
    leaky = CHURN.replace("['plan']", "['plan', 'closed_account']").replace("60 DAY", "75 DAY")
    with pytest.raises(DataError, match="closed_account"):
        con.execute(leaky)
    assert con.execute("SHOW MODELS").fetchall() == []
    con.execute(CHURN).fetchall()


def events(con, sql):
    con.execute(f"CREATE SCHEMA IF NOT EXISTS behavior; CREATE OR REPLACE TABLE behavior.events AS {sql}").fetchall()


EVERYONE = "SELECT i % 100 AS customer_id, TIMESTAMP '2025-01-01' + to_hours(i * 3) AS event_time FROM range(4000) t(i)"


@pytest.mark.parametrize(
    ("relation", "options", "error", "message"),
    [
        (None, "horizon = '30 days'", DataError, "no table or view behavior.events"),
        (
            "SELECT 1 AS client, now()::TIMESTAMP AS event_time",
            "horizon = '30 days'",
            DataError,
            "no column customer_id",
        ),
        ("SELECT 1 AS customer_id, now() AS event_time", "horizon = '30 days'", DataError, "AT TIME ZONE 'UTC'"),
        ("SELECT 1 AS customer_id, '2025' AS event_time", "horizon = '30 days'", DataError, "event_time::TIMESTAMP"),
        (f"{EVERYONE} LIMIT 0", "horizon = '30 days'", DataError, "no event"),
        ("SELECT 1 AS customer_id, TIMESTAMP '2099-01-01' AS event_time", "horizon = '30 days'", DataError, "no event"),
        (EVERYONE.replace("% 100", "* 0"), "horizon = '30 days'", DataError, "of 1 customers; 50 examples of 6"),
        (EVERYONE, "horizon = '30 days'", DataError, "nothing to tell apart"),
        (EVERYONE, "horizon = '9 years'", DataError, "too short for a horizon"),
        (EVERYONE, "task = 'churn' -- no horizon\n", OptionError, "horizon is missing"),
        (
            f"SELECT *, now() AS Known_At FROM ({EVERYONE})",
            "horizon = '30 days'",
            DataError,
            "known_at is TIMESTAMP WITH",
        ),
        (EVERYONE, "horizon = 90", OptionError, "needs its unit"),
        (EVERYONE, "horizon = INTERVAL (-3) DAY", OptionError, "longer than nothing"),
        (EVERYONE, "horizon = '3 moons'", OptionError, "cannot be read"),
        (EVERYONE, "horizon = '30 days', epoch = 3", OptionError, "Did you mean epochs"),
        (EVERYONE, "horizon = '30 days', epochs = 'many'", OptionError, "must be a number"),
        (EVERYONE, "horizon = '30 days', epochs = 0", OptionError, "at least 1"),
        (EVERYONE, "horizon = '30 days', dropout = 2", OptionError, "at most 0.9"),
        (EVERYONE, "horizon = '30 days', seed = 99999999999999999999", OptionError, "at most"),
        (EVERYONE, "horizon = '30 days', learning_rate = 'nan'::DOUBLE", OptionError, "finite"),
        (EVERYONE, "horizon = '3M'", OptionError, "3 months"),
        (
            "SELECT i AS customer_id, TIMESTAMP '2025-01-01' AS event_time FROM range(99) t(i)",
            "horizon = '30 days'",
            DataError,
            "one moment",
        ),
        (EVERYONE, "horizon = '30 days', task = 'chrun'", OptionError, "Did you mean churn"),
        (EVERYONE, "horizon = '30 days', active_event = 'buy'", DataError, "event_type"),
        (EVERYONE, "horizon = '30 days', attributes = ['plan']", DataError, "plan"),
        (EVERYONE, "horizon = '30 days', as_of = DATE '2099-01-01'", OptionError, "future"),
        (EVERYONE, "horizon = '30 days', as_of = DATE '1999-01-01'", OptionError, "before the first event"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(con, relation, options, error, message):
    if relation:
        events(con, relation)
    with pytest.raises(error, match=message):
        con.execute(f"CREATE MODEL churn OPTIONS ({options})")
    assert con.execute("SHOW MODELS").fetchall() == []
    assert not one(con, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'ml'")


def test_duplicate_customer_ids_are_refused_with_the_sql_that_shows_them(con):
    events(con, EVERYONE)
    con.execute("CREATE TABLE behavior.customers AS SELECT 1 AS customer_id FROM range(2)").fetchall()
    with pytest.raises(DataError, match="SELECT customer_id, count"):
        con.execute("CREATE MODEL churn OPTIONS (horizon = '30 days')")


def test_a_read_only_file_cannot_take_a_model(tmp_path):
    path = tmp_path / "ro.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=600, days=400)
    with sqlml.connect(path, read_only=True) as con, pytest.raises(ModelError, match="read-only"):
        con.execute(f"CREATE MODEL churn OPTIONS (horizon = '60 days', {FAST})")


def test_a_foreign_schema_ml_is_left_alone(con):
    demo.write_shop(con.native, customers=600, days=400)
    con.execute("CREATE SCHEMA ml; CREATE TABLE ml.models AS SELECT 1 AS mine").fetchall()
    with pytest.raises(SqlmlError, match="sqlml did not make"):
        con.execute(CHURN)
    assert one(con, "SELECT mine FROM ml.models") == 1


def test_damaged_weights_are_an_error_not_a_score(shop, tmp_path):
    import duckdb

    path = tmp_path / "damaged.duckdb"
    copy_to(shop, path, "UPDATE copied.ml.weights SET safetensors = 'x'::BLOB")
    with sqlml.connect(path) as con, pytest.raises(duckdb.Error, match="missing or damaged"):
        con.execute("SELECT churn_score(7)").fetchall()


def test_a_short_log_is_trained_on_a_shorter_window_and_says_so(con):
    demo.write_shop(con.native, customers=900, days=120)
    con.execute(f"CREATE MODEL churn OPTIONS (horizon = INTERVAL 120 DAY, {FAST})").fetchall()
    warnings = " ".join(w for (w,) in con.execute("SELECT warning FROM ml.warnings").fetchall())
    assert "too short for a full horizon" in warnings
    assert "Not tested in time" in warnings
    assert one(con, "SELECT tested FROM ml.versions") == "by customers"


@pytest.mark.parametrize("key", ["customer_id::VARCHAR", "md5(customer_id::VARCHAR)::UUID", "customer_id::HUGEINT"])
def test_ids_of_any_type(con, key):
    demo.write_shop(con.native, customers=600, days=400)
    con.execute(f"""CREATE OR REPLACE VIEW behavior.events AS SELECT {key} AS customer_id, happened_at AS event_time FROM main.shop_events;
        DROP VIEW behavior.customers""").fetchall()
    con.execute("CREATE MODEL churn OPTIONS (horizon = '60 days', method = 'logistic', folds = 2)").fetchall()
    n, scored = con.execute(
        "SELECT count(*), count(churn_score(customer_id)) FROM (SELECT DISTINCT customer_id FROM behavior.events)"
    ).fetchall()[0]
    assert n == scored > 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("delay", [3.0, 6.0])
def test_kill_in_the_middle_of_create_leaves_no_trace(tmp_path, delay):
    path = tmp_path / "killed.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=1500, days=500)
    code = f"import sqlml\nwith sqlml.connect({str(path)!r}) as con:\n    con.execute('''{CHURN.replace('epochs = 6', 'epochs = 500, patience = 500')}''')"
    process = subprocess.Popen([sys.executable, "-c", code])
    time.sleep(delay)
    assert process.poll() is None, "the training ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with sqlml.connect(path) as con:
        assert con.execute("SHOW MODELS").fetchall() == []
        assert not one(con, "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'churn%'")
        con.execute(CHURN).fetchall()


WRITE = """
import sys, sqlml
from sqlml.catalog import Catalog
run = Catalog._run
def told(self, query, parameters=None):
    print(query, flush=True)
    run(self, query, parameters)
Catalog._run = told
with sqlml.connect(sys.argv[1]) as con:
    con.execute("CREATE MODEL churn OPTIONS (horizon = '60 days', method = 'logistic', folds = 2)")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["CREATE SCHEMA", "INSERT INTO ml.weights", "INSERT INTO ml.promotions", "COMMIT"])
def test_kill_while_writing_leaves_all_or_nothing(tmp_path, moment):
    path = tmp_path / "killed.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=600, days=400)
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.startswith(moment) for line in process.stdout), "it never came so far"
        process.kill()
    with sqlml.connect(path) as con:
        is_there = bool(con.execute("SHOW MODELS").fetchall())
        assert moment == "COMMIT" or not is_there
        functions = one(con, "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'churn%'")
        assert (functions > 0) == is_there
        if is_there:
            assert 0 <= one(con, "SELECT churn_score(7)") <= 1


def test_cut_offs_go_back_while_data_last():
    day = timedelta(days=1)
    first, as_of = datetime(2024, 1, 1), datetime(2025, 1, 1)
    calendar = cutoffs.plan(first, as_of, 90 * day, 90 * day, 9)
    assert calendar.cutoffs == tuple(as_of - n * 90 * day for n in (1, 2, 3))
    assert calendar.lookback == calendar.cutoffs[-1] - first
    earlier = cutoffs.rehearsal(first, calendar, 90 * day, 9)
    assert earlier.as_of == as_of - 90 * day
    assert max(earlier.cutoffs) + earlier.window <= earlier.as_of
    short = cutoffs.plan(first, as_of, 400 * day, 400 * day, 9)
    assert short.is_short
    assert cutoffs.rehearsal(first, short, 400 * day, 9) is None


def test_the_weibull_power_is_found_again():
    rng = np.random.default_rng(0)
    hazard, shape = rng.gamma(1, 1, 20_000), 0.6
    survival = np.exp(-hazard)
    half = np.exp(-hazard * 0.5**shape).mean()
    assert evaluation.weibull_power(survival, half, 2.0) == pytest.approx(2**shape, abs=0.01)


@pytest.mark.parametrize(
    ("name", "as_of", "days", "auc"),
    [("quarter", "1997-12-31", 91, 0.80), ("too short for a full window", "1997-09-30", 273, 0.76)],
)
def test_cdnow_is_ranked_as_well_as_is_known_to_be_possible(con, data, name, as_of, days, auc):
    from sklearn.metrics import roc_auc_score

    events(con, f"SELECT customer_id, date AS event_time, amount FROM '{data}/cdnow/transactions.parquet'")
    con.execute(
        f"CREATE MODEL churn OPTIONS (horizon = INTERVAL {days} DAY, as_of = DATE '{as_of}', method = 'logistic')"
    ).fetchall()
    rows = con.execute(f"""SELECT churn_score(customer_id, TIMESTAMP '{as_of}'), coalesce(max(event_time) FILTER
        (event_time <= DATE '{as_of}' + {days}) <= DATE '{as_of}', true) FROM behavior.events GROUP BY customer_id""").fetchall()
    scores, labels = zip(*rows, strict=True)
    assert roc_auc_score(labels, scores) > auc
    assert abs(np.mean(scores) - np.mean(labels)) < 0.05


@pytest.mark.skipif(not training.MAPS.exists(), reason="only Linux tells of its maps of memory")
def test_compiled_programs_are_forgotten_before_memory_maps_run_out(monkeypatch):
    """XLA keeps the maps of every program: a process that trains on and on would end in a segmentation fault."""

    def maps():
        return len(training.MAPS.read_bytes().splitlines())

    with sqlml.connect() as con:
        con.execute(
            "CREATE TABLE t AS SELECT i AS id, hash(i) % 100 AS x, hash(i) % 100 > 50 AS y FROM range(300) t(i)"
        )
        create = "CREATE MODEL m{} OPTIONS (label = 'y', key = 'id', method = 'net', {}, width = {}) AS FROM t"
        options = "epochs = 1, members = 2, folds = 2, bins = 4"
        con.execute(create.format(1, options, 5)).fetchall()
        scores, before = con.execute("SELECT m1_score(t) FROM t ORDER BY id").fetchall(), maps()
        monkeypatch.setattr(training, "MOST_MAPS", 0)
        con.execute(create.format(2, options, 6)).fetchall()
        assert maps() < before
        assert con.execute("SELECT m1_score(t) FROM t ORDER BY id").fetchall() == scores
