"""Name capture, clashes, several connections."""

import gc
import subprocess
import sys

import duckdb
import pyarrow as pa
import pytest

import sqlml
from sqlml.errors import ModelError
from tests.conftest import CHURN, FAST, copy_to, one

SCORES = "SELECT count(*) FROM behavior.customers WHERE churn_score(customer_id) > .5"


def test_unqualified_arguments_in_where_joins_groups_and_ctes(shop):
    expected = one(
        shop, "SELECT count(*) FROM (SELECT churn_score(c.customer_id) AS s FROM behavior.customers c) WHERE s > .5"
    )
    assert 0 < expected < 1500
    assert one(shop, SCORES) == expected
    assert (
        one(
            shop, f"WITH customer_id AS (FROM behavior.customers) {SCORES.replace('behavior.customers', 'customer_id')}"
        )
        == expected
    )
    assert (
        one(
            shop,
            """SELECT count(*) FROM behavior.customers a JOIN behavior.customers b
                        ON a.customer_id = b.customer_id AND churn_score(a.customer_id) > .5""",
        )
        == expected
    )
    assert (
        one(
            shop,
            """SELECT sum(n) FROM (SELECT churn_score(customer_id) > .5 AS high, count(*) AS n
                        FROM behavior.customers GROUP BY high) WHERE high""",
        )
        == expected
    )
    assert one(
        shop, "SELECT churn_score(customer_id) FROM (SELECT 7 AS customer_id, 8 AS as_of, 9 AS x)"
    ) == pytest.approx(one(shop, "SELECT churn_score(7)"), rel=1e-5)


def test_an_id_of_the_wrong_type_is_a_binder_error(shop):
    with pytest.raises(duckdb.BinderException, match="churn_score"):
        shop.execute("SELECT churn_score('seven'::VARCHAR)").fetchall()


@pytest.mark.parametrize("first", [0, 1])
def test_two_connections_closed_in_any_order(tmp_path, shop, first):
    path = tmp_path / "two.duckdb"
    copy_to(shop, path)
    both = [sqlml.connect(path), sqlml.connect(path)]
    expected = one(both[0], "SELECT churn_score(7)")
    both[first].close()
    gc.collect()
    assert one(both[1 - first], "SELECT churn_score(7)") == expected
    both[1 - first].close()
    with sqlml.connect(path) as again:
        assert one(again, "SELECT churn_score(7)") == expected


def test_a_forgotten_connection_gives_its_file_back(tmp_path):
    path = tmp_path / "forgotten.duckdb"
    cursor = sqlml.connect(path).cursor()  # keeps its parent
    gc.collect()
    cursor.execute("CREATE TABLE t AS SELECT 1 AS x").fetchall()
    del cursor
    gc.collect()
    code = f"import duckdb; print(duckdb.connect({str(path)!r}).execute('SELECT x FROM t').fetchall())"
    assert "[(1,)]" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_closed_owner_of_the_functions_is_named(tmp_path, shop):
    path = tmp_path / "owner.duckdb"
    copy_to(shop, path)
    with duckdb.connect(str(path)) as stays:
        with duckdb.connect(str(path)) as leaves:
            sqlml.register(leaves)
        with pytest.raises(duckdb.Error, match="was closed before the model's first use"):
            stays.execute("SELECT churn_score(7)").fetchall()


OUTLIVE = """
import duckdb, gc, sqlml, sys
stays, leaves = duckdb.connect(sys.argv[1]), duckdb.connect(sys.argv[1])
sqlml.register(leaves)
first = leaves.execute("SELECT churn_score(7)").fetchall()
leaves.close()
del leaves
gc.collect()
assert stays.execute("SELECT churn_score(7)").fetchall() == first
"""


def test_functions_outlive_the_connection_that_registered_them(tmp_path, shop):
    path = tmp_path / "outlive.duckdb"
    copy_to(shop, path)
    subprocess.run([sys.executable, "-c", OUTLIVE, str(path)], check=True)


def test_a_kind_that_is_not_installed_spoils_nothing_else(shop, tmp_path):
    path = tmp_path / "third.duckdb"
    copy_to(shop, path, "UPDATE copied.ml.functions SET kind = 'theirs'")
    with (
        pytest.warns(UserWarning, match="'churn' cannot be called.*kind 'theirs' installed"),
        sqlml.connect(path) as con,
    ):
        assert len(con.execute("SHOW MODELS").fetchall()) == 1


