"""Limits of a minute and an hour at every level: exact, smooth, and the same in the twin."""

import asyncio
import os
from collections.abc import Iterable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.denial import IP_LIMITS, RATE_LIMITS, Denied, Limit
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from policy.ledger.scripts import source
from policy.ledger_port import Decision, Granted, Item, Mark, Refund
from policy.limits import HOUR, MINUTE
from policy.model import OFF, MailboxLimits, Pool, Rate
from policy.plan import Generation
from tests.contract.asking import GMAIL, OTHER, ask, charge, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, MemoryUnderTest, RedisUnderTest, Start
from tests.support.servers.parts import SharedParts

EXAMPLES = int(os.environ.get("RATE_EXAMPLES", "40"))

POOLS = (
    Pool(name="acme-pool", tenant="acme", members=("vmta-1", "vmta-2"), overflow="warm"),
    Pool(name="warm", tenant="acme", members=("vmta-3",)),
    Pool(name="globex-pool", tenant="globex", members=("vmta-4",)),
)

ALONE = msgspec.structs.replace(POOLS[0], overflow=None, rate=Rate(hour=2))

_rates = st.one_of(
    st.just(OFF),
    st.just(OFF),
    st.builds(Rate, minute=st.integers(1, 6)),
    st.builds(Rate, hour=st.integers(1, 12)),
    st.builds(Rate, minute=st.integers(0, 5), hour=st.integers(0, 9)),
)


@st.composite
def plans(draw: st.DrawFn) -> Generation:
    default = MailboxLimits(rate=draw(_rates))
    own = {"a@acme.test": MailboxLimits(rate=draw(_rates), daily_max=draw(st.integers(5, 30)))}
    return generation(
        *(vmta(n, daily=draw(st.integers(5, 40)), rate=draw(_rates)) for n in range(1, 5)),
        pools=tuple(msgspec.structs.replace(pool, rate=draw(_rates)) for pool in POOLS),
        tenants=(
            tenant(rate=draw(_rates), mailbox_default=default, mailboxes=own),
            tenant("globex", rate=draw(_rates)),
        ),
        rate=draw(_rates),
        provider_rates=draw(st.dictionaries(st.sampled_from(["gmail", "other"]), _rates)),
    )


_providers = st.sampled_from([GMAIL, GMAIL, OTHER, (("gmail", 2), ("other", 1)), (("other", 3),)])
_asks = st.one_of(
    st.builds(
        lambda providers, box: ask(providers, mailbox=f"{box}@acme.test"),
        _providers,
        st.sampled_from("abc"),
    ),
    st.builds(
        lambda providers: ask(providers, tenant="globex", pool="globex-pool"),
        _providers,
    ),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(_asks, min_size=1, max_size=6)),
        st.tuples(st.just("send"), st.lists(_asks, min_size=1, max_size=6)),
        st.tuples(st.just("refund"), st.integers(0, 20)),
        st.tuples(st.just("part"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.integers(0, 4000)),
        st.tuples(st.just("wait"), st.sampled_from([30_000, 61_000, 11 * MINUTE, HOUR + 1])),
        st.tuples(st.just("back"), st.sampled_from([400, 5_000, 10 * MINUTE])),
    ),
    min_size=8,
    max_size=40,
)


