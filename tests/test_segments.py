"""Segments: the methods, what is chosen, numbers that stay, names, profiles, movements."""

import dataclasses
import re

import numpy as np
import pytest
from sklearn import metrics

import sqlml
from sqlml import clustering, segmentation
from sqlml.encoding import Arrays
from sqlml.errors import DataError, ModelError, OptionError
from sqlml.methods import rfm
from sqlml.options import BehaviorOptions
from sqlml.transforms import Column, Encoder, Target
from tests.conftest import copy_to, one

RNG = np.random.default_rng(0)
BLOBS = np.repeat(np.eye(4, 6) * 6, [400, 300, 200, 100], 0) + RNG.normal(size=(1000, 6))
TRUTH = np.repeat(np.arange(4), [400, 300, 200, 100])
ENCODER = Encoder(tuple(Column(f"x{i}", f"x{i}", f"x{i}", edges=(-9.0, 9.0)) for i in range(6)), Target("segment"))
MOMENT = "TIMESTAMP '2026-02-01'"
TABLE = """SELECT i AS id, ['red', 'blue', 'green'][1 + i % 3] AS colour,
                  (i % 3) * 10 + hash(i * 10 + 1) % 100 / 50 AS width, (i % 3) * -5 + hash(i * 10 + 2) % 100 / 50 AS height
           FROM range(300) t(i)"""


def silent(name):
    return lambda epoch, epochs, loss: None


def rows(con, sql):
    return con.execute(sql).fetchall()


def blobs(later=None):
    """Rows without a future, and where one is given the same rows with it."""
    points = BLOBS.astype(np.float32)
    labels, folds = np.zeros((1000, 3), np.float32), np.arange(1000)
    if later is None:
        return Arrays(points, labels, folds)
    observed = np.stack([later, later, np.ones(1000)], 1).astype(np.float32)
    return Arrays(np.concatenate([points, points]), np.concatenate([labels, observed]), np.concatenate([folds, folds]))


class TestClustering:
    def test_k_means_finds_what_is_there(self):
        points = BLOBS.astype(np.float32)
        found = clustering.nearest(points, clustering.kmeans(points, 4))
        assert clustering.agreement(found, TRUTH) > 0.98

    def test_it_is_as_good_as_a_reference(self):
        from sklearn.cluster import KMeans

        points = RNG.normal(size=(2000, 5)).astype(np.float32)
        centers = clustering.kmeans(points, 7)
        inertia = ((points - centers[clustering.nearest(points, centers)]) ** 2).sum()
        assert inertia < 1.02 * KMeans(7, n_init=8, random_state=0).fit(points).inertia_

    def test_a_cluster_has_enough_points_or_is_none(self):
        points = np.concatenate([BLOBS, np.full((3, 6), 20.0)]).astype(np.float32)
        with_few = clustering.nearest(points, clustering.kmeans(points, 4, least=1))
        centers = clustering.kmeans(points, 4, least=10)
        assert np.bincount(with_few).min() == 3
        assert len(centers) == 4
        assert np.bincount(clustering.nearest(points, centers)).min() >= 10

    def test_where_there_are_not_so_many_there_are_fewer(self):
        assert len(clustering.kmeans(np.repeat(np.eye(3, dtype=np.float32), 40, 0), 8, least=5)) == 3

    def test_it_goes_on_from_clusters_that_are_given(self):
        points = BLOBS.astype(np.float32)
        old = np.where(np.arange(1000) % 7, 4 - TRUTH, 0)  # another order, and some who had none
        centers = clustering.kmeans(points, 4, old=old)
        assert np.mean(clustering.nearest(points, centers) == 3 - TRUTH) > 0.98

    def test_figures_are_those_of_a_reference(self):
        labels, other = TRUTH, np.roll(TRUTH, 60)
        points = BLOBS.astype(np.float32)
        assert clustering.agreement(labels, other) == pytest.approx(metrics.adjusted_rand_score(labels, other))
        assert clustering.silhouette(points, other) == pytest.approx(metrics.silhouette_score(points, other), abs=1e-4)
        assert clustering.davies_bouldin(points, other) == pytest.approx(
            metrics.davies_bouldin_score(points, other), rel=1e-4
        )


