"""Segments in the database: how far they tell the future apart, what sets each apart, what it is called."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import clustering, evaluation, explanation, queries, segmentation
from sqlml.catalog import MAP_INPUTS, MAP_SEGMENTS
from sqlml.encoding import Arrays
from sqlml.errors import first_line
from sqlml.evaluation import HeldOut, Vector
from sqlml.methods import rfm
from sqlml.methods.base import State
from sqlml.methods.centers import CENTERS, is_segmented
from sqlml.options import ModelOptions
from sqlml.search import Trial
from sqlml.segmentation import STABLE, Figures
from sqlml.tasks import Task
from sqlml.training import Stage
from sqlml.transforms import Encoder

SPENT = "amount_total"
UNKNOWN = (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException, duckdb.InvalidInputException)
"""What DuckDB says where columns are gone or of another type, and where the model itself is damaged."""
MAP_ROWS, MAIN_COLUMNS = 1000, 8


@dataclass(frozen=True)
class Compared:
    """What a test of segments found; of rows (n,) `labels` are the later spend, `answers` the mean of their segment."""

    options: ModelOptions
    trials: Sequence[Trial]
    answers: Vector
    labels: Vector


@dataclass(frozen=True)
class Segmented:
    """Segments as they are kept.

    Attributes:
        state: Of the method.
        encoder: Its target has their names and numbers.
        now: The rows that were segmented.
        numbers: Of each of them the number of its segment, (n,).
        rows: (segment, name, customers, revenue) of each.
        profiles: (segment, feature, mean, z, whether it is one of the main ones).
    """

    state: State
    encoder: Encoder
    now: Arrays
    numbers: NDArray[np.int64]
    rows: Sequence[tuple[object, ...]]
    profiles: Sequence[tuple[object, ...]]

    @property
    def background(self) -> Vector:
        """Rows of inputs that stand for all."""
        return explanation.background(self.now, self.numbers[:, None].astype(np.float32))

    @property
    def drawn(self) -> dict[str, NDArray[np.float32]]:
        """What a picture is made of: some rows, evenly chosen, with their segments."""
        chosen = np.linspace(0, len(self.numbers) - 1, min(len(self.numbers), MAP_ROWS)).astype(int)
        return {MAP_INPUTS: self.now.inputs[chosen], MAP_SEGMENTS: self.numbers[chosen].astype(np.float32)}


def compare(
    cursor: duckdb.DuckDBPyConnection,
    task: Task,
    options: ModelOptions,
    encoder: Encoder,
    data: Arrays,
    test: tuple[pa.Table, Arrays],
    stage: Stage,
) -> Compared:
    """Choose a method and a `k` on `data`, test them and those beside on later rows; leaves `sqlml_metrics`.

    Args:
        cursor: Where the metrics are written.
        task: Its methods are tried, those beside are tested at the same k.
        options: `method` may be auto, `k` None.
        encoder: Fitted on `data`.
        data: What may be known.
        test: Keys of rows and what came after them.
        stage: For the progress bar.
    """
    chosen, found = segmentation.choose(data, encoder, options, task.methods, stage)
    keys, rows = test
    shown = {method: dataclasses.replace(chosen, method=method) for method in (chosen.method, *task.beside)}
    segments = {name: _segments(data, encoder, each, rows) for name, each in shown.items()}
    scores = [(name, numbers.astype(np.float32)) for name, numbers in segments.items()]
    evaluation.compare(cursor, HeldOut(keys, scores), options.seed, encoder.target)
    known = {(f.method, f.k): f for f in found}
    for name in shown:
        k = len(rfm.NAMES) if name == "rfm" else chosen.k
        _add_figures(cursor, name, known.get((name, int(k or 0))))  # of what was tried
    return Compared(chosen, segmentation.trials(found, chosen), _means(segments[chosen.method], rows), rows.truth)


def choose(
    cursor: duckdb.DuckDBPyConnection,
    task: Task,
    options: ModelOptions,
    encoder: Encoder,
    data: Arrays,
    stage: Stage,
) -> tuple[ModelOptions, list[Trial]]:
    """Choose a method and a `k` where there is no later; leaves `sqlml_metrics` of how stable and clear they are."""
    chosen, found = segmentation.choose(data, encoder, options, task.methods, stage)
    cursor.execute(queries.text("segments/no_later")).fetchall()
    for figures in found:
        if figures.k == chosen.k:
            _add_figures(cursor, figures.method, figures)
    return chosen, segmentation.trials(found, chosen)


def note(trials: Sequence[Trial]) -> list[str]:
    """A warning where what was chosen is not stable."""
    stability = next((float(str(t.options["stability"])) for t in trials if t.is_chosen), STABLE)
    if stability >= STABLE:
        return []
    return [
        f"The segments are not stable: fitted on other samples of the same customers they agree by an adjusted Rand "
        f"index of {stability:.2f}, where {STABLE} is wanted. Fewer segments (k), or more customers, would help."
    ]


def numbers_so_far(cursor: duckdb.DuckDBPyConnection, query: str) -> NDArray[np.int64] | None:
    """The segment of each row until now, 0 of none; None, with a warning, where the version before cannot say it."""
    try:
        return cursor.sql(query).to_arrow_table().column(0).to_numpy().astype(np.int64)
    except UNKNOWN as error:
        warnings.warn(f"Segments are numbered anew, not as before: {first_line(error)}.", stacklevel=2)
        return None


def keep(
    cursor: duckdb.DuckDBPyConnection,
    options: ModelOptions,
    encoder: Encoder,
    data: Arrays,
    old: NDArray[np.int64] | None,
    stage: Stage,
) -> Segmented:
    """The chosen method on all that is known: segments, numbered, profiled and named.

    Args:
        cursor: Where profiles are computed.
        options: The method and `k`.
        encoder: Fitted on `data`.
        data: Examples; those of exposure 0 are segmented.
        old: The numbers of the segments that these had so far, 0 of none; None where there are none.
        stage: For the progress bar.
    """
    now = data.where(is_segmented(data))
    how = segmentation.segmenter(options.method)
    state = how.fit(data, encoder, options, None, stage("all rows"), old)
    places, k = how.segments(state.weights, encoder, now.inputs), len(state.weights[CENTERS])
    worth = _worth(encoder, now)
    numbers = _numbers(options.method, places, worth, k, old)
    each = np.array(numbers)[places]
    _profile(cursor, encoder, now.inputs, each, worth)
    names = dict(enumerate(rfm.NAMES, 1)) if options.method == "rfm" else _names(cursor, encoder)
    levels = tuple(names.get(number, f"segment {number}") for number in numbers)
    target = dataclasses.replace(encoder.target, numbers=numbers, levels=levels)
    sizes = cursor.execute(queries.text("segments/sizes")).fetchall()
    profiles = cursor.execute("SELECT segment, feature, mean, z, is_main FROM sqlml_profiles ORDER BY place").fetchall()
    known = dict(zip(numbers, levels, strict=True))
    rows = [(number, known[number], *figures) for number, *figures in sizes]
    return Segmented(state, dataclasses.replace(encoder, target=target), now, each, rows, profiles)


def transitions(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    found: Segmented,
    options: ModelOptions,
    data: Arrays,
    since: datetime,
    until: datetime,
) -> list[tuple[object, ...]]:
    """How many customers went from which segment to which: (since, until, from, to, customers)."""
    how = segmentation.segmenter(options.method)
    places = how.segments(found.state.weights, found.encoder, data.inputs)
    cursor.register("sqlml_arrow", pa.table({"number": np.array(found.encoder.target.numbers, np.int32)[places]}))
    values = {"since": since, "until": until}
    rows = cursor.execute(queries.text("segments/transitions", table=table), values).fetchall()
    cursor.unregister("sqlml_arrow")
    return rows


def _segments(data: Arrays, encoder: Encoder, options: ModelOptions, rows: Arrays) -> clustering.Labels:
    """The segments of later rows, numbered by what customers were worth to whom the method was fitted."""
    how = segmentation.segmenter(options.method)
    weights = how.fit(data, encoder, options).weights
    now = data.where(is_segmented(data))
    places = how.segments(weights, encoder, now.inputs)
    numbers = _numbers(options.method, places, _worth(encoder, now), len(weights[CENTERS]), None)
    return np.array(numbers)[how.segments(weights, encoder, rows.inputs)]


def _worth(encoder: Encoder, rows: Arrays) -> NDArray[np.float64] | None:
    """What was spent so far, (n,), where that is known."""
    return rows.inputs[:, encoder.names.index(SPENT)].astype(float) if SPENT in encoder.names else None


def _numbers(
    method: str,
    places: clustering.Labels,
    worth: NDArray[np.float64] | None,
    k: int,
    old: NDArray[np.int64] | None,
) -> tuple[int, ...]:
    """The numbers of segments; the classic ones have theirs."""
    if method == "rfm":
        return tuple(range(1, k + 1))
    value = np.ones(len(places)) if worth is None else np.nan_to_num(worth)
    return segmentation.numbered(places, value, k, old)


def _means(places: clustering.Labels, rows: Arrays) -> Vector:
    sums, counts = np.bincount(places, rows.truth), np.bincount(places)
    return (sums / np.maximum(counts, 1))[places].astype(np.float32)


def _add_figures(cursor: duckdb.DuckDBPyConnection, name: str, found: Figures | None) -> None:
    if found is None:
        return
    known: Mapping[str, float] = {
        metric: getattr(found, metric) for metric in ("stability", "silhouette", "davies_bouldin")
    }
    rows = [(name, "all", metric, value, None, None) for metric, value in known.items()]
    cursor.executemany("INSERT INTO temp.sqlml_metrics VALUES (?, ?, ?, ?, ?, ?)", rows)


def _profile(
    cursor: duckdb.DuckDBPyConnection,
    encoder: Encoder,
    inputs: NDArray[np.float32],
    numbers: NDArray[np.int64],
    worth: NDArray[np.float64] | None,
) -> None:
    """Fill the temporary tables `sqlml_segmented` (a row a row) and `sqlml_profiles` (a row a segment and feature)."""
    columns = {name: pa.array(values, from_pandas=True) for name, values in _features(encoder, inputs)}
    spent = np.full(len(numbers), np.nan) if worth is None else worth
    listed = {"__sqlml_segment": pa.array(numbers), "__sqlml_worth": pa.array(spent, from_pandas=True)}
    cursor.register("sqlml_arrow", pa.table({**listed, **columns}))
    cursor.execute("CREATE OR REPLACE TEMP TABLE sqlml_segmented AS FROM sqlml_arrow").fetchall()
    cursor.unregister("sqlml_arrow")
    main = rfm.COLUMNS if _is_of_customers(encoder) else list(columns)[:MAIN_COLUMNS]
    values = {"main": list(main), "columns": list(columns)}
    cursor.execute(queries.text("segments/profiles"), values).fetchall()


def _features(encoder: Encoder, inputs: NDArray[np.float32]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Numbers as they are, NaN where missing or not finite; a column of 0 and 1 for each level of a category."""
    values = np.where(np.isfinite(inputs), inputs, np.nan).astype(np.float64)
    if _is_of_customers(encoder) and SPENT in encoder.names:
        place = encoder.names.index(SPENT)
        values[:, place] = np.nan_to_num(values[:, place])  # who has bought nothing has spent 0
    for place, column in enumerate(encoder.columns):
        if not column.is_category:
            yield column.name, values[:, place]
        for code, level in enumerate(column.levels, 1):
            yield f"{column.name} = {level}", (values[:, place] == code).astype(np.float64)


def _is_of_customers(encoder: Encoder) -> bool:
    return set(rfm.COLUMNS[:2]) <= set(encoder.names)


def _names(cursor: duckdb.DuckDBPyConnection, encoder: Encoder) -> dict[int, str]:
    of = "customers" if _is_of_customers(encoder) else "rows"
    return dict(cursor.execute(queries.text(f"segments/names_of_{of}")).fetchall())
