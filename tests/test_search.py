"""The search over recipes: what is tried, what wins, what is refused."""

import numpy as np
import pytest

from sqlml import search
from sqlml.errors import OptionError
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
        ({"search": "grid search"}, "no search"),
        ({"width": list(range(1, 40)), "bins": list(range(2, 40))}, "1,000 are the most"),
    ],
)
def test_what_cannot_be_searched_is_said(values, message):
    with pytest.raises(OptionError, match=message):
        search.plan({**LABEL, **values})


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
