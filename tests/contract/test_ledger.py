"""What every ledger promises: the memory twin and the real one pass the same cases."""

import asyncio

import msgspec
import pytest

from policy.denial import Denied, Limit
from policy.ledger_port import Decision, Granted, LedgerClosedError, Refund
from policy.limits import DAY, HOUR, MINUTE
from policy.model import MailboxLimits, Pool, Rate, Window
from policy.plan import Generation
from tests.contract.asking import GMAIL, OTHER, ask, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest, Start


def denied(decision: Decision) -> Denied:
    assert isinstance(decision, Denied), decision
    return decision


def granted(decision: Decision) -> Granted:
    assert isinstance(decision, Granted), decision
    return decision


async def test_the_quota_is_exact_and_the_denial_names_it(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=3)))
    decisions = await decide(ledger, *[ask()] * 5)
    assert names(decisions) == ["vmta-1"] * 3 + ["ip_quota"] * 2
    last = denied(decisions[-1])
    assert (last.subject, last.bound, last.used) == ("vmta-1", 3, 3)
    assert last.until == MIDNIGHT + DAY


async def test_a_new_day_opens_the_quota_again(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=1)))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]
    await ledger.at(MIDNIGHT + DAY)
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]


async def test_a_provider_ceiling_stands_under_the_quota(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=4, ceilings={"gmail": 2})))
    first = await decide(ledger, ask(), ask(), ask())
    assert names(first) == ["vmta-1", "vmta-1", "ip_provider"]
    assert denied(first[2]).subject == "vmta-1/gmail"
    assert names(await decide(ledger, *[ask(OTHER)] * 3)) == ["vmta-1", "vmta-1", "ip_quota"]


async def test_the_ip_with_the_lowest_share_used_goes_first(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2), vmta(2, daily=4)))
    decisions = names(await decide(ledger, *[ask()] * 6))
    assert decisions == ["vmta-1", "vmta-2", "vmta-2", "vmta-1", "vmta-2", "vmta-2"]


@pytest.mark.parametrize("size", [1, 5, 20])
async def test_an_ip_of_a_large_quota_takes_a_few_in_a_row(start: Start, size: int) -> None:
    """Three of 3,000 a day; one of 1,999 takes turns."""
    ledger = await start(
        generation(vmta(1, daily=3000), vmta(2, daily=3000), vmta(3, daily=1999, weight=1.5))
    )
    decisions: list[str] = []
    while len(decisions) < 20:
        decisions += names(await decide(ledger, *[ask()] * size))
    assert decisions == [
        f"vmta-{n}" for n in (1, 1, 1, 2, 2, 2, 3, 3, 3, 1, 1, 1, 2, 2, 2, 3, 3, 3, 1, 1)
    ]


async def test_a_row_ends_where_a_limit_binds(start: Start) -> None:
    ledger = await start(
        generation(
            vmta(1, daily=10_000, ceilings={"gmail": 2}),
            vmta(2, daily=10_000),
            vmta(3, daily=10_000),
        )
    )
    await ledger.set_opening("192.0.2.2", 9997, {})
    await ledger.set_opening("192.0.2.3", 9998, {})
    batch = await decide(ledger, *[ask()] * 7)
    assert names(batch) == ["vmta-1"] * 2 + ["vmta-2"] * 3 + ["vmta-3"] * 2
    assert names(await decide(ledger, ask()))[0] in ("ip_provider", "ip_quota")
    assert names(await decide(ledger, ask(OTHER))) == ["vmta-1"]


async def test_weights_divide_traffic(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=100, weight=3.0), vmta(2, daily=100)))
    decisions = names(await decide(ledger, *[ask()] * 40))
    assert decisions.count("vmta-1") == 30


async def test_an_unlimited_ip_is_never_denied_and_shares_with_its_peers(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily="unlimited"), vmta(2, daily="unlimited")))
    decisions = names(await decide(ledger, *[ask()] * 100))
    assert sorted(set(decisions)) == ["vmta-1", "vmta-2"]
    assert decisions.count("vmta-1") == 50


