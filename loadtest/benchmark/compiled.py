"""Figures are taken with the product as it is shipped: compiled, and of this very source.

Rule: every process a benchmark starts imports what `make compiled` built. Failure: RuntimeError
when that is missing or older than a source file, for a figure would be another version's.
"""

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "compiled"
_STAMP = BUILT / ".ready"
_PACKAGES = ("policy", "settings", "gateway", "control", "loadtest")


def option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interpreted", action="store_true", help="the checkout as it is, nothing compiled"
    )


def use(*, interpreted: bool = False) -> None:
    """Let the processes started from here on be compiled ones. Raises RuntimeError."""
    if interpreted:
        return
    if not _STAMP.exists():
        raise RuntimeError(f"nothing compiled in {BUILT}: run `make compiled`, or --interpreted")
    built = _STAMP.stat().st_mtime
    if newer := next((file for file in _sources() if file.stat().st_mtime > built), None):
        raise RuntimeError(
            f"{newer.relative_to(ROOT)} is newer than what was compiled: run `make compiled`, or"
            " --interpreted"
        )
    os.environ["PYTHONPATH"] = str(BUILT)
    if gone := next((file for file in _found(BUILT) if not (ROOT / file).exists()), None):
        raise RuntimeError(f"{gone} is gone since: run `make compiled`, or --interpreted")
    # `python -m` would look into the working folder first, and find the checkout.
    os.environ["PYTHONSAFEPATH"] = "1"


def in_use() -> bool:
    """Whether processes started now are compiled."""
    return os.environ.get("PYTHONPATH", "") == str(BUILT) and "PYTHONSAFEPATH" in os.environ


def _sources() -> list[Path]:
    return [ROOT / file for file in _found(ROOT)] + [ROOT / "setup.py", ROOT / "pyproject.toml"]


def _found(root: Path) -> list[Path]:
    """Source files of the product below `root`, relative to it."""
    return [
        file.relative_to(root)
        for package in _PACKAGES
        for suffix in ("py", "lua", "sql")
        for file in (root / package).rglob(f"*.{suffix}")
    ]