class Book:
    """What was granted, by scope and span, net of refunds: the limits are checked against it."""

    def __init__(self, plan: Generation) -> None:
        self._plan = plan
        self._sent: list[list[Any]] = []
        self._asked: list[int] = []
        self.stepped_back = False

    def grant(self, one: Granted) -> None:
        self._sent.append([one.at, one])
        self._asked.append(one.at)

    def refund(self, one: Granted, part: Granted | None = None) -> None:
        for entry in self._sent:
            if entry[1] is one:
                entry[1] = one.without(part) if part else one.without(one)

    def ended(self, since: int, till: int) -> bool:
        """Whether something may have stopped counting between them: over such a moment nobody
        goes back, for who was asked since knows it and who was not does not."""
        return any(since <= at + length <= till for at in self._asked for length in (MINUTE, HOUR))

    def check(self) -> None:
        for name, rate, counted in self._limits():
            for most, length in ((rate.minute, MINUTE), (rate.hour, HOUR)):
                if most is not None:
                    assert _heaviest(counted, length) <= most, (name, most)

    def _limits(self) -> Iterable[tuple[str, Rate, list[tuple[int, int]]]]:
        plan = self._plan
        yield "gateway", plan.rate, [(at, g.count) for at, g in self._sent]
        for t in plan.tenants:
            mine = [(at, g) for at, g in self._sent if g.tenant == t.name]
            yield t.name, t.rate, [(at, g.count) for at, g in mine]
            for box in ("b@acme.test", "c@acme.test"):
                counted = [(at, g.count) for at, g in mine if g.mailbox == box]
                yield box, t.mailbox_default.rate, counted
        for v in plan.vmtas:
            yield v.name, v.rate, [(at, g.count) for at, g in self._sent if g.vmta == v.name]
        for pool in plan.pools:
            counted = [(at, g.count) for at, g in self._sent if g.vmta in pool.members]
            yield pool.name, pool.rate, counted
        for provider, rate in plan.provider_rates.items():
            counted = [(at, dict(g.providers).get(provider, 0)) for at, g in self._sent]
            yield provider, rate, counted


def _heaviest(counted: list[tuple[int, int]], length: int) -> int:
    """The most in any window of `length`; each may be taken to begin with a message."""
    return max(
        (sum(n for at, n in counted if start <= at < start + length) for start, _ in counted),
        default=0,
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans(), steps=_steps)
def test_any_sequence_is_decided_alike_and_no_window_has_more(
    parts: SharedParts, plan: Generation, steps: list[tuple[str, Any]]
) -> None:
    asyncio.run(_play(parts, plan, steps))


def _same(left: Decision, right: Decision) -> None:
    """Of IPs that are free at the same time either may be named."""
    if isinstance(left, Denied) and isinstance(right, Denied) and left != right:
        assert {left.limit, right.limit} <= IP_LIMITS, (left, right)
        assert left.until == right.until, (left, right)
    else:
        assert left == right


def _of_ips(left: Decision, right: Decision) -> bool:
    """A clock that went back makes one bucket of what an IP counts, of the moment at which it is
    looked at next: too long, never too short. The twin looks at all IPs for every message, the
    ledger at those that its index has. Where they differ by that, no more is alike."""
    if isinstance(left, Granted) and isinstance(right, Granted):
        return left.vmta != right.vmta
    bound = [one.limit in _IP_RATES for one in (left, right) if isinstance(one, Denied)]
    return all(bound) and left != right


_IP_RATES = {Limit.IP_MINUTE, Limit.IP_HOUR}


async def _play(parts: SharedParts, plan: Generation, steps: list[tuple[str, Any]]) -> None:
    """The real ledger's clock runs: the twin is asked at the time it said."""
    twin = MemoryUnderTest(plan)
    real = await RedisUnderTest.start(await parts.empty_valkey(), plan)
    granted: list[tuple[Granted, Granted]] = []
    book = Book(plan)

    async def both(items: list[tuple[Item, Item]]) -> list[tuple[Decision, Decision]]:
        answer = await real.ledger.decide([right for _, right in items])
        await twin.at(answer.now)
        lefts = (await twin.ledger.decide([left for left, _ in items])).decisions
        return list(zip(lefts, answer.decisions, strict=True))

    try:
        # Far from midnight: a day that comes twice is another matter.
        await real.at(MIDNIGHT + 6 * HOUR)
        for kind, value in steps:
            if kind == "send":
                for left, right in await both([(item, item) for item in value]):
                    if book.stepped_back and _of_ips(left, right):
                        return
                    if isinstance(left, Granted) and isinstance(right, Granted):
                        assert msgspec.structs.replace(left, incarnation="") == (
                            msgspec.structs.replace(right, incarnation="")
                        )
                        granted.append((left, right))
                        book.grant(left)
                    else:
                        _same(left, right)
            elif kind in ("refund", "part") and value < len(granted):
                left, right = granted.pop(value)
                if kind == "part":
                    some = (left.providers[0],)
                    book.refund(left, left.part(some))
                    left, right = left.part(some), right.part(some)
                else:
                    book.refund(left)
                await both([(Refund(left), Refund(right))])
            elif kind == "wait":
                await real.at((await real.admin.now())[0] + value)
            elif kind == "back":
                now, _ = await real.admin.now()
                if not book.ended(now - value - 2 * MINUTE, now):
                    book.stepped_back = True
                    await real.at(now - value)
        if not book.stepped_back:
            book.check()
            await _read_alike(real, twin)
    finally:
        await real.close()


