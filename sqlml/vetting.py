"""SQL from elsewhere, read before it is run: nothing but macros that compute from the tables they may read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from sqlml.errors import ModelError

RELATIONS = {("behavior", "events"), ("behavior", "customers"), ("behavior", "items"), ("ml", "latest")}
"""What a macro may read beside its own common table expressions."""
SHARED = {"utc", "coverage"}
"""Macros of the catalogue that a model's macros may call."""
TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
_HEAD = re.compile(r'CREATE OR REPLACE MACRO (main|ml)\.("(?:[^"]|"")+"|\w+)\s*(?=\()')
_PARAMETERS = re.compile(r"\((?:\w+(?: [\w(), ]+?)?(?: := [\w.]+)?(?:, )?)+\)\s+AS\s+(TABLE\s+)?")
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Vetter:
    """Looks through the statements that make the macros of one version.

    Attributes:
        cursor: Of any database: it parses, and knows the built-in functions.
        own: Names, without schema, that the statements may make and call: macros, and the version's UDFs.
    """

    cursor: duckdb.DuckDBPyConnection
    own: Set[str]

    def require_harmless(self, text: str) -> None:
        """Check statements that make macros.

        Raises:
            ModelError: One does something else, or reads what a model has no business with.
        """
        for statement in duckdb.extract_statements(text):
            found = _HEAD.match(statement.query.strip())
            if statement.type is not duckdb.StatementType.CREATE or not found:
                raise ModelError(f"it holds a statement that makes no macro: {statement.query.strip()[:80]}")
            name = found[2].strip('"').replace('""', '"')
            if name not in self.own:
                raise ModelError(f"it would make the macro {found[1]}.{name}, which is not one of the model's")
            for body in _bodies(statement.query.strip()[found.end() :]):
                self._require_harmless_query(body)

    def _require_harmless_query(self, body: str) -> None:
        parsed = json.loads(self.cursor.execute("SELECT json_serialize_sql(?)", [body]).fetchall()[0][0])
        if parsed["error"]:
            raise ModelError(f"a macro cannot be read: {parsed['error_message']}")
        nodes = list(_nodes(parsed["statements"]))
        if len(parsed["statements"]) != 1:
            raise ModelError("a macro holds more than one query")
        tables = {name for node in nodes for name in _defined(node)}
        for node in nodes:
            self._check(node, tables)

    def _check(self, node: Node, tables: Set[str]) -> None:
        if node.get("type") == "BASE_TABLE":
            path = tuple(node["qualified_name"]["path"])
            if path not in RELATIONS and not (len(path) == 1 and path[0] in tables):
                raise ModelError(f"a macro reads {'.'.join(path)}")
        elif node.get("type") == "TABLE_FUNCTION":
            self._check_table_function(node["function"])
        elif node.get("class") == "FUNCTION":
            self._check_function(node)

    def _check_table_function(self, function: Node) -> None:
        name, arguments = function["function_name"], function["arguments"]
        is_relation = name == "query_table" and [a["expression"]["class"] for a in arguments] == ["COLUMN_REF"]
        if not (is_relation or name in TABLE_FUNCTIONS or (function["schema"] == "ml" and name in self.own)):
            raise ModelError(f"a macro calls the table function {name}")

    def _check_function(self, node: Node) -> None:
        name = node["function_name"]
        known = self.own | SHARED if node["schema"] == "ml" else self.own | self._built_in | {"query_table"}
        if name not in known | TABLE_FUNCTIONS:
            raise ModelError(f"a macro calls {name}")

    @cached_property
    def _built_in(self) -> Set[str]:
        """Functions of DuckDB's own whose answer depends on their arguments alone."""
        query = """SELECT DISTINCT function_name FROM duckdb_functions()
                   WHERE internal AND function_type IN ('scalar', 'aggregate', 'macro')
                     AND coalesce(stability, '') <> 'VOLATILE' AND function_name NOT IN ('getenv', 'getvariable')"""
        return {name for (name,) in self.cursor.execute(query).fetchall()}


def _bodies(text: str) -> Iterator[str]:
    """The queries behind `(parameters) AS`; a scalar macro may have several, one for each list of parameters."""
    while text:
        found = _PARAMETERS.match(text)
        if not found:
            raise ModelError(f"the parameters of a macro cannot be read: {text[:80]}")
        end = len(text) if found[1] else _end_of_expression(text, found.end())
        body = text[found.end() : end].strip().removesuffix(";")
        yield body if found[1] else f"SELECT {body}"
        text = text[end + 1 :].strip()


def _end_of_expression(text: str, start: int) -> int:
    """The comma, outside of all brackets, that a further list of parameters follows, or the end."""
    source, depth = text[start:].encode(), 0
    tokens = [(offset, kind.name) for offset, kind in duckdb.tokenize(source.decode())]
    for (offset, kind), (end, _) in zip(tokens, [*tokens[1:], (len(source), "")], strict=True):
        if kind != "operator":
            continue
        for place in range(offset, end):
            character = source[place : place + 1]
            depth += (character in (b"(", b"[", b"{")) - (character in (b")", b"]", b"}"))
            if character == b"," and depth == 0:
                return start + len(source[:place].decode())
    return len(text)


def _defined(node: Node) -> Iterator[str]:
    """Names of the common table expressions that a node begins with."""
    for entry in node.get("cte_map", {}).get("map", ()):
        yield entry["key"]


def _nodes(tree: object) -> Iterator[Node]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _nodes(each)