async def test_a_quota_of_zero_sends_nothing(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=0)))
    assert names(await decide(ledger, ask())) == ["ip_quota"]


@pytest.mark.parametrize("state", ["new", "paused", "retiring"])
async def test_an_ip_that_may_not_send_is_not_chosen(start: Start, state: str) -> None:
    plan = generation(vmta(1, state=state), vmta(2, daily=1))
    ledger = await start(msgspec.convert(msgspec.to_builtins(plan), Generation))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-2", "ip_quota"]
    none = generation(number=2, pools=(Pool(name="acme-pool", tenant="acme"),))
    await ledger.publish(none)
    assert names(await decide(ledger, ask())) == ["no_ip"]


async def test_paused_tenants_and_pools_are_named(start: Start) -> None:
    ledger = await start(generation(tenants=(tenant(paused=True),)))
    assert names(await decide(ledger, ask())) == ["tenant_paused"]
    pool = Pool(name="acme-pool", tenant="acme", members=("vmta-1",), paused=True)
    await ledger.publish(generation(number=2, pools=(pool,)))
    assert names(await decide(ledger, ask())) == ["pool_paused"]


async def test_while_all_is_stopped_nothing_is_granted_and_nothing_charged(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=2)))
    assert names(await decide(ledger, ask())) == ["vmta-1"]
    await ledger.publish(generation(vmta(1, daily=2), number=2, stopped=True))
    (met,) = await decide(ledger, ask())
    assert denied(met) == Denied(Limit.STOPPED, "", 0, 0, 0)
    assert denied(met).sentence() == "all sending is stopped by an operator"
    await ledger.publish(generation(vmta(1, daily=2), number=3))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]


async def test_the_overflow_pool_takes_what_the_pool_may_not_send(start: Start) -> None:
    pools = (
        Pool(name="acme-pool", tenant="acme", members=("vmta-1",), overflow="warm"),
        Pool(name="warm", tenant="acme", members=("vmta-2",)),
    )
    ledger = await start(generation(vmta(1, daily=1), vmta(2, daily=2), pools=pools))
    decisions = names(await decide(ledger, *[ask()] * 4))
    assert decisions == ["vmta-1", "vmta-2", "vmta-2", "ip_quota"]


async def test_another_tenants_pool_is_unknown(start: Start) -> None:
    plan = generation(
        tenants=(tenant(), tenant("globex")),
        pools=(
            Pool(name="acme-pool", tenant="acme", members=("vmta-1",)),
            Pool(name="globex-pool", tenant="globex"),
        ),
    )
    ledger = await start(plan)
    stranger = ask(tenant="globex", pool="acme-pool")
    assert names(await decide(ledger, stranger, ask(pool="nowhere"))) == ["unknown_pool"] * 2


async def test_pace_spreads_a_day_after_a_burst(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=48, hourly_share=0.125)))
    decisions = await decide(ledger, *[ask()] * 7)
    assert names(decisions) == ["vmta-1"] * 6 + ["ip_pace"]
    until = denied(decisions[-1]).until
    assert MIDNIGHT + 29 * MINUTE < until <= MIDNIGHT + 31 * MINUTE  # 24 h / 48
    await ledger.at(until + 1000)
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_pace"]


async def test_a_paced_day_never_exceeds_its_quota(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=20, hourly_share=0.25)))
    sent = 0
    for hour in range(24):
        await ledger.at(MIDNIGHT + hour * HOUR + 1000)
        sent += names(await decide(ledger, *[ask()] * 20)).count("vmta-1")
    assert sent == 20
    assert await ledger.used("192.0.2.1") == 20


async def test_outside_the_sending_hours_nothing_goes(start: Start) -> None:
    # Nine to five, two hours east of UTC: 07:00 to 15:00 UTC.
    window = Window(start=9 * 3600, length=8 * 3600, offsets=((0, 7200),))
    plan = generation(vmta(1, daily=8, hourly_share=0.125), tenants=(tenant(window=window),))
    ledger = await start(plan)
    first = denied((await decide(ledger, ask()))[0])
    assert (first.limit, first.until) == (Limit.WINDOW, MIDNIGHT + 7 * HOUR)
    await ledger.at(MIDNIGHT + 7 * HOUR + 1000)
    paced = await decide(ledger, ask(), ask())
    assert names(paced) == ["vmta-1", "ip_pace"]
    assert abs(denied(paced[1]).until - (MIDNIGHT + 8 * HOUR)) < 5000
    await ledger.at(MIDNIGHT + 15 * HOUR + 1000)
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + DAY + 7 * HOUR


