"""The laboratory's command line."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from loadtest.laboratory.reading import names


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if "--json" in sys.argv:
            print(msgspec.json.encode({"ok": False, "problems": [message]}).decode())
        self.exit(2, f"{self.prog}: {message}\n")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    scenario: str
    """Empty with `from_csv`."""
    from_csv: Path | None
    json: bool
    output: Path | None
    report: Path | None
    keep: Path | None


def parse(arguments: list[str], manual: str | None) -> Options:
    """Exits with status 2 and one line when they cannot be."""
    parser = _OneLine(
        prog="load", description=manual, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scenario", metavar="NAME|FILE", default="", help=f"{', '.join(names())}, or a TOML file")
    add(
        "--from-csv",
        type=Path,
        metavar="FILE",
        help="a scenario from time, sender, recipient domain",
    )
    add("--json", action="store_true", help="the whole result on standard output")
    add(
        "--output", type=Path, metavar="FILE", help="write the result there (JSON), or the scenario"
    )
    add("--report", type=Path, metavar="FILE", help="write the report there, as HTML")
    add("--keep", type=Path, metavar="FOLDER", help="leave the stack's files there")
    given = parser.parse_args(arguments)
    if given.from_csv is not None and given.scenario:
        parser.error("--scenario and --from-csv: give one of them")
    if given.from_csv is None and not given.scenario:
        parser.error(f"--scenario is missing: one of {', '.join(names())}, or a TOML file")
    if given.from_csv is not None and (given.report or given.keep):
        parser.error("--report and --keep go with --scenario")
    for name in ("output", "report", "keep"):
        path = getattr(given, name)
        # Looked at before a run of minutes or hours, not behind it.
        if path is not None and (why := (_no_folder if name == "keep" else _no_file)(path)):
            parser.error(f"--{name}: {path}: {why}")
    return Options(**vars(given))


def _no_file(path: Path) -> str:
    """Why nothing can be written there; empty: it can."""
    if path.is_dir():
        return "is a folder; name a file"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    there = path if path.exists() else path.parent
    return "" if os.access(there, os.W_OK) else "cannot be written: Permission denied"


def _no_folder(path: Path) -> str:
    """Why no stack can begin there; empty: one can."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        there = next(path.iterdir(), None)
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    return "" if there is None else "is not empty; a run begins with nothing"
