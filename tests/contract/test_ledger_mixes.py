"""Mixes within one batch: every item sees what the items before it did, on both ledgers.

The ledger's script keeps counters to itself until a batch is decided and writes them once; a read
that went past them would grant twice, or refuse what was given back.
"""

from typing import Any, cast

import msgspec
import pytest

from policy.ledger.mailboxes import records
from policy.ledger_port import (
    Change,
    EntryState,
    Look,
    Mark,
    Refund,
)  # fmt: skip
from policy.limits import DAY, HOUR, MINUTE
from policy.model import MailboxLimits, Pool, Rate, VirtualMta
from policy.plan import Generation
from tests.contract.asking import OTHER, ask, charge, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest, Start

IP = "192.0.2.1"


async def test_a_refund_between_reservations_of_the_same_ip(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=3)))
    [first] = await decide(ledger, ask())
    mixed = await decide(ledger, ask(), ask(), ask(), Refund(charge(first)), ask(), ask())
    assert names(mixed) == ["vmta-1", "vmta-1", "ip_quota", "-", "vmta-1", "ip_quota"]
    assert await ledger.used(IP) == 3
    assert names(await decide(ledger, ask())) == ["ip_quota"]


async def test_refunds_and_reservations_that_cancel_out_leave_the_count(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=4), vmta(2, daily=4)))
    charges = [charge(d) for d in await decide(ledger, *[ask()] * 4)]
    mixed = [item for one in charges for item in (Refund(one), ask())]
    assert set(names((await decide(ledger, *mixed))[1::2])) == {"vmta-1", "vmta-2"}
    assert await ledger.used(IP) + await ledger.used("192.0.2.2") == 4
    assert names(await decide(ledger, *[ask()] * 5))[-1] == "ip_quota"
    assert await ledger.used(IP) + await ledger.used("192.0.2.2") == 8


async def test_a_refund_too_many_lowers_nothing_below_zero(start: Start) -> None:
    """No caller of ours refunds twice; a count below zero would be quota from nowhere."""
    ledger = await start(generation(vmta(1, daily=4, ceilings={"gmail": 4})))
    three = ask((("gmail", 3),))
    [big, _] = await decide(ledger, three, ask())
    back = Refund(charge(big))
    await decide(ledger, back, back)
    assert await ledger.used(IP) == 0
    assert names(await decide(ledger, three, ask(), ask(OTHER))) == ["vmta-1", "vmta-1", "ip_quota"]


async def test_a_refund_of_yesterday_in_a_batch_of_today(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2)))
    [old] = await decide(ledger, ask())
    await ledger.at(MIDNIGHT + DAY + 1000)
    mixed = await decide(ledger, ask(), Refund(charge(old)), ask(), ask())
    assert names(mixed) == ["vmta-1", "-", "vmta-1", "ip_quota"]
    assert await ledger.used(IP) == 2


async def test_two_tenants_share_the_limit_of_the_gateway(start: Start) -> None:
    plan = generation(
        vmta(1),
        vmta(2),
        tenants=(tenant(), tenant("globex", rate=Rate(minute=2))),
        pools=(
            Pool(name="acme-pool", tenant="acme", members=("vmta-1",)),
            Pool(name="globex-pool", tenant="globex", members=("vmta-2",)),
        ),
        rate=Rate(minute=4, hour=6),
    )
    ledger = await start(plan)
    other = ask(tenant="globex", pool="globex-pool", mailbox="anna@acme.test")
    batch = await decide(ledger, ask(), other, other, other, ask(), ask())
    assert names(batch) == [
        "vmta-1", "vmta-2", "vmta-2", "tenant_minute", "vmta-1", "global_minute",
    ]  # fmt: skip
    await ledger.at(MIDNIGHT + MINUTE + 1000)
    back = Refund(charge(batch[4]))
    assert names(await decide(ledger, ask(), ask(), ask(), back, ask(), ask())) == [
        "vmta-1", "vmta-1", "global_hour", "-", "vmta-1", "global_hour",
    ]  # fmt: skip


async def test_a_refund_by_itself_gives_the_rates_back(start: Start) -> None:
    one = Rate(minute=1, hour=1)
    ledger = await start(generation(tenants=(tenant(rate=one),), rate=one))
    [first, _] = await decide(ledger, ask(), ask())
    await decide(ledger, Refund(charge(first)))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "tenant_hour"]


