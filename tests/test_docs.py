"""The documentation: every SQL block runs, every column is as it says, every statement and function has its page."""

import re
import shlex
import textwrap
from pathlib import Path

import duckdb
import pytest
import typer

import sqlml
from sqlml import demo, queries
from sqlml.cli import app
from sqlml.errors import SqlmlError
from sqlml.statements import FORMS, split
from sqlml.tasks import TASKS
from tests.conftest import one

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PIECES = re.compile(
    r"```(?P<kind>[^\n]*)\n(?P<text>.*?)```|^\| column \| type \| \|\n\|[-|]+\|\n(?P<rows>(?:\|[^\n]*\n?)+)",
    re.DOTALL | re.MULTILINE,
)
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<type>.*?) \|", re.MULTILINE)
KINDS = {"text", "sh", "sql", "sql error", "columns"}
SILENT = ("ATTACH", "COPY", "CREATE TABLE", "USE")
COMMANDS = {c.name: c for c in typer.main.get_command(app).commands.values()}


def name_of(page):
    return page.relative_to(DOCS).as_posix()


def pieces(page):
    """(kind, text) of each fenced block and, as kind `columns`, of each table of columns with the heading above it."""
    text = page.read_text(encoding="utf-8")
    for found in PIECES.finditer(text):
        if found["rows"] is None:
            yield found["kind"], found["text"]
        else:
            heading = re.findall(r"^#+ (.*)$", text[: found.start()], re.MULTILINE)[-1]
            yield "columns", (heading, [(row["name"], row["type"]) for row in ROW.finditer(found["rows"])])


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """The database that docs/README.md describes: the shop, and the models that its blocks make."""
    path = tmp_path_factory.mktemp("docs") / "docs.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=500)
        for kind, block in pieces(DOCS / "README.md"):
            if kind == "sql":
                con.execute(block).fetchall()
        upside_down = "SELECT count_if(i.low > i.high) FROM (SELECT spend_interval(customer_id, coverage := 0.1) AS i "
        assert one(con, f"{upside_down} FROM behavior.customers)") == 0
    return path


@pytest.fixture
def con(prepared, tmp_path, monkeypatch):
    """A copy of that database, and an empty folder to write to."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "docs.duckdb"
    path.write_bytes(prepared.read_bytes())
    with sqlml.connect(path) as connection:
        yield connection


@pytest.mark.parametrize("page", [p for p in PAGES if p != DOCS / "README.md"], ids=name_of)
def test_every_block_of_a_page_runs(con, page):
    shown = []
    for kind, content in pieces(page):
        if kind == "sql":
            for statement in split(content):
                shown = run(con, statement)
        elif kind == "sql error":
            statement, said = content.rsplit("\n-- ", 1)
            with pytest.raises((SqlmlError, duckdb.Error)) as error:
                con.execute(statement).fetchall()
            assert said.strip() in str(error.value), statement
        elif kind == "columns":
            heading, documented = content
            expected = shown
            if re.fullmatch(r"ml\.\w+", heading) and page.name == "catalogue.md":
                expected = described(con, f"FROM {heading}")
            assert documented == expected, heading
        assert kind in KINDS
    if page.name == "query-models.md":
        require_that_the_models_learnt(con)


def require_that_the_models_learnt(con):
    assert one(con, "SELECT avg((best_plan(s) = plan)::INT) FROM subscribers s") > 0.7
    assert one(con, "SELECT avg(abs(rent(f) - rent)) FROM flats f") < 80
    said = "it was charged twice and never arrived", "thank you for the friendly help"
    (bad,), (good,) = con.execute("SELECT complaint_score(t) FROM (VALUES (?), (?)) t(message)", said).fetchall()
    assert bad > 0.5 > good
    chosen = """SELECT count(*), count_if(is_chosen) FROM ml.trials JOIN ml.versions USING (version_id)
                WHERE model = 'rent' GROUP BY version ORDER BY version"""
    assert con.execute(chosen).fetchall() == [(2, 1), (3, 1), (2, 1)]


def run(con, statement):
    """Run a statement, which must give rows; its columns and their types."""
    relation = con.sql(statement)
    if relation is None:
        return []
    columns = [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
    assert relation.fetchall() or statement.startswith(SILENT), statement
    return columns


def described(con, query):
    return [(name, kind) for name, kind, *_ in con.execute(f"DESCRIBE {query}").fetchall()]


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("form", FORMS)
def test_every_statement_has_its_page(form):
    blocks = [
        flat(text) for page in (DOCS / "statements").glob("*.md") for kind, text in pieces(page) if kind == "text"
    ]
    assert any(flat(form) in block for block in blocks)


@pytest.mark.parametrize("pattern", sorted({f.pattern for task in TASKS for f in task.functions}))
def test_every_function_of_a_model_has_its_page(pattern):
    assert f"`{pattern.format(model='<name>')}`" in headings("functions")


def test_every_macro_and_table_of_schema_ml_has_its_page(prepared):
    with duckdb.connect(str(prepared), read_only=True) as con:
        relations = con.execute("""SELECT table_name FROM duckdb_tables() WHERE schema_name = 'ml'
                                   UNION ALL SELECT view_name FROM duckdb_views() WHERE schema_name = 'ml'""").fetchall()
    macros = [m for f in queries.folder("catalog/migrations") for m in re.findall(r"CREATE MACRO ml\.(\w+)", f.text)]
    named = headings("functions")
    assert [name for name in (*macros, *(n for (n,) in relations)) if not re.search(rf"\bml\.{name}\b", named)] == []


def headings(folder):
    return "\n".join(
        line
        for page in (DOCS / folder).glob("*.md")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist_with_their_flags(page):
    for kind, block in pieces(page):
        for line in block.splitlines() if kind == "sh" else ():
            for command in re.findall(r"sqlml (.+?)(?: && |$)", line):
                name, *words = shlex.split(command, comments=True)
                flags = {flag for p in COMMANDS[name].params for flag in p.opts}
                assert {w for w in words if re.match(r"--?[a-z]", w)} <= flags, line
    for name in re.findall(r"`sqlml (\w+)", page.read_text(encoding="utf-8")):
        assert name in COMMANDS


@pytest.mark.parametrize(
    "page", [*PAGES, DOCS.parent / "README.md"], ids=lambda p: p.relative_to(DOCS.parent).as_posix()
)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)#]*(?:#[^)]*)?)\)", prose(page)):
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        assert not anchor or anchor in map(slug, re.findall(r"^#+ (.*)$", prose(other), re.MULTILINE)), target


def prose(page):
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_in_the_index_and_its_lines_are_short(page):
    text = page.read_text(encoding="utf-8")
    assert page == DOCS / "README.md" or f"({name_of(page)})" in (DOCS / "README.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 140 and not line.startswith("|")] == []
    assert textwrap.dedent(text) == text
