"""`map`, `check` and the contract, through the command line as a user meets them."""

import re

import duckdb
import pytest
from typer.testing import CliRunner

import sqlml
from sqlml import behavior, queries
from sqlml.cli import app

runner = CliRunner()


def run(*arguments, code=0):
    result = runner.invoke(app, list(arguments))
    assert result.exit_code == code, result.output + str(result.exception)
    return result


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "my.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("""CREATE TABLE orders AS SELECT (i % 7)::INTEGER AS client_id, TIMESTAMPTZ '2025-01-01 00:30:00+00' + to_days(i::INT) AS created_at,
            'SKU' || i AS sku, 2 AS qty, 1.5 AS price FROM range(50) t(i)""").fetchall()
        con.execute(
            "COPY (SELECT 3 AS user_id, DATE '2025-03-01' AS date, 'x' AS page) TO '"
            + str(tmp_path / "visits.parquet")
            + "'"
        ).fetchall()
        con.execute("CREATE TABLE clients AS SELECT i AS client_id, 'p' AS plan FROM range(9) t(i)").fetchall()
    return path


def test_map_guesses_shows_and_writes(db, tmp_path):
    result = run("map", "--db", str(db), "--events", "orders", "--type-value", "purchase", "--amount", "qty * price")
    assert "CREATE OR REPLACE VIEW behavior.events AS" in result.output
    assert '"client_id" AS customer_id' in result.output
    assert "(qty * price) AS amount" in result.output
    with sqlml.connect(db) as con:
        assert con.execute(
            "SELECT count(*), sum(amount), min(event_type), min(item_id) FROM behavior.events"
        ).fetchall()[0] == (50, 150, "purchase", "SKU0")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc_in_every_session(db, zone):
    run("map", "--db", str(db), "--events", "orders")
    with sqlml.connect(db) as con:
        con.execute(f"SET TimeZone = '{zone}'").fetchall()
        assert str(con.execute("SELECT min(event_time) FROM behavior.events").fetchall()[0][0]) == "2025-01-01 00:30:00"


def test_map_joins_several_sources_and_files(db, tmp_path):
    run("map", "--db", str(db), "--events", "orders", "--type-value", "purchase",
        "--events", str(tmp_path / "visits.parquet"), "--type-value", "visit", "--customers", "clients",
        "--customer", "client_id", "--customer", "user_id")  # fmt: skip
    with sqlml.connect(db) as con:
        assert con.execute("SELECT event_type, count(*) FROM behavior.events GROUP BY 1 ORDER BY 1").fetchall() == [
            ("purchase", 50),
            ("visit", 1),
        ]
        assert con.execute("SELECT count(customer_id) FROM behavior.customers").fetchall()[0] == (9,)
    assert "2 customers without any event" in run("check", "--db", str(db)).output


def test_a_key_may_be_named_beside_a_column_that_has_its_name(db):
    with duckdb.connect(str(db)) as con:
        con.execute("CREATE TABLE people AS SELECT i AS Customer_Id, i * 10 AS login, 'p' AS plan FROM range(9) t(i)")
    run("map", "--db", str(db), "--customers", "people", "--customer-key", "login")
    with sqlml.connect(db) as con:
        relation = con.sql("FROM behavior.customers ORDER BY customer_id DESC LIMIT 1")
        assert (relation.columns, relation.fetchall()) == (["customer_id", "plan"], [(80, "p")])


def test_one_date_of_long_ago_moves_no_cut_off(con):
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
        SELECT i % 50 AS customer_id, TIMESTAMP '2025-01-01' + to_hours(i::INT) AS event_time FROM range(5000) t(i)
        UNION ALL SELECT 1, TIMESTAMP '1970-01-01'""").fetchall()
    assert str(behavior.facts(con.native).first_event.date()) == "2025-01-01"
    findings = behavior.check(con.native, behavior.read(con.native), ("warning",))
    assert [f.count for f in findings if "default dates" in f.text] == [1]


def test_a_map_that_fails_or_is_dry_makes_no_file(tmp_path):
    path = tmp_path / "new.duckdb"
    runner.invoke(app, ["map", "--db", str(path), "--events", "nothing"])
    file = tmp_path / "e.csv"
    file.write_text("user_id,date\n1,2025-01-01\n")
    run("map", "--db", str(path), "--events", str(file), "--dry-run")
    assert not path.exists()


