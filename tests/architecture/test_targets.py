"""Nothing is lost between the targets: `make test` and `make test-compiled` run every test."""

import fnmatch
import itertools
import shlex
import subprocess
from pathlib import Path

from tests.support.repository import ROOT, python_files


def _runs() -> list[tuple[list[str], list[str]]]:
    """What each pytest of both targets is given, and what it is to leave out."""
    command = ["make", "--no-print-directory", "-n", "test", "test-compiled"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    runs = []
    for line in said.replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        called = [place for place, word in enumerate(words) if Path(word).name == "pytest"]
        if not called:
            continue
        words = words[called[0] + 1 :]
        assert not {"-k", "-m", "--deselect"} & set(words), "leave out files, which are counted"
        left = [b for a, b in itertools.pairwise(words) if a.startswith("--ignore")]
        given = [w for w in words if w.startswith("tests/") and w not in left]
        assert all((ROOT / path).exists() for path in given)
        runs.append((given, left))
    return runs


def _runs_it(path: Path, given: list[str], left: list[str]) -> bool:
    name = str(path)
    return any(name == part or name.startswith(f"{part}/") for part in given) and not any(
        fnmatch.fnmatch(name, pattern) for pattern in left
    )


def test_every_test_is_run_by_a_target() -> None:
    runs = _runs()
    assert len(runs) == 3
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    # `make schemathesis` and `make browser` have venvs of their own.
    runs.append((["tests/schemathesis", "tests/browser"], []))
    assert not [str(path) for path in tests if not any(_runs_it(path, *run) for run in runs)]


def test_a_landing_runs_every_target_of_tests() -> None:
    said = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = {line.strip().removeprefix("nice -n 10 ") for line in said.splitlines()}
    assert {"make test", "make test-compiled", "make browser"} <= lines
