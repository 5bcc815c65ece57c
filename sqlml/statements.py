"""Text → statements of sqlml, and runs of text that belong to DuckDB, untouched.

A small recursive-descent parser over `duckdb.tokenize`. Option values are not parsed: they go to DuckDB as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import duckdb

from sqlml.errors import StatementError
from sqlml.queries import literal

CREATE_FORM = (
    "CREATE [OR REPLACE] MODEL [IF NOT EXISTS] name "
    "[PREDICT expression FOR EACH CUSTOMER [WHERE condition] HORIZON 30 DAYS] "
    "[OPTIONS (task = 'churn', horizon = INTERVAL 90 DAY, ...)] [AS query]"
)
DROP_FORM = "DROP MODEL [IF EXISTS] name [VERSION n]"
SHOW_FORM = "SHOW MODELS [LIKE 'pattern']"
DESCRIBE_FORM = "DESCRIBE MODEL name [VERSION n]"
ALTER_FORM = "ALTER MODEL name PROMOTE VERSION n | ROLLBACK | RENAME TO new_name | RETRAIN [OPTIONS (gate = true, ...)]"
EVALUATE_FORM = "EVALUATE MODEL name [VERSION n] [ON query]"
EXPLAIN_FORM = "EXPLAIN MODEL name [VERSION n] [FOR query]"
EXPORT_FORM = "EXPORT MODEL name [VERSION n] TO 'file.sqlml' [OPTIONS (rows = false)]"
IMPORT_FORM = "IMPORT [OR REPLACE] MODEL name FROM 'file.sqlml'"
BACKTEST_FORM = "BACKTEST MODEL name FROM time TO time EVERY 30 DAYS"
FORMS = (
    CREATE_FORM, SHOW_FORM, DESCRIBE_FORM, EVALUATE_FORM, EXPLAIN_FORM, ALTER_FORM, BACKTEST_FORM, EXPORT_FORM,
    IMPORT_FORM, DROP_FORM,
)  # fmt: skip
_SPACES = {0xA0: "  ", **dict.fromkeys([*range(0x2000, 0x200C), 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF], "   ")}
"""What DuckDB reads as a space beyond ASCII → as many spaces as it has bytes."""
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class CreateModel:
    """CREATE [OR REPLACE] MODEL; option values are SQL constant expressions, `query` gives the rows to learn from.

    The clauses PREDICT, WHERE and HORIZON are the options `predict`, `population` and `horizon`.
    """

    name: str
    options: Mapping[str, str]
    is_replace: bool
    query: str | None = None
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropModel:
    """DROP MODEL [IF EXISTS], of one version or of all."""

    name: str
    if_exists: bool
    version: int | None = None


@dataclass(frozen=True)
class ShowModels:
    """SHOW MODELS, those whose name is like a pattern."""

    pattern: str = "%"


@dataclass(frozen=True)
class DescribeModel:
    """DESCRIBE MODEL, by default of the promoted version."""

    name: str
    version: int | None = None


@dataclass(frozen=True)
class PromoteVersion:
    """ALTER MODEL ... PROMOTE VERSION; without a number ROLLBACK."""

    name: str
    version: int | None


@dataclass(frozen=True)
class RenameModel:
    """ALTER MODEL ... RENAME TO."""

    name: str
    new_name: str


@dataclass(frozen=True)
class RetrainModel:
    """ALTER MODEL ... RETRAIN, with options that change; the version whose recipe it is, default: the promoted one."""

    name: str
    options: Mapping[str, str]
    version: int | None = None


@dataclass(frozen=True)
class EvaluateModel:
    """EVALUATE MODEL, as it was tested or on the rows of a query."""

    name: str
    version: int | None = None
    query: str | None = None


@dataclass(frozen=True)
class ExplainModel:
    """EXPLAIN MODEL: how it was made, or why each row of a query gets its prediction."""

    name: str
    version: int | None = None
    query: str | None = None


@dataclass(frozen=True)
class ExportModel:
    """EXPORT MODEL ... TO, with the option `rows`: whether rows of inputs go along."""

    name: str
    version: int | None
    path: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportModel:
    """IMPORT [OR REPLACE] MODEL ... FROM."""

    name: str
    path: str
    is_replace: bool


@dataclass(frozen=True)
class BacktestModel:
    """BACKTEST MODEL: the times and the interval are SQL constant expressions."""

    name: str
    start: str
    end: str
    every: str


@dataclass(frozen=True)
class Foreign:
    """Text that goes to DuckDB byte for byte."""

    text: str


Statement = (
    CreateModel | DropModel | ShowModels | DescribeModel | PromoteVersion | RenameModel | RetrainModel
    | EvaluateModel | ExplainModel | ExportModel | ImportModel | BacktestModel | Foreign
)  # fmt: skip


@dataclass(frozen=True)
class _Token:
    start: int
    text: str
    kind: str

    @property
    def word(self) -> str:
        return self.text.upper() if self.text.isascii() else self.text

    @property
    def end(self) -> int:
        return self.start + len(self.text.encode())

    @property
    def is_name(self) -> bool:
        return self.kind in ("identifier", "keyword")

    @property
    def is_text(self) -> bool:
        return self.kind == "string_const" and self.text.startswith("'")


def parse(script: str) -> list[Statement]:
    """Split a script into statements of ours and text for DuckDB.

    Raises:
        StatementError: A statement begins like one of ours but cannot be read; the text shows the place.
    """
    if "model" not in script.lower():
        return [Foreign(script)]
    try:
        source = script.encode()
    except UnicodeEncodeError:  # half a surrogate pair: not text
        return [Foreign(script)]
    statements: list[Statement] = []
    foreign_from, end = 0, 0
    for tokens, end in _pieces(source):
        ours = _Parser(source, tokens).statement()
        if ours is None:
            continue
        if source[foreign_from : tokens[0].start].strip():
            statements.append(Foreign(source[foreign_from : tokens[0].start].decode()))
        statements.append(ours)
        foreign_from = end
    if not statements:
        return [Foreign(script)]
    if any(tokens and tokens[0].start >= foreign_from for tokens, _ in _pieces(source)):
        statements.append(Foreign(source[foreign_from:].decode()))
    return [s for s in statements if not isinstance(s, Foreign) or _has_code(s.text)]


def split(script: str) -> list[str]:
    """The texts of the statements of a script, ours and DuckDB's, without their semicolons; an open quote ends one."""
    source = script.encode()
    return [source[tokens[0].start : tokens[-1].end].decode() for tokens, _ in _pieces(source)]


