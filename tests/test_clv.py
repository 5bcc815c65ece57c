"""Customer lifetime value: BG/NBD, Gamma-Gamma, the net that corrects them, the curve, intervals."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import hyp2f1

import sqlml
from sqlml import behavior, queries, targets
from sqlml.encoding import Arrays
from sqlml.errors import DataError, OptionError
from sqlml.methods import bgnbd
from sqlml.options import BehaviorOptions
from sqlml.transforms import ORDERS, Column, Encoder, Target
from tests.conftest import FAST, copy_to, one

WITHOUT_REFUNDS = ORDERS[:5]
ENCODER = Encoder(tuple(Column(n, n, n) for n in WITHOUT_REFUNDS), Target("spend", ends=(91.0,), discounts=(1.0,)))
PLACES = bgnbd.places(ENCODER)
SHOPPERS = """
    CREATE SCHEMA IF NOT EXISTS behavior;
    CREATE OR REPLACE TABLE behavior.events AS
    WITH who AS (SELECT i, hash(i * 7 + 1) % 300 AS born, 0.03 + 0.2 * (hash(i * 7 + 2) % 100 / 100) ^ 3 AS rate,
                        exp(3 + 0.6 * ((hash(i * 7 + 3) % 200)::INT - 100) / 100) AS size, 60 + hash(i * 7 + 4) % 900 AS life FROM range(1200) t(i))
    SELECT i AS customer_id, TIMESTAMP '2024-01-01' + to_days((born + d)::INT) AS event_time,
           round(size * (0.5 + hash(i * 10000 + d * 3) % 100 / 100), 2) AS amount
    FROM who, range(0, 730) r(d)
    WHERE born + d < 730 AND d < life AND (d = 0 OR hash(i * 10000 + d) % 10000 < 10000 * rate)"""


def simulated(rng, customers, r=0.8, alpha=6.0, a=0.8, b=2.5, p=6.0, q=4.0, v=15.0):
    """Statistics (n, 5) of customers who buy as BG/NBD and Gamma-Gamma say, seen for 26 to 78 weeks."""
    weeks = rng.uniform(26, 78, customers)
    rate, stops = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    x, last, now = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    buys = np.ones(customers, bool)
    while buys.any():
        now = now + rng.exponential(1 / rate)
        buys &= now <= weeks
        x, last = x + buys, np.where(buys, now, last)
        buys &= rng.uniform(size=customers) >= stops
    mean = rng.gamma(p * np.maximum(x, 1)) / (np.maximum(x, 1) * rng.gamma(q, 1 / v, customers))
    found = np.stack([x, last * 7, weeks * 7, np.where(x > 0, mean, np.nan), mean], 1)
    return found.astype(np.float32)


def bgnbd_log(rng, customers, days, r=0.8, alpha=6.0, a=0.8, b=2.5, p=6.0, q=4.0, v=15.0):
    """Orders (customer, day) and their amounts, of customers who join evenly over time."""
    born = rng.uniform(0, days, customers)
    rate, stops = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    size = rng.gamma(q, 1 / v, customers)
    now, alive, who = born.copy(), np.ones(customers, bool), np.arange(customers)
    found = [(who, born)]
    while alive.any():
        now = now + 7 * rng.exponential(1 / rate)
        alive &= now < days
        found.append((who[alive], now[alive]))
        alive &= rng.uniform(size=customers) >= stops
    ids, times = (np.concatenate(each) for each in zip(*found, strict=True))
    return (ids, np.floor(times)), rng.gamma(p, 1 / size[ids])


def fitted(statistics):
    data = Arrays(statistics, np.zeros((len(statistics), 3), np.float32), np.zeros(len(statistics), np.int64))
    found = bgnbd.fit(data, ENCODER, BehaviorOptions()).weights
    return {name.removeprefix("closed."): float(value) for name, value in found.items()}


def test_known_parameters_are_recovered_within_sampling_error():
    truth = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.5, "p": 6.0, "q": 4.0, "v": 15.0}
    found = [fitted(simulated(np.random.default_rng(seed), 3000)) for seed in range(20)]
    for name, value in truth.items():
        logs = np.log([each[name] for each in found])
        error = logs.std(ddof=1) / np.sqrt(len(logs))
        assert abs(logs.mean() - np.log(value)) < 4 * error + 0.02, name
        assert logs.std() < 0.5


def test_the_published_parameters_of_cdnow(data, con):
    path = (data / "cdnow").as_posix()
    sql = f"""WITH days AS (SELECT customer_id, date, sum(amount) AS amount FROM '{path}/transactions.parquet' SEMI JOIN '{path}/sample_customers.parquet'
                            USING (customer_id) WHERE date <= DATE '1997-09-30' GROUP BY ALL),
              placed AS (SELECT *, min(date) OVER (PARTITION BY customer_id) AS born FROM days)
              SELECT count(*) - 1, max(date) - any_value(born), DATE '1997-09-30' - any_value(born),
                     avg(amount) FILTER (date > born), avg(amount) FROM placed GROUP BY customer_id"""
    found = fitted(np.stack([np.ma.filled(each.astype(float), np.nan) for each in con.execute(sql).fetchnumpy().values()], 1).astype(np.float32))  # fmt: skip
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44}
    assert found == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("a", [0.05, 0.8, 1.0001, 3.0])
@pytest.mark.parametrize("weeks", [1.0, 39.0, 200.0])
def test_expected_orders_are_those_of_the_closed_form(a, weeks):
    closed = {"r": np.float32(0.243), "alpha": np.float32(4.414), "a": np.float32(a), "b": np.float32(2.426)}
    known = bgnbd.buyers(simulated(np.random.default_rng(0), 500), PLACES)
    found = bgnbd.expected(closed, known, weeks)
    r, alpha, a, b = (float(closed[name]) for name in ("r", "alpha", "a", "b"))
    x, t_x, T = (np.asarray(each, np.float64) for each in known[:3])
    alive = 1 / (1 + np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x), 0))
    tail = ((alpha + T) / (alpha + T + weeks)) ** (r + x)
    orders = (a + b + x - 1) / (a - 1) * (1 - tail * hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + T + weeks)))
    assert np.asarray(found.orders) == pytest.approx(alive * orders, rel=3e-4)
    assert np.asarray(found.active) == pytest.approx(alive * (1 - tail), rel=1e-4, abs=1e-6)
    assert (np.asarray(found.alive) <= alive + 1e-5).all()


def test_a_log_in_which_nobody_stops_or_nobody_comes_back_gives_no_garbage():
    rng = np.random.default_rng(1)
    faithful = simulated(rng, 2000, a=1e-9, b=50.0)
    parameters = fitted(faithful)
    assert parameters["a"] / (parameters["a"] + parameters["b"]) < 0.01
    once = faithful * np.float32([0, 0, 1, np.nan, 1])
    for statistics in (faithful, once):
        closed = {name: np.float32(value) for name, value in fitted(statistics).items()}
        future = bgnbd.expected(closed, bgnbd.buyers(statistics, PLACES), 52.0)
        size = bgnbd.order_size(closed, bgnbd.buyers(statistics, PLACES))
        assert all(np.isfinite(np.asarray(each)).all() for each in (*future, size))
        assert 0 < float(np.mean(future.orders)) < 40


@pytest.fixture(scope="module")
def shoppers():
    with sqlml.connect() as con:
        con.execute(SHOPPERS).fetchall()
        con.execute(f"CREATE MODEL clv OPTIONS (task = 'clv', horizon = INTERVAL 180 DAY, discount = 0.2, {FAST})").fetchall()  # fmt: skip
        yield con


def test_the_curve_adds_up_to_the_value(shoppers):
    sql = """SELECT customer_id, any_value(clv(customer_id)) AS value, sum(p.discounted), sum(p.spend * 1.2 ^ (-p.until_days / 365.25)),
                    sum(p.orders), min(p.orders), max(p.p_no_order), count(*)
             FROM (SELECT customer_id, unnest(clv_curve(customer_id)) AS p FROM range(1200) t(customer_id)) GROUP BY ALL"""
    found = np.array([row[1:] for row in shoppers.execute(sql).fetchall()])
    value, discounted, by_hand, orders, least, _, periods = found.T
    assert len(found) == 1200
    assert discounted == pytest.approx(value, abs=1e-6, rel=1e-9)
    assert by_hand == pytest.approx(value, abs=1e-6, rel=1e-9)
    assert (least >= 0).all()
    assert set(periods) == {6}
    assert one(shoppers, "SELECT sum(clv(customer_id)) FROM range(1200) t(customer_id)") == pytest.approx(value.sum())
    assert orders.std() > 0


def test_the_curve_is_a_table_of_periods(shoppers):
    found = shoppers.execute("FROM clv_curve(7)").fetchall()
    names = [column[0] for column in shoppers.description]
    assert names == ["period", "until_days", "orders", "spend", "discounted", "p_no_order", "p_still_buying"]
    assert [row[0] for row in found] == [1, 2, 3, 4, 5, 6]
    assert found[-1][1] == 180
    silent, buying = ([row[i] for row in found] for i in (5, 6))
    assert silent == sorted(silent, reverse=True)
    assert buying == sorted(buying, reverse=True)
    assert shoppers.execute("FROM clv_curve(7, TIMESTAMP '2023-01-01')").fetchall() == []


def test_the_total_is_near_what_is_spent(shoppers):
    """The log goes on as before, so that the spend of a year tells that of half a year."""
    half = "TIMESTAMP '2025-07-01'"
    spent = one(shoppers, f"SELECT sum(amount) FROM behavior.events WHERE event_time BETWEEN {half} AND {half} + INTERVAL 180 DAY")  # fmt: skip
    shoppers.execute(f"CREATE MODEL early OPTIONS (task = 'clv', horizon = INTERVAL 180 DAY, as_of = {half}, {FAST})").fetchall()  # fmt: skip
    assert one(shoppers, f"SELECT sum(early(i, {half})) FROM range(1200) t(i)") == pytest.approx(spent, rel=0.2)
    shoppers.execute("DROP MODEL early").fetchall()


def test_intervals_hold_on_a_later_cutoff(con):
    """Customers join all the time, buy and stop as BG/NBD says: one window is like the other."""
    orders, spent = bgnbd_log(np.random.default_rng(3), customers=5000, days=1000)
    con.register("log", pa.table({"customer_id": orders[0], "day": orders[1], "amount": spent}))
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
                   SELECT customer_id, TIMESTAMP '2023-01-01' + to_days(day::INT) AS event_time, amount FROM log WHERE day < 1000""").fetchall()
    as_of = "TIMESTAMP '2023-01-01' + INTERVAL 850 DAY"
    con.execute(
        f"CREATE MODEL clv OPTIONS (task = 'clv', horizon = INTERVAL 150 DAY, as_of = {as_of}, max_cutoffs = 2, {FAST})"
    ).fetchall()
    covered = f"""WITH truth AS (SELECT customer_id AS c, sum(amount) AS spent FROM behavior.events WHERE event_time > {as_of} GROUP BY ALL)
        SELECT avg((coalesce(spent, 0) BETWEEN i.low AND i.high)::INT), count(*) FROM (
            SELECT c, clv_interval(c, {as_of}, coverage := {{}}) AS i FROM (SELECT DISTINCT customer_id AS c FROM behavior.events WHERE event_time <= {as_of}))
        LEFT JOIN truth USING (c)"""
    for nominal in (0.9, 0.95):  # of 0.8 more: in some bins more than that spend nothing, which no range can cut
        found, customers = con.execute(covered.format(nominal)).fetchall()[0]
        assert customers > 3000
        assert found == pytest.approx(nominal, abs=0.03)


