"""The order of release: fair between tenants, and within one by class, minimum and age."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.fairness import Waiting, order


def _row(
    name: str,
    arrived: int = 0,
    tenant: str = "acme",
    mailbox: str = "m",
    bulk: bool = True,
    provider: str = "gmail",
) -> Waiting:
    return Waiting(name, tenant, tenant + "-pool", provider, mailbox, bulk, arrived)


def _ids(rows: Sequence[Waiting]) -> list[str]:
    return [row.id for row in rows]


@st.composite
def backlogs(draw: st.DrawFn, tenants: str = "abc", largest: int = 40) -> list[Waiting]:
    rows = st.tuples(
        st.sampled_from(tenants), st.sampled_from("xyz"), st.booleans(), st.integers(0, 9)
    )
    return [
        _row(f"i{n}", arrived, tenant, mailbox, bulk, draw(st.sampled_from(["gmail", "other"])))
        for n, (tenant, mailbox, bulk, arrived) in enumerate(draw(st.lists(rows, max_size=largest)))
    ]


deficits = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), st.integers(1, 8), max_size=6
)
sizes = st.integers(0, 45)
firsts = st.sampled_from(["", "a", "b", "bb", "c", "zz"])
Behind = dict[tuple[str, str], int]


@given(rows=backlogs(), size=sizes, behind=deficits, first=firsts)
def test_a_round_is_full_as_long_as_anything_waits_and_picks_nothing_twice(
    rows: list[Waiting], size: int, behind: Behind, first: str
) -> None:
    picks = order(rows, round_size=size, behind=behind, first=first)
    assert len(picks) == min(size, len(rows))
    assert len(set(_ids(picks))) == len(picks)
    assert set(picks) <= set(rows)


@given(rows=backlogs(), size=sizes, behind=deficits, first=firsts, random=st.randoms())
def test_neither_the_order_of_the_rows_nor_a_row_given_twice_matters(
    rows: list[Waiting], size: int, behind: Behind, first: str, random: Random
) -> None:
    again = rows + rows[::3]
    random.shuffle(again)
    picks = order(rows, round_size=size, behind=behind, first=first)
    assert order(again, round_size=size, behind=behind, first=first) == picks


@given(rows=backlogs(), size=sizes, behind=deficits, first=firsts)
def test_tenants_take_turns(rows: list[Waiting], size: int, behind: Behind, first: str) -> None:
    picks = order(rows, round_size=size, behind=behind, first=first)
    left = Counter(row.tenant for row in rows)
    names = sorted(left)
    turn = [t for t in names if t > first] + [t for t in names if t <= first]
    expected: list[str] = []
    while sum(left.values()):
        for tenant in turn:
            if left[tenant]:
                left[tenant] -= 1
                expected.append(tenant)
    assert [row.tenant for row in picks] == expected[:size]


@given(rows=backlogs(), size=sizes, behind=deficits)
def test_no_tenant_gets_less_than_another_unless_nothing_of_it_is_left(
    rows: list[Waiting], size: int, behind: Behind
) -> None:
    waiting = Counter(row.tenant for row in rows)
    got = Counter(row.tenant for row in order(rows, round_size=size, behind=behind))
    for one in waiting:
        assert got[one] == waiting[one] or all(got[one] >= got[other] - 1 for other in waiting)


def test_many_rounds_of_one_are_as_fair_as_a_big_round() -> None:
    rows = [_row(f"{t}{n}", n, t) for t in "abc" for n in range(9)]
    got, last = [], ""
    for _ in range(9):
        (pick,) = order([r for r in rows if r not in got], round_size=1, behind={}, first=last)
        got.append(pick)
        last = pick.tenant
    assert got == order(rows, round_size=9, behind={})


def test_a_tenant_with_a_million_rows_takes_no_turn_of_one_with_three() -> None:
    rows = [_row(f"b{n}", n, "big") for n in range(1000)]
    rows += [_row(f"s{n}", 10_000 + n, "small") for n in range(3)]
    picks = order(rows, round_size=10, behind={})
    assert _ids(picks) == ["b0", "s0", "b1", "s1", "b2", "s2", "b3", "b4", "b5", "b6"]


@pytest.mark.parametrize(("size", "early"), [(1, 1), (20, 1), (39, 1), (40, 2), (100, 5)])
def test_confirmations_go_first_for_one_in_twenty_and_then_by_age(size: int, early: int) -> None:
    campaign = [_row(f"c{n}", n) for n in range(100)]
    resets = [_row(f"r{n}", 1000 + n, bulk=False) for n in range(50)]
    picks = order(campaign + resets, round_size=size, behind={})
    assert _ids(picks[:early]) == [f"r{n}" for n in range(early)]
    assert all(row.bulk for row in picks[early:])


def test_confirmations_may_fill_the_whole_round() -> None:
    resets = [_row(f"r{n}", n, bulk=False) for n in range(30)]
    assert order(resets, round_size=20, behind={}) == resets[:20]
    older = [_row(f"c{n}", 5) for n in range(2)]
    picks = order(resets + older, round_size=20, behind={})
    assert Counter(row.bulk for row in picks) == {False: 18, True: 2}


def test_the_five_per_cent_are_of_the_tenants_share_not_of_the_round() -> None:
    rows = [_row(f"{t}{n}", n, t) for t in "ab" for n in range(100)]
    rows += [_row(f"r{n}", 500 + n, "a", bulk=False) for n in range(50)]
    picks = order(rows, round_size=80, behind={})
    assert sum(not row.bulk for row in picks) == 2


def test_the_mailbox_that_lacks_most_goes_first_and_lacks_less_with_each_pick() -> None:
    rows = [_row(f"{m}{n}", 100 * (m != "z") + n, mailbox=m) for m in "xyz" for n in range(9)]
    picks = order(rows, round_size=10, behind={("acme", "x"): 4, ("acme", "y"): 2})
    assert _ids(picks) == ["x0", "x1", "y0", "x2", "y1", "x3", "z0", "z1", "z2", "z3"]


def test_a_confirmation_counts_for_the_minimum_of_its_mailbox() -> None:
    rows = [_row("r", 50, mailbox="x", bulk=False), _row("x1", 60, mailbox="x"), _row("z", 55)]
    assert _ids(order(rows, round_size=3, behind={("acme", "x"): 1})) == ["r", "z", "x1"]


def test_a_minimum_of_another_tenant_changes_nothing() -> None:
    rows = [_row("old", 1), _row("new", 2, mailbox="x")]
    assert _ids(order(rows, round_size=2, behind={("other", "x"): 9})) == ["old", "new"]


@given(rows=backlogs(tenants="a"), size=sizes, behind=deficits)
def test_within_a_tenant_class_then_minimum_then_age_decide(
    rows: list[Waiting], size: int, behind: Behind
) -> None:
    picks = order(rows, round_size=size, behind=behind)
    left, lacks, share = list(rows), dict(behind), min(size, len(rows))
    for place, pick in enumerate(picks):
        oldest = sorted(left, key=lambda row: (row.arrived, row.id))
        most = max([lacks.get(("a", row.mailbox), 0) for row in left])
        if place < max(1, share // 20) and any(not row.bulk for row in left):
            expected = next(row for row in oldest if not row.bulk)
        elif most > 0:
            expected = next(row for row in oldest if lacks.get(("a", row.mailbox), 0) == most)
        else:
            expected = oldest[0]
        assert pick == expected
        left.remove(pick)
        lacks["a", pick.mailbox] = lacks.get(("a", pick.mailbox), 0) - 1


@given(rows=backlogs(), size=st.integers(1, 12), behind=deficits, first=firsts)
def test_the_heads_of_groups_and_mailboxes_are_enough(
    rows: list[Waiting], size: int, behind: Behind, first: str
) -> None:
    def group(row: Waiting) -> tuple[str, str, str, bool]:
        return row.tenant, row.pool, row.provider, row.bulk

    oldest = sorted(rows, key=lambda row: (row.arrived, row.id))
    part: list[Waiting] = []
    for _, members in groupby(sorted(oldest, key=group), key=group):
        part += list(members)[:size]
    for (tenant, mailbox), lack in behind.items():
        own = [row for row in oldest if (row.tenant, row.mailbox) == (tenant, mailbox)]
        part += own[: min(lack, size)]
    whole = order(rows, round_size=size, behind=behind, first=first)
    assert order(part, round_size=size, behind=behind, first=first) == whole


def test_nothing_waiting_or_no_room_is_an_empty_round() -> None:
    assert order([], round_size=10, behind={}) == []
    assert order([_row("a")], round_size=0, behind={}) == []
    assert order([_row("a")], round_size=-1, behind={("acme", "m"): 1}) == []
