"""Trainings take a while: what others write meanwhile changes nothing and is never overwritten."""

import threading

import pytest

import sqlml
from sqlml import evaluation
from sqlml.errors import ModelError
from tests.conftest import FAST, one

ROWS = "SELECT i, hash(i) % 997 AS x, hash(i) % 997 > 400 AS y FROM range(400) t(i)"
CREATE = f"CREATE MODEL m OPTIONS (label = 'y', key = 'i', method = 'logistic', folds = 2) AS {ROWS}"


@pytest.fixture
def meanwhile(monkeypatch):
    """Runs something once, in the middle of the next training."""
    planned = []
    fit = evaluation.fit_all

    def fit_and_more(*given):
        while planned:
            planned.pop()()
        return fit(*given)

    monkeypatch.setattr(evaluation, "fit_all", fit_and_more)
    return planned.append


def test_a_name_taken_meanwhile_is_not_overwritten(con, meanwhile):
    meanwhile(lambda: con.cursor().execute("CREATE MACRO m_score(x) AS 'mine'").fetchall())
    with pytest.raises(ModelError, match="m_score is a function or macro of yours"):
        con.execute(CREATE)
    assert one(con, "SELECT m_score(1)") == "mine"
    assert con.execute("SHOW MODELS").fetchall() == []


def test_of_two_at_once_one_gets_the_name(con, meanwhile):
    meanwhile(lambda: con.cursor().execute(CREATE).fetchall())
    with pytest.raises(ModelError, match="There is a model 'm' already"):
        con.execute(CREATE)
    assert con.execute("SELECT version FROM ml.versions").fetchall() == [(1,)]


def test_events_that_come_meanwhile_are_of_the_next_training(con, meanwhile):
    con.execute("CREATE SCHEMA behavior").fetchall()
    con.execute("""CREATE TABLE behavior.events AS SELECT i AS customer_id,
                   TIMESTAMP '2025-01-01' + to_hours((hash(i * 1000 + k) % 9000)::INT) AS event_time
                   FROM range(200) t(i), range(20) u(k) WHERE k < 2 + i % 18""").fetchall()
    add = "INSERT INTO behavior.events SELECT 1000 + i, TIMESTAMP '2025-01-02' FROM range(300) t(i)"
    for statement in (
        f"CREATE MODEL m OPTIONS (horizon = INTERVAL 60 DAY, {FAST})",
        "ALTER MODEL m RETRAIN OPTIONS (gate = true)",
    ):
        before, customers = con.execute("SELECT count(*), count(DISTINCT customer_id) FROM behavior.events").fetchall()[
            0
        ]
        meanwhile(lambda: con.cursor().execute(add).fetchall())
        con.execute(statement).fetchall()
        known = "SELECT fingerprint->>'n_events' FROM ml.versions ORDER BY version DESC LIMIT 1"
        assert int(one(con, known)) == before < one(con, "SELECT count(*) FROM behavior.events")
        most = "SELECT max(n_rows) FROM ml.cutoffs JOIN ml.models USING (version_id)"
        assert one(con, most) <= customers


def test_a_model_can_be_made_where_the_native_connection_stands_in_a_transaction():
    with sqlml.connection.duckdb.connect() as native:
        ours = sqlml.register(native)
        native.begin()
        ours.execute(CREATE).fetchall()
        native.commit()
        assert native.execute("SELECT m_score({'x': 900}) > 0.5").fetchall() == [(True,)]


def test_a_version_never_called_answers_in_an_open_transaction(tmp_path):
    path = tmp_path / "m.duckdb"
    with sqlml.connect(path) as con:
        for _ in range(2):
            con.execute(CREATE.replace("CREATE MODEL", "CREATE OR REPLACE MODEL")).fetchall()
    with sqlml.connect(path) as con:
        con.execute("BEGIN").fetchall()
        assert len(con.execute("EXPLAIN MODEL m VERSION 1 FOR SELECT 3 AS x").fetchall()) == 1
        con.execute("ROLLBACK").fetchall()


def test_a_database_attached_under_another_name(tmp_path):
    path = tmp_path / "m.duckdb"
    with sqlml.connect(path) as con:
        con.execute(CREATE).fetchall()
    with sqlml.connect() as con:
        for alias in ("a", "b"):
            con.attach(path, alias)
            con.execute(f"USE {alias}").fetchall()
            if alias == "b":
                assert one(con, "SELECT len(m_explain({'x': 900}))") == 1
            con.execute(f"USE memory; DETACH {alias}").fetchall()
        con.attach(path, "c")
        con.execute(CREATE).fetchall()


def test_names_are_checked_by_many_at_once(con):
    """Threads that create models of their own names do not disturb each other."""
    failed = []

    def create(name):
        try:
            con.cursor().execute(CREATE.replace("MODEL m", f"MODEL {name}")).fetchall()
        except Exception as error:
            failed.append(error)

    con.execute(CREATE.replace("MODEL m", "MODEL zero")).fetchall()
    threads = [threading.Thread(target=create, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(con.execute("SHOW MODELS").fetchall()) == 4
