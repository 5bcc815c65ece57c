"""Intervals of numbers: as wide as the prediction asks for, and right in every tenth of the predictions."""

import numpy as np
import pytest

from sqlml import conformal
from sqlml.transforms import Target

SPEND, AMOUNT, VALUE = (Target(kind) for kind in ("spend", "amount", "value"))


def spends(rng, rows):
    """Predictions over four orders of magnitude; half of the labels are 0, the others lognormal around twice as much."""
    answers = rng.lognormal(3, 1.5, rows)
    chance = rng.random(rows) < 0.5
    return answers.astype(np.float32), (chance * 2 * answers * rng.lognormal(-0.18, 0.6, rows)).astype(np.float32)


def ends(found, answers):
    place, scale = np.searchsorted(found.edges, answers), found.scale(answers)
    first, last = (conformal._narrowest if found.is_narrow else conformal._middle)(found.quantiles)
    return (np.maximum(0, answers + found.quantiles[place, index[place]] * scale) for index in (first, last))


@pytest.mark.parametrize("target", [SPEND, AMOUNT])
def test_every_tenth_and_the_largest_are_covered(target):
    rng = np.random.default_rng(0)
    found = conformal.conformal(*spends(rng, 20_000), target)
    answers, labels = spends(rng, 40_000)
    low, high = ends(found, answers)
    is_inside = (labels >= low) & (labels <= high)
    order = np.argsort(answers)
    for tenth in np.array_split(order, 10):
        assert is_inside[tenth].mean() == pytest.approx(0.9, abs=0.03)
    assert is_inside[order[-200:]].mean() == pytest.approx(0.9, abs=0.07)
    best = order[-2000:]
    assert np.corrcoef(np.log(answers[best]), np.log((high - low)[best]))[0, 1] > 0.9


def test_a_spread_that_does_not_grow_has_one_width():
    rng = np.random.default_rng(1)
    answers = rng.uniform(-50, 50, 10_000)
    found = conformal.conformal(answers, answers + rng.normal(0, 3, 10_000), VALUE)
    assert found.power == pytest.approx(0, abs=0.1)
    assert not found.is_narrow


def test_numbers_in_another_unit_have_the_interval_in_that_unit():
    answers, labels = spends(np.random.default_rng(2), 3_000)
    found, larger = (conformal.conformal(f * answers, f * labels, SPEND) for f in (np.float32(1), np.float32(8)))
    for one, other in zip(ends(found.carried(8), 8 * answers), ends(larger, 8 * answers), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("rows", [2, 9, 40, 250])
def test_few_rows_or_equal_answers_give_an_interval(rows):
    rng = np.random.default_rng(3)
    for answers in (np.zeros(rows, np.float32), np.ones(rows, np.float32), rng.lognormal(0, 1, rows)):
        found = conformal.conformal(answers, rng.lognormal(0, 1, rows), AMOUNT)
        low, high = ends(found, answers)
        assert np.isfinite(found.quantiles).all()
        assert (low <= high).all()