def test_a_native_connection_can_be_given_the_functions(tmp_path, shop):
    path = tmp_path / "native.duckdb"
    copy_to(shop, path)
    with duckdb.connect(str(path)) as con:
        sqlml.register(con)
        assert 0 <= con.execute("SELECT churn_score(7)").fetchone()[0] <= 1


def test_cursors_see_a_new_model_and_lose_a_dropped_one(shop):
    other = shop.cursor()
    shop.execute("CREATE MODEL later OPTIONS (horizon = '60 days', method = 'logistic', folds = 2)").fetchall()
    assert 0 <= one(other, "SELECT later_score(7)") <= 1
    other.execute("DROP MODEL later").fetchall()
    with pytest.raises(duckdb.CatalogException):
        shop.execute("SELECT later_score(7)").fetchall()
    assert not one(shop, "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'later%'")
    assert not one(shop, "SELECT count(*) FROM ml.versions WHERE model = 'later'")


def test_create_needs_replace_where_the_model_exists(shop):
    with pytest.raises(ModelError, match="OR REPLACE adds a version"):
        shop.execute(CHURN)


def test_a_users_macro_is_not_overwritten(shop):
    shop.execute("CREATE MACRO mine_score(a) AS a + 1").fetchall()
    with pytest.raises(ModelError, match="a function or macro of yours"):
        shop.execute(f"CREATE MODEL mine OPTIONS (horizon = '60 days', {FAST})")
    assert one(shop, "SELECT mine_score(1)") == 2


def test_a_built_in_function_is_not_shadowed(shop):
    with pytest.raises(ModelError, match="sum is a built-in function"):
        shop.execute("CREATE MODEL sum OPTIONS (label = 'y') AS SELECT i, i / 3 AS y FROM range(99) t(i)")


def test_training_is_refused_inside_a_transaction(shop):
    shop.execute("BEGIN").fetchall()
    with pytest.raises(ModelError, match="COMMIT or ROLLBACK"):
        shop.execute("DROP MODEL churn")
    shop.execute("ROLLBACK").fetchall()
    assert one(shop, "SELECT count(*) FROM ml.models") == 1


def test_drop_of_an_unknown_model_names_the_known_ones(shop):
    with pytest.raises(ModelError, match=r"Did you mean churn\? Models: churn\."):
        shop.execute("DROP MODEL chrun")
    shop.execute("DROP MODEL IF EXISTS chrun").fetchall()


def test_variables_of_the_caller_are_tables(shop):
    asked = pa.table({"customer_id": [7, 8]})
    assert len(shop.execute("SELECT churn_score(customer_id) FROM asked").fetchall()) == len(asked)
    assert len(shop.sql("SELECT churn_score(customer_id) FROM asked").fetchall()) == 2
    query = parameters = options = relation = text = asked
    for name in ("query", "parameters", "options", "relation", "text"):
        assert len(shop.execute(f"FROM {name} -- model").fetchall()) == len(shop.sql(f"FROM {name}").fetchall()) == 2
    name = place = store = rows = statement = pa.table({"x": range(600), "y": [i > 300 for i in range(600)]})
    for table in ("name", "place", "store", "rows", "statement"):
        create = (
            f"CREATE OR REPLACE MODEL of_mine OPTIONS (label = 'y', method = 'logistic', folds = 2) AS FROM {table}"
        )
        shop.execute(create).fetchall()
    shop.execute("EVALUATE MODEL of_mine ON FROM store").fetchall()
    shop.execute("DROP MODEL of_mine").fetchall()
    assert all(
        each is not None for each in (query, parameters, options, relation, text, name, place, store, rows, statement)
    )


def test_show_models(shop, con):
    assert con.execute("SHOW MODELS").fetchall() == []
    model, task, version, *_ = shop.execute("SHOW MODELS").fetchall()[0]
    assert (model, task, version) == ("churn", "churn", 1)


def test_an_attached_database_answers_after_use(tmp_path, shop, con):
    path = tmp_path / "attached.duckdb"
    copy_to(shop, path)
    con.attach(path, "other", read_only=True)
    con.execute("USE other").fetchall()
    assert one(con, "SELECT churn_score(7)") == pytest.approx(one(shop, "SELECT churn_score(7)"), rel=1e-5)