async def test_a_night_of_change_before_the_sending_hours_is_minded(start: Start) -> None:
    change, back = MIDNIGHT + DAY + HOUR, MIDNIGHT + 2 * DAY + HOUR
    offsets = ((0, 3600), (change // 1000, 7200), (back // 1000, 3600))
    window = Window(start=9 * 3600, length=8 * 3600, offsets=offsets)
    ledger = await start(generation(vmta(1), tenants=(tenant(window=window),)))
    await ledger.at(MIDNIGHT + 20 * HOUR)
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + DAY + 7 * HOUR
    await ledger.at(MIDNIGHT + DAY + 20 * HOUR)
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + 2 * DAY + 8 * HOUR


async def test_the_night_the_clocks_change_has_its_true_hours(start: Start) -> None:
    """One hour on at 01:00 UTC of the first night, back at 01:00 UTC of the second, as in Paris."""
    change, back = MIDNIGHT + DAY + HOUR, MIDNIGHT + 2 * DAY + HOUR
    window = Window(
        start=3600,
        length=3 * 3600,
        offsets=((0, 3600), (change // 1000, 7200), (back // 1000, 3600)),
    )
    row = vmta(1, daily=6, hourly_share=1 / 6)
    ledger = await start(generation(row, tenants=(tenant(window=window),)))
    await ledger.at(MIDNIGHT + 12 * HOUR)
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + DAY
    await ledger.at(MIDNIGHT + DAY + 2 * HOUR)  # 04:00 of the short night
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + 2 * DAY - HOUR
    await ledger.at(MIDNIGHT + 2 * DAY + 10 * MINUTE)  # 02:10 of the long one, for the first time
    paced = await decide(ledger, ask(), ask())
    assert names(paced) == ["vmta-1", "ip_pace"]
    assert abs(denied(paced[1]).until - (MIDNIGHT + 2 * DAY + 40 * MINUTE)) < 5000
    await ledger.at(MIDNIGHT + 2 * DAY + 58 * MINUTE)  # 02:58; the next 30 minutes come twice
    paced = await decide(ledger, ask(), ask())
    assert names(paced) == ["vmta-1", "ip_pace"]
    until = denied(paced[1]).until
    assert abs(until - (MIDNIGHT + 2 * DAY + 2 * HOUR + 28 * MINUTE)) < 5000
    await ledger.at(until)
    assert names(await decide(ledger, ask())) == ["vmta-1"]
    await ledger.at(MIDNIGHT + 2 * DAY + 3 * HOUR)  # 04:00
    assert denied((await decide(ledger, ask()))[0]).until == MIDNIGHT + 3 * DAY


async def test_a_mailbox_has_a_daily_maximum_and_a_spacing(start: Start) -> None:
    limits = {
        "max@acme.test": MailboxLimits(daily_max=2),
        "slow@acme.test": MailboxLimits(spacing=600.0),
    }
    ledger = await start(generation(tenants=(tenant(mailboxes=limits),)))
    capped = await decide(ledger, *[ask(mailbox="max@acme.test")] * 3)
    assert names(capped) == ["vmta-1", "vmta-1", "mailbox_max"]
    assert denied(capped[2]).subject == "max@acme.test"
    slow = await decide(ledger, *[ask(mailbox="slow@acme.test")] * 2)
    assert names(slow) == ["vmta-1", "mailbox_spacing"]
    assert abs(denied(slow[1]).until - (MIDNIGHT + 10 * MINUTE)) < 5000
    await ledger.at(MIDNIGHT + 11 * MINUTE)
    assert names(await decide(ledger, ask(mailbox="slow@acme.test"))) == ["vmta-1"]


async def test_mailboxes_beyond_the_bound_share_one(start: Start) -> None:
    limits = MailboxLimits(daily_max=1)
    ledger = await start(generation(tenants=(tenant(mailbox_default=limits, mailbox_bound=2),)))
    boxes = [ask(mailbox=f"m{n}@acme.test") for n in range(4)]
    decisions = await decide(ledger, *boxes)
    assert names(decisions) == ["vmta-1"] * 3 + ["mailbox_max"]
    assert granted(decisions[2]).mailbox == "*"


async def test_tenant_and_global_rates_are_of_any_minute_and_hour(start: Start) -> None:
    plan = generation(tenants=(tenant(rate=Rate(minute=2, hour=3)),), rate=Rate(hour=4))
    ledger = await start(plan)
    first = await decide(ledger, *[ask()] * 3)
    assert names(first) == ["vmta-1", "vmta-1", "tenant_minute"]
    assert MIDNIGHT + MINUTE <= denied(first[2]).until < MIDNIGHT + MINUTE + 1000
    await ledger.at(MIDNIGHT + MINUTE + 1000)
    second = await decide(ledger, ask(), ask())
    assert names(second) == ["vmta-1", "tenant_hour"]
    assert MIDNIGHT + HOUR <= denied(second[1]).until < MIDNIGHT + HOUR + 1000
    await ledger.publish(generation(number=2, rate=Rate(hour=4)))
    third = await decide(ledger, ask(), ask())
    assert names(third) == ["vmta-1", "global_hour"]


async def test_recipients_are_counted_and_charged_all_or_none(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=6, ceilings={"gmail": 2})))
    mixed = (("gmail", 2), ("other", 1))
    assert names(await decide(ledger, ask(mixed), ask(mixed))) == ["vmta-1", "ip_provider"]
    assert await ledger.used("192.0.2.1") == 3
    assert names(await decide(ledger, ask((("other", 4),)))) == ["ip_quota"]
    assert names(await decide(ledger, ask((("other", 3),)))) == ["vmta-1"]
    assert await ledger.used("192.0.2.1") == 6


async def test_a_message_too_big_for_the_burst_goes_when_the_bucket_is_full(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=40, hourly_share=0.1)))
    ten = ask((("other", 10),))
    assert names(await decide(ledger, ten, ask())) == ["vmta-1", "ip_pace"]


