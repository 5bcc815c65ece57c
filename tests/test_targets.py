"""Targets in SQL: PREDICT expression FOR EACH CUSTOMER [WHERE condition] HORIZON interval."""

import pytest

import sqlml
from sqlml import behavior, targets
from sqlml.errors import OptionError, StatementError
from tests.conftest import CHURN, FAST, one

EVENTS = """CREATE TABLE behavior.events AS
            SELECT i AS customer_id, TIMESTAMP '2025-01-01' + to_hours((hash(i * 1000 + k) % 14000)::INT) AS event_time,
                   CASE WHEN hash(i * 1000 + k + 7) % 4 = 0 THEN 'purchase' ELSE 'view' END AS event_type,
                   (hash(i * 1000 + k + 3) % 100)::DOUBLE AS amount
            FROM range(400) t(i), range(40) u(k) WHERE k < 2 + i % 38"""


@pytest.fixture(scope="module")
def con():
    with sqlml.connect() as connection:
        connection.execute("CREATE SCHEMA behavior").fetchall()
        connection.execute(EVENTS).fetchall()
        yield connection


def test_the_target_of_churn_gives_the_scores_of_churn(shop):
    predict = CHURN.replace("churn OPTIONS (task = 'churn', method = 'net', horizon = INTERVAL 60 DAY, ",
                            "gone PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 60 DAYS OPTIONS (method = 'net', ")  # fmt: skip
    shop.execute(predict).fetchall()
    sql = "SELECT max(abs(churn_score(customer_id) - gone_score(customer_id))), count(gone_score(customer_id)) FROM behavior.customers"
    assert shop.execute(sql).fetchall()[0][0] <= 1e-6
    assert shop.execute(sql).fetchall()[0][1] > 1000
    shop.execute("DROP MODEL gone").fetchall()


def test_the_propensity_to_buy(con):
    con.execute(f"""CREATE MODEL buys PREDICT count(*) FILTER (event_type = 'purchase') > 0
                    FOR EACH CUSTOMER HORIZON 30 DAYS OPTIONS ({FAST})""").fetchall()
    often, seldom = (
        one(con, f"SELECT avg(buys_score(i)) FROM range(400) t(i) WHERE i % 38 {which}") for which in ("> 30", "< 8")
    )
    assert often > seldom + 0.1
    truth = one(con, """SELECT base_rate FROM ml.cutoffs WHERE purpose = 'train' ORDER BY as_of DESC LIMIT 1""")
    assert truth == pytest.approx(one(con, """
        SELECT avg((SELECT count(*) > 0 FROM behavior.events f WHERE f.customer_id = c.customer_id AND event_type = 'purchase'
                    AND f.event_time > c.moment AND f.event_time <= c.moment + INTERVAL 30 DAY)::INT)
        FROM (SELECT customer_id, any_value(moment) AS moment FROM behavior.events, (SELECT max(as_of) AS moment FROM ml.cutoffs WHERE purpose = 'train')
              WHERE event_time <= moment GROUP BY customer_id) c"""))  # fmt: skip
    con.execute("DROP MODEL buys").fetchall()


def test_who_lies_outside_the_population_has_no_answer(con):
    con.execute(f"""CREATE MODEL next_spend PREDICT sum(amount) FOR EACH CUSTOMER
                    WHERE count(*) FILTER (event_type = 'purchase') >= 3 HORIZON 60 DAYS OPTIONS ({FAST})""").fetchall()
    sql = """SELECT count_if((next_spend(i) IS NULL) <> (coalesce(n, 0) < 3)), count(next_spend(i)), count_if(next_spend(i) IS NULL)
             FROM range(400) t(i) LEFT JOIN (SELECT customer_id AS i, count(*) AS n FROM behavior.events
             WHERE event_type = 'purchase' GROUP BY ALL) USING (i)"""
    wrong, answered, not_answered = con.execute(sql).fetchall()[0]
    assert wrong == 0
    assert min(answered, not_answered) > 20
    covered = one(con, "SELECT value FROM ml.evaluate('next_spend') WHERE metric = 'coverage_90' AND method = 'net'")
    assert 0.8 < covered < 1
    con.execute("DROP MODEL next_spend").fetchall()


LABELS = [  # expression, label of a future of amounts 2 and 3 in two views, label of an empty future
    ("count(*) = 0", False, True),
    ("sum(amount)", 5.0, 0.0),
    ("sum(amount) < 4", False, True),
    ("sum(amount) FILTER (event_type = 'é') + count(*)", 2.0, 0.0),
    ("max(amount) > 2", True, False),
    ("avg(amount)", 2.5, None),
    ("count(DISTINCT item_id) = 0 -- none", False, True),
]


