"""The search over recipes: what is tried, what wins, what is refused."""

import time

import numpy as np
import pytest

from sqlml import search, training
from sqlml.errors import OptionError, TrainingError
from sqlml.search import Attempt

LABEL = {"label": "y"}


def test_without_lists_there_is_one_recipe():
    (recipe,) = search.plan({**LABEL, "width": 7})
    assert recipe.width == 7


def test_lists_make_every_combination():
    recipes = search.plan({**LABEL, "width": [8, 16], "learning_rate": [1e-3, 2e-3, 3e-3], "exclude": ["a", "b"]})
    assert {(r.width, r.learning_rate) for r in recipes} == {(w, lr) for w in (8, 16) for lr in (1e-3, 2e-3, 3e-3)}
    assert all(r.exclude == ("a", "b") for r in recipes)


def test_random_search_draws_different_recipes_the_same_each_time():
    recipes = search.plan({**LABEL, "search": "random", "trials": 20, "seed": 3})
    assert len(set(recipes)) == 20
    assert recipes == search.plan({**LABEL, "search": "random", "trials": 20, "seed": 3})
    assert recipes != search.plan({**LABEL, "search": "random", "trials": 20, "seed": 4})
    few = search.plan({**LABEL, "search": "random", "trials": 20, "width": [8, 16]})
    assert sorted(r.width for r in few) == [8, 16]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": []}, "empty list"),
        ({"label": ["a", "b"]}, "takes one value"),
        ({"width": [8, 0]}, "at least 1"),
        ({"width": [8, 16], "search": "none"}, "search = 'none'"),
        ({"search": "grid search"}, "cannot be 'grid search'"),
        ({"width": list(range(1, 40)), "bins": list(range(2, 40))}, "1,000 are the most"),
    ],
)
def test_what_cannot_be_searched_is_said(values, message):
    with pytest.raises(OptionError, match=message):
        search.plan({**LABEL, **values})


def test_random_search_keeps_what_was_set():
    recipes = search.plan({**LABEL, "search": "random", "width": 256})
    assert {r.width for r in recipes} == {256}
    assert len({r.learning_rate for r in recipes}) > 1


def test_a_linear_model_is_tried_once():
    recipes = search.expand(search.plan({**LABEL, "method": "auto", "width": [8, 16]}), ("net", "logistic"))
    assert sorted((r.method, r.width) for r in recipes) == [("logistic", 16), ("net", 8), ("net", 16)]


def test_a_recipe_that_fails_is_left_out_unless_none_works():
    def attempt(recipe, title):
        if recipe.width < 10:
            raise TrainingError("The loss is not finite.")
        return by_width(recipe, title)

    recipe, _, trials = search.best(search.plan({**LABEL, "width": [8, 16]}), attempt, budget=1e9)
    assert (recipe.width, len(trials)) == (16, 1)
    with pytest.raises(TrainingError):
        search.best(search.plan({**LABEL, "width": [8, 9]}), attempt, budget=1e9)


def test_trainings_side_by_side_stop_when_one_fails():
    epochs = []

    def slow(stage):
        watch = stage("slow")
        for epoch in range(10_000):
            time.sleep(0.001)
            watch(epoch, 10_000, 0.0)

    def failing(stage):
        raise TrainingError("no")

    with pytest.raises(TrainingError):
        training.together([slow, failing], lambda name: lambda epoch, total, loss: epochs.append(epoch))
    assert len(epochs) < 5_000
    assert training.together([lambda stage: 1, lambda stage: 2, lambda stage: 3], lambda name: None) == [1, 2, 3]


def by_width(recipe, title):
    return Attempt(np.full(100, abs(recipe.width - 20) / 10, np.float32), title)


def test_the_least_loss_wins():
    recipes = search.plan({**LABEL, "width": [8, 16, 64]})
    recipe, found, trials = search.best(recipes, by_width, budget=1e9)
    assert recipe.width == 16
    assert found.kept == "recipe 2 of 3, "
    assert [(t.options, round(t.loss, 2), t.is_chosen) for t in trials] == [
        ({"width": 8}, 1.2, False),
        ({"width": 16}, 0.4, True),
        ({"width": 64}, 4.4, False),
    ]


def test_after_the_budget_no_recipe_is_begun_but_the_first():
    recipes = search.plan({**LABEL, "width": [8, 16, 64]})
    recipe, _, trials = search.best(recipes, by_width, budget=0)
    assert (recipe.width, len(trials)) == (8, 1)


@pytest.mark.parametrize(("more", "method"), [(0.0, "logistic"), (0.001, "logistic"), (0.05, "net")])
def test_auto_takes_the_linear_model_where_it_is_level(more, method):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 4000)).astype(np.float32) * 0.1

    def attempt(recipe, title):
        is_net = recipe.method == "net"
        return Attempt(0.5 + noise[int(is_net)] + (0 if is_net else more), None)

    recipes = search.expand(search.plan({**LABEL, "method": "auto"}), ("net", "logistic"))
    recipe, _, trials = search.best(recipes, attempt, budget=1e9, prefers="logistic")
    assert recipe.method == method
    assert len(trials) == 2
