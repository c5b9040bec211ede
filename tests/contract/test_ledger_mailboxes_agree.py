"""The Lua and its memory twin agree to the millisecond on what mailboxes may: ramps, drawn gaps."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.ledger.mailboxes import records
from policy.ledger_port import Decision, Granted, Item, Refund, Reserve
from policy.limits import DAY, day_of
from policy.model import MailboxLimits, Tenant
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, MemoryUnderTest, RedisUnderTest
from tests.support.servers.parts import SharedParts

TODAY = MIDNIGHT // DAY

_count = st.one_of(st.none(), st.integers(0, 6))
_ramp = st.lists(st.integers(1, 6), max_size=3).map(tuple)
_gap = st.sampled_from([0.0, 0.0, 0.001, 1.5, 600.0, 86_400.0])


@st.composite
def limits(draw: st.DrawFn) -> MailboxLimits:
    return MailboxLimits(
        daily_max=draw(_count),
        daily_min=draw(_count),
        spacing=draw(st.one_of(st.none(), _gap)),
        spacing_max=draw(st.one_of(st.none(), _gap)),
        ramp=draw(st.one_of(st.none(), _ramp)),
        ramp_from=draw(st.one_of(st.none(), st.integers(TODAY - 40, TODAY + 3))),
    )


@st.composite
def tenants(draw: st.DrawFn) -> Tenant:
    return tenant(
        mailbox_default=draw(limits().map(_common)),
        mailboxes=draw(st.dictionaries(st.sampled_from("abc").map(_named), limits(), max_size=2)),
        mailbox_ramp=draw(_ramp),
        mailbox_ramp_days=draw(st.sampled_from([1, 2, 7])),
        mailbox_unknown=draw(st.sampled_from(["discover", "discover", "refuse", "shared"])),
        mailbox_bound=draw(st.integers(1, 3)),
    )


def _common(one: MailboxLimits) -> MailboxLimits:
    return MailboxLimits(
        daily_max=one.daily_max,
        daily_min=one.daily_min,
        spacing=one.spacing,
        spacing_max=one.spacing_max,
    )


def _named(letter: str) -> str:
    return "*" if letter == "*" else f"{letter}@acme.test"


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 3), st.sampled_from("abcd*")),
        st.tuples(st.just("send"), st.just(1), st.sampled_from("abcd")),
        st.tuples(st.just("refund"), st.integers(0, 9), st.just("")),
        st.tuples(
            st.just("later"),
            st.sampled_from([1_000, 600_000, 3_600_000, DAY, 7 * DAY, 30 * DAY, 31 * DAY]),
            st.just(""),
        ),
        st.tuples(st.just("back"), st.sampled_from([5_000, 600_000, DAY, 3 * DAY]), st.just("")),
        st.tuples(st.just("publish"), st.just(0), st.just("")),
    ),
    min_size=5,
    max_size=40,
)

Steps = list[tuple[str, int, str]]


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=tenants(), second=tenants(), steps=_steps, size=st.sampled_from([1, 1, 4, 9]))
def test_any_sequence_of_mailboxes_is_decided_alike(
    parts: SharedParts, first: Tenant, second: Tenant, steps: Steps, size: int
) -> None:
    asyncio.run(_play(parts, first, second, steps, size))


class Pair:
    """Both, the twin's clock set by what the other answered: then answers are the same values."""

    def __init__(self, plan: Generation, real: RedisUnderTest) -> None:
        self.twin = MemoryUnderTest(plan)
        self.real = real
        self.granted: list[Granted] = []

    async def decide(self, items: list[Item]) -> None:
        answer = await self.real.ledger.decide(items)
        incarnation = await self.real.admin.incarnation()
        self.twin._twin.incarnation = incarnation
        await self.twin.at(answer.now)
        said = await self.twin.ledger.decide(items)
        assert said.decisions == answer.decisions
        self.granted += [one for one in answer.decisions if isinstance(one, Granted)]

    async def same_record(self, mailbox: str) -> None:
        """Of both, as it counts today: the day before is what a night writes down."""
        admin = self.real.admin
        now, _ = await admin.now()
        await self.twin.at(now)
        [found] = await records(admin.client, admin.root, "acme", [mailbox], day_of(now))
        assert found == self.twin._twin._record("acme", mailbox)


async def _play(parts: SharedParts, first: Tenant, second: Tenant, steps: Steps, size: int) -> None:
    plan = generation(vmta(1, daily="unlimited"), tenants=(first,))
    real = await RedisUnderTest.start(await parts.empty_valkey(), plan)
    pair, batch, now, number = Pair(plan, real), list[Item](), MIDNIGHT, 1
    try:
        for kind, value, box in [*steps, ("later", 1, "")]:
            if kind == "send":
                batch.append(Reserve("acme", "acme-pool", _named(box), (("gmail", value),), key=""))
            elif kind == "refund" and value < len(pair.granted):
                batch.append(Refund(pair.granted.pop(value)))
            if batch and (len(batch) >= size or kind in ("later", "back", "publish")):
                await pair.decide(batch)
                batch = []
            if kind == "later":
                now += value + 60_000
                await real.at(now)
            elif kind == "back":
                now -= value
                await real.at(now)
            elif kind == "publish":
                number += 1
                other = (second, first)[number % 2]
                next_plan = generation(vmta(1, daily="unlimited"), number=number, tenants=(other,))
                await real.publish(next_plan)
                await pair.twin.publish(next_plan)
        for letter in "abcd*":
            await pair.same_record(_named(letter))
    finally:
        await real.close()


def test_the_steps_are_not_all_alike() -> None:
    """Guards the test above: every kind of refusal must come up."""
    seen: set[str] = set()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(one=tenants(), steps=_steps)
    def look(one: Tenant, steps: Steps) -> None:
        async def play() -> None:
            under = MemoryUnderTest(generation(vmta(1, daily="unlimited"), tenants=(one,)))
            for kind, value, box in steps:
                if kind == "send":
                    item = Reserve("acme", "acme-pool", _named(box), (("gmail", value),))
                    answer: Decision = (await under.ledger.decide([item])).decisions[0]
                    seen.add("granted" if isinstance(answer, Granted) else answer.limit.value)  # type: ignore[union-attr]

        asyncio.run(play())

    look()
    assert seen == {
        "granted", "mailbox_max", "mailbox_ramp", "mailbox_spacing", "mailbox_unknown",
    }  # fmt: skip
