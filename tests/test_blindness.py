"""The future cannot reach a feature: the one property that everything else rests on."""

import json
import re
from datetime import datetime, timedelta
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sqlml import behavior, features, queries, targets
from sqlml.errors import DataError
from sqlml.features import Source
from sqlml.queries import Frame
from sqlml.transforms import Target
from tests.conftest import close, copy_to

AS_OF = datetime(2025, 6, 1)
NEWEST = "(SELECT as_of FROM ml.latest)"
MAY_READ = {"history", "days", "spine", "customers", "items"}
EVENTS = """CREATE OR REPLACE TABLE behavior.events (customer_id INTEGER, event_time TIMESTAMP, event_type VARCHAR,
            item_id INTEGER, amount DOUBLE, known_at TIMESTAMP)"""


@pytest.fixture(scope="module")
def db():
    with duckdb.connect() as con:
        con.execute("SET threads = 1").fetchall()
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute("CREATE TABLE behavior.customers AS SELECT i::INTEGER AS customer_id, 'p' || i % 2 AS plan, "
                    "DATE '2025-01-01' + (i * 60)::INTEGER AS joined FROM range(6) t(i)").fetchall()  # fmt: skip
        con.execute("CREATE TABLE behavior.items AS SELECT i::INTEGER AS item_id, 'c' || i % 3 AS category "
                    "FROM range(9) t(i)").fetchall()  # fmt: skip
        yield con


def moments(low, high):
    seconds = st.integers(low, high)
    return seconds.map(lambda s: AS_OF + timedelta(seconds=s))


def events(times):
    ids, types = st.integers(0, 5), st.sampled_from(["view", "buy", None])
    amounts = st.one_of(st.none(), st.floats(-100, 100))
    return st.lists(st.tuples(ids, times, types, st.integers(0, 8), amounts), max_size=12)


YEAR = 400 * 86400
PAST, FUTURE = events(moments(-YEAR, 0)), events(moments(1, YEAR))
FILES = [f.name for f in queries.folder("features")]


def fill(db, rows, known_at=None):
    db.execute(EVENTS).fetchall()
    if rows:
        db.executemany(
            "INSERT INTO behavior.events VALUES (?, ?, ?, ?, ?, ?)", [(*row, known_at or row[1]) for row in rows]
        )


def one_file(db, name, relations):
    """The rows of one feature file at AS_OF, as DuckDB prints them."""
    attributes = ("plan", "joined") if name == "attributes" else ()
    asked = f"SELECT i::INTEGER AS customer_id, TIMESTAMP '{AS_OF}' AS as_of FROM range(6) t(i)"
    frame = queries.Frame(relations, attributes, order="amount >= 0")
    with patch.object(queries, "feature_files", lambda _: [queries.read(f"features/{name}")]):
        sql = queries.features_of(frame, asked, "SELECT *")
    rows = db.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({sql}) ORDER BY ALL").fetchall()
    return [tuple("".join(sorted(v)) if isinstance(v, str) and v.startswith("{") else v for v in row) for row in rows]


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=PAST, future=FUTURE)
def test_events_after_as_of_never_change_a_feature(db, name, past, future):
    fill(db, past)
    db.execute("ALTER TABLE behavior.events DROP COLUMN known_at").fetchall()  # it would hide the future by itself
    relations = behavior.read(db)
    before = one_file(db, name, relations)
    fill(db, past + future)
    db.execute("ALTER TABLE behavior.events DROP COLUMN known_at").fetchall()
    assert one_file(db, name, relations) == before


@pytest.mark.parametrize("name", FILES)
def test_events_known_late_are_not_known_before(db, name):
    past = [(i % 3, AS_OF - timedelta(days=i), "view", i, 5.0) for i in range(1, 9)]
    fill(db, past)
    relations = behavior.read(db)
    before = one_file(db, name, relations)
    assert before
    db.execute("INSERT INTO behavior.events SELECT customer_id, event_time - INTERVAL 1 HOUR, 'buy', 8, 99, ? "
               "FROM behavior.events", [AS_OF + timedelta(days=1)]).fetchall()  # fmt: skip
    assert one_file(db, name, relations) == before


