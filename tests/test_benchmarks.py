"""The benchmarks judge us, so they are judged too."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import bootstrap, protocols, report

RNG = np.random.default_rng(0)
TRUTH = RNG.random(2000)
LABELS = (RNG.random(2000) < TRUTH).astype(np.float32)
BLIND = RNG.random(2000)


def test_a_draw_is_an_auc():
    from sklearn.metrics import roc_auc_score

    scores = TRUTH.round(1)  # ties
    rows = np.random.default_rng(3).integers(0, 2000, 2000)
    assert bootstrap.auc_draws(LABELS, scores, 1, seed=3)[0] == pytest.approx(
        roc_auc_score(LABELS[rows], scores[rows]), abs=1e-12
    )


def test_verdicts():
    good, bad = (bootstrap.auc_draws(LABELS, scores, 200) for scores in (TRUTH, BLIND))
    assert bootstrap.verdict(0.3, *bootstrap.interval(good, bad)) == "beats"
    assert bootstrap.verdict(-0.3, *bootstrap.interval(bad, good)) == "behind"
    assert bootstrap.verdict(0.0, *bootstrap.interval(good, good)) == "level"
    assert bootstrap.verdict(0.02, -0.01, 0.05) == "undecided"


@pytest.mark.parametrize("peer", ["recency", "logistic", "lightgbm"])
def test_a_peer_learns(peer):
    if peer == "lightgbm":
        pytest.importorskip("lightgbm")
    inputs = np.stack([-TRUTH * 30, BLIND], 1).astype(np.float32) + 31
    inputs[::50, 1] = np.nan
    scores = import_module(f"benchmarks.peers.{peer}").scores(inputs[:1500], LABELS[:1500], inputs[1500:])
    assert bootstrap.auc_draws(LABELS[1500:], scores, 50).mean() > 0.75
    assert abs(scores.mean() - LABELS[1500:].mean()) < 0.06


def test_the_tables_of_the_readme_are_those_of_the_results():
    page = (report.ROOT / "README.md").read_text(encoding="utf-8")
    tables = report.readme_tables(protocols.NAMES)
    assert set(tables) == set(protocols.NAMES)
    assert report.with_tables(page, tables) == page


def test_a_run_without_data_stores_nothing(monkeypatch):
    from benchmarks import __main__ as command

    monkeypatch.setattr(command, "import_module", lambda name: SimpleNamespace(run=lambda *, is_quick: []))
    monkeypatch.setattr(report, "save", lambda *given: pytest.fail("stored"))
    with pytest.raises(SystemExit, match="SQLML_DATA"):
        command._run("tabular", is_quick=False)