async def test_a_rate_that_is_new_between_charge_and_refund_expires(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, generation())
    try:
        [before] = await decide(ledger, ask())
        await ledger.publish(generation(rate=Rate(minute=1, hour=1), number=2))
        mixed = await decide(ledger, ask(), Refund(charge(before)))
        assert names(mixed) == ["vmta-1", "-"]
        client, root = ledger.admin.client, ledger.admin.root
        assert await client.ttl(f"{root}rate:g") > 0
        # What it did not count it does not give back.
        assert names(await decide(ledger, ask())) == ["global_hour"]
    finally:
        await ledger.close()


async def test_the_first_ip_fills_up_in_the_middle_of_a_batch(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2), vmta(2, daily=100), vmta(3, daily=3)))
    first = names(await decide(ledger, *[ask()] * 40))
    rest = first + names(await decide(ledger, *[ask(OTHER)] * 70))
    assert [rest.count(f"vmta-{n}") for n in (1, 2, 3)] == [2, 100, 3]
    assert rest.count("ip_quota") == 5


async def test_a_ceiling_is_met_in_the_middle_of_a_batch(start: Start) -> None:
    """The provider gets an index of its own while the batch is decided; the others keep theirs."""
    rows = (vmta(1, daily=10, ceilings={"gmail": 2}), vmta(2, daily=10, ceilings={"gmail": 1}))
    ledger = await start(generation(*rows))
    batch = names(await decide(ledger, *[ask(), ask(OTHER)] * 5))
    assert batch[::2] == ["vmta-1", "vmta-1", "vmta-2", "ip_provider", "ip_provider"]
    assert set(batch[1::2]) == {"vmta-1", "vmta-2"}
    rest = names(await decide(ledger, ask(), *[ask(OTHER)] * 13))
    assert rest[0] == "ip_provider"
    assert rest.count("ip_quota") == 1
    assert await ledger.used(IP) == await ledger.used("192.0.2.2") == 10


async def test_a_refund_reaches_the_provider_with_an_index_of_its_own(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10, ceilings={"gmail": 1})))
    [first, refused, other] = await decide(ledger, ask(), ask(), ask(OTHER))
    assert names([first, refused, other]) == ["vmta-1", "ip_provider", "vmta-1"]
    again = await decide(ledger, ask(), Refund(charge(first)), ask(), ask(), ask(OTHER))
    assert names(again) == ["ip_provider", "-", "vmta-1", "ip_provider", "vmta-1"]


async def test_full_for_one_provider_until_later_than_for_another(start: Start) -> None:
    """Both IPs wait for their pace, in one index; for gmail one of them waits until midnight."""
    rows = (
        vmta(1, daily=48, hourly_share=1 / 48, ceilings={"gmail": 1}),
        vmta(2, daily=24, hourly_share=1 / 24),
    )
    ledger = await start(generation(*rows))
    batch = await decide(ledger, *[ask()] * 2, ask(OTHER), ask())
    assert names(batch) == ["vmta-1", "vmta-2", "ip_pace", "ip_pace"]
    assert [d.subject for d in batch[2:]] == ["vmta-1", "vmta-2"]  # type: ignore[union-attr]
    await ledger.at(MIDNIGHT + HOUR // 2 + 1000)
    assert names(await decide(ledger, ask(), ask(OTHER), ask(OTHER))) == [
        "ip_pace", "vmta-1", "ip_pace",
    ]  # fmt: skip


async def test_copies_within_one_batch_meet_the_first(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2)))
    one, two = (ask(key="k", owner=owner, attempt=1) for owner in ("one", "two"))
    sent = Change("k", "one", 1, EntryState.SENT)
    free = Change("k2", "one", 1, EntryState.FREE)
    batch = await decide(ledger, one, two, Look("k"), sent, two, Look("k"), Look("k2"))
    assert names(batch) == ["vmta-1", "T", "T", "-", "S", "S", "-"]
    assert await ledger.used(IP) == 1
    again = [msgspec.structs.replace(item, key="k2") for item in (one, two)]
    assert names(await decide(ledger, again[0], free, *again[::-1])) == [
        "vmta-1",
        "-",
        "ip_quota",
        "T",
    ]
    assert names(await decide(ledger, two, Look("k2"))) == ["S", "T"]


