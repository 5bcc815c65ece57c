"""A version as one file, a zip of JSON, safetensors and SQL; what comes from elsewhere is checked before it is run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from sqlml import catalog, lifecycle, options, pipeline, queries, registry
from sqlml.catalog import Catalog, Dump, Version
from sqlml.errors import ModelError, SqlmlError
from sqlml.lifecycle import Workplace
from sqlml.transforms import Encoder
from sqlml.vetting import Vetter

FORMAT = 1
MANIFEST, WEIGHTS = "manifest.json", "weights.safetensors"
MOST_BYTES, MOST_FILES, MOST_OF_MANIFEST = 1 << 29, 300, 1 << 20
"""Of the whole archive unpacked; a file that says less and holds more is cut off."""
_NAME = re.compile(r"weights\.safetensors|tables/[a-z_]{1,40}\.json|macros/\d{1,3}\.sql")
_ID = re.compile(r"[0-9a-f]{12}")
_SUFFIX = re.compile(r"(_[a-z]{1,20})?")


@dataclass(frozen=True)
class Archive:
    """What an archive says: the id it had, its tables, and the bytes of its weights."""

    version_id: str
    dump: Dump
    weights: bytes


def write(place: Workplace, name: str, number: int | None, path: str) -> int:
    """Write a version to a file, replaced if it is there; returns its size in bytes.

    The held-out predictions go along without the keys of their rows: no customer's id leaves the database.

    Raises:
        ModelError: There is no such model or version, or the file cannot be written.
    """
    store = Catalog(place.cursor, place.database)
    store.require_present_schema()
    version = store.version(name, number)
    contents = dict(_contents(store.dump(version.version_id), store.blob(version.version_id)))
    manifest = {
        "product": "sqlml",
        "format": FORMAT,
        "sqlml": package_version("sqlml"),
        "version_id": version.version_id,
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()},
    }
    contents = {MANIFEST: json.dumps(manifest, indent=1).encode(), **contents}
    try:
        _write_zip(Path(path), contents)
    except OSError as error:
        raise ModelError(f"EXPORT cannot write {path}: {error.strerror or error}.") from error
    return Path(path).stat().st_size


def _contents(dump: Dump, weights: bytes) -> Iterator[tuple[str, bytes]]:
    yield WEIGHTS, weights
    for table, content in dump.items():
        if table == "macros":
            for place, (statement,) in enumerate(content["rows"]):
                yield f"macros/{place}.sql", str(statement).encode()
        else:
            yield f"tables/{table}.json", json.dumps(content).encode()


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    """All of it or nothing: written beside, then put in place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".sqlml")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
            for name, content in contents.items():
                target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(place: Workplace, name: str, path: str, *, is_replace: bool) -> Version:
    """Take a version from a file into the catalogue, under a new id, and promote it.

    Raises:
        ModelError: The file is missing, damaged, of another format, or holds what a model has no business with; nothing
            has then been written.
    """
    store = Catalog(place.cursor, place.database)
    try:
        archive = _renamed(_read(Path(path)))
        suffixes = _suffixes(archive.dump)
        wanted = [name + suffix for suffix in suffixes]
        lifecycle.require_free(place.cursor, store, name, wanted, is_replace=is_replace)
        _require_harmless(place.cursor, archive, name, suffixes)
        return _insert(place, store, archive, name)
    except (OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ModelError(f"IMPORT cannot read {path}: {error}.") from error
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError, NotImplementedError,
            RuntimeError, SafetensorError) as error:  # fmt: skip
        raise ModelError(f"{path} is damaged or no model of sqlml: {type(error).__name__}: {error}.") from error
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"The model in {path} does not fit this database: {reason}.") from error


