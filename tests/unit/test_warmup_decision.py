"""What follows from evidence: each act of the rule, with its sentence."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.warmup.decision import Case, Decision, Signals, decide, said
from policy.warmup.evidence import Day, Sums, window
from policy.warmup.plan import default_plan, limits
from policy.warmup.rule import Rule

PLAN = default_plan()
RULE = Rule()
IP = "192.0.2.10"


def week(stage: int = 1, *, first: int = 100, days: int = 7, **total: int) -> tuple[Day, ...]:
    """Full days of a stage; what is totalled falls on the last one."""
    quota = limits(PLAN, stage).quota
    made = [
        Day(first + i, quota, quota - (i == days - 1) * total.get("bounced", 0))
        for i in range(days)
    ]
    made[-1] = msgspec.structs.replace(made[-1], **total)
    return tuple(made)


def case(*days: Day, **more: Any) -> Case:
    wanted: dict[str, Any] = {
        "label": IP,
        "plan": PLAN,
        "stage": 1,
        "state": "warming",
        "since": 100,
        "today": 107,
        "days": days,
        "last_mail": 106,
    }
    return Case(**(wanted | more))


def turn(found: Case) -> Decision:
    return decide(found, RULE, turn=True)


def test_seven_good_days_take_the_next_stage() -> None:
    found = turn(case(*week(bounced=17)))
    assert (found.act, found.stage, found.severity) == ("advance", 2, "")
    assert found.sentence == (
        "192.0.2.10 takes stage 2 (200 a day): 7 counted days, 350 relayed, 17 bounces (4.86 %), "
        "0 complaints (0 %)."
    )
    assert found.counted == Sums(7, 350, 333, 17)


def test_a_step_is_taken_at_the_turn_of_a_day_alone() -> None:
    found = decide(case(*week()), RULE, turn=False)
    assert (found.act, found.stage) == ("nothing", 1)


def test_the_present_day_does_not_count_yet() -> None:
    found = turn(case(*week(), today=106))
    assert (found.act, found.rule) == ("hold", "thin")
    assert "6 of 7 counted days" in found.sentence


def test_a_thin_day_does_not_count_and_half_of_the_quota_does() -> None:
    for relayed, act in ((24, "hold"), (25, "advance")):
        days = (*week()[:6], Day(106, relayed, relayed))
        assert turn(case(*days)).act == act


def test_days_before_the_stage_earn_nothing() -> None:
    assert turn(case(*week(), since=101)).rule == "thin"


def test_a_longer_stay_is_judged_by_its_last_seven_days() -> None:
    days = (*week(first=90, days=7, bounced=17), *week(first=97, days=10))
    found = turn(case(*days, since=90))
    assert (found.act, found.counted.relayed, found.counted.bounced) == ("advance", 350, 0)


def test_a_limit_reached_without_proof_holds_and_says_what_would_pause() -> None:
    found = turn(case(*week(complaints=1)))
    assert (found.act, found.stage, found.severity) == ("hold", 1, "critical")
    assert found.sentence == (
        "192.0.2.10 stays at stage 1: 1 complaint of 350 delivered (0.29 %), where the limit is "
        "0.1 %; 2 more would pause it."
    )
    bounces = turn(case(*week(2, bounced=70), stage=2))
    assert (bounces.act, bounces.severity) == ("hold", "warning")
    assert "1 more would pause it" in bounces.sentence


@pytest.mark.parametrize(
    ("total", "rule", "severity"),
    [({"bounced": 18}, "bounces", "warning"), ({"complaints": 3}, "complaints", "critical")],
)
@pytest.mark.parametrize("at_turn", [True, False])
def test_proof_pauses_at_any_time(
    total: dict[str, int], rule: str, severity: str, *, at_turn: bool
) -> None:
    found = decide(case(*week(**total)), RULE, turn=at_turn)
    assert (found.act, found.rule, found.severity) == ("pause", rule, severity)
    assert "a healthy IP shows less than once in 1,000 times" in found.sentence


def test_the_first_day_pauses_by_itself() -> None:
    now = case(Day(100, 50, 44, 6), today=100)
    assert decide(now, RULE, turn=False).act == "pause"
    before = case(Day(100, 50, 45, 5), today=100)
    assert decide(before, RULE, turn=False).act == "hold"


def test_mail_on_days_that_do_not_count_is_watched() -> None:
    thin = [Day(100 + i, 10, 8, 2) for i in range(5)]
    assert turn(case(*thin)).act == "pause"


def test_a_plan_may_step_back_in_place_of_a_pause() -> None:
    plan = msgspec.structs.replace(PLAN, breach="step_back")
    found = turn(case(*week(3, bounced=176), plan=plan, stage=3))
    assert (found.act, found.stage) == ("step_back", 2)
    assert turn(case(*week(bounced=18), plan=plan)).act == "pause", "nothing is below the first"


def test_late_reports_about_the_days_that_earned_a_step() -> None:
    later = {"stage": 2, "since": 107, "earned_on": 107, "today": 109, "last_mail": 108}
    good = [Day(107, 200, 200), Day(108, 200, 200)]
    held = turn(case(*good, earned=week(complaints=1), **later))
    assert (held.act, held.rule) == ("hold", "complaints")
    back = decide(case(*good, earned=week(bounced=18), **later), RULE, turn=False)
    assert (back.act, back.stage, back.rule) == ("step_back", 1, "late_bounces")
    old = later | {"today": 114, "last_mail": 113}
    assert turn(case(*good, earned=week(bounced=18), **old)).rule == "thin"


def test_a_block_pauses_at_once() -> None:
    found = decide(case(signals=Signals(blocked="S3150")), RULE, turn=False)
    assert (found.act, found.rule, found.severity) == ("pause", "block", "critical")
    assert "S3150" in found.sentence


def test_a_doubted_reputation_stops_growth_and_then_takes_a_stage_back() -> None:
    days = week(2)
    doubted = turn(case(*days, stage=2, signals=Signals(rate_days=2, calm_days=6)))
    assert (doubted.act, doubted.rule) == ("hold", "reputation")
    assert turn(case(*days, stage=2, signals=Signals(calm_days=7))).act == "advance"
    back = turn(case(*days, stage=2, signals=Signals(rate_days=3, calm_days=0)))
    assert (back.act, back.stage) == ("step_back", 1)
    first = turn(case(*week(), signals=Signals(rate_days=3, calm_days=0)))
    assert (first.act, first.rule) == ("hold", "reputation")


def test_half_of_the_attempts_put_off_holds() -> None:
    days = week(deferred=350)
    assert turn(case(*days)).rule == "deferred"
    assert turn(case(*week(deferred=349))).act == "advance"


def test_complaints_that_nobody_reports_are_said_to_be_not_measured() -> None:
    found = turn(case(*week(), measured=False, label="gmail at 192.0.2.10"))
    assert found.act == "advance"
    assert "complaints not measured" in found.sentence


@pytest.mark.parametrize(
    ("idle", "taken", "stage"),
    [
        *((7, 0, None), (8, 0, 4), (14, 0, 4), (14, 1, None)),
        *((15, 0, 3), (15, 1, 4), (30, 0, 3)),
        *((31, 0, 1), (31, 2, 1), (400, 0, 1)),
    ],
)
def test_silence_lowers_once(idle: int, taken: int, stage: int | None) -> None:
    found = turn(case(stage=5, today=100 + idle + 1, last_mail=100, idle_taken=taken))
    assert found.stage == (5 if stage is None else stage)
    assert (found.act == "step_back") == (stage is not None)


def test_an_ip_that_never_sent_is_not_idle() -> None:
    assert turn(case(stage=1, today=500, last_mail=None)).rule == "thin"


def test_the_end_of_the_plan_is_active_and_stays() -> None:
    done = turn(case(*week(6), stage=6))
    assert (done.act, done.severity) == ("finish", "info")
    assert "is ACTIVE at 10,000 a day" in done.sentence
    assert turn(case(*week(6), stage=6, state="active")).act == "nothing"


def test_a_plan_that_grows_on_grows_by_its_factor() -> None:
    plan = msgspec.structs.replace(PLAN, growth=1.3)
    found = turn(case(*week(6), stage=6, state="active", plan=plan))
    assert (found.act, found.quota) == ("grow", 13_000)
    more = turn(case(*week(6), stage=6, state="active", plan=plan, quota=13_000))
    assert more.quota == 16_900


def test_a_pause_ends_by_hand_or_after_its_time_a_stage_lower() -> None:
    paused = case(*week(3), stage=3, state="paused")
    assert turn(paused).act == "nothing"
    cooling = msgspec.structs.replace(paused, cool_until=108)
    assert turn(cooling).act == "nothing"
    found = turn(msgspec.structs.replace(cooling, today=108))
    assert (found.act, found.stage) == ("resume", 2)


def test_an_act_by_hand_stands_but_never_against_proof() -> None:
    kept = turn(case(*week(), override="stage 1 until 2027-01-01 (by ann: launch)"))
    assert (kept.act, kept.rule) == ("nothing", "override")
    assert "by ann" in kept.sentence
    assert turn(case(*week(bounced=18), override="stage 1")).act == "pause"


ORDER = ("pause", "step_back", "hold", "nothing", "advance")
days_ = st.lists(
    st.builds(Day, st.integers(100, 108), st.integers(0, 60)), max_size=9, unique_by=lambda d: d.day
)


@given(days_, st.integers(0, 60), st.integers(0, 60), st.randoms())
def test_more_bounces_never_lead_to_a_larger_quota(
    days: list[Day], fewer: int, more: int, random: Any
) -> None:
    if not days:
        return
    fewer, more = sorted((fewer, more))
    at = random.randrange(len(days))

    def rank(bounced: int) -> int:
        with_ = [*days]
        with_[at] = msgspec.structs.replace(days[at], bounced=bounced, delivered=60)
        return ORDER.index(turn(case(*with_, stage=2, today=109)).act)

    assert rank(more) <= rank(fewer)


@given(days_, st.randoms())
def test_neither_order_nor_repetition_matters(days: list[Day], random: Any) -> None:
    first = turn(case(*days))
    assert turn(case(*days)) == first
    random.shuffle(days)
    assert turn(case(*days)) == first


def test_what_is_watched_begins_with_what_is_counted() -> None:
    days = [Day(100 + i, 50) for i in range(10)]
    seen = window(days, since=100, today=109, quota=50, min_use=0.5, most=7)
    assert (seen.counted.days, seen.watched.relayed) == (7, 8 * 50)


def test_one_of_a_thing_is_said_as_one() -> None:
    rule = Rule()
    assert said("bounces", 1, 50, rule.bounces).startswith("1 bounce of 50 relayed")
    assert said("complaints", 2, 50, rule.complaints).startswith("2 complaints of 50 delivered")