def is_complete(script: str) -> bool:
    """Whether a script ends with a semicolon that closes a statement."""
    tokens = [token for token in _tokens(script.encode()) if token.kind != "comment"]
    return bool(tokens) and tokens[-1].text == ";"


def _has_code(text: str) -> bool:
    return any(t.kind != "comment" and t.text != ";" for t in _tokens(text.encode()))


def _pieces(source: bytes) -> Iterator[tuple[list[_Token], int]]:
    """The tokens of each statement, comments left out, and the offset behind its semicolon."""
    piece: list[_Token] = []
    for token in _tokens(source):
        if token.kind == "comment":
            continue
        if token.text == ";":
            if piece:
                yield piece, token.start + 1
            piece = []
        else:
            piece.append(token)
    if piece:
        yield piece, len(source)


def _tokens(source: bytes) -> list[_Token]:
    """Tokens with byte offsets; an operator token is cut into its characters, a quote or comment may be left open."""
    plain = source.decode().translate(_SPACES)
    marks = [(start, kind.name) for start, kind in duckdb.tokenize(plain + "\n;")]
    if marks[-1][0] < len(source):  # the last one has swallowed our semicolon
        marks = [*marks[:-1], (marks[-1][0], "open"), (len(source), "end")]
    blank, tokens = plain.encode(), []
    for (start, kind), (end, _) in pairwise(marks):
        text = source[start : start + len(blank[start:end].rstrip())].decode()
        if kind == "operator":
            tokens += [_Token(start + i, c, kind) for i, c in enumerate(text) if not c.isspace()]
        else:
            tokens.append(_Token(start, text, kind))
    return tokens


