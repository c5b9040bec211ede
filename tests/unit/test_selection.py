"""Which IP takes a message: properties of the rule, over any pool and any usage."""

from hypothesis import given
from hypothesis import strategies as st

from policy.denial import Denied, Limit
from policy.limits import DAY, share_used
from policy.model import IpState, Pool, VirtualMta
from policy.selection import Usage, biggest_day, choose, fits, sooner
from tests.support.generations import vmta

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
