"""The rule played forward: dates, volumes and pauses follow from the rule and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.warmup.plan import default_plan
from policy.warmup.rule import Rule
from policy.warmup.simulation import Assumed, Simulated, Start, growth, simulate

PLAN, RULE = default_plan(), Rule()
GOOD = Assumed(bounces=0.02, complaints=0.0003)
TODAY = 20_000


def run(assumed: Assumed = GOOD, days: int = 60) -> list[Simulated]:
    return simulate(Start(label="192.0.2.10", plan=PLAN, today=TODAY), RULE, assumed, days)


def test_a_healthy_ip_is_active_after_six_weeks() -> None:
    found = run()
    quotas = [found[7 * week].quota for week in range(6)]
    assert quotas == [50, 200, 500, 1_500, 5_000, 10_000]
    assert all(len({d.quota for d in found[7 * w : 7 * w + 7]}) == 1 for w in range(6))
    assert next(d.day for d in found if d.state == "active") == TODAY + 42
    assert [d.act for d in found if d.act] == ["advance"] * 5 + ["finish"]


def test_five_domains_a_week_apart_reach_17200_a_day_in_week_six() -> None:
    found = growth(PLAN, RULE, GOOD, ips=5, every=7, days=84)
    assert [found[7 * week].capacity for week in range(6)] == [
        *(50, 250, 750, 2_250, 7_250, 17_200),
    ]
    assert next(t.day for t in found if t.active == 5) == 42 + 28
    assert found[-1].capacity == 50_000


def test_fifty_domains_reach_500000_a_day() -> None:
    found = growth(PLAN, RULE, GOOD, ips=50, every=7, days=400)
    assert (found[-1].active, found[-1].capacity) == (50, 500_000)
    assert next(t.day for t in found if t.active == 10) == 42 + 9 * 7


@pytest.mark.parametrize(
    ("assumed", "rule"),
    [
        (Assumed(bounces=0.10, complaints=0.0), "bounces"),
        (Assumed(bounces=0.0, complaints=0.01), "complaints"),
    ],
)
def test_bad_rates_pause_and_the_sentence_says_why(assumed: Assumed, rule: str) -> None:
    found = run(assumed)
    paused = next(d for d in found if d.act == "pause")
    assert rule in paused.sentence
    assert not any(d.state == "active" for d in found)
    resumed = next(d for d in found if d.act == "resume")
    assert resumed.day == paused.day + 7


def test_half_a_quota_is_enough_and_less_is_not() -> None:
    assert run(Assumed(bounces=0.0, complaints=0.0, wanted=25), 10)[7].act == "advance"
    assert not any(d.act for d in run(Assumed(bounces=0.0, complaints=0.0, wanted=24), 30))


def test_what_waits_is_what_was_wanted_and_not_sent() -> None:
    found = run(Assumed(bounces=0.0, complaints=0.0, wanted=100), 9)
    assert [d.waiting for d in found[:2]] == [50, 100]
    assert found[6].waiting == 350
    assert found[8].waiting == 350 - 2 * 100


@given(st.floats(0, 0.2), st.floats(0, 0.2))
def test_more_bounces_never_lead_to_more_mail(one: float, other: float) -> None:
    """Without complaints: of fewer that are delivered fewer complain, and that is no bounce's."""
    low, high = sorted((one, other))
    better = run(Assumed(bounces=low, complaints=0.0, cool_down=0), 50)
    worse = run(Assumed(bounces=high, complaints=0.0, cool_down=0), 50)
    assert all(w.quota <= b.quota for b, w in zip(better, worse, strict=True))