async def test_a_mailbox_reaches_its_maximum_within_a_batch(start: Start) -> None:
    limits = MailboxLimits(daily_max=2)
    ledger = await start(generation(tenants=(tenant(mailbox_default=limits, mailbox_bound=2),)))
    anna, bert, carl, dora = (
        ask(mailbox=f"{n}@acme.test") for n in ("anna", "bert", "carl", "dora")
    )
    batch = await decide(ledger, anna, anna, anna, bert, carl, dora, carl, bert)
    assert names(batch) == [
        "vmta-1", "vmta-1", "mailbox_max", "vmta-1", "vmta-1", "vmta-1", "mailbox_max", "vmta-1",
    ]  # fmt: skip
    assert [charge(batch[n]).mailbox for n in (4, 5)] == ["*", "*"]
    again = await decide(
        ledger, anna, Refund(charge(batch[0])), anna, Refund(charge(batch[5])), dora
    )
    assert names(again) == ["mailbox_max", "-", "vmta-1", "-", "vmta-1"]
    assert names(await decide(ledger, anna, bert, carl)) == ["mailbox_max"] * 3


async def test_a_mailbox_without_a_maximum_is_counted_for_the_day_it_gets_one(start: Start) -> None:
    def plan(number: int, most: int | None) -> Generation:
        own = {"anna@acme.test": MailboxLimits(daily_max=most, spacing=0.0)}
        rest = MailboxLimits(daily_max=most)
        return generation(
            tenants=(tenant(mailboxes=own, mailbox_default=rest, mailbox_bound=2),), number=number
        )

    ledger = await start(plan(1, None))
    await decide(ledger, ask(), ask(), ask(mailbox="bert@acme.test"))
    others = [ask(mailbox=f"{name}@acme.test") for name in ("carl", "dora")]
    for _ in range(2):
        assert names(await decide(ledger, ask(), *others)) == ["vmta-1"] * 3
    await ledger.publish(plan(2, 5))
    limited = await decide(ledger, ask(), ask(), *others, *others)
    assert names(limited)[:2] == ["vmta-1", "mailbox_max"]
    assert names(limited)[2:] == ["vmta-1", *["mailbox_max"] * 3]


async def test_spacing_holds_within_a_batch_and_comes_back_with_a_refund(start: Start) -> None:
    limits = {"slow@acme.test": MailboxLimits(spacing=600.0)}
    ledger = await start(generation(tenants=(tenant(mailboxes=limits),)))
    slow = ask(mailbox="slow@acme.test")
    [first, second] = await decide(ledger, slow, slow)
    assert names([first, second]) == ["vmta-1", "mailbox_spacing"]
    assert names(await decide(ledger, Refund(charge(first)), slow, slow)) == [
        "-", "vmta-1", "mailbox_spacing",
    ]  # fmt: skip
    assert names(await decide(ledger, slow)) == ["mailbox_spacing"]


async def test_the_overflow_pool_takes_over_in_the_middle_of_a_batch(start: Start) -> None:
    pools = (
        Pool(name="acme-pool", tenant="acme", members=("vmta-1",), overflow="warm"),
        Pool(name="warm", tenant="acme", members=("vmta-2", "vmta-1")),
    )
    ledger = await start(generation(vmta(1, daily=2), vmta(2, daily=4), pools=pools))
    warm = ask(pool="warm")
    batch = await decide(ledger, ask(), warm, ask(), ask(), warm, warm, warm, ask())
    assert names(batch) == ["vmta-1", "vmta-2", "vmta-1", *["vmta-2"] * 3, "ip_quota", "ip_quota"]
    back = await decide(ledger, Refund(charge(batch[0])), warm, ask())
    assert names(back) == ["-", "vmta-1", "ip_quota"]


