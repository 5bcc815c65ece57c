"""What a run leaves behind: rows with where they come from, as JSON, and tables made of them."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Row = Mapping[str, object]
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "speed.md")
GROWTH = ROOT / "docs" / "growth.svg"
NOTHING = "No run is stored."
CASE = ("case", "events", "stage", "method", "side")
"""The columns that say what a row is of."""
OLDER = " (older code)"
"""Marks figures of a commit after which what was measured, or how, was changed."""
MEASURED = (
    "sqlml", "udfs", "sql", "benchmarks/peers",
    *(f"benchmarks/{name}.py" for name in ("bootstrap", "cases", "data", "metrics", "timing")),
)  # fmt: skip
"""What is measured, and against what; beside it the file of the protocol."""
VERDICTS = ("beats", "level", "undecided", "behind")
_GOAL = re.compile(r"(\w[\w ]*?) (<=|>=) ([\d.]+)")
PACKAGES = (
    "sqlml",
    "duckdb",
    "pyarrow",
    "numpy",
    "jax",
    "flax",
    "optax",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "xgboost",
    "implicit",
)


def save(name: str, command: str, rows: Sequence[Row]) -> Path:
    """Write `results/<name>.json`."""
    record = {
        "protocol": name,
        "command": command,
        "commit": _git("rev-parse", "HEAD"),
        "is_dirty": bool(_git("status", "--porcelain", "--", ":!benchmarks/results")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": platform.processor() or platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "packages": dict(_installed()),
        "rows": list(rows),
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def _installed() -> Iterator[tuple[str, str]]:
    """The versions of the packages that are here: a protocol may do without some peers."""
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield package, version(package)


def stored(name: str) -> list[Row]:
    """The rows of the last full run; none where there was none."""
    return list(_record(name).get("rows", ()))


def measured_at(name: str) -> str:
    """The commit and the day of the last full run, marked where the code has changed since."""
    record = _record(name)
    commit = str(record["commit"])
    paths = [*MEASURED, f"benchmarks/protocols/{name}.py"]
    is_same = not record["is_dirty"] and _git_status("diff", "--quiet", commit, "--", *paths) == 0
    return f"`{commit[:7]}`, {str(record['date'])[:10]}" + ("" if is_same else OLDER)


def verdicts(rows: Sequence[Row]) -> str:
    """How often sqlml beats a peer, is level, or behind, and behind whom; "" where nothing is compared."""
    peers = [row for row in rows if not str(row.get("method")).startswith("sqlml")]
    found = [(row, column, value) for row in peers for column, value in row.items() if value in VERDICTS]
    if not found:
        return ""
    counts = [(verdict, sum(value == verdict for *_, value in found)) for verdict in VERDICTS]
    losses = [f"{row['case']}: {row['method']} ({column.removeprefix('sqlml_')})"
              for row, column, value in found if value == "behind"]  # fmt: skip
    summary = ", ".join(f"{verdict} {n}" for verdict, n in counts)
    return f"Of {len(found)} comparisons: {summary}." + (f" Behind: {'; '.join(losses)}." if losses else "")


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a markdown table; a row without a column leaves it empty."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    body = ["| " + " | ".join(_shown(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join([*head, *body])


def text(rows: Sequence[Row]) -> str:
    """The rows as a table for the terminal."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([_shown(row.get(column)) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """Put each table between `<!-- benchmark:NAME -->` and `<!-- /benchmark:NAME -->`."""
    for name, table in tables.items():
        first, last = f"<!-- benchmark:{name} -->", f"<!-- /benchmark:{name} -->"
        between = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
        page = between.sub(lambda _, new=f"{first}\n{table}\n{last}": new, page)  # type: ignore[misc]
    return page


def tables(names: Sequence[str], of_speed: Sequence[str]) -> dict[str, str]:
    """The stored results as the pages show them: of populations, all customers. What was never run says so.

    Above each table stand the commit that was measured and the verdicts. Beside the protocols there is `speed`: each
    goal of theirs, and whether it is reached.
    """
    shown = {name: _shown_table(name) for name in names}
    speed = [{**goal, "measured at": measured_at(name)} for name in of_speed for goal in goals(name, stored(name))]
    return {**shown, "speed": markdown(speed) if speed else NOTHING}


def _shown_table(name: str) -> str:
    rows = [{k: v for k, v in row.items() if k != "customers"} for row in stored(name)
            if row.get("customers") in (None, "all")]  # fmt: skip
    if not rows:
        return NOTHING
    head = " ".join(filter(None, (f"Measured at commit {measured_at(name)}.", verdicts(rows))))
    return f"{head}\n\n{markdown(rows)}"


def without_marks(page: str) -> str:
    """A page without the marks of older code: they change with the code, not with the results."""
    return page.replace(OLDER, "")


def goals(name: str, rows: Sequence[Row]) -> Iterator[Row]:
    """Each row that has a goal, such as `p50_ms <= 5, p99_ms <= 10`: its figures, and which of them reach it."""
    for row in rows:
        asked = [each for each in _GOAL.findall(str(row.get("goal") or "")) if row[each[0]] is not None]
        if not asked:
            continue
        reached = [(row[column] <= float(limit)) == (sign == "<=") for column, sign, limit in asked]  # type: ignore[operator]
        yield {
            "protocol": name,
            "case": ", ".join(_shown(row[column]) for column in CASE if column in row),
            "figures": ", ".join(f"{column} {_shown(row[column])}" for column, _, _ in asked),
            "goal": ", ".join(" ".join(each) for each in asked),
            "reached": "yes" if all(reached) else "no" if not any(reached) else "in part",
        }


def update_pages(names: Sequence[str], of_speed: Sequence[str]) -> None:
    """Refresh the tables of the pages, and the plot of growth, from the stored results."""
    found = tables(names, of_speed)
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    if rows := stored("growth"):
        from benchmarks import plots  # a run that is measured does without matplotlib

        plots.growth(rows, GROWTH)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " to ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _record(name: str) -> dict[str, Any]:
    """What the last full run left; empty where there was none."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _git_status(*arguments: str) -> int:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).returncode


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip()