def relations_read(db, text):
    """Base tables that a SELECT names, as DuckDB's own parser sees them."""
    tree = json.loads(db.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0])
    assert not tree["error"], tree
    found, stack = set(), [tree]
    while stack:
        node = stack.pop()
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack += children
        if isinstance(node, dict) and node.get("type") == "BASE_TABLE":
            found.add(".".join(filter(None, (node["schema_name"], node["table_name"]))))
    return found


def test_the_check_of_relations_sees_through_subqueries(db):
    text = "SELECT * FROM history JOIN (SELECT * FROM behavior.events) USING (x) WHERE a IN (SELECT b FROM other)"
    assert relations_read(db, text) == {"history", "behavior.events", "other"}


def test_files_that_do_nothing_but_aggregate_one_relation_are_one_query(db):
    frame = queries.Frame(queries.Behavior({"customer_id": "INTEGER", "event_time": "TIMESTAMP", "amount": "DOUBLE"}))
    names = [f.name for f in queries.feature_files(frame)]
    sql = queries.features_of(frame, "SELECT 1 AS customer_id, now()::TIMESTAMP AS as_of", "SELECT *")
    assert {"calendar", "monetary", "trend", "trend_amount"} < set(names)
    assert sql.count("LEFT JOIN") == 1  # those of the days, to those of the history


def test_duckdb_keeps_the_newest_moment_and_not_the_events_of_all(shop):
    features = queries.features_at(queries.Frame(behavior.read(shop.native)), "SELECT *")
    with shop.native.cursor() as cursor:
        ((_, plan),) = cursor.execute(f"EXPLAIN {features.replace(queries.MOMENT, NEWEST)}").fetchall()
    assert set(re.findall(r"__common_subplan_\d+", plan)) == {"__common_subplan_1"}


@pytest.mark.parametrize("file", queries.folder("features"), ids=lambda f: f.name)
def test_a_feature_file_reads_nothing_but_what_is_bound(db, file):
    assert relations_read(db, file.text.replace("{order}", "true")) <= MAY_READ


@pytest.mark.parametrize("file", queries.folder("labels"), ids=lambda f: f.name)
def test_a_label_file_reads_only_the_future(db, file):
    text = file.text
    for option in ("active_event",):
        text = text.replace(f"${option}", "NULL")
    for piece, filled in (
        ("{expression}", "sum(amount)"),
        ("{spent}", "true"),
        ("{order}", "amount >= 0"),
        ("{active}", "true"),
    ):
        text = text.replace(piece, filled)
    assert relations_read(db, text) == {"future"}


def test_feature_columns_have_one_name_each_and_end_in_float(db):
    fill(db, [(1, AS_OF, "view", 1, 1.0)])
    relations = behavior.read(db)
    sql = queries.features_of(
        queries.Frame(relations, order="amount >= 0"),
        f"SELECT 1 AS customer_id, TIMESTAMP '{AS_OF}' AS as_of",
        "SELECT *",
    )
    described = db.execute(f"DESCRIBE {sql}").fetchall()
    names = [name for name, *_ in described]
    assert len(names) == len(set(names)) > 50
    kinds = {kind for name, kind, *_ in described if name not in ("customer_id", "as_of")}
    assert kinds <= {"FLOAT", "MAP(VARCHAR, FLOAT)"}


def test_columns_that_cannot_exist_leave_no_trace(db):
    db.execute(
        "CREATE OR REPLACE TABLE behavior.events AS SELECT 1 AS customer_id, DATE '2025-01-01' AS event_time"
    ).fetchall()
    relations = behavior.read(db)
    sql = queries.features_of(
        queries.Frame(relations, order="amount >= 0"),
        f"SELECT 1 AS customer_id, TIMESTAMP '{AS_OF}' AS as_of",
        "SELECT *",
    )
    names = [name for name, *_ in db.execute(f"DESCRIBE {sql}").fetchall()]
    assert not [n for n in names if "amount" in n or "item" in n or "type" in n or "categor" in n]
    assert "recency_days" in names


