"""The benchmark's command line."""

import argparse
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled
from loadtest.benchmark.haraka import cache_folder
from loadtest.benchmark.peers import NAMES
from loadtest.benchmark.regression import BASELINES, FILE


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    list_: bool
    quick: bool
    soak: float
    only: str
    rounds: int
    scale: float
    workers: int | None
    connections: int
    peers: tuple[str, ...]
    install: bool
    cache: Path
    injectors: int
    latency_seconds: float
    json: Path | None
    svg: Path | None
    baseline: Path
    save_baseline: bool
    interpreted: bool


def parse(arguments: list[str], manual: str | None) -> Options:
    """Exits with status 2 and one line when they cannot be."""
    parser = argparse.ArgumentParser(
        prog="bench", description=manual, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--list", action="store_true", dest="list_", help="name the cases and end")
    add("--quick", action="store_true", help="a few cases beside the committed baseline")
    add("--soak", type=_positive, default=0.0, metavar="SECONDS", help="full load for so long")
    add("--only", default="", metavar="PATTERN", help='cases with this in their name; "latency"')
    add("--rounds", type=_count, default=0, help="of each case; 3, and 5 with --quick")
    add("--scale", type=_positive, default=1.0, help="of each case's messages, such as 0.1")
    add("--workers", type=_count, help="only cases with so many; with --soak how many (1)")
    add("--connections", type=_count, default=50, help="of the soak")
    add("--peers", default=",".join(NAMES), help=f"of {', '.join(NAMES)}; none for none")
    add("--install", action="store_true", help="install Haraka by npm first")
    add("--cache", type=Path, default=cache_folder(), help="where peers are installed")
    add("--injectors", type=_count, default=1, help="processes of our own injector")
    add("--latency-seconds", type=_positive, default=10.0, help="of each half of a round")
    file = BASELINES / "bench.json"
    add("--json", type=Path, nargs="?", const=file, help=f"write the figures ({_short(file)})")
    file = BASELINES / "bench.svg"
    add("--svg", type=Path, nargs="?", const=file, help=f"write the plot ({_short(file)})")
    add("--baseline", type=Path, default=FILE, help=f"what --quick compares with ({_short(FILE)})")
    add("--save-baseline", action="store_true", help="make this --quick run the baseline")
    compiled.option(parser)
    given = parser.parse_args(arguments)
    names = tuple(n.strip() for n in given.peers.split(",") if n.strip() not in ("", "none"))
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"--peers: {', '.join(unknown)} is none of {', '.join(NAMES)}")
    if given.save_baseline and not given.quick:
        parser.error("--save-baseline goes with --quick")
    if given.save_baseline and given.interpreted:
        parser.error("--save-baseline goes with what is shipped: leave --interpreted out")
    if given.save_baseline and given.only:
        parser.error("--save-baseline needs every quick case: leave --only out")
    given.peers = names
    given.rounds = given.rounds or (5 if given.quick else 3)
    return Options(**vars(given))


def _short(file: Path) -> str:
    return "/".join(file.parts[-3:])


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value
