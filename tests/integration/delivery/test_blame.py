"""A failure counts against a held message only when another passed on its path since the last."""

from typing import Any

from policy.ledger.ledger import elapsed
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, until
from tests.integration.relay.test_relay import free_port
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn

QUICK = {"failures": 3, "retry_first": 0.05, "retry_most": 0.1}
SHORT = {"circuit_wait": 0.05, "circuit_wait_max": 0.1}


async def send(gate: GatewayUnderTest, *recipients: str) -> list[str]:
    wire = await gate.wire()
    replies = [
        await wire.send(recipient, body=MESSAGE.format(n)) for n, recipient in enumerate(recipients)
    ]
    await wire.close()
    return replies


async def attempted(url: str, times: int) -> bool:
    return all(row["attempt"] >= times for row in await rows(url))


async def test_refused_connections_end_no_message(valkey_url: str, hold_url: str) -> None:
    """Four of them: fewer than a circuit needs to open."""
    settings = holding(valkey_url, hold_url, hold=QUICK, relay=SHORT)
    plan = generation(vmta(1), port=free_port())
    async with gateway(settings, plan) as gate, releaser(settings):
        replies = await send(gate, *(f"r{n}@dest.test" for n in range(4)))
        assert all(reply.endswith("queued") for reply in replies)
        await until(lambda: attempted(hold_url, 9), 30.0)
        found = await rows(hold_url)
        assert {row["state"] for row in found} <= {"held", "claimed"}
        assert [row["blamed"] for row in found] == [0] * 4
        async with StandIn.start() as pmta:
            await gate.publish(generation(vmta(1), number=2, port=pmta.smtp_port))
            await until(lambda: all_done(hold_url))
            assert len(await pmta.messages()) == 4


async def all_done(url: str) -> bool:
    return {row["state"] for row in await rows(url)} == {"done"}


async def test_a_message_that_fails_alone_ends_only_while_others_pass(
    valkey_url: str, hold_url: str
) -> None:
    """The others pass in another process, and the releaser is a new one half-way."""
    pace = {"failures": 3, "retry_first": 0.7, "retry_most": 0.7}
    settings = holding(valkey_url, hold_url, hold=pace, relay=SHORT)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1), port=pmta.smtp_port)) as gate,
    ):
        assert (await send(gate, "defer-data@dest.test"))[0].endswith("queued")
        async with releaser(settings):
            await until(lambda: attempted(hold_url, 6))
            [row] = await rows(hold_url)
            assert (row["state"] in ("held", "claimed"), row["blamed"]) == (True, 0)
            await others_pass(gate, hold_url, 1)
            await until(lambda: attempted(hold_url, row["attempt"] + 6))
            # After one pass one failure counts, however many follow it.
            [row] = await rows(hold_url)
            assert (row["state"] in ("held", "claimed"), row["blamed"]) == (True, 1)
        async with releaser(settings):
            await others_pass(gate, hold_url, 2)
            await others_pass(gate, hold_url, 3)
            row = await until(lambda: ended(hold_url))
            assert (row["state"], row["ending"]) == ("refused", "failed")
            assert row["verdict"].startswith("3 failures while others passed, the last: dot: 451")


async def others_pass(gate: GatewayUnderTest, url: str, blamed: int) -> None:
    """Another message passes, and the failure after it counts. What passes in the moment before a
    failure may be told after it, and then says nothing."""

    async def counted() -> bool:
        [row] = await rows(url)
        assert row["blamed"] <= blamed
        return bool(row["blamed"] == blamed)

    for _ in range(5):
        assert (await send(gate, "good@dest.test"))[0].startswith("250 2.0.0 OK")
        # An announcement: signs of life need not wait for the next second.
        await gate.admin.client.publish(f"{gate.admin.root}news", "generation")
        try:
            await until(counted, 2.5)
        except TimeoutError:
            continue
        return
    raise AssertionError("no failure was counted")


async def ended(url: str) -> Any:
    [row] = await rows(url)
    return row if row["state"] not in ("held", "claimed") else None


async def test_rows_that_merely_rest_get_neither_failures_nor_a_wait(
    valkey_url: str, hold_url: str
) -> None:
    """A circuit opens between the commit of a claim and its first MAIL."""
    settings = holding(
        valkey_url, hold_url, hold={"retry_first": 600.0}, relay={"circuit_wait": 0.5}
    )
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=0), port=pmta.smtp_port)) as gate,
        releaser(settings) as releasing,
    ):
        await send(gate, *(f"r{n}@dest.test" for n in range(20)))
        sender, circuit = releasing._sender, releasing.parts.relay.servers["pmta1"]
        bodies, opened = sender._bodies, list[int]()

        async def between(claims: Any) -> Any:
            found = await bodies(claims)
            if not opened:
                opened.append(len(claims))
                circuit.failed("another", "554 no service", elapsed(), immediate=True)
            return found

        sender._bodies = between  # type: ignore[method-assign]
        await gate.publish(generation(vmta(1, daily=900), number=2, port=pmta.smtp_port))
        await until(lambda: all_done(hold_url))
        assert opened[0] > 10
        found = await rows(hold_url)
        assert [(row["failures"], row["failed_at"]) for row in found] == [(0, 0)] * 20
        assert sum(row["attempt"] > 2 for row in found) >= opened[0]
        assert len(await pmta.messages()) == 20
        await gate.worker.parts.reserver.drain()
        await releasing.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 20}
