"""Who is charged with what PowerMTA says: the recipient, the server, or nobody."""

import asyncio

from policy.ledger.ledger import elapsed
from tests.integration.test_hold import MESSAGE, until
from tests.integration.test_relay import HOUSE, offer
from tests.support.gateway import gateway, holding, releaser, settings_for
from tests.support.generations import generation, vmta
from tests.support.holds import rows
from tests.support.standin import StandIn


async def test_deferred_recipients_open_no_circuit(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            for number in range(8):
                [reply] = await offer(gate, to=f"defer+{number}@dest.test")
                assert reply.startswith("451 4.3.0"), reply
            assert gate.worker.parts.relay.servers.all_closed
            assert (await offer(gate))[0].startswith("250")
            await gate.worker.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}


async def test_a_recipient_that_a_client_keeps_retrying_fails_no_probe(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"circuit_wait": 0.3, "circuit_wait_max": 60.0})
    async with StandIn.start() as pmta:
        await pmta.fault(mail="452 4.3.2 Server resources temporarily exhausted")
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            await offer(gate, 5)
            circuit = gate.worker.parts.relay.servers["pmta1"]
            assert circuit.state == "open"
            await pmta.fault(mail=None)
            await asyncio.sleep(0.35)
            for _ in range(5):
                assert (await offer(gate, to="defer@dest.test"))[0].startswith("451 4.3.0")
                # Each of them was the probe, and said nothing about the server.
                assert circuit.rests(elapsed()) < 0.5
            assert gate.log_lines("relay_failed")[-1]["why"].startswith("rcpt: 451")
            assert (await offer(gate))[0].startswith("250")
            assert circuit.state == "closed"


async def test_a_lone_held_message_goes_when_a_refused_greeting_is_over(
    valkey_url: str, hold_url: str
) -> None:
    """It failed last, and there is no other that could find out that PowerMTA is back."""
    settings = holding(
        valkey_url,
        hold_url,
        hold={"retry_first": 0.2, "retry_most": 0.2},
        relay={"circuit_wait": 0.2, "circuit_wait_max": 1.0},
    )
    async with StandIn.start() as pmta:
        await pmta.fault(greeting="554 5.3.2 no service here")
        plan = generation(vmta(1), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, releaser(settings) as releasing:
            wire = await gate.wire()
            assert (await wire.send("you@dest.test", body=MESSAGE.format(1))).endswith("queued")
            await wire.close()
            circuit = releasing.parts.relay.servers["pmta1"]

            async def opened() -> bool:
                return circuit.state == "open"

            await until(opened)
            await pmta.fault(greeting=None)

            async def gone() -> bool:
                return [row["state"] for row in await rows(hold_url)] == ["done"]

            await until(gone)
            assert len(await pmta.messages()) == 1
