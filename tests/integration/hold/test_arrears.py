"""A ledger that is away for too long: mail that would add to what it has to be told gives way."""

import time
from urllib.parse import urlsplit

from tests.faults.proxy import Proxy
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, campaign_mail, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import gateway, holding
from tests.support.hold.database import states
from tests.support.pmta.standin import StandIn

MOST = 10


async def test_what_the_ledger_is_not_told_yet_slows_mail_down_and_then_defers_it(
    valkey_url: str, hold_url: str
) -> None:
    where = urlsplit(valkey_url)
    assert where.port
    async with Proxy("127.0.0.1", where.port) as proxy, StandIn.start() as pmta:
        settings = holding(
            valkey_url.replace(f":{where.port}", f":{proxy.port}"),
            hold_url,
            ledger={"changes": MOST},
            hold={"slow_from": 0.5, "slow_most": 1.0},
        )
        plan = generation(vmta(1), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate:
            wire = await gate.wire()
            proxy.refusing = True
            proxy.cut()
            took = 0.0
            for number in range(MOST):
                began = time.monotonic()
                body = campaign_mail(f"s{number:09d}", number)
                assert (await wire.send("a@dest.test", body=body)).endswith("queued"), number
                took = time.monotonic() - began
            assert took > 0.7, "the last one was held back: nine of ten wait"
            said = await wire.send("a@dest.test", body=campaign_mail("t000000000", MOST))
            assert said.startswith("45"), said
            assert "the ledger has been away for too long" in said
            assert await states(hold_url) == {"held": MOST}
            proxy.refusing = False
            reserver = gate.worker.parts.reserver

            async def caught_up() -> bool:
                await reserver.probe()
                return reserver.state == "open" and not reserver.arrears

            await until(caught_up)
            assert (await wire.send("a@dest.test", body=MESSAGE.format(MOST))).startswith("250")
            await wire.close()
