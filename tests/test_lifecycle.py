"""Versions of a model: promoted, rolled back, renamed, dropped; readers see one version or the other."""

import subprocess
import sys
import threading

import pytest

import sqlml
from sqlml.catalog import Catalog
from sqlml.errors import ModelError, StatementError
from sqlml.lifecycle import Expected
from tests.conftest import one

ROWS = "SELECT i, hash(i) % 100 AS x, (hash(i) % 100 > {}) AS y FROM range(400) t(i)"


def create(con, name, limit):
    return con.execute(
        f"CREATE OR REPLACE MODEL {name} OPTIONS (label = 'y', key = 'i', method = 'logistic') AS {ROWS.format(limit)}"
    ).fetchall()


@pytest.fixture
def con():
    with sqlml.connect() as connection:
        create(connection, "m", 20)
        create(connection, "m", 80)
        yield connection


def score(con, name="m"):
    return one(con, f"SELECT {name}_score({{'x': 50}})")


def test_a_version_is_promoted_and_rolled_back(con):
    newest = score(con)
    assert newest < 0.5
    assert con.execute("ALTER MODEL m PROMOTE VERSION 1").fetchall() == [("m", 1)]
    oldest = score(con)
    assert oldest > 0.5
    assert con.execute("alter model M rollback").fetchall() == [("m", 2)]
    assert score(con) == newest
    reasons = con.execute("SELECT reason FROM ml.promotions ORDER BY promoted_at").fetchall()
    assert reasons == [("created",), ("created",), ("promoted",), ("rolled back",)]


def test_a_model_that_changed_while_its_version_was_trained_again_is_not_overwritten(con):
    store = con.catalog()
    first, second = store.version("m", 1), store.version("m")
    Expected(again=first).require(store, "m")
    Expected(again=second, is_gated=True).require(store, "m")
    with pytest.raises(ModelError, match="Version 2 of model 'm' was promoted meanwhile"):
        Expected(again=first, is_gated=True).require(store, "m")
    con.execute("ALTER MODEL m RENAME TO n").fetchall()
    with pytest.raises(ModelError, match="'m' was renamed to 'n' meanwhile"):
        Expected(again=second).require(store, "m")
    con.execute("DROP MODEL n").fetchall()
    create(con, "m", 50)
    with pytest.raises(ModelError, match="dropped meanwhile"):
        Expected(again=second).require(store, "m")


def test_what_is_made_by_another_meanwhile_is_enough_for_if_not_exists(con, monkeypatch):
    monkeypatch.setattr(Catalog, "models", lambda _: [])
    text = f"CREATE MODEL IF NOT EXISTS n OPTIONS (label = 'y', key = 'i', method = 'logistic') AS {ROWS.format(20)}"
    con.execute(text).fetchall()
    monkeypatch.undo()
    seen = iter([[], []])  # when the statement begins, and when its training does
    models = Catalog.models
    monkeypatch.setattr(Catalog, "models", lambda store: next(seen, None) or models(store))
    assert con.execute(text).fetchall()
    assert con.catalog().numbers("n") == [1]


def test_rolling_back_again_goes_further_back(con):
    create(con, "m", 50)
    assert con.execute("ALTER MODEL m ROLLBACK").fetchall() == [("m", 2)]
    assert con.execute("ALTER MODEL m ROLLBACK").fetchall() == [("m", 1)]
    with pytest.raises(ModelError, match="no earlier promotion"):
        con.execute("ALTER MODEL m ROLLBACK")


def test_rolling_back_follows_the_order_of_promotions_not_the_clock(con):
    create(con, "m", 50)
    con.execute("UPDATE ml.promotions SET promoted_at = promoted_at - to_days(turn::INT)").fetchall()
    assert con.execute("ALTER MODEL m ROLLBACK").fetchall() == [("m", 2)]
    assert con.execute("ALTER MODEL m ROLLBACK").fetchall() == [("m", 1)]


def test_rolling_back_does_not_go_to_what_was_rolled_back(con):
    con.execute("ALTER MODEL m ROLLBACK").fetchall()
    create(con, "m", 50)
    assert con.execute("ALTER MODEL m ROLLBACK").fetchall() == [("m", 1)]


CALLED_WHILE_DROPPED = """
import sys, threading, sqlml
with sqlml.connect(sys.argv[1]) as con:
    rows = "SELECT i, hash(i) % 100 AS x, hash(i) % 100 > 20 AS y FROM range(2000) t(i)"
    options = "OPTIONS (label = 'y', key = 'i', method = 'net', epochs = 2, members = 2, width = 4, folds = 2, versions_kept = 1)"
    con.execute(f"CREATE TABLE rows AS {rows}").fetchall()
    con.execute(f"CREATE MODEL m {options} AS FROM rows").fetchall()
    with con.cursor() as reader, con.cursor() as opened:
        opened.execute("BEGIN").fetchall()
        before = opened.execute("SELECT avg(m_score(t)) FROM rows t").fetchall()
        long = "SELECT avg(m_score(t)) FROM rows t, range(1500) u(k)"
        thread = threading.Thread(target=lambda: print(reader.execute(long).fetchall()[0][0] > 0))
        thread.start()
        con.execute("ALTER MODEL m RETRAIN OPTIONS (width = 8)").fetchall()
        con.execute("DROP MODEL m").fetchall()
        thread.join()
        print(opened.execute("SELECT avg(m_score(t)) FROM rows t").fetchall() == before)
"""


