"""The options that benchmarks of one thing share."""

import argparse
from pathlib import Path

from loadtest.benchmark import compiled


def parser(name: str, doc: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """`rounds`: the default; None for a benchmark without."""
    found = argparse.ArgumentParser(prog=name, description=doc)
    if rounds is not None:
        found.add_argument("--rounds", type=int, default=rounds)
    found.add_argument("--json", type=Path, help="write the figures there")
    compiled.option(found)
    return found
