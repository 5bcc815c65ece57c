"""One fitted shop for the whole session: a compilation in every test would spoil the suite."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

import sqlml
from sqlml import demo

FAST = "epochs = 6, members = 2, width = 8, folds = 2, bins = 8"
CHURN = f"CREATE MODEL churn OPTIONS (task = 'churn', method = 'net', horizon = INTERVAL 60 DAY, attributes = ['plan'], {FAST})"


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="The fault suite in its long form: more kills, longer soaks.")


@pytest.fixture
def is_long(request):
    """Whether the long form was asked for."""
    return request.config.getoption("--long")


@pytest.fixture
def tally(record_property):
    """Counts what was survived; the sums are printed at the end."""
    counts: Counter[str] = Counter()
    yield counts
    for what, number in counts.items():
        record_property(f"survived {what}", number)


def pytest_terminal_summary(terminalreporter):
    """Print what the fault suite counted."""
    total: Counter[str] = Counter()
    passed = {report.nodeid for report in terminalreporter.stats.get("passed", [])}
    for report in terminalreporter.stats.get("", []):  # counts come with the report of the teardown
        if report.nodeid not in passed:
            continue
        total.update({name: n for name, n in report.user_properties if name.startswith("survived ")})
    if total:
        counted = ", ".join(f"{number:,} {name.removeprefix('survived ')}" for name, number in sorted(total.items()))
        terminalreporter.write_line(f"Survived, nothing lost: {counted}.")


def one(con, sql):
    """The only value of a result; fetched to the end, or the connection stays busy."""
    return con.execute(sql).fetchall()[0][0]


def copy_to(shop, path, change="SELECT 1"):
    """Copy the shop's database to a new file, then run one statement on it, as `copied`."""
    shop.execute(f"ATTACH '{path}' AS copied").fetchall()
    for statement in ("COPY FROM DATABASE shop TO copied", change, "DETACH copied"):
        shop.execute(statement).fetchall()


def close(one, other, rel=1e-5):
    """Equal keys, NULL in the same places, and the other values nearly equal."""
    assert one.keys() == other.keys()
    assert {k for k, v in one.items() if v is None} == {k for k, v in other.items() if v is None}
    assert {k: v for k, v in one.items() if v is not None} == pytest.approx(
        {k: v for k, v in other.items() if v is not None}, rel=rel
    )
    return True


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A read-write connection to a file with a generated shop and a model `churn`."""
    path = tmp_path_factory.mktemp("shop") / "shop.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=1500, days=500)
        con.execute(CHURN).fetchall()
        yield con


@pytest.fixture
def con():
    """An empty in-memory database."""
    with sqlml.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data, where there is one."""
    folder = os.environ.get("SQLML_DATA")
    if not folder:
        pytest.skip("SQLML_DATA is not set")
    return Path(folder).resolve()
