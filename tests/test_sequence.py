"""Nets that read histories: nothing passes from the future or from another customer, and rules are learnt."""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.sparse

from sqlml import ranking, recommender
from sqlml.errors import ModelError
from sqlml.methods import content, gru4rec, sasrec, sequence
from sqlml.models.sequence import Attention, NextItem, Recurrent
from sqlml.options import BehaviorOptions
from sqlml.tasks import RANKERS, RECOMMEND
from tests.test_recommend import log_of, random_log, table

N_ITEMS = 8
BLOCKS = pytest.mark.parametrize("block", [Recurrent, Attention])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def read(block, rng, items, owners):
    """The states after each event, by a net whose parameters were drawn by chance."""
    module = NextItem(N_ITEMS, 16, 2, block, 512, 0.0)
    row = np.zeros((1, 2, items.shape[1] + 1), np.int32)
    params = module.init(jax.random.PRNGKey(1), row)
    moved = jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape).astype(np.float32), params)
    return lambda items, owners: np.asarray(module.apply(moved, items, owners, method="states"))


@BLOCKS
class TestStates:
    def test_nothing_comes_from_the_future(self, block, rng):
        items, owners = rng.integers(0, N_ITEMS, (1, 20)), np.zeros((1, 20), int)
        states = read(block, rng, items, owners)
        other = items.copy()
        other[0, 12:] = (other[0, 12:] + 1) % N_ITEMS
        before, after = states(items, owners), states(other, owners)
        assert after[0, :12] == pytest.approx(before[0, :12], abs=1e-5)
        assert np.abs(after[0, 12:] - before[0, 12:]).min(1).max() > 1e-3

    def test_nothing_comes_from_another_customer(self, block, rng):
        items = rng.integers(0, N_ITEMS, (1, 20))
        owners = np.repeat([[3, 4]], [8, 12], axis=1)
        states = read(block, rng, items, owners)
        alone = states(items[:, 8:], owners[:, 8:])
        assert states(items, owners)[0, 8:] == pytest.approx(alone[0], abs=1e-4)

    def test_where_a_row_begins_does_not_matter(self, block, rng):
        items, owners = rng.integers(0, N_ITEMS, (1, 20)), np.repeat([[3, 4]], [6, 14], axis=1)
        states = read(block, rng, items, owners)
        moved = states(np.roll(items, -2, 1), np.roll(owners, -2, 1))
        assert moved[0, 4:18] == pytest.approx(states(items, owners)[0, 6:], abs=1e-4)


@pytest.mark.parametrize("method", ["gru4rec", "sasrec"])
def test_histories_read_together_are_those_read_alone(method, rng, monkeypatch):
    monkeypatch.setattr(sequence, "MOST_EPOCHS", 1)
    monkeypatch.setattr(sequence, "ROWS_READ", 3)
    lengths = [0, 1, 127, 128, 0, 129, 300, 2, 126, 1, 60, 60, 60, 5, 0]
    log = log_of(*(rng.integers(0, N_ITEMS, length) for length in lengths), n_items=N_ITEMS)
    scorer = RANKERS[method].scorer(RANKERS[method].fit(log, BehaviorOptions()), N_ITEMS)
    alone = np.concatenate([table(scorer(log.of(np.array([i])))) for i in range(len(log))])
    assert table(scorer(log)) == pytest.approx(alone, abs=1e-4)
    assert len(np.unique(alone.round(4), axis=0)) == len(lengths) - lengths.count(0) + 1


@pytest.mark.parametrize("length", [1, 5, 16, 17, 100, 300])
def test_rows_hold_every_step_once(length, rng):
    log = log_of(*(rng.integers(0, N_ITEMS, length) for _ in range(40)), n_items=N_ITEMS)
    rows, counts = sequence._rows(log)
    size = rows.shape[2] - 1
    assert size in (16, 32, 64, 128)
    assert (counts > 0).sum() == 40 * (length - 1)
    steps = {
        (owner, first, second)
        for row, count in zip(rows, counts, strict=True)
        for (first, second, owner) in zip(
            row[0][:-1][count > 0], row[0][1:][count > 0], row[1][1:][count > 0], strict=True
        )
    }
    expected = {
        (owner, log.items[i], log.items[i + 1])
        for owner in range(40)
        for i in range(log.starts[owner], log.starts[owner + 1] - 1)
    }
    assert steps == expected


