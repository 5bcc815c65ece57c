"""`python -m benchmarks [PROTOCOL ...]`: run, print, store."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from benchmarks import protocols, report
from benchmarks.peers import environment


def main() -> int:
    """Run the protocols asked for, or show what is stored."""
    arguments = _arguments()
    names = [each for name in arguments.protocols or protocols.NAMES for each in protocols.GROUPS.get(name, (name,))]
    if arguments.list:
        print("\n".join(f"{name}: {_purpose(name)}" for name in protocols.NAMES))
    elif arguments.readme:
        report.update_pages(protocols.NAMES, protocols.GROUPS["speed"])
    elif arguments.markdown:
        print("\n\n".join(f"### {name}\n\n{report.markdown(report.stored(name))}" for name in names))
    elif arguments.prepare:
        environment.prepare_all()
    elif len(names) > 1:
        codes = [_alone(name, is_quick=arguments.quick) for name in names]
        return int(any(codes))
    else:
        _run(names[0], is_quick=arguments.quick, only=arguments.only)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL", help="Default: all. speed: those of speed.")
    parser.add_argument("--list", action="store_true", help="Say which protocols there are.")
    parser.add_argument("--quick", action="store_true", help="Small data; prints and stores nothing.")
    parser.add_argument("--only", metavar="CASE", help="The cases that have this in their name; stores nothing.")
    parser.add_argument(
        "--prepare", action="store_true", help="Make the environments of lifetimes and RecTools (6 GB)."
    )
    parser.add_argument("--markdown", action="store_true", help="Print the stored results as markdown.")
    parser.add_argument("--readme", action="store_true", help="Put the stored results into README.md and docs.")
    arguments = parser.parse_args()
    known = (*protocols.NAMES, *protocols.GROUPS)
    if unknown := set(arguments.protocols) - set(known):
        parser.error(f"no protocol {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if arguments.only and (len(arguments.protocols) != 1 or arguments.protocols[0] not in protocols.WITH_CASES):
        parser.error(f"--only needs one protocol of {', '.join(protocols.WITH_CASES)}")
    return arguments


def _purpose(name: str) -> str:
    source = (Path(protocols.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _alone(name: str, *, is_quick: bool) -> int:
    """Each protocol in a process of its own: they set up threads differently."""
    command = [sys.executable, "-m", "benchmarks", name, *(["--quick"] if is_quick else [])]
    return subprocess.run(command, check=False).returncode


def _run(name: str, *, is_quick: bool, only: str | None = None) -> None:
    part = {} if only is None else {"only": only}
    rows = import_module(f"benchmarks.protocols.{name}").run(is_quick=is_quick, **part)
    if not rows:
        asked = f" with {only!r} in its name" if only else ""
        sys.exit(
            f"{name}: none of its data{asked} is here. SQLML_DATA must name the folder of the data sets. "
            "Nothing was stored."
        )
    print(f"{name}: {_purpose(name)}\n\n{report.text(rows)}\n\n{report.verdicts(rows)}\n")
    if not is_quick and only is None:
        path = report.save(name, f"python -m benchmarks {name}", rows)
        print(f"Stored in {path.relative_to(report.ROOT)}.")


if __name__ == "__main__":
    sys.exit(main())
