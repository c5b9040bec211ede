"""Limits of single mailboxes: ramp, maximum, spacing with jitter, who counts for which."""

from unittest.mock import AsyncMock

import pytest

from policy.denial import Denied
from policy.ledger.admin import LedgerAdmin
from policy.ledger.publishing import Publishing
from policy.ledger_port import Decision, Refund
from policy.limits import DAY, HOUR
from policy.mailbox import IDLE_DAYS
from policy.model import MailboxLimits, Tenant
from policy.plan import Generation
from tests.contract.asking import ask, decide, names
from tests.contract.asking import charge as granted
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, LedgerUnderTest, RedisUnderTest, Start

ANNA, BERT = "anna@acme.test", "bert@acme.test"
TODAY = MIDNIGHT // DAY


def denied(decision: Decision) -> Denied:
    assert isinstance(decision, Denied), decision
    return decision


async def started(start: Start, **terms: object) -> LedgerUnderTest:
    return await start(generation(vmta(1, daily="unlimited"), tenants=(tenant(**terms),)))


async def sends(ledger: LedgerUnderTest, mailbox: str, most: int = 30) -> tuple[int, Denied]:
    """How many go until one is denied, and that."""
    answers = await decide(ledger, *[ask(mailbox=mailbox)] * most)
    found = [one for one in answers if isinstance(one, Denied)]
    return len(answers) - len(found), found[0]


async def test_a_ramp_is_a_stage_a_week_from_the_first_message_on(start: Start) -> None:
    ledger = await started(start, mailbox_ramp=(2, 5, 9))
    for day, most in ((0, 2), (6, 2), (7, 5), (13, 5), (14, 9), (40, 9)):
        await ledger.at(MIDNIGHT + day * DAY + HOUR)
        count, why = await sends(ledger, ANNA)
        assert (count, why.limit, why.bound) == (most, "mailbox_ramp", most), day
        assert (why.subject, why.until) == (ANNA, MIDNIGHT + (day + 1) * DAY)
    # Whoever comes later begins later.
    count, _ = await sends(ledger, BERT)
    assert count == 2


async def test_the_lower_of_maximum_and_ramp_binds_and_a_minimum_raises_neither(
    start: Start,
) -> None:
    common = MailboxLimits(daily_max=3, daily_min=30)
    ledger = await started(start, mailbox_default=common, mailbox_ramp=(2, 5))
    assert (await sends(ledger, ANNA))[0] == 2
    await ledger.at(MIDNIGHT + 7 * DAY)
    count, why = await sends(ledger, ANNA)
    assert (count, why.limit) == (3, "mailbox_max")


async def test_a_mailbox_has_a_ramp_of_its_own_or_none_and_may_be_on_its_way(start: Start) -> None:
    own = {
        ANNA: MailboxLimits(ramp=(1, 4)),
        BERT: MailboxLimits(ramp=(), daily_max=7),
        "old@acme.test": MailboxLimits(ramp_from=TODAY - 7),
        "soon@acme.test": MailboxLimits(ramp_from=TODAY + 2),
    }
    ledger = await started(start, mailboxes=own, mailbox_ramp=(2, 5))
    found = [(await sends(ledger, name))[0] for name in own]
    assert found == [1, 7, 5, 2]


async def test_what_a_mailbox_does_not_say_is_the_tenants(start: Start) -> None:
    own = {
        ANNA: MailboxLimits(spacing=0.0),
        BERT: MailboxLimits(daily_max=9),
        "c@acme.test": MailboxLimits(spacing=30.0),
    }
    common = MailboxLimits(daily_max=2, spacing=60.0, spacing_max=61.0)
    ledger = await started(start, mailboxes=own, mailbox_default=common)
    found = {name: await sends(ledger, name) for name in own}
    assert [(count, why.limit.value) for count, why in found.values()] == [
        (2, "mailbox_max"), (1, "mailbox_spacing"), (1, "mailbox_spacing"),
    ]  # fmt: skip
    gaps = [why.until - MIDNIGHT for _, why in list(found.values())[1:]]
    assert 60_000 <= gaps[0] <= 66_000
    assert 30_000 <= gaps[1] <= 35_000


async def test_days_a_stage_are_the_tenants(start: Start) -> None:
    ledger = await started(start, mailbox_ramp=(1, 2, 3), mailbox_ramp_days=2)
    for day, most in ((0, 1), (1, 1), (2, 2), (4, 3)):
        await ledger.at(MIDNIGHT + day * DAY + HOUR)
        assert (await sends(ledger, ANNA))[0] == most


