"""What is stored in schema `ml`: models, versions, weights, metrics. It knows bytes and metadata, nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, cast

import duckdb
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sqlml import interruption, queries
from sqlml.errors import CatalogError, ModelError, UnknownError, did_you_mean, first_line
from sqlml.options import ModelOptions
from sqlml.options import from_json as read_options
from sqlml.queries import identifier
from sqlml.transforms import Encoder

SCHEMA_VERSION = 8
PREDICT = "__predict"
"""Suffix of the macro, in schema ml, that `ml.predict` calls for a model."""
MOVES = "__moves"
"""The same, of the macro that `ml.segment_moves` calls."""
IN_ML = (PREDICT, MOVES)
MAP_INPUTS, MAP_SEGMENTS = "map.inputs", "map.segments"
"""Stored with the weights of segments: the inputs of some rows, which a picture is drawn of, and their numbers."""
SILENCE = "silence_days"
"""In the fingerprint of a behaviour model: how long after the newest event a moment may be asked for."""
ROLLED_BACK = "rolled back"
PATIENCE, PAUSE = 30.0, 0.01
"""Seconds that a statement waits for others that change models, and between two looks."""
OF_VERSION = (
    "weights",
    "importance",
    "functions",
    "macros",
    "metrics",
    "cutoffs",
    "features",
    "warnings",
    "predictions",
    "training_log",
    "trials",
    "segment_sizes",
    "segment_profiles",
    "segment_transitions",
    "gates",
    "backtests",
)
OF_MODEL = ("promotions", "models", "versions")
LOCAL = {"version_id", "model", "version", "key", "place"}
"""Columns that a version does not take along to another database."""
TABLES = {*OF_VERSION, *OF_MODEL, "turn"}
Parameters = Sequence[object] | Mapping[str, object] | None
DIGEST = "sha256"
"""What the header of stored weights says of them, so that damage is seen."""
Dump = Mapping[str, Mapping[str, Any]]
"""Table → its `columns` and `rows` of texts, as they travel."""


@dataclass(frozen=True)
class Version:
    """One trained version of a model, as it is read back."""

    version_id: str
    model: str
    version: int
    task: str
    method: str
    options: ModelOptions
    encoder: Encoder
    function_kinds: tuple[str, ...]
    database: str
    query: str | None = None
    trained_until: datetime | None = None
    horizon: timedelta | None = None
    silence: int | None = None

    @property
    def main_kind(self) -> str:
        """The kind of the function that gives the answer to a customer."""
        return next((kind for kind in ("score", "segment") if kind in self.function_kinds), "value")


@dataclass(frozen=True)
class Gate:
    """What a gate compared: one metric, less is better, of the old and the new recipe on rows neither had seen."""

    old_version_id: str
    metric: str
    old_value: float
    new_value: float
    is_passed: bool


@dataclass(frozen=True)
class NewVersion:
    """Everything that one training writes, in one transaction."""

    model: str
    task: str
    tested: str
    options: ModelOptions
    encoder: Encoder
    input_sql: str
    packages: Mapping[str, str]
    fingerprint: Mapping[str, object]
    seconds: float
    weights: Mapping[str, NDArray[np.float32]]
    features: Sequence[tuple[str, bool, str]]
    warnings: Sequence[str]
    training_log: Sequence[tuple[float, float]]
    functions: Sequence[tuple[str, str, bool]]
    cutoffs: Sequence[tuple[str, datetime, int, float]] = ()
    importance: Sequence[tuple[str, float, float]] = ()
    trials: Sequence[tuple[int, str, float, float, bool]] = ()
    key_type: str | None = None
    trained_until: datetime | None = None
    horizon: timedelta | None = None
    label_window: timedelta | None = None
    lookback: timedelta | None = None
    query: str | None = None
    rows_per_second: float | None = None
    comparison: str = ""
    leaks: Sequence[Mapping[str, object]] = ()
    gate: Gate | None = None
    segments: Sequence[tuple[object, ...]] = ()
    profiles: Sequence[tuple[object, ...]] = ()
    moves: Sequence[tuple[object, ...]] = ()
    version_id: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def silence(self) -> int | None:
        """The most days without an event that are ordinary in the log, of a behaviour model."""
        return cast("int | None", self.fingerprint.get(SILENCE))

    @cached_property
    def blob(self) -> bytes:
        """The weights as safetensors: plain data, nothing in it can run."""
        return packed(self.weights)

    def as_version(self, number: int, database: str) -> Version:
        """What reading it back will give."""
        kinds = tuple(dict.fromkeys(kind for kind, _, _ in self.functions))
        return Version(
            self.version_id, self.model, number, self.task, self.options.method, self.options, self.encoder, kinds,
            database, self.query, self.trained_until, self.horizon, self.silence,
        )  # fmt: skip


def packed(weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Arrays as safetensors, with a digest of them."""
    arrays = {name: np.asarray(value, order="C") for name, value in weights.items()}
    return save(arrays, {DIGEST: _digest(arrays)})