class RefusedError(ModelError):
    """An archive that is not taken in."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The archive is refused: {reason}.")


def _read(path: Path) -> Archive:
    with zipfile.ZipFile(path) as source:
        entries = source.infolist()
        names = [entry.filename for entry in entries]
        if len(names) > MOST_FILES or len(set(names)) < len(names):
            raise RefusedError(f"it holds {len(names)} files, some of one name or more than {MOST_FILES}")
        if strange := [name for name in names if name != MANIFEST and not _NAME.fullmatch(name)]:
            raise RefusedError(f"it holds the file {strange[0][:80]!r}, which no model has")
        if sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise RefusedError(f"unpacked it would be more than {MOST_BYTES:,} bytes")
        manifest = json.loads(_bytes(source, MANIFEST, MOST_OF_MANIFEST))
        _check_manifest(manifest, names)
        files: dict[str, bytes] = {}
        for name, digest in manifest["files"].items():
            files[name] = _bytes(source, name, MOST_BYTES - sum(map(len, files.values())))
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise RefusedError(f"{name} is not what the manifest says")
    return Archive(manifest["version_id"], dict(_tables(files)), files[WEIGHTS])


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
            yield name[7:-5], json.loads(content)


def _renamed(archive: Archive) -> Archive:
    """Under an id of our own: the one it had may be in use."""
    version_id = secrets.token_hex(6)
    macros = archive.dump["macros"]
    rows = [[statement.replace(archive.version_id, version_id)] for (statement,) in macros["rows"]]
    return Archive(version_id, {**archive.dump, "macros": {**macros, "rows": rows}}, archive.weights)


def _suffixes(dump: Dump) -> list[str]:
    found = _column(dump, "functions", "suffix")
    if strange := [suffix for suffix in found if not _SUFFIX.fullmatch(suffix)]:
        raise RefusedError(f"it has a function with the suffix {strange[0][:80]!r}")
    return sorted(set(found))


def _column(dump: Dump, table: str, column: str) -> list[str]:
    place = dump[table]["columns"].index(column)
    return [row[place] for row in dump[table]["rows"]]


def _require_harmless(cursor: duckdb.DuckDBPyConnection, archive: Archive, name: str, suffixes: Sequence[str]) -> None:
    version_id, public = archive.version_id, [*suffixes, catalog.PREDICT]
    udfs = {registry.udf_name(kind, version_id) for kind in _column(archive.dump, "functions", "kind")}
    own = {*(name + suffix for suffix in public), *catalog.internal_macros(version_id).values(), *udfs}
    vetter = Vetter(cursor, own)
    for (statement,) in archive.dump["macros"]["rows"]:
        if statement != queries.text("functions/latest"):
            try:
                vetter.require_harmless(catalog.with_names(statement, version_id, name, public))
            except SqlmlError as error:
                raise RefusedError(str(error)) from error
    for query in filter(None, _column(archive.dump, "versions", "query")):
        kinds = [statement.type for statement in duckdb.extract_statements(query)]
        if kinds != [duckdb.StatementType.SELECT]:
            raise RefusedError("its training query is not one SELECT")


def _insert(place: Workplace, store: Catalog, archive: Archive, name: str) -> Version:
    version = _version(archive, name, place.database)
    _require_sound(version, archive.weights)
    place.registry.register(version)
    try:
        with store.transaction():
            version = store.restore(archive.version_id, name, archive.dump, archive.weights)
            store.promote(version, "imported")
    except BaseException:
        place.registry.remove(archive.version_id)
        raise
    return version


def _version(archive: Archive, name: str, database: str) -> Version:
    """The version as it will be read back."""
    table = archive.dump["versions"]
    (row,) = table["rows"]
    said = dict(zip(table["columns"], row, strict=True))
    chosen = options.from_json(said["options"])
    kinds = tuple(dict.fromkeys(_column(archive.dump, "functions", "kind")))
    encoder = Encoder.from_json(said["encoder"])
    return Version(archive.version_id, name, 0, said["task"], chosen.method, chosen, encoder, kinds, database)


def _require_sound(version: Version, weights: bytes) -> None:
    """Run the forward pass once: weights of wrong shapes or values do not get through it."""
    stored = load(weights)
    if any(not np.isfinite(value).all() for key, value in stored.items() if key != pipeline.BACKGROUND):
        raise RefusedError("its weights are not finite")
    rows = np.zeros((len(version.encoder.names), 1), np.float32)
    answers = pipeline.compiled(stored, version.encoder, version.options, "answers")(rows)
    expected = (1, version.encoder.target.size) if version.encoder.target.kind == "classes" else (1,)
    if answers.shape != expected or not np.isfinite(answers).all():
        raise RefusedError(f"its weights answer a row with shape {answers.shape}, not {expected}")
    if stored[pipeline.BACKGROUND].shape[1] != len(version.encoder.names):
        raise RefusedError("its background rows do not fit its columns")