@pytest.mark.parametrize(("expression", "some", "none"), LABELS)
def test_a_target_is_total_over_an_empty_future(expression, some, none):
    with sqlml.connect() as con:
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute("""CREATE TABLE behavior.events AS FROM (VALUES (1, TIMESTAMP '2025-01-01', 'view', 1.0, 5), (2, TIMESTAMP '2025-01-01', 'view', 1.0, 5),
                       (1, TIMESTAMP '2025-01-03', 'view', 2.0, 6), (1, TIMESTAMP '2025-01-04', 'view', 3.0, 6)) t(customer_id, event_time, event_type, amount, item_id)""").fetchall()
        label = targets.predict(con.native, behavior.read(con.native), expression)
        asked = "(SELECT DISTINCT customer_id, TIMESTAMP '2025-01-02' AS as_of FROM behavior.events)"
        query = f"SELECT label FROM ({sqlml.queries.labels_of(behavior.read(con.native), label.sql, asked)}) ORDER BY customer_id"
        values = {**targets.PARAMETERS, "window_seconds": 864000}
        assert con.execute(query, values).fetchall() == [(some,), (none,)]
        if label.is_binary:
            assert label.of_nothing is none


WRONG = [
    ("PREDICT amount > 3 FOR EACH CUSTOMER HORIZON 7 DAYS", "an aggregate is missing"),
    (
        "PREDICT sum(price) FOR EACH CUSTOMER HORIZON 7 DAYS",
        "price.*Columns of behavior.events: customer_id, event_time",
    ),
    ("PREDICT max(event_type) FOR EACH CUSTOMER HORIZON 7 DAYS", "is VARCHAR: a BOOLEAN is classified"),
    ("PREDICT (SELECT count(*) FROM behavior.events) > 3 FOR EACH CUSTOMER HORIZON 7 DAYS", "without a query inside"),
    ("PREDICT count(*) FROM future GROUP BY 1 FOR EACH CUSTOMER HORIZON 7 DAYS", "one expression is expected"),
    ("PREDICT count(*), 1 FOR EACH CUSTOMER HORIZON 7 DAYS", "one expression is expected"),
    ("PREDICT count( FOR EACH CUSTOMER HORIZON 7 DAYS", "expected FOR"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER WHERE amount > 3 HORIZON 7 DAYS", "an aggregate is missing"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER WHERE count(price) > 3 HORIZON 7 DAYS", "FOR EACH CUSTOMER WHERE.*price"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 7", "needs its unit|INTERVAL"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER", "expected HORIZON"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 7 DAYS OPTIONS (task = 'churn')", "leave out the options task"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 7 DAYS OPTIONS (horizon = INTERVAL 3 DAY)", "given twice"),
    ("PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 7 DAYS AS SELECT 1", "takes no query"),
    ("PREDICT count(*) < 0 FOR EACH CUSTOMER HORIZON 30 DAYS", "nothing to tell apart"),
]


@pytest.mark.parametrize(("clauses", "message"), WRONG)
def test_a_wrong_target_says_what_is_wrong(con, clauses, message):
    with pytest.raises((OptionError, StatementError, sqlml.SqlmlError), match=f"(?s){message}"):
        con.execute(f"CREATE MODEL wrong {clauses}")


def test_a_short_log_is_carried_to_the_horizon():
    """A constant rate: twice the window has twice the sum, and fewer of those who do nothing."""
    with sqlml.connect() as con:
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute("""CREATE TABLE behavior.events AS SELECT i AS customer_id, (1 + hash(i * 77 + k) % 5)::DOUBLE AS amount,
                       TIMESTAMP '2025-01-01' + to_minutes((hash(i * 1000 + k) % 172800)::INT) AS event_time
                       FROM range(600) t(i), range(20) u(k) WHERE k < 1 + i % 19""").fetchall()
        options = f"HORIZON 120 DAYS OPTIONS ({FAST})"
        con.execute(f"CREATE MODEL total PREDICT sum(amount) FOR EACH CUSTOMER {options}").fetchall()
        con.execute(f"CREATE MODEL buys PREDICT count(*) > 0 FOR EACH CUSTOMER {options}").fetchall()
        spent = one(con, "SELECT sum(amount)::DOUBLE FROM behavior.events")
        assert one(con, "SELECT sum(total(i)) FROM range(600) t(i)") == pytest.approx(spent, rel=0.25)
        left = """SELECT max(rest) - min(rest) FROM (SELECT ln(buys_score(i) / (1 - buys_score(i)))
                  - list_sum(list_transform(buys_explain(i), lambda e: e.effect)) AS rest FROM range(600) t(i)
                  WHERE buys_score(i) BETWEEN 0.001 AND 0.999)"""
        assert one(con, left) < 0.01  # effects are of the answer carried to the horizon
        rate = one(con, "SELECT avg(1 - exp(-(1 + i % 19))) FROM range(600) t(i)")
        assert one(con, "SELECT avg(buys_score(i)) FROM range(600) t(i)") == pytest.approx(rate, abs=0.1)
