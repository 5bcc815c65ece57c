"""SQL from elsewhere, read before it is run: nothing but macros that compute from the tables they may read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import duckdb

from sqlml import queries
from sqlml.errors import ModelError
from sqlml.queries import identifier


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RELATIONS = {("behavior", "events"), ("behavior", "customers"), ("behavior", "items"), ("ml", "latest")}
"""What a macro may read beside its own common table expressions."""
RELATION = "__sqlml_relation"
"""The parameter that names a relation of the user's: handed on as it is, or a macro could name one itself."""
VALUES = ""
"""In its place: the table macro takes values, like any other macro."""
SHARED = {
    ("ml", name) for name in ("utc", "in_utc", "of_type", "settings_fit", "coverage", "refuse_own_column", "in_reach")
}
"""Macros of the catalogue that a model's macros may call."""
FUNCTIONS = _words(
    """
    + - * / // % ** ^ & | << >> ~ || ~~ !~~ ~~* !~~* ->> @> <@ && ^@
    abs add cbrt ceil ceiling cos cot degrees divide even exp factorial fdiv floor fmod gamma gcd greatest isfinite
    isinf isnan lcm least lgamma ln log log10 log2 mod multiply pi pow power radians round round_even sign signbit sin
    sqrt subtract tan tanh trunc xor acos asin atan atan2 bit_count hash if nullif typeof
    array_to_string ascii bit_length char_length chr concat concat_ws contains damerau_levenshtein ends_with hamming
    ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left len length levenshtein like_escape
    lower ltrim md5 not_ilike_escape not_like_escape position prefix regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array replace reverse right rtrim split split_part
    starts_with string_split string_split_regex strip_accents strlen strpos substr substring suffix translate trim
    ucase unicode upper
    json_array_length json_exists json_extract json_extract_string json_keys json_type json_valid
    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
    dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear
    julian last_day make_date make_time make_timestamp microsecond millennium millisecond minute month monthname
    quarter second strftime strptime time_bucket timezone to_centuries to_days to_decades to_hours to_microseconds
    to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years try_strptime week
    weekday weekofyear year yearweek
    array_contains array_extract array_has array_length array_slice array_value cardinality element_at flatten
    list_any_value list_append list_apply list_avg list_concat list_contains list_count list_distinct list_extract
    list_filter list_first list_has list_has_all list_has_any list_last list_max list_mean list_median list_min
    list_position list_prepend list_product list_reduce list_reverse list_reverse_sort list_slice list_sort
    list_stddev_pop list_stddev_samp list_sum list_transform list_unique list_value list_var_pop list_var_samp
    list_zip map map_contains map_entries map_extract map_from_entries map_keys map_values row struct_extract
    struct_pack
    any_value approx_count_distinct approx_quantile arbitrary arg_max arg_max_null arg_min arg_min_null array_agg avg
    bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp entropy favg
    first fsum geomean geometric_mean group_concat histogram kahan_sum kurtosis kurtosis_pop last list listagg mad max
    max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp string_agg
    sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg
    first_value lag last_value lead rank row_number
    query_table unnest
    """
)
"""DuckDB's own whose answer depends on their arguments alone, and is no larger than these."""
TYPES = _words(
    """
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL
    VARCHAR BLOB BIT UUID DATE TIME INTERVAL TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS ENUM LIST ARRAY STRUCT
    MAP
    """
) | {"TIME WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"}
"""Another could load an extension."""
KINDS = _words(
    """
    SELECT_NODE EMPTY BASE_TABLE JOIN SUBQUERY TABLE_FUNCTION ORDER_MODIFIER DISTINCT_MODIFIER
    ORDER_DEFAULT ASCENDING DESCENDING
    BETWEEN CASE CAST COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR STAR TYPE WINDOW
    """
)
"""Parts of a query that a macro may have."""
MOST_NAMES, MOST_CHARACTERS = 6, 1 << 25
"""Of one reference to a column; of a macro with all that it calls put in."""
FREE = {duckdb.token_type.string_const, duckdb.token_type.comment}
"""Tokens that hold any character."""
_FOREIGN = re.compile(r"[^\w\x00-\x7f]")
_HEAD = re.compile(r'CREATE OR REPLACE MACRO (main|ml)\.("[^"]++"|\w++)(?=\()')
_INNER = r"'[^']*+'|\"[^\"]*+\"|[\w ,\[\]]++"
_TYPE = rf"[A-Z][A-Z_]*+(?: [A-Z]++)*+(?:\((?:{_INNER}|\((?:{_INNER})*+\))*+\))?(?:\[\d*+\])*+"
_PARAMETER = rf"(?:__sqlml_[a-z]++|coverage|k)(?: {_TYPE})?(?: := \d++(?:\.\d++)?)?"
_PARAMETERS = re.compile(rf"\s*+\(({_PARAMETER}(?:, {_PARAMETER})*+)\)\s++AS\s++(TABLE\s++)?+")
Path = tuple[str, ...]
"""Of a macro or a table: its schema, if it is named, and its name."""
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Overload:
    """One body of a macro, as text."""

    parameters: str
    is_table: bool
    body: str

    def __str__(self) -> str:
        """The body in brackets: where it ends is then as it was read."""
        return f"({self.parameters}) AS {'TABLE ' * self.is_table}{_bracketed(self.body)}"