@pytest.mark.parametrize(("idle", "most"), [(IDLE_DAYS, 5), (IDLE_DAYS + 1, 2)])
async def test_a_mailbox_that_was_idle_begins_anew(start: Start, idle: int, most: int) -> None:
    ledger = await started(start, mailbox_ramp=(2, 5))
    await decide(ledger, ask(mailbox=ANNA))
    await ledger.at(MIDNIGHT + idle * DAY)
    assert (await sends(ledger, ANNA))[0] == most


async def test_a_gap_is_drawn_between_its_bounds_and_said_again_alike(start: Start) -> None:
    limits = MailboxLimits(spacing=60.0, spacing_max=180.0)
    ledger = await started(start, mailbox_default=limits)
    gaps, now = set(), MIDNIGHT
    for _ in range(12):
        await ledger.at(now)
        [sent] = await decide(ledger, ask(mailbox=ANNA))
        first = denied((await decide(ledger, ask(mailbox=ANNA)))[0])
        await ledger.at(now + 50_000)
        again = denied((await decide(ledger, ask(mailbox=ANNA)))[0])
        assert first == again
        assert first.limit == "mailbox_spacing"
        gaps.add(first.until - granted(sent).at)
        await ledger.at(first.until - 2_000)
        assert names(await decide(ledger, ask(mailbox=ANNA))) == ["mailbox_spacing"]
        now = first.until
    assert all(60_000 <= gap <= 180_000 for gap in gaps)
    assert len(gaps) > 6


async def test_a_refusal_charges_nothing(start: Start) -> None:
    ledger = await started(start, mailbox_ramp=(2,), mailbox_default=MailboxLimits(daily_max=5))
    assert names(await decide(ledger, ask((("other", 3),), mailbox=ANNA))) == ["mailbox_ramp"]
    assert await ledger.used("192.0.2.1") == 0
    assert (await sends(ledger, ANNA))[0] == 2


@pytest.mark.parametrize("unknown", ["refuse", "shared"])
async def test_mailboxes_are_discovered_only_where_the_tenant_allows(
    start: Start, unknown: str
) -> None:
    own = {ANNA: MailboxLimits(daily_max=9)}
    ledger = await started(
        start,
        mailboxes=own,
        mailbox_unknown=unknown,
        mailbox_default=MailboxLimits(daily_max=1),
    )
    batch = await decide(ledger, *[ask(mailbox=name) for name in (ANNA, ANNA, BERT, BERT)])
    if unknown == "refuse":
        assert names(batch) == ["vmta-1", "vmta-1", "mailbox_unknown", "mailbox_unknown"]
        assert denied(batch[2]).until == 0
        assert await ledger.used("192.0.2.1") == 2
        # What has no readable sender counts for the shared one, whoever is unknown.
        assert names(await decide(ledger, ask(mailbox="*"))) == ["vmta-1"]
    else:
        assert names(batch) == ["vmta-1", "vmta-1", "vmta-1", "mailbox_max"]
        assert granted(batch[2]).mailbox == denied(batch[3]).subject == "*"


async def test_an_unknown_mailbox_is_refused_whatever_else_binds(start: Start) -> None:
    ledger = await started(start, mailbox_unknown="refuse", paused=True)
    assert names(await decide(ledger, ask(mailbox=ANNA))) == ["mailbox_unknown"]


async def test_a_refund_after_midnight_is_of_the_day_before(start: Start) -> None:
    ledger = await started(start, mailbox_default=MailboxLimits(daily_max=2))
    await ledger.at(MIDNIGHT + DAY - 10_000)
    [late] = await decide(ledger, ask(mailbox=ANNA))
    await ledger.at(MIDNIGHT + DAY + 10_000)
    mixed = await decide(ledger, ask(mailbox=ANNA), Refund(granted(late)), *[ask(mailbox=ANNA)] * 2)
    assert names(mixed) == ["vmta-1", "-", "vmta-1", "mailbox_max"]


