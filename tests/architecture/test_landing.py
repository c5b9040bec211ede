"""`.ci/run` fails with whatever it runs, also with what runs beside the tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import ROOT

STEP = """#!/bin/sh
echo "$NAME $*" >>"$STEPS"
case "$NAME $*" in *"$FAILS"*) exit 1 ;; esac
"""
"""Says that it was called, and fails when it is the one that is to fail."""
NEVER = "nothing fails"
BESIDE = ("make compiled", "closed", "tests.setup.image")
IN_TURN = ("make setup", "make check", "make demo", "make test", "make test-compiled")
LAST = "make bench-quick"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """`.ci/run` itself, where each command it gives only says that it was called."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    for command in (
        "bin/make",
        "bin/sudo",
        "bin/apt-get",
        "tests/setup/closed",
        ".venv/bin/python",
    ):
        file = tmp_path / command
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STEP.replace("$NAME", file.name), encoding="utf-8")
        file.chmod(0o755)
    return tmp_path


def run(checkout: Path, fails: str) -> tuple[int, list[str]]:
    """Exit status, and what was called."""
    steps = checkout / "steps"
    environment = {
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "TMPDIR": str(checkout),
        "STEPS": str(steps),
        "FAILS": fails,
    }
    done = subprocess.run([checkout / ".ci" / "run"], env=environment, timeout=60)
    return done.returncode, steps.read_text(encoding="utf-8").splitlines()


def test_all_of_it_is_run(checkout: Path) -> None:
    status, steps = run(checkout, NEVER)
    assert status == 0
    for step in (*BESIDE, *IN_TURN):
        assert [line for line in steps if step in line]
    assert steps[-1] == LAST, "speed is measured when nothing else runs"


@pytest.mark.parametrize("fails", [*BESIDE, *IN_TURN, LAST])
def test_it_fails_with_any_of_it(checkout: Path, fails: str) -> None:
    status, steps = run(checkout, fails)
    assert status != 0
    assert LAST not in steps[:-1]
