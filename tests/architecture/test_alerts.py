"""Prometheus' alerts: each is tested firing and not, is silent on a day of warm-up, and has a next
step in the runbook."""

import re
import shutil
import subprocess

import pytest

from tests.support.repository import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "deploy" / "runbook" / "alerts.md"
URL = "file:///opt/sendgate/deploy/runbook/alerts.md#"


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
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_silent_and_on_a_day_of_warm_up() -> None:
    tests = (FOLDER / "rules_test.yaml").read_text(encoding="utf-8")
    expected = re.findall(r"alertname: (\w+)\n\s+exp_alerts:( \[\])?", tests)
    firing = [name for name, empty in expected if not empty]
    silent = [name for name, empty in expected if empty]
    assert sorted(firing) == sorted(alerts())
    # At least once for itself, and twice in the six hours of an ordinary day.
    assert set(silent) == set(alerts())
    assert not [name for name in alerts() if silent.count(name) < 3]


def test_every_alert_has_a_next_step_in_the_runbook() -> None:
    told = re.findall(r"^## (\w+)\n\nFirst: .", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(alerts())


def test_every_alert_leads_to_its_heading_in_the_runbook() -> None:
    rules = (FOLDER / "rules.yaml").read_text(encoding="utf-8")
    led = re.findall(r'^ +runbook_url: "(.*)"$', rules, re.MULTILINE)
    assert led == [f"{URL}{name.lower()}" for name in alerts()]


@pytest.mark.parametrize(
    ("name", "condition", "minutes"),
    [
        ("WarmupSystemUnhealthy", "warmup_system_health < 2", "15m"),
        ("QuotaCompletionLow", "warmup_quota_completion_rate < 50", "2h"),
        ("HighFailureRate", "warmup_emails_failed_today / warmup_emails_sent_today > 0.1", "30m"),
        ("SendgateEngineDown", 'up{job="warmup-system"} == 0', "2m"),
        ("SendgatePmtaDown", "email_engine_pmta_running == 0", "2m"),
        ("SendgateBounces", "increase(email_engine_bounces_received_total[1h]) > 50", "5m"),
        ("SendgateIpListed", "(email_engine_blacklist_status) == 1", ""),
        ("SendgateDiskFilling", "email_engine_disk_usage_pct > 85", "5m"),
        ("SendgateMemoryShort", "email_engine_ram_usage_pct > 90", "5m"),
        ("SendgatePmtaQueueLong", "email_engine_pmta_queue_size > 10000", "10m"),
    ],
)
def test_rules_that_operators_had_keep_bounds_and_times(
    name: str, condition: str, minutes: str
) -> None:
    rule = (FOLDER / "rules.yaml").read_text(encoding="utf-8")
    rule = rule.partition(f"- alert: {name}\n")[2].partition("- alert: ")[0]
    assert condition in rule
    assert re.findall(r"^ +for: (\w+)$", rule, re.MULTILINE) == ([minutes] if minutes else [])