def test_two_halves_of_a_horizon_add_up(shoppers):
    """What BG/NBD expects of 180 days is what it expects of the first 90 and of the 90 after them."""
    for name, days in (("half", 90), ("whole", 180)):
        shoppers.execute(f"CREATE MODEL {name} OPTIONS (task = 'clv', method = 'bgnbd', horizon = INTERVAL {days} DAY, period = '30 days', folds = 2)").fetchall()  # fmt: skip
    sql = """SELECT half(i), list_sum(list_transform(whole_curve(i)[:3], lambda p: p.spend)), whole(i),
                    list_sum(list_transform(whole_curve(i), lambda p: p.spend)) FROM range(1200) t(i)"""
    half, first, whole, both = np.array(shoppers.execute(sql).fetchall()).T
    assert first == pytest.approx(half, rel=1e-4, abs=1e-6)
    assert both == pytest.approx(whole, rel=1e-9)
    for name in ("half", "whole"):
        shoppers.execute(f"DROP MODEL {name}").fetchall()


def test_the_method_of_the_record_is_the_one_that_was_chosen(shoppers):
    assert one(shoppers, "SELECT method FROM ml.versions WHERE model = 'clv'") == "ziln"
    measured = {m for (m,) in shoppers.execute("SELECT DISTINCT method FROM ml.metrics").fetchall()}
    assert measured == {"ziln", "bgnbd", "base rate"}
    gini = dict(shoppers.execute("SELECT method, value FROM ml.metrics WHERE metric = 'normalized_gini' AND population = 'all'").fetchall())  # fmt: skip
    assert gini["ziln"] > 0.4
    assert one(shoppers, "SELECT count(*) FROM ml.cutoffs WHERE base_rate = 0") == 0


