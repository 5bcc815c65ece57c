"""The grammar as tables: what a statement is read as, what an error shows, what is none of ours."""

import pytest

from sqlml import statements as grammar
from sqlml.errors import StatementError
from sqlml.statements import (
    BacktestModel,
    CreateModel,
    DescribeModel,
    DropModel,
    EvaluateModel,
    ExplainModel,
    ExportModel,
    Foreign,
    ImportModel,
    PromoteVersion,
    RenameModel,
    RetrainModel,
    ShowModels,
    parse,
)
from tests.twins import outcome, twins


def create(name, query=None, /, *, replace=False, if_not_exists=False, **options):
    return CreateModel(name, options, replace, query, if_not_exists)


NAMES = [
    ("DROP MODEL churn", "churn"),
    ("drop model Churn", "churn"),
    ("DrOp MoDeL CHURN_2", "churn_2"),
    ('DROP MODEL "Churn"', "Churn"),
    ('DROP MODEL "my model"', "my model"),
    ('DROP MODEL "say ""hi"""', 'say "hi"'),
    ('DROP MODEL """"', '"'),
    ('DROP MODEL "a;b"', "a;b"),
    ('DROP MODEL "a--b"', "a--b"),
    ('DROP MODEL "/*"', "/*"),
    ('DROP MODEL "two\nlines"', "two\nlines"),
    ('DROP MODEL "it\'s"', "it's"),
    ('DROP MODEL "größe"', "größe"),
    ('DROP MODEL "模型 🙂"', "模型 🙂"),
    ('DROP MODEL "a\u00a0b"', "a\u00a0b"),
    ("DROP MODEL größe", "größe"),
    ("DROP MODEL Größe", "größe"),
    ("DROP MODEL модель", "модель"),
    ("DROP MODEL _x$1", "_x$1"),
    ("DROP MODEL model", "model"),
    ("DROP MODEL version", "version"),
    ("DROP MODEL if", "if"),
    ("DROP MODEL main", "main"),
    ("DROP MODEL main.churn", "churn"),
    ("DROP MODEL MAIN . Churn", "churn"),
    ('DROP MODEL "main"."Churn"', "Churn"),
    ("DROP MODEL main.main", "main"),
    ('DROP MODEL"churn"', "churn"),
]

SPACES = [
    "DROP MODEL churn",
    "  \tDROP\n\nMODEL\r\nchurn  ",
    "DROP\vMODEL\fchurn",
    "DROP/**/MODEL/**/churn",
    "-- first\nDROP -- then\nMODEL -- last\nchurn",
    "/* DROP MODEL a; */ DROP /* a /* nested */ b */ MODEL churn /* end */",
    "DROP MODEL churn -- no newline; at the end",
    "DROP MODEL churn;",
    ";;DROP MODEL churn ; ;",
    "DROP MODEL churn; -- SELECT 1",
    "DROP MODEL churn\n;\n/* SELECT 1; */\n",
    "\ufeffDROP MODEL churn",
    "DROP\u00a0MODEL\u2003churn\u3000;",
    "DROP MODEL\u200bchurn\u2060",
]

DROP_AND_SHOW = [
    ("DROP MODEL IF EXISTS churn", DropModel("churn", if_exists=True)),
    ("drop model if exists main.churn", DropModel("churn", if_exists=True)),
    ("DROP MODEL churn VERSION 3", DropModel("churn", if_exists=False, version=3)),
    ('DROP MODEL IF EXISTS "a b" version 12', DropModel("a b", if_exists=True, version=12)),
    ("DROP MODEL churn VERSION 007", DropModel("churn", if_exists=False, version=7)),
    ("DROP MODEL exists", DropModel("exists", if_exists=False)),
    ("SHOW MODELS", ShowModels()),
    ("show models", ShowModels()),
    ("SHOW MODELS LIKE '%'", ShowModels("%")),
    ("Show Models Like 'churn\\_%'", ShowModels("churn\\_%")),
    ("SHOW MODELS LIKE 'it''s'", ShowModels("it's")),
    ("SHOW MODELS LIKE ''", ShowModels("")),
    ("SHOW MODELS LIKE ''''", ShowModels("'")),
    ("SHOW MODELS LIKE 'größe 🙂'", ShowModels("größe 🙂")),
    ("SHOW MODELS LIKE ';'", ShowModels(";")),
    ("SHOW MODELS LIKE '-- /*'", ShowModels("-- /*")),
    ("SHOW MODELS LIKE'a'", ShowModels("a")),
    ("DESCRIBE MODEL churn", DescribeModel("churn")),
    ("describe model main.Churn version 2", DescribeModel("churn", 2)),
    ('DESCRIBE MODEL "Churn" VERSION 1', DescribeModel("Churn", 1)),
    ("DESCRIBE MODEL model", DescribeModel("model")),
    ("DESCRIBE MODEL main", DescribeModel("main")),
]

