"""The SQL around a version's UDFs: the macros that users call, and those that these rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqlml import catalog, queries, registry
from sqlml.catalog import NewVersion
from sqlml.conformal import Conformal
from sqlml.methods import rfm
from sqlml.options import QueryOptions
from sqlml.queries import ROW, Frame, identifier, literal
from sqlml.tasks import Task
from sqlml.transforms import FLAG, Calibration, Column, Encoder


@dataclass(frozen=True)
class FeatureSql:
    """The composed feature queries of a behaviour model: everyone at a moment, one pair, the pairs of a relation."""

    at_moment: str
    of_pair: str
    of_relation: str


def feature_sql(frame: Frame, encoder: Encoder) -> FeatureSql:
    """The queries that give the inputs of the encoder."""
    select = f"SELECT customer_id AS {queries.KEY}, as_of AS {queries.AS_OF}, {fields(encoder)} AS {queries.STRUCT}"
    of_relation = queries.features_of(frame, queries.text("binding/asked"), select, queries.STORED)
    return FeatureSql(queries.features_at(frame, select), queries.features_for(frame, select), of_relation)


def fields(encoder: Encoder) -> str:
    """The inputs of a model as one struct; all flags of a list are one field, so that the list is computed once."""
    listed = (
        f"{literal(name)}: {_flags(columns, kind) if columns[0].is_flag else columns[0].expression}"
        for (name, kind), columns in zip(encoder.types.items(), encoder.fields, strict=True)
    )
    return "{\n  " + ",\n  ".join(listed) + "\n}"


def _flags(columns: Sequence[Column], kind: str) -> str:
    tests = ", ".join(f"list_contains({ONCE}, {c.element})::FLOAT" for c in columns)
    held = f"CASE WHEN {ONCE} IS NOT NULL THEN [{tests}]::{kind} END"
    return f"list_transform([{columns[0].values}], lambda {ONCE}: {held})[1]"


ONCE = "__sqlml_once"
EXTRAS = {
    "_explain": ("explanation_once", "", ""),
    "_interval": ("between_once", ", coverage DOUBLE := 0.9", ", coverage"),
    "_curve": ("curve_once", "", ""),
    "_name": ("name_once", "", ""),
}
"""By the suffix of a further function: the internal macro it calls, its own argument, and that handed on."""


def of_behavior(new: NewVersion, frame: Frame, conformal: Conformal | None) -> Iterator[str]:
    """The statements that make the macros of a behaviour model."""
    internal, target = catalog.internal_macros(new.version_id), new.encoder.target
    (kind, main, _), (_, function_at, _), *others = new.functions
    udf = registry.udf_name(kind, new.version_id)
    answer = f"ml.{internal['answers']}" if target.kind == "segment" else udf
    shared = {**internal, "main": _name(new, main), "udf": answer, "key_type": str(new.key_type),
              "parameter_type": _parameter_type(str(new.key_type))}  # fmt: skip
    yield queries.text("functions/latest")
    yield queries.text(
        "functions/features", silence=str(new.silence), **vars(feature_sql(frame, new.encoder)), **internal
    )
    if target.kind == "segment":
        moves = _name(new, new.model + catalog.MOVES)
        yield queries.text("functions/segment", formula=_segment(new), moves=moves, **_segment_names(new), **internal)
    yield queries.text(
        "functions/by_customer", function=_name(new, main), answer=answer, argument="", given="", **shared
    )
    yield queries.text("functions/by_relation", function_at=_name(new, function_at), argument="", given="",
                       moment=queries.asked_moment(new.silence), **shared)  # fmt: skip
    if target.kind != "segment":
        values = [_values([c for c in new.encoder.columns if c.source == source]) for source in new.encoder.sources]
        yield _explain(new, f"ml.{internal['explanation']}", values, ROW, f"{ROW} IS NOT NULL")
        yield queries.text("functions/explain_once", **internal)
    if conformal is not None:
        yield from _intervals(new, conformal)
        yield queries.text("functions/interval_once", udf=udf, **internal)
    if target.kind == "spend":
        pieces = {
            "periods": str([*range(1, len(target.ends) + 1)]),
            "ends": str(list(target.ends)),
            "discounts": str(list(target.discounts)),
        }
        yield queries.text("functions/curve_once", udf=registry.udf_name("curve", new.version_id), **pieces, **internal)
    for _, function, is_table in others:
        if is_table:
            yield queries.text("functions/curve_table", function=_name(new, function), **shared)
            continue
        answer, argument, given = EXTRAS[function.removeprefix(new.model)]
        yield queries.text("functions/by_customer", function=_name(new, function), answer=f"ml.{internal[answer]}",
                           argument=argument, given=given, **shared)  # fmt: skip


def of_recommender(new: NewVersion, frame: Frame, candidates: str | None) -> Iterator[str]:
    """The statements that make the macros of a recommender."""
    internal, item_type = catalog.internal_macros(new.version_id), frame.behavior.events["item_id"]
    main, function_at, score, similar = (_name(new, function) for _, function, _ in new.functions)
    kinds = ("candidates", *(kind for kind, _, _ in new.functions))
    udfs = {f"udf_{kind}": registry.udf_name(kind, new.version_id) for kind in kinds}
    among = "NULL::BIGINT"
    if candidates is not None:
        among = queries.text(
            "recommend/candidates", condition=candidates, item=queries.item_text(frame.behavior), **udfs
        )
    yield queries.text("functions/latest")
    yield queries.text(
        "functions/features", silence=str(new.silence), **vars(feature_sql(frame, new.encoder)), **internal
    )
    yield queries.text(
        "functions/recommend", main=main, score=score, similar=similar, item_type=item_type,
        item_parameter=_parameter_type(item_type), key_type=str(new.key_type),
        parameter_type=_parameter_type(str(new.key_type)), candidates=among, **udfs, **internal,
    )  # fmt: skip
    yield queries.text(
        "functions/by_relation", main=main, function_at=function_at, udf=f"ml.{internal['answers']}",
        argument=", k BIGINT := 10", given=", k", moment=queries.asked_moment(new.silence), **internal,
    )  # fmt: skip


def _segment(new: NewVersion) -> str:
    """The number of the segment of a struct: a call of the UDF; of RFM plain SQL, which needs no Python."""
    if new.options.method != "rfm":
        return f"{registry.udf_name('segment', new.version_id)}({queries.STRUCT})"
    known = [name in new.encoder.names for name in rfm.COLUMNS]
    columns = {name: f"coalesce(x.{identifier(name)}, 0)" if is_known else "0"
               for name, is_known in zip(rfm.COLUMNS, known, strict=True)}  # fmt: skip
    scores = ("recency", "frequency", "monetary")
    edges = {score: str(row.tolist()) for score, row in zip(scores, new.weights["edges"], strict=True)}
    worth = "(s.frequency + s.monetary + 1) // 2" if known[-1] else "s.frequency"
    return queries.text("functions/rfm", map=str([list(row) for row in rfm.MAP]), worth=worth, **columns, **edges)


def _segment_names(new: NewVersion) -> dict[str, str]:
    target = new.encoder.target
    names = f"[{', '.join(map(literal, target.levels))}]"
    return {"names": names, "numbers": f"({list(target.numbers)}::INTEGER[])"}


def of_row_segments(new: NewVersion) -> Iterator[str]:
    """The statements that make the macros of segments of rows."""
    internal = catalog.internal_macros(new.version_id)
    yield queries.text("functions/inputs", known=_answerable(new.encoder), fields=fields(new.encoder), **internal)
    formula = f"{registry.udf_name('segment', new.version_id)}(ml.{internal['inputs']}({ROW}))"
    public = {part: _name(new, new.model + suffix)
              for part, suffix in (("main", ""), ("name", "_name"), ("predict", catalog.PREDICT))}  # fmt: skip
    yield queries.text("functions/row_segment", formula=formula, **public, **_segment_names(new), **internal)


def _values(columns: Sequence[Column]) -> str:
    """What stands for a source: its one column, or all of them by name."""
    if len(columns) == 1:
        return _value(columns[0])
    named = (f"{literal(f'{c.name} ')} || coalesce({_value(c)}, 'NULL')" for c in columns)
    return f"concat_ws(', ', {', '.join(named)})"


def _value(column: Column) -> str:
    """A column of the struct as text; a code as the level it stands for."""
    field = f"{ROW}.{identifier(column.name)}"
    if not column.is_category:
        return f"{field}::VARCHAR"
    return f"[{', '.join(map(literal, ('other', *column.levels)))}][1 + {field}::INT]"


def _explain(new: NewVersion, function: str, values: Sequence[str], inputs: str, known: str) -> str:
    return queries.text(
        "functions/explain",
        function=function,
        known=known,
        names=f"[{', '.join(map(literal, new.encoder.sources))}]",
        values=f"[{', '.join(values)}]",
        effects=f"{registry.udf_name('explain', new.version_id)}({inputs})",
    )


def _intervals(new: NewVersion, conformal: Conformal) -> Iterator[str]:
    target, internal = new.encoder.target, catalog.internal_macros(new.version_id)
    quantiles, edges = _matrix(conformal), str(list(conformal.edges))
    least = "0" if target.kind in ("amount", "spend") else "'-infinity'::DOUBLE"
    scale = f"greatest(abs(__sqlml_value), {conformal.least!r}::DOUBLE) ^ {conformal.power!r}::DOUBLE"
    yield queries.text("functions/residuals", quantiles=quantiles, edges=edges, **internal)
    variant = "functions/interval_narrow" if conformal.is_narrow else "functions/interval"
    yield queries.text(variant, least=least, scale=scale, whole="round" if target.is_count else "", **internal)


def of_query(
    new: NewVersion,
    task: Task,
    options: QueryOptions,
    label_type: str,
    calibration: Calibration,
    conformal: Conformal,
) -> Iterator[str]:
    """The statements that make the macros of a query model."""
    target, label = new.encoder.target, str(options.label)
    levels = [f"{literal(level)}::{label_type}" for level in target.levels]
    named = {
        f.pattern.removeprefix("{model}").strip("_") or "main": _name(new, f.pattern.format(model=new.model))
        for f in task.functions
    }
    internal = catalog.internal_macros(new.version_id)
    shared = {**internal, **named}
    if not target.levels:
        yield from _intervals(new, conformal)
    values = [f"{ROW}.{identifier(source)}::VARCHAR" for source in new.encoder.sources]
    known = _answerable(new.encoder)
    yield queries.text("functions/inputs", known=known, fields=fields(new.encoder), **internal)
    inputs = f"ml.{internal['inputs']}({ROW})"
    yield _explain(new, f"ml.{internal['explanation']}", values, inputs, known)
    yield queries.text(
        f"functions/{task.macros}",
        formula=_formula(new, task, calibration),
        predict=_name(new, new.model + catalog.PREDICT),
        predicted=literal(f"predicted_{label}"),
        probability=literal(f"predicted_{label}_probability"),
        levels=f"[{', '.join(levels)}]",
        negative=levels[0] if levels else "NULL",
        positive=levels[-1] if levels else "NULL",
        threshold=str(options.threshold),
        quantiles=_matrix(conformal),
        **shared,
    )


def _name(new: NewVersion, function: str) -> str:
    return catalog.placeholder(new.version_id, function.removeprefix(new.model))


def _answerable(encoder: Encoder) -> str:
    """Whether a row gets an answer; an error under settings of the session that give the SQL another meaning."""
    return f"(ml.settings_fit() AND {queries.any_known(encoder.sources)})"


def _formula(new: NewVersion, task: Task, calibration: Calibration) -> str:
    """The answer to a row: a call of the UDF; of a linear model with one output plain SQL, which needs no Python."""
    inputs = f"ml.{catalog.internal_macros(new.version_id)['inputs']}({ROW})"
    if new.options.method not in ("logistic", "linear") or new.encoder.target.kind == "classes":
        return f"{registry.udf_name(task.functions[0].kind, new.version_id)}({inputs})"
    known, formula = _answerable(new.encoder), linear_sql(new.encoder, new.weights, calibration)
    return f"CASE WHEN {known} THEN {formula} END"


def linear_sql(encoder: Encoder, weights: Mapping[str, NDArray[np.float32]], calibration: Calibration) -> str:
    """The calibrated answer of a linear model with one output as an SQL expression over a row.

    The same as `sqlml.methods.linear` computes: signed logarithms, one-hot codes, a weight for what is missing.
    """
    slope = weights["slope"][:, 0].astype(float)
    n_raw, n_flags = encoder.levels.count(0), encoder.levels.count(FLAG)
    n_numbers, n_missing = n_raw + n_flags, len(encoder.columns) - n_flags
    numbers, missing = iter(slope[:n_numbers]), iter(slope[n_numbers : n_numbers + n_missing])
    codes = slope[n_numbers + n_missing :]
    raw = iter(slope[-n_raw:] if n_raw and "raw_mean" in weights else np.zeros(n_raw))
    terms, start = [], 0
    flags: dict[str, list[tuple[str, float, float]]] = {}
    for place, (column, mean, deviation) in enumerate(
        zip(encoder.columns, weights["mean"], weights["deviation"], strict=True)
    ):
        if column.is_flag:
            weight = float(next(numbers)) / float(deviation)
            flags.setdefault(column.values, []).append((column.element, weight * math.log(2), weight * float(mean)))
            continue
        value = f"({ONCE if column.is_read else column.expression})::DOUBLE"
        absent = next(missing)
        if column.is_category:
            listed = codes[start : (start := start + len(column.levels) + 1)]
            weight_of = f"([{', '.join(map(repr, listed.tolist()))}]::DOUBLE[])"
            terms.append(f"coalesce({weight_of}[1 + {value}::INT], {float(absent)!r})")
            continue
        scaled = f"(sign({value}) * ln(1 + least(abs({value}), 1e30)) - {float(mean)!r}) / {float(deviation)!r}"
        line = _line(value, float(next(raw)), weights, place)
        term = f"CASE WHEN isfinite({value}) THEN {float(next(numbers))!r} * ({scaled}){line} END"
        term = f"coalesce({term}, {float(absent)!r})"
        terms.append(f"list_transform([{column.expression}], lambda {ONCE}: {term})[1]" if column.is_read else term)
    terms += [_flagged(values, *map(list, zip(*each, strict=True))) for values, each in flags.items()]
    total = queries.tree(" + ", [repr(float(weights["intercept"][0])), *terms])
    link = f"{calibration.slope[0]!r} * ({total}) + {calibration.offset[0]!r}"
    target = encoder.target
    if target.kind == "binary":
        return f"(1 / (1 + exp(-({link}))))::FLOAT"
    if target.kind == "amount":
        return f"{target.scale!r} * exp(greatest(-30, least(30, {link})))"
    return f"{target.center!r} + {target.scale!r} * ({link})"


def _flagged(values: str, elements: Sequence[str], weights: Sequence[float], means: Sequence[float]) -> str:
    """The term of all flags of a list: the weights of what it holds, nothing where it is missing."""
    weight = f"({weights}::DOUBLE[])[list_position([{', '.join(elements)}], {ONCE})]"
    held = f"list_sum(list_transform(list_distinct({values}), lambda {ONCE}: {weight}))"
    return f"CASE WHEN {values} IS NOT NULL THEN coalesce({held}, 0) - {sum(means)!r} ELSE 0 END"


def _line(value: str, slope: float, weights: Mapping[str, NDArray[np.float32]], place: int) -> str:
    """The term of a number as it is."""
    if not slope:
        return ""
    low, high, mean, deviation = (float(weights[n][place]) for n in ("low", "high", "raw_mean", "raw_deviation"))
    return f" + {slope!r} * ((least(greatest({value}, {low!r}), {high!r}) - {mean!r}) / {deviation!r})"


def _matrix(conformal: Conformal) -> str:
    rows = (f"[{', '.join(f'{value:.9g}' for value in row)}]" for row in conformal.quantiles)
    return f"([{', '.join(rows)}]::DOUBLE[][])"


def _parameter_type(key_type: str) -> str:
    """Any integer is taken for an integer id (a literal is BIGINT, whatever the column is), and a text for an ENUM."""
    if key_type in ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"):
        return "BIGINT"
    if key_type.startswith("ENUM"):
        return "VARCHAR"
    return "HUGEINT" if key_type == "UBIGINT" else key_type
