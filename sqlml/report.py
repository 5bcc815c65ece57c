"""What is known of one version of a model, as one HTML page that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any

import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sqlml import charts, projection, queries
from sqlml.catalog import MAP_INPUTS, MAP_SEGMENTS, Catalog, Version
from sqlml.charts import Columns, percent

Row = dict[str, Any]
SHOWN_FEATURES = 25
ORANGE, BLUE = "194, 87, 26", "31, 95, 139"
FULL_HEAT = 2.0
"""Standard deviations off the mean at which a cell of the heat map has its full colour."""


def score(value: float) -> str:
    """A number on a scale of its own: 0.958, 0.0154, 0.0000."""
    return _digits(value, most=4)


def amount(value: float) -> str:
    """A number in the units of the label: 75.8, 9,470, 1.2e-06."""
    is_extreme = value != 0 and isfinite(value) and not 1e-3 <= abs(value) < 1e12  # noqa: PLR2004
    return f"{value:.3g}" if is_extreme else _digits(value)


def count(value: float) -> str:
    """A number of rows: 10,041."""
    return f"{value:,.0f}"


def with_spread(value: float, spread: float) -> str:
    """Both with the digits that the spread leaves certain: 0.686 ± 0.025."""
    if not (spread > 0 and isfinite(spread)):
        return amount(value)
    decimals = max(0, 1 - _exponent(spread))
    return f"{value:,.{decimals}f} ± {spread:,.{decimals}f}"


def _digits(value: float, most: int = 6) -> str:
    """Three that count, but at most so many decimals."""
    if not isfinite(value):
        return "unknown"
    decimals = min(most, max(0, 2 - _exponent(value))) if value else 0
    return f"{value:z,.{decimals}f}"


def _exponent(value: float) -> int:
    return int(f"{value:.2e}".partition("e")[2])


@dataclass(frozen=True)
class Metric:
    """How a stored metric is shown.

    Attributes:
        name: As in `ml.metrics`.
        label: For people.
        meaning: One line under its tile.
        text: Its value for people.
        has_interval: Whether the bootstrap says something of it.
        is_tile: Whether it is one of the few at the top.
        is_compared: Whether it is a column of the table of methods.
    """

    name: str
    label: str
    meaning: str
    text: Callable[[float], str] = score
    has_interval: bool = True
    is_tile: bool = True
    is_compared: bool = True


METRICS = (
    Metric("eta2_spend", "η² of later spend", "share of the variance of later spend that lies between segments"),
    Metric("eta2_orders", "η² of later orders", "the same of orders"),
    Metric("stability", "Stability", "agreement of fits on resampled rows; 0.8 is wanted, 1 is the same"),
    Metric("silhouette", "Silhouette", "how much nearer rows are to their own segment; 1 is best"),
    Metric("davies_bouldin", "Davies–Bouldin", "width of segments over their distance; less is better"),
    Metric("n_segments", "Segments", "that rows fell into", count, has_interval=False),
    Metric("hit_rate_10", "HR@10", "customers of whose next step something is among the first ten"),
    Metric("ndcg_10", "NDCG@10", "the same, where a higher place counts more"),
    Metric("mrr_10", "MRR@10", "one over the place of the first that came"),
    Metric("recall_20", "Recall@20", "share of the next step among the first twenty", is_tile=False),
    Metric("auc", "AUC", "how often a positive row scores above a negative one; 0.5 is chance"),
    Metric("normalized_gini", "Normalised Gini", "how well customers are ranked by what they will spend; 1 is perfect"),
    Metric("bias", "Bias", "predicted over observed total, less one", percent),
    Metric("rmse", "RMSE", "root of the mean squared error", amount),
    Metric("mae", "MAE", "mean absolute error", amount),
    Metric("spearman", "Spearman", "rank correlation of predicted and observed spend"),
    Metric("decile_mape", "Decile MAPE", "mean gap of predicted and observed totals by tenth", percent, is_tile=False),
    Metric("r2", "R²", "share of the variance explained; 0 is the mean"),
    Metric("log_loss", "Log-loss", "less is better"),
    Metric("accuracy", "Accuracy", "rows whose class is right; of two classes at the threshold", percent),
    Metric("precision", "Precision", "of the rows taken for positive at the threshold, those that are", percent),
    Metric("recall", "Recall", "of the positive rows, those taken for positive at the threshold", percent),
    Metric("f1", "F1", "harmonic mean of precision and recall"),
    Metric("brier", "Brier score", "mean squared error of the probability", is_tile=False),
    Metric("ece", "ECE", "mean gap of predicted and observed rate", has_interval=False),
    Metric("top_decile_lift", "Top-decile lift", "rate in the highest tenth over the base rate"),
    Metric("coverage_90", "Coverage", "rows inside their 90 % interval", percent, is_compared=False),
    Metric("width_90", "Interval width", "of 90 %, on average; for classes, how many", amount, is_compared=False),
    Metric("base_rate", "Base rate", "of the rows held out", percent, has_interval=False, is_compared=False),
    Metric("n_rows", "Rows", "held out, not trained on", count, has_interval=False, is_compared=False),
)


@dataclass(frozen=True)
class Figure:
    """A chart with the words around it."""

    title: str
    note: str
    svg: Markup


@dataclass(frozen=True)
class _Source:
    """The stored rows of one version."""

    cursor: duckdb.DuckDBPyConnection
    version_id: str

    def rows(self, query: str) -> list[Row]:
        found = self.cursor.execute(query, [self.version_id])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def columns(self, query: str) -> Columns:
        return _columns(self.rows(query))


def page(cursor: duckdb.DuckDBPyConnection, version: Version, projection_kind: str = "pca") -> str:
    """The report of a version as HTML; `projection_kind` is how segments are laid out on a plane, pca or tsne."""
    source = _Source(cursor, version.version_id)
    measured = source.rows("SELECT * FROM ml.metrics WHERE version_id = $1 AND value IS NOT NULL")
    environment = Environment(
        loader=PackageLoader("sqlml"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        version=version,
        head=source.rows(queries.text("report/version"))[0],
        warnings=[row["warning"] for row in source.rows("SELECT warning FROM ml.warnings WHERE version_id = $1")],
        tiles=list(_tiles(measured, version.method)),
        comparisons=list(_comparisons(measured, version.method)),
        held_out=list(_held_out(source, version)),
        classes=list(_classes(source, version)),
        segments=_segments(source, version, projection_kind),
        features=_features(source),
        history=list(_history(source, is_share=version.encoder.target.kind == "binary")),
        record=_record(source),
        percent=percent,
        count=count,
        with_spread=with_spread,
    )


def file_name(model: str) -> str:
    """A file to write to, whatever the model is named."""
    stem = re.sub(r"[^\w-]+", "_", model).strip("_") or "model"
    return f"{stem}.html"


def _tiles(measured: Iterable[Row], method: str) -> Iterator[Row]:
    found = {(row["population"], row["metric"]): row for row in measured if row["method"] == method}
    for metric in METRICS:
        if metric.is_tile and ("all", metric.name) in found:
            active = found.get(("active", metric.name))
            yield {"metric": metric, **_shown(metric, found["all", metric.name]),
                   "active": _shown(metric, active) if active else None}  # fmt: skip


def _comparisons(measured: Iterable[Row], method: str) -> Iterator[Row]:
    """A table for every population that more than one method was measured on, the best method first."""
    for population in ("all", "active"):
        cells = {(r["method"], r["metric"]): r for r in measured if r["population"] == population}
        methods = sorted({name for name, _ in cells}, key=lambda name: _loss(cells, name))
        metrics = [m for m in METRICS if m.is_compared and any((name, m.name) in cells for name in methods)]
        if len(methods) > 1:
            yield {"population": population, "metrics": metrics, "rows": [
                {"method": name, "is_this": name == method,
                 "cells": [_shown(m, cells.get((name, m.name))) for m in metrics]} for name in methods]}  # fmt: skip


def _loss(cells: Mapping[tuple[str, str], Row], method: str) -> float:
    found = (cells.get((method, metric)) for metric in ("log_loss", "rmse"))
    explained = cells.get((method, "eta2_spend"))
    return next((float(row["value"]) for row in found if row), -explained["value"] if explained else float("inf"))


def _shown(metric: Metric, row: Row | None) -> Row:
    """Value and interval as text."""
    if row is None:
        return {"value": "", "interval": ""}
    interval = ""
    if metric.has_interval and row["low"] is not None:
        interval = f"{metric.text(row['low'])} to {metric.text(row['high'])}"
    return {"value": metric.text(row["value"]), "interval": interval}


def _held_out(source: _Source, version: Version) -> Iterator[Figure]:
    """What the rows held out show; nothing where there are none."""
    kind = version.encoder.target.kind
    rows = source.rows("SELECT count(*) AS n, avg(label) AS base_rate FROM ml.predictions WHERE version_id = $1")[0]
    if not rows["n"] or kind == "items":
        return
    if kind == "binary":
        yield from _of_two_classes(source, rows["base_rate"])
    elif kind == "segment":
        later = source.columns(queries.text("report/later"))
        note = "Of the rehearsal, whose segments are numbered by what customers had spent: what they went on to spend."
        yield Figure("What came later", note, Markup(charts.later(later)))
    elif kind == "classes":
        scores = source.columns(queries.text("report/scores"))
        note = "How sure the model was of its choice. Of several classes only the largest probability of a row is kept."
        yield Figure("Certainty", note, Markup(charts.surest(scores)))
    else:
        yield from _of_numbers(source)


def _of_two_classes(source: _Source, base_rate: float) -> Iterator[Figure]:
    if not 0 < base_rate < 1:
        return
    curve, deciles = (source.columns(queries.text(f"report/{name}")) for name in ("curves", "lift"))
    bins, scores = (source.columns(queries.text(f"report/{name}")) for name in ("calibration", "scores"))
    yield Figure("ROC", "Every threshold is a point; the dashed line is chance.", Markup(charts.roc(curve)))
    note = f"The dashed line is the base rate, {percent(base_rate)}."
    yield Figure("Precision and recall", note, Markup(charts.precision_recall(curve, base_rate)))
    note = "Ten bins of equally many rows, with 90 % intervals; on the dashed line predictions are right on average."
    yield Figure("Calibration", note, Markup(charts.calibration(bins, scores)))
    reached = f"The highest fifth of the scores holds {percent(deciles['gain'][1])} of the positives."
    note = f"{reached} The dashed line is a random order."
    yield Figure("Cumulative gain", note, Markup(charts.gain(deciles)))
    yield Figure("Lift by decile", "The dashed line is the base rate.", Markup(charts.lift(deciles)))


def _of_numbers(source: _Source) -> Iterator[Figure]:
    bins, off = (source.columns(queries.text(f"report/{name}")) for name in ("fit", "residuals"))
    note = "Up to twenty bins of equally many rows: their mean, and the range of nine in ten actual values."
    yield Figure("Predicted and actual", note, Markup(charts.fit(bins)))
    if off:
        note = "The middle 99 % of the rows held out; right of the dashed line the prediction was too low."
        yield Figure("Residuals", note, Markup(charts.residuals(off)))
    if covered := source.columns(queries.text("report/coverage")):
        note = "How many rows held out lie inside a 90 % interval made without them; the dashed line is 90 %."
        yield Figure("Coverage by decile", note, Markup(charts.coverage(covered)))


def _classes(source: _Source, version: Version) -> Iterator[Row]:
    levels = version.encoder.target.levels
    if version.encoder.target.kind == "classes":
        for row in source.rows(queries.text("report/classes")):
            yield {"name": levels[row["code"]], **row}


def _segments(source: _Source, version: Version, kind: str) -> Row | None:
    """The segments with what tells them, a picture, a heat map of their profiles, and who moved."""
    if version.encoder.target.kind != "segment":
        return None
    rows = source.rows("FROM ml.segments_of($1)")
    return {
        "rows": rows,
        "figures": [_map(source, version, kind)],
        "profiles": _profiles(source.rows(queries.text("report/heat")), [row["segment"] for row in rows]),
        "moves": _moves(source.rows(queries.text("report/moves"))),
    }


def _map(source: _Source, version: Version, kind: str) -> Figure:
    weights = Catalog(source.cursor, version.database).weights(version.version_id)
    points = projection.plane(kind, weights[MAP_INPUTS], version.encoder)
    drawn = {
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "segment": weights[MAP_SEGMENTS].astype(int).tolist(),
    }
    how = "t-SNE" if kind == "tsne" else "the first two principal components"
    note = f"{len(points):,} of the rows by {how} of their standardised columns, in the colour of their segment."
    return Figure("Map", note, Markup(charts.plane(drawn)))


def _profiles(rows: list[Row], segments: list[int]) -> Row:
    """A row a feature, a column a segment: the means, orange above that of all and blue below."""
    cells = {(row["feature"], row["segment"]): _cell(amount(row["mean"]), row["z"] / FULL_HEAT) for row in rows}
    return _heat({row["feature"]: row["feature"] for row in rows}, segments, cells)


def _moves(rows: list[Row]) -> Row | None:
    """A row a segment of before, a column a segment of after: how many went there, and the colour which share."""
    if not rows:
        return None
    since, until = (rows[0][end].strftime("%Y-%m-%d") for end in ("since", "until"))
    names = {
        row["from_segment"]: "not there yet" if row["from_segment"] is None else row["from_segment"] for row in rows
    }
    cells = {(row["from_segment"], row["to_segment"]): _cell(count(row["customers"]), -row["share"]) for row in rows}
    return {"since": since, "until": until, "table": _heat(names, sorted({to for _, to in cells}), cells)}


def _cell(text: str, heat: float) -> Row:
    """Orange above 0, blue below, the stronger the nearer to 1."""
    return {"text": text, "color": f"{ORANGE if heat > 0 else BLUE}, {0.75 * min(1.0, abs(heat)):.2f}"}


def _heat(names: Mapping[Any, object], columns: list[int], cells: Mapping[tuple[Any, int], Row]) -> Row:
    """A table of cells by (row, column)."""
    rows = [{"name": name, "cells": [cells.get((row, column)) for column in columns]} for row, name in names.items()]
    return {"columns": columns, "rows": rows}


def _features(source: _Source) -> Row:
    """The features that matter most, with bars in per cent of the longest."""
    found = source.rows("SELECT * FROM ml.importance WHERE version_id = $1 ORDER BY importance DESC, feature")
    longest = max((row["importance"] + row["deviation"] for row in found), default=0)
    scale = 100 / longest if longest > 0 else 0
    for row in found:
        low, high = (max(0, row["importance"] + sign * row["deviation"]) * scale for sign in (-1, 1))
        row |= {"bar": max(0, row["importance"]) * scale, "low": low, "spread": high - low}
    return {"rows": found[:SHOWN_FEATURES], "more": len(found[SHOWN_FEATURES:])}


def _history(source: _Source, *, is_share: bool) -> Iterator[Figure]:
    """How the training went, and what it was shown."""
    log = source.columns("SELECT * FROM ml.training_log WHERE version_id = $1 ORDER BY epoch")
    if len(log.get("epoch", ())) > 1:
        yield Figure("Loss by epoch", "Of the training of the model that was kept.", Markup(charts.losses(log)))
    cutoffs = source.rows("SELECT * FROM ml.cutoffs WHERE version_id = $1 ORDER BY as_of")
    if cutoffs:
        by_purpose = {name: _columns([row for row in cutoffs if row["purpose"] == name]) for name in charts.PURPOSES}
        title, what = ("Base rate", "share of positives") if is_share else ("Mean label", "mean label")
        note = f"The {what} at each moment the training looked ahead from."
        yield Figure(f"{title} by cut-off", note, Markup(charts.base_rates(by_purpose, is_share=is_share)))


def _record(source: _Source) -> list[tuple[str, list[Row]]]:
    """The record by topic; the warnings stand at the top of the page."""
    rows = [row for row in source.rows(queries.text("catalog/report")) if row["topic"] != "warning"]
    return [(topic, list(group)) for topic, group in groupby(rows, itemgetter("topic"))]


def _columns(rows: Iterable[Row]) -> Columns:
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return found
