"""A progress bar with loss and remaining time on a terminal's stderr; silence elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlml import interruption
from sqlml.errors import plain

if TYPE_CHECKING:
    from sqlml.training import Stage, Watch


@contextmanager
def on_stderr(title: str) -> Iterator[Stage]:
    """One bar, restarted by each stage of the training."""
    if not sys.stderr.isatty():
        yield lambda name: lambda epoch, epochs, loss: interruption.check()
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        title = escape(plain(title))
        task = bar.add_task(title, total=None, status="building features")

        def stage(name: str) -> Watch:
            def watch(epoch: int, epochs: int, loss: float) -> None:
                interruption.check()
                status = f"{epoch}/{epochs}" if math.isnan(loss) else f"epoch {epoch}/{epochs}  loss {loss:.4f}"
                bar.update(task, description=f"{title}, {name}", completed=epoch, total=epochs, status=status)

            return watch

        yield stage