def test_the_future_does_not_reach_a_value(shop, tmp_path):
    shop.execute(f"CREATE MODEL worth OPTIONS (task = 'clv', horizon = INTERVAL 60 DAY, {FAST})").fetchall()
    moment = "TIMESTAMP '2026-02-01'"
    sql = "SELECT customer_id, worth({}) , worth_curve({}) FROM behavior.customers WHERE customer_id < 400 ORDER BY 1"
    then = shop.execute(sql.format(*[f"customer_id, {moment}"] * 2)).fetchall()
    path = tmp_path / "cut.duckdb"
    copy_to(shop, path, f"DELETE FROM copied.main.shop_events WHERE happened_at > {moment}")
    with sqlml.connect(path) as cut:
        assert cut.execute(sql.format(*[f"customer_id, {moment}"] * 2)).fetchall() == then
    shop.execute("DROP MODEL worth").fetchall()


def test_refunds_are_taken_off_and_are_no_orders(con):
    con.execute(SHOPPERS).fetchall()
    con.execute("""INSERT INTO behavior.events SELECT customer_id, event_time + INTERVAL 3 DAY, -amount
                   FROM behavior.events WHERE hash(event_time::VARCHAR || customer_id) % 3 = 0""").fetchall()
    con.execute(f"CREATE MODEL net_of OPTIONS (task = 'clv', horizon = INTERVAL 120 DAY, {FAST})").fetchall()
    left = one(con, "SELECT sum(amount) / sum(amount) FILTER (amount > 0) FROM behavior.events")
    assert left == pytest.approx(0.67, abs=0.05)
    total = "SELECT sum(label) FROM (SELECT sum(amount) AS label FROM behavior.events WHERE event_time > TIMESTAMP '2025-08-31 00:00:00')"
    assert one(con, "SELECT sum(net_of(i)) FROM range(1200) t(i)") == pytest.approx(one(con, total), rel=0.3)
    assert one(con, "SELECT min(net_of(i)) FROM range(1200) t(i)") >= 0


