"""`sqlml shell`: a prompt for SQL and the statements of sqlml."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from sqlml import statements, terminal
from sqlml.connection import Connection
from sqlml.errors import SqlmlError

HISTORY = ".sqlml_history"
INTERRUPTED = "Query interrupted"
"""What DuckDB says, as a RuntimeError, when Ctrl-C ends a query."""
COMMANDS = {
    ".help": "this text; so do help and ?",
    ".models": "the models: SHOW MODELS",
    ".tables": "the tables and views",
    ".functions": "the functions of the models",
    ".quit": "leave; so do quit, exit and Ctrl-D",
}
HELP, LEAVE = {".help", "help", "?"}, {".quit", ".exit", "quit", "exit"}
"""What stands alone on a line, with a semicolon or without."""
QUERIES = {
    ".models": "SHOW MODELS",
    ".tables": "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'ml' ORDER BY ALL",
    ".functions": "SELECT v.model, v.model || suffix AS function FROM ml.models JOIN ml.versions v USING (version_id) "
    "JOIN ml.functions USING (version_id) ORDER BY ALL",
}
WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "CREATE MODEL", "CREATE OR REPLACE MODEL", "PREDICT",
    "FOR EACH CUSTOMER", "HORIZON", "OPTIONS", "SHOW MODELS", "DESCRIBE MODEL", "EVALUATE MODEL", "EXPLAIN MODEL",
    "ALTER MODEL", "PROMOTE VERSION", "ROLLBACK", "RENAME TO", "RETRAIN", "BACKTEST MODEL", "EXPORT MODEL",
    "IMPORT MODEL", "DROP MODEL",
)  # fmt: skip


def run(con: Connection) -> None:
    """Read statements from the terminal, or from standard input where that is none, until it ends."""
    if not sys.stdin.isatty():
        _run_all(con, sys.stdin.read())
        return
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(Path.home() / HISTORY)),
        completer=Names(con),
        complete_while_typing=False,
        lexer=PygmentsLexer(SqlLexer),
        key_bindings=_keys(),
        multiline=True,
        prompt_continuation="   ...> ",
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ends a statement, not the shell
    terminal.tell("A statement ends with a semicolon. Tab completes; help says more; quit leaves.")
    while True:
        try:
            text = session.prompt("sqlml> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if _word(text) in LEAVE:
            return
        _answer(con, text)


def _keys() -> KeyBindings:
    """Enter ends a statement that has its semicolon, and a command of the shell; else it begins a new line."""
    keys = KeyBindings()

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        if not text or text.startswith(".") or _word(text) in HELP | LEAVE or statements.is_complete(text):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return keys


def _answer(con: Connection, text: str) -> None:
    """Run what was typed; an error is shown and the prompt comes again."""
    if text.startswith(".") and text not in QUERIES:
        _help()
        return
    _run_all(con, QUERIES.get(text, text), stops=False)


def _help() -> None:
    terminal.say("\n".join(f"{name:12}{meaning}" for name, meaning in COMMANDS.items()))
    terminal.say("\nStatements beside DuckDB's own:\n" + "\n".join(f"  {form}" for form in statements.FORMS))
    terminal.say("\nThe record of a model, with its functions and how they are called: DESCRIBE MODEL name;")


def _word(text: str) -> str:
    """What was typed, if it is a word of the shell."""
    return text.strip().removesuffix(";").strip().lower()


def _run_all(con: Connection, script: str, *, stops: bool = True) -> None:
    """Each statement with its result; the first error stops a script that nobody watches."""
    for statement in statements.split(script):
        if _word(statement) in LEAVE:
            return
        if _word(statement) in HELP:
            _help()
            continue
        try:
            terminal.run(con, statement)
        except (SqlmlError, duckdb.Error) as error:
            if stops:
                raise
            terminal.tell(f"Error: {terminal.with_advice(str(error))}")
            return
        except (KeyboardInterrupt, RuntimeError) as error:
            if isinstance(error, RuntimeError) and str(error) != INTERRUPTED:
                raise
            terminal.tell("Interrupted; the statement has written nothing.")
            return


class Names(Completer):
    """Completes statements, models, their functions, tables and columns."""

    def __init__(self, con: Connection) -> None:
        self._con = con

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What the word before the cursor may become."""
        word = document.get_word_before_cursor(WORD=True).rpartition("(")[2]
        if word:
            yield from (Completion(name, -len(word)) for name in self._names() if name.lower().startswith(word.lower()))

    def _names(self) -> list[str]:
        with self._con.native.cursor() as cursor:
            columns = cursor.execute("""SELECT schema_name || '.' || table_name, table_name, column_name
                                        FROM duckdb_columns() WHERE NOT internal AND schema_name <> 'ml'""").fetchall()
        store = self._con.catalog()
        functions = [name for version in store.versions() for name in store.function_names(version)]
        return [*COMMANDS, *WORDS, *store.models(), *sorted({*functions, *(name for row in columns for name in row)})]
