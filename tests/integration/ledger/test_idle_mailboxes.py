"""Mailboxes that would begin anew are forgotten, and no other."""

from policy.ledger.mailboxes import AT_ONCE, forget_idle, number
from policy.ledger.scripts import source
from policy.ledger_port import Granted
from policy.limits import DAY
from policy.mailbox import IDLE_DAYS
from policy.model import MailboxLimits
from tests.contract.asking import ask, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest

TODAY = MIDNIGHT // DAY + IDLE_DAYS + 1


async def started(url: str, **terms: object) -> RedisUnderTest:
    plan = generation(vmta(1, daily="unlimited"), tenants=(tenant(**terms),))
    return await RedisUnderTest.start(url, plan)


async def forget(ledger: RedisUnderTest) -> int:
    return await forget_idle(ledger.admin.client, ledger.admin.root, "acme", TODAY)


async def counts_for(ledger: RedisUnderTest, mailbox: str) -> str:
    [granted] = await decide(ledger, ask(mailbox=f"{mailbox}@acme.test"))
    assert isinstance(granted, Granted)
    return granted.mailbox


async def test_who_was_idle_for_a_month_takes_no_place_under_the_bound(valkey_url: str) -> None:
    ledger = await started(valkey_url, mailbox_bound=3)
    try:
        for mailbox in "ab":
            await counts_for(ledger, mailbox)
        await ledger.at(MIDNIGHT + DAY)
        await counts_for(ledger, "c")
        await ledger.at(MIDNIGHT + (IDLE_DAYS + 1) * DAY)
        assert await counts_for(ledger, "d") == "*"
        assert await forget(ledger) == 2
        assert await counts_for(ledger, "d") == "d@acme.test"
        assert await forget(ledger) == 0
        # c, d, and what all share.
        assert await number(ledger.admin.client, ledger.admin.root, "acme") == 3
    finally:
        await ledger.close()


async def test_one_that_sent_since_it_was_found_idle_keeps_its_count(valkey_url: str) -> None:
    limits = MailboxLimits(daily_max=2)
    ledger = await started(valkey_url, mailbox_default=limits)
    try:
        await counts_for(ledger, "a")
        await ledger.at(MIDNIGHT + (IDLE_DAYS + 1) * DAY)
        await counts_for(ledger, "a")
        arguments = ledger.admin.root, "acme", IDLE_DAYS, "a@acme.test", "nobody@acme.test"
        assert await ledger.admin.client.eval(source("idle"), 1, *map(str, arguments)) == 0  # type: ignore[misc]
        answers = await decide(ledger, *[ask(mailbox="a@acme.test")] * 2)
        assert names(answers) == ["vmta-1", "mailbox_max"]
    finally:
        await ledger.close()


async def test_any_number_is_forgotten_at_once(valkey_url: str) -> None:
    ledger = await started(valkey_url)
    try:
        await counts_for(ledger, "a")
        key = f"{ledger.admin.root}boxes:acme"
        record = await ledger.admin.client.hget(key, "a@acme.test")  # type: ignore[misc]
        many = {f"m{place}@acme.test": record for place in range(3 * AT_ONCE)}
        await ledger.admin.client.hset(key, mapping=many)  # type: ignore[misc]
        await ledger.at(MIDNIGHT + (IDLE_DAYS + 1) * DAY)
        assert await forget(ledger) == 3 * AT_ONCE + 1
    finally:
        await ledger.close()