async def test_a_pace_is_charged_and_given_back_within_a_batch(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=48, hourly_share=0.0625)))
    batch = await decide(ledger, *[ask()] * 4)
    assert names(batch) == ["vmta-1"] * 3 + ["ip_pace"]
    again = await decide(ledger, ask(), Refund(charge(batch[0])), ask(OTHER), ask())
    assert names(again) == ["ip_pace", "-", "vmta-1", "ip_pace"]
    await ledger.at(MIDNIGHT + 31 * MINUTE)
    assert names(await decide(ledger, *[ask()] * 2)) == ["vmta-1", "ip_pace"]


async def test_a_mark_binds_from_the_item_after_it(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10)))
    mark, none = Mark("acme-pool", "gmail", 9), Mark("acme-pool", "gmail", 0)
    batch = await decide(ledger, ask(), mark, ask(), ask(held=True), none, ask())
    assert names(batch) == ["vmta-1", "-", "held_first", "vmta-1", "-", "vmta-1"]
    again = await decide(
        ledger, Mark("acme-pool", "gmail", 6), ask(), ask(), Refund(charge(batch[0])), ask()
    )
    assert names(again) == ["-", "vmta-1", "held_first", "-", "vmta-1"]


async def test_a_dry_question_sees_the_batch_and_changes_nothing(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2)))
    dry = ask(dry=True)
    batch = await decide(ledger, dry, ask(), dry, ask(), dry)
    assert names(batch) == ["vmta-1", "vmta-1", "vmta-1", "vmta-1", "ip_quota"]
    assert await ledger.used(IP) == 2


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_day_is_counted_alike_in_batches_of_any_size(start: Start, size: int) -> None:
    """110 IPs: more than are read ahead, and full ones among them."""
    ledger = await start(crowd())
    granted: list[str] = []
    for _ in range(0, 448, size):
        granted += names(await decide(ledger, *[ask(), ask(OTHER)][:size] * max(size // 2, 1)))
    for row in crowd().vmtas:
        assert await ledger.used(row.ip) == granted.count(row.name) <= int(row.daily)


def crowd() -> Generation:
    return generation(*(member(n) for n in range(1, 111)))


def member(number: int) -> VirtualMta:
    return vmta(number, daily=number % 5, weight=1 + number % 3, ceilings={"gmail": number % 3})


async def test_what_a_batch_wrote_is_what_it_said(valkey_url: str) -> None:
    """Counters are written as values at the end of a run: they must be the sums."""
    ledger = await RedisUnderTest.start(valkey_url, generation(vmta(1), vmta(2)))
    mixed = (("gmail", 2), ("other", 1))
    first = await decide(ledger, ask(), ask(mixed), ask(OTHER))
    await decide(ledger, ask(mixed), Refund(charge(first[1])), ask())
    _, usage = await ledger.admin.usage([IP, "192.0.2.2"])
    for provider, count in (("gmail", 4), ("other", 2)):
        assert sum(u.by_provider.get(provider, 0) for u in usage.values()) == count
    assert sum(u.relayed for u in usage.values()) == 6
    today = MIDNIGHT // DAY
    [anna] = await records(
        ledger.admin.client, ledger.admin.root, "acme", ["anna@acme.test"], today
    )
    assert anna is not None
    assert (anna.first, anna.day, anna.count, anna.before) == (today, today, 6, 0)
    await ledger.close()


async def test_a_plan_of_an_older_control_is_read_until_the_next_one(valkey_url: str) -> None:
    """An upgrade publishes nothing by itself: members stood in the pool's own row before."""
    ledger = await RedisUnderTest.start(valkey_url, generation(vmta(1, daily=2), vmta(2, daily=2)))
    key, client = f"{ledger.admin.root}plan:1", cast(Any, ledger.admin.client)
    members, pool = await client.hmget(key, ["m:acme-pool", "p:acme-pool"])
    older = {**msgspec.msgpack.decode(pool), "members": msgspec.msgpack.decode(members)}
    await client.hset(key, "p:acme-pool", msgspec.msgpack.encode(older))
    await client.hdel(key, "m:acme-pool")
    try:
        assert sorted(names(await decide(ledger, *[ask()] * 2))) == ["vmta-1", "vmta-2"]
        assert names(await decide(ledger, Mark("acme-pool", "gmail", 2), ask())) == [
            "-", "held_first",
        ]  # fmt: skip
    finally:
        await ledger.close()