ALTER = [
    ("ALTER MODEL churn PROMOTE VERSION 2", PromoteVersion("churn", 2)),
    ("alter model churn promote version 2", PromoteVersion("churn", 2)),
    ("ALTER MODEL promote PROMOTE VERSION 1", PromoteVersion("promote", 1)),
    ("ALTER MODEL churn ROLLBACK", PromoteVersion("churn", None)),
    ("ALTER MODEL rollback rollback", PromoteVersion("rollback", None)),
    ("ALTER MODEL churn RENAME TO leaves", RenameModel("churn", "leaves")),
    ('alter model "a b" rename to "c ""d"""', RenameModel("a b", 'c "d"')),
    ("ALTER MODEL main.churn RENAME TO main.Leaves", RenameModel("churn", "leaves")),
    ("ALTER MODEL churn RENAME TO to", RenameModel("churn", "to")),
    ("ALTER MODEL churn RETRAIN", RetrainModel("churn", {})),
    ("ALTER MODEL churn RETRAIN OPTIONS ()", RetrainModel("churn", {})),
    ("ALTER MODEL churn RETRAIN OPTIONS (Gate = true)", RetrainModel("churn", {"gate": "true"})),
    (
        "alter model churn retrain options (gate = false, horizon = INTERVAL 30 DAY)",
        RetrainModel("churn", {"gate": "false", "horizon": "INTERVAL 30 DAY"}),
    ),
]

QUERIES = [
    ("EVALUATE MODEL churn", EvaluateModel("churn")),
    ("evaluate model main.churn version 4", EvaluateModel("churn", 4)),
    ("EVALUATE MODEL churn ON FROM t", EvaluateModel("churn", None, "FROM t")),
    ("EVALUATE MODEL on ON FROM t;", EvaluateModel("on", None, "FROM t")),
    (
        "EVALUATE MODEL churn VERSION 1 ON SELECT * FROM a JOIN b ON a.x = b.x",
        EvaluateModel("churn", 1, "SELECT * FROM a JOIN b ON a.x = b.x"),
    ),
    ("EVALUATE MODEL churn ON (SELECT 1)", EvaluateModel("churn", None, "(SELECT 1)")),
    ("EXPLAIN MODEL churn", ExplainModel("churn")),
    ('Explain Model "a b" Version 2', ExplainModel("a b", 2)),
    ("EXPLAIN MODEL churn FOR FROM t WHERE x = ';'", ExplainModel("churn", None, "FROM t WHERE x = ';'")),
    ("EXPLAIN MODEL churn VERSION 9 FOR\n  SELECT 1\n;", ExplainModel("churn", 9, "SELECT 1")),
    (
        "EXPLAIN MODEL churn FOR SELECT [x FOR x IN [1, 2]] AS y",
        ExplainModel("churn", None, "SELECT [x FOR x IN [1, 2]] AS y"),
    ),
    ("EXPLAIN MODEL churn FOR SELECT ? AS a, $b AS b", ExplainModel("churn", None, "SELECT ? AS a, $b AS b")),
]

FILES = [
    ("EXPORT MODEL churn TO 'churn.sqlml'", ExportModel("churn", None, "churn.sqlml")),
    ("export model churn version 2 to 'a b.sqlml'", ExportModel("churn", 2, "a b.sqlml")),
    ("EXPORT MODEL \"x\" TO 'it''s/größe.sqlml'", ExportModel("x", None, "it's/größe.sqlml")),
    ("EXPORT MODEL to TO 'x'", ExportModel("to", None, "x")),
    (r"EXPORT MODEL main.x TO 'C:\models\x.sqlml'", ExportModel("x", None, r"C:\models\x.sqlml")),
    ("IMPORT MODEL churn FROM 'churn.sqlml'", ImportModel("churn", "churn.sqlml", is_replace=False)),
    ("import or replace model churn from 'x'", ImportModel("churn", "x", is_replace=True)),
    ("IMPORT MODEL main.\"New\" FROM 's3://a/b;c'", ImportModel("New", "s3://a/b;c", is_replace=False)),
]

BACKTEST = [
    (
        "BACKTEST MODEL churn FROM DATE '2025-01-01' TO DATE '2026-01-01' EVERY 30 DAYS",
        BacktestModel("churn", "DATE '2025-01-01'", "DATE '2026-01-01'", "INTERVAL 30 DAYS"),
    ),
    (
        "backtest model main.churn from '2025-01-01' to now() every INTERVAL 1 MONTH;",
        BacktestModel("churn", "'2025-01-01'", "now()", "INTERVAL 1 MONTH"),
    ),
    (
        "BACKTEST MODEL x FROM (SELECT min(t) FROM e) TO $end EVERY 1 week -- weeks",
        BacktestModel("x", "(SELECT min(t) FROM e)", "$end", "INTERVAL 1 week"),
    ),
    (
        "BACKTEST MODEL x FROM f('TO', [1 TO]) /* from */ TO today() /* EVERY */ EVERY to_days(7)",
        BacktestModel("x", "f('TO', [1 TO])", "today()", "to_days(7)"),
    ),
]

