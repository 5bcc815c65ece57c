"""A report: what it shows is what is stored, what is missing leaves no trace, and no name in it can do anything."""

import re
import subprocess
import sys
from html import unescape
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import sqlml
from sqlml import cli, queries, report
from sqlml.cli import app
from sqlml.errors import DataError, ModelError, SqlmlError
from tests.conftest import copy_to

HOSTILE = "<script>alert(1)</script>"
ROWS = """CREATE TABLE examples AS
    SELECT i AS id, (hash(i * 10000 + 1) % 1000 / 100.0)::DOUBLE AS visits, hash(i * 10000 + 2) % 100 AS noise,
           visits + hash(i * 10000 + 3) % 4 AS signal, signal > 6 AS churned, 100 * signal AS spend,
           ['none', 'some', '<b>many</b>'][1 + (signal > 4)::INT + (signal > 8)::INT] AS "<i>plan</i>",
           visits AS "<script>alert(2)</script>"
    FROM range(1000) t(i)"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two versions of a model of two classes, one of numbers, one of several classes, one with hostile names."""
    with sqlml.connect(tmp_path_factory.mktemp("report") / "rows.duckdb") as con:
        con.execute(ROWS).fetchall()
        for statement in (
            """CREATE MODEL two OPTIONS (label = 'churned', key = 'id', columns = ['visits', 'noise'], method = 'logistic')
               AS SELECT * FROM examples""",
            """CREATE OR REPLACE MODEL two OPTIONS (label = 'churned', key = 'id', columns = ['noise'], method = 'logistic')
               AS SELECT * FROM examples""",
            """CREATE MODEL number OPTIONS (label = 'spend', key = 'id', columns = ['visits'], method = 'linear')
               AS SELECT * FROM examples""",
            f"""CREATE MODEL "{HOSTILE}" OPTIONS (label = '<i>plan</i>', method = 'logistic')
               AS SELECT "<i>plan</i>", "<script>alert(2)</script>" FROM examples""",
        ):
            con.execute(statement).fetchall()
        yield con


def page(con, model, version=None):
    return report.page(con.native, con.catalog().version(model, version))


def headings(html):
    return re.findall(r"<h2>(.*?)</h2>", html)


def charts(html):
    return re.findall(r"<figure>\n<h3>(.*?)</h3>", html)


def text(html):
    """What a reader sees, without the charts."""
    plain = re.sub(r"<(style|svg)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", plain)).split())


def test_a_behaviour_model_has_every_section(shop):
    html = page(shop, "churn")
    assert headings(html) == ["Beside other methods", "Rows held out", "What matters", "Training", "Record"]
    assert charts(html) == [
        "ROC",
        "Precision and recall",
        "Calibration",
        "Cumulative gain",
        "Lift by decile",
        "Loss by epoch",
        "Base rate by cut-off",
    ]
    for words in ("trained until", "horizon 60 days", "All customers", "Active customers", "left out"):
        assert words.lower() in text(html).lower()


def test_sections_follow_what_there_is(models):
    two, number, classes = page(models, "two"), page(models, "number"), page(models, HOSTILE)
    assert headings(two) == ["Beside other methods", "Rows held out", "What matters", "Record"]
    assert "Base rate" in text(two)
    assert charts(number) == ["Predicted and actual", "Residuals", "Coverage by decile"]
    assert charts(classes) == ["Certainty"]
    assert "Classes" in headings(classes)
    assert not re.search(r"<(h2|h3)>[^<]*</\1>\s*</(section|div)>", two + number + classes)


def test_a_version_that_is_not_promoted(models):
    first, second = page(models, "two", 1), page(models, "two")
    assert "version 1, not promoted" in text(first)
    assert "not promoted" not in text(second)
    auc = dict(
        models.execute(
            "SELECT version, value FROM ml.metrics JOIN ml.versions USING (version_id) WHERE model = 'two' AND metric = 'auc' AND ml.metrics.method = 'logistic'"
        ).fetchall()
    )
    assert f"<b>{auc[1]:.3f}</b>" in first
    assert f"<b>{auc[2]:.3f}</b>" in second


