"""The SQL metrics against scikit-learn."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from sqlml import queries


@pytest.mark.parametrize("decimals", [1, 12])
def test_binary_metrics_equal_scikit_learn(con, decimals):
    rng = np.random.default_rng(1)
    score = rng.random(3000).round(decimals)
    label = rng.random(3000) < score
    weight = rng.integers(1, 4, 3000).astype(float)
    con.execute("CREATE TABLE p (label BOOLEAN, score DOUBLE, weight DOUBLE)").fetchall()
    con.executemany(
        "INSERT INTO p VALUES (?, ?, ?)", list(zip(label.tolist(), score.tolist(), weight.tolist(), strict=True))
    )
    query = f"WITH predictions AS (SELECT 'x' AS part, * FROM p) FROM ({queries.text('metrics/binary')})"
    relation = con.sql(query)
    got = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    clipped = np.clip(score, 1e-7, 1 - 1e-7)
    assert got["auc"] == pytest.approx(roc_auc_score(label, score, sample_weight=weight), abs=1e-9)
    assert got["log_loss"] == pytest.approx(log_loss(label, clipped, sample_weight=weight), abs=1e-9)
    assert got["brier"] == pytest.approx(brier_score_loss(label, score, sample_weight=weight), abs=1e-9)
    assert got["base_rate"] == pytest.approx(np.average(label, weights=weight), abs=1e-12)
    assert got["ece"] < 0.03


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.99])
def test_decisions_at_a_threshold_equal_scikit_learn(con, threshold):
    rng = np.random.default_rng(5)
    score = rng.random(500).round(2)
    label, weight = rng.random(500) < score, rng.integers(1, 4, 500).astype(float)
    con.register("p", pa.table({"part": ["x"] * 500, "label": label, "score": score, "weight": weight}))
    text = queries.text("metrics/two_classes", binary=queries.text("metrics/binary"), threshold=str(threshold))
    relation = con.sql(f"WITH predictions AS (FROM p) FROM ({text})")
    got = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    said = score >= threshold
    metrics = {"accuracy": accuracy_score, "precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, metric in metrics.items():
        assert got[name] == pytest.approx(metric(label, said, sample_weight=weight), abs=1e-12), name
    assert got["auc"] == pytest.approx(roc_auc_score(label, score, sample_weight=weight), abs=1e-9)


def test_nobody_taken_for_positive_has_no_precision(con):
    text = queries.text("metrics/two_classes", binary=queries.text("metrics/binary"), threshold="0.9")
    rows = "WITH predictions(part, label, score, weight) AS (VALUES (1, true, 0.5, 1.0), (1, false, 0.4, 1.0))"
    assert con.execute(f"{rows} SELECT accuracy, precision, recall, f1 FROM ({text})").fetchall() == [(0.5, None, 0, 0)]


@pytest.mark.parametrize("kind", ["two_classes", "number", "spend", "segment"])
def test_no_interval_excludes_its_estimate(con, kind):
    """Few rows and many segments: here a draw is biased most."""
    rng = np.random.default_rng(7)
    for n in (30, 200):
        score, size = rng.random(n).round(1), rng.lognormal(0, 1.5, n) * (rng.random(n) < 0.5)
        label = {"two_classes": rng.random(n) < score, "segment": [{"spend": s, "orders": s // 1} for s in size]}
        given = {"score": (10 * score).astype(int) if kind == "segment" else score, "label": label.get(kind, size)}
        who = {"customer_id": np.arange(n), "is_active": rng.random(n) < 0.5, "method": ["m"] * n}
        con.register("given", pa.table({**who, **given}))
        metrics = queries.text(f"metrics/{kind}", binary=queries.text("metrics/binary"), threshold="0.5")
        query = f"WITH heldout AS (FROM given) FROM ({queries.text('metrics/compare', metrics=metrics)})"
        found = con.execute(query, {"draws": 60, "seed": n}).fetchall()
        assert len(found) > 4
        assert [row for row in found if row[4] is not None and not row[4] <= row[3] <= row[5]] == []


def test_ece_and_lift_by_hand(con):
    rows = ", ".join(f"(1, {i >= 90}, {0.9 if i >= 90 else 0.1}, 1.0)" for i in range(100))
    query = f"WITH predictions(part, label, score, weight) AS (VALUES {rows}) FROM ({queries.text('metrics/binary')})"
    relation = con.sql(query)
    got = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    assert got["auc"] == 1
    assert got["ece"] == pytest.approx(0.1)
    assert got["top_decile_lift"] == pytest.approx(10)


def test_metrics_of_numbers_equal_scikit_learn(con):
    rng = np.random.default_rng(2)
    label, weight = rng.normal(3, 2, 500), rng.integers(1, 4, 500).astype(float)
    score = label + rng.normal(0, 1, 500)
    con.register("p", pa.table({"part": ["x"] * 500, "label": label, "score": score, "weight": weight}))
    relation = con.sql(f"WITH predictions AS (FROM p) FROM ({queries.text('metrics/number')})")
    got = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    assert got["rmse"] == pytest.approx(mean_squared_error(label, score, sample_weight=weight) ** 0.5, abs=1e-9)
    assert got["mae"] == pytest.approx(mean_absolute_error(label, score, sample_weight=weight), abs=1e-9)
    assert got["r2"] == pytest.approx(r2_score(label, score, sample_weight=weight), abs=1e-9)


def test_metrics_of_classes_equal_scikit_learn(con):
    rng = np.random.default_rng(3)
    score = rng.dirichlet([1, 2, 3], 600)
    label = np.array([rng.choice(3, p=p) for p in score])
    con.register(
        "p",
        pa.table({"part": ["x"] * 600, "label": label.astype(float), "score": score.tolist(), "weight": np.ones(600)}),
    )
    text = queries.text("metrics/classes", binary=queries.text("metrics/binary"))
    relation = con.sql(f"WITH predictions AS (FROM p) FROM ({text})")
    got = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    assert got["accuracy"] == pytest.approx(accuracy_score(label, score.argmax(1)), abs=1e-12)
    assert got["log_loss"] == pytest.approx(log_loss(label, np.clip(score, 1e-7, 1)), abs=1e-6)
    assert got["auc"] == pytest.approx(roc_auc_score(label, score, multi_class="ovr", average="macro"), abs=1e-9)
    assert got["brier"] == pytest.approx(((score - np.eye(3)[label]) ** 2).sum(1).mean(), abs=1e-9)