async def test_a_refund_gives_back_once_and_everywhere(start: Start) -> None:
    limits = {"anna@acme.test": MailboxLimits(daily_max=1)}
    one = tenant(mailboxes=limits, rate=Rate(minute=1))
    ledger = await start(generation(vmta(1, daily=1, ceilings={"gmail": 1}), tenants=(one,)))
    [charge] = await decide(ledger, ask())
    assert names(await decide(ledger, ask())) == ["tenant_minute"]
    assert names(await decide(ledger, Refund(granted(charge)), ask())) == ["-", "vmta-1"]
    assert await ledger.used("192.0.2.1") == 1


async def test_a_refund_gives_the_spacing_back_so_that_another_ip_may_try(start: Start) -> None:
    limits = {"slow@acme.test": MailboxLimits(spacing=600.0)}
    ledger = await start(generation(vmta(1), vmta(2), tenants=(tenant(mailboxes=limits),)))
    slow = ask(mailbox="slow@acme.test")
    [first] = await decide(ledger, slow)
    again = await decide(ledger, Refund(granted(first)), slow, slow)
    assert names(again) == ["-", "vmta-1", "mailbox_spacing"]
    await ledger.at(MIDNIGHT + 11 * MINUTE)
    [second] = await decide(ledger, slow)
    # Back to the spacing that the message before it began, not to none at all.
    await decide(ledger, Refund(granted(second)))
    await ledger.at(MIDNIGHT + 9 * MINUTE)
    assert names(await decide(ledger, slow)) == ["mailbox_spacing"]


