"""When held mail will be gone, by the quotas that are coming."""

import math
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.forecast import MOST_DAYS, Backlog, Day, coming, schedule, wait_days, waits
from policy.model import IpState, Pool, VirtualMta
from policy.plan import Generation
from tests.support.gateway.generations import generation, vmta

GMAIL, OTHER = ("acme-pool", "gmail"), ("acme-pool", "other")


def _pool(name: str, *numbers: int, overflow: str | None = None, paused: bool = False) -> Pool:
    members = tuple(f"vmta-{n}" for n in numbers)
    return Pool(name=name, tenant="acme", members=members, overflow=overflow, paused=paused)


def _coming(plan: Generation, provider: str | None, pool: str = "acme-pool") -> int | None:
    return coming(plan.pool[pool], plan.pool, plan.vmta, provider)


@pytest.mark.parametrize(
    ("vmtas", "gmail", "all_of_them"),
    [
        ((vmta(1),), 100, 100),
        ((vmta(1, ceilings={"gmail": 40}), vmta(2, daily=50)), 90, 150),
        ((vmta(1, ceilings={"gmail": 400}),), 100, 100),
        ((vmta(1, daily="unlimited"), vmta(2)), None, None),
        ((vmta(1, daily="unlimited", ceilings={"gmail": 40}), vmta(2)), 140, None),
        ((vmta(1, daily=0),), 0, 0),
        ((vmta(1, ceilings={"gmail": 0}),), 0, 100),
        ((vmta(1), vmta(2, state=IpState.ACTIVE), vmta(3, state=IpState.NEW)), 200, 200),
        ((vmta(1, state=IpState.RETIRING), vmta(2, state=IpState.NEW)), 0, 0),
    ],
)
def test_what_is_coming_is_the_sum_of_the_smaller_limits(
    vmtas: tuple[VirtualMta, ...], gmail: int | None, all_of_them: int | None
) -> None:
    plan = generation(*vmtas)
    assert (_coming(plan, "gmail"), _coming(plan, None)) == (gmail, all_of_them)


def test_the_overflow_chain_counts_and_each_ip_once() -> None:
    chain = (_pool("one", 1, overflow="two"), _pool("two", 1, 2, overflow="three"))
    plan = generation(*map(vmta, (1, 2, 3)), pools=(*chain, _pool("three", 3)))
    assert _coming(plan, None, "one") == 300
    assert _coming(plan, None, "three") == 100


def test_a_pause_counts_as_ended_only_when_nothing_else_is_coming() -> None:
    paused = vmta(1, state=IpState.PAUSED)
    assert _coming(generation(paused), "gmail") == 100
    assert _coming(generation(paused, vmta(2, daily=7)), "gmail") == 7
    pools = (_pool("one", 1, overflow="two", paused=True), _pool("two", 2))
    assert _coming(generation(vmta(1), vmta(2, daily=7), pools=pools), None, "one") == 7
    assert _coming(generation(vmta(1), pools=(_pool("one", 1, paused=True),)), None, "one") == 100


def test_a_plan_that_names_what_is_not_there_raises_nothing() -> None:
    pools = (_pool("one", 1, 9, overflow="two"), _pool("two", overflow="one"))
    plan = generation(vmta(1), pools=pools)
    assert _coming(plan, None, "one") == _coming(plan, None, "two") == 100
    assert wait_days(Backlog({("gone", "gmail"): 1}), plan) == (math.inf, ("gone", "gmail"))


CAPPED = generation(vmta(1, ceilings={"gmail": 40, "yahoo": 0}))


@pytest.mark.parametrize(
    ("groups", "days"),
    [
        ({}, (0.0, None)),
        ({GMAIL: 0, OTHER: -3}, (0.0, None)),
        ({GMAIL: 80}, (2.0, GMAIL)),
        ({GMAIL: 80, OTHER: 20}, (2.0, GMAIL)),
        # Each alone would take two days, but they share the IP's hundred a day.
        ({GMAIL: 80, OTHER: 200}, (2.8, GMAIL)),
        ({OTHER: 50}, (0.5, OTHER)),
        ({("acme-pool", "yahoo"): 1, OTHER: 50}, (math.inf, ("acme-pool", "yahoo"))),
    ],
)
def test_the_longest_wait_is_by_ceiling_or_by_the_days_total(
    groups: dict[tuple[str, str], int], days: tuple[float, tuple[str, str] | None]
) -> None:
    assert wait_days(Backlog(groups), CAPPED) == days


def test_what_can_never_go_takes_nothing_from_the_others() -> None:
    assert waits(Backlog({("acme-pool", "yahoo"): 10_000, OTHER: 50}), CAPPED) == {
        ("acme-pool", "yahoo"): math.inf,
        OTHER: 0.5,
    }


def test_unlimited_ips_make_nobody_wait() -> None:
    plan = generation(vmta(1, daily="unlimited", ceilings={"gmail": 40}))
    assert wait_days(Backlog({OTHER: 10**9}), plan) == (0.0, None)
    assert waits(Backlog({OTHER: 10**9, GMAIL: 80}), plan) == {OTHER: 0.0, GMAIL: 2.0}


