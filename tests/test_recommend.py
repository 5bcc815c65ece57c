"""Recommendations: what they are made of, that they follow the events at once, and what they do with odd data."""

import dataclasses

import numpy as np
import pytest

import sqlml
from sqlml import logs, ranking
from sqlml.errors import DataError, ModelError, OptionError
from sqlml.methods import directed, ease, knn, rules
from sqlml.options import BehaviorOptions
from sqlml.tasks import RANKERS, RECOMMEND
from tests.conftest import copy_to, one

MODEL = "CREATE MODEL recommend OPTIONS (task = 'recommend', method = 'rules')"
MOMENT = "TIMESTAMP '2026-03-01'"


def rows(con, sql):
    return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def shop(shop):
    shop.execute(MODEL).fetchall()
    yield shop
    shop.execute("DROP MODEL recommend").fetchall()


def log_of(*histories, n_items=5, weights=None):
    items = np.concatenate([np.asarray(h, np.int32) for h in histories]).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum([len(h) for h in histories])])
    ages = np.concatenate([np.arange(len(h), 0, -1.0) for h in histories])
    given = np.ones(len(items), np.float32) if weights is None else np.asarray(weights, np.float32)
    return logs.Log(starts, items, given, ages, n_items)


def random_log(n=60, n_items=8, seed=0):
    rng = np.random.default_rng(seed)
    return log_of(*(rng.integers(0, n_items, rng.integers(2, 9)) for _ in range(n)), n_items=n_items)


def table(found):
    """Scores (customers, items), in whatever form a method gives them."""
    return found.histories @ np.asarray(found.items).T if hasattr(found, "histories") else found.toarray()


def dense(weights, n_items):
    from sqlml.methods.ranking import links

    return links(weights, n_items).toarray()


class TestLog:
    def test_the_last_step_is_all_of_the_last_moment(self):
        log = logs.Log(
            np.array([0, 3, 4]),
            np.array([0, 1, 2, 3], np.int32),
            np.ones(4, np.float32),
            np.array([2.0, 1.0, 1.0, 5.0]),
            4,
        )
        past, last = log.without_last()
        assert [past.of(np.array([i])).items.tolist() for i in (0, 1)] == [[0], [3]]
        assert [last.of(np.array([i])).items.tolist() for i in (0, 1)] == [[1, 2], []]

    def test_later_counts_the_events_that_follow(self):
        assert log_of([0, 1, 2], [3]).later.tolist() == [2, 1, 0, 0]

    def test_a_matrix_leaves_the_log_as_it_is(self):
        log = log_of([2, 0, 2, 1], [1, 1])
        starts, items = log.starts.copy(), log.items.copy()
        assert log.matrix(log.weights).toarray().tolist() == [[1, 1, 2, 0, 0], [0, 2, 0, 0, 0]]
        assert (log.starts == starts).all()
        assert (log.items == items).all()

    def test_events_of_one_moment_stand_equal(self):
        log = logs.Log(
            np.array([0, 3, 4]),
            np.array([0, 1, 2, 3], np.int32),
            np.ones(4, np.float32),
            np.array([2.0, 1.0, 1.0, 5.0]),
            4,
        )
        assert log.moments_later.tolist() == [1, 0, 0, 0]

    def test_an_empty_log_has_no_last_step(self):
        past, last = log_of([], []).without_last()
        assert len(past) == len(last) == 2
        assert not len(last.items)


