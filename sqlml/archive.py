"""A version as one file, a zip of JSON, safetensors and SQL; what comes from elsewhere is checked before it is run."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import duckdb
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from sqlml import (
    behavior,
    catalog,
    encoding,
    explanation,
    lifecycle,
    options,
    pipeline,
    queries,
    recommender,
    registry,
    vetting,
)  # fmt: skip
from sqlml.catalog import Catalog, Dump, Version
from sqlml.errors import DataError, ModelError, SqlmlError, first_line
from sqlml.files import whole
from sqlml.lifecycle import Expected, Workplace
from sqlml.methods import bgnbd
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.queries import PAIR, identifier, literal
from sqlml.tasks import BEHAVIOR_TASKS, METHODS, QUERY_TASKS, RECOMMEND, TARGET_TASKS, Task, require_method
from sqlml.transforms import Encoder, Target
from sqlml.udf import EVENTS
from sqlml.vetting import RELATION, VALUES, Vetter, quoted

FORMAT = 1
MANIFEST, WEIGHTS = "manifest.json", "weights.safetensors"
MOST_OF_WEIGHTS, MOST_OF_TEXT, MOST_OF_MANIFEST = 1 << 29, 1 << 27, 1 << 20
"""Bytes, unpacked: of the weights, of all other files together, of the manifest; what says less is cut off there."""
MOST_FILES = 300
MOST_LISTS, TEXTS_OF_LIST = 1 << 16, 6
"""Lists in the JSON of a table, each row being one; how many texts there may be for each list allowed."""
MANY, BYTES_OF_ROW = {"predictions": 16}, 8
"""How many times as many lists a table may have, as predictions do that hold a row for each one held out; and more of
those where the archive has this many bytes for each."""
LEAST_SIZE, MOST_TIMES = 1 << 22, 100
"""Bytes that an archive may unpack to however small it is; how many times its size it may unpack to."""
MOST_OF_RECIPE = 1 << 22
"""Values in the JSON of an encoder, of options or a fingerprint: the levels and edges of columns, the items."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Others unpack to any size at one go."""
DTYPES = {"float32", "int32"}
HISTORIES = "sessions.starts"
"""Where each stored history of a customer begins, in the weights of a recommender."""
TABLES = {"curve": VALUES, "similar": VALUES, "recommend": f"{RELATION}, k BIGINT := 10"}
"""What the table macro of a kind takes, where that is not a relation alone."""
_NAME = re.compile(r"weights\.safetensors|tables/[a-z_]{1,40}\.json|macros/(0|[1-9][0-9]{0,2})\.sql")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Archive:
    """What an archive says: the id it had, its tables, and the bytes of its weights."""

    version_id: str
    dump: Dump
    weights: bytes


@dataclass(frozen=True)
class Written:
    """What an export wrote: bytes, and how many rows of inputs or histories of single customers are among them."""

    size: int
    rows: int


