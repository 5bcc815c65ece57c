"""Environments of peers that need older packages than sqlml's: made once, kept in the cache folder of the user."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CACHE = "XDG_CACHE_HOME"


class PeerError(Exception):
    """A peer has no answer; the message says why."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with these requirements; the first one names it."""

    requirements: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        """Whether the environment was made."""
        return self._mark.exists()

    def prepare(self) -> None:
        """Make the environment where there is none.

        Raises:
            PeerError: It cannot be made.
        """
        if self.is_here:
            return
        _call(sys.executable, "-m", "venv", "--clear", str(self._folder))
        _call(str(self._python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements)
        self._mark.touch()

    def run(self, script: Path, *arguments: str) -> None:
        """Run a script in the environment; what it says goes to stderr.

        Raises:
            PeerError: It fails; the message is its last line.
        """
        _call(str(self._python), "-I", "-W", "ignore", str(script), *arguments)

    @property
    def _folder(self) -> Path:
        root = Path(os.environ.get(CACHE) or Path.home() / ".cache")
        return root / "sqlml-benchmarks" / self.requirements[0].replace("==", "-")

    @property
    def _mark(self) -> Path:
        """Written last, so that half an environment does not count."""
        return self._folder / "complete"

    @property
    def _python(self) -> Path:
        return self._folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


LIFETIMES = Environment(("lifetimes==0.11.3", "numpy==1.26.4", "pandas==2.1.4", "scipy==1.11.4"))
RECTOOLS = Environment(("rectools==0.19.0", "rectools[torch]==0.19.0"))


def prepare_all() -> None:
    """Make every environment that is not there.

    Raises:
        PeerError: One cannot be made.
    """
    for each in (LIFETIMES, RECTOOLS):
        each.prepare()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stderr, end="", file=sys.stderr)
    if done.returncode:
        raise PeerError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