async def test_spacing_holds_over_midnight(start: Start) -> None:
    limits = {"slow@acme.test": MailboxLimits(spacing=600.0)}
    ledger = await start(generation(tenants=(tenant(mailboxes=limits),)))
    await ledger.at(MIDNIGHT + DAY - 2 * MINUTE)
    slow = ask(mailbox="slow@acme.test")
    assert names(await decide(ledger, slow)) == ["vmta-1"]
    await ledger.at(MIDNIGHT + DAY + 2 * MINUTE)
    assert names(await decide(ledger, slow)) == ["mailbox_spacing"]
    await ledger.at(MIDNIGHT + DAY + 9 * MINUTE)
    assert names(await decide(ledger, slow)) == ["vmta-1"]


async def test_every_key_of_a_day_expires(valkey_url: str) -> None:
    """Under noeviction a key without an end is a leak that ends in a full server."""
    limits = MailboxLimits(daily_max=50, spacing=0.0)
    paced = generation(
        vmta(1, daily=48, hourly_share=0.1),
        tenants=(tenant(mailbox_default=limits, rate=Rate(minute=100, hour=100)),),
    )
    ledger = await RedisUnderTest.start(valkey_url, paced)
    for hour in range(0, 20, 2):
        await ledger.at(MIDNIGHT + hour * HOUR + 1000)
        keyed = msgspec.structs.replace(ask(), key=f"{hour:032x}", owner="one", attempt=1)
        decisions = await decide(ledger, *[ask()] * 5, keyed)
        await decide(ledger, *[Refund(d) for d in decisions[:1] if isinstance(d, Granted)])
    client, root = ledger.admin.client, ledger.admin.root
    kept = ("inc", "gen", "gen:1", "published", "plan:1", "pace", "offset", "entries", "parts")
    lasting = {f"{root}{name}" for name in kept}
    lasting |= {key.decode() for key in await client.keys(f"{root}part:*")}
    for key in await client.keys(f"{root}*"):
        if key.decode() not in lasting:
            assert await client.ttl(key) > 0, key
    await ledger.close()


async def test_batches_that_overtake_each_other_are_no_step_back(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, generation())
    # As many as there are connections: more would wait for one, and no longer than the budget.
    answers = await asyncio.gather(*(ledger.ledger.decide([ask()]) for _ in range(16)))
    assert len({answer.sequence for answer in answers}) == 16
    assert (await ledger.ledger.decide([])).sequence == max(a.sequence for a in answers) + 1
    await ledger.close()


async def test_a_refund_wakes_an_ip_that_was_full_for_every_provider(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=1)))
    [charge] = await decide(ledger, ask(GMAIL))
    assert names(await decide(ledger, ask(GMAIL), ask(OTHER))) == ["ip_quota", "ip_quota"]
    again = await decide(ledger, Refund(granted(charge)), ask(OTHER), ask(GMAIL))
    assert names(again) == ["-", "vmta-1", "ip_quota"]


async def test_hazard_7_a_refund_after_midnight_belongs_to_the_day_of_its_grant(
    start: Start,
) -> None:
    ledger = await start(generation(vmta(1, daily=2)))
    [charge] = await decide(ledger, ask())
    await ledger.at(MIDNIGHT + DAY + 1000)
    await decide(ledger, ask(), Refund(granted(charge)))
    assert await ledger.used("192.0.2.1") == 1
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]


async def test_hazard_7_a_repeated_batch_changes_nothing_and_answers_the_same(
    start: Start,
) -> None:
    ledger = await start(generation(vmta(1, daily=10)))
    first = await ledger.batch("b1", [ask(), ask()])
    again = await ledger.batch("b1", [ask(), ask()])
    assert again.decisions == first.decisions
    assert await ledger.used("192.0.2.1") == 2
    back = [Refund(granted(first.decisions[0]))]
    await ledger.batch("b2", back)
    await ledger.batch("b2", back)
    assert await ledger.used("192.0.2.1") == 1


async def test_hazard_7_a_refund_at_another_incarnation_changes_nothing(start: Start) -> None:
    ledger = await start(generation())
    [charge] = await decide(ledger, ask())
    stranger = msgspec.structs.replace(granted(charge), incarnation="another")
    await decide(ledger, Refund(stranger))
    assert await ledger.used("192.0.2.1") == 1