class TestMethods:
    def test_rules_weigh_by_one_over_the_distance(self):
        found = dense(rules.METHOD.fit(log_of([0, 1, 2], [0, 2]), BehaviorOptions()), 5)
        assert found[0, 1] == 1
        assert found[0, 2] == 1.5
        assert found[2, 0] == 0

    def test_directed_ridge_is_that_of_all_prefixes_written_out(self):
        log = random_log()
        past, future = [], []
        for start, end in zip(log.starts, log.starts[1:], strict=False):
            for cut in range(start + 1, end):
                w, f = np.zeros(log.n_items), np.zeros(log.n_items)
                for back, item in enumerate(log.items[start:cut][::-1]):
                    w[item] += directed.PAST**back
                for ahead, item in enumerate(log.items[cut:end]):
                    f[item] += directed.FUTURE**ahead
                past.append(w)
                future.append(f)
        past, future = np.array(past), np.array(future)
        expected = np.linalg.solve(past.T @ past + directed.PENALTY * np.eye(log.n_items), past.T @ future)
        assert dense(directed.METHOD.fit(log, BehaviorOptions()), log.n_items) == pytest.approx(expected, abs=1e-5)

    def test_ease_is_the_ridge_regression_of_each_item_on_the_others(self):
        log = random_log()
        seen = log.seen.toarray()
        found = dense(ease.METHOD.fit(log, BehaviorOptions()), log.n_items)
        for item in range(log.n_items):
            others = [i for i in range(log.n_items) if i != item]
            gram = seen[:, others].T @ seen[:, others] + ease.PENALTY * np.eye(len(others))
            assert found[others, item] == pytest.approx(
                np.linalg.solve(gram, seen[:, others].T @ seen[:, item]), abs=1e-5
            )

    def test_neighbours_are_the_shrunken_cosine(self):
        found = dense(knn.METHOD.fit(log_of([0, 1], [0, 1], [0]), BehaviorOptions()), 5)
        assert found[0, 1] == pytest.approx(2 / (np.sqrt(3 * 2) + knn.SHRINKAGE))
        assert found[0, 0] == 0

    def test_factors_solve_what_they_say(self):
        from sqlml.methods import ials

        log = random_log()
        weights = RANKERS["ials"].fit(log, BehaviorOptions())
        items = weights["factors"]
        mine = log.of(np.array([0])).seen.toarray()[0]
        left = (items * mine[:, None]).T @ items + ials.UNOBSERVED * items.T @ items
        left += ials.PENALTY * (mine.sum() + ials.UNOBSERVED * log.n_items) * np.eye(items.shape[1])
        expected = items @ np.linalg.solve(left, items.T @ mine)
        once = logs.Log(
            np.array([0, int(mine.sum())]),
            np.flatnonzero(mine).astype(np.int32),
            np.ones(int(mine.sum()), np.float32),
            np.zeros(int(mine.sum())),
            log.n_items,
        )
        assert table(RANKERS["ials"].scorer(weights, log.n_items)(once))[0] == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("method", RANKERS)
    def test_every_method_scores_every_item_and_takes_an_empty_history(self, method):
        weights = RANKERS[method].fit(random_log(), BehaviorOptions())
        found = table(RANKERS[method].scorer(weights, 8)(log_of([0, 1], [], n_items=8)))
        assert found.shape == (2, 8)
        assert np.isfinite(found).all()