CREATE = [
    ("CREATE MODEL churn OPTIONS ()", create("churn")),
    ("create model main.Churn options()", create("churn")),
    ("CREATE OR REPLACE MODEL churn OPTIONS ()", create("churn", replace=True)),
    ("create or\nreplace model churn options ()", create("churn", replace=True)),
    ("CREATE MODEL IF NOT EXISTS churn OPTIONS ()", create("churn", if_not_exists=True)),
    ('create model if not exists main."A b" options ()', create("A b", if_not_exists=True)),
    ("CREATE MODEL if OPTIONS ()", create("if")),
    ("CREATE MODEL options OPTIONS ()", create("options")),
    ("CREATE MODEL predict OPTIONS ()", create("predict")),
    ("CREATE MODEL m OPTIONS (task = 'churn')", create("m", task="'churn'")),
    ("CREATE MODEL m OPTIONS (TASK='churn',Folds=3)", create("m", task="'churn'", folds="3")),
    ("CREATE MODEL m OPTIONS (a = 1,)", create("m", a="1")),
    ('CREATE MODEL m OPTIONS ("A b" = 1)', create("m", **{"a b": "1"})),
    ("CREATE MODEL m OPTIONS (as = 1, options = 2)", create("m", **{"as": "1", "options": "2"})),
    ("CREATE MODEL m OPTIONS (a = INTERVAL 90 DAY)", create("m", a="INTERVAL 90 DAY")),
    ("CREATE MODEL m OPTIONS (a = -1.5e3)", create("m", a="-1.5e3")),
    ("CREATE MODEL m OPTIONS (a = [1, [2, 3], []])", create("m", a="[1, [2, 3], []]")),
    ("CREATE MODEL m OPTIONS (a = f(1, (2), g(3)), b = 1)", create("m", a="f(1, (2), g(3))", b="1")),
    ("CREATE MODEL m OPTIONS (a = {'x': 1, 'y': [2, 3]})", create("m", a="{'x': 1, 'y': [2, 3]}")),
    ("CREATE MODEL m OPTIONS (a = MAP {'x': 1}['x'])", create("m", a="MAP {'x': 1}['x']")),
    ("CREATE MODEL m OPTIONS (a = '),(', b = ')')", create("m", a="'),('", b="')'")),
    ("CREATE MODEL m OPTIONS (a = 'it''s', b = \"c,)\")", create("m", a="'it''s'", b='"c,)"')),
    ("CREATE MODEL m OPTIONS (a = $$x,)'$$)", create("m", a="$$x,)'$$")),
    ("CREATE MODEL m OPTIONS (a = $t$ $$ ; $t$, b = $1)", create("m", a="$t$ $$ ; $t$", b="$1")),
    ("CREATE MODEL m OPTIONS (a = E'\\'),', b = ?)", create("m", a="E'\\'),'", b="?")),
    ("CREATE MODEL m OPTIONS (a = (SELECT max(x), FROM t), b = 2)", create("m", a="(SELECT max(x), FROM t)", b="2")),
    ("CREATE MODEL m OPTIONS (a = 1 = 1)", create("m", a="1 = 1")),
    ("CREATE MODEL m OPTIONS (a = x -> x + 1)", create("m", a="x -> x + 1")),
    ("CREATE MODEL m OPTIONS (a = 1 /* , */, b -- )\n = 2 -- )\n)", create("m", a="1", b="2")),
    ("CREATE MODEL m OPTIONS (a = 1 -- one\n + 2)", create("m", a="1 -- one\n + 2")),
    ("CREATE MODEL m OPTIONS (a = 'größe 🙂', b = 1)", create("m", a="'größe 🙂'", b="1")),
    ("CREATE MODEL m OPTIONS (a\u00a0=\u00a0'x\u00a0'\u00a0)", create("m", a="'x\u00a0'")),
    ("CREATE MODEL m OPTIONS (label = 'y') AS SELECT 1 AS y", create("m", "SELECT 1 AS y", label="'y'")),
    ("CREATE MODEL m OPTIONS () AS FROM t", create("m", "FROM t")),
    ("CREATE MODEL m OPTIONS () AS (FROM t);", create("m", "(FROM t)")),
    ("CREATE MODEL m OPTIONS () AS\n\tFROM t\n;", create("m", "FROM t")),
    ("CREATE MODEL m OPTIONS () AS FROM t -- the end;", create("m", "FROM t")),
    ("CREATE MODEL m OPTIONS () AS FROM t /* end; */ ;", create("m", "FROM t")),
    ("CREATE MODEL m OPTIONS () AS SELECT ';' AS a", create("m", "SELECT ';' AS a")),
    ('CREATE MODEL m OPTIONS () AS SELECT $$;$$ AS ";"', create("m", 'SELECT $$;$$ AS ";"')),
    ("CREATE MODEL m OPTIONS () AS SELECT $q$it's; $$ $q$", create("m", "SELECT $q$it's; $$ $q$")),
    ("CREATE MODEL m OPTIONS () AS FROM t WHERE a = ? AND b = $2", create("m", "FROM t WHERE a = ? AND b = $2")),
    (
        "CREATE OR REPLACE MODEL m OPTIONS (label = 'y', n = [1, 2]) AS WITH a AS (FROM t) SELECT x AS y FROM a",
        create("m", "WITH a AS (FROM t) SELECT x AS y FROM a", replace=True, label="'y'", n="[1, 2]"),
    ),
    ("CREATE MODEL m OPTIONS () AS SELECT 'é' /* ü */ AS model", create("m", "SELECT 'é' /* ü */ AS model")),
]