class _Parser:
    def __init__(self, source: bytes, tokens: list[_Token]) -> None:
        self._source, self._tokens, self._at = source, tokens, 0

    def statement(self) -> Statement | None:
        """The statement, or None where it is DuckDB's."""
        forms: tuple[tuple[tuple[str, ...], Callable[[], Statement]], ...] = (
            (("CREATE", "OR", "REPLACE", "MODEL"), partial(self._create, is_replace=True)),
            (("CREATE", "MODEL"), partial(self._create, is_replace=False)),
            (("DROP", "MODEL"), self._drop),
            (("ALTER", "MODEL"), self._alter),
            (("DESCRIBE", "MODEL"), self._describe),
            (("SHOW", "MODELS"), self._show),
            (("EVALUATE", "MODEL"), self._evaluate),
            (("EXPLAIN", "MODEL"), self._explain),
            (("EXPORT", "MODEL"), self._export),
            (("IMPORT", "MODEL"), partial(self._import, is_replace=False)),
            (("IMPORT", "OR", "REPLACE", "MODEL"), partial(self._import, is_replace=True)),
            (("BACKTEST", "MODEL"), self._backtest),
        )
        for words, read in forms:
            if self._take(*words):
                return None if self._is_table() else read()
        return None

    def _is_table(self) -> bool:
        """DESCRIBE model or model.t, and SHOW models in a longer text, are about a table or schema of that name."""
        first = self._tokens[0].word
        return (first == "DESCRIBE" and (self._done() or self._ahead("."))) or (
            first == "SHOW" and not self._done() and not self._ahead("LIKE")
        )

    def _describe(self) -> DescribeModel:
        statement = DescribeModel(self._model(DESCRIBE_FORM), self._version(DESCRIBE_FORM))
        self._finish(DESCRIBE_FORM)
        return statement

    def _show(self) -> ShowModels:
        pattern = self._text(SHOW_FORM) if self._take("LIKE") else "%"
        self._finish(SHOW_FORM)
        return ShowModels(pattern)

    def _alter(self) -> Statement:
        name = self._model(ALTER_FORM)
        statement: Statement
        if self._take("ROLLBACK"):
            statement = PromoteVersion(name, None)
        elif self._take("RENAME", "TO"):
            statement = RenameModel(name, self._model(ALTER_FORM, "the new name"))
        elif self._take("RETRAIN"):
            statement = RetrainModel(name, self._options(ALTER_FORM) if self._take("OPTIONS") else {})
        elif self._take("PROMOTE"):
            if not self._ahead("VERSION"):
                raise self._error("expected VERSION", ALTER_FORM)
            statement = PromoteVersion(name, self._version(ALTER_FORM))
        else:
            raise self._error("expected PROMOTE, ROLLBACK, RENAME or RETRAIN", ALTER_FORM)
        self._finish(ALTER_FORM)
        return statement

    def _evaluate(self) -> EvaluateModel:
        name, version = self._model(EVALUATE_FORM), self._version(EVALUATE_FORM)
        return EvaluateModel(name, version, self._query("ON", EVALUATE_FORM))

    def _explain(self) -> ExplainModel:
        name, version = self._model(EXPLAIN_FORM), self._version(EXPLAIN_FORM)
        return ExplainModel(name, version, self._query("FOR", EXPLAIN_FORM))

    def _export(self) -> ExportModel:
        name, version = self._model(EXPORT_FORM), self._version(EXPORT_FORM)
        self._expect("TO", EXPORT_FORM)
        path = self._text(EXPORT_FORM)
        statement = ExportModel(name, version, path, self._options(EXPORT_FORM) if self._take("OPTIONS") else {})
        self._finish(EXPORT_FORM)
        return statement

    def _import(self, *, is_replace: bool) -> ImportModel:
        name = self._model(IMPORT_FORM)
        self._expect("FROM", IMPORT_FORM)
        statement = ImportModel(name, self._text(IMPORT_FORM), is_replace)
        self._finish(IMPORT_FORM)
        return statement

    def _backtest(self) -> BacktestModel:
        name = self._model(BACKTEST_FORM)
        self._expect("FROM", BACKTEST_FORM)
        start = self._until(BACKTEST_FORM, ("TO",))
        self._expect("TO", BACKTEST_FORM)
        end = self._until(BACKTEST_FORM, ("EVERY",))
        self._expect("EVERY", BACKTEST_FORM)
        statement = BacktestModel(name, start, end, self._interval(BACKTEST_FORM))
        self._finish(BACKTEST_FORM)
        return statement

    def _version(self, form: str) -> int | None:
        if not self._take("VERSION"):
            return None
        if self._done() or not _NUMBER.fullmatch(self._tokens[self._at].text):
            raise self._error("expected the number of a version", form)
        self._at += 1
        return int(self._tokens[self._at - 1].text)

    def _text(self, form: str) -> str:
        if self._done() or not self._tokens[self._at].is_text:
            raise self._error("expected a text in single quotes", form)
        self._at += 1
        return self._tokens[self._at - 1].text[1:-1].replace("''", "'")

    def _create(self, *, is_replace: bool) -> CreateModel:
        if_not_exists = self._take("IF", "NOT", "EXISTS")
        if if_not_exists and is_replace:
            raise self._error("OR REPLACE and IF NOT EXISTS exclude each other", CREATE_FORM, self._at - 3)
        name = self._model(CREATE_FORM)
        options = self._target() if self._take("PREDICT") else {}
        if not options or self._ahead("OPTIONS"):
            self._expect("OPTIONS", CREATE_FORM)
            options |= self._options(CREATE_FORM, given=options)
        if "predict" in options and self._ahead("AS"):
            raise self._error("PREDICT learns from the behaviour tables and takes no query", CREATE_FORM)
        return CreateModel(name, options, is_replace, self._query("AS", CREATE_FORM), if_not_exists)

    def _target(self) -> dict[str, str]:
        """The clauses of PREDICT as options."""
        options = {"predict": literal(self._until(CREATE_FORM, ("FOR",)))}
        for word in ("FOR", "EACH", "CUSTOMER"):
            self._expect(word, CREATE_FORM)
        if self._take("WHERE"):
            options["population"] = literal(self._until(CREATE_FORM, ("HORIZON",)))
        self._expect("HORIZON", CREATE_FORM)
        return {**options, "horizon": self._interval(CREATE_FORM, ("OPTIONS",), ("AS",))}

    def _interval(self, form: str, *stops: tuple[str, ...]) -> str:
        """`30 DAYS` is short for `INTERVAL 30 DAYS`."""
        is_short = not self._done() and self._tokens[self._at].kind == "numeric_const"
        text = self._until(form, *stops)
        return f"INTERVAL {text}" if is_short else text

    def _options(self, form: str, *, given: Mapping[str, str] | None = None) -> dict[str, str]:
        self._expect("(", form)
        options: dict[str, str] = {}
        while not self._take(")"):
            key = self._name(form, "an option name").lower()
            if key in options or key in (given or {}):
                raise self._error(f"option {key} is given twice", form, self._at - 1)
            self._expect("=", form)
            options[key] = self._until(form, (",",), (")",), closing=")")
            if not self._take(",") and not self._ahead(")"):
                raise self._error("expected , or )", form)
        return options

    def _drop(self) -> DropModel:
        if_exists = self._take("IF", "EXISTS")
        name, version = self._model(DROP_FORM), self._version(DROP_FORM)
        self._finish(DROP_FORM)
        return DropModel(name, if_exists, version)

    def _query(self, word: str, form: str) -> str | None:
        """The text behind a word, up to the end of the statement."""
        if not self._take(word):
            self._finish(form)
            return None
        if self._done():
            raise self._error("expected a query", form)
        first, self._at = self._at, len(self._tokens)
        return self._passed(first)

    def _until(self, form: str, *stops: tuple[str, ...], closing: str | None = None) -> str:
        """The text up to one of the `stops` at this depth of brackets, or to the end where nothing must close it."""
        first, depth = self._at, 0
        while not self._done() and not (depth == 0 and any(self._ahead(*words) for words in stops)):
            text = self._tokens[self._at].text
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            self._at += 1
        if first == self._at:
            raise self._error("expected a value", form)
        if self._done() and closing:
            raise self._error(f"expected {closing}", form)
        return self._passed(first)

    def _passed(self, first: int) -> str:
        """The text from one token to the one before this place."""
        return self._source[self._tokens[first].start : self._tokens[self._at - 1].end].decode()

    def _model(self, form: str, what: str = "a model name") -> str:
        """A name, behind `main.` or not."""
        at, name = self._at, self._name(form, what)
        if not self._take("."):
            return name
        if name.lower() != "main":
            raise self._error("models live in schema main of the current database (USE another first)", form, at)
        return self._name(form, what)

    def _name(self, form: str, what: str = "a model name") -> str:
        if self._at >= len(self._tokens) or not self._tokens[self._at].is_name:
            raise self._error(f"expected {what}", form)
        text = self._tokens[self._at].text
        self._at += 1
        quoted = text.startswith('"')
        name = text[1:-1].replace('""', '"') if quoted else text.lower()
        if not name:
            raise self._error(f"expected {what}, not an empty one", form, self._at - 1)
        return name

    def _take(self, *words: str) -> bool:
        found = self._ahead(*words)
        self._at += len(words) if found else 0
        return found

    def _ahead(self, *words: str) -> bool:
        return tuple(token.word for token in self._tokens[self._at : self._at + len(words)]) == words

    def _done(self) -> bool:
        return self._at == len(self._tokens)

    def _expect(self, word: str, form: str) -> None:
        if not self._take(word):
            raise self._error(f"expected {word}", form)

    def _finish(self, form: str) -> None:
        if not self._done():
            raise self._error("expected the end of the statement", form)

    def _error(self, message: str, form: str, at: int | None = None) -> StatementError:
        """The line, a caret under the place, and the form that was expected."""
        at = self._at if at is None else at
        offset = self._tokens[at].start if at < len(self._tokens) else self._tokens[-1].end
        before = self._source[:offset].decode()
        number = before.count("\n") + 1
        column = len(before) - before.rfind("\n") - 1
        lines = self._source.decode().split("\n")
        return StatementError(
            f"Line {number}: {message}.\n{lines[number - 1].rstrip()}\n{' ' * column}^\nThe form is: {form}"
        )
