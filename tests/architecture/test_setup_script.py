"""deploy/sendgate-setup and the check of MailWizz' host: their words, and what shellcheck says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SETUP = ROOT / "deploy" / "sendgate-setup"
SCRIPTS = [SETUP, *sorted((ROOT / "deploy").glob("*/*.sh"))]


def setup(*words: str) -> tuple[int, str]:
    done = subprocess.run([str(SETUP), *words], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck (see .ci/run)")
@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_shellcheck_finds_nothing(file: Path) -> None:
    done = subprocess.run(["shellcheck", "-x", str(file)], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "says no word"),
        (("upgrade",), "upgrade is no word"),
        (("install", "--back"), "--back is no option"),
        (("install", "--keep", "3"), "--keep is no option of install"),
        (("back", "--no-backup"), "--no-backup is no option of back"),
        (("update", "--keep", "1"), "--keep 1: is not within 2 to 100"),
        (("update", "--keep", "three"), "--keep three: is no whole number from 2 to 100"),
        (("update", "--watch", "999999"), "--watch 999999: is no whole number from 1 to 600"),
        (("update", "--patience"), "--patience: says nothing behind it"),
        (("update", "--name", "../x"), "--name ../x: is no name of a folder"),
        (("install", "--role", "all"), "--role all: is none of control, gateway, agent"),
        (("install", "--answers", "/nonexistent"), "--answers /nonexistent: cannot be read"),
        (("install", "--wheels", "/nonexistent"), "--wheels /nonexistent: is no folder"),
        (("install", "--nginx", "a;b"), "--nginx a;b: is no host name"),
    ],
)
def test_what_is_wrong_with_a_line_is_named(words: tuple[str, ...], says: str) -> None:
    code, said = setup(*words)
    assert code == 2
    assert said.startswith(f"sendgate-setup: {says}\n\nUsage: ")


def test_help_has_every_option() -> None:
    done = subprocess.run([str(SETUP), "--help"], capture_output=True, text=True)
    text = (ROOT / "deploy" / "setup" / "options.sh").read_text("utf-8")
    read = {
        word for word in text.split() for word in word.rstrip(")").split("|") if word[:2] == "--"
    }
    options = {word.rstrip(")") for word in read if word.strip("-").replace("-", "").isalpha()}
    assert done.returncode == 0
    assert sorted(word for word in options - {"--help"} if word not in done.stdout) == []
    assert len(options) > 12
