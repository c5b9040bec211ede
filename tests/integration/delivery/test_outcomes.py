"""What a gateway tells of each message, after the answer, beside its log."""

from typing import Any

from control.messages.outcome import Outcome, read
from policy.ledger.bulletin import OUTCOMES
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, until
from tests.integration.relay.test_relay import HOUSE, offer
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser, settings_for
from tests.support.pmta.standin import StandIn


async def told(gate: GatewayUnderTest) -> list[Outcome]:
    """All of them so far."""
    entries: Any = await gate.admin.client.xrange(f"{gate.admin.root}{OUTCOMES}")
    return [one for _, fields in entries for one in read(fields[b"o"])]


async def test_each_recipient_is_told_with_what_powermta_said(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            await offer(gate)
            await offer(gate, to="refuse@dest.test")

            async def both() -> bool:
                return len(await told(gate)) == 2

            await until(both)
            relayed, refused = await told(gate)
            assert (relayed.outcome, refused.outcome) == ("relayed", "refused")
            assert refused.recipient == "refuse@dest.test"
            assert relayed.vmta
            assert relayed.server == "pmta1"
            assert relayed.message in relayed.envelope
            assert relayed.why.startswith("250")
            assert abs(relayed.at - (await gate.admin.now())[0]) < 60_000


async def test_a_message_that_waited_is_told_twice_held_and_released(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=0), port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send("r@dest.test", body=MESSAGE.format(1))).endswith(" queued")
        await wire.close()

        async def held() -> bool:
            return [one.outcome for one in await told(gate)] == ["held"]

        await until(held)
        async with releaser(settings):
            await gate.admin.publish(generation(vmta(1), number=2, port=pmta.smtp_port))

            async def released() -> bool:
                return [one.outcome for one in await told(gate)] == ["held", "relayed"]

            await until(released)
        one, two = await told(gate)
        assert (one.message, one.recipient) == (two.message, two.recipient)
        assert ("quota" in one.why, two.vmta) == (True, "vmta-1")