class TestChoice:
    def test_ranks_count_equals_against_us(self):
        found = np.array([[1.0, 1.0, 0.5]], np.float32)
        log = log_of([1, 2], n_items=3)
        assert [r.tolist() for r in ranking._ranks(found, log)] == [[2, 3]]
        assert [r.tolist() for r in ranking._ranks(found * np.nan, log)] == [[ranking.NEVER] * 2]
        assert [r.tolist() for r in ranking._ranks(found, log_of([0, 0], n_items=3))] == [[2]]

    def test_what_follows_a_rule_is_learnt(self):
        rng = np.random.default_rng(1)
        log = log_of(*([s, (s + 1) % 8, (s + 2) % 8, (s + 3) % 8] for s in rng.integers(0, 8, 200)), n_items=8)
        blend, _, trials = ranking.choose(
            log, BehaviorOptions(method="auto"), RECOMMEND.methods[1:], lambda name: lambda *a: None
        )
        assert not blend.is_repeat
        assert min(t.loss for t in trials) == pytest.approx(0, abs=1e-6)
        assert next(t for t in trials if t.options["method"] == "popular").loss > 0.2

    def test_a_method_without_a_solution_is_left_out(self, monkeypatch):
        def fail(log):
            raise np.linalg.LinAlgError

        monkeypatch.setitem(RANKERS, "directed", dataclasses.replace(directed.METHOD, learn=fail))
        _, _, trials = ranking.choose(
            random_log(), BehaviorOptions(method="auto"), ("rules", "directed"), lambda name: lambda *a: None
        )
        assert {t.options["method"] for t in trials} == {"rules"}
        with pytest.raises(DataError, match="directed has no solution"):
            ranking.choose(
                random_log(), BehaviorOptions(method="directed"), ("directed",), lambda name: lambda *a: None
            )

    def test_repeats_are_learnt_from_the_data(self):
        log = log_of(*([i % 8, (i + 3) % 8, i % 8] for i in range(100)), n_items=8)
        blend, *_ = ranking.choose(log, BehaviorOptions(method="auto"), ("rules", "own"), lambda name: lambda *a: None)
        assert blend.is_repeat