def stack_of_orders(days):
    """Amounts left of (day, bought, refunded): a refund is taken off the newest orders so far, what is too much is lost."""
    left = []
    for day, bought, refunded in days:
        left += [] if bought is None else [[day, bought, bought]]
        owed = refunded
        for order in reversed(left):
            taken = min(order[1], owed)
            order[1], owed = order[1] - taken, owed - taken
    return [(day, rest) for day, rest, bought in left if rest > 0 or bought == 0]


def test_refunds_are_taken_off_the_newest_orders_before_them(con):
    rng = np.random.default_rng(11)
    ids, days = rng.integers(0, 80, 600), rng.integers(0, 40, 600)
    amounts = rng.choice([-50, -20, -10, 0, 10, 20, 50], 600, p=[0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2]).astype(float)
    con.register("given", pa.table({"c": ids, "d": days, "a": amounts}))
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS SELECT c AS customer_id,
                   TIMESTAMP '2025-01-01' + to_days(d::INT) AS event_time, a AS amount FROM given""").fetchall()
    relations, label = behavior.read(con.native), targets.clv(behavior.read(con.native), None)
    frame = queries.Frame(relations, order=label.order)
    asked = "SELECT i AS customer_id, TIMESTAMP '2025-01-20' AS as_of FROM range(80) t(i)"
    select = "SELECT customer_id, repeat_orders, refunded_orders, order_amount, repeat_order_amount"
    found = {row[0]: row[1:] for row in con.execute(queries.features_of(frame, asked, select)).fetchall()}
    query = queries.labels_of(relations, label.sql, f"({asked})")
    later = {"window_seconds": 90 * 86400, "known_by": datetime(2026, 1, 1)}
    labels = {row[0]: row[2:] for row in con.native.execute(query, later).fetchall()}
    for customer in range(80):
        traded = [(d, amounts[(ids == customer) & (days == d)]) for d in np.unique(days[ids == customer])]
        each = [(d, sum(a[a >= 0]) if (a >= 0).any() else None, -sum(a[a < 0])) for d, a in traded]
        past, future = ([day for day in each if (day[0] <= 19) == is_past] for is_past in (True, False))
        left, orders = [rest for _, rest in stack_of_orders(past)], sum(b is not None for _, b, _ in past)
        if orders:
            means = [np.mean(part) if len(part) else np.nan for part in (left, left[1:])]
            expected = pytest.approx((orders - 1, orders - len(left), *means), rel=1e-6, nan_ok=True)
            assert [np.nan if value is None else value for value in found[customer]] == expected
        spent = sum((b or 0) - r for _, b, r in future)
        assert labels[customer] == (spent, len(stack_of_orders(future)))


def test_evaluate_compares_spend_before_discounts(shoppers):
    query = "SELECT customer_id, TIMESTAMP '2025-06-01' AS as_of FROM range(1200) t(customer_id)"
    rows = shoppers.execute(f"EVALUATE MODEL clv ON {query}").fetchall()
    found = {row[2]: row[3] for row in rows}
    spend = "SELECT avg(list_sum(list_transform(clv_curve(i, TIMESTAMP '2025-06-01'), lambda p: p.spend))) FROM range(1200) t(i)"
    assert found["mean_score"] == pytest.approx(one(shoppers, spend))
    assert found["normalized_gini"] > 0.4
    assert found["bias"] == pytest.approx(found["mean_score"] / found["mean_label"] - 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("task = 'churn', discount = 0.1", "Option discount is one of task clv; this is churn"),
        ("task = 'clv', period = '2 years'", "longer than the horizon"),
        ("task = 'clv', period = '1 hour'", "more than 400 periods"),
        ("task = 'clv', discount = -1", "at least 0"),
        ("task = 'clv', method = 'bg'", "Methods: bgnbd, ziln"),
    ],
)
def test_options_that_make_no_sense_are_refused(shoppers, options, message):
    with pytest.raises(OptionError, match=message):
        shoppers.execute(f"CREATE MODEL wrong OPTIONS (horizon = INTERVAL 180 DAY, {options})").fetchall()


def test_a_log_without_amounts_has_no_lifetime_value(con):
    con.execute("CREATE SCHEMA behavior; CREATE TABLE behavior.events AS SELECT 1 AS customer_id, now()::TIMESTAMP AS event_time").fetchall()  # fmt: skip
    with pytest.raises(DataError, match="needs a column amount"):
        con.execute("CREATE MODEL wrong OPTIONS (task = 'clv', horizon = INTERVAL 30 DAY)").fetchall()


def test_it_travels_as_a_file_and_is_retrained(shoppers, tmp_path):
    path = (tmp_path / "clv.sqlml").as_posix()
    shoppers.execute(f"EXPORT MODEL clv TO '{path}'").fetchall()
    before = shoppers.execute("SELECT i, clv(i), clv_interval(i), clv_curve(i)[2] FROM range(50) t(i)").fetchall()
    with sqlml.connect() as other:
        other.execute(SHOPPERS).fetchall()
        other.execute(f"IMPORT MODEL clv FROM '{path}'").fetchall()
        assert (
            other.execute("SELECT i, clv(i), clv_interval(i), clv_curve(i)[2] FROM range(50) t(i)").fetchall() == before
        )
        other.execute("ALTER MODEL clv RENAME TO worth").fetchall()
        assert len(other.execute("FROM worth_curve(3)").fetchall()) == 6
        other.execute("ALTER MODEL worth RETRAIN OPTIONS (method = 'bgnbd')").fetchall()
        assert one(other, "SELECT avg(worth(i)) FROM range(50) t(i)") > 0
        other.execute("DROP MODEL worth").fetchall()
        assert one(other, "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'worth%'") == 0


def test_customers_who_are_all_alike(con):
    con.execute("""CREATE SCHEMA behavior; CREATE TABLE behavior.events AS
        SELECT i AS customer_id, TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * (hash(i, j) % 8760)::INT AS event_time,
               (hash(i, j, 'amount') % 100 + 1)::DOUBLE AS amount FROM range(300) a(i), range(12) b(j)""").fetchall()
    con.execute(
        "CREATE MODEL clv OPTIONS (task = 'clv', horizon = '60d', method = 'bgnbd', max_cutoffs = 1)"
    ).fetchall()
    least, most = con.execute(
        "SELECT min(v), max(v) FROM (SELECT clv(customer_id) AS v FROM behavior.events)"
    ).fetchall()[0]
    assert 0 <= least < most < 10_000
