"""The Lua and its memory twin agree on duplicate entries in any sequence, in either form and while
the form changes."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.denial import Denied
from policy.ledger.packing import pack
from policy.ledger_port import (
    ENDED,
    Change,
    Decision,
    Duplicate,
    EntryState,
    Granted,
    Item,
    Look,
    Reserve,
)
from policy.limits import HOUR
from tests.support.gateway.generations import generation, vmta
from tests.support.ledger.twins import MIDNIGHT, MemoryUnderTest, RedisUnderTest
from tests.support.servers.parts import SharedParts

# The first two share a bucket, the last one stands as a string.
_keys = st.sampled_from(["a" * 20 + "1" + "0" * 11, "a" * 20 + "2" + "0" * 11, "b" * 32, "k1"])
_owners = st.sampled_from(["01hv3k9a2m7qzx4tnwr8p5b0c1d", "01hv3k9a2m7qzx4tnwr8p5b0c1ex1"])
_attempts = st.sampled_from([0, 1, 1, 2, 3, 31, 32, ENDED])
_items = st.one_of(
    st.builds(
        Reserve,
        st.just("acme"),
        st.just("acme-pool"),
        st.just(""),
        st.just((("gmail", 1),)),
        key=_keys,
        owner=_owners,
        attempt=_attempts,
        held=st.booleans(),
    ),
    st.builds(
        Change, _keys, _owners, _attempts, st.sampled_from(EntryState), st.sampled_from(["", "s9"])
    ),
    st.builds(Look, _keys),
)
_steps = st.lists(
    st.one_of(
        st.lists(_items, min_size=1, max_size=6),
        st.lists(_items, min_size=1, max_size=6),
        # A little more than what sums up to a lease: the real clock runs while we count, and is
        # behind its edge where the twin's stands on it.
        st.tuples(st.just("age"), st.sampled_from([5_100, 30_100])),
        st.tuples(st.just("hours"), st.sampled_from([1, 100, 167])),
        st.tuples(st.just("form"), st.booleans()),
    ),
    min_size=5,
    max_size=25,
)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_steps, quota=st.sampled_from([2, 1000]))
def test_any_sequence_leaves_the_same_entries(
    parts: SharedParts, steps: list[list[Item] | tuple[str, int]], quota: int
) -> None:
    asyncio.run(_play(parts, steps, quota))


def _said(decision: Decision) -> object:
    match decision:
        case Granted():
            return "granted"
        case Denied():
            return decision.limit
        case Duplicate():
            return decision
    return None


async def _play(parts: SharedParts, steps: list[list[Item] | tuple[str, int]], quota: int) -> None:
    plan = generation(vmta(1, daily=quota))
    twin = MemoryUnderTest(plan)
    real = await RedisUnderTest.start(await parts.empty_valkey(), plan)
    now = MIDNIGHT
    try:
        for step in steps:
            match step:
                case ("age", int(milliseconds)):
                    await twin.age(milliseconds)
                    await real.age(milliseconds)
                case ("hours", int(hours)):
                    # A second more than whole hours: the real clock runs while we count.
                    now += hours * HOUR + 1000
                    await twin.at(now)
                    await real.at(now)
                case ("form", yes):
                    await pack(real.admin, bool(yes))
                case list():
                    left = (await twin.ledger.decide(step)).decisions
                    right = (await real.ledger.decide(step)).decisions
                    assert list(map(_said, left)) == list(map(_said, right)), step
    finally:
        await real.close()