class TestRecommend:
    def test_the_best_first_none_twice_and_no_more_than_asked_for(self, shop):
        for k in (0, 1, 3, 10, 100_000):
            (found,) = rows(shop, f"SELECT recommend(7, {k})")[0]
            assert len(found) <= k
            assert len({f["item_id"] for f in found}) == len(found)
            assert [f["score"] for f in found] == sorted((f["score"] for f in found), reverse=True)
        n_items = one(shop, "SELECT count(DISTINCT item_id) FROM behavior.events")
        assert n_items - 100 < len(found) <= n_items

    def test_the_forms_agree(self, shop):
        expected = rows(shop, "SELECT recommend(7, 10)")
        latest = "(SELECT max(event_time) FROM behavior.events)"
        for form in ("recommend(7)", "recommend(7, k := 10)", f"recommend(7, 10, {latest})", f"recommend(7, {latest})"):
            assert rows(shop, f"SELECT {form}") == expected, form

    def test_ids_have_their_own_type(self, shop):
        kind = one(shop, "SELECT typeof(item_id) FROM behavior.events LIMIT 1")
        assert one(shop, "SELECT typeof(recommend(7, 3))") == f"STRUCT(item_id {kind}, score FLOAT, reason VARCHAR)[]"
        assert (
            one(
                shop,
                "SELECT count(*) FROM (SELECT unnest(recommend(customer_id, 5)).item_id AS i FROM behavior.customers) WHERE i NOT IN (SELECT item_id FROM behavior.events)",
            )
            == 0
        )

    def test_a_batch_equals_row_by_row(self, shop):
        batch = dict(rows(shop, "SELECT customer_id, recommend(customer_id, 4) FROM behavior.customers LIMIT 20"))
        for i, mine in batch.items():
            (single,) = rows(shop, f"SELECT recommend({i}, 4)")[0]
            assert [f["item_id"] for f in mine] == [f["item_id"] for f in single]
            assert [f["score"] for f in mine] == pytest.approx([f["score"] for f in single], rel=1e-5)

    def test_the_table_form_agrees_and_keeps_rows_and_columns(self, shop):
        shop.execute(
            f"CREATE OR REPLACE TEMP TABLE asked AS SELECT customer_id, 'x' AS note, {MOMENT} - to_days((customer_id % 3)::INT) AS as_of FROM behavior.customers LIMIT 50"
        ).fetchall()
        relation = shop.sql("FROM recommend_at('asked', 3)")
        assert relation.columns == ["customer_id", "note", "as_of", "recommend"]
        found = relation.fetchall()
        assert len(found) == 50
        for customer, _, as_of, mine in found:
            (single,) = rows(shop, f"SELECT recommend({customer}, 3, TIMESTAMP '{as_of}')")[0]
            assert [f["item_id"] for f in mine] == [f["item_id"] for f in single]
        shop.execute("DROP TABLE asked").fetchall()

    def test_who_has_no_history_gets_what_is_popular(self, shop):
        (nobody,), (born_later,) = (
            rows(shop, "SELECT recommend(-1, 3)")[0],
            rows(shop, "SELECT recommend(7, 3, TIMESTAMP '1990-01-01')")[0],
        )
        assert [f["reason"] for f in nobody] == ["popular"] * 3
        assert nobody == born_later

    @pytest.mark.parametrize("method", ["popular", "own"])
    def test_what_stands_there_for_being_popular_says_so(self, shop, method):
        shop.execute(f"CREATE MODEL p OPTIONS (task = 'recommend', method = '{method}', repeat = false)").fetchall()
        assert {f["reason"] for f in one(shop, "SELECT p(7, 5)")} == {"popular"}
        shop.execute("DROP MODEL p").fetchall()

    def test_an_event_changes_the_answer_at_once_and_its_absence_changes_it_back(self, shop):
        before, earlier = rows(shop, "SELECT recommend(7, 5)"), rows(shop, f"SELECT recommend(7, 5, {MOMENT})")
        item = one(
            shop,
            "SELECT item_id FROM behavior.events WHERE item_id IS NOT NULL AND item_id NOT IN (SELECT item_id FROM behavior.events WHERE customer_id = 7 AND item_id IS NOT NULL) ORDER BY ALL LIMIT 1",
        )
        columns = "customer_id, happened_at, action, product_id"
        shop.execute(
            f"INSERT INTO shop_events ({columns}) SELECT 7, max(happened_at), 'view', {item} FROM shop_events"
        ).fetchall()
        after = rows(shop, "SELECT recommend(7, 5)")
        assert after != before
        assert rows(shop, f"SELECT recommend(7, 5, {MOMENT})") == earlier
        shop.execute(f"DELETE FROM shop_events WHERE customer_id = 7 AND product_id = {item}").fetchall()
        assert rows(shop, "SELECT recommend(7, 5)") == before

    def test_a_customer_who_came_after_the_training_is_served_like_any_other(self, shop):
        shop.execute(
            "INSERT INTO shop_events (customer_id, happened_at, action, product_id) SELECT 999999, max(happened_at), 'view', 11 FROM shop_events"
        ).fetchall()
        found = one(shop, "SELECT recommend(999999, 3)")
        shop.execute("DELETE FROM shop_events WHERE customer_id = 999999").fetchall()
        assert {f["reason"] for f in found if f["item_id"] != 11} == {"because of 11"}

    def test_a_moment_is_that_of_a_database_cut_there(self, shop, tmp_path):
        asked = f"SELECT customer_id, recommend(customer_id, 5, {MOMENT}), recommend_score(customer_id, 11, {MOMENT}) FROM behavior.customers ORDER BY 1"
        copy_to(shop, tmp_path / "cut.duckdb")
        with sqlml.connect(tmp_path / "cut.duckdb") as con:
            con.execute(f"DELETE FROM shop_events WHERE happened_at > {MOMENT}").fetchall()
            assert rows(con, asked) == rows(shop, asked)

    def test_a_pair_scores_what_the_list_says(self, shop):
        (found,) = rows(shop, "SELECT recommend(7, 5)")[0]
        for each in found:
            assert one(shop, f"SELECT recommend_score(7, {each['item_id']})") == pytest.approx(each["score"], rel=1e-5)
        assert one(shop, "SELECT recommend_score(7, -1)") is None

    def test_similar_items(self, shop):
        item = one(shop, "SELECT recommend(7, 1)[1].item_id")
        found = rows(shop, f"FROM recommend_similar({item}, 4)")
        assert 0 < len(found) <= 4
        assert item not in [i for i, _ in found]
        assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
        assert rows(shop, "FROM recommend_similar(-1, 4)") == []

    def test_how_many_may_be_a_column_or_nothing(self, shop):
        assert one(shop, "SELECT recommend(7, NULL)") is None
        assert rows(shop, "SELECT n, len(recommend(7, n)) FROM range(1, 4) t(n)") == [(1, 1), (2, 2), (3, 3)]

    def test_in_where_join_and_cte(self, shop):
        assert one(shop, "SELECT count(*) FROM behavior.customers c WHERE len(recommend(customer_id, 2)) = 2") > 1000
        assert (
            one(
                shop,
                "WITH r AS (SELECT customer_id, unnest(recommend(customer_id, 2)) AS u FROM behavior.customers) SELECT count(*) FROM r JOIN behavior.customers USING (customer_id)",
            )
            > 2000
        )

    def test_the_record_and_the_metrics(self, shop):
        record = rows(shop, "DESCRIBE MODEL recommend")
        assert any("NDCG@10" in detail for _, _, detail in record)
        found = {(m, n): v for m, p, n, v, *_ in rows(shop, "FROM ml.evaluate('recommend')")}
        assert found["rules", "ndcg_10"] > 0
        assert 0 <= found["popular", "mrr_10"] <= found["popular", "hit_rate_10"] <= 1


