"""Intervals of numbers: as wide as the prediction asks for, and right in every tenth of the predictions."""

import numpy as np
import pytest

from sqlml import conformal
from sqlml.transforms import Target

SPEND, AMOUNT, VALUE = (Target(kind) for kind in ("spend", "amount", "value"))
COUNT = Target("amount", power=1)


def spends(rng, rows):
    """Predictions over four orders of magnitude; half of the labels are 0, the others lognormal around twice as much."""
    answers = rng.lognormal(3, 1.5, rows)
    chance = rng.random(rows) < 0.5
    return answers.astype(np.float32), (chance * 2 * answers * rng.lognormal(-0.18, 0.6, rows)).astype(np.float32)


@pytest.mark.parametrize("target", [SPEND, AMOUNT])
def test_every_tenth_and_the_largest_are_covered(target):
    rng = np.random.default_rng(0)
    found = conformal.conformal(*spends(rng, 20_000), target)
    answers, labels = spends(rng, 40_000)
    is_inside, width = conformal._covered(found, answers, labels, target)
    order = np.argsort(answers)
    for tenth in np.array_split(order, 10):
        assert is_inside[tenth].mean() == pytest.approx(0.9, abs=0.03)
    assert is_inside[order[-200:]].mean() == pytest.approx(0.9, abs=0.07)
    best = order[-2000:]
    assert np.corrcoef(np.log(answers[best]), np.log(width[best]))[0, 1] > 0.9


def test_a_spread_that_does_not_grow_has_one_width():
    rng = np.random.default_rng(1)
    answers = rng.uniform(-50, 50, 10_000)
    found = conformal.conformal(answers, answers + rng.normal(0, 3, 10_000), VALUE)
    assert found.power == pytest.approx(0, abs=0.1)
    assert not found.is_narrow


def test_numbers_in_another_unit_have_the_interval_in_that_unit():
    answers, labels = spends(np.random.default_rng(2), 3_000)
    found, larger = (conformal.conformal(f * answers, f * labels, SPEND) for f in (np.float32(1), np.float32(8)))
    (inside, width), *others = (
        conformal._covered(each, f * answers, f * labels, SPEND)
        for each, f in ((found, 1), (found.carried(8), 8), (larger, 8))
    )
    for same, wider in others:
        assert (inside == same).mean() > 0.99  # float32 moves a few across an end
        assert 8 * width == pytest.approx(wider, rel=1e-3, abs=1e-3)


def test_the_ends_of_a_count_are_whole_and_hold_its_share():
    rng = np.random.default_rng(4)
    means = rng.lognormal(0, 0.7, 20_000)
    found = conformal.conformal(means[:4_000], rng.poisson(means[:4_000]), COUNT)
    is_inside, width = conformal._covered(found, means, rng.poisson(means), COUNT)
    assert width == pytest.approx(np.round(width))
    for tenth in np.array_split(np.argsort(means), 10):
        assert 0.87 < is_inside[tenth].mean() < 1


@pytest.mark.parametrize("rows", [2, 9, 40, 250])
def test_few_rows_or_equal_answers_give_an_interval(rows):
    rng = np.random.default_rng(3)
    for answers in (np.zeros(rows, np.float32), np.ones(rows, np.float32), rng.lognormal(0, 1, rows)):
        labels = rng.lognormal(0, 1, rows)
        found = conformal.conformal(answers, labels, AMOUNT)
        is_inside, width = conformal._covered(found, answers, labels, AMOUNT)
        assert np.isfinite(width).all()
        assert is_inside.mean() >= 0.88
