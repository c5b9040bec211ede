"""The Lua and its memory twin agree on any sequence: selection, denials, refunds, days."""

import asyncio

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.denial import Denied
from policy.ledger_port import Decision, Granted, Refund, Reserve
from policy.limits import DAY, HOUR
from policy.model import MailboxLimits, Pool, VirtualMta
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, MemoryUnderTest, RedisUnderTest
from tests.support.servers.parts import SharedParts

# From 2,000 on an IP takes several in a row.
_quota = st.one_of(
    st.integers(0, 12), st.integers(6, 12), st.sampled_from([2000, 3999, 12_000, "unlimited"])
)
_share = st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.1])
_ceilings = st.dictionaries(st.sampled_from(["gmail", "other"]), st.integers(0, 4), max_size=2)


@st.composite
def plans(draw: st.DrawFn) -> Generation:
    rows: list[VirtualMta] = [
        vmta(
            number,
            daily=draw(_quota),
            hourly_share=draw(_share),
            weight=draw(st.sampled_from([0.5, 1.0, 3.0])),
            ceilings=draw(_ceilings),
        )
        for number in range(1, draw(st.integers(2, 5)) + 1)
    ]
    names = [row.name for row in rows]
    cut = draw(st.integers(2, len(names)))
    pools = (
        Pool(name="acme-pool", tenant="acme", members=tuple(names[:cut]), overflow="second"),
        Pool(name="second", tenant="acme", members=tuple(names[cut:])),
    )
    limits = MailboxLimits(daily_max=draw(st.integers(2, 20)))
    return generation(*rows, pools=pools, tenants=(tenant(mailboxes={"a@acme.test": limits}),))


_send = st.tuples(st.just("send"), st.sampled_from(["gmail", "other"]), st.sampled_from("abc"))
_steps = st.lists(
    st.one_of(
        _send,
        _send,
        _send,
        st.tuples(st.just("two"), st.integers(1, 3), st.sampled_from("ab")),
        st.tuples(st.just("refund"), st.integers(0, 30), st.just("")),
        st.tuples(st.just("hours"), st.integers(1, 8), st.just("")),
        st.tuples(st.just("opening"), st.integers(0, 4), st.just("")),
    ),
    # Long on purpose: an index goes stale only after several sends to two providers.
    min_size=20,
    max_size=60,
)


def _same(left: Decision, right: Decision) -> None:
    """Which IP, or until when; a real clock runs a few milliseconds on."""
    if isinstance(left, Granted) and isinstance(right, Granted):
        assert (left.vmta, left.mailbox) == (right.vmta, right.mailbox)
        assert abs(left.at - right.at) < 60_000
    elif isinstance(left, Denied) and isinstance(right, Denied):
        assert abs(left.until - right.until) < 60_000, (left, right)
    else:
        assert left is None, (left, right)
        assert right is None, (left, right)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans(), steps=_steps)
def test_any_sequence_is_decided_alike(
    parts: SharedParts, plan: Generation, steps: list[tuple[str, int | str, str]]
) -> None:
    asyncio.run(_play(parts, plan, steps))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans(), steps=_steps, size=st.integers(2, 20))
def test_any_batch_is_decided_alike(
    parts: SharedParts, plan: Generation, steps: list[tuple[str, int | str, str]], size: int
) -> None:
    asyncio.run(_play_batches(parts, plan, steps, size))


async def _play_batches(
    parts: SharedParts, plan: Generation, steps: list[tuple[str, int | str, str]], size: int
) -> None:
    """As `_play`, `size` items a call: a refund travels with what was asked before and after it."""
    twin = MemoryUnderTest(plan)
    real = await RedisUnderTest.start(await parts.empty_valkey(), plan)
    granted: list[tuple[Granted, Granted]] = []
    batch: list[tuple[Reserve | Refund, Reserve | Refund]] = []

    async def send() -> None:
        lefts = (await twin.ledger.decide([left for left, _ in batch])).decisions
        rights = (await real.ledger.decide([right for _, right in batch])).decisions
        for left, right in zip(lefts, rights, strict=True):
            _same(left, right)
            if isinstance(left, Granted) and isinstance(right, Granted):
                granted.append((left, right))
        batch.clear()

    now = MIDNIGHT
    try:
        for kind, value, box in steps:
            if kind == "hours":
                await send()
                now += int(value) * HOUR + 1000
                await twin.at(now)
                await real.at(now)
            elif kind == "refund" and isinstance(value, int) and value < len(granted):
                left, right = granted.pop(value)
                batch.append((Refund(left), Refund(right)))
            elif kind in ("send", "two"):
                providers = ((value, 1),) if kind == "send" else (("gmail", value), ("other", 1))
                item = Reserve("acme", "acme-pool", f"{box}@acme.test", providers)  # type: ignore[arg-type]
                batch += [(item, item)] * (1 if kind == "two" else 2)
            if len(batch) >= size:
                await send()
        await send()
        for row in plan.vmtas:
            assert await twin.used(row.ip) == await real.used(row.ip)
            if isinstance(row.daily, int):
                assert await real.used(row.ip) <= row.daily
    finally:
        await real.close()


async def _play(
    parts: SharedParts, plan: Generation, steps: list[tuple[str, int | str, str]]
) -> None:
    twin = MemoryUnderTest(plan)
    real = await RedisUnderTest.start(await parts.empty_valkey(), plan)
    granted: list[tuple[Granted, Granted]] = []
    now = MIDNIGHT
    try:
        for kind, value, box in steps:
            if kind == "hours":
                assert isinstance(value, int)
                # A second more than whole hours: the real clock runs while we count.
                now += value * HOUR + 1000
                await twin.at(now)
                await real.at(now)
                continue
            if kind == "opening":
                assert isinstance(value, int)
                for side in (twin, real):
                    await side.set_opening("192.0.2.1", value, {"gmail": value})
                continue
            if kind == "refund":
                assert isinstance(value, int)
                if value < len(granted):
                    left, right = granted.pop(value)
                    await twin.ledger.decide([Refund(left)])
                    await real.ledger.decide([Refund(right)])
                continue
            providers = ((value, 1),) if kind == "send" else (("gmail", value), ("other", 1))
            item = Reserve("acme", "acme-pool", f"{box}@acme.test", providers)  # type: ignore[arg-type]
            [left_decision] = (await twin.ledger.decide([item])).decisions
            [right_decision] = (await real.ledger.decide([item])).decisions
            _same(left_decision, right_decision)
            if isinstance(left_decision, Granted) and isinstance(right_decision, Granted):
                granted.append((left_decision, right_decision))
        for row in plan.vmtas:
            assert await twin.used(row.ip) == await real.used(row.ip)
            if isinstance(row.daily, int):
                assert await real.used(row.ip) <= row.daily
    finally:
        await real.close()


def test_the_plan_strategy_makes_sound_plans() -> None:
    """Guards the test above: a generation with problems would prove nothing."""
    from policy.plan import problems

    @settings(max_examples=20, deadline=None)
    @given(plan=plans())
    def check(plan: Generation) -> None:
        assert problems(plan) == []
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=Generation) == plan

    check()
    assert DAY == 86_400_000
