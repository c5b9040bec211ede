"""What people read of limits of a minute and an hour; `test_ledger_rates` has the rule."""

from typing import Any, cast

from policy.ledger.rates import NEVER, rates_used
from policy.limits import MINUTE
from policy.model import OFF, Rate
from tests.support.gateway.generations import generation
from tests.support.ledger.twins import RedisUnderTest


async def test_what_is_read_of_a_lost_ledger_is_used_up(valkey_url: str) -> None:
    real = await RedisUnderTest.start(valkey_url, generation(rate=Rate(minute=3)))
    try:
        inc = f"{real.admin.root}inc"
        now, _ = await real.admin.now()
        await cast(Any, real._client).hset(inc, "lost", now)
        asked = [("g", Rate(minute=3)), ("t:acme", OFF), ("p:acme-pool", Rate(hour=0))]
        read = await rates_used(real._client, real.admin.root, asked)
        assert read == [((3, now + MINUTE), (0, 0)), ((0, 0), (0, 0)), ((0, 0), (0, NEVER))]
        assert not await real._client.exists(f"{real.admin.root}rate:g")
        await cast(Any, real._client).hset(inc, "lost", now - MINUTE)
        ((minute, _),) = await rates_used(real._client, real.admin.root, asked[:1])
        assert minute == (0, 0)
    finally:
        await real.close()
