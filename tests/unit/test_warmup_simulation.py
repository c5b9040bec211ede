"""The rule played forward: dates, volumes and pauses follow from the rule and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.warmup.plan import default_plan
from policy.warmup.rule import Rule
from policy.warmup.simulation import Simulated, Start, growth, simulate
from policy.warmup.traffic import Assumed, Part, portions

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


def mixed(*, gmail: float = 0.02, wanted: int | None = None, days: int = 60) -> list[Simulated]:
    """Half of the mail to Gmail, with bounces of its own; to others they are few."""
    part = Part(provider="gmail", share=0.5, bounces=gmail, complaints=0.0)
    assumed = Assumed(bounces=0.0, complaints=0.0, wanted=wanted, parts=(part,))
    return run(assumed, days)


def test_a_good_provider_goes_where_its_ip_goes() -> None:
    found = mixed()
    assert not any(d.providers[0].act for d in found)
    assert [d.providers[0].stage for d in found] == [d.stage for d in found]
    assert [found[7 * week].providers[0].ceiling for week in range(6)] == [
        *(30, 120, 300, 900, 3_000, 6_000),
    ]
    assert all(d.providers[0].sent == d.sent / 2 == d.quota / 2 for d in found)


def test_a_provider_that_bounces_pauses_by_itself_and_comes_back_a_stage_lower() -> None:
    # Of a fifth of its mail: too little to pause the IP, which goes on without it.
    part = Part(provider="gmail", share=0.2, bounces=0.12, complaints=0.0)
    found = run(Assumed(bounces=0.0, complaints=0.0, parts=(part,)), 40)
    of_gmail = [(d.day - TODAY, d.providers[0]) for d in found]
    day, paused = next((day, p) for day, p in of_gmail if p.act == "pause")
    assert paused.sentence.startswith("gmail at 192.0.2.10 pauses: ")
    assert not any(d.act == "pause" for d in found), "its IP does not"
    after = dict(of_gmail)
    assert all(after[day + n].sent == 0 and after[day + n].paused for n in range(1, 7))
    back = after[day + 7]
    assert (back.act, back.paused) == ("resume", False)
    assert back.stage < found[day + 7].stage
    assert back.ceiling == PLAN.stages[back.stage - 1].ceilings["gmail"]


def test_between_good_and_proven_a_provider_stays_behind_its_ip() -> None:
    part = Part(provider="gmail", share=0.1, bounces=0.06, complaints=0.0)
    found = run(Assumed(bounces=0.0, complaints=0.0, parts=(part,)), 12)
    turned = found[7]
    assert (turned.act, turned.stage) == ("advance", 2)
    (gmail,) = turned.providers
    assert (gmail.act, gmail.stage) == ("hold", 1)
    assert gmail.ceiling == PLAN.stages[0].ceilings["gmail"]


def test_what_is_wanted_waits_at_its_provider() -> None:
    found = mixed(wanted=100, days=3)
    # Fifty a day each: of Gmail's 30 may go, of all 50.
    assert [(d.sent, d.waiting) for d in found] == [(50, 50), (50, 100), (50, 150)]
    gmail = [d.providers[0] for d in found]
    assert all(p.sent <= 30 for p in gmail)
    assert [p.waiting for p in gmail] == [
        50 * (at + 1) - sum(p.sent for p in gmail[: at + 1]) for at in range(3)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 500), st.none() | st.integers(0, 500)), max_size=6),
    st.integers(0, 1_000),
)
def test_portions_are_all_that_may_go_and_no_more(
    several: list[tuple[int, int | None]], allowed: int
) -> None:
    ready, ceilings = [r for r, _ in several], [c for _, c in several]
    found = portions(ready, ceilings, allowed)
    most = [r if c is None else min(r, c) for r, c in several]
    assert all(0 <= n <= m for n, m in zip(found, most, strict=True))
    assert sum(found) == min(allowed, sum(most))
