"""Curves and tables over held-out predictions, against scikit-learn."""

import duckdb
import numpy as np
import pytest
from sklearn import metrics

from tests.conftest import one


@pytest.fixture(scope="module")
def held_out(shop):
    rows = shop.execute("SELECT label, score FROM ml.held_out('churn')").fetchnumpy()
    return rows["label"], rows["score"]


def columns(con, sql):
    return con.execute(sql).fetchnumpy()


def test_the_roc_curve_has_the_area_of_scikit_learn(shop, held_out):
    curve = columns(shop, "FROM ml.roc_curve('churn')")
    false, true, thresholds = metrics.roc_curve(*held_out, drop_intermediate=False)
    assert curve["threshold"] == pytest.approx(thresholds[1:], abs=1e-9)
    assert curve["recall"] == pytest.approx(true[1:], abs=1e-9)
    assert curve["false_positive_rate"] == pytest.approx(false[1:], abs=1e-9)


def test_the_precision_recall_curve_is_that_of_scikit_learn(shop, held_out):
    curve = columns(shop, "FROM ml.pr_curve('churn') ORDER BY threshold")
    precision, recall, thresholds = metrics.precision_recall_curve(*held_out)
    assert curve["threshold"] == pytest.approx(thresholds, abs=1e-9)
    assert curve["precision"] == pytest.approx(precision[:-1], abs=1e-9)
    assert curve["recall"] == pytest.approx(recall[:-1], abs=1e-9)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_the_confusion_matrix_counts_as_scikit_learn_does(shop, held_out, threshold):
    found = {(is_, said): n for is_, said, n in shop.execute(
        f"FROM ml.confusion_matrix('churn', threshold := {threshold})").fetchall()}  # fmt: skip
    label, score = held_out
    expected = metrics.confusion_matrix(label, score >= threshold, labels=[0, 1])
    assert [[found.get((bool(i), bool(j)), 0) for j in (0, 1)] for i in (0, 1)] == expected.tolist()


def test_bins_of_equal_size_show_the_calibration(shop, held_out):
    label, score = held_out
    table = columns(shop, "FROM ml.calibration('churn', bins := 5)")
    assert table["n"].sum() == len(label)
    assert np.ptp(table["n"]) <= 1
    assert (table["n"] * table["mean_score"]).sum() == pytest.approx(score.sum())
    assert (table["n"] * table["observed_rate"]).sum() == pytest.approx(label.sum())
    assert (np.diff(table["mean_score"]) > 0).all()


def test_lift_and_profit_follow_from_the_ranking(shop, held_out):
    label, score = held_out
    lift = columns(shop, "FROM ml.lift('churn')")
    assert lift["gain"][-1] == pytest.approx(1)
    assert lift["positives"].sum() == label.sum()
    assert lift["lift"][0] == pytest.approx(lift["rate"][0] / label.mean())
    profit = columns(shop, "FROM ml.profit_curve('churn', 100, 7)")
    some = len(profit["threshold"]) // 3
    chosen = score >= profit["threshold"][some]
    assert profit["contacted"][some] == chosen.sum()
    assert profit["profit"][some] == pytest.approx(100 * label[chosen].sum() - 7 * chosen.sum())


def test_records_are_asked_for_by_model(shop):
    assert (
        one(
            shop,
            "SELECT value FROM ml.evaluate('churn') WHERE metric = 'auc' AND method = 'net' AND population = 'all'",
        )
        > 0.5
    )
    assert one(shop, "SELECT count(*) FROM ml.training_info('churn') WHERE training_loss > 0") > 0
    assert one(shop, "SELECT count(*) FROM ml.feature_info('churn') WHERE is_used") > 10
    assert one(shop, "SELECT count(*) FROM ml.trial_info('churn')") == 0
    assert one(shop, "SELECT count(*) FROM ml.evaluate('CHURN')") > 0
    with pytest.raises(duckdb.Error, match="no model named 'nothing'"):
        shop.execute("FROM ml.evaluate('nothing')").fetchall()
