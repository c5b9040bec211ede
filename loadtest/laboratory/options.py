"""The laboratory's command line."""

import argparse
from pathlib import Path

import msgspec

from loadtest.laboratory.reading import names


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
    parser = argparse.ArgumentParser(
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
        parser.error("--scenario is missing")
    if given.from_csv is not None and (given.report or given.keep):
        parser.error("--report and --keep go with --scenario")
    return Options(**vars(given))
