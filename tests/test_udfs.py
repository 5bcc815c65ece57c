"""One suite over every kind of function that goes by customer: ours today, a third party's tomorrow."""

import pkgutil
import re

import pytest

import sqlml
from sqlml import registry
from sqlml.tasks import BEHAVIOR_TASKS, TARGET_TASKS, TASKS
from tests.conftest import FAST, close, copy_to

AT = {"churn_score": "churn_at", "spend": "spend_at", "clv": "clv_at", "segment": "segment_at"}
FUNCTIONS = [
    *AT, "churn_explain", "spend_interval", "spend_explain", "clv_interval", "clv_curve", "clv_explain",
    "segment_name",
]  # fmt: skip
OF_ITEMS = ("recommend", "recommend_at", "recommend_score", "recommend_similar")
"""In tests/test_recommend.py."""
CLV = f"CREATE MODEL clv OPTIONS (task = 'clv', horizon = INTERVAL 60 DAY, discount = 0.1, {FAST})"
SEGMENT = "CREATE MODEL segment OPTIONS (task = 'segment', method = 'forecast', k = 5)"
SPEND = f"""CREATE MODEL spend PREDICT sum(amount) FOR EACH CUSTOMER
            WHERE max(event_time) > as_of - INTERVAL 400 DAY HORIZON 60 DAYS OPTIONS ({FAST})"""


@pytest.fixture(scope="module")
def shop(shop):
    """The shop with a number as a second target, lifetime value, and segments."""
    shop.execute(SPEND).fetchall()
    shop.execute(CLV).fetchall()
    shop.execute(SEGMENT).fetchall()
    yield shop
    shop.execute("DROP MODEL segment").fetchall()
    shop.execute("DROP MODEL spend").fetchall()
    shop.execute("DROP MODEL clv").fetchall()


def rows(con, sql):
    return con.execute(sql).fetchall()


def test_a_file_is_named_like_its_kind():
    import importlib

    package = importlib.import_module("sqlml" + ".udfs")
    assert sorted(m.name for m in pkgutil.iter_modules(package.__path__)) == sorted(registry.kinds())
    named = {f.kind for task in TASKS for f in task.functions}
    assert set(registry.kinds()) == named | {need for kind in named for need in registry.kind(kind).needs}


def test_every_function_of_behaviour_models_is_in_the_suite():
    tasks = (*BEHAVIOR_TASKS.values(), *TARGET_TASKS.values())
    suffixes = {f.pattern.removeprefix("{model}") for task in tasks for f in task.functions}
    models = re.compile("^(churn|spend|clv|segment|recommend)")
    assert {models.sub("", name) for name in (*FUNCTIONS, *AT.values(), *OF_ITEMS)} == suffixes


@pytest.mark.parametrize("name", FUNCTIONS)
class TestEveryFunction:
    def test_null_and_unknown_ids_give_null(self, shop, name):
        assert rows(shop, f"SELECT {name}(NULL), {name}(-1), {name}(99999999999)") == [(None, None, None)]

    def test_null_exactly_where_there_is_no_history(self, shop, name):
        sql = f"""SELECT count(*) FILTER (({name}(c.customer_id, TIMESTAMP '2026-01-01') IS NULL) <> (e.customer_id IS NULL))
                  FROM (FROM behavior.customers WHERE customer_id < 300) c LEFT JOIN (SELECT DISTINCT customer_id FROM behavior.events
                  WHERE event_time <= TIMESTAMP '2026-01-01') e USING (customer_id)"""
        assert rows(shop, sql) == [(0,)]

    def test_the_same_answer_twice(self, shop, name):
        sql = f"SELECT customer_id, {name}(customer_id) FROM behavior.customers WHERE customer_id < 300 ORDER BY 1"
        assert rows(shop, sql) == rows(shop, sql)

    def test_an_empty_table(self, shop, name):
        assert rows(shop, f"SELECT {name}(customer_id) FROM behavior.customers WHERE false") == []


@pytest.mark.parametrize("name", AT)
class TestAnswers:
    def test_a_batch_equals_row_by_row(self, shop, name):
        batch = dict(rows(shop, f"SELECT customer_id, {name}(customer_id) FROM behavior.customers LIMIT 20"))
        single = {i: rows(shop, f"SELECT {name}({i})")[0][0] for i in batch}
        assert close(batch, single)

    def test_answers_differ_and_lie_where_they_can(self, shop, name):
        most = 4 if name == "segment" else 100
        sql = f"SELECT min(s), max(s), count(DISTINCT s) > {most} FROM (SELECT {name}(customer_id) s FROM behavior.customers)"
        low, high, varied = rows(shop, sql)[0]
        assert 0 <= low < high <= (1 if name == "churn_score" else 10_000)
        assert varied

    def test_the_table_form_agrees_and_keeps_rows_and_columns(self, shop, name):
        at = AT[name]
        shop.execute("""CREATE OR REPLACE TEMP TABLE asked AS SELECT customer_id, 'x' AS note,
            TIMESTAMP '2026-01-01' + to_days((customer_id % 3 * 20)::INT) AS as_of FROM behavior.customers LIMIT 300""").fetchall()
        relation = shop.sql(f"FROM {at}('asked')")
        assert relation.columns == ["customer_id", "note", "as_of", name]
        got = {(i, t): s for i, _, t, s in relation.fetchall()}
        assert len(got) == 300
        for day in {t for _, t in got}:
            expected = dict(rows(shop, f"SELECT customer_id, {name}(customer_id, TIMESTAMP '{day}') FROM asked"))
            mine = {i: s for (i, t), s in got.items() if t == day}
            assert close(mine, {i: expected[i] for i in mine})
        shop.execute("DROP TABLE asked").fetchall()

    def test_the_table_form_of_ids_alone_takes_the_latest_moment(self, shop, name):
        at = AT[name]
        sql = f"WITH r AS (SELECT customer_id FROM behavior.customers LIMIT 50) FROM {at}('r') ORDER BY 1"
        relation = shop.sql(sql)
        assert relation.columns == ["customer_id", name]
        got = dict(relation.fetchall())
        single = {i: rows(shop, f"SELECT {name}({i})")[0][0] for i in got}
        assert len(got) == 50
        assert close(got, single)

    def test_times_of_any_type_mean_the_same_moment(self, shop, name):
        at = AT[name]
        moment = "TIMESTAMP '2026-01-01 03:00:00'"
        expected = rows(shop, f"SELECT customer_id, {name}(customer_id, {moment}) FROM behavior.customers ORDER BY 1")
        with shop.cursor() as con:
            con.execute("SET TimeZone = 'America/New_York'").fetchall()
            for form in (moment, "TIMESTAMPTZ '2026-01-01 03:00:00+00'", "'2026-01-01 03:00:00'"):
                sql = f"WITH r AS (SELECT customer_id, {form} AS as_of FROM behavior.customers) SELECT customer_id, {name} FROM {at}('r') ORDER BY 1"
                assert close(dict(rows(con, sql)), dict(expected)), form

    def test_a_copy_of_the_file_opened_read_only_gives_equal_answers(self, shop, name, tmp_path):
        sql = f"SELECT customer_id, {name}(customer_id) FROM behavior.customers ORDER BY 1"
        shop.execute("SET threads = 1").fetchall()
        expected = rows(shop, sql)
        shop.execute("RESET threads").fetchall()
        copy = tmp_path / "copy.duckdb"
        copy_to(shop, copy)
        with sqlml.connect(copy, read_only=True, threads=1) as con:
            assert rows(con, sql) == expected