async def test_hazard_11_another_incarnation_is_closed(start: Start) -> None:
    ledger = await start(generation())
    with pytest.raises(LedgerClosedError):
        await ledger.batch("b1", [ask()], incarnation="another")
    assert await ledger.used("192.0.2.1") == 0


async def test_hazard_12_a_new_generation_binds_at_once_and_keeps_counts(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=5)))
    await decide(ledger, *[ask()] * 3)
    renamed = vmta(1, name="vmta-renamed", daily=4)
    await ledger.publish(generation(renamed, number=2))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-renamed", "ip_quota"]


async def test_an_opening_count_shrinks_the_day_and_grows_it_again(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=5, ceilings={"gmail": 4})))
    await ledger.set_opening("192.0.2.1", 4, {"gmail": 4})
    assert names(await decide(ledger, ask(GMAIL), ask(OTHER), ask(OTHER))) == [
        "ip_provider",
        "vmta-1",
        "ip_quota",
    ]
    await ledger.set_opening("192.0.2.1", 1, {"gmail": 1})
    assert names(await decide(ledger, *[ask(GMAIL)] * 4)) == ["vmta-1"] * 3 + ["ip_quota"]


async def test_servers_that_are_away_and_broken_virtual_mtas_are_skipped(start: Start) -> None:
    plan = generation(vmta(1), vmta(2, server="pmta2"))
    second = msgspec.structs.replace(plan.servers[0], name="pmta2")
    plan = msgspec.structs.replace(plan, servers=(*plan.servers, second))
    ledger = await start(plan)
    away = ask(away=("pmta1",))
    assert set(names(await decide(ledger, *[away] * 4))) == {"vmta-2"}
    assert set(names(await decide(ledger, *[ask(broken=("vmta-2",))] * 4))) == {"vmta-1"}
    assert names(await decide(ledger, ask(away=("pmta1", "pmta2")))) == ["server_away"]


async def test_a_dry_run_decides_alike_and_charges_nothing(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=1)))
    assert names(await decide(ledger, *[ask(dry=True)] * 3)) == ["vmta-1"] * 3
    assert await ledger.used("192.0.2.1") == 0
    assert names(await decide(ledger, ask(), ask(dry=True))) == ["vmta-1", "ip_quota"]


async def test_a_partial_refund_gives_back_some_recipients_and_leaves_the_spacing(
    start: Start,
) -> None:
    """Some recipients were refused, the others got it: the IP and the mailbox did send."""
    house = tenant(mailbox_default=MailboxLimits(daily_max=4, spacing=60.0), rate=Rate(minute=100))
    ledger = await start(generation(vmta(1, daily=4, ceilings={"gmail": 2}), tenants=(house,)))
    whole = granted((await decide(ledger, ask((("gmail", 2), ("other", 2)))))[0])
    part = whole.part((("gmail", 1), ("other", 1)))
    await decide(ledger, Refund(part))
    # Spacing first: the mailbox sent at that moment, to the others.
    assert names(await decide(ledger, ask())) == ["mailbox_spacing"]
    await ledger.at(MIDNIGHT + 90_000)
    again = await decide(ledger, ask((("gmail", 2),)), ask((("gmail", 1), ("other", 1))))
    assert names(again) == ["ip_provider", "vmta-1"]
    await ledger.at(MIDNIGHT + 180_000)
    assert names(await decide(ledger, ask(OTHER))) == ["mailbox_max"]


async def test_the_rest_of_a_partial_refund_is_the_whole(start: Start) -> None:
    house = tenant(mailbox_default=MailboxLimits(daily_max=4, spacing=60.0))
    ledger = await start(generation(vmta(1, daily=4), tenants=(house,)))
    whole = granted((await decide(ledger, ask((("gmail", 3), ("other", 1)))))[0])
    part = whole.part((("gmail", 1), ("other", 1)))
    await decide(ledger, Refund(part))
    await decide(ledger, Refund(whole.without(part)))
    assert names(await decide(ledger, ask((("gmail", 4),)))) == ["vmta-1"]