@dataclass(frozen=True)
class Vetter:
    """Looks through the statements that make the macros of one version.

    Attributes:
        cursor: Of any database: it parses.
        scalars: (schema, name) of the macros that the statements may make and call.
        tables: The same of table macros, each with its parameters, or VALUES.
        udfs: What they may call beside macros and DuckDB's own.
        sizes: (schema, name) of what was made → its length, with all that it calls put in.
    """

    cursor: duckdb.DuckDBPyConnection
    scalars: Set[Path] = frozenset()
    tables: Mapping[Path, str] = field(default_factory=dict)
    udfs: Set[str] = frozenset()
    sizes: dict[Path, int] = field(default_factory=dict)

    def vetted(self, text: str) -> str:
        """Check statements that make macros. Returns them put together again from what was checked.

        Raises:
            ModelError: One does something else, or reads what a model has no business with.
        """
        return "\n".join(self._vetted(each.query.strip()) for each in self.cursor.extract_statements(text))

    def require_harmless(self, expression: str) -> None:
        """Check an expression.

        Raises:
            ModelError: It reads a table, or calls what is not for it.
        """
        self._require_harmless(f"SELECT {_bracketed(expression)}")

    def require_reading(self, text: str) -> None:
        """Check a query of anything, which is not run now.

        Raises:
            ModelError: It is not one query, or one that writes.
        """
        self._parsed(text)
        if queries.writes(self.cursor, text):
            raise ModelError(f"its training query does more than read: {text[:80]}")

    def _vetted(self, statement: str) -> str:
        found = _HEAD.match(statement)
        if not found:
            raise ModelError(f"it holds a statement that makes no macro: {statement[:80]}")
        path = (found[1], found[2].strip('"'))
        overloads = list(_overloads(statement[found.end() :].removesuffix(";")))
        for overload in overloads:
            self._require_own(path, overload)
            query = f"{'' if overload.is_table else 'SELECT '}{_bracketed(overload.body)}"
            self.sizes[path] = self.sizes.get(path, 0) + self._require_harmless(query)
        return f"CREATE OR REPLACE MACRO {found[1]}.{found[2]}{', '.join(map(str, overloads))};"

    def _require_own(self, path: Path, overload: Overload) -> None:
        if path not in (self.tables if overload.is_table else self.scalars):
            raise ModelError(f"it would make the macro {'.'.join(path)}, which is not one of the model's")
        takes_values = not overload.is_table or self.tables[path] == VALUES
        if not takes_values and overload.parameters != self.tables[path]:
            raise ModelError(f"the macro {path[1]} takes ({overload.parameters}), not ({self.tables[path]})")
        if takes_values and RELATION in overload.parameters:
            raise ModelError(f"the macro {path[1]} takes a relation")
        for type_name in re.findall(rf" ({_TYPE})", overload.parameters):
            self.require_harmless(f"NULL::{type_name}")

    def _require_harmless(self, query: str) -> int:
        """Returns the length of the query, with all that it calls put in."""
        _require_short(len(query))
        parsed = self._parsed(query)
        self._check(parsed, frozenset())
        called = [_path(node) for node in queries.nodes(parsed) if "function_name" in node]
        size = len(query) + sum(self.sizes.get(path, 0) for path in called)
        _require_short(size)
        return size

    def _parsed(self, query: str) -> Sequence[Node]:
        parsed = json.loads(self.cursor.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
        if parsed["error"]:
            raise ModelError(f"its SQL cannot be read: {parsed['error_message']}")
        if len(parsed["statements"]) != 1:
            raise ModelError(f"it holds more than one query where one belongs: {query[:80]}")
        statements: Sequence[Node] = parsed["statements"]
        return statements

    def _check(self, tree: object, tables: Set[str]) -> None:
        """Check all nodes; `tables` are the common table expressions in sight, of each those before it."""
        if isinstance(tree, dict):
            self._check_node(tree, tables)
            for entry in tree.get("cte_map", {}).get("map", ()):
                self._check(entry["value"], tables)
                tables = tables | {entry["key"]}
            tree = [value for key, value in tree.items() if key != "cte_map"]
        if isinstance(tree, list):
            for each in tree:
                self._check(each, tables)

    def _check_node(self, node: Node, tables: Set[str]) -> None:
        kind = node.get("class", node.get("type"))
        if kind is not None and kind not in KINDS:
            raise ModelError(f"a macro holds {kind}")
        if kind == "BASE_TABLE" and (node["at_clause"] or _path(node) not in RELATIONS | {(name,) for name in tables}):
            raise ModelError(f"a macro reads {'.'.join(_path(node))}")
        if kind == "TYPE" and not (node["type_name"].upper() in TYPES and len(_path(node)) == 1):
            raise ModelError(f"a macro names the type {'.'.join(_path(node))}")
        if kind == "COLUMN_REF" and len(node["column_names"]) > MOST_NAMES:
            raise ModelError(f"a macro names a column by {len(node['column_names'])} names")
        if kind == "STAR" and node["expr"] is not None:
            raise ModelError("a macro calls COLUMNS")
        if "function_name" in node:
            self._check_call(node, _path(node))

    def _check_call(self, node: Node, path: Path) -> None:
        is_own = path in self.scalars or path in self.tables or path in SHARED
        if not is_own and not (len(path) == 1 and path[0] in FUNCTIONS | self.udfs):
            raise ModelError(f"a macro calls {'.'.join(path)}")
        if path == ("query_table",) or self.tables.get(path, VALUES).startswith(RELATION):
            given = [argument["expression"].get("column_names") for argument in node["arguments"]]
            if given != [[RELATION]]:
                raise ModelError(f"a macro hands a relation of its own to {path[-1]}")


def _require_short(size: int) -> None:
    if size > MOST_CHARACTERS:
        raise ModelError(f"a macro is of {size:,} characters, with what it calls put in")


def quoted(text: str, names: Iterable[str]) -> str:
    """The text with each of these names in quotes.

    Raises:
        ModelError: One stands where another name could change what is around it, such as in a string.
    """
    for name in names:
        text = text.replace(name, identifier(name))
    starts = {place for place, _, _ in _tokens(text)}
    for name in names:
        if any(found.start() not in starts for found in re.finditer(re.escape(identifier(name)), text)):
            raise ModelError(f"{name} stands within another word")
    return text


def _path(node: Node) -> Path:
    return tuple(node["qualified_name"]["path"])


def _overloads(text: str) -> Iterator[Overload]:
    """What stands behind the name of a macro: `(parameters) AS`, a body, and further ones after a comma."""
    starts = [0, *_further(text)]
    for start, end in pairwise([*starts, len(text) + 1]):
        found = _PARAMETERS.match(text, start, end - 1)
        if not found:
            raise ModelError(f"the parameters of a macro cannot be read: {text[start : start + 80]}")
        yield Overload(found[1], bool(found[2]), text[found.end() : end - 1])


def _further(text: str) -> Iterator[int]:
    """Where, behind a comma outside of all brackets, a further list of parameters begins."""
    for place, character, depth in _operators(text):
        if character == "," and depth == 0 and _PARAMETERS.match(text, place + 1):
            yield place + 1


def _bracketed(text: str) -> str:
    """The text in brackets, which nothing in it closes."""
    for _ in _operators(text):
        pass
    return f"(\n{text}\n)"


def _operators(text: str) -> Iterator[tuple[int, str, int]]:
    """(place, character, brackets open behind it) of what is neither a name nor a constant.

    Raises:
        ModelError: A bracket closes that was not opened.
    """
    depth = 0
    for start, token, kind in _tokens(text):
        for place, character in enumerate(token if kind is duckdb.token_type.operator else "", start):
            depth += (character in "([{") - (character in ")]}")
            if depth < 0:
                raise ModelError(f"a bracket closes that was not opened: {text[:80]}")
            yield place, character, depth


def _tokens(text: str) -> Iterator[tuple[int, str, duckdb.token_type | None]]:
    """(place, text, kind) of each token.

    Raises:
        ModelError: It cannot be told where one ends: DuckDB reads some characters as spaces that here are letters.
    """
    source, place = text.encode(), 0
    marks = [(0, None), *duckdb.tokenize(text), (len(source), None)]
    for (start, kind), (end, _) in pairwise(marks):
        token = source[start:end].decode()
        if kind not in FREE and not token.startswith('"') and _FOREIGN.search(token):
            raise ModelError(f"a character stands outside of quotes that belongs into them: {ascii(token)[:80]}")
        yield place, token, kind
        place += len(token)
