"""A publication writes what a plan differs in, and what lies there then is the whole."""

import random
from typing import Any, cast
from unittest.mock import AsyncMock

import msgspec
import pytest

from policy.division import Divider
from policy.ledger import publishing
from policy.ledger.admin import LedgerAdmin
from policy.ledger.publishing import Publishing
from policy.model import MailboxLimits, Pool
from policy.plan import Generation, encode
from tests.contract.asking import ask, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import RedisUnderTest


def plan(number: int, dice: random.Random) -> Generation:
    """Tenants, IPs and mailboxes that come, change and go."""
    tenants = ["acme", *(name for name in ("beta", "gamma") if dice.random() < 0.7)]
    boxes = {name: dice.choice([0, 3, 40]) for name in tenants}
    return generation(
        *(vmta(n, daily=dice.choice([5, 9])) for n in range(1, 4) if n == 1 or dice.random() < 0.7),
        number=number,
        tenants=tuple(
            tenant(
                name,
                paused=dice.random() < 0.3,
                mailboxes={
                    f"m{n:03}@{name}.test": MailboxLimits(daily_max=dice.choice([1, 2]))
                    for n in range(boxes[name])
                },
            )
            for name in tenants
        ),
        pools=tuple(
            Pool(
                name=f"{name}-pool",
                tenant=name,
                members=("vmta-1",) if name == "acme" else (),
                paused=dice.random() < 0.3,
            )
            for name in tenants
        ),
    )


async def lies(admin: LedgerAdmin) -> dict[str, Any]:
    """All that a publication leaves, but for its word; what ends by itself is left out."""
    client, root = cast(Any, admin.client), admin.root
    found: dict[str, Any] = {}
    for key in sorted(await client.keys(f"{root}*")):
        name = key.decode().removeprefix(root)
        kind = name.partition(":")[0]
        lasts = await client.ttl(key) == -1
        if kind in ("plan", "mailboxes", "mailbox_digests") and lasts:
            found[name] = await client.hgetall(key)
        elif kind in ("part", "gen") and lasts:
            found[name] = await client.get(key)
        elif kind == "parts":
            found[name] = await client.smembers(key)
    return found


@pytest.mark.parametrize("most", [0, 20, 2_000])
async def test_step_by_step_lies_there_what_a_publication_writes_whole(
    valkey_url: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`most`: whether nothing, some or all is written as a difference; now and then another control
    node publishes between two."""
    monkeypatch.setattr(publishing, "MOST", most)
    dice, divider = random.Random(most), Divider()
    ledger = await RedisUnderTest.start(valkey_url, plan(1, dice))
    one, other = ledger.admin, LedgerAdmin(ledger.admin.client)
    whole = LedgerAdmin(ledger.admin.client, "whole")
    for number in range(2, 22):
        made = plan(number, dice)
        writer = other if number % 5 == 0 else one
        assert await writer.publish(made, divider.divide(made)) == number
        await whole.client.eval(  # nothing of what was before
            "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end",
            *(0, f"{whole.root.replace('{', '[{]').replace('}', '[}]')}*"),
        )
        assert await LedgerAdmin(whole.client, "whole").publish(made) == number
        assert await lies(one) == await lies(whole)
        found = await one.current()
        assert found is not None
        assert encode(found) == encode(made)
        assert await one.whole()
    await ledger.close()


def small(number: int, most: int, **changes: Any) -> Generation:
    own = {f"m{n}@acme.test": MailboxLimits(daily_max=most) for n in range(2)}
    return generation(number=number, tenants=(tenant(mailboxes=own, **changes),))


async def test_who_is_ended_before_the_switch_leaves_the_plan_in_force(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await RedisUnderTest.start(valkey_url, small(1, 1))
    before = await lies(ledger.admin)
    with monkeypatch.context() as patch:
        patch.setattr(Publishing, "_put_in_force", AsyncMock(side_effect=ConnectionError))
        for writer in (ledger.admin, LedgerAdmin(ledger.admin.client)):
            with pytest.raises(ConnectionError):
                await writer.publish(small(2, 2, paused=True))
    assert await lies(ledger.admin) == before
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    left = [k for k in await client.keys(f"{root}part:*") if await client.ttl(k) > 0]
    assert left, "what was written beside it ends by itself"
    assert names(await decide(ledger, ask(mailbox="m0@acme.test"))) == ["vmta-1"]
    await ledger.publish(small(3, 3))
    assert await ledger.admin.current() == small(3, 3)
    await ledger.close()


async def test_what_is_lost_of_a_plan_is_written_with_the_next(valkey_url: str) -> None:
    """A part, the rows, mailboxes: a difference holds only against what it was made from."""
    ledger = await RedisUnderTest.start(valkey_url, small(1, 1))
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    for number, lost in enumerate(("part:*", "plan:*", "mailboxes:*", "mailbox_digests"), 2):
        await client.delete(*await client.keys(f"{root}{lost}"))
        assert await ledger.admin.whole() is (lost != "part:*")
        made = small(number, number)
        await ledger.publish(made)
        assert await ledger.admin.whole()
        assert await ledger.admin.current() == made
        assert names(await decide(ledger, ask(mailbox="m0@acme.test"))) == ["vmta-1"]
    await ledger.close()


async def test_a_spoilt_part_is_written_again_when_all_is(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, small(1, 1))
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    part = (await client.keys(f"{root}part:*"))[0]
    await client.set(part, b"spoilt")
    assert await ledger.admin.publish(small(2, 1), afresh=True) == 2
    assert await ledger.admin.current() == small(2, 1)
    assert await client.ttl(part) == -1
    await ledger.close()


async def test_a_part_that_comes_back_while_it_ends_lasts(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, small(1, 1))
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    first = set(await client.keys(f"{root}part:*"))
    await ledger.publish(small(2, 2))
    went = [key for key in first if await client.ttl(key) != -1]
    assert len(went) == 1
    assert 0 < await client.ttl(went[0]) <= publishing.PREVIOUS_KEPT
    await ledger.publish(small(3, 1))
    assert [await client.ttl(key) for key in first] == [-1] * len(first)
    assert await ledger.admin.current() == small(3, 1)
    await ledger.close()


async def test_a_plan_of_a_version_before_is_read_and_followed(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, small(1, 1))
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    before = msgspec.structs.replace(small(1, 1), number=1)
    await client.set(f"{root}gen:1", encode(before))
    await client.delete(f"{root}parts", *await client.keys(f"{root}part:*"))
    assert await ledger.admin.whole()
    assert await ledger.admin.current() == before
    await LedgerAdmin(client).publish(small(2, 2))
    assert await ledger.admin.current() == small(2, 2)
    await ledger.close()
