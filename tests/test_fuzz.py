"""Whatever a name, an id, a value or an option is: an answer or a message, and nothing of it is run as SQL."""

import math
from contextlib import suppress

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sqlml import columns, scoring
from sqlml.errors import SqlmlError
from sqlml.queries import identifier, literal
from tests.conftest import one

pytestmark = pytest.mark.faults

HARM = "DROP TABLE precious"
NASTY = (
    f'x"; {HARM}; --', f"x'; {HARM}; --", f"x'); {HARM}; --", f"}}; {HARM}; --", f"x; {HARM}", "$1", "?", "{x}", "{}", "%s",
    "select", "table", "as_of", "customer_id", "__sqlml_x", "x.y", '"', "'", '""', "''", "\\", "\\'", "--", "/*", "*/", "a b",
    " ", "", "\n", "\t", "é", "naïve", "漢字", "🦆", "\u202e", "\u0301", "\ufeff", "a" * 300, "0", "-1", "NULL", "nan", "main.x",
)  # fmt: skip
TEXT = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan])
ROWS = 60
Refused = (SqlmlError, duckdb.Error)


@pytest.fixture
def con(con):
    con.execute("CREATE TABLE precious AS SELECT 42 AS answer").fetchall()
    yield con
    assert one(con, "SELECT answer FROM precious") == 42