def _digest(arrays: Mapping[str, NDArray[np.float32]]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _unknown(model: str, known: Iterable[str]) -> UnknownError:
    return UnknownError(f"There is no model named '{model}'." + did_you_mean(model, set(known), "models"))


def _dropped() -> UnknownError:
    return UnknownError("The version that this statement works with was dropped meanwhile: run it again.")


def _lost(what: str) -> str:
    return (
        f"Schema ml has lost {what}. Take the models from a copy of the file; or DROP SCHEMA ml CASCADE with DuckDB "
        "alone, and train them again."
    )


def _is_conflict(error: BaseException) -> bool:
    """Whether DuckDB says that another transaction has changed the same thing."""
    is_of_two = isinstance(error, duckdb.ConstraintException | duckdb.TransactionException)
    return is_of_two and any(word in str(error).lower() for word in ("conflict", "duplicate key"))


def _require_digest(arrays: Mapping[str, NDArray[np.float32]], said: str | None) -> None:
    """Weights of an earlier release say nothing of themselves."""
    if said not in (None, _digest(arrays)):
        raise SafetensorError("they are not what was stored")


class Catalog:
    """Schema `ml` of one database, through one cursor."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, database: str) -> None:
        self._cursor, self._database = cursor, database

    @property
    def database(self) -> str:
        """The name of the database."""
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, one statement after the other; makes and migrates the schema first.

        What is read within is what will be changed: read and check there, not before.

        Raises:
            ModelError: Another connection changes the models all the time, or changed a function of theirs.
        """
        try:
            self._take_turn()
            with self._ended():
                yield
                interruption.check()
        except duckdb.Error as error:
            if not _is_conflict(error):
                raise
            raise ModelError(
                f"Another connection changed the models at the same time: {first_line(error)}. "
                "Nothing of this statement was written: run it again."
            ) from error

    def _take_turn(self) -> None:
        """Begin a transaction, once no other changes models: all change the one row of `ml.turn` first."""
        ends = time.monotonic() + PATIENCE
        while True:
            interruption.check()
            self._run("BEGIN")
            try:
                self.__dict__.pop("schema_version", None)  # another may have made it since
                self._migrate()
                self._count_turn()
            except BaseException as error:
                self._run("ROLLBACK")
                if not _is_conflict(error) or time.monotonic() > ends:
                    raise
            else:
                return
            time.sleep(PAUSE)

    def _count_turn(self) -> None:
        if not self._rows("UPDATE ml.turn SET number = number + 1 RETURNING number"):
            raise CatalogError(_lost("the row of its table turn"))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read within is of one moment, whatever others write meanwhile."""
        self._run("BEGIN")
        with self._ended():
            yield

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """The end of a transaction: what was done within is kept, or where that failed nothing of it."""
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    @cached_property
    def schema_version(self) -> int:
        """0 where nothing was ever stored.

        Raises:
            CatalogError: Schema `ml` is somebody else's, or from a newer sqlml.
        """
        rows = self._rows(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'ml' AND database_name = ?", [self._database]
        )
        names = {name for (name,) in rows}
        if "schema_version" not in names:
            if ours := names & TABLES:
                raise CatalogError(
                    f"Schema ml has a table '{sorted(ours)[0]}' that sqlml did not make. "
                    "Rename that schema, or keep the models in another database file."
                )
            return 0
        found = self._rows(f"SELECT max(version) FROM {self._table('schema_version')} WHERE product = 'sqlml'")[0][0]
        if found is None or found > SCHEMA_VERSION:
            raise CatalogError(
                f"The models in this file were stored with catalogue version {found}; this sqlml reads up to "
                f"{SCHEMA_VERSION}. Upgrade sqlml."
            )
        if found == SCHEMA_VERSION and (gone := TABLES - names):
            raise CatalogError(_lost(f"its table {', '.join(sorted(gone))}"))
        return int(found)

    def upgrade(self) -> None:
        """Bring a file of an earlier release to the present schema."""
        if 0 < self.schema_version < SCHEMA_VERSION:
            with self.transaction():
                pass

    def require_present_schema(self) -> None:
        """Check that every table of this release is there.

        Raises:
            CatalogError: The file is of an earlier release and opened read-only.
        """
        if 0 < self.schema_version < SCHEMA_VERSION:
            raise CatalogError(
                f"The models in this file were stored with catalogue version {self.schema_version}: "
                "open it once for writing, and it is brought up to date."
            )

    def models(self) -> list[str]:
        """Names of all models."""
        if not self.schema_version:
            return []
        return [name for (name,) in self._rows(f"SELECT model FROM {self._table('models')} ORDER BY model")]

    def versions(self, *, promoted: bool = True) -> list[Version]:
        """The promoted version of every model, or all versions."""
        if not self.schema_version:
            return []
        query = queries.text("catalog/versions", models=self._table("models"), versions=self._table("versions"),
                             functions=self._table("functions"))  # fmt: skip
        return [self._version(*row) for row in self._rows(query, {"promoted": promoted})]

    def version(self, model: str, number: int | None = None) -> Version:
        """A version of a model, by default the promoted one.

        Raises:
            ModelError: There is no such model or version.
        """
        versions = self.versions(promoted=number is None)
        found = {v.version: v for v in versions if v.model == model}
        if not found:
            raise _unknown(model, (v.model for v in versions))
        if number is None:
            return next(iter(found.values()))
        if number not in found:
            raise UnknownError(f"Model '{model}' has no version {number}. Versions: {', '.join(map(str, found))}.")
        return found[number]

    def numbers(self, model: str) -> list[int]:
        """The numbers of the versions of a model."""
        return [v.version for v in self.versions(promoted=False) if v.model == model]

    def version_before(self, model: str) -> Version:
        """The version that a rollback goes back to: promotions are a stack, and a rollback takes the last one off.

        Raises:
            ModelError: There is none.
        """
        current = self.version(model)
        query = "SELECT version_id, reason FROM ml.promotions WHERE model = ? ORDER BY turn"
        standing: list[str] = []
        for version_id, reason in self._rows(query, [model]):
            while reason == ROLLED_BACK and standing and standing[-1] != version_id:
                standing.pop()
            standing += [version_id] if standing[-1:] != [version_id] else []
        existing = {v.version_id for v in self.versions(promoted=False)} - {current.version_id}
        earlier = [version_id for version_id in standing if version_id in existing]
        if not earlier:
            raise ModelError(
                f"Model '{model}' has no earlier promotion than that of version {current.version}. "
                f"ALTER MODEL {model} PROMOTE VERSION n chooses any version."
            )
        return self.version_with(earlier[-1])

    def require(self, model: str) -> None:
        """Check that a model exists.

        Raises:
            ModelError: There is no such model.
        """
        if model not in (found := self.models()):
            raise _unknown(model, found)

    def next_number(self, model: str) -> int:
        """The number of the version that would be added now."""
        if not self.schema_version:
            return 1
        query = f"SELECT coalesce(max(version), 0) + 1 FROM {self._table('versions')} WHERE model = ?"
        return int(self._rows(query, [model])[0][0])

    def owned_functions(self, model: str) -> set[str]:
        """Names of the functions of the model that stand now."""
        return {name for name, _ in self._functions(model)}

    def function_names(self, version: Version) -> list[str]:
        """Names of the functions that a version makes when it is promoted."""
        query = f"SELECT DISTINCT suffix FROM {self._table('functions')} WHERE version_id = ? ORDER BY suffix"
        return [version.model + suffix for (suffix,) in self._rows(query, [version.version_id])]

    def fingerprint(self, version_id: str) -> dict[str, Any]:
        """What the data were that a version was trained on."""
        query = f"SELECT fingerprint FROM {self._table('versions')} WHERE version_id = ?"
        found: dict[str, Any] = json.loads(self._value(query, version_id))
        return found

    def calls(self, version_id: str) -> list[str]:
        """How each function of a version is called, as its record says; of the current database."""
        query = f"SELECT detail FROM ({queries.text('catalog/report')}) WHERE topic = 'function'"
        return [call for (call,) in self._rows(query, [version_id])]

    def key_type(self, version_id: str) -> str:
        """The type of customer_id, or of the key of rows, when a version was trained."""
        query = f"SELECT coalesce(key_type, '') FROM {self._table('versions')} WHERE version_id = ?"
        return self._value(query, version_id)

    def main_function(self, version_id: str) -> str:
        """The function of one argument that a version is called by."""
        functions = self._table("functions")
        query = f"""SELECT model || suffix FROM {functions} f JOIN {self._table("versions")} USING (version_id)
                    WHERE version_id = ? AND NOT is_table ORDER BY f.rowid LIMIT 1"""
        return self._value(query, version_id)

    def _value(self, query: str, version_id: str) -> str:
        if not (rows := self._rows(query, [version_id])):
            raise _dropped()
        return str(rows[0][0])

    def metrics(self) -> list[tuple[Any, ...]]:
        """What `evaluation.compare` left: (method, population, metric, value, low, high)."""
        return self._rows("FROM temp.sqlml_metrics")

    def add_backtest(self, version_id: str, rows: Iterable[Sequence[object]]) -> None:
        """Store what a back-test found: rows (as_of, method, population, metric, value, low, high).

        Raises:
            UnknownError: The version was dropped meanwhile.
        """
        self.version_with(version_id)
        now = datetime.now(UTC).replace(tzinfo=None)
        self._many("backtests", version_id, [(now, *row) for row in rows])

    def weights(self, version_id: str) -> dict[str, NDArray[np.float32]]:
        """The stored arrays of a version.

        Raises:
            CatalogError: They are missing or damaged.
        """
        return self._checked(version_id)[0]

    def blob(self, version_id: str) -> bytes:
        """The stored arrays of a version as safetensors.

        Raises:
            CatalogError: They are missing or damaged.
        """
        return self._checked(version_id)[1]

    def _checked(self, version_id: str) -> tuple[dict[str, NDArray[np.float32]], bytes]:
        rows = self._rows(f"SELECT safetensors FROM {self._table('weights')} WHERE version_id = ?", [version_id])
        try:
            blob = bytes(rows[0][0])
            arrays = dict(load(blob))
            header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
            _require_digest(arrays, header.get("__metadata__", {}).get(DIGEST))
        except (IndexError, SafetensorError) as error:
            version = self.version_with(version_id)
            raise CatalogError(
                f"The weights of model '{version.model}', version {version.version}, are missing or damaged: {error}. "
                f"ALTER MODEL {version.model} ROLLBACK goes back to the version before, RETRAIN makes a new one."
            ) from error
        return arrays, blob

    def dump(self, version_id: str) -> Dump:
        """All that is stored of a version but its weights, as texts; without the keys of held-out rows."""
        tables = [table for table in (*OF_VERSION, "versions") if table not in ("weights", "gates", "backtests")]
        return {table: self._dump(table, version_id) for table in tables}

    def _dump(self, table: str, version_id: str) -> dict[str, Any]:
        columns = [name for name in self._columns(table) if name not in LOCAL]
        listed = ", ".join(f"{identifier(name)}::VARCHAR" for name in columns)
        query = f"SELECT {listed} FROM {self._table(table)} WHERE version_id = ? ORDER BY rowid"
        return {"columns": columns, "rows": [list(row) for row in self._rows(query, [version_id])]}

    def _columns(self, table: str) -> list[str]:
        query = """SELECT column_name FROM duckdb_columns() WHERE schema_name = 'ml' AND table_name = ?
                   AND database_name = ? ORDER BY column_index"""
        return [name for (name,) in self._rows(query, [table, self._database])]

    def restore(self, version_id: str, model: str, dump: Dump, weights: bytes) -> Version:
        """Store what `dump` gave as a new version of a model, not promoted yet.

        Raises:
            ModelError: It lacks a table, or has one or a column that the catalogue does not.
        """
        expected = {*OF_VERSION, "versions"} - {"weights", "gates", "backtests"}
        if dump.keys() != expected:
            raise ModelError(f"The tables of the model are not {', '.join(sorted(expected))}.")
        number = self.next_number(model)
        for table, content in dump.items():
            given = {"version_id": version_id}
            given |= {"model": model, "version": str(number)} if table == "versions" else {}
            self._restore(table, content, given)
        self._run("INSERT INTO ml.weights VALUES (?, ?)", [version_id, weights])
        return self.version_with(version_id)

    def _restore(self, table: str, content: Mapping[str, Any], given: Mapping[str, str]) -> None:
        columns = list(content["columns"])
        if strange := set(columns) - (set(self._columns(table)) - LOCAL):
            raise ModelError(f"The catalogue has no column {table}.{sorted(strange)[0]}.")
        rows = content["rows"]
        texts = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
        texts |= {name: [value] * len(rows) for name, value in given.items()}
        texts |= {"place": list(map(str, range(len(rows))))} if table == "macros" else {}
        names, lists = ", ".join(map(identifier, texts)), ", ".join(["unnest(?::VARCHAR[])"] * len(texts))
        self._run(f"INSERT INTO ml.{table} ({names}) SELECT {lists}", list(map(list, texts.values())))

    def version_with(self, version_id: str) -> Version:
        """The version of an id.

        Raises:
            UnknownError: It was dropped meanwhile.
        """
        found = [v for v in self.versions(promoted=False) if v.version_id == version_id]
        if not found:
            raise _dropped()
        return found[0]

    def insert(self, new: NewVersion, macros: Iterable[str]) -> Version:
        """Store a version and promote it, unless its gate is closed.

        Metrics and held-out predictions are taken from temporary tables.

        Args:
            new: What the training made.
            macros: The statements that make its functions, with `placeholder` for their names.
        """
        version = new.as_version(self.next_number(new.model), self._database)
        now = datetime.now(UTC).replace(tzinfo=None)
        self._run(
            f"INSERT INTO ml.versions VALUES ({', '.join('?' * 23)})",
            [new.version_id, new.model, version.version, new.task, new.options.method, now, new.trained_until,
             new.horizon, new.label_window, new.lookback, new.tested, new.options.to_json(), new.key_type, new.query,
             new.encoder.to_json(), new.input_sql, json.dumps(dict(new.packages)),
             json.dumps(dict(new.fingerprint), default=str), new.options.seed, new.seconds, new.rows_per_second,
             new.comparison or None, json.dumps(list(new.leaks))],
        )  # fmt: skip
        self._run("INSERT INTO ml.weights VALUES (?, ?)", [new.version_id, new.blob])
        self._many("cutoffs", new.version_id, new.cutoffs)
        self._many("features", new.version_id, new.features)
        self._many("importance", new.version_id, new.importance)
        self._many("trials", new.version_id, new.trials)
        self._many("warnings", new.version_id, [(w,) for w in new.warnings])
        self._many("segment_sizes", new.version_id, new.segments)
        self._many("segment_profiles", new.version_id, new.profiles)
        self._many("segment_transitions", new.version_id, new.moves)
        self._many(
            "training_log",
            new.version_id,
            [(i, loss, None if math.isnan(stop) else stop) for i, (loss, stop) in enumerate(new.training_log, 1)],
        )
        suffixes = [(kind, name.removeprefix(new.model), is_table) for kind, name, is_table in new.functions]
        self._many("functions", new.version_id, suffixes)
        self._many("macros", new.version_id, list(enumerate(macros)))
        self._run("INSERT INTO ml.metrics SELECT ?, * FROM temp.sqlml_metrics", [new.version_id])
        kind = new.encoder.target.kind
        score = {"classes": "list_max(score)", "items": "score[1]"}.get(kind, "score")
        label = "label.spend" if kind == "segment" else "label"
        self._run(
            queries.text("catalog/predictions", score=score, label=label),
            [new.version_id, new.tested, new.options.method],
        )
        if new.gate:
            self._many("gates", new.version_id, [tuple(vars(new.gate).values())])
        if new.gate is None or new.gate.is_passed:
            self.promote(version, "created")
        else:
            self._make_functions_beside(version)
        return version

    def _make_functions_beside(self, version: Version) -> None:
        """Make what a version rests on, and leave the public functions to the promoted one."""
        promoted = self.version(version.model)
        self._drop_functions(version.model)
        self._make_functions(version.version_id, version.model)
        self._drop_public(version.model, self._public(version.version_id))
        self._make_functions(promoted.version_id, version.model)

    def promote(self, version: Version, reason: str) -> None:
        """Let the model's functions be those of this version."""
        self._drop_functions(version.model)
        self._make_functions(version.version_id, version.model)
        now = datetime.now(UTC).replace(tzinfo=None)
        self._run("INSERT OR REPLACE INTO ml.models VALUES (?, ?, ?)", [version.model, version.version_id, now])
        self._run(
            "INSERT INTO ml.promotions SELECT ?, ?, ?, ?, number FROM ml.turn",
            [version.model, version.version_id, now, reason],
        )

    def rename(self, version: Version, name: str) -> None:
        """Give the model of the promoted version, its history and its functions another name."""
        self._drop_functions(version.model)
        for table in OF_MODEL:
            self._run(f"UPDATE ml.{table} SET model = ? WHERE model = ?", [name, version.model])
        self._make_functions(version.version_id, name)

    def _make_functions(self, version_id: str, model: str) -> None:
        suffixes = self._rows("SELECT DISTINCT suffix FROM ml.functions WHERE version_id = ?", [version_id])
        query = "SELECT statement FROM ml.macros WHERE version_id = ? ORDER BY place"
        for (text,) in self._rows(query, [version_id]):
            self._run(with_names(str(text), version_id, model, [*IN_ML, *(suffix for (suffix,) in suffixes)]))

    def _drop_functions(self, model: str) -> None:
        self._drop_public(model, {(name.removeprefix(model), is_table) for name, is_table in self._functions(model)})

    def _drop_public(self, model: str, suffixes: Iterable[tuple[str, bool]]) -> None:
        for suffix, is_table in suffixes:
            self._drop_macro("main", model + suffix, is_table=is_table)
        self._drop_macro("ml", model + PREDICT, is_table=False)
        self._drop_macro("ml", model + MOVES, is_table=True)

    def _public(self, version_id: str) -> set[tuple[str, bool]]:
        query = "SELECT suffix, is_table FROM ml.functions WHERE version_id = ?"
        return {(str(suffix), bool(is_table)) for suffix, is_table in self._rows(query, [version_id])}

    def delete(self, model: str) -> None:
        """Remove a model with all its versions and functions."""
        self._drop_functions(model)
        versions = [v.version_id for v in self.versions(promoted=False) if v.model == model]
        for version_id in versions:
            self.delete_version(version_id)
        for table in OF_MODEL:
            self._run(f"DELETE FROM ml.{table} WHERE model = ?", [model])

    def prune(self, promoted: Version, kept: int | None) -> None:
        """Remove all but the newest versions of a model and the promoted one."""
        mine = [v for v in self.versions(promoted=False) if v.model == promoted.model]
        surplus = [v.version_id for v in mine[: -kept or None] if v != promoted] if kept else []
        for version_id in surplus:
            self.delete_version(version_id)

    def delete_version(self, version_id: str) -> None:
        """Remove one version, but not its record in the promotions."""
        for name in internal_macros(version_id).values():
            self._drop_macro("ml", name, is_table=True)
            self._drop_macro("ml", name, is_table=False)
        for table in (*OF_VERSION, "versions"):
            self._run(f"DELETE FROM ml.{table} WHERE version_id = ?", [version_id])

    def _functions(self, model: str) -> set[tuple[str, bool]]:
        """(name, whether a table function) of the functions that stand: those of the promoted version."""
        if not self.schema_version:
            return set()
        query = f"""SELECT model || suffix, is_table FROM {self._table("functions")} JOIN {self._table("models")}
                    USING (version_id) WHERE model = ?"""
        return {(str(name), bool(is_table)) for name, is_table in self._rows(query, [model])}

    def _drop_macro(self, schema: str, name: str, *, is_table: bool) -> None:
        self._run(f"DROP MACRO {'TABLE ' if is_table else ''}IF EXISTS {schema}.{identifier(name)}")

    def _migrate(self) -> None:
        for migration in queries.folder("catalog/migrations")[self.schema_version :]:
            self._run(migration.text)
        self.__dict__.pop("schema_version", None)

    def _version(self, *row: object) -> Version:
        version_id, model, number, task, method, options, encoder, kinds, query, until, horizon, silence = row
        return Version(
            str(version_id), str(model), int(str(number)), str(task), str(method), read_options(str(options)),
            Encoder.from_json(str(encoder)), tuple(kinds), self._database, query, until, horizon, silence,  # type: ignore[arg-type]
        )  # fmt: skip

    def _table(self, name: str) -> str:
        return f"{identifier(self._database)}.ml.{name}"

    def _many(self, table: str, version_id: str, rows: Sequence[Sequence[object]]) -> None:
        for row in rows:
            marks = ", ".join("?" * (len(row) + 1))
            self._run(f"INSERT INTO ml.{table} VALUES ({marks})", [version_id, *row])

    def _run(self, query: str, parameters: Parameters = None) -> None:
        self._cursor.execute(query, parameters).fetchall()

    def _rows(self, query: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        return self._cursor.execute(query, parameters).fetchall()


def internal_macros(version_id: str) -> dict[str, str]:
    """Names, in schema ml, of what a version's public macros rest on: features by moment or relation, inputs."""
    names = {
        "features": "features_{}",
        "features_of": "features_{}_of",
        "features_for": "features_{}_for",
        "in_reach": "in_reach_{}",
        "inputs": "inputs_{}",
        "answers": "answers_{}",
        "among": "among_{}",
        "residuals": "residuals_{}",
        "between": "between_{}",
        "between_once": "between_{}_once",
        "curve_once": "curve_{}_once",
        "name_once": "name_{}_once",
        "explanation": "explanation_{}",
        "explanation_once": "explanation_{}_once",
    }
    return {what: name.format(version_id) for what, name in names.items()}


def with_names(statement: str, version_id: str, model: str, suffixes: Iterable[str]) -> str:
    """A stored statement with the names of the model's functions put in."""
    for suffix in suffixes:
        statement = statement.replace(placeholder(version_id, suffix), identifier(model + suffix))
    return statement


def placeholder(version_id: str, suffix: str) -> str:
    """What stands in a stored statement for a function's name: the model's, which may change, and a suffix."""
    return f"<{version_id}{suffix}>"