def test_the_label_of_a_customer_without_a_future_is_true(db):
    fill(db, [(0, AS_OF, "view", 1, 1.0), (1, AS_OF, "view", 1, 1.0), (1, AS_OF + timedelta(days=30), "buy", 1, 1.0),
              (2, AS_OF, "view", 1, 1.0), (2, AS_OF + timedelta(days=31), "buy", 1, 1.0)])  # fmt: skip
    relations = behavior.read(db)
    source = Source(Frame(relations), targets.churn(None), None, timedelta(days=30), 2)
    features.build_examples(db, source, "t", (AS_OF,), timedelta(days=30), AS_OF + timedelta(days=365))
    assert db.execute("SELECT customer_id, label FROM t ORDER BY 1").fetchall() == [(0, True), (1, False), (2, True)]
    features.build_examples(db, Source(Frame(relations), targets.churn("view"), None, timedelta(days=30), 2), "t",
                            (AS_OF,), timedelta(days=30), AS_OF + timedelta(days=365))  # fmt: skip
    assert db.execute("SELECT bool_and(label) FROM t").fetchone() == (True,)


def test_a_score_at_t_equals_the_score_on_a_database_cut_at_t(shop, tmp_path):
    import sqlml

    cut = tmp_path / "cut.duckdb"
    moment = "TIMESTAMP '2026-02-01 12:00:00'"
    sql = f"SELECT customer_id, churn_score(customer_id, {moment}) FROM behavior.customers ORDER BY 1"
    with sqlml.connect(cut) as con:
        con.close()
    copy_to(shop, cut)
    expected = dict(shop.execute(sql).fetchall())
    with sqlml.connect(cut) as con:
        con.execute(f"DELETE FROM shop_events WHERE happened_at > {moment}").fetchall()
        assert close(dict(con.execute(sql).fetchall()), expected, rel=1e-6)
        latest = "SELECT customer_id, churn_score(customer_id) FROM behavior.customers ORDER BY 1"
        at_newest = dict(con.execute(latest).fetchall())
        newest = con.execute("SELECT max(happened_at) FROM shop_events").fetchall()[0][0]
        explicit = sql.replace(moment, f"TIMESTAMP '{newest}'")
        assert close(at_newest, dict(con.execute(explicit).fetchall()), rel=1e-6)
        con.execute(
            "INSERT INTO shop_events SELECT customer_id, TIMESTAMP '2099-01-01', 'view', 1, NULL FROM shop_truth"
        ).fetchall()
        assert close(dict(con.execute(latest).fetchall()), at_newest, rel=1e-6)


def test_of_several_attribute_rows_the_one_valid_at_as_of_counts():
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute(
            "CREATE TABLE behavior.events AS SELECT 1 AS customer_id, TIMESTAMP '2025-01-01' AS event_time"
        ).fetchall()
        con.execute("""CREATE TABLE behavior.customers AS FROM (VALUES (1, 'old', TIMESTAMP '2024-01-01', DATE '2025-03-01'),
            (1, 'new', TIMESTAMP '2025-02-01', DATE '2024-12-31')) t(customer_id, plan, valid_from, born)""").fetchall()
        relations = behavior.read(con)
        used, left_out = behavior.choose_attributes(relations, ())
        assert (set(used), left_out) == ({"plan", "born"}, ())
        assert behavior.choose_attributes(relations, ["born"]) == (("born",), ("plan",))
        with pytest.raises(DataError, match=r"no usable attribute 'pln'.*Did you mean plan"):
            behavior.choose_attributes(relations, ["pln"])
        asked = "SELECT 1 AS customer_id, unnest([TIMESTAMP '2025-01-31', TIMESTAMP '2025-02-02']) AS as_of"
        sql = queries.features_of(
            queries.Frame(relations, used), asked, 'SELECT as_of, "customer.plan", "customer.born"'
        )
        assert con.execute(f"SELECT * EXCLUDE (as_of) FROM ({sql}) ORDER BY as_of").fetchall() == [
            ("old", None),
            ("new", 33.0),
        ]


def test_event_types_that_differ_in_case_only_are_columns_of_their_own():
    types = "MAP {'View': i::FLOAT, 'view': (i % 7)::FLOAT, 'it''s; \"x\"': 1 / (i + 1)::FLOAT}"
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t AS SELECT i AS customer_id, now() AS as_of, true AS label, 0 AS fold, "
                    f"true AS is_active, {types} AS by_type FROM range(50) t(i)").fetchall()  # fmt: skip
        encoder, dropped = features.fit_encoder(con, "t", timedelta(days=999), 4, Target())
        assert len({name.lower() for name in encoder.names}) == 3
        assert not dropped
        assert features.read_arrays(con, "t", encoder).inputs.shape == (50, 3)