class TestMethods:
    @pytest.mark.parametrize("method", ["kmeans", "autoencoder", "dec"])
    def test_it_finds_what_is_there(self, method):
        data, options = blobs(), BehaviorOptions(method=method, k=4)
        how = segmentation.segmenter(method)
        weights = how.fit(data, ENCODER, options).weights
        assert clustering.agreement(how.segments(weights, ENCODER, data.inputs), TRUTH) > 0.9

    def test_forecast_tells_apart_what_will_differ_and_nothing_else(self):
        later = np.where(BLOBS[:, 5] > 0, 100.0, 1.0)
        data, options = blobs(later), BehaviorOptions(method="forecast", k=2)
        how = segmentation.segmenter("forecast")
        found = how.segments(how.fit(data, ENCODER, options).weights, ENCODER, data.inputs[:1000])
        assert segmentation.separation(found, data.labels[1000:]) > 0.5
        assert abs(clustering.agreement(found, TRUTH)) < 0.1

    def test_the_same_seed_gives_the_same_segments(self):
        data, options = blobs(), BehaviorOptions(method="dec", k=4)
        one, other = (segmentation.segmenter("dec").fit(data, ENCODER, options).weights for _ in range(2))
        assert all(np.array_equal(one[name], other[name]) for name in one)

    def test_the_classic_map_is_whole(self):
        assert {number for line in rfm.MAP for number in line} == set(range(1, len(rfm.NAMES) + 1))
        best, worst = rfm.MAP[4][4], rfm.MAP[0][0]
        assert (rfm.NAMES[best - 1], rfm.NAMES[worst - 1]) == ("champions", "hibernating")