def write(place: Workplace, name: str, number: int | None, path: str, *, keeps_rows: bool) -> Written:
    """Write a version to a file, replaced if it is there.

    The held-out predictions go along without the keys of their rows: no customer's id leaves the database. Of the
    inputs of single rows, from which explanations start and pictures are drawn, the average one stands for them where
    they are not kept.

    Raises:
        ModelError: There is no such model or version, it cannot do without its rows, or the file cannot be written.
    """
    store = Catalog(place.cursor, place.database)
    _require_access(place.cursor)
    store.require_present_schema()
    with store.snapshot():  # whoever drops it meanwhile
        version = store.version(name, number)
        weights, dump = store.weights(version.version_id), store.dump(version.version_id)
    if not keeps_rows:
        weights = _without_rows(version, weights)
    contents = dict(_contents(dump, catalog.packed(weights)))
    _require_small_recipe(dump)
    manifest = {
        "product": "sqlml",
        "format": FORMAT,
        "sqlml": package_version("sqlml"),
        "version_id": version.version_id,
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()},
    }
    contents = {MANIFEST: json.dumps(manifest, indent=1).encode(), **contents}
    if Path(path).is_file() and not _is_archive(path):
        raise ModelError(f"'{path}' is there, and no exported model: move it away, or name another file.")
    try:
        with whole(place.cursor, Path(path)) as file:
            _write_zip(file, contents)
            _require_small_tables(contents, file.stat().st_size)  # what IMPORT would refuse is not written
    except (DataError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise ModelError(f"EXPORT cannot write '{path}': {reason}.") from error
    return Written(Path(path).stat().st_size, _rows(weights) if keeps_rows else 0)


def _rows(weights: Mapping[str, NDArray[np.float32]]) -> int:
    """Rows of inputs, and histories, that are stored as they were."""
    counts = [len(weights[name]) for name in (pipeline.BACKGROUND, catalog.MAP_INPUTS) if name in weights]
    return sum(counts) + max(len(weights.get(HISTORIES, ())) - 1, 0)


def _without_rows(version: Version, weights: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The weights with an average row in the place of all rows of inputs, and nothing to draw.

    Raises:
        ModelError: The rows are what the model answers from.
    """
    if HISTORIES in weights:
        raise ModelError(
            f"Model '{version.model}' recommends from histories of customers, which are its weights (method sessions): "
            "it cannot be exported without them. CREATE OR REPLACE MODEL with another method makes one that can."
        )
    kept = dict(weights)
    if pipeline.BACKGROUND in kept:
        kept[pipeline.BACKGROUND] = explanation.average(kept[pipeline.BACKGROUND], version.encoder)
    for name in (catalog.MAP_INPUTS, catalog.MAP_SEGMENTS):
        if name in kept:
            kept[name] = kept[name][:0]
    return kept


def _contents(dump: Dump, weights: bytes) -> Iterator[tuple[str, bytes]]:
    yield WEIGHTS, weights
    for table, content in dump.items():
        if table == "macros":
            for place, (statement,) in enumerate(content["rows"]):
                yield f"macros/{place}.sql", str(statement).encode()
        else:
            yield f"tables/{table}.json", json.dumps(content).encode()


def _is_archive(path: str) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return MANIFEST in file.namelist()


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in contents.items():
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def read(place: Workplace, name: str, path: str, expected: Expected) -> Version:
    """Take a version from a file into the catalogue, under a new id, and promote it.

    Raises:
        ModelError: The file is missing, damaged, of another format, or holds what a model has no business with; nothing
            has then been written.
    """
    store = Catalog(place.cursor, place.database)
    _require_access(place.cursor)
    try:
        archive = _renamed(_read(Path(path)))
        version = _version(archive, name, place.database)
        task = _task(archive, version)
        wanted = [function for _, function, _ in task.named(name)]
        require_free = partial(lifecycle.require_free, place.cursor, store, name, wanted, expected)
        require_free()
        _require_same_ids(place.cursor, archive, version)
        return _insert(place, store, _vetted(place.cursor, archive, version, task), version, require_free)
    except SqlmlError:
        raise
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"IMPORT cannot read {path}: {error}.") from error
    except duckdb.Error as error:
        raise ModelError(f"The model in {path} does not fit this database: {first_line(error)}.") from error
    except Exception as error:  # whatever a file from elsewhere makes a parser say
        raise ModelError(f"{path} is damaged or no model of sqlml: {type(error).__name__}: {error}.") from error


def _require_access(cursor: duckdb.DuckDBPyConnection) -> None:
    """Whoever shut the database off from files has shut us off too."""
    if not cursor.execute("SELECT current_setting('enable_external_access')::BOOLEAN").fetchall()[0][0]:
        raise ModelError("Files are out of reach: enable_external_access is false.")


def _require_same_ids(cursor: duckdb.DuckDBPyConnection, archive: Archive, version: Version) -> None:
    if not isinstance(version.options, BehaviorOptions):
        return
    ((theirs,),) = _columns(archive.dump, "versions", "key_type")
    ours = behavior.read(cursor).events["customer_id"]
    if theirs != ours and not (encoding.is_integer(theirs) and encoding.is_integer(ours)):
        raise ModelError(f"The model knows customers by {theirs}; customer_id of behavior.events is {ours} here.")


class RefusedError(ModelError):
    """An archive that is not taken in."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The archive is refused: {reason}.")


def _read(path: Path) -> Archive:
    if path.exists() and not path.is_file() and not path.is_dir():  # a device or a pipe, which need not end
        raise RefusedError("it is no file")
    with zipfile.ZipFile(path) as source:
        room = LEAST_SIZE + MOST_TIMES * path.stat().st_size
        entries = source.infolist()
        names = [entry.filename for entry in entries]
        if len(names) > MOST_FILES or len(set(names)) < len(names):
            raise RefusedError(f"it holds {len(names)} files, some of one name or more than {MOST_FILES}")
        if strange := [name for name in names if name != MANIFEST and not _NAME.fullmatch(name)]:
            raise RefusedError(f"it holds the file {strange[0][:80]!r}, which no model has")
        if packed := [entry.filename for entry in entries if entry.compress_type not in COMPRESSIONS]:
            raise RefusedError(f"{packed[0]} is packed in a way that no model is")
        manifest = json.loads(_bytes(source, MANIFEST, MOST_OF_MANIFEST))
        _check_manifest(manifest, names)
        weights = _bytes(source, WEIGHTS, min(MOST_OF_WEIGHTS, room))
        texts: dict[str, bytes] = {}
        room = min(MOST_OF_TEXT, room - len(weights))
        for name in sorted({*names} - {MANIFEST, WEIGHTS}):
            texts[name] = _bytes(source, name, room)
            room -= len(texts[name])
    for name, content in {WEIGHTS: weights, **texts}.items():
        if hashlib.sha256(content).hexdigest() != manifest["files"][name]:
            raise RefusedError(f"{name} is not what the manifest says")
    _require_small_tables(texts, path.stat().st_size)
    return Archive(manifest["version_id"], dict(_tables(texts)), weights)


def _bytes(source: zipfile.ZipFile, name: str, most: int) -> bytes:
    """What a file holds, whatever its entry says."""
    with source.open(name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise RefusedError(f"{name} is larger than {most:,} bytes")
    return content


def _check_manifest(manifest: Mapping[str, Any], names: Sequence[str]) -> None:
    if manifest["product"] != "sqlml" or manifest["format"] != FORMAT:
        raise RefusedError(f"it is of format {manifest['format']!r}; this sqlml reads format {FORMAT}")
    if not _ID.fullmatch(manifest["version_id"]):
        raise RefusedError("its version has no proper id")
    if {MANIFEST, *manifest["files"]} != set(names) or WEIGHTS not in names:
        raise RefusedError("its files are not those of the manifest")


def _tables(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    statements = {int(name[7:-4]): text.decode() for name, text in files.items() if name.startswith("macros/")}
    yield "macros", {"columns": ["statement"], "rows": [[statements[place]] for place in range(len(statements))]}
    for name, content in files.items():
        if name.startswith("tables/"):
            refuse = _refuse_number
            yield name[7:-5], json.loads(content, parse_int=refuse, parse_float=refuse, parse_constant=refuse)


def _require_small_tables(files: Mapping[str, bytes], size: int) -> None:
    """Check the tables of an archive of a size in bytes."""
    for name, content in files.items():
        if name.startswith("tables/"):
            times = MANY.get(name[7:-5])
            lists = MOST_LISTS if times is None else max(times * MOST_LISTS, size // BYTES_OF_ROW)
            _require_small(name, content.decode(), lists, lists * TEXTS_OF_LIST)


def _require_small(name: str, content: str, lists: int, texts: int) -> None:
    """Before it is read: what Python makes of a small text can be large.

    Raises:
        RefusedError: It holds more lists or texts than these.
    """
    if (content.count('"') - content.count('\\"')) // 2 > texts:
        raise RefusedError(f"{name} holds more than {texts:,} texts")
    if _brackets(content) > lists and _brackets(_STRING.sub("", content)) > lists:
        raise RefusedError(f"{name} holds more than {lists:,} lists")


def _brackets(content: str) -> int:
    return content.count("[") + content.count("{")


def _require_small_recipe(dump: Dump) -> dict[str, str]:
    """The one row of the table of versions, column → text, each small enough to be read."""
    (row,) = dump["versions"]["rows"]
    said = dict(zip(dump["versions"]["columns"], row, strict=True))
    for column, text in said.items():
        if text is not None and text.count(",") > MOST_OF_RECIPE:
            raise RefusedError(f"{column} of its version holds more than {MOST_OF_RECIPE:,} values")
        if text is not None:
            _require_small(f"{column} of its version", text, MOST_LISTS, MOST_OF_RECIPE)
    return said


def _refuse_number(text: str) -> None:
    raise RefusedError(f"a table holds the number {text[:40]}: all values are texts")


def _renamed(archive: Archive) -> Archive:
    """Under an id of our own: the one it had may be in use."""
    version_id = secrets.token_hex(6)
    macros = archive.dump["macros"]
    rows = [[statement.replace(archive.version_id, version_id)] for (statement,) in macros["rows"]]
    return Archive(version_id, {**archive.dump, "macros": {**macros, "rows": rows}}, archive.weights)


def _version(archive: Archive, name: str, database: str) -> Version:
    """The version as it will be read back."""
    said = _require_small_recipe(archive.dump)
    chosen = options.from_json(said["options"])
    (kinds,) = _columns(archive.dump, "functions", "kind")
    encoder = Encoder.from_json(said["encoder"])
    return Version(archive.version_id, name, 0, said["task"], chosen.method, chosen, encoder,
                   tuple(dict.fromkeys(kinds)), database, said["query"])  # fmt: skip


def _columns(dump: Dump, table: str, *names: str) -> list[list[str]]:
    places = [dump[table]["columns"].index(name) for name in names]
    return [[row[place] for row in dump[table]["rows"]] for place in places]


def _task(archive: Archive, version: Version) -> Task:
    """The task that the functions of the version are those of."""
    kind = version.encoder.target.kind
    is_query = isinstance(version.options, QueryOptions)
    fitting = [QUERY_TASKS.get(kind)] if is_query else [*BEHAVIOR_TASKS.values(), TARGET_TASKS.get(kind)]
    given = list(zip(*_columns(archive.dump, "functions", "kind", "suffix", "is_table"), strict=True))
    for task in filter(None, fitting):
        functions = [(kind, suffix, str(is_table).lower()) for kind, suffix, is_table in task.named("")]
        if task.name == version.task and functions == given and (task is RECOMMEND) == (kind == "items"):
            require_method(task, version.method)
            return task
    raise RefusedError("its functions are not those of its task")


def _vetted(cursor: duckdb.DuckDBPyConnection, archive: Archive, version: Version, task: Task) -> Archive:
    """The archive with its macros put together again from what was checked."""
    vetter = _vetter(cursor, version, task)
    open_names = [catalog.placeholder(version.version_id, suffix) for suffix in _suffixes(task)]
    macros = archive.dump["macros"]
    try:
        rows = [[_vetted_statement(vetter, statement, open_names)] for (statement,) in macros["rows"]]
        for expression in _recipe(version):
            vetter.require_harmless(expression)
        if version.query is not None:
            vetter.require_reading(version.query)
    except SqlmlError as error:
        raise RefusedError(str(error)) from error
    if missing := {path for path in vetter.scalars | vetter.tables.keys() if path[0] == "main"} - vetter.sizes.keys():
        raise RefusedError(f"it lacks the function {min(missing)[1]}")
    return Archive(archive.version_id, {**archive.dump, "macros": {**macros, "rows": rows}}, archive.weights)


def _vetter(cursor: duckdb.DuckDBPyConnection, version: Version, task: Task) -> Vetter:
    internal = catalog.internal_macros(version.version_id)
    own = {("ml", name) for name in (*internal.values(), catalog.placeholder(version.version_id, catalog.PREDICT))}
    tables: dict[vetting.Path, str] = {
        ("ml", catalog.placeholder(version.version_id, catalog.MOVES)): VALUES,
        ("ml", internal["features"]): queries.MOMENT,
        ("ml", internal["features_for"]): PAIR,
        ("ml", internal["features_of"]): RELATION,
    }
    own -= tables.keys()
    for kind, suffix, is_table in task.named(""):
        path = ("main", catalog.placeholder(version.version_id, suffix))
        if is_table:
            tables[path] = TABLES.get(kind, RELATION)
        else:
            own.add(path)
    udfs = {registry.udf_name(kind, version.version_id) for kind in registry.kinds_of(version)}
    return Vetter(cursor, own, tables, udfs)


def _vetted_statement(vetter: Vetter, statement: str, open_names: Sequence[str]) -> str:
    latest = queries.text("functions/latest")
    if statement.startswith(latest.partition("\n")[0]):
        return latest
    vetted = vetter.vetted(quoted(statement, open_names))
    for name in open_names:
        vetted = vetted.replace(identifier(name), name)
    return vetted


def _suffixes(task: Task) -> list[str]:
    return [*catalog.IN_ML, *dict.fromkeys(suffix for _, suffix, _ in task.named(""))]


def _recipe(version: Version) -> list[str]:
    """The SQL of options and label, which a later training or evaluation runs."""
    chosen = version.options
    found = (chosen.predict, chosen.population, chosen.candidates) if isinstance(chosen, BehaviorOptions) else ()
    return [expression for expression in (*found, version.encoder.target.expression) if expression]


def _insert(
    place: Workplace, store: Catalog, archive: Archive, version: Version, require_free: Callable[[], None]
) -> Version:
    """Names are checked once more: another may have taken them meanwhile."""
    _require_sound(version, archive.weights)
    with lifecycle.storing(place, store, version):
        require_free()
        version = store.restore(archive.version_id, version.model, archive.dump, archive.weights)
        store.promote(version, "imported")
        _require_inputs(place.cursor, version)
    return version


def _require_inputs(cursor: duckdb.DuckDBPyConnection, version: Version) -> None:
    """The macros must give what the forward pass takes."""
    internal, columns = catalog.internal_macros(version.version_id), version.encoder
    if isinstance(version.options, QueryOptions):
        row = ", ".join(f"{literal(source)}: NULL" for source in columns.sources)
        query = f"SELECT ml.{internal['inputs']}({{{row}}})"
    else:
        query = f"SELECT {queries.STRUCT} FROM ml.{internal['features']}(NULL)"
    given = cursor.execute(f"DESCRIBE {query}").fetchall()[0][1]
    is_ranked = columns.target.kind == "items"
    wanted = duckdb.sqltype(EVENTS) if is_ranked else duckdb.struct_type(columns.types)
    if given != str(wanted):
        raise RefusedError("its macros give other inputs than its encoder has")


def _require_sound(version: Version, weights: bytes) -> None:
    """Run the forward pass once: weights of wrong shapes or values do not get through it."""
    stored, target, columns = load(weights), version.encoder.target, len(version.encoder.names)
    if strange := {str(value.dtype) for value in stored.values()} - DTYPES:
        raise RefusedError(f"its weights are of type {min(strange)}")
    if any(not np.isfinite(value).all() for key, value in stored.items() if key not in pipeline.WITH_GAPS):
        raise RefusedError("its weights are not finite")
    if lists := [key for key, value in stored.items() if key.startswith(f"{bgnbd.CLOSED}.") and value.size != 1]:
        raise RefusedError(f"its weight {lists[0]} is an array where a number belongs")
    if target.kind == "items":
        recommender.require_sound(stored, version.encoder.columns[0].levels)
        return
    shape = stored[pipeline.BACKGROUND].shape
    if shape != (explanation.BACKGROUND, columns):
        raise RefusedError(f"its background has the shape {shape}, not {(explanation.BACKGROUND, columns)}")
    if target.kind == "segment":
        _require_segments(target, stored, columns)
    rows = np.array([[0, np.nan]] * columns, np.float32)
    outputs = METHODS[version.method].forward(version.encoder, version.options)(stored, jnp.asarray(rows.T))
    answers = pipeline.compiled(stored, version.encoder, version.options, "answers")(rows)
    is_finite = all(np.isfinite(each).all() for each in (outputs, answers))
    if outputs.shape[::2] != (len(rows.T), target.size) or not is_finite:
        raise RefusedError(f"its weights answer two rows with {answers.tolist()}, of {outputs.shape}"[:200])


def _require_segments(target: Target, stored: Mapping[str, NDArray[np.float32]], columns: int) -> None:
    """A number a name, and a picture of rows as the encoder has them."""
    drawn, numbers = stored[catalog.MAP_INPUTS], stored[catalog.MAP_SEGMENTS]
    if len(target.numbers) != len(target.levels) or drawn.shape != (len(numbers), columns):
        raise RefusedError("its segments are not those of its picture")
