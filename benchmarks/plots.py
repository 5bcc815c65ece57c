"""The plot of the growth runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

COLOURS = {"training": "#c2571a", "features": "#8a9099", "scoring": "#1f5f8b"}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "sqlml", "font.size": 10}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def growth(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Seconds and peak memory of each stage against the number of events, as SVG; dotted: in step with the data."""
    with rc_context(STYLE):
        figure = Figure((9, 3.6), layout="constrained")
        seconds, memory = figure.subplots(1, 2)
        for stage, colour in COLOURS.items():
            of_stage = [row for row in rows if row["stage"] == stage]
            events = [float(str(row["events"])) for row in of_stage]
            for axes, column in ((seconds, "seconds"), (memory, "peak_gib")):
                axes.plot(events, [row[column] for row in of_stage], "o-", color=colour, label=stage)
            first = float(str(of_stage[0]["seconds"]))
            seconds.plot(events, [first * each / events[0] for each in events], ":", color=colour)
        seconds.set(xscale="log", yscale="log", xlabel="events", ylabel="seconds")
        memory.set(xscale="log", ylim=(0, None), xlabel="events", ylabel="peak memory of the process, GiB")
        seconds.legend(frameon=False)
        figure.savefig(path, format="svg", metadata=NO_METADATA)
