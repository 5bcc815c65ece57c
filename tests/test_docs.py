"""The statements of the documentation run as written."""

import re
from pathlib import Path

import pytest

import sqlml
from tests.conftest import one

ROOT = Path(__file__).parents[1]


def blocks(page):
    return re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def statements(text):
    return [s for part in text.split(";\n") if (s := part.strip().removesuffix(";"))]


@pytest.fixture
def con():
    with sqlml.connect() as connection:
        yield connection


def test_the_page_on_query_models(con):
    for block in blocks(ROOT / "docs" / "query-models.md"):
        for statement in statements(block):
            answer = con.execute(statement).fetchall()
            assert answer or statement.startswith("CREATE TABLE"), statement
            assert all(value is not None for row in answer for value in row)
    right = one(con, "SELECT avg((best_plan(s) = plan)::INT) FROM subscribers s")
    assert right > 0.75
    assert one(con, "SELECT avg(abs(rent(f) - rent)) FROM flats f") < 80
    said = "it was charged twice and never arrived", "thank you very happy with the friendly shoes"
    bad, good = (one(con, f"SELECT complaint_score({{'message': '{text}'}})") for text in said)
    assert bad > 0.5 > good
    chosen = """SELECT count(*), count_if(is_chosen), min(loss) = any_value(loss) FILTER (is_chosen)
                FROM ml.trials JOIN ml.models USING (version_id) WHERE model = '{}'"""
    assert con.execute(chosen.format("rent")).fetchall() == [(2, 1, True)]
    assert con.execute(chosen.format("complaint")).fetchall()[0][:2] == (2, 1)
