"""Prometheus' alerts: each is tested firing and not, is silent on a day of warm-up, and has a next
step in the runbook."""

import re
import shutil
import subprocess

import pytest

from tests.support.repository import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", (FOLDER / "rules.yaml").read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yaml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_silent_and_on_a_day_of_warm_up() -> None:
    tests = (FOLDER / "rules_test.yaml").read_text(encoding="utf-8")
    expected = re.findall(r"alertname: (\w+)\n\s+exp_alerts:( \[\])?", tests)
    firing = [name for name, empty in expected if not empty]
    silent = [name for name, empty in expected if empty]
    assert sorted(firing) == sorted(alerts())
    # Once for itself and twice in the six hours of an ordinary day.
    assert sorted(silent) == sorted(alerts() * 3)


def test_every_alert_has_a_next_step_in_the_runbook() -> None:
    told = re.findall(r"^\| (Sendgate\w+) \|", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(alerts())