def test_pools_that_share_ips_share_the_day() -> None:
    pools = (_pool("one", 1), _pool("two", 1), _pool("three", 2, overflow="one"), _pool("four", 4))
    plan = generation(*map(vmta, (1, 2, 4)), pools=pools)
    backlog = Backlog({(name, "gmail"): 200 for name in ("one", "two", "three", "four")})
    found = waits(backlog, plan)
    assert found["four", "gmail"] == 2.0
    assert found["one", "gmail"] == found["two", "gmail"] == 4.0
    assert found["three", "gmail"] == 3.0


def test_the_schedule_says_how_many_go_on_which_day() -> None:
    assert schedule(Backlog({GMAIL: 80, OTHER: 100}), CAPPED) == [
        Day("acme-pool", "gmail", 0, 40, 40),
        Day("acme-pool", "gmail", 1, 40, 0),
        Day("acme-pool", "other", 0, 60, 40),
        Day("acme-pool", "other", 1, 40, 0),
    ]


def test_the_schedule_ends_after_sixty_days_and_says_what_remains() -> None:
    rows = schedule(Backlog({GMAIL: 40 * MOST_DAYS + 5, ("acme-pool", "yahoo"): 3}), CAPPED)
    assert rows[-2] == Day("acme-pool", "gmail", MOST_DAYS - 1, 40, 5)
    assert rows[-1] == Day("acme-pool", "yahoo", 0, 0, 3)
    assert len(rows) == MOST_DAYS + 1


def test_groups_that_share_a_day_go_side_by_side() -> None:
    rows = schedule(Backlog({("acme-pool", "aol"): 100, OTHER: 300}), CAPPED)
    assert [row.count for row in rows] == [25] * 4 + [75] * 4


def test_a_group_that_gets_nothing_in_sixty_days_is_in_the_schedule_all_the_same() -> None:
    rows = schedule(Backlog({GMAIL: 1000, OTHER: 1}), generation(vmta(1, daily=1)))
    assert rows[-1] == Day(*OTHER, MOST_DAYS - 1, 0, 1)


def test_unlimited_mail_goes_on_the_first_day() -> None:
    plan = generation(vmta(1, daily="unlimited"))
    assert schedule(Backlog({OTHER: 10**9}), plan) == [Day(*OTHER, 0, 10**9, 0)]


ips = st.builds(
    lambda daily, gmail: (daily, {} if gmail is None else {"gmail": gmail}),
    st.one_of(st.integers(0, 60), st.just("unlimited")),
    st.none() | st.integers(0, 60),
)


@st.composite
def plans(draw: st.DrawFn) -> Generation:
    vmtas = [
        vmta(n, daily=daily, ceilings=ceilings)
        for n, (daily, ceilings) in enumerate(draw(st.lists(ips, min_size=1, max_size=4)), 1)
    ]
    members = st.lists(st.sampled_from(range(1, len(vmtas) + 1)), unique=True, max_size=3)
    pools = (_pool("one", *draw(members), overflow="two"), _pool("two", *draw(members)))
    return generation(*vmtas, pools=pools)


backlogs = st.dictionaries(
    st.tuples(st.sampled_from(["one", "two", "gone"]), st.sampled_from(["gmail", "other"])),
    st.integers(0, 900),
).map(Backlog)


@given(plan=plans(), backlog=backlogs)
def test_a_schedule_keeps_every_quota_and_loses_nobody(plan: Generation, backlog: Backlog) -> None:
    rows = schedule(backlog, plan)
    by_day: dict[tuple[str, str | None, int], int] = Counter()
    left = dict(backlog.groups)
    for row in rows:
        left[row.pool, row.provider] -= row.count
        assert left[row.pool, row.provider] == row.remaining
        for provider in (row.provider, None):
            by_day[row.pool, provider, row.offset] += row.count
    for (pool, provider, _), count in by_day.items():
        most = _coming(plan, provider, pool) if pool in plan.pool else 0
        assert most is None or count <= most
    if all(v.daily != "unlimited" for v in plan.vmtas):
        # Pools may share IPs: together they get no more than these have.
        of_all_pools = Counter[int]()
        for row in rows:
            of_all_pools[row.offset] += row.count
        assert all(n <= sum(int(v.daily) for v in plan.vmtas) for n in of_all_pools.values())
    last = {(row.pool, row.provider): row for row in rows}
    assert {group for group, count in backlog.groups.items() if count} == last.keys()
    for group, row in last.items():
        stuck = waits(backlog, plan)[group] == math.inf
        assert row.remaining == 0 or stuck or row.offset == MOST_DAYS - 1


@given(plan=plans(), backlog=backlogs)
def test_the_last_day_of_a_schedule_is_the_projected_one(
    plan: Generation, backlog: Backlog
) -> None:
    going = {group: days for group, days in waits(backlog, plan).items() if days < MOST_DAYS - 1}
    if going.keys() != {group for group, count in backlog.groups.items() if count}:
        return
    days: dict[tuple[str, str], int] = defaultdict(int)
    for row in schedule(backlog, plan):
        days[row.pool, row.provider] = row.offset + 1
    if days:
        longest = max(1, math.ceil(max(going.values())))
        # Whole recipients: a share that does not divide may need one day more.
        assert longest <= max(days.values()) <= longest + 1


@given(plan=plans(), backlog=backlogs, more=st.integers(1, 500))
def test_more_waiting_never_shortens_a_wait(plan: Generation, backlog: Backlog, more: int) -> None:
    before = waits(backlog, plan)
    grown = Backlog({group: count + more for group, count in backlog.groups.items()})
    after = waits(grown, plan)
    assert all(after[group] >= days for group, days in before.items())