async def test_a_refund_first_in_a_batch_leaves_the_limits_of_others(start: Start) -> None:
    own = {ANNA: MailboxLimits(daily_max=1), BERT: MailboxLimits(daily_max=1)}
    ledger = await started(start, mailboxes=own)
    [sent] = await decide(ledger, ask(mailbox=ANNA))
    batch = [Refund(granted(sent)), *[ask(mailbox=BERT)] * 2, *[ask(mailbox=ANNA)] * 2]
    assert names(await decide(ledger, *batch)) == [
        "-", "vmta-1", "mailbox_max", "vmta-1", "mailbox_max",
    ]  # fmt: skip


def test_a_tenant_says_nothing_unless_it_is_set() -> None:
    assert (Tenant(name="a", default_pool="a").mailbox_ramp, MailboxLimits().ramp) == ((), None)


async def test_mailboxes_lie_there_once_and_outlive_a_publication_that_failed(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(number: int, most: int) -> Generation:
        own = {ANNA: MailboxLimits(daily_max=most)}
        return generation(number=number, tenants=(tenant(mailboxes=own),))

    ledger = await RedisUnderTest.start(valkey_url, plan(1, 1))
    client, root = ledger.admin.client, ledger.admin.root
    [first] = await client.keys(f"{root}mailboxes:*")
    # Written, and nobody published it: those in force stay for good, these end by themselves.
    with monkeypatch.context() as patch:
        patch.setattr(Publishing, "_put_in_force", AsyncMock(side_effect=ConnectionError))
        with pytest.raises(ConnectionError):
            await LedgerAdmin(client).publish(plan(2, 2))
    [second] = set(await client.keys(f"{root}mailboxes:*")) - {first}
    assert await client.ttl(first) == -1
    assert 0 < await client.ttl(second) <= 3600
    await ledger.publish(plan(3, 3))
    names_now = set(await client.keys(f"{root}mailboxes:*")) - {second}
    assert first not in names_now
    assert len(names_now) == 1
    assert await client.ttl(names_now.pop()) == -1
    assert (await sends(ledger, ANNA))[0] == 3
    other = generation(number=4, tenants=(tenant("other"),), pools=())
    assert await client.exists(f"{root}boxes:acme")
    await ledger.publish(other)
    assert await client.exists(f"{root}boxes:acme") == 0
    await ledger.close()


async def test_a_clock_put_back_over_midnight_opens_no_day_again(start: Start) -> None:
    """What both days count is known of each, also when what was sent after midnight never went."""
    ledger = await started(start, mailbox_default=MailboxLimits(daily_max=3))
    evening, morning = MIDNIGHT + DAY - 20_000, MIDNIGHT + DAY + 1_000
    await ledger.at(evening)
    assert (await sends(ledger, ANNA))[0] == 3
    await decide(ledger, *[ask(mailbox=BERT)] * 2)
    await ledger.at(morning)
    given_back, _ = await decide(ledger, ask(mailbox=ANNA), ask(mailbox=BERT))
    await decide(ledger, Refund(granted(given_back)))
    await ledger.at(evening + 10_000)
    for mailbox, left in ((ANNA, 0), (BERT, 1)):
        count, why = await sends(ledger, mailbox)
        assert (count, why.limit, why.used) == (left, "mailbox_max", 3)
    await ledger.at(morning + 20_000)
    assert [(await sends(ledger, mailbox))[0] for mailbox in (ANNA, BERT)] == [3, 2]


async def test_a_clock_put_back_spaces_a_mailbox_from_now_on_and_counts_what_it_sent(
    start: Start,
) -> None:
    common = MailboxLimits(daily_max=3, spacing=60.0)
    own = {BERT: MailboxLimits(daily_max=3, spacing=0.0)}
    ledger = await started(start, mailbox_default=common, mailboxes=own)
    await ledger.at(MIDNIGHT + 9 * DAY)
    await decide(ledger, ask(mailbox=ANNA), ask(mailbox=BERT))
    await ledger.at(MIDNIGHT)
    why = denied((await decide(ledger, ask(mailbox=ANNA)))[0])
    assert why.limit == "mailbox_spacing"
    assert why.until - MIDNIGHT <= 65_000
    await ledger.at(MIDNIGHT + 30_000)
    assert denied((await decide(ledger, ask(mailbox=ANNA)))[0]).until == why.until
    for mailbox in (ANNA, BERT):
        await ledger.at(why.until)
        assert names(await decide(ledger, ask(mailbox=mailbox))) == ["vmta-1"]
    count, why = await sends(ledger, BERT)
    assert (count, why.limit, why.used) == (1, "mailbox_max", 3)