PREDICT = [
    (
        "CREATE MODEL m PREDICT count(*) = 0 FOR EACH CUSTOMER HORIZON 30 DAYS",
        create("m", predict="'count(*) = 0'", horizon="INTERVAL 30 DAYS"),
    ),
    (
        "create model m predict Sum(amount) for each customer horizon 30 days;",
        create("m", predict="'Sum(amount)'", horizon="INTERVAL 30 days"),
    ),
    (
        "CREATE OR REPLACE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON INTERVAL 2 WEEKS",
        create("m", replace=True, predict="'1'", horizon="INTERVAL 2 WEEKS"),
    ),
    (
        "CREATE MODEL IF NOT EXISTS m PREDICT 1 FOR EACH CUSTOMER HORIZON '30 days'",
        create("m", if_not_exists=True, predict="'1'", horizon="'30 days'"),
    ),
    (
        "CREATE MODEL m PREDICT count(*) FILTER (type = 'buy') FOR EACH CUSTOMER WHERE plan = 'pro' HORIZON 1 MONTH",
        create(
            "m",
            predict="'count(*) FILTER (type = ''buy'')'",
            population="'plan = ''pro'''",
            horizon="INTERVAL 1 MONTH",
        ),
    ),
    (
        "CREATE MODEL m PREDICT list_sum([x FOR x IN l]) FOR EACH CUSTOMER WHERE f(horizon) HORIZON 7 DAYS",
        create("m", predict="'list_sum([x FOR x IN l])'", population="'f(horizon)'", horizon="INTERVAL 7 DAYS"),
    ),
    (
        "CREATE MODEL m PREDICT 1 /* FOR */ FOR EACH\nCUSTOMER -- each\nWHERE a -- b\nHORIZON 7 DAYS -- c",
        create("m", predict="'1'", population="'a'", horizon="INTERVAL 7 DAYS"),
    ),
    (
        "CREATE MODEL m PREDICT '; FOR EACH CUSTOMER' FOR EACH CUSTOMER HORIZON 7 DAYS",
        create("m", predict="'''; FOR EACH CUSTOMER'''", horizon="INTERVAL 7 DAYS"),
    ),
    (
        "CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON 7 DAYS OPTIONS (folds = 2, name = 'x')",
        create("m", predict="'1'", horizon="INTERVAL 7 DAYS", folds="2", name="'x'"),
    ),
    (
        "CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER WHERE a HORIZON CAST('7 days' AS INTERVAL) OPTIONS (b = 1)",
        create("m", predict="'1'", population="'a'", horizon="CAST('7 days' AS INTERVAL)", b="1"),
    ),
    (
        "CREATE MODEL predict PREDICT predict FOR EACH CUSTOMER HORIZON 7 DAYS OPTIONS ();",
        create("predict", predict="'predict'", horizon="INTERVAL 7 DAYS"),
    ),
]

VALID = [*DROP_AND_SHOW, *ALTER, *QUERIES, *FILES, *BACKTEST, *CREATE, *PREDICT]

SCRIPTS = [
    ("SHOW MODELS;SHOW MODELS", [ShowModels(), ShowModels()]),
    (
        "DROP MODEL IF EXISTS a; drop model b ;SHOW MODELS;",
        [DropModel("a", if_exists=True), DropModel("b", if_exists=False), ShowModels()],
    ),
    ("SELECT 1; SHOW MODELS", [Foreign("SELECT 1; "), ShowModels()]),
    ("SHOW MODELS; SELECT 1", [ShowModels(), Foreign(" SELECT 1")]),
    ("SELECT 1; SELECT 2;\nSHOW MODELS;\n", [Foreign("SELECT 1; SELECT 2;\n"), ShowModels()]),
    ("SHOW MODELS; SELECT 'a'';'; SELECT 2;", [ShowModels(), Foreign(" SELECT 'a'';'; SELECT 2;")]),
    (
        "SELECT 'é;'; /* c */ SELECT 2 ; SHOW MODELS; -- end\n SELECT 3",
        [Foreign("SELECT 'é;'; /* c */ SELECT 2 ; "), ShowModels(), Foreign(" -- end\n SELECT 3")],
    ),
    (
        "CREATE MODEL m OPTIONS () AS FROM t; FROM m('x'); DROP MODEL m",
        [create("m", "FROM t"), Foreign(" FROM m('x'); "), DropModel("m", if_exists=False)],
    ),
    ("-- a\nSELECT 1; -- b\nSHOW MODELS; -- c", [Foreign("-- a\nSELECT 1; -- b\n"), ShowModels()]),
    ("SELECT $$;SHOW MODELS;$$; SHOW MODELS", [Foreign("SELECT $$;SHOW MODELS;$$; "), ShowModels()]),
    ("SELECT 🙂; SHOW MODELS; SELECT 🙂", [Foreign("SELECT 🙂; "), ShowModels(), Foreign(" SELECT 🙂")]),
    ("DESCRIBE model; SHOW MODELS", [Foreign("DESCRIBE model; "), ShowModels()]),
    ("DESCRIBE model; SELECT 1", [Foreign("DESCRIBE model; SELECT 1")]),
    (";;SHOW MODELS;;;SHOW MODELS;;", [ShowModels(), ShowModels()]),
    ("SHOW MODELS; SELECT 'open", [ShowModels(), Foreign(" SELECT 'open")]),
    ("SHOW MODELS; /* open", [ShowModels(), Foreign(" /* open")]),
    ("SELECT $1; DROP MODEL m; SELECT ?", [Foreign("SELECT $1; "), DropModel("m", False), Foreign(" SELECT ?")]),
    ("BEGIN; SHOW MODELS; COMMIT;", [Foreign("BEGIN; "), ShowModels(), Foreign(" COMMIT;")]),
    ("\ufeff SHOW MODELS;\u00a0", [ShowModels()]),
    ("CREATE TABLE model(a INT);DROP MODEL a", [Foreign("CREATE TABLE model(a INT);"), DropModel("a", False)]),
    ("SELECT 1;\n\n\nDESCRIBE MODEL a\n;", [Foreign("SELECT 1;\n\n\n"), DescribeModel("a")]),
]

