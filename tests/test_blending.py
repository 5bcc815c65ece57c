"""What is left of a blend: methods that are missed, with what they count."""

import numpy as np
import pytest

from sqlml.blending import Examples, _gains, blended, gain, ideal

N, CANDIDATES = 400, 30


def examples(*informative, n=N):
    """Customers with one true item each; methods whose scores know of it so much, the first half of customers alone."""
    rng = np.random.default_rng(5)
    is_true = np.zeros((n, CANDIDATES), bool)
    is_true[np.arange(n), rng.integers(0, CANDIDATES, n)] = True
    scores = rng.normal(size=(n, CANDIDATES, len(informative)))
    scores += is_true[:, :, None] * np.array(informative)
    return Examples(
        np.arange(n), CANDIDATES * np.arange(n), scores.reshape(-1, len(informative)).astype(np.float32),
        is_true.ravel(), np.ones(n),
    )  # fmt: skip


def test_methods_that_know_nothing_are_left_out():
    shares, gains = blended(["a", "noise", "b", "more noise"], examples(2, 0, 2, 0))
    assert set(shares) == {"a", "b"}
    assert shares["a"] == pytest.approx(0.5, abs=0.1)
    assert sum(shares.values()) == pytest.approx(1)
    alone = _gains(examples(2, 0, 2, 0), np.array([1.0, 0, 0, 0]))
    assert gains.mean() > alone.mean() + 0.05


def test_a_method_that_is_missed_stays():
    shares, _ = blended(["a", "b", "c"], examples(1.5, 1.5, 1.5))
    assert set(shares) == {"a", "b", "c"}


def test_of_two_that_say_the_same_one_is_enough():
    twice = examples(2, 2)
    twice.scores[:] = twice.scores[:, :1]
    both = Examples(
        twice.customers,
        twice.starts,
        np.hstack([twice.scores, examples(0, 2).scores[:, 1:]]),
        twice.is_true,
        twice.ideals,
    )
    shares, _ = blended(["a", "a again", "b"], both)
    assert len(shares) == 2
    assert "b" in shares


def test_gains_are_those_of_a_plain_loop():
    rng = np.random.default_rng(2)
    lengths = np.array([1, 7, 30])
    is_true = np.concatenate([[True], [False, True, True, False, False, True, False], rng.random(30) < 0.3])
    starts = np.cumsum(lengths) - lengths
    scores = rng.integers(0, 5, (38, 2)).astype(np.float32)  # many are equal
    ideals = np.array([ideal(n) for n in (1, 3, 12)])
    found = _gains(Examples(np.arange(3), starts, scores, is_true, ideals), np.array([0.5, 0.5]))
    for i, (start, n) in enumerate(zip(starts, lengths, strict=True)):
        link, true = scores[start : start + n].sum(1), is_true[start : start + n]
        order = sorted(range(n), key=lambda j: (-link[j], true[j]))
        expected = sum(1 / np.log2(rank + 1) for rank, j in enumerate(order[:10], 1) if true[j])
        assert found[i] == pytest.approx(expected / ideals[i])


def test_without_examples_all_count_the_same():
    nobody = examples(1, 1, 1, n=0)
    shares, gains = blended(["a", "b", "c"], nobody)
    assert set(shares.values()) == {0.5}
    assert not len(gains)


def test_the_gain_of_what_stands_too_low_is_nothing():
    assert gain(np.array([1, 3, 10, 11, np.iinfo(np.int32).max])) == pytest.approx([1, 0.5, 1 / np.log2(11), 0, 0])
    assert ideal(100) == pytest.approx(sum(1 / np.log2(i + 1) for i in range(1, 11)))