def test_dry_run_writes_nothing(db):
    run("map", "--db", str(db), "--events", "orders", "--dry-run")
    with sqlml.connect(db) as con:
        assert con.execute("SELECT count(*) FROM duckdb_views() WHERE schema_name = 'behavior'").fetchall()[0] == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "nothing"], "Cannot read nothing"),
        (["--events", "nothing.parquet"], "There is no file nothing.parquet"),
        (["--events", "orders", "--customer", "clent_id"], "Did you mean client_id"),
        (["--events", "clients"], "No column of clients looks like the time"),
    ],
)
def test_map_says_what_exists(db, arguments, message):
    result = runner.invoke(app, ["map", "--db", str(db), *arguments])
    assert message in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "orders", "--time", "qty"], "qty holds 50 values that are not read as times"),
        (["--events", "orders", "--where", "sku > 3"], "cannot be written and read"),
        (["--events", "orders", "--where", "qty >"], "--where qty > cannot be read"),
        (["--events", "orders", "--where", "true; DROP TABLE clients"], "cannot be read"),
        (
            ["--events", "orders", "--amount", "1) AS amount FROM orders; DROP TABLE clients; SELECT (1"],
            "not another statement",
        ),
        (["--events", "orders", "--amount", "sku"], "sku holds 50 values that are not read as numbers"),
        (["--events", "behavior.events"], "what map writes"),
    ],
)
def test_a_mapping_that_cannot_be_read_leaves_the_old_one(db, arguments, message):
    run("map", "--db", str(db), "--events", "orders")
    result = runner.invoke(app, ["map", "--db", str(db), *arguments])
    assert re.search(message, str(result.exception))
    assert "50 events of 7 customers" in run("check", "--db", str(db)).output


def test_map_writes_the_customers_of_the_events(db):
    run("map", "--db", str(db), "--events", "orders")
    with sqlml.connect(db) as con:
        assert con.execute("SELECT count(*) FROM behavior.customers").fetchall() == [(7,)]


def test_an_absurd_amount_spoils_nothing(con):
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
        SELECT i % 9 AS customer_id, TIMESTAMP '2025-01-01' + to_hours(i::INT) AS event_time,
               CASE i WHEN 7 THEN 1e308 WHEN 8 THEN 'nan'::DOUBLE WHEN 9 THEN '-inf'::DOUBLE ELSE 1 END AS amount
        FROM range(90) t(i)""").fetchall()
    sql = queries.features_of(queries.Frame(behavior.read(con.native)), "SELECT 7 AS customer_id, TIMESTAMP '2026-01-01' AS as_of",
                              "SELECT amount_total, amount_max")  # fmt: skip
    assert con.execute(sql).fetchall() == [(9.0, 1.0)]
    findings = behavior.check(con.native, behavior.read(con.native), ("warning",))
    assert [f.count for f in findings if "beyond 1e15" in f.text] == [3]


def test_check_reports_breaches_with_counts_and_sql(db):
    with duckdb.connect(str(db)) as con:
        con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
            SELECT i % 3 AS customer_id, TIMESTAMP '2025-01-01' + to_days(i::INT) AS event_time, i - 2.0 AS amount, 'a' AS event_type FROM range(20) t(i)
            UNION ALL SELECT NULL, TIMESTAMP '2025-01-01', 1, 'a' UNION ALL SELECT 1, TIMESTAMP '2099-01-01', 1, 'b';
            CREATE TABLE behavior.customers AS SELECT 1 AS customer_id FROM range(2)""").fetchall()
    result = runner.invoke(app, ["check", "--db", str(db)])
    for text in ("warning: 1 events without a customer_id", "warning: 1 events later than now", "note: 2 events with a negative amount",
                 "error: 1 customers with more than one row", "SELECT * FROM behavior.events WHERE customer_id IS NULL"):  # fmt: skip
        assert text in result.output
    assert "break the contract" in str(result.exception)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_other_libraries_become_tables(con, library):
    frame = pytest.importorskip(library).DataFrame(
        {"customer_id": [1, 2], "event_time": ["2024-06-01T23:30:00-05:00", "2024-06-02"]}
    )
    con.register_behavior(events=frame)
    times = con.execute("SELECT event_time::VARCHAR FROM behavior.events ORDER BY customer_id").fetchall()
    assert times == [("2024-06-02 04:30:00",), ("2024-06-02 00:00:00",)]


@pytest.mark.parametrize(
    "text",
    [
        "2024-06-01T23:30:00-05:00",
        "2024-06-01 10:00:00 -0500",
        "2024-06-01 10:00:00 UTC",
        "2024-06-01",
        "2024-06-01 9:05",
    ],
)
def test_the_macro_reads_a_text_as_the_view_does(con, text):
    con.execute("CREATE SCHEMA ml").fetchall()
    (migration,) = (m for m in queries.folder("catalog/migrations") if m.name.endswith("_utc"))
    con.execute(migration.text.partition("INSERT")[0]).fetchall()
    view = queries.text("binding/utc", text=queries.literal(text))
    assert con.execute(f"SELECT ml.utc({queries.literal(text)}) = ({view})").fetchall() == [(True,)]
