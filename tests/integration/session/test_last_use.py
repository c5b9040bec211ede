"""A login that let a client in is told to control, with the sign of life and never before."""

import asyncio

from policy.ledger.bulletin import LOGINS
from tests.support.gateway.generations import generation
from tests.support.gateway.worker import gateway, settings_for
from tests.support.session.smtpwire import SmtpWire


async def test_a_login_that_succeeded_is_told_and_one_that_failed_is_not(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), generation()) as gate:
        refused = await SmtpWire.open(gate.port)
        # "\0acme\0wrong", "\0nobody\0wrong"
        for wrong in ("AGFjbWUAd3Jvbmc=", "AG5vYm9keQB3cm9uZw=="):
            assert (await refused.ask(f"AUTH PLAIN {wrong}")).startswith("535")
        bulletin = gate.worker.parts.bulletin
        assert bulletin.logged_in == set()
        before, _ = await gate.admin.now()
        await refused.close()
        wire = await gate.wire()
        await wire.close()
        async with asyncio.timeout(10):
            while not (told := await gate.admin.logins()):
                await asyncio.sleep(0.02)
        assert list(told) == ["acme"]
        assert before - 2_000 <= told["acme"] <= before + 10_000
        async with asyncio.timeout(10):
            while bulletin.logged_in:
                await asyncio.sleep(0.02)
        # Written down, it is not told again by itself.
        await gate.admin.took_logins(told)
        assert not await gate.admin.client.exists(f"{gate.admin.root}{LOGINS}")