def test_the_numbers_are_those_of_the_database(shop, models):
    measured = "SELECT value, low, high FROM ml.metrics m JOIN ml.versions v USING (version_id, method) WHERE model = ? AND metric = ? AND population = ?"
    html = text(page(shop, "churn"))
    for population in ("all", "active"):
        value, low, high = shop.execute(measured, ["churn", "auc", population]).fetchall()[0]
        assert f"{value:.3f} {low:.3f} to {high:.3f}" in html
    rmse, low, high = models.execute(measured, ["number", "rmse", "all"]).fetchall()[0]
    assert f"RMSE {rmse:.3g} {low:.3g} to {high:.3g}" in text(page(models, "number"))
    for topic, item, detail in shop.execute("DESCRIBE MODEL churn").fetchall():
        assert topic == "warning" or " ".join(f"{item} {detail}".split()) in html


def test_charts_draw_what_the_functions_give(models):
    version = models.catalog().version("two").version_id

    def rows(name, columns):
        return models.execute(f"SELECT {columns} FROM ({queries.text(f'report/{name}')})", [version]).fetchall()

    bins = models.execute("SELECT bin, n, mean_score, observed_rate FROM ml.calibration('two')").fetchall()
    assert rows("calibration", "bin, n, mean_score, observed_rate") == bins
    assert all(
        low < rate < high or rate in (0, 1) for low, rate, high in rows("calibration", "low, observed_rate, high")
    )
    assert (
        rows("lift", "decile, n, lift, gain")
        == models.execute("SELECT decile, n, lift, gain FROM ml.lift('two')").fetchall()
    )
    curve = rows("curves", "recall, false_positive_rate, precision")
    full = "SELECT r.recall, false_positive_rate, precision FROM ml.roc_curve('two') r JOIN ml.pr_curve('two') USING (threshold)"
    assert set(curve) <= set(models.execute(full).fetchall())
    assert curve[-1][:2] == (1, 1)
    for name in ("scores", "lift", "calibration"):
        assert rows(name, "sum(n)") == models.execute("SELECT count(*) FROM ml.held_out('two')").fetchall()


@pytest.mark.parametrize("highest", [1, 0.02])
def test_large_and_rare(con, highest):
    con.execute("CREATE SCHEMA ml").fetchall()
    con.execute(f"""CREATE TABLE ml.predictions AS SELECT 'v' AS version_id, {highest} * hash(i) / 18446744073709551616.0::DOUBLE AS score,
                   (hash(i, 1) / 18446744073709551616.0 < score)::INT::DOUBLE AS label FROM range(50000) t(i)""").fetchall()
    points = con.execute(queries.text("report/curves"), ["v"]).fetchall()
    assert 200 < len(points) < 410
    bins = con.execute(queries.text("report/scores"), ["v"]).fetchall()
    assert len(bins) == 20
    assert sum(n for _, _, n in bins) >= 0.994 * 50_000
    assert 20 * bins[0][1] == pytest.approx(highest, rel=0.01)


@pytest.mark.parametrize("model", ["two", "number", HOSTILE])
def test_nothing_is_asked_from_outside_and_nothing_runs(models, model):
    html = page(models, model)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert set(re.findall(r"<(script|link|img|iframe|i>plan|b>many)", html)) == set()
    assert "@import" not in html


def test_names_are_escaped_wherever_they_stand(models):
    html = page(models, HOSTILE)
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;, version 1</title>" in html
    for name in (HOSTILE, "<script>alert(2)</script>", "<i>plan</i>", "<b>many</b>"):
        assert name not in html
        assert name in text(html)


