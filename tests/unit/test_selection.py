"""Which IP takes a message: properties of the rule, over any pool and any usage."""

from hypothesis import given
from hypothesis import strategies as st

from policy.denial import Denied, Limit
from policy.limits import DAY, NOMINAL_QUOTA, share_used, stride
from policy.model import UNLIMITED, IpState, Pool, VirtualMta
from policy.selection import Usage, biggest_day, choose, fits, sooner
from tests.support.gateway.generations import vmta

NOW = 20_000 * DAY + 1000
GMAIL = (("gmail", 1),)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[dict[str, VirtualMta], dict[str, Usage]]:
    rows: dict[str, VirtualMta] = {}
    usage: dict[str, Usage] = {}
    for number in range(1, draw(st.integers(1, 8)) + 1):
        row = vmta(
            number,
            daily=draw(st.one_of(st.integers(0, 20), st.just("unlimited"))),
            weight=draw(st.sampled_from([0.5, 1.0, 2.0])),
            state=draw(st.sampled_from(IpState)),
            hourly_share=draw(st.sampled_from([0.2, 1.0])),
            ceilings=draw(st.dictionaries(st.just("gmail"), st.integers(0, 10), max_size=1)),
            server=draw(st.sampled_from(["pmta1", "pmta2"])),
        )
        rows[row.name] = row
        used = draw(st.integers(0, 20))
        usage[row.ip] = Usage(relayed=used, by_provider={"gmail": used}, opening_by_provider={})
    return rows, usage


@given(crowd=crowds(), away=st.sampled_from([(), ("pmta1",), ("pmta1", "pmta2")]))
def test_the_chosen_ip_fits_and_nobody_who_fits_has_used_less(
    crowd: tuple[dict[str, VirtualMta], dict[str, Usage]], away: tuple[str, ...]
) -> None:
    rows, usage = crowd
    pool = Pool(name="p", tenant="t", members=tuple(rows))
    chosen = choose(pool, {"p": pool}, rows, usage.__getitem__, GMAIL, NOW, None, away)
    able = [
        row
        for row in rows.values()
        if row.state.sends
        and row.server not in away
        and fits(row, usage[row.ip], GMAIL, NOW, None) is None
    ]
    if isinstance(chosen, Denied):
        assert able == []
        assert chosen.until == 0 or chosen.until > NOW
        return
    assert chosen in able
    shares = [share_used(usage[row.ip].used, row.daily, row.weight) for row in able]
    assert share_used(usage[chosen.ip].used, chosen.daily, chosen.weight) == min(shares)


QUOTAS = st.one_of(
    st.integers(1, 40), st.integers(1000, 20_000), st.sampled_from([10**8, "unlimited"])
)


@given(
    quotas=st.lists(st.tuples(QUOTAS, st.sampled_from([0.5, 1.0, 3.0])), min_size=2, max_size=6),
    sent=st.integers(0, 120),
)
def test_an_ip_is_at_most_one_stride_ahead_of_any_other_that_may_send(
    quotas: list[tuple[int | str, float]], sent: int
) -> None:
    rows = {
        row.name: row
        for row in (vmta(n, daily=q, weight=w) for n, (q, w) in enumerate(quotas, start=1))
    }
    usage = {row.ip: Usage(by_provider={}, opening_by_provider={}) for row in rows.values()}
    pool = Pool(name="p", tenant="t", members=tuple(rows))
    last: VirtualMta | None = None
    for _ in range(sent):
        chosen = choose(pool, {"p": pool}, rows, usage.__getitem__, GMAIL, NOW, None)
        if isinstance(chosen, Denied):
            break
        if last is not None and chosen is not last:
            used = usage[last.ip].used
            assert used % stride(last.daily) == 0 or used == last.daily, "it left before its turn"
        usage[chosen.ip].relayed += 1
        last = chosen
        for other in rows.values():
            if fits(other, usage[other.ip], GMAIL, NOW, None) is None:
                ahead = _share(chosen, usage) - _share(other, usage)
                assert ahead <= stride(chosen.daily) / _worth(chosen) + 1e-12


def _worth(row: VirtualMta) -> float:
    return (NOMINAL_QUOTA if row.daily == "unlimited" else int(row.daily)) * row.weight


def _share(row: VirtualMta, usage: dict[str, Usage]) -> float:
    return usage[row.ip].used / _worth(row)


@given(used=st.integers(0, 3000), quota=st.integers(1, 1999), weight=st.sampled_from([0.5, 3.0]))
def test_ips_of_small_quotas_take_turns_by_the_recipient(
    used: int, quota: int, weight: float
) -> None:
    assert share_used(used, quota, weight) == used / (quota * weight)


@given(quota=st.integers(0, 10**9))
def test_a_stride_is_a_thousandth_of_the_quota_at_most_ten(quota: int) -> None:
    assert 1 <= stride(quota) <= 10
    assert stride(quota) == 1 or stride(quota) * 1000 <= quota
    assert [stride(q) for q in (0, 1999, 2000, 9999, 10_000, UNLIMITED)] == [1, 1, 2, 9, 10, 10]


@given(crowd=crowds())
def test_the_overflow_pool_is_asked_only_when_the_pool_cannot(
    crowd: tuple[dict[str, VirtualMta], dict[str, Usage]],
) -> None:
    rows, usage = crowd
    warm = vmta(99, daily="unlimited")
    rows["warm"], usage[warm.ip] = warm, Usage()
    first = Pool(name="p", tenant="t", members=tuple(n for n in rows if n != "warm"), overflow="o")
    alone = Pool(name="p", tenant="t", members=first.members)
    pools = {"p": first, "o": Pool(name="o", tenant="t", members=("warm",))}
    chosen = choose(first, pools, rows, usage.__getitem__, GMAIL, NOW, None)
    without = choose(alone, {"p": alone}, rows, usage.__getitem__, GMAIL, NOW, None)
    assert chosen is (warm if isinstance(without, Denied) else without)


def test_the_denial_that_ends_first_is_told() -> None:
    early = Denied(Limit.IP_PACE, "a", NOW + 1, 1, 1)
    late = Denied(Limit.IP_QUOTA, "b", NOW + 2, 1, 1)
    never = Denied(Limit.NO_IP, "p", 0, 0, 0)
    away = Denied(Limit.SERVER_AWAY, "p", 0, 0, 0)
    assert sooner(late, early) == early
    assert sooner(never, late) == late
    assert sooner(never, away) == sooner(away, never) == away
    for one in (early, late, never, away):
        assert one.sentence()


def test_the_biggest_day_of_a_pool_counts_its_overflow() -> None:
    rows = {r.name: r for r in (vmta(1, daily=5), vmta(2, daily=9), vmta(3, daily="unlimited"))}
    one = Pool(name="a", tenant="t", members=("vmta-1",), overflow="b")
    two = Pool(name="b", tenant="t", members=("vmta-2",))
    assert biggest_day(one, {"a": one, "b": two}, rows) == 9
    assert biggest_day(Pool(name="c", tenant="t", members=("vmta-3",)), {}, rows) is None