class TestOptions:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("repeat = 'maybe'", "repeat cannot be 'maybe'"),
            ("event_weights = {'view': -1}", "give each type a number of 0 or more"),
            ("event_weights = 'view'", "give each type a number of 0 or more"),
            ("event_weights = {'purchsae': 3}", "no event has this type. Did you mean purchase.*Types: .*purchase"),
            ("candidates = 'category'", "is VARCHAR: a condition"),
            ("candidates = 'NULL'", "a condition"),
            ("discount = 0.1", "discount is one of task clv"),
            ("method = 'nett'", "has no method 'nett'"),
        ],
    )
    def test_what_cannot_be(self, shop, given, message):
        with pytest.raises(OptionError, match=message):
            shop.execute(f"CREATE MODEL other OPTIONS (task = 'recommend', {given})").fetchall()

    def test_weights_of_0_leave_events_out(self, shop):
        shop.execute(
            "CREATE MODEL bought OPTIONS (task = 'recommend', method = 'popular', event_weights = {'view': 0, 'cart': 0, 'purchase': 2})"
        ).fetchall()
        assert [f["item_id"] for f in one(shop, "SELECT bought(-1, 3)")] != [
            f["item_id"] for f in one(shop, "SELECT recommend(-1, 3)")
        ]
        shop.execute("DROP MODEL bought").fetchall()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("candidates = 'pryce < 50'", "pryce.*Columns: item_id, category, price"),
            ("candidates = 'price < 50) OR (true'", "Option candidates"),
            ("candidates = 'item_id IN (SELECT 1)'", "without a query inside"),
            ("population = 'true) --'", "FOR EACH CUSTOMER WHERE"),
            ("horizon = INTERVAL 5 DAY", "horizon is one of tasks churn, clv"),
        ],
    )
    def test_conditions_are_checked(self, shop, given, message):
        with pytest.raises(OptionError, match=message):
            shop.execute(f"CREATE MODEL other OPTIONS (task = 'recommend', {given})").fetchall()

    def test_candidates_are_asked_at_every_call(self, shop, tmp_path):
        copy_to(shop, tmp_path / "copy.duckdb")
        with sqlml.connect(tmp_path / "copy.duckdb") as con:
            con.execute(
                "CREATE MODEL cheap OPTIONS (task = 'recommend', method = 'rules', candidates = 'price < 20')"
            ).fetchall()
            wrong = """SELECT count(*) FROM (SELECT unnest(cheap({}, 5)).item_id AS item_id FROM behavior.customers) JOIN behavior.items USING (item_id)
                       WHERE price >= 20"""
            assert one(con, wrong.format("customer_id")) == one(con, wrong.format("-customer_id")) == 0
            best = one(con, "SELECT cheap(7, 1)[1].item_id")
            con.execute(f"UPDATE shop_items SET price = 1000 WHERE product_id = {best}").fetchall()
            assert best not in [f["item_id"] for f in one(con, "SELECT cheap(7, 5)")]
            con.execute("UPDATE shop_items SET price = 1000").fetchall()
            assert one(con, "SELECT cheap(7, 5)") == []

    def test_no_items_and_no_steps(self, con):
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute(
            "CREATE TABLE behavior.events AS SELECT i AS customer_id, TIMESTAMP '2026-01-01' + to_days((i % 5)::INT) AS event_time FROM range(200) t(i)"
        ).fetchall()
        with pytest.raises(DataError, match="needs a column item_id"):
            con.execute(MODEL).fetchall()
        con.execute("ALTER TABLE behavior.events ADD COLUMN item_id INTEGER").fetchall()
        with pytest.raises(DataError, match="Customers with items"):
            con.execute(MODEL).fetchall()
        con.execute("UPDATE behavior.events SET item_id = customer_id % 7").fetchall()
        with pytest.raises(DataError, match="no next step"):
            con.execute(MODEL).fetchall()

    def test_statements_that_are_not_for_it(self, shop):
        for statement, message in (
            ("EVALUATE MODEL recommend ON FROM behavior.customers", "judged by the next step"),
            ("EXPLAIN MODEL recommend FOR SELECT 7 AS customer_id", "comes with its reason"),
            ("BACKTEST MODEL recommend FROM '2026-01-01' TO '2026-03-01' EVERY '30 days'", "tested on the next step"),
        ):
            with pytest.raises(ModelError, match=message):
                shop.execute(statement).fetchall()


