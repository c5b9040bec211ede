"""Today's use of an IP, and why a message goes where it goes: by the ledger's own arithmetic."""

import msgspec
import pytest

from control.explain.explanation import Question, asked, explanation
from control.ledger.limits import Limit as Limited
from control.problem import RefusedError
from control.sources.rates import Rates
from control.sources.usage import UsageView, usage_views
from policy.denial import Denied, Limit
from policy.ledger.admin import IpUsage
from policy.limits import DAY
from policy.model import IpState, Pool, Tenant, VirtualMta
from policy.plan import Generation

NOON = 20_000 * DAY + DAY // 2


def vmta(name: str = "v1", ip: str = "192.0.2.1", **fields: object) -> VirtualMta:
    given = {"state": IpState.WARMING, "daily": 10, "hourly_share": 1.0, **fields}
    return VirtualMta(name=name, ip=ip, host_name="h.example", server="p", **given)  # type: ignore[arg-type]


def used(relayed: int, opening: int = 0, tat: float = 0.0, **by: int) -> IpUsage:
    return IpUsage("192.0.2.1", relayed, opening, tat, by, {})


def test_an_ip_shows_what_is_left_per_provider_and_in_all() -> None:
    rows = usage_views(vmta(ceilings={"gmail": 4}), "t", used(6, 1, gmail=3, other=3), NOON)
    assert [(r.provider, r.quota, r.left) for r in rows] == [
        ("*", 10, 3),
        ("gmail", 4, 1),
        ("other", "unlimited", 3),
    ]
    assert all(r.next_free == "" for r in rows)


def test_a_full_day_opens_at_midnight() -> None:
    rows = usage_views(vmta(), "t", used(10), NOON)
    assert (rows[0].left, rows[0].next_free) == (0, "2024-10-05T00:00:00Z")
    assert "daily quota" in rows[0].why


def test_pace_says_how_many_may_go_now() -> None:
    fresh = usage_views(vmta(daily=50, hourly_share=0.2), "t", None, NOON)
    assert fresh[0].pace_now == 10
    spent = used(10, tat=float(NOON + 10 * DAY // 50))
    rows = usage_views(vmta(daily=50, hourly_share=0.2), "t", spent, NOON)
    assert rows[0].pace_now == 0
    assert rows[0].next_free == "2024-10-04T12:28:48Z", "one every 28.8 minutes"


def test_a_paused_ip_sends_nothing() -> None:
    row = usage_views(vmta(state=IpState.PAUSED), "t", None, NOON)[0]
    assert (row.pace_now, row.why) == (0, "the IP is paused")


GENERATION = Generation(
    number=3,
    created=0.0,
    vmtas=(vmta(ceilings={"gmail": 1}), vmta("v2", "192.0.2.2", state=IpState.PAUSED)),
    pools=(
        Pool(name="main", tenant="t", members=("v1",), overflow="more"),
        Pool(name="more", tenant="t", members=("v2",)),
    ),
    tenants=(Tenant(name="t", default_pool="main", domains={"a.example": "main"}, strict=True),),
)


def test_an_explanation_names_the_limit_each_skipped_ip_and_what_would_change_it() -> None:
    found = asked(GENERATION, Question(tenant="t", sender="A@a.example", to="x@gmail.com"))
    assert (found.pool.name, found.mailbox, found.provider) == ("main", "a@a.example", "gmail")
    denied = Denied(Limit.IP_PROVIDER, "v1/gmail", NOON + DAY // 2, 1, 1)
    said = explanation(GENERATION, found, denied, {"192.0.2.1": used(1, gmail=1)}, NOON, {}, {})
    assert said.decision == "defer"
    assert said.limit == "ip_provider"
    assert "--ceiling" in said.change
    assert [(c.vmta, c.pool) for c in said.candidates] == [("v1", "main"), ("v2", "more")]
    assert "v1/gmail" in said.candidates[0].skipped
    assert said.candidates[1].skipped == "it is paused"


@pytest.mark.parametrize(
    "question",
    [
        Question(tenant="x", sender="a@a.example", to="x@gmail.com"),
        Question(tenant="t", sender="a", to="x@gmail.com"),
        Question(tenant="t", sender="a@a.example", to="x"),
        Question(tenant="t", sender="a@other.example", to="x@gmail.com"),
    ],
)
def test_a_question_nobody_can_answer_is_refused(question: Question) -> None:
    with pytest.raises(RefusedError):
        asked(GENERATION, question)


def test_now_is_no_more_than_limits_of_a_minute_and_an_hour_admit() -> None:
    plan = msgspec.structs.replace(
        GENERATION,
        pools=(
            Pool(name="narrow", tenant="t", members=("v1",)),
            Pool(name="wide", tenant="t", members=("v1", "v2")),
        ),
    )

    def row(*limits: Limited, provider: int = 0) -> UsageView:
        ip = vmta(ceilings={"gmail": 9})
        return usage_views(ip, "t", used(1), NOON, rates=Rates(plan, limits))[provider]

    free = NOON + 60_000
    assert row().pace_now == 9
    assert row(Limited("ip", "192.0.2.1", "t", "hour", 3, 1, 0)).pace_now == 2
    full = row(Limited("ip", "192.0.2.1", "t", "hour", 3, 3, free))
    assert (full.pace_now, full.next_free) == (0, "2024-10-04T12:01:00Z")
    assert "v1 has sent its 3 an hour" in full.why
    never = row(Limited("gateway", "", "", "minute", 0, 0, -1))
    assert (never.pace_now, never.next_free) == (0, "")
    assert never.why == "the gateway has sent its 0 a minute"
    narrow = Limited("pool", "narrow", "t", "hour", 4, 4, free)
    assert row(narrow).pace_now == 9, "by its other pool"
    assert row(narrow, Limited("pool", "wide", "t", "hour", 8, 2, 0)).pace_now == 6
    other = Limited("ip", "192.0.2.2", "t", "hour", 1, 1, free)
    gmail = Limited("provider", "gmail", "", "hour", 5, 1, 0)
    assert [row(other, gmail, provider=one).pace_now for one in (0, 1)] == [9, 4]