def test_an_event_that_counts_more_is_learnt_from_more():
    log = log_of([0, 1, 2], [3, 4], weights=[1, 5, 1, 1, 1])
    _, counts = sequence._rows(log)
    assert counts[0, :4] / counts[0, 0] == pytest.approx([1, 1 / 5, 0, 1 / 5])


@pytest.mark.parametrize("method", ["gru4rec", "sasrec"])
def test_what_follows_a_rule_is_learnt_and_stored_arrays_say_the_same(method, monkeypatch):
    monkeypatch.setattr(sequence, "MOST_EPOCHS", 60)
    rng = np.random.default_rng(1)
    log = log_of(*((s + 3 * np.arange(n)) % N_ITEMS for s, n in zip(rng.integers(0, 8, 300), rng.integers(2, 9, 300), strict=True)),
                 n_items=N_ITEMS)  # fmt: skip
    weights = RANKERS[method].fit(log, BehaviorOptions())
    found = table(RANKERS[method].scorer(weights, N_ITEMS)(log))
    last = log.items[log.starts[1:] - 1]
    assert np.mean(found.argmax(1) == (last + 3) % N_ITEMS) > 0.95
    assert {name: value.shape for name, value in weights.items()} == dict(RANKERS[method].shapes(N_ITEMS))
    one = table(RANKERS[method].scorer(weights, N_ITEMS)(log.of(np.array([5]))))
    assert one[0] == pytest.approx(found[5], abs=1e-4)


def test_nets_are_tried_where_there_are_events_enough(monkeypatch):
    log, methods = random_log(), RECOMMEND.methods[1:]
    tried = ranking._possible(BehaviorOptions(method="auto"), methods, log)
    assert not {"gru4rec", "sasrec"} & set(tried)
    monkeypatch.setitem(RANKERS, "gru4rec", gru4rec.NextItems(Recurrent, 1, least_events=10))
    assert "gru4rec" in ranking._possible(BehaviorOptions(method="auto"), methods, log)
    assert list(ranking._possible(BehaviorOptions(method="sasrec"), methods, log)) == ["sasrec"]
    assert sasrec.METHOD.least_events > 1e12


class TestContent:
    def shop(self, con):
        con.execute("CREATE SCHEMA behavior").fetchall()
        con.execute("""CREATE TABLE behavior.items AS SELECT i AS item_id, ['tea', 'Coffee beans', 'mugs'][1 + i % 3] AS category,
            CASE WHEN i % 4 > 0 THEN i END::DOUBLE AS price, DATE '2026-01-01' AS added FROM range(60) t(i)""").fetchall()
        con.execute("""CREATE TABLE behavior.events AS SELECT i % 99 AS customer_id, TIMESTAMP '2026-01-01' + to_days((i // 99)::INT) AS event_time,
            (i % 3 + 3 * (hash(i) % 15)::INT) AS item_id FROM range(594) t(i)""").fetchall()  # fmt: skip

    def test_items_without_events_are_recommended_by_what_is_said_of_them(self, con):
        self.shop(con)
        con.execute("ALTER TABLE behavior.items DROP COLUMN price").fetchall()
        con.execute(
            "CREATE MODEL recommend OPTIONS (task = 'recommend', method = 'content', repeat = false)"
        ).fetchall()
        nobody_had = con.execute("""SELECT count(*) FROM (SELECT customer_id % 3 AS liked, unnest(recommend(customer_id, 14)).item_id AS item_id
            FROM (SELECT DISTINCT customer_id FROM behavior.events)) WHERE item_id >= 45 AND item_id % 3 = liked""").fetchall()[
            0
        ][0]
        assert nobody_had > 99 * 3
        liked = con.execute("""SELECT count(*), count_if(item_id % 3 = liked) FROM (SELECT customer_id % 3 AS liked,
            unnest(recommend(customer_id, 5)).item_id AS item_id FROM (SELECT DISTINCT customer_id FROM behavior.events))""").fetchall()
        assert liked == [(99 * 5, 99 * 5)]
        assert con.execute("SELECT recommend_score(1, 58) > recommend_score(1, 59)").fetchall() == [(True,)]
        assert con.execute("SELECT recommend_score(1, 60)").fetchall() == [(None,)]

    def test_words_count_by_how_rare_they_are(self, con):
        from sqlml import recommendations

        self.shop(con)
        cursor = con.native
        frame = recommendations.frame(cursor, BehaviorOptions(task="recommend"))
        log, items = recommendations.read(cursor, frame, "2026-12-31")
        assert len(items) == 60
        words = log.words.toarray()
        assert words.shape[0] == 4 + 10
        assert np.linalg.norm(words, axis=0) == pytest.approx(np.ones(60), abs=1e-5)
        by_name = dict(zip(items, words.T, strict=True))
        alike = by_name["1"] @ by_name["58"]
        assert alike > by_name["1"] @ by_name["59"]

    def test_columns_and_ids_of_any_name_and_number(self, con):
        self.shop(con)
        con.execute("ALTER TABLE behavior.items ADD COLUMN item VARCHAR").fetchall()
        con.execute("""ALTER TABLE behavior.items ADD COLUMN "it's ""a""; code" VARCHAR DEFAULT 'x'';--'""").fetchall()
        con.execute("ALTER TABLE behavior.items ALTER item_id TYPE DOUBLE").fetchall()
        con.execute("CREATE MODEL recommend OPTIONS (task = 'recommend', method = 'content')").fetchall()
        asked = "SELECT count(*), count(DISTINCT i), typeof(any_value(i)) FROM (SELECT unnest(recommend(1, 100)).item_id AS i)"
        assert con.execute(asked).fetchall()[0][:2] == (60, 60)

    def test_without_items_there_is_none(self):
        with pytest.raises(ranking.DataError, match=r"needs behavior\.items"):
            ranking._possible(BehaviorOptions(method="content"), RECOMMEND.methods[1:], random_log())
        assert (
            table(
                content.METHOD.scorer(content.METHOD.fit(random_log(), BehaviorOptions()), 8)(log_of([0], n_items=8))
            ).sum()
            == 0
        )


