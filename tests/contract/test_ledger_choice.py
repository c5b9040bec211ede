"""Which IP is chosen where a pool has more of them than a run reads at first, and what is written.

A run reads the first IPs of an index and keeps them in order by itself: it must know where its
knowledge ends, and the next run must find what this one changed.
"""

from typing import Any, cast

import msgspec

from policy.denial import Denied
from policy.ledger_port import Change, EntryState, Granted, Mark, Refund
from policy.limits import DAY, HOUR
from policy.model import MailboxLimits, Pool, Rate
from policy.plan import Generation
from tests.contract.asking import OTHER, ask, charge, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest, Start

CROWD = 200


def crowd(**last: object) -> Generation:
    """`last` changes the one that comes last in order: 192.0.2.99."""
    rows = [vmta(number) for number in range(1, CROWD + 1)]
    rows[98] = msgspec.structs.replace(rows[98], **last)
    plan = generation(*rows)
    second = msgspec.structs.replace(plan.servers[0], name="pmta2")
    return msgspec.structs.replace(plan, servers=(*plan.servers, second))


async def test_one_batch_goes_once_around_a_pool_larger_than_it_read(start: Start) -> None:
    ledger = await start(crowd())
    assert len(set(names(await decide(ledger, *[ask()] * CROWD)))) == CROWD
    again = await decide(ledger, *[ask(OTHER)] * (CROWD // 2))
    again += await decide(ledger, *[ask()] * (CROWD // 2))
    assert len(set(names(again))) == CROWD


async def test_the_only_ip_that_is_left_is_found_at_the_end(start: Start) -> None:
    ledger = await start(crowd(server="pmta2"))
    assert names(await decide(ledger, ask(away=("pmta1",)))) == ["vmta-99"]
    assert names(await decide(ledger, *[ask(away=("pmta1",))] * 3)) == ["vmta-99"] * 3


async def test_counts_of_another_provider_are_seen_before_an_ip_is_trusted(start: Start) -> None:
    """The third IP takes no gmail, so gmail has an index of its own, which others leave alone."""
    ledger = await start(generation(vmta(1), vmta(2), vmta(3, ceilings={"gmail": 0})))
    assert names(await decide(ledger, *[ask()] * 3)) == ["vmta-1", "vmta-2", "vmta-1"]
    others = ask((("other", 5),), broken=("vmta-1", "vmta-3"))
    assert names(await decide(ledger, others)) == ["vmta-2"]
    assert names(await decide(ledger, ask())) == ["vmta-1"]


async def test_each_of_several_providers_has_its_ceiling(start: Start) -> None:
    ledger = await start(generation(vmta(1, ceilings={"gmail": 5, "other": 1})))
    both = ask((("gmail", 1), ("other", 1)))
    batch = names(await decide(ledger, both, both, ask(OTHER), ask()))
    assert batch == ["vmta-1", "ip_provider", "ip_provider", "vmta-1"]
    assert names(await decide(ledger, both, ask())) == ["ip_provider", "vmta-1"]


async def test_a_refund_by_itself_wakes_an_ip_that_was_full(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=1)))
    [first, _] = await decide(ledger, ask(), ask())
    await decide(ledger, Refund(charge(first)))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]


async def test_a_refund_behind_grants_leaves_no_score_too_high(start: Start) -> None:
    ledger = await start(generation(vmta(1), vmta(2)))
    heavy = ask((("gmail", 8),))
    [one] = await decide(ledger, ask(heavy.providers, broken=("vmta-2",)))
    await decide(ledger, *[ask(broken=("vmta-1",))] * 4)
    await decide(ledger, ask(broken=("vmta-2",)), Refund(charge(one)))
    assert names(await decide(ledger, *[ask()] * 3)) == ["vmta-1"] * 3


async def test_a_dry_question_moves_no_ip_back(start: Start) -> None:
    ledger = await start(generation(vmta(1), vmta(2)))
    dry = ask(dry=True)
    assert names(await decide(ledger, dry, dry, ask())) == ["vmta-1"] * 3


async def test_a_refund_gives_back_to_the_day_and_the_minute_of_its_grant(start: Start) -> None:
    limits = MailboxLimits(daily_max=2)
    plan = generation(tenants=(tenant(mailbox_default=limits, rate=Rate(minute=3)),))
    ledger = await start(plan)
    old = [charge(decision) for decision in await decide(ledger, ask(), ask(OTHER))]
    await ledger.at(MIDNIGHT + 24 * HOUR + 1000)
    back = [Refund(one) for one in old]
    anna, bert = ask(), ask(mailbox="bert@acme.test")
    batch = names(await decide(ledger, anna, anna, *back, anna, bert, bert))
    assert batch == ["vmta-1", "vmta-1", "-", "-", "mailbox_max", "vmta-1", "tenant_minute"]
    assert names(await decide(ledger, bert)) == ["tenant_minute"]


async def test_a_mark_counts_pace_openings_and_the_overflow(start: Start) -> None:
    pools = (
        Pool(name="acme-pool", tenant="acme", members=("vmta-1", "vmta-2"), overflow="warm"),
        Pool(name="warm", tenant="acme", members=("vmta-3",)),
    )
    rows = (
        vmta(1, daily=48, hourly_share=0.0625),  # three at once
        vmta(2, ceilings={"gmail": 4}),
        vmta(3, daily=2),
    )
    ledger = await start(generation(*rows, pools=pools))
    await ledger.set_opening("192.0.2.2", 3, {"gmail": 3})
    await decide(ledger, Mark("acme-pool", "gmail", 4))  # of 3, 1 and 2
    assert names(await decide(ledger, *[ask()] * 3))[1:] == ["vmta-1", "held_first"]
    await decide(ledger, Mark("acme-pool", "gmail", 3))
    assert names(await decide(ledger, ask(), ask()))[1:] == ["held_first"]


async def test_every_key_expires_whatever_was_written_last(valkey_url: str) -> None:
    """After each step: a set that was emptied and filled again is a new key."""
    plan = generation(
        vmta(1, daily=48, hourly_share=1 / 48, ceilings={"gmail": 9}),
        vmta(2, ceilings={"gmail": 1}),
        tenants=(tenant(mailbox_default=MailboxLimits(spacing=0.001), rate=Rate(minute=99)),),
    )
    ledger = await RedisUnderTest.start(valkey_url, plan)
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    plain = ("inc", "gen", "gen:1", "published", "plan:1", "pace", "offset", "entries", "parts")
    lasting = {f"{root}{name}" for name in plain}
    lasting |= {key.decode() for key in await client.keys(f"{root}part:*")}
    try:
        for hour in range(8):
            await ledger.at(MIDNIGHT + hour * HOUR + 1000)
            for items in (
                [ask(broken=("vmta-2",))],
                [ask(mailbox=f"{hour}@acme.test", broken=("vmta-2",))] * 2,
                [ask(OTHER, mailbox=f"o{hour}@acme.test")],
                [ask(mailbox=f"g{hour}@acme.test")] * 2,
                [ask(key=f"{hour % 3:032x}", owner=f"{hour}", attempt=1)],
            ):
                decisions = await decide(ledger, *items)
                refunds = [Refund(d) for d in decisions[:1] if isinstance(d, Granted)]
                await decide(ledger, *refunds[: hour % 2])
                keys = {key.decode() for key in await client.keys(f"{root}*")} - lasting
                assert [key for key in keys if await client.ttl(key) <= 0] == []
        assert await client.exists(f"{root}apart:1:{MIDNIGHT // (24 * HOUR)}:acme-pool")
    finally:
        await ledger.close()


async def test_an_entry_lives_as_long_as_its_state_says(valkey_url: str) -> None:
    """Days: 1 freed, 7 sent, 40 otherwise."""
    ledger = await RedisUnderTest.start(valkey_url, generation())
    try:
        for state in (EntryState.FREE, EntryState.SENT, EntryState.HELD):
            tried = ask(key=f"k{state.value}", owner="one", attempt=1)
            await decide(ledger, tried, Change(tried.key, "one", 2, state))
        lives = [
            await ledger.admin.client.ttl(f"{ledger.admin.root}dup:k{state}") for state in "FSH"
        ]
        assert [-(-life // 86_400) for life in lives] == [1, 7, 40]
    finally:
        await ledger.close()


async def test_an_ip_that_never_sends_is_not_named_before_one_that_sends_tomorrow(
    start: Start,
) -> None:
    plan = generation(vmta(1, rate=Rate(hour=0)), vmta(2, daily=1), vmta(3, rate=Rate(minute=0)))
    ledger = await start(plan)
    assert names(await decide(ledger, ask())) == ["vmta-2"]
    for _ in range(3):
        [last] = await decide(ledger, ask())
        assert isinstance(last, Denied)
        assert (last.subject, last.until) == ("vmta-2", MIDNIGHT + DAY)
    await ledger.at(MIDNIGHT + DAY)
    assert names(await decide(ledger, ask())) == ["vmta-2"]