async def _read_alike(real: RedisUnderTest, twin: MemoryUnderTest) -> None:
    """What people read of each scope is what counts, under whatever limit."""
    for most in (0, 1, 3, 12):
        scopes = twin._twin._rates._scopes
        arguments = [x for scope in scopes for x in (scope, most, most)]
        before = await real._client.dbsize()
        now, *answer = await cast(Any, real._client).eval(
            source("rates"), 1, real.admin.root, *arguments
        )
        assert await real._client.dbsize() == before
        for one, rolling in zip(answer, scopes.values(), strict=True):
            for span, (used, free) in zip(rolling.spans, (one[:2], one[2:]), strict=True):
                assert used == span.used(int(now))
                until = span.free_at(1, most, int(now)) if used >= most else 0
                assert int(free) == (until if most else -1)


def test_the_book_finds_a_window_with_more() -> None:
    """Guards the test above."""
    plan = generation(rate=Rate(minute=2))
    book = Book(plan)
    for at in (0, 30_000, 59_999):
        book.grant(Granted("vmta-1", "192.0.2.1", "pmta1", "acme", "", GMAIL, at, 0.0, "x"))
    with pytest.raises(AssertionError, match="gateway"):
        book.check()


async def test_no_window_has_more_with_many_callers(valkey_url: str) -> None:
    """Six connections ask at the same time while calendar time goes on in steps."""
    most = Rate(minute=40, hour=400)
    plan = generation(vmta(1, daily=100_000), rate=most)
    first = await RedisUnderTest.start(valkey_url, plan)
    clients = [connect(valkey_url) for _ in range(6)]
    callers = [RedisLedger(client) for client in clients]
    sent: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def call(caller: RedisLedger, size: int) -> None:
        while not done.is_set():
            answer = await caller.decide([ask()] * size)
            sent.extend((d.at, d.count) for d in answer.decisions if isinstance(d, Granted))

    tasks = [asyncio.create_task(call(caller, n + 1)) for n, caller in enumerate(callers)]
    try:
        now = MIDNIGHT
        for step in range(300):
            now += 700 + 130 * (step % 50)
            await first.at(now)
            await asyncio.sleep(0)
            await first.ledger.decide([])
    finally:
        done.set()
        await asyncio.gather(*tasks)
        for client in clients:
            await client.aclose()
        await first.close()
    assert _heaviest(sent, MINUTE) == most.minute
    assert _heaviest(sent, HOUR) == most.hour


async def test_what_is_sustained_is_the_limit(start: Start) -> None:
    """Asked every second for two hours: each hour has its 600, but for a slot."""
    ledger = await start(generation(vmta(1, daily="unlimited"), rate=Rate(minute=20, hour=600)))
    sent = 0
    for second in range(0, 7200, 3):
        await ledger.at(MIDNIGHT + second * 1000)
        sent += names(await decide(ledger, *[ask()] * 4)).count("vmta-1")
    assert 1180 <= sent <= 1200


async def test_the_time_named_is_true(start: Start) -> None:
    ledger = await start(generation(rate=Rate(minute=3, hour=5)))
    for second in (0, 7, 21):
        await ledger.at(MIDNIGHT + second * 1000)
        assert names(await decide(ledger, ask())) == ["vmta-1"]
    for wanted in ("global_minute", "global_minute", "global_hour"):
        [denied] = await decide(ledger, ask())
        assert isinstance(denied, Denied)
        assert (denied.limit.value, denied.subject) == (wanted, "")
        await ledger.at(denied.until - 200)
        assert names(await decide(ledger, ask())) == [wanted]
        await ledger.at(denied.until)
        assert names(await decide(ledger, ask())) == ["vmta-1"]