def test_charts_are_whole_and_share_no_id(shop):
    html = page(shop, "churn")
    assert html == page(shop, "churn")
    found = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    assert len(found) == 7
    for chart in found:
        assert ElementTree.fromstring(chart).attrib["viewBox"]
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', html)) <= set(ids)
    assert not re.search(r"<metadata|<style.*<style", html, re.DOTALL)


def test_labels_of_one_class_alone_draw_no_curve(shop, tmp_path):
    path = tmp_path / "one.duckdb"
    copy_to(shop, path, "UPDATE copied.ml.predictions SET label = 1")
    with sqlml.connect(path) as con:
        assert charts(page(con, "churn")) == ["Loss by epoch", "Base rate by cut-off"]
        for table in ("predictions", "metrics", "cutoffs", "training_log", "importance"):
            con.execute(f"DELETE FROM ml.{table}").fetchall()
        assert headings(page(con, "churn")) == ["Record"]


def test_warnings_stand_first(shop, tmp_path):
    path = tmp_path / "warned.duckdb"
    copy_to(shop, path, "INSERT INTO copied.ml.warnings SELECT version_id, 'Mind the <gap>' FROM copied.ml.versions")
    with sqlml.connect(path) as con:
        html = page(con, "churn")
    assert html.count("Mind the &lt;gap&gt;") == 1
    assert html.index("Mind the") < html.index('class="tiles"')


def test_numbers_for_people():
    assert [report.score(x) for x in (0.9583, 0.5, 0.01541, -5e-6, 1 - 1e-12)] == [
        "0.958",
        "0.500",
        "0.0154",
        "0.0000",
        "1.00",
    ]
    assert [report.amount(x) for x in (9470.2, 75.77, 1.2e-6, 0, float("nan"))] == [
        "9,470",
        "75.8",
        "1.2e-06",
        "0",
        "unknown",
    ]
    assert [report.with_spread(*x) for x in ((0.686, 0.0253), (13.6, 6.4), (1, 0))] == [
        "0.686 ± 0.025",
        "13.6 ± 6.4",
        "1.00",
    ]


def test_the_command_writes_and_replaces_a_file(shop, tmp_path, monkeypatch):
    path, runner = tmp_path / "shop.duckdb", CliRunner()
    copy_to(shop, path)
    monkeypatch.chdir(tmp_path)
    for output in ((), ("-o", "churn.html"), ("--version", "1")):
        done = runner.invoke(app, ["report", "churn", "--db", str(path), *output])
        assert (done.exit_code, done.stdout, "churn.html" in done.stderr) == (0, "", True)
    assert (tmp_path / "churn.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    for arguments, error, message in (
        (("churn", "-o", "no/such.html"), DataError, "no folder no"),
        (("churn", "-o", str(path)), DataError, "the database itself"),
        (("chrun",), ModelError, "Did you mean churn"),
        (("churn", "--version", "9"), ModelError, "no version 9"),
    ):
        with pytest.raises(error, match=message):
            runner.invoke(app, ["report", *arguments, "--db", str(path)], catch_exceptions=False)


def test_a_file_name_for_any_model():
    assert [report.file_name(m) for m in ("churn", "../../x", HOSTILE, "..", "größe")] == [
        "churn.html",
        "x.html",
        "script_alert_1_script.html",
        "model.html",
        "größe.html",
    ]


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(cli, "import_module", lambda _: missing("matplotlib"))
    with pytest.raises(SqlmlError, match=r"needs matplotlib: pip install 'sqlml\[report\]'"):
        cli.report_command(db="x", model="y")


def test_a_report_loads_neither_jax_nor_a_window(shop, tmp_path):
    path, out = tmp_path / "light.duckdb", tmp_path / "light.html"
    copy_to(shop, path)
    code = f"""import sys; sys.argv[1:] = ['report', 'churn', '--db', {str(path)!r}, '-o', {str(out)!r}]
from sqlml.cli import app
app(standalone_mode=False); print([m for m in ('jax', 'flax', 'matplotlib.pyplot') if m in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert out.exists()