@pytest.fixture
def fuzz(is_long, tally):
    """Runs a check over many inputs, few in the short form."""

    def run(check, most, **strategies):
        @settings(
            max_examples=most * (12 if is_long else 1), deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(**strategies)
        def each(**values):
            check(**values)
            tally["fuzz cases"] += 1

        each()

    return run


def rows(**columns):
    """A table with a label y, which its columns have nothing to do with."""
    y = pa.array(np.arange(ROWS) % 2 == 0)
    return pa.table({**columns, "y": y})


def refused(con, statement):
    """What was said against a statement; None where it was done."""
    try:
        con.execute(statement).fetchall()
    except Refused as error:
        return str(error)
    return None


def made(con, statement):
    """Whether a model was made; if not, there was a message, and there is no model."""
    if told := refused(con, statement):
        assert told.strip()
        assert con.catalog().models() == []
    return told is None


class TestNames:
    def test_columns(self, con, fuzz):
        def check(name, other):
            table = rows(**{name: np.arange(ROWS) % 7, other: [str(i % 3) for i in range(ROWS)]})
            con.register("given", table)
            if made(con, "CREATE MODEL m OPTIONS (label = 'y', method = 'logistic', folds = 2) AS FROM given"):
                assert 0 <= one(con, "SELECT avg(m_score(t)) FROM given t") <= 1
                assert con.execute("EXPLAIN MODEL m").fetchall()
                con.execute("DROP MODEL m").fetchall()

        fuzz(check, 12, name=TEXT.filter(lambda n: n.lower() != "y"), other=st.sampled_from(NASTY))

    def test_labels_keys_and_models(self, con, fuzz):
        def check(model, label, key):
            table = rows(x=np.arange(ROWS) % 7).rename_columns(["x", label])
            con.register("given", table.append_column(key, pa.array(range(ROWS))))
            options = f"label = {literal(label)}, key = {literal(key)}, method = 'logistic', folds = 2"
            if made(con, f"CREATE MODEL {identifier(model)} OPTIONS ({options}) AS FROM given"):
                assert con.catalog().models() == [model]
                function = con.catalog().main_function(con.catalog().version(model).version_id)
                assert 0 <= one(con, f"SELECT avg({identifier(function)}(t)) FROM given t") <= 1
                for statement in ("EVALUATE MODEL {}", "DESCRIBE MODEL {}", "ALTER MODEL {} RETRAIN", "DROP MODEL {}"):
                    con.execute(statement.format(identifier(model))).fetchall()
                assert con.catalog().models() == []

        fuzz(
            check,
            12,
            model=TEXT,
            label=TEXT.filter(lambda n: n.lower() != "x"),
            key=st.sampled_from(["k", 'k"k', "k'; --"]),
        )

    @pytest.mark.parametrize(
        "option",
        ["task", "method", "label", "key", "positive", "split", "split_column", "search", "budget", "blend", "nothing"],
    )
    def test_options(self, con, fuzz, option):
        con.register("given", rows(x=np.arange(ROWS) % 7))
        label = "" if option == "label" else "label = 'y', "

        def check(value):
            statement = f"CREATE MODEL m OPTIONS ({label}{option} = {value}) AS FROM given"
            if made(con, statement):
                con.execute("DROP MODEL m").fetchall()

        plain = st.sampled_from(
            ["NULL", "-1", "1e400", "[]", "{}", "true", "DATE '2020-01-01'", "(SELECT 1)", "1; SELECT 2"]
        )
        fuzz(check, 8, value=plain | TEXT.map(literal))

    def test_relations_files_and_tables_of_scores(self, shop, tmp_path, fuzz):
        shop.execute("CREATE TABLE IF NOT EXISTS precious AS SELECT 42 AS answer").fetchall()

        def check(name):
            for statement in (
                f"FROM churn_at({literal(name)})",
                f"EVALUATE MODEL churn ON SELECT {literal(name)} AS customer_id",
                f"EXPORT MODEL {identifier(name)} TO {literal(str(tmp_path / 'e.sqlml'))}",
                f"ALTER MODEL churn RENAME TO {identifier('churn')}",
                f"SHOW MODELS LIKE {literal(name)}",
                f"IMPORT MODEL q FROM {literal(name)}",
                f"FROM ml.metrics WHERE model = {literal(name)}",
                f"FROM ml.roc_curve({literal(name)})",
            ):
                told = refused(shop, statement)
                assert told is None or told.strip()
            with suppress(*Refused):
                scoring.Table(shop, name)
            assert shop.catalog().models() == ["churn"]
            assert one(shop, "SELECT answer FROM precious") == 42

        fuzz(check, 40, name=TEXT)


class TestValues:
    def test_numbers(self, con, fuzz):
        con.register("given", rows(x=np.arange(ROWS) % 7, text=[str(i % 3) for i in range(ROWS)]))
        con.execute("CREATE MODEL m OPTIONS (label = 'y', method = 'logistic', folds = 2) AS FROM given").fetchall()
        con.execute("CREATE MODEL n OPTIONS (label = 'y', epochs = 2, folds = 2) AS FROM given").fetchall()

        def check(x, text):
            con.register("asked", pa.table({"x": pa.array([x], pa.float64()), "text": [text]}))
            for model in "mn":
                found = one(con, f"SELECT {model}_score(t) FROM asked t")
                assert found is None or 0 <= found <= 1

        fuzz(check, 60, x=NUMBERS | st.none(), text=TEXT | st.none())

    def test_what_is_learnt_from(self, con, fuzz):
        def check(values, text, n):
            table = rows(x=pa.array((values * ROWS)[:ROWS], pa.float64()), text=(text * ROWS)[:ROWS]).slice(0, n)
            con.register("given", table)
            if made(con, "CREATE MODEL m OPTIONS (label = 'y', method = 'logistic', folds = 2) AS FROM given"):
                assert 0 <= one(con, "SELECT avg(m_score(t)) FROM given t") <= 1
                con.execute("DROP MODEL m").fetchall()

        listed = st.lists(NUMBERS | st.none(), min_size=1, max_size=9)
        fuzz(
            check,
            15,
            values=listed,
            text=st.lists(TEXT | st.none(), min_size=1, max_size=5),
            n=st.sampled_from([0, 1, 2, 10, ROWS]),
        )

    @pytest.mark.parametrize("label", ["x", "x::VARCHAR", "CASE WHEN x > 3 THEN 1e308 ELSE -1e308 END", "NULL", "'é' || x", "1",
                                       "DATE '2020-01-01' + x::INT", "[x]", "'inf'::DOUBLE"])  # fmt: skip
    def test_labels(self, con, label, tally):
        con.register("given", pa.table({"x": np.arange(ROWS) % 7}))
        if made(
            con,
            f"CREATE MODEL m OPTIONS (label = 'z', epochs = 2, folds = 2) AS SELECT x, hash(x) AS h, {label} AS z FROM given",
        ):
            function = con.catalog().main_function(con.catalog().version("m").version_id)
            asked = f"SELECT count({identifier(function)}(t)) FROM (SELECT x, hash(x) AS h FROM given) t"
            assert one(con, asked) == ROWS
        tally["fuzz cases"] += 1

    @pytest.mark.parametrize("n", [300, 3000])
    def test_many_columns(self, con, n, is_long, tally):
        if n > 300 and not is_long:
            pytest.skip("of the long form")
        numbers = {f"c{i}": np.random.default_rng(i).normal(size=200) for i in range(n)}
        con.register("given", pa.table({**numbers, "y": np.arange(200) % 2 == 0}))
        most = columns.MOST_COLUMNS
        create = "CREATE MODEL m OPTIONS (label = 'y', method = 'logistic', folds = 2{}) AS FROM given"
        assert made(con, create.format("")) == (n <= most)
        if n > most:
            first = ", ".join(f"'c{i}'" for i in range(200))
            assert made(con, create.format(f", columns = [{first}]"))
        assert one(con, "SELECT count(m_score(t)) FROM given t") == 200
        tally["fuzz cases"] += 1


class TestEvents:
    IDS = ("7", f"x'; {HARM}; --", "", " ", "é🦆", "a" * 5000, "null", '{"a": 1}')
    EDGES = ("290309-12-22 (BC)", "0001-01-01", "1969-12-31 23:59:59.999999", "9999-12-31", "infinity", "-infinity")

    def events(self, con, ids, more=""):
        con.execute("CREATE SCHEMA IF NOT EXISTS behavior").fetchall()
        con.register("ids", pa.table({"id": pa.array(ids), "n": range(len(ids))}))
        con.execute(f"""CREATE OR REPLACE TABLE behavior.events AS
            SELECT id AS customer_id, TIMESTAMP '2024-01-01' + to_hours((hash(n * 1000 + k) % 9000)::INT) AS event_time,
                   ['view', 'it''s; --', '', NULL][1 + (hash(k) % 4)::INT] AS event_type
            FROM ids, range(20) u(k) WHERE k < 2 + n % 18 {more}""").fetchall()

    CREATE = "CREATE MODEL m OPTIONS (horizon = INTERVAL 60 DAY, method = 'logistic', folds = 2, max_cutoffs = 1)"

    def test_ids_that_look_like_sql(self, con, tally):
        ids = [f"{text}{i}" for i in range(30) for text in self.IDS]
        self.events(con, ids)
        con.execute(self.CREATE).fetchall()
        for each in ids[-len(self.IDS) :]:
            found = con.execute(f"SELECT m_score({literal(each)})").fetchall()[0][0]
            assert found is None or 0 < found < 1
            tally["fuzz cases"] += 1
        assert con.execute(f"SELECT m_score({literal(HARM)})").fetchall() == [(None,)]

    @pytest.mark.parametrize("moment", EDGES)
    def test_times_at_the_edge_of_the_calendar(self, con, moment, tally):
        edge = f"UNION ALL SELECT 'edge', TIMESTAMP {literal(moment)}, 'view'"
        self.events(con, [str(i) for i in range(200)], edge)
        if made(con, self.CREATE):
            least, most = con.execute(
                "SELECT min(s), max(s) FROM (SELECT m_score(customer_id) AS s FROM behavior.events)"
            ).fetchall()[0]
            assert 0 <= least <= most <= 1
            for text in self.EDGES:
                score = f"m_score('7', TIMESTAMP {literal(text)})"
                told = refused(con, f"SELECT CASE WHEN NOT {score} BETWEEN 0 AND 1 THEN error('no probability') END")
                assert told is None or "is too late" in told
                tally["fuzz cases"] += 1

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"])
    def test_the_zone_of_a_session_changes_nothing(self, con, zone, tally):
        self.events(con, [str(i) for i in range(200)])
        con.execute("SET TimeZone = 'UTC'").fetchall()
        con.execute(self.CREATE).fetchall()
        query = "SELECT m_score('7'), m_score('7', TIMESTAMP '2024-09-01')"
        expected = con.execute(query).fetchall()
        con.execute(f"SET TimeZone = {literal(zone)}").fetchall()
        assert con.execute(query).fetchall() == expected
        tally["fuzz cases"] += 1

    @pytest.mark.parametrize("n", [0, 1, 2])
    def test_hardly_anybody(self, con, n, tally):
        self.events(con, [str(i) for i in range(n)] or ["x"], "" if n else "LIMIT 0")
        assert not made(con, self.CREATE)
        tally["fuzz cases"] += 1


def test_the_same_data_and_seed_give_the_same_weights_to_the_bit(con, tally):
    con.register("given", rows(x=np.random.default_rng(0).normal(size=ROWS), z=np.arange(ROWS) % 5))
    for method, more in (("net", ", epochs = 3"), ("logistic", "")):
        for _ in range(2):
            con.execute(
                f"CREATE OR REPLACE MODEL {method} OPTIONS (label = 'y', method = '{method}', folds = 2{more}) AS FROM given"
            ).fetchall()
        weights = con.execute("""SELECT count(*), count(DISTINCT safetensors) FROM ml.weights JOIN ml.versions USING (version_id)
                                 WHERE model = ?""", [method]).fetchall()  # fmt: skip
        assert weights == [(2, 1)]
        tally["trainings repeated to the bit"] += 1