class TestChoice:
    def test_as_many_as_there_are(self):
        chosen, found = segmentation.choose(blobs(), ENCODER, BehaviorOptions(), ("kmeans",), silent)
        assert (chosen.method, chosen.k) == ("kmeans", 4)
        assert [each.k for each in found] == list(range(segmentation.FEWEST, segmentation.MOST + 1))
        assert max(found, key=lambda f: f.silhouette).k == 4

    def test_what_tells_the_future_apart_wins(self):
        later = np.where(BLOBS[:, 5] > 0, 100.0, 1.0)
        chosen, found = segmentation.choose(blobs(later), ENCODER, BehaviorOptions(k=2), ("forecast", "kmeans"), silent)
        assert chosen.method == "forecast"
        assert {each.method: each.separation > 0.5 for each in found} == {"forecast": True, "kmeans": False}
        assert [t.is_chosen for t in segmentation.trials(found, chosen)] == [True, False]

    def test_noise_is_not_stable_and_that_is_said(self):
        from sqlml import segments

        noise = dataclasses.replace(blobs(), inputs=RNG.normal(size=(1000, 6)).astype(np.float32))
        chosen, found = segmentation.choose(noise, ENCODER, BehaviorOptions(k=8), ("kmeans",), silent)
        assert found[0].stability < segmentation.STABLE
        assert "not stable" in segments.note(segmentation.trials(found, chosen))[0]

    def test_where_there_are_not_so_many_there_are_fewer_and_of_one_none(self):
        two, one = (dataclasses.replace(blobs(), inputs=np.repeat(each, 1000 // len(each), 0).astype(np.float32))
                    for each in (np.eye(2, 6), np.eye(1, 6)))  # fmt: skip
        _, found = segmentation.choose(two, ENCODER, BehaviorOptions(k=5), ("kmeans",), silent)
        assert found[0].silhouette == pytest.approx(1)
        with pytest.raises(DataError, match="cannot tell two segments of at least 5 apart"):
            segmentation.choose(one, ENCODER, BehaviorOptions(k=5), ("kmeans",), silent)

    def test_a_future_in_which_nothing_differs_separates_nothing(self):
        assert segmentation.separation(TRUTH, np.zeros((1000, 3), np.float32)) == 0


class TestNumbers:
    def test_the_first_are_by_worth(self):
        places, worth = np.array([0, 0, 1, 1, 2]), np.array([1.0, 1.0, 9.0, 9.0, 5.0])
        assert segmentation.numbered(places, worth, 3, None) == (3, 1, 2)

    def test_a_segment_keeps_the_number_of_most_of_its_rows(self):
        places, worth = np.array([0, 0, 0, 1, 1, 1, 2]), np.arange(7.0)
        assert segmentation.numbered(places, worth, 3, np.array([2, 2, 1, 1, 1, 2, 0])) == (2, 1, 3)

    def test_a_number_out_of_use_is_not_given_to_another(self):
        places, worth = np.array([0, 0, 1, 1]), np.arange(4.0)
        assert segmentation.numbered(places, worth, 2, np.array([3, 3, 3, 7])) == (3, 7)
        assert segmentation.numbered(places, worth, 2, np.array([1, 1, 1, 1])) == (1, 2)


@pytest.fixture(scope="module")
def shop(shop):
    shop.execute("CREATE MODEL segment OPTIONS (task = 'segment', method = 'forecast', k = 4)").fetchall()
    shop.execute("CREATE MODEL classic OPTIONS (task = 'segment', method = 'rfm')").fetchall()
    yield shop
    shop.execute("DROP MODEL segment").fetchall()
    shop.execute("DROP MODEL classic").fetchall()


class TestSegmentsOfCustomers:
    def test_sizes_are_counts_and_shares_add_up(self, shop):
        found = rows(shop, "SELECT segment, customers, share, revenue, revenue_share FROM ml.segments('segment')")
        counted = dict(rows(shop, "SELECT segment(customer_id) AS s, count(*) FROM behavior.customers GROUP BY s"))
        spent = dict(rows(shop, """SELECT segment(customer_id) AS s, sum(amount) FROM behavior.events GROUP BY s"""))
        assert {number: customers for number, customers, *_ in found} == {s: n for s, n in counted.items() if s}
        assert sum(share for _, _, share, *_ in found) == pytest.approx(1)
        for number, _, _, revenue, share in found:
            assert revenue == pytest.approx(float(spent[number]), rel=1e-3)
            assert share == pytest.approx(revenue / sum(each[3] for each in found))

    def test_segment_1_is_worth_most(self, shop):
        worth = rows(shop, "SELECT revenue / customers FROM ml.segments('segment') ORDER BY segment")
        assert worth == sorted(worth, reverse=True)

    def test_names_are_short_and_different(self, shop):
        names = dict(rows(shop, "SELECT segment, name FROM ml.segments('segment')"))
        assert len(set(names.values())) == 4
        assert all(3 < len(name) < 60 for name in names.values())
        asked = dict(
            rows(shop, "SELECT DISTINCT segment(customer_id), segment_name(customer_id) FROM behavior.customers")
        )
        assert {s: n for s, n in asked.items() if s is not None} == names

    def test_five_features_tell_most(self, shop):
        for averages, telling in rows(shop, "SELECT averages, telling FROM ml.segments('segment')"):
            assert len(telling) == 5
            sizes = [abs(each["z"]) for each in telling]
            assert sizes == sorted(sizes, reverse=True)
            assert {"recency_days", "n_active_days"} <= set(averages)

    def test_a_mean_of_a_profile_is_that_of_its_customers(self, shop):
        features = shop.execute("SELECT input_sql FROM ml.versions WHERE model = 'segment'").fetchall()[0][0]
        assert "recency_days" in features
        recency = dict(
            rows(shop, "SELECT segment, mean FROM ml.segment_profile('segment') WHERE feature = 'recency_days'")
        )
        truth = dict(
            rows(
                shop,
                """SELECT segment(customer_id) AS s, avg(d) FROM (
            SELECT customer_id, (epoch((SELECT as_of FROM ml.latest)) - epoch(max(event_time))) / 86400 AS d
            FROM behavior.events GROUP BY customer_id) GROUP BY s""",
            )
        )
        assert recency == pytest.approx(truth, rel=1e-4)

    def test_moves_are_those_of_the_answers(self, shop):
        asked = f"SELECT segment(customer_id, {MOMENT}) AS a, segment(customer_id) AS b, count(*) FROM behavior.customers GROUP BY ALL"
        expected = {(a, b): n for a, b, n in rows(shop, asked) if (a, b) != (None, None)}
        newest = one(shop, "SELECT as_of FROM ml.latest")
        moved = f"SELECT from_segment, to_segment, customers FROM ml.segment_moves('segment', {MOMENT}, TIMESTAMP '{newest}')"
        assert {(a, b): n for a, b, n in rows(shop, moved)} == expected

    def test_moves_of_what_makes_no_segments(self, shop):
        with pytest.raises(Exception, match="churn__moves"):
            rows(shop, f"FROM ml.segment_moves('churn', {MOMENT}, {MOMENT})")
        with pytest.raises(Exception, match="makes no segments: its task is churn"):
            rows(shop, "FROM ml.segments('churn')")

    def test_the_metrics_are_those_of_the_held_out(self, shop):
        value = one(
            shop,
            "SELECT value FROM ml.evaluate('segment') WHERE method = 'forecast' AND metric = 'eta2_spend' AND population = 'all'",
        )
        found = np.array(rows(shop, "SELECT label, score FROM ml.held_out('segment')"))
        within = sum(
            ((found[found[:, 1] == s, 0] - found[found[:, 1] == s, 0].mean()) ** 2).sum() for s in set(found[:, 1])
        )
        assert value == pytest.approx(1 - within / ((found[:, 0] - found[:, 0].mean()) ** 2).sum())

    def test_evaluate_on_later_moments(self, shop):
        asked = "SELECT customer_id, TIMESTAMP '2026-03-01' AS as_of FROM behavior.customers"
        found = {row[2]: row[3] for row in rows(shop, f"EVALUATE MODEL segment ON {asked}")}
        assert 0 < found["eta2_spend"] < 1

    def test_why_it_is_what_it_is(self, shop):
        said = {item: detail for _, item, detail in rows(shop, "DESCRIBE MODEL segment")}
        assert "forecast, 4 segments" in said["chosen"]
        assert rows(shop, "SELECT count(*) FROM ml.trial_info('segment')") == [(1,)]

    def test_no_explanation_but_a_way(self, shop):
        with pytest.raises(ModelError, match=r"ml.segments\('segment'\)"):
            shop.execute("EXPLAIN MODEL segment FOR SELECT 1 AS customer_id").fetchall()


class TestClassic:
    def test_names(self, shop):
        names = {name for (name,) in rows(shop, "SELECT name FROM ml.segments('classic')")}
        assert names <= set(rfm.NAMES)
        assert "champions" in names

    def test_sql_says_what_the_method_says(self, shop):
        version_id = one(shop, "SELECT version_id FROM ml.models WHERE model = 'classic'")
        udf = f"__sqlml_segment_{version_id}"
        differing = f"SELECT count(*) FILTER (ml.answers_{version_id}(x) <> {udf}(x)), count(*) FROM (SELECT __sqlml_x AS x FROM ml.features_{version_id}({MOMENT}))"
        assert rows(shop, differing)[0][0] == 0
        assert rows(shop, differing)[0][1] > 500

    def test_champions_came_lately_and_often(self, shop):
        found = dict(rows(shop, "SELECT name, averages FROM ml.segments('classic')"))
        assert found["champions"]["recency_days"] < found["hibernating"]["recency_days"] / 5
        assert found["champions"]["n_active_days"] > 2 * found["hibernating"]["n_active_days"]

    def test_it_can_be_made_again(self, shop):
        before = rows(shop, "SELECT customer_id, classic(customer_id) FROM behavior.customers ORDER BY 1")
        shop.execute("ALTER MODEL classic RETRAIN").fetchall()
        assert rows(shop, "SELECT customer_id, classic(customer_id) FROM behavior.customers ORDER BY 1") == before

    def test_a_column_that_is_not_there_counts_as_0(self):
        encoder = Encoder((Column("recency_days", "r", "r"), Column("amount_total", "a", "a")), Target("segment"))
        inputs = np.stack([np.arange(100), np.arange(100)[::-1]], 1).astype(np.float32)
        data = Arrays(inputs, np.zeros((100, 3), np.float32), np.arange(100))
        weights = rfm.METHOD.fit(data, encoder, BehaviorOptions(method="rfm")).weights
        found = rfm.METHOD.segments(weights, encoder, inputs)
        assert rfm.NAMES[found[0]] == "potential loyalists"  # recency 5, frequency 1, monetary value 5: 3 of both

    def test_k_is_not_for_it(self, shop):
        with pytest.raises(OptionError, match="10 segments of its own"):
            shop.execute("CREATE MODEL other OPTIONS (task = 'segment', method = 'rfm', k = 4)").fetchall()


def test_a_retrain_keeps_numbers(shop, tmp_path):
    copy_to(shop, tmp_path / "copy.duckdb")
    with sqlml.connect(tmp_path / "copy.duckdb") as con:
        asked = "SELECT customer_id, segment(customer_id) FROM behavior.customers ORDER BY 1"
        before = rows(con, asked)
        con.execute("ALTER MODEL segment RETRAIN").fetchall()
        assert rows(con, asked) == before
        con.execute("ALTER MODEL segment RETRAIN OPTIONS (seed = 7, as_of = TIMESTAMP '2026-06-01')").fetchall()
        same = sum(a == b for a, b in zip(before, rows(con, asked), strict=True))
        assert same > 0.85 * len(before)


def test_options_of_segments_are_theirs(shop):
    with pytest.raises(OptionError, match="k is one of task segment"):
        shop.execute("CREATE MODEL other OPTIONS (task = 'churn', horizon = INTERVAL 30 DAY, k = 3)").fetchall()
    with pytest.raises(OptionError, match="no method 'net'"):
        shop.execute("CREATE MODEL other OPTIONS (task = 'segment', method = 'net')").fetchall()


def test_a_log_without_amounts(con):
    con.execute("CREATE SCHEMA behavior").fetchall()
    con.execute("""CREATE TABLE behavior.events AS
        SELECT (i % 200)::VARCHAR AS customer_id, DATE '2024-01-01' + (hash(i) % (30 + i % 200 * 2))::INT AS event_time
        FROM range(6000) t(i) WHERE hash(i * 10000) % 200 < 20 + i % 200""").fetchall()
    con.execute("CREATE MODEL segment OPTIONS (task = 'segment', method = 'kmeans', k = 3)").fetchall()
    found = rows(con, "SELECT name, revenue, customers FROM ml.segments('segment')")
    assert len(found) == 3
    assert all(name.partition(",")[0].endswith("customers") and revenue is None for name, revenue, _ in found)


@pytest.fixture(scope="module")
def made():
    with sqlml.connect() as con:
        con.execute(f"CREATE TABLE t AS {TABLE}").fetchall()
        con.execute("CREATE MODEL kind OPTIONS (task = 'segment', key = 'id') AS FROM t").fetchall()
        yield con


class TestSegmentsOfRows:
    def test_it_finds_what_is_there(self, made):
        assert rows(made, "SELECT count(DISTINCT kind(t)), count(DISTINCT (kind(t), colour)) FROM t") == [(3, 3)]
        assert one(made, "SELECT count(DISTINCT kind_name(t)) FROM t") == 3

    def test_it_says_how_stable_it_is(self, made):
        found = dict(
            rows(made, "SELECT metric, value FROM ml.evaluate('kind') WHERE method = (SELECT method FROM ml.versions)")
        )
        assert found["stability"] > 0.95
        assert -1 <= found["silhouette"] <= 1

    def test_predict(self, made):
        found = rows(made, "SELECT predicted_segment, predicted_segment_name FROM ml.predict('kind', 'FROM t LIMIT 5')")
        assert found == rows(made, "SELECT kind(t), kind_name(t) FROM (FROM t LIMIT 5) t")

    def test_levels_are_among_what_tells(self, made):
        features = {f for (f,) in rows(made, "SELECT DISTINCT feature FROM ml.segment_profile('kind')")}
        assert {"colour = red", "width"} <= features

    def test_a_retrain_keeps_numbers(self, made):
        before = rows(made, "SELECT id, kind(t) FROM t ORDER BY id")
        made.execute("ALTER MODEL kind RETRAIN OPTIONS (seed = 3)").fetchall()
        assert rows(made, "SELECT id, kind(t) FROM t ORDER BY id") == before

    def test_a_retrain_of_damaged_weights_says_that_numbers_are_new(self, made):
        made.execute(
            "CREATE MODEL other OPTIONS (task = 'segment', method = 'kmeans', k = 3, key = 'id') AS FROM t"
        ).fetchall()
        made.execute("""UPDATE ml.weights SET safetensors = 'none'::BLOB WHERE version_id IN
                        (SELECT version_id FROM ml.models WHERE model = 'other')""").fetchall()
        with pytest.warns(UserWarning, match="numbered anew.*missing or damaged"):
            made.execute("ALTER MODEL other RETRAIN").fetchall()
        assert rows(made, "SELECT count(DISTINCT other(t)) FROM t") == [(3,)]
        made.execute("DROP MODEL other").fetchall()

    def test_what_it_does_not_take(self, made):
        with pytest.raises(OptionError, match="label is one of tasks"):
            made.execute("CREATE MODEL other OPTIONS (task = 'segment', label = 'colour') AS FROM t").fetchall()
        with pytest.raises(DataError, match="Rows to segment: 10; 50"):
            made.execute("CREATE MODEL other OPTIONS (task = 'segment') AS FROM t LIMIT 10").fetchall()
        with pytest.raises(OptionError, match="no gate"):
            made.execute("ALTER MODEL kind RETRAIN OPTIONS (gate = true)").fetchall()
        with pytest.raises(ModelError, match="no label to be judged by"):
            made.execute("EVALUATE MODEL kind ON FROM t").fetchall()


def test_a_segment_at_a_moment_is_that_of_a_database_cut_there(shop, tmp_path):
    asked = f"SELECT customer_id, segment(customer_id, {MOMENT}), classic(customer_id, {MOMENT}) FROM behavior.customers ORDER BY 1"
    copy_to(shop, tmp_path / "cut.duckdb")
    with sqlml.connect(tmp_path / "cut.duckdb") as con:
        con.execute(f"DELETE FROM shop_events WHERE happened_at > {MOMENT}").fetchall()
        assert rows(con, asked) == rows(shop, asked)


@pytest.mark.parametrize("name", ["segment", "classic"])
def test_what_goes_out_comes_in_the_same(shop, tmp_path, name):
    shop.execute(f"EXPORT MODEL {name} TO '{tmp_path / 'model.sqlml'}'").fetchall()
    shop.execute(f"IMPORT MODEL taken FROM '{tmp_path / 'model.sqlml'}'").fetchall()
    for query in (
        f"SELECT {name}(customer_id), {name}_name(customer_id) FROM behavior.customers ORDER BY customer_id",
        f"FROM ml.segments('{name}')",
        f"FROM ml.segment_profile('{name}')",
        f"FROM ml.segment_moves('{name}', {MOMENT}, TIMESTAMP '2026-04-01')",
    ):
        mine = re.sub(rf"\b{name}(?=[('_])(?!_profile|_moves)", "taken", query).replace(f"'{name}'", "'taken'")
        assert mine != query
        assert rows(shop, mine) == rows(shop, query)
    shop.execute("DROP MODEL taken").fetchall()
    with pytest.raises(Exception, match="taken__moves"):
        rows(shop, f"FROM ml.segment_moves('taken', {MOMENT}, {MOMENT})")


def test_rows_go_out_and_come_in_the_same(made, tmp_path):
    made.execute(f"EXPORT MODEL kind TO '{tmp_path / 'model.sqlml'}'").fetchall()
    made.execute(f"IMPORT MODEL taken FROM '{tmp_path / 'model.sqlml'}'").fetchall()
    assert rows(made, "SELECT count(*) FROM t WHERE kind(t) = taken(t) AND kind_name(t) = taken_name(t)") == [(300,)]
    made.execute("DROP MODEL taken").fetchall()


def test_a_report_shows_segments_and_no_name_in_it_can_do_anything(shop, made):
    from sqlml import report

    page = report.page(shop.native, shop.catalog().version("segment"))
    for heading in ("Segments", "Profiles", "Movements", "The lie of the land"):
        assert f"<h2>{heading}</h2>" in page
    hostile = "<script>alert(1)</script>"
    made.execute(f"""CREATE MODEL hostile OPTIONS (task = 'segment', method = 'kmeans', k = 3)
                     AS SELECT width AS "{hostile}", height, '{hostile}' || (id % 3) AS level FROM t""").fetchall()
    page = report.page(made.native, made.catalog().version("hostile"), "tsne")
    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert "<h2>Movements</h2>" not in page


def test_a_picture_that_is_not_of_the_model_stays_out(made, tmp_path):
    from sqlml import archive
    from sqlml.catalog import MAP_SEGMENTS

    version = made.catalog().version("kind")
    stored = made.catalog().weights(version.version_id)
    archive._require_segments(version.encoder.target, stored, len(version.encoder.columns))
    for target, weights in ((version.encoder.target, {**stored, MAP_SEGMENTS: stored[MAP_SEGMENTS][:-1]}),
                            (dataclasses.replace(version.encoder.target, numbers=(1, 2)), stored)):  # fmt: skip
        with pytest.raises(ModelError, match="not those of its picture"):
            archive._require_segments(target, weights, len(version.encoder.columns))