@pytest.mark.parametrize("method", ["gru4rec", "sasrec", "ials", "sessions", "content"])
def test_what_goes_out_comes_in_the_same_and_wrong_shapes_do_not(con, tmp_path, method, monkeypatch):
    monkeypatch.setattr(sequence, "MOST_EPOCHS", 2)
    TestContent().shop(con)
    con.execute(f"CREATE MODEL recommend OPTIONS (task = 'recommend', method = '{method}')").fetchall()
    con.execute(f"EXPORT MODEL recommend TO '{tmp_path / 'model.sqlml'}'").fetchall()
    con.execute(f"IMPORT MODEL taken FROM '{tmp_path / 'model.sqlml'}'").fetchall()
    asked = "SELECT customer_id, {}(customer_id, 5) FROM (SELECT DISTINCT customer_id FROM behavior.events) ORDER BY 1"
    assert con.execute(asked.format("taken")).fetchall() == con.execute(asked.format("recommend")).fetchall()


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("gru4rec", "net.table"),
        ("gru4rec", "net.norm.scale"),
        ("ials", "factors"),
        ("sessions", "rarity"),
        ("content", "strength"),
    ],
)
def test_arrays_of_wrong_shapes_are_refused(method, name, monkeypatch):
    monkeypatch.setattr(sequence, "MOST_EPOCHS", 1)
    blend = ranking.Blend({method: 1.0}, {method: 1.0}, is_repeat=False)
    log = dataclasses.replace(random_log(), words=scipy.sparse.csr_array(np.eye(N_ITEMS, dtype=np.float32)))
    weights = ranking.fit(log, BehaviorOptions(), blend, {}, lambda name: lambda *a: None)
    items = tuple(map(str, range(N_ITEMS)))
    recommender.require_sound(weights, items)
    with pytest.raises(ModelError):
        recommender.require_sound({**weights, f"{method}.{name}": weights[f"{method}.{name}"][:-1]}, items)
    with pytest.raises(ModelError, match="no method"):
        recommender.require_sound({**weights, "other.share": np.ones(1, np.float32)}, items)


def test_the_best_of_many_items_are_those_of_a_full_sort(rng):
    scores = rng.integers(0, 300, (7, 4096)).astype(np.float32)
    scores[:, 1000:] = np.where(rng.random((7, 3096)) < 0.5, -np.inf, scores[:, 1000:])
    places, values = recommender._best(scores, 16)
    assert (values == -np.sort(-scores, 1)[:, :16]).all()
    assert (np.take_along_axis(scores, places, 1) == values).all()
    assert all(len(set(row)) == 16 for row in places.tolist())
    fewer, _ = recommender._best(scores, 5)
    assert (fewer == places[:, :5]).all()
    unknown, _ = recommender._best(np.where(scores == scores.max(), np.nan, scores), 16)
    assert unknown.shape == (7, 16)