def test_who_still_reads_a_version_outlives_it(tmp_path):
    """In a process of its own: what was freed too early would end it."""
    command = [sys.executable, "-c", CALLED_WHILE_DROPPED, str(tmp_path / "dropped.duckdb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr


def test_a_renamed_model_takes_its_functions_and_history_along(con):
    before = score(con)
    assert con.execute('ALTER MODEL m RENAME TO "my model"').fetchall() == [("my model", "m")]
    assert one(con, "SELECT \"my model_score\"({'x': 50})") == before
    assert one(con, "SELECT count(*) FROM duckdb_functions() WHERE function_name IN ('m_score', 'm__predict')") == 0
    assert len(con.execute("FROM ml.predict('my model', 'SELECT 50 AS x')").fetchall()) == 1
    con.execute('ALTER MODEL "my model" PROMOTE VERSION 1').fetchall()
    assert one(con, "SELECT \"my model_score\"({'x': 50})") > 0.5
    con.execute("CREATE MACRO n_class(t) AS 1").fetchall()
    with pytest.raises(ModelError, match="n_class is a function or macro of yours"):
        con.execute('ALTER MODEL "my model" RENAME TO n')
    create(con, "other", 10)
    with pytest.raises(ModelError, match="There is a model 'other' already"):
        con.execute('ALTER MODEL "my model" RENAME TO other')


def test_one_version_is_dropped_unless_it_is_promoted(con):
    with pytest.raises(ModelError, match="is the promoted one"):
        con.execute("DROP MODEL m VERSION 2")
    con.execute("DROP MODEL m VERSION 1").fetchall()
    assert con.execute("SELECT version FROM ml.versions").fetchall() == [(2,)]
    assert one(con, "SELECT count(DISTINCT version_id) FROM ml.weights") == 1
    with pytest.raises(ModelError, match=r"no version 1\. Versions: 2"):
        con.execute("ALTER MODEL m PROMOTE VERSION 1")
    with pytest.raises(ModelError, match="no earlier promotion"):
        con.execute("ALTER MODEL m ROLLBACK")
    create(con, "m", 50)
    assert one(con, "SELECT max(version) FROM ml.versions") == 3


def test_a_macro_of_the_user_is_never_replaced_or_dropped(con):
    numbers = ROWS.format(50).replace("> 50", "* 2.5")
    con.execute(
        f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'i', method = 'linear') AS {numbers}"
    ).fetchall()
    con.execute("CREATE MACRO m_score(t) AS 'mine'").fetchall()
    with pytest.raises(ModelError, match="m_score is a function or macro of yours"):
        con.execute("ALTER MODEL m PROMOTE VERSION 1")
    con.execute(
        "CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'i', method = 'linear') AS " + numbers
    ).fetchall()
    con.execute("DROP MODEL m").fetchall()
    assert one(con, "SELECT m_score(1)") == "mine"


def test_models_are_shown_by_pattern_and_described_by_version(con):
    create(con, "other", 10)
    assert [row[0] for row in con.execute("SHOW MODELS LIKE 'o%'").fetchall()] == ["other"]
    assert [row[0] for row in con.execute("SHOW MODELS").fetchall()] == ["m", "other"]
    assert con.execute("DESCRIBE MODEL m VERSION 1").fetchall()[0][2].startswith("version 1,")
    assert con.execute("DESCRIBE MODEL m").fetchall()[0][2].startswith("version 2,")
    with pytest.raises(ModelError, match="Did you mean other"):
        con.execute("DESCRIBE MODEL othr")


def test_if_not_exists_leaves_a_model_alone(con):
    statement = f"CREATE MODEL IF NOT EXISTS m OPTIONS (label = 'y') AS {ROWS.format(30)}"
    assert con.execute(statement).fetchall()[0][2].startswith("version 2,")
    assert one(con, "SELECT count(*) FROM ml.versions") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ALTER MODEL m PROMOTE 1", "expected VERSION"),
        ("ALTER MODEL m PROMOTE VERSION one", "expected the number"),
        ("ALTER MODEL m PROMOTE VERSION -1", "expected the number"),
        ("ALTER MODEL m RENAME n", "expected PROMOTE"),
        ("ALTER MODEL m ROLLBACK 2", "expected the end"),
        ("ALTER MODEL", "expected a model name"),
        ("DROP MODEL m VERSION", "expected the number"),
        ("SHOW MODELS LIKE m", "expected a text"),
        ("DESCRIBE MODEL m VERSION 1 2", "expected the end"),
        ("CREATE OR REPLACE MODEL IF NOT EXISTS m OPTIONS ()", "exclude each other"),
    ],
)
def test_a_wrong_statement_shows_the_place(con, text, message):
    with pytest.raises(StatementError, match=message):
        con.execute(text)


def test_a_read_only_file_keeps_its_models(tmp_path):
    with sqlml.connect(tmp_path / "m.duckdb") as con:
        create(con, "m", 20)
        create(con, "m", 80)
    with sqlml.connect(tmp_path / "m.duckdb", read_only=True) as con:
        for statement in ("ALTER MODEL m PROMOTE VERSION 1", "ALTER MODEL m RENAME TO n", "DROP MODEL m"):
            with pytest.raises(ModelError, match="read-only"):
                con.execute(statement)
        assert score(con) < 0.5


def test_readers_never_see_a_model_between_two_versions(con):
    con.execute(f"CREATE TABLE rows AS {ROWS.format(0)}").fetchall()
    query, allowed, seen = "SELECT sum(m_score(t)) FROM rows t", set(), []
    for number in (1, 2):
        con.execute(f"ALTER MODEL m PROMOTE VERSION {number}").fetchall()
        allowed.add(round(one(con, query), 3))
    is_over = threading.Event()

    def read():
        with con.cursor() as cursor:
            while not is_over.is_set():
                seen.append(round(one(cursor, query), 3))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(100):
            con.execute("ALTER MODEL m PROMOTE VERSION 1").fetchall()
            con.execute("ALTER MODEL m ROLLBACK").fetchall()
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert len(seen) > 50
    assert set(seen) == allowed
