"""Plans: what may be one, the ready-made ones, providers held below their IP."""

import pytest

from policy.warmup.plan import Plan, Stage, default_plan, limits, problems
from policy.warmup.ready import READY, ready_plan

PLAN = default_plan()


def test_weeks_become_stages_with_ceilings_under_the_quota() -> None:
    plan = default_plan()
    assert [stage.quota for stage in plan.stages] == [50, 200, 500, 1_500, 5_000, 10_000]
    for stage in plan.stages:
        assert all(0 < ceiling < stage.quota for ceiling in stage.ceilings.values())


def test_an_ip_past_its_last_stage_keeps_the_last_quota() -> None:
    assert limits(default_plan(), 99).quota == 10_000


def test_a_plan_without_an_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="no stages"):
        limits(Plan(name="empty", stages=()), 1)
    with pytest.raises(ValueError, match="below 1"):
        limits(default_plan(), 0)


def test_a_provider_held_back_gets_its_own_stages_share() -> None:
    found = limits(PLAN, 3, {"gmail": 2, "microsoft": 3, "yahoo": 5, "gmx": 1})
    assert found.quota == 500
    assert found.ceilings["gmail"] == limits(PLAN, 2).ceilings["gmail"] == 120
    assert found.ceilings["microsoft"] == limits(PLAN, 3).ceilings["microsoft"]
    assert found.ceilings["yahoo"] == limits(PLAN, 3).ceilings["yahoo"], "never above its IP"
    assert found.ceilings["gmx"] == 50, "without a share of its own: the whole of its stage"


def test_what_is_no_plan_is_told_stage_by_stage() -> None:
    wrong = Plan(
        name="wrong",
        stages=(
            Stage(quota=50),
            Stage(quota=0),
            Stage(quota=40),
            Stage(quota=90, ceilings={"gmail": 91}),
        ),
    )
    assert problems(wrong) == [
        "stage 2: 0 a day is no stage; pause the IP instead",
        "stage 3: 40 a day is not above the 50 of stage 2; stages rise",
        "stage 4: the ceiling of gmail (91) is above the day's quota (90)",
    ]
    assert problems(Plan(name="empty", stages=())) == ["a plan needs at least one stage"]
    assert problems(PLAN) == []


@pytest.mark.parametrize("name", READY)
def test_a_ready_made_plan_rises_to_its_target(name: str) -> None:
    plan = ready_plan(name)
    assert problems(plan) == []
    assert plan.stages[0].quota == 50
    assert plan.stages[-1].quota == READY[name].target
    assert READY[name].source


def test_ready_made_plans_have_the_shape_of_their_name() -> None:
    quotas = [stage.quota for stage in ready_plan("doubling").stages]
    assert quotas == [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]
    daily = [stage.quota for stage in ready_plan("daily-30", target=500).stages]
    assert daily == [50, 65, 84, 109, 141, 183, 237, 308, 400, 500]
    ses = ready_plan("ses-45")
    assert (len(ses.stages), ses.days) == (45, 1)


def test_a_target_below_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="not above the start"):
        ready_plan("doubling", target=50)
    with pytest.raises(ValueError, match="known: daily-30, doubling, ses-45"):
        ready_plan("tripling")
