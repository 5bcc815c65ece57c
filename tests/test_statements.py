import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlml.errors import StatementError
from sqlml.statements import CreateModel, DropModel, Foreign, ShowModels, parse

FOREIGN = [
    "SELECT 1",
    "",
    "CREATE TABLE model (a INT)",
    "CREATE OR REPLACE TABLE model AS SELECT 1",
    "DROP TABLE model",
    'SHOW "models"',
    "DESCRIBE models",
    "SHOW models_of_mine",
    "SELECT 'CREATE MODEL x OPTIONS ()'",
    "SELECT $$a; CREATE MODEL x$$",
    "-- CREATE MODEL x\nSELECT 1",
    "SELECT 'é' AS model; SELECT ';'",
    "INSERT INTO models VALUES ($1, ?)",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_what_is_not_ours_stays_as_it_is(text):
    assert parse(text) == [Foreign(text)]


def test_create_model_keeps_the_option_texts():
    text = 'create or replace model "My ""Model" options (Horizon = INTERVAL 90 DAY, a = [1, (2)], b = \'x,)\')'
    assert parse(text) == [
        CreateModel('My "Model', {"horizon": "INTERVAL 90 DAY", "a": "[1, (2)]", "b": "'x,)'"}, is_replace=True)
    ]


def test_unquoted_names_fold_to_lower_case():
    assert parse("CREATE MODEL Churn OPTIONS ()") == [CreateModel("churn", {}, is_replace=False)]


def test_drop_and_show():
    assert parse("DROP MODEL IF EXISTS a; drop model b ;SHOW MODELS;") == [
        DropModel("a", if_exists=True),
        DropModel("b", if_exists=False),
        ShowModels(),
    ]


def test_a_script_keeps_foreign_text_byte_for_byte():
    script = "SELECT 'é;'; /* c */ SELECT 2 ; SHOW MODELS; -- end\n SELECT 3"
    assert parse(script) == [Foreign("SELECT 'é;'; /* c */ SELECT 2 ; "), ShowModels(), Foreign(" -- end\n SELECT 3")]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("CREATE MODEL", 12, "expected a model name"),
        ("CREATE MODEL m", 14, "expected OPTIONS"),
        ("CREATE MODEL m OPTIONS (a 1)", 26, "expected ="),
        ("CREATE MODEL m OPTIONS (a = )", 28, "expected a value"),
        ("CREATE MODEL m OPTIONS (a = 1", 29, "expected )"),
        ("CREATE MODEL m OPTIONS (a = 1, a = 2)", 31, "given twice"),
        ("DROP MODEL a b", 13, "expected the end"),
    ],
)
def test_a_syntax_error_shows_the_place_and_the_form(text, place, message):
    with pytest.raises(StatementError) as error:
        parse(text)
    lines = str(error.value).splitlines()
    assert message in lines[0]
    assert lines[2] == " " * place + "^"
    assert lines[3].startswith("The form is: ")


WORDS = st.sampled_from(
    ["CREATE", "MODEL", "TABLE", "SELECT", "'", '"', ";", "--\n", "/*", "*/", "(", ")", "é", "1", "$$", "a"]
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_token_soup_is_ours_foreign_or_a_statement_error(text):
    try:
        statements = parse(text)
    except StatementError:
        return
    foreign = "".join(s.text for s in statements if isinstance(s, Foreign))
    if all(isinstance(s, Foreign) for s in statements):
        assert foreign == text or not statements
