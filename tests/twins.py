"""sqlml's connection and DuckDB's own, over equal databases of their own: what one does, the other must do."""

import re
from contextlib import contextmanager

import duckdb

import sqlml

ALONE = "SET python_enable_replacements = false"  # variables of the tests are no tables


@contextmanager
def twins(*setup, **config):
    """Two empty in-memory databases, through sqlml and through DuckDB, after the same statements."""
    with sqlml.connect(**config) as ours, duckdb.connect(config=config) as theirs:
        for statement in (ALONE, *setup):
            ours.execute(statement)
            theirs.execute(statement)
        yield ours, theirs


def outcome(con, text, parameters=None):
    """The columns and rows of a script's last statement, or the type and the text of its error."""
    try:
        con.execute(text, parameters)
        return repr((con.description, con.fetchall()))
    except Exception as error:
        return failure(error)


def outcome_of_relation(con, text):
    """The same by way of `sql`."""
    try:
        relation = con.sql(text)
        return repr(relation and (relation.columns, relation.types, relation.fetchall()))
    except Exception as error:
        return failure(error)


def failure(error):
    """Type and text, but for the numbers that DuckDB draws for PIVOT."""
    return type(error).__name__, re.sub(r"__pivot_enum_[0-9a-f-]*", "", str(error))