WRAPPINGS = ["{};", " \r\n{}\r\n", "-- é\n{} -- ;", "/* é; */{}\n/* ; */;", "\ufeff{}\u00a0;;"]

END = "expected the end of the statement"
NAME = "expected a model name"
EMPTY = "expected a model name, not an empty one"
TEXT = "expected a text in single quotes"
NUMBER = "expected the number of a version"
SCHEMA = "models live in schema main of the current database (USE another first)"
NO_QUERY = "PREDICT learns from the behaviour tables and takes no query"
ACTION = "expected PROMOTE, ROLLBACK, RENAME or RETRAIN"

INVALID = {  # ¦ stands where the caret must point
    "CREATE_FORM": [
        ("CREATE MODEL¦", NAME),
        ("CREATE MODEL¦ ;", NAME),
        ("CREATE MODEL¦  \n\n", NAME),
        ("CREATE MODEL m¦", "expected OPTIONS"),
        ("CREATE MODEL m¦\n;\n", "expected OPTIONS"),
        ("CREATE MODEL m¦ -- OPTIONS ()", "expected OPTIONS"),
        ("CREATE MODEL m ¦AS SELECT 1", "expected OPTIONS"),
        ("CREATE MODEL OPTIONS ¦()", "expected OPTIONS"),
        ("CREATE MODEL ¦'m' OPTIONS ()", NAME),
        ("CREATE MODEL ¦1 OPTIONS ()", NAME),
        ('CREATE MODEL ¦"" OPTIONS ()', EMPTY),
        ('CREATE MODEL ¦"m OPTIONS ()', NAME),
        ('CREATE MODEL ¦"m"" OPTIONS ()', NAME),
        ("CREATE MODEL ¦shop.m OPTIONS ()", SCHEMA),
        ('CREATE MODEL ¦"Main2".m OPTIONS ()', SCHEMA),
        ("CREATE MODEL main. OPTIONS ¦()", "expected OPTIONS"),
        ("CREATE MODEL a ¦b", "expected OPTIONS"),
        ("CREATE MODEL m OPTIONS¦", "expected ("),
        ("CREATE MODEL m OPTIONS ¦a = 1", "expected ("),
        ("CREATE MODEL m OPTIONS (¦", "expected an option name"),
        ("CREATE MODEL m OPTIONS (¦1 = a)", "expected an option name"),
        ("CREATE MODEL m OPTIONS (¦, a = 1)", "expected an option name"),
        ("CREATE MODEL m OPTIONS (a = 1, ¦, b = 1)", "expected an option name"),
        ('CREATE MODEL m OPTIONS (¦"" = 1)', "expected an option name, not an empty one"),
        ("CREATE MODEL m OPTIONS (a¦", "expected ="),
        ("CREATE MODEL m OPTIONS (a ¦1)", "expected ="),
        ("CREATE MODEL m OPTIONS (a¦: 1)", "expected ="),
        ("CREATE MODEL m OPTIONS (a =¦", "expected a value"),
        ("CREATE MODEL m OPTIONS (a = ¦)", "expected a value"),
        ("CREATE MODEL m OPTIONS (a = ¦, b = 1)", "expected a value"),
        ("CREATE MODEL m OPTIONS (a = 1¦", "expected )"),
        ("CREATE MODEL m OPTIONS (a = 1¦; SELECT 1)", "expected )"),
        ("CREATE MODEL m OPTIONS (a = [1)¦", "expected )"),
        ("CREATE MODEL m OPTIONS (a = 'x)¦", "expected )"),
        ("CREATE MODEL m OPTIONS (a = $$x)¦", "expected )"),
        ("CREATE MODEL m OPTIONS (a = 1, ¦a = 2)", "option a is given twice"),
        ("CREATE MODEL m OPTIONS (a = 1,\n  b = 2,\n  ¦A = 3\n)", "option a is given twice"),
        ("CREATE MODEL m OPTIONS () ¦FROM t", END),
        ("CREATE MODEL m OPTIONS () AS¦", "expected a query"),
        ("CREATE MODEL m OPTIONS () AS¦ /* none */ ;", "expected a query"),
        ("CREATE MODEL m OPTIONS () ¦/* open", END),
        ("CREATE OR REPLACE MODEL ¦IF NOT EXISTS m OPTIONS ()", "OR REPLACE and IF NOT EXISTS exclude each other"),
        ("CREATE MODEL IF ¦EXISTS m OPTIONS ()", "expected OPTIONS"),
        ("CREATE MODEL m PREDICT¦", "expected a value"),
        ("CREATE MODEL m PREDICT ¦FOR EACH CUSTOMER HORIZON 1 DAY", "expected a value"),
        ("CREATE MODEL m PREDICT 1¦", "expected FOR"),
        ("CREATE MODEL m PREDICT 1 FOR EACH ¦ITEM HORIZON 1 DAY", "expected CUSTOMER"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER¦", "expected HORIZON"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER ¦OPTIONS ()", "expected HORIZON"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER WHERE ¦HORIZON 1 DAY", "expected a value"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER WHERE a¦", "expected HORIZON"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON¦", "expected a value"),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON ¦OPTIONS ()", "expected a value"),
        (
            "CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON 1 DAY OPTIONS (¦horizon = 1)",
            "option horizon is given twice",
        ),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON 7 DAYS ¦AS FROM t", NO_QUERY),
        ("CREATE MODEL m PREDICT 1 FOR EACH CUSTOMER HORIZON 7 DAYS OPTIONS (a = 1)\n¦AS FROM t;", NO_QUERY),
        ("CREATE MODEL m OPTIONS (predict = 'sum(x)') ¦AS FROM t", NO_QUERY),
    ],
    "DROP_FORM": [
        ("DROP MODEL¦", NAME),
        ("DROP MODEL a ¦b", END),
        ("DROP MODEL a¦, b", END),
        ("DROP MODEL IF EXISTS¦", NAME),
        ("DROP MODEL IF ¦NOT EXISTS a", END),
        ("DROP MODEL a VERSION¦", NUMBER),
        ("DROP MODEL a VERSION ¦one", NUMBER),
        ("DROP MODEL a VERSION ¦-1", NUMBER),
        ("DROP MODEL a VERSION ¦1.5", NUMBER),
        ("DROP MODEL a VERSION ¦1_0", NUMBER),
        ("DROP MODEL a VERSION ¦'1'", NUMBER),
        ("DROP MODEL a VERSION ¦٣", NUMBER),
        (f"DROP MODEL a VERSION ¦{'1' * 5000}", NUMBER),
        ("DROP MODEL a VERSION 1 ¦2", END),
        ("DROP MODEL a VERSION 1¦x", END),
        ("DROP MODEL a ¦CASCADE", END),
        ("DROP MODEL main.¦", NAME),
        ("DROP MODEL main.¦;", NAME),
        ("DROP MODEL main.main¦.a", END),
        ("DROP MODEL ¦db.main.a", SCHEMA),
        ('DROP MODEL ¦"a', NAME),
        ('DROP MODEL ¦"', NAME),
        ("DROP MODEL a ¦/* open", END),
        ("DROP MODEL a ¦/* open /* nested */", END),
        ("DROP MODEL ¦'größe'", NAME),
        ('DROP MODEL "größe 🙂" ¦x', END),
        ("SELECT 'é';\nDROP MODEL\n\ta ¦b; SELECT 1", END),
        ("SHOW MODELS;\r\nDROP MODEL ¦'a'\r\n;", NAME),
        ("/* one\ntwo */ DROP MODEL ¦.a", NAME),
    ],
    "SHOW_FORM": [
        ("SHOW MODELS LIKE¦", TEXT),
        ("SHOW MODELS LIKE ¦churn", TEXT),
        ('SHOW MODELS LIKE ¦"churn"', TEXT),
        ("SHOW MODELS LIKE ¦$$churn$$", TEXT),
        ("SHOW MODELS LIKE ¦E'churn'", TEXT),
        ("SHOW MODELS LIKE ¦x'00'", TEXT),
        ("SHOW MODELS LIKE ¦?", TEXT),
        ("SHOW MODELS LIKE ¦'churn", TEXT),
        ("SHOW MODELS LIKE ¦'churn''", TEXT),
        ("SHOW MODELS LIKE 'a' ¦'b'", END),
        ("SHOW MODELS LIKE 'a' ¦ESCAPE '\\'", END),
    ],
    "DESCRIBE_FORM": [
        ("DESCRIBE MODEL a ¦b", END),
        ("DESCRIBE MODEL ¦'a'", NAME),
        ("DESCRIBE MODEL a VERSION¦", NUMBER),
        ("DESCRIBE MODEL ¦shop.a", SCHEMA),
    ],
    "ALTER_FORM": [
        ("ALTER MODEL¦", NAME),
        ("ALTER MODEL a¦", ACTION),
        ("ALTER MODEL a ¦VERSION 2", ACTION),
        ("ALTER MODEL a ¦RENAME b", ACTION),
        ("ALTER MODEL a RENAME TO¦", "expected the new name"),
        ("ALTER MODEL a RENAME TO ¦'b'", "expected the new name"),
        ("ALTER MODEL a RENAME TO ¦shop.b", SCHEMA),
        ("ALTER MODEL a RENAME TO b ¦c", END),
        ("ALTER MODEL a PROMOTE¦", "expected VERSION"),
        ("ALTER MODEL a PROMOTE ¦2", "expected VERSION"),
        ("ALTER MODEL a PROMOTE VERSION¦", NUMBER),
        ("ALTER MODEL a ROLLBACK ¦TO 1", END),
        ("ALTER MODEL a RETRAIN OPTIONS¦", "expected ("),
        ("ALTER MODEL a RETRAIN ¦(gate = true)", END),
        ("ALTER MODEL a RETRAIN OPTIONS (gate = true) ¦AS FROM t", END),
    ],
    "EVALUATE_FORM": [
        ("EVALUATE MODEL¦", NAME),
        ("EVALUATE MODEL a ¦FOR FROM t", END),
        ("EVALUATE MODEL a ON¦", "expected a query"),
        ("EVALUATE MODEL a VERSION ¦ON FROM t", NUMBER),
    ],
    "EXPLAIN_FORM": [
        ("EXPLAIN MODEL¦", NAME),
        ("EXPLAIN MODEL a ¦ON FROM t", END),
        ("EXPLAIN MODEL a FOR¦;", "expected a query"),
    ],
    "EXPORT_FORM": [
        ("EXPORT MODEL¦", NAME),
        ("EXPORT MODEL a¦", "expected TO"),
        ("EXPORT MODEL a ¦FROM 'x'", "expected TO"),
        ("EXPORT MODEL a TO¦", TEXT),
        ("EXPORT MODEL a TO ¦x.sqlml", TEXT),
        ("EXPORT MODEL a TO ¦'x.sqlml", TEXT),
        ("EXPORT MODEL a TO 'x' ¦VERSION 1", END),
    ],
    "IMPORT_FORM": [
        ("IMPORT MODEL¦", NAME),
        ("IMPORT MODEL a¦", "expected FROM"),
        ("IMPORT MODEL ¦'x'", NAME),
        ("IMPORT OR REPLACE MODEL a FROM ¦x", TEXT),
        ("IMPORT MODEL a ¦VERSION 1 FROM 'x'", "expected FROM"),
        ("IMPORT MODEL a FROM 'x' ¦AS b", END),
    ],
    "BACKTEST_FORM": [
        ("BACKTEST MODEL¦", NAME),
        ("BACKTEST MODEL a¦", "expected FROM"),
        ("BACKTEST MODEL a FROM¦", "expected a value"),
        ("BACKTEST MODEL a FROM ¦TO now() EVERY 1 DAY", "expected a value"),
        ("BACKTEST MODEL a FROM 1¦", "expected TO"),
        ("BACKTEST MODEL a FROM 1 TO 2¦", "expected EVERY"),
        ("BACKTEST MODEL a FROM 1 TO ¦EVERY 1 DAY", "expected a value"),
        ("BACKTEST MODEL a FROM 1\nTO 2\nEVERY¦\n", "expected a value"),
    ],
}

