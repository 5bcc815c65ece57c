"""The figures of a report, each as the text of one inline SVG. No text of the database enters a figure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

Columns = Mapping[str, Sequence[Any]]
SIZE = (4.2, 3.2)
BLUE, ORANGE, GREY = "#1f5f8b", "#c2571a", "#8a9099"
STYLE = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.labelcolor": "#3d434b",
    "axes.edgecolor": "#b6bcc4",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaed",
    "xtick.color": "#5a616a",
    "ytick.color": "#5a616a",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
PURPOSES = {
    "test": ("test", GREY, "s", 9.0),
    "rehearse": ("rehearsal", ORANGE, "o", 6.5),
    "train": ("training", BLUE, "o", 4.0),
}
"""Of cut-offs: label, colour, marker and its size, the smaller above: one moment can serve several purposes."""
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PROLOGUE = re.compile(r"^.*?(?=<svg )|<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)
_ID = re.compile(r'(?<=\sid=")|(?<=href="#)|(?<=url\(#)')


def percent(share: float) -> str:
    """A share for people: 66.2 %, 5 %."""
    return f"{100 * share:.3g} %"


def roc(curve: Columns) -> str:
    """Recall against the share of negatives taken along."""
    figure, axes = _shares("false positive rate", "recall")
    _diagonal(axes)
    axes.plot([0, *curve["false_positive_rate"]], [0, *curve["recall"]], color=BLUE)
    return _svg(figure, "roc")


def precision_recall(curve: Columns, base_rate: float) -> str:
    """Precision against recall, over the base rate."""
    figure, axes = _shares("recall", "precision")
    axes.axhline(base_rate, color=GREY, linestyle="--", linewidth=1)
    axes.plot(curve["recall"], curve["precision"], color=BLUE)
    return _svg(figure, "precision-recall")


def calibration(bins: Columns, scores: Columns) -> str:
    """Observed rates against predicted ones, and below how many rows have which prediction."""
    with rc_context(STYLE):
        figure = Figure(SIZE, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _diagonal(upper)
    _whiskers(upper, bins["mean_score"], bins["observed_rate"], bins["low"], bins["high"])
    _label(upper, "", "observed")
    _label(lower, "predicted", "rows")
    _histogram(lower, scores)
    right, top = max(20 * scores["width"][0], *bins["mean_score"]), max(*bins["high"], *bins["mean_score"])
    upper.set(xlim=(-0.02 * right, 1.02 * right), ylim=(-0.02 * top, 1.02 * top))
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_major_formatter(FuncFormatter(_percent_tick))
    lower.yaxis.set_major_locator(MaxNLocator(2))
    figure.align_ylabels()
    return _svg(figure, "calibration")


def gain(deciles: Columns) -> str:
    """Which share of the positives the highest scores hold."""
    figure, axes = _shares("share of rows, highest score first", "share of positives")
    _diagonal(axes)
    axes.plot([0, *(d / 10 for d in deciles["decile"])], [0, *deciles["gain"]], color=BLUE, marker="o", markersize=4)
    return _svg(figure, "gain")


def lift(deciles: Columns) -> str:
    """How many times the base rate each tenth of the rows has."""
    figure, axes = _axes("tenth of the rows, highest score first", "times the base rate")
    axes.bar(deciles["decile"], deciles["lift"], color=BLUE, width=0.8)
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1)
    axes.set_xticks(deciles["decile"])
    axes.grid(visible=False, axis="x")
    return _svg(figure, "lift")


def surest(scores: Columns) -> str:
    """How many rows have which largest probability."""
    figure, axes = _axes("probability of the class chosen", "rows")
    _histogram(axes, scores)
    axes.xaxis.set_major_formatter(FuncFormatter(_percent_tick))
    return _svg(figure, "surest")


def fit(bins: Columns) -> str:
    """Actual numbers against predicted ones."""
    figure, axes = _axes("predicted", "actual")
    axes.axline((bins["mean_score"][0], bins["mean_score"][0]), slope=1, color=GREY, linestyle="--", linewidth=1)
    _whiskers(axes, bins["mean_score"], bins["mean_label"], bins["low"], bins["high"])
    return _svg(figure, "fit")


def coverage(deciles: Columns) -> str:
    """Which share of each tenth of the rows lies inside its 90 % interval."""
    figure, axes = _axes("tenth of the rows, lowest prediction first", "inside the interval")
    axes.bar(deciles["decile"], deciles["coverage"], color=BLUE, width=0.8)
    axes.axhline(0.9, color=GREY, linestyle="--", linewidth=1)
    axes.set_xticks(deciles["decile"])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(_percent_tick))
    axes.grid(visible=False, axis="x")
    return _svg(figure, "coverage")


def residuals(bins: Columns) -> str:
    """How many rows are off by how much."""
    figure, axes = _axes("actual less predicted", "rows")
    _histogram(axes, bins)
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1)
    return _svg(figure, "residuals")


def plane(points: Columns) -> str:
    """Rows as points, in the colour of their segment."""
    figure, axes = _axes("", "")
    colors = colormaps["tab20" if len(set(points["segment"])) > 10 else "tab10"]  # noqa: PLR2004
    for place, segment in enumerate(sorted(set(points["segment"]))):
        mine = [i for i, each in enumerate(points["segment"]) if each == segment]
        x, y = ([points[axis][i] for i in mine] for axis in ("x", "y"))
        axes.scatter(x, y, s=7, color=colors(place % colors.N), alpha=0.65, linewidths=0, label=str(segment))
    axes.set(xticks=[], yticks=[])
    axes.legend(frameon=False, fontsize=9, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, "plane")


def later(segments: Columns) -> str:
    """What customers of each segment went on to spend, on average."""
    figure, axes = _axes("segment", "mean later spend")
    axes.bar(range(len(segments["segment"])), segments["mean_label"], color=BLUE, width=0.8)
    axes.set_xticks(range(len(segments["segment"])), [str(each) for each in segments["segment"]])
    axes.grid(visible=False, axis="x")
    return _svg(figure, "later")


def losses(log: Columns) -> str:
    """Losses by epoch; the second line only where it is another."""
    figure, axes = _axes("epoch", "loss")
    axes.plot(log["epoch"], log["training_loss"], color=BLUE, label="training")
    if any(loss is not None for loss in log["stopping_loss"]):
        axes.plot(log["epoch"], log["stopping_loss"], color=ORANGE, label="stopping")
        axes.legend(frameon=False, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return _svg(figure, "losses")


def base_rates(cutoffs: Mapping[str, Columns], *, is_share: bool) -> str:
    """The mean label at every cut-off, of a truth its share, by purpose."""
    figure, axes = _axes("", "base rate" if is_share else "mean label")
    for purpose, (label, color, marker, size) in PURPOSES.items():
        points = cutoffs[purpose]
        if points:
            axes.plot(points["as_of"], points["base_rate"], color=color, marker=marker, markersize=size, label=label)
    axes.margins(0.08, 0.15)
    if is_share:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(_percent_tick))
    locator = AutoDateLocator(minticks=2, maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return _svg(figure, "base-rates")


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    with rc_context(STYLE):
        figure = Figure(SIZE, layout="constrained")
        axes = figure.subplots()
    _label(axes, x, y)
    return figure, axes


def _shares(x: str, y: str) -> tuple[Figure, Axes]:
    figure, axes = _axes(x, y)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_percent_tick))
    return figure, axes


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: int | None = None) -> str:
    if 1e6 <= abs(value) < 1e10:  # noqa: PLR2004
        return f"{value / 1e6:,g} M"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"  # noqa: PLR2004


def _percent_tick(value: float, _: int | None = None) -> str:
    return percent(value)


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)


def _whiskers(axes: Axes, x: Sequence[float], y: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
    axes.vlines(x, low, high, color=BLUE, linewidth=1.2, alpha=0.45)
    axes.plot(x, y, color=BLUE, marker="o", markersize=4, linewidth=1)


def _histogram(axes: Axes, bins: Columns) -> None:
    axes.bar(bins["low"], bins["n"], width=bins["width"], align="edge", color=BLUE, edgecolor="white", linewidth=0.6)


def _svg(figure: Figure, name: str) -> str:
    """The figure as one `<svg>` element whose ids no other figure of the page has; the same data, the same text."""
    buffer = StringIO()
    with rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    return _ID.sub(f"{name}-", _PROLOGUE.sub("", buffer.getvalue())).strip()