async def test_a_burst_at_the_turn_of_a_minute_is_none_any_more(start: Start) -> None:
    """Calendar minutes let both sides of their turn have all of it."""
    ledger = await start(generation(rate=Rate(minute=5)))
    await ledger.at(MIDNIGHT + MINUTE - 1000)
    assert names(await decide(ledger, *[ask()] * 5)) == ["vmta-1"] * 5
    await ledger.at(MIDNIGHT + MINUTE + 1000)
    assert names(await decide(ledger, ask())) == ["global_minute"]


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"rate": Rate(minute=2)}, "global_minute"),
        ({"tenants": (tenant(rate=Rate(hour=2)),)}, "tenant_hour"),
        ({"provider_rates": {"gmail": Rate(minute=2)}}, "provider_minute"),
        ({"pools": (ALONE,)}, "pool_hour"),
        (
            {"tenants": (tenant(mailbox_default=MailboxLimits(rate=Rate(minute=2))),)},
            "mailbox_minute",
        ),
    ],
)  # fmt: skip
async def test_each_level_binds_is_charged_and_given_back(
    start: Start, changes: Any, limit: str
) -> None:
    ledger = await start(generation(vmta(1), vmta(2), **changes))
    first, second, third = await decide(ledger, ask(), ask(), ask())
    assert names([first, second, third]) == ["vmta-1", "vmta-2", limit]
    # A refusal charges nothing, a dry question neither.
    assert names(await decide(ledger, ask((("gmail", 2),)), ask(dry=True))) == [limit] * 2
    back = await decide(ledger, Refund(charge(second)), ask(dry=True), ask(), ask())
    assert names(back)[1:] == ["vmta-2", "vmta-2", limit]
    assert await ledger.used("192.0.2.1") + await ledger.used("192.0.2.2") == 2


async def test_an_ip_at_its_rate_leaves_the_mail_to_the_others(start: Start) -> None:
    rows = (vmta(1, rate=Rate(minute=1)), vmta(2, rate=Rate(minute=2)))
    ledger = await start(generation(*rows))
    batch = await decide(ledger, *[ask()] * 4)
    assert names(batch) == ["vmta-1", "vmta-2", "vmta-2", "ip_minute"]
    assert isinstance(batch[3], Denied)
    assert batch[3].until == charge(batch[0]).at + MINUTE
    assert names(await decide(ledger, Refund(charge(batch[2])), ask(), ask()))[1:] == [
        "vmta-2", "ip_minute",
    ]  # fmt: skip
    await ledger.at(batch[3].until)
    assert names(await decide(ledger, ask())) == ["vmta-1"]


async def test_a_pool_at_its_rate_overflows(start: Start) -> None:
    pools = (msgspec.structs.replace(POOLS[0], rate=Rate(minute=1)), POOLS[1])
    ledger = await start(generation(vmta(1), vmta(2), vmta(3, daily=1), pools=pools))
    assert names(await decide(ledger, *[ask()] * 3)) == ["vmta-1", "vmta-3", "pool_minute"]


async def test_a_providers_limit_is_that_providers_alone_and_everybodys(start: Start) -> None:
    plan = generation(
        *(vmta(n) for n in range(1, 5)),
        pools=POOLS,
        tenants=(tenant(), tenant("globex")),
        provider_rates={"gmail": Rate(hour=2)},
    )
    ledger = await start(plan)
    other = ask(tenant="globex", pool="globex-pool")
    batch = await decide(ledger, ask(), other, ask(), other, ask(OTHER))
    assert names(batch) == ["vmta-1", "vmta-4", "provider_hour", "provider_hour", "vmta-2"]
    mixed = charge(batch[0]).part(GMAIL)
    assert names(await decide(ledger, Refund(mixed), other)) == ["-", "vmta-4"]


async def test_of_several_that_bind_the_last_to_end_is_named(start: Start) -> None:
    plan = generation(
        tenants=(tenant(rate=Rate(minute=1, hour=1)),),
        rate=Rate(minute=1),
        provider_rates={"gmail": Rate(hour=1)},
    )
    ledger = await start(plan)
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "tenant_hour"]