def test_items_of_any_type_and_duplicates(con):
    con.execute("CREATE SCHEMA behavior").fetchall()
    con.execute("""CREATE TABLE behavior.events AS SELECT i % 100 AS customer_id, TIMESTAMP '2026-01-01' + to_days((i // 100)::INT) AS event_time,
        md5(((i % 10 + i // 100) % 12)::VARCHAR)::UUID AS item_id FROM range(600) t(i)""").fetchall()
    con.execute("INSERT INTO behavior.events FROM behavior.events").fetchall()
    con.execute(MODEL).fetchall()
    assert one(con, "SELECT typeof(recommend(1)[1].item_id)") == "UUID"
    item = one(con, "SELECT recommend(1)[1].item_id")
    assert one(con, f"SELECT recommend_score(1, '{item}'::UUID)") > 0
    assert one(con, "SELECT max(value) FROM ml.evaluate('recommend') WHERE metric LIKE 'ndcg%'") <= 1


def test_what_goes_out_comes_in_the_same(shop, tmp_path):
    shop.execute(f"EXPORT MODEL recommend TO '{tmp_path / 'model.sqlml'}'").fetchall()
    shop.execute(f"IMPORT MODEL taken FROM '{tmp_path / 'model.sqlml'}'").fetchall()
    try:
        for query in (
            "SELECT {}(customer_id, 5) FROM behavior.customers ORDER BY customer_id",
            "SELECT {}_score(customer_id, 11) FROM behavior.customers ORDER BY customer_id",
            "FROM {}_similar(11, 5)",
        ):
            assert rows(shop, query.format("taken")) == rows(shop, query.format("recommend"))
    finally:
        shop.execute("DROP MODEL taken").fetchall()


def test_links_that_point_beyond_the_items_are_refused():
    from sqlml import recommender

    log = random_log()
    blend = ranking.Blend({"rules": 1.0}, {"rules": 1.0}, is_repeat=False)
    weights = ranking.fit(log, BehaviorOptions(), blend, {}, lambda name: lambda *a: None)
    items = tuple(map(str, range(8)))
    recommender.require_sound(weights, items)
    for name, wrong in (("rules.items", 8), ("rules.starts", -1), ("knn.items", -1)):
        spoilt = {**weights, name: np.where(np.arange(len(weights[name])) == 1, wrong, weights[name]).astype(np.int32)}
        with pytest.raises(ModelError, match="points beyond"):
            recommender.require_sound(spoilt, items)
    with pytest.raises(ModelError, match="popular is of 7 items"):
        recommender.require_sound({**weights, "popular.popularity": np.zeros(7, np.float32)}, items)