TABLES = (
    "CREATE TABLE model (model INTEGER, name TEXT)",
    "INSERT INTO model VALUES (1, 'a'), (2, 'b')",
    "CREATE TABLE models AS FROM model",
    "CREATE SCHEMA model",
    "CREATE TABLE model.t AS SELECT 1 AS x",
    "CREATE SCHEMA models",
    "CREATE TABLE models.t AS SELECT 2 AS x",
)

FOREIGN = [
    "",
    " \n\t ",
    ";",
    "-- CREATE MODEL m OPTIONS ()",
    "/* DROP MODEL m */",
    "SELECT 1",
    "SELECT 1 -- SHOW MODELS",
    "SELECT 1; /* ; SHOW MODELS; */ SELECT 2",
    "-- CREATE MODEL x\nSELECT 1",
    "SELECT 'CREATE MODEL x OPTIONS ()'",
    "SELECT ';SHOW MODELS;'",
    "SELECT '''; DROP MODEL m; --'",
    "SELECT $$a; CREATE MODEL x$$",
    "SELECT $q$; DROP MODEL m; $q$",
    "SELECT E'\\'; SHOW MODELS; --'",
    "SELECT 'é' AS model; SELECT ';'",
    'SELECT 1 AS "; SHOW MODELS; "',
    "SELECT 'open; SHOW MODELS",
    'SELECT 1 AS "open; SHOW MODELS',
    "SELECT $$open; SHOW MODELS",
    "SELECT 1 /* open; SHOW MODELS",
    "SELECT 1\u00a0AS\u2003model",
    "SELECT 1 AS model\x00",
    "\x00SHOW MODELS",
    "DESCRIBE model",
    "describe model;",
    "DESCRIBE /* the table */ model -- is a table",
    "DESCRIBE models",
    'DESCRIBE "model"',
    "DESCRIBE main.model",
    "DESCRIBE model.t",
    "DESCRIBE model . t",
    "DESCRIBE model.none",
    "DESCRIBE FROM model",
    "DESCRIBE SELECT model FROM model",
    "DESC model",
    "SUMMARIZE model",
    'SHOW "models"',
    "SHOW model",
    "SHOW models.t",
    "SHOW models FROM main",
    "SHOW models_of_mine",
    "SHOW main.models",
    "SHOW TABLES",
    "SHOW TABLES FROM model",
    "SHOW ALL TABLES",
    "SHOW MODEL\u017f",
    "\u017fHOW MODELS",
    "FROM model",
    "FROM models SELECT model WHERE name = 'a'",
    "FROM model AS model SELECT model.model",
    "FROM model.t",
    "SELECT model FROM model ORDER BY model",
    "SELECT model.model FROM model",
    "SELECT (model).name FROM model",
    "SELECT count(*) AS model FROM models AS model",
    "SELECT 'drop' model",
    "SELECT 1 model",
    "SELECT {'model': 1}.model",
    "SELECT MAP {'model': 1}['model']",
    "SELECT 1 AS drop_model, 2 AS show_models",
    "SELECT list_transform([1, 2], lambda model: model + 1)",
    "SELECT [model * 2 FOR model IN [1, 2, 3] IF model > 1]",
    "SELECT model, row_number() OVER (ORDER BY model) FROM model",
    "SELECT * FROM model JOIN models USING (model) ORDER BY ALL",
    "SELECT * FROM model WHERE name LIKE 'model%'",
    "SELECT * EXCLUDE (model) FROM model",
    "SELECT * REPLACE (model + 1 AS model) FROM model",
    "SELECT columns('model') FROM model",
    "WITH model AS (SELECT 3 AS x) FROM model",
    "WITH models AS MATERIALIZED (SELECT 3 AS x) SELECT x FROM models",
    "(SELECT 1 AS model) UNION ALL (SELECT 2)",
    "VALUES (1, 'model')",
    "TABLE model",
    "EXPLAIN SELECT model FROM model",
    "EXPLAIN FROM model",
    "EXPLAIN (FORMAT json) SELECT 1 AS model",
    "CREATE TABLE model (a INT)",
    "CREATE TABLE IF NOT EXISTS model (a INT)",
    "CREATE OR REPLACE TABLE models AS SELECT 1 AS model",
    "CREATE TEMP TABLE model2 (model INT)",
    "CREATE VIEW model_view AS FROM model",
    "FROM model_view",
    "CREATE MACRO model(x) AS x + 1",
    "SELECT model(1), model(x := 2)",
    "CREATE MACRO model_rows(n) AS TABLE FROM model WHERE model <= n",
    "FROM model_rows(1)",
    "CREATE SEQUENCE model_ids",
    "SELECT nextval('model_ids')",
    "CREATE TYPE model_kind AS ENUM ('model', 'none')",
    "SELECT 'model'::model_kind",
    "CREATE INDEX model_index ON model.t (x)",
    "INSERT INTO models VALUES ($1, ?)",
    "INSERT INTO model.t VALUES (5) RETURNING x AS model",
    "UPDATE model SET name = 'model' WHERE model = 2",
    "UPDATE model.t SET x = 6 WHERE x = 5",
    "DELETE FROM model.t WHERE x = 6",
    "ALTER TABLE models RENAME TO old_models",
    "ALTER TABLE old_models RENAME COLUMN model TO models",
    "ALTER TABLE old_models ADD COLUMN model INT DEFAULT 7",
    "FROM old_models",
    "COMMENT ON TABLE model IS 'a model'",
    "SELECT comment FROM duckdb_tables() WHERE table_name = 'model' AND comment IS NOT NULL",
    "PIVOT model ON name USING sum(model)",
    "PIVOT model.t ON x USING count(*)",
    "UNPIVOT (SELECT 1 AS model, 2 AS other) ON model, other",
    "PREPARE model AS SELECT ?::INT AS model",
    "EXECUTE model(3)",
    "DEALLOCATE model",
    "PREPARE show_models AS FROM model WHERE model = $1",
    "EXECUTE show_models(1)",
    "SET VARIABLE model = 3",
    "SELECT getvariable('model')",
    "BEGIN; SELECT 1 AS model; ROLLBACK",
    "COPY model TO 'no/such/folder/model.csv'",
    "COPY (SELECT 1 AS model) TO 'no/such/folder/model.parquet'",
    "COPY model FROM 'no_such_model.csv'",
    "EXPORT DATABASE 'no/such/folder/model/x'",
    "IMPORT DATABASE 'no_such_model'",
    "ATTACH ':memory:' AS model_db",
    "USE model_db",
    "USE memory",
    "DETACH model_db",
    "CALL pragma_table_info('model')",
    "PRAGMA table_info('model')",
    "CHECKPOINT model",
    "SELECT model FROM no_model",
    "SELECT no FROM model",
    "SELECT 'a'::INT AS model",
    "SELECT model.no.such FROM model",
    "SELEC model",
    "CREATE MODELS m OPTIONS ()",
    "CREATE TEMP MODEL m OPTIONS ()",
    "CREATE OR MODEL m",
    'CREATE "MODEL" m OPTIONS ()',
    "CREATE",
    "MODEL",
    "DROP MODELS m",
    "DROP TABLE model_that_is_none",
    "DROP TABLE IF EXISTS model_that_is_none",
    "DROP VIEW model_view",
    "DROP SCHEMA models CASCADE",
    "ALTER MODELS m ROLLBACK",
    "EVALUATE model2",
    "EXPLAIN EXPLAIN MODEL m",
    "(SHOW MODELS)",
    "FROM (SHOW MODELS)",
    "FROM (DESCRIBE model)",
    "SELECT * FROM (SHOW models_of_mine)",
    "DROP TABLE model",
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_names(text, name):
    assert parse(text) == [DropModel(name, if_exists=False)]


@pytest.mark.parametrize("text", SPACES)
def test_any_space_and_comment(text):
    assert parse(text) == [DropModel("churn", if_exists=False)]


@pytest.mark.parametrize(("text", "statement"), VALID)
def test_a_statement(text, statement):
    assert parse(text) == [statement]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_statement_among_spaces_comments_and_semicolons(wrapping):
    for text, statement in VALID:
        assert parse(wrapping.format(text)) == [statement]


@pytest.mark.parametrize(("text", "statements"), SCRIPTS)
def test_a_script(text, statements):
    assert parse(text) == statements


@pytest.mark.parametrize(
    ("text", "message", "form"), [(*row, getattr(grammar, form)) for form, rows in INVALID.items() for row in rows]
)
def test_an_error_shows_the_place_and_the_form(text, message, form):
    before, _, after = text.partition("¦")
    number, line = before.count("\n") + 1, before.rpartition("\n")[2]
    with pytest.raises(StatementError) as error:
        parse(before + after)
    shown = (line + after.partition("\n")[0]).rstrip()
    assert str(error.value) == f"Line {number}: {message}.\n{shown}\n{' ' * len(line)}^\nThe form is: {form}"


def test_every_form_is_tested():
    assert {getattr(grammar, form) for form in INVALID} == set(grammar.FORMS)


@pytest.mark.parametrize("text", [*FOREIGN, "\ud800 model"])
def test_what_is_not_ours_stays_as_it_is(text):
    assert parse(text) == [Foreign(text)]


def test_what_is_not_ours_does_the_same_as_without_us():
    with twins(*TABLES) as (ours, theirs):
        for text in FOREIGN:
            assert outcome(ours, text) == outcome(theirs, text), text