async def test_more_than_a_limit_ever_has_room_for_names_no_time(start: Start) -> None:
    ledger = await start(generation(rate=Rate(minute=2)))
    [denied] = await decide(ledger, ask((("gmail", 3),)))
    assert denied == Denied(Limit.GLOBAL_MINUTE, "", 0, 2, 0)


async def test_held_mail_goes_before_live_mail_where_a_rate_is_scarce(start: Start) -> None:
    ledger = await start(generation(tenants=(tenant(rate=Rate(minute=3)),)))
    await decide(ledger, Mark("acme-pool", "gmail", 2))
    live, held = ask(), ask(held=True)
    assert names(await decide(ledger, live, live, held, held)) == [
        "vmta-1", "held_first", "vmta-1", "vmta-1",
    ]  # fmt: skip


async def test_traffic_without_such_limits_pays_nothing(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, generation())
    client = cast(Any, ledger.admin.client)
    try:
        await decide(ledger, ask(), ask(OTHER))
        before = await _calls(client)
        await decide(ledger, ask(), ask(OTHER))
        after = await _calls(client)
        unlimited = {name: after[name] - before.get(name, 0) for name in after}
        assert unlimited.get("get", 0) == 0
        assert [key async for key in client.scan_iter(f"{ledger.admin.root}rate*")] == []
        assert not [d for d in await decide(ledger, ask()) if cast(Granted, d).rates]
        await ledger.publish(generation(rate=Rate(hour=100), number=2))
        await decide(ledger, ask(), ask(OTHER))
        before = await _calls(client)
        await decide(ledger, ask(), ask(OTHER))
        after = await _calls(client)
        # One string read and written, for however many of a batch.
        assert after["get"] - before["get"] == 1
        assert after["set"] - before["set"] == unlimited["set"] + 1
    finally:
        await ledger.close()


async def _calls(client: Any) -> dict[str, int]:
    stats = await client.info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}


async def test_every_key_of_a_limit_ends_with_its_span(valkey_url: str) -> None:
    rate = Rate(minute=50, hour=100)
    ledger = await RedisUnderTest.start(
        valkey_url,
        generation(
            vmta(1, rate=rate),
            tenants=(tenant(rate=rate, mailbox_default=MailboxLimits(rate=rate)),),
            rate=Rate(minute=50),
            provider_rates={"gmail": rate},
        ),
    )
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    try:
        for second in range(0, 600, 40):
            await ledger.at(MIDNIGHT + second * 1000)
            decisions = await decide(ledger, *[ask()] * 3)
            await decide(ledger, *[Refund(charge(d)) for d in decisions[:1]])
        keys = [key.decode() async for key in client.scan_iter(f"{root}rate*")]
        assert f"{root}rate:m:acme:anna@acme.test" in keys
        assert f"{root}rates:hour:i:192.0.2.1" in keys
        for key in keys:
            assert 0 < await client.ttl(key) <= (HOUR + MINUTE) // 1000 + 1
        assert await client.ttl(f"{root}rate:g") <= MINUTE // 1000 + 2
    finally:
        await ledger.close()


async def test_a_clock_that_goes_on_frees_and_one_put_back_holds(start: Start) -> None:
    ledger = await start(generation(rate=Rate(minute=2)))
    await ledger.at(MIDNIGHT + HOUR)
    assert names(await decide(ledger, ask(), ask(), ask()))[2] == "global_minute"
    await ledger.at(MIDNIGHT + 2 * HOUR)
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1"] * 2
    await ledger.at(MIDNIGHT + HOUR)
    [denied] = await decide(ledger, ask())
    assert isinstance(denied, Denied)
    assert abs(denied.until - (MIDNIGHT + HOUR + MINUTE)) < 1000


def test_every_rate_has_a_level() -> None:
    levels = ("tenant", "global", "pool", "ip", "provider", "mailbox")
    assert {f"{level}_{span}" for level in levels for span in ("minute", "hour")} == {
        limit.value for limit in RATE_LIMITS
    }
