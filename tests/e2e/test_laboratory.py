"""The load laboratory as a user calls it: a small scenario whole, one that is broken on purpose,
and what is wrong with a line."""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.control.up import ENVIRONMENT, SENDGATE, leftovers
from tests.support.repository import ROOT

pytestmark = pytest.mark.timeout(220)

BROKEN = """
name = "broken"
[[tenants]]
name = "one"
mailboxes = 10
per_mailbox = 6
[plan]
quotas = [20]
hourly_share = 1
[providers.other]
share = 1
domains = ["company.example"]
[days]
steps = 1
seconds = 1
settle = 5
[rates]
bounces = 0
deferrals = 0
"""


def load(*words: str, path: str = "") -> tuple[int, Any, str]:
    """(exit code, its JSON, standard error). `path`: PYTHONPATH of all its processes."""
    done = subprocess.run(
        [SENDGATE, "load", *words, "--json"],
        capture_output=True,
        env={**ENVIRONMENT, **({"PYTHONPATH": path} if path else {})},
        timeout=200,
    )
    said = msgspec.json.decode(done.stdout) if done.stdout else None
    return done.returncode, said, done.stderr.decode()


@pytest.mark.slow
def test_all_invariants_hold_and_what_binds_binds(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    code, found, errors = load("--scenario", "ci", "--keep", str(keep))
    assert code == 0, (found and found["broken"], errors)
    assert found["broken"] == []
    assert found["ok"] is True
    figures = found["figures"]
    assert figures["offered"] == figures["acknowledged"] == 560
    assert figures["taken"] + figures["waiting"] == 560
    # Each bound was reached, and not passed: an IP's day, a mailbox's maximum.
    by_ip = {curve["address"]: curve for curve in found["curves"]}
    assert any(day[-1] == curve["quota"] for curve in by_ip.values() for day in curve["days"])
    assert all(day == sorted(day) for curve in by_ip.values() for day in curve["days"])
    looked_at = {one["name"]: one["looked_at"] for one in found["invariants"]}
    assert looked_at["ip_provider_day"] > looked_at["ip_day"] == 10
    # What has no limit in the scenario is not said to hold.
    assert looked_at["tenant_hour"] > 0
    assert looked_at["global_hour"] == looked_at["tenant_minute"] == 0
    assert 0 < figures["completion"] <= 1
    assert figures["answer"]["median"] > 0
    assert {"worker 0", "releaser 0", "control", "valkey", "postgres"} <= found["memory"].keys()
    assert leftovers(keep) == []


@pytest.mark.slow
def test_a_gateway_without_its_mechanism_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(BROKEN)
    # Of the environment a stack's processes get little more than where modules are.
    (tmp_path / "sitecustomize.py").write_text(
        'import os\nos.environ["PYTHON_BREAKAGE"] = "refund_what_was_relayed"\n'
        "import tests.faults.breakage.sitecustomize\n"
    )
    code, found, errors = load("--scenario", str(file), path=f"{tmp_path}:{ROOT}")
    assert found is not None, errors
    assert (code, found["broken"]) == (1, ["ip_day", "global_day", "all_counted"])
    assert found["figures"]["taken"] == 60


def test_a_line_or_a_scenario_that_cannot_be_right_is_usage(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("name = 'x'\nsped = 1\n")
    code, found, errors = load("--scenario", str(file))
    assert code == 2
    assert any(problem.startswith("sped: ") for problem in found["problems"])
    assert f"load: {file}: sped: " in errors
    code, _, errors = load()
    assert code == 2
    assert "--scenario is missing: one of ci, day, " in errors
    assert errors.count("\n") == 1


def test_a_place_that_cannot_be_written_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "former").touch()
    for option, place, why in (
        ("--output", tmp_path, "is a folder"),
        ("--report", tmp_path / "kept" / "former" / "x.html", "cannot be written"),
        ("--keep", tmp_path / "kept", "is not empty"),
    ):
        code, found, errors = load("--scenario", "ci", option, str(place))
        assert code == 2, errors
        assert found["ok"] is False
        assert errors.startswith(f"load: {option}: {place}: {why}")
        assert errors.count("\n") == 1


def test_a_scenario_is_made_from_traffic(tmp_path: Path) -> None:
    file, made = tmp_path / "real.csv", tmp_path / "real.toml"
    file.write_text("2026-03-01T09:00:00Z,news@shop.example,gmail.com\n")
    code, found, errors = load("--from-csv", str(file), "--output", str(made))
    assert code == 0, errors
    assert found == {"scenario": made.read_text()}
    assert 'name = "real"' in made.read_text()
    code, found, _ = load("--from-csv", str(tmp_path / "none.csv"))
    assert code == 2
    assert "cannot be read" in found["problems"][0]