class TestAssociationRules:
    LINES = "relation := 'lines', basket := 'receipt', item := 'product'"

    @pytest.fixture
    def ml(self, con):
        """A database with schema `ml` and no model."""
        from sqlml.catalog import Catalog

        with Catalog(con.native, "memory").transaction():
            pass
        return con

    def reference(self, baskets, support, confidence, most):
        pytest.importorskip("mlxtend")
        import pandas as pd
        from mlxtend.frequent_patterns import association_rules, fpgrowth

        items = sorted(set().union(*baskets))
        held = pd.DataFrame([[i in basket for i in items] for basket in baskets], columns=items)
        found = fpgrowth(held, min_support=support, use_colnames=True, max_len=most)
        ruled = association_rules(found, metric="confidence", min_threshold=confidence)
        sets = {frozenset(s): n for s, n in zip(found["itemsets"], found["support"], strict=True)}
        names = ["antecedents", "consequents", "support", "confidence", "lift", "leverage", "conviction"]
        return sets, {(frozenset(a), frozenset(c)): tuple(rest) for a, c, *rest in ruled[names].itertuples(index=False)}

    def compare(self, con, given, expected, support, confidence, most):
        sets, ruled = expected
        found = rows(con, f"FROM ml.frequent_itemsets(min_support := {support}, max_length := {most}, {given})")
        assert {frozenset(s): share for s, _, share in found} == sets
        assert len(found) == len(sets)
        mine = {
            (frozenset(a), frozenset(c)): rest
            for a, c, _, *rest in rows(
                con,
                f"FROM ml.association_rules(min_support := {support}, min_confidence := {confidence}, max_length := {most}, {given})",
            )
        }
        assert mine.keys() == ruled.keys()
        for pair, rest in mine.items():
            assert rest == pytest.approx(ruled[pair], rel=1e-9, abs=1e-12), pair

    def test_a_small_table_equals_fp_growth(self, ml):
        ml.execute(
            "CREATE TABLE lines AS SELECT i % 90 AS receipt, 'item ''' || (hash(i) % 7)::VARCHAR AS product FROM range(400) t(i)"
        ).fetchall()
        baskets = [set(p) for (p,) in rows(ml, "SELECT list(product) FROM lines GROUP BY receipt")]
        self.compare(ml, self.LINES, self.reference(baskets, 0.02, 0.4, 4), 0.02, 0.4, 4)

    def test_groceries_equal_fp_growth(self, ml, data):
        ml.execute(
            f"CREATE TABLE lines AS SELECT basket_id AS receipt, item AS product FROM '{data / 'groceries.parquet'}'"
        ).fetchall()
        baskets = [set(p) for (p,) in rows(ml, "SELECT list(product) FROM lines GROUP BY receipt")]
        self.compare(ml, self.LINES, self.reference(baskets, 0.001, 0.5, 4), 0.001, 0.5, 4)

    def test_a_basket_is_a_customer_at_one_moment_and_names_cannot_break_out(self, shop, ml):
        assert rows(shop, "SELECT count(*) > 0 FROM ml.frequent_itemsets(min_support := 0.001, max_length := 2)") == [
            (True,)
        ]
        ml.execute(
            """CREATE TABLE "a';--" AS SELECT i % 9 AS "b"";c", i % 4 AS "d' e" FROM range(40) t(i)"""
        ).fetchall()
        (n,) = rows(
            ml,
            """SELECT count(*) FROM ml.frequent_itemsets(relation := '"a'';--"', basket := 'b";c', item := 'd'' e')""",
        )[0]
        assert n == 15
