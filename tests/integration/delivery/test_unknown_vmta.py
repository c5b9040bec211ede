"""PowerMTA does not know a VirtualMTA: its mail waits, uncharged and unbounced, in every process
and over restarts, and a probe of our own finds out that it is known again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control.pmta.circuit import circuits_view, next_of, sentences
from gateway.delivery.unknown import UnknownVmtas
from policy.ledger.bulletin import UNKNOWN
from policy.ledger.connection import connect
from policy.ledger.ledger import root_key
from settings.model import Settings
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn


def settings_of(valkey_url: str, hold_url: str) -> Settings:
    return holding(
        valkey_url,
        hold_url,
        hold={"retry_first": 0.2, "retry_most": 0.2},
        relay={"circuit_wait": 0.3, "circuit_wait_max": 0.6},
    )


@asynccontextmanager
async def behind(gate: GatewayUnderTest, pmta: StandIn, number: int) -> AsyncIterator[None]:
    """Messages offered while PowerMTA does not know the VirtualMTA."""
    wire = await gate.wire()
    for one in range(number):
        said = await wire.send("you@dest.test", body=MESSAGE.format(one))
        assert said.endswith("queued"), said
    await wire.close()
    yield


async def told(valkey_url: str) -> set[str]:
    """What the ledger calls unknown."""
    client = connect(valkey_url)
    found = await client.hgetall(f"{root_key('main')}{UNKNOWN}")  # type: ignore[misc]
    await client.aclose()
    return {name.decode() for name in found}


async def test_mail_waits_uncharged_and_goes_once_a_probe_was_taken(
    valkey_url: str, hold_url: str
) -> None:
    settings = settings_of(valkey_url, hold_url)
    async with StandIn.start() as pmta:
        await pmta.fault(unknown_vmta=["vmta-1"])
        plan = generation(vmta(1), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, releaser(settings) as releasing:
            async with behind(gate, pmta, 3):
                pass

            async def everywhere() -> bool:
                relays = (gate.worker.parts.relay, releasing.parts.relay)
                return all([one.name for one in r.vmtas.unknown()] == ["vmta-1"] for r in relays)

            await until(everywhere)

            async def settled() -> bool:
                return {row["state"] for row in await rows(hold_url)} == {"held"}

            await until(settled)
            failures = [row["failures"] for row in await rows(hold_url)]
            refused = (await pmta.report())["totals"]["unknown_virtual_mta"]

            async def probed() -> bool:
                found = (await pmta.report())["totals"]["unknown_virtual_mta"]
                return bool(found >= refused + 3)

            await until(probed)
            # Messages found out; since then nothing but probes.
            assert [row["failures"] for row in await rows(hold_url)] == failures
            assert [row["state"] for row in await rows(hold_url)] == ["held"] * 3
            await gate.worker.parts.reserver.drain()
            await releasing.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}
            view = circuits_view(await gate.admin.circuits())
            assert "does not know VirtualMTA vmta-1" in sentences(view)["vmta", "vmta-1"]
            assert next_of(view, ("vmta", "vmta-1")) == "sendgate pmta config"
            await pmta.fault(unknown_vmta=[])

            async def gone() -> bool:
                return {row["state"] for row in await rows(hold_url)} == {"done"}

            await until(gone)

            async def well() -> bool:
                return gate.worker.parts.relay.vmtas.all_closed

            await until(well)
            assert await told(valkey_url) == set()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 3}


async def test_a_process_that_starts_knows_and_spends_no_message_on_it(
    valkey_url: str, hold_url: str
) -> None:
    settings = settings_of(valkey_url, hold_url)
    async with StandIn.start() as pmta:
        await pmta.fault(unknown_vmta=["vmta-1"])
        plan = generation(vmta(1), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, behind(gate, pmta, 1):

            async def said() -> bool:
                return await told(valkey_url) == {"vmta-1"}

            await until(said)
        async with gateway(settings, plan) as gate:

            async def follows() -> bool:
                return bool(gate.worker.parts.relay.vmtas.unknown())

            await until(follows)
            async with behind(gate, pmta, 2):
                pass
            assert gate.log_lines("relay_failed") == []
            await pmta.fault(unknown_vmta=[])

            async def known() -> bool:
                return gate.worker.parts.relay.vmtas.all_closed

            await until(known)
            assert [line["vmta"] for line in gate.log_lines("vmta_known_again")] == ["vmta-1"]
            wire = await gate.wire()
            assert "queued" not in await wire.send("you@dest.test", body=MESSAGE.format(9))
            await wire.close()


async def test_one_that_left_the_plan_is_forgotten(valkey_url: str, hold_url: str) -> None:
    settings = settings_of(valkey_url, hold_url)
    async with StandIn.start() as pmta:
        await pmta.fault(unknown_vmta=["vmta-1"])
        plan = generation(vmta(1), vmta(2), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate:
            wire = await gate.wire()
            for one in range(4):
                assert (await wire.send("you@dest.test", body=MESSAGE.format(one))).startswith(
                    "250"
                )
            await wire.close()
            assert isinstance(gate.worker.parts.unknown, UnknownVmtas)

            async def said() -> bool:
                return await told(valkey_url) == {"vmta-1"}

            await until(said)
            await gate.publish(generation(vmta(2), port=pmta.smtp_port, number=2))

            async def forgotten() -> bool:
                return await told(valkey_url) == set()

            await until(forgotten)
