"""Who is charged with what PowerMTA says: the recipient, the server, or nobody."""

import asyncio
import time
from collections import Counter
from typing import Any, cast

from policy.ledger.bulletin import FIGURES, Figures
from policy.ledger.connection import connect
from policy.ledger.ledger import elapsed
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, until
from tests.integration.relay.test_relay import HOUSE, offer, server
from tests.integration.relay.test_relay import MESSAGE as BARE
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import gateway, holding, releaser, settings_for
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire


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


async def test_processes_say_which_circuits_are_open(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"circuit_wait": 0.3})
    async with StandIn.start() as pmta:
        await pmta.fault(greeting="554 5.3.2 no service here")
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            await offer(gate)

            async def told() -> bool:
                return any((await gate.admin.circuits()).values())

            await until(told)
            [[one]] = (await gate.admin.circuits()).values()
            assert (one.kind, one.name, one.state) == ("server", "pmta1", "open")
            assert one.why.endswith("greeting: 554 5.3.2 no service here")
            await pmta.fault(greeting=None)

            async def closed() -> bool:
                await offer(gate)
                return await gate.admin.circuits() == {"worker-test": []}

            await until(closed)


async def test_processes_say_how_much_mail_they_had(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:

            async def first() -> dict[str, Figures]:
                return await gate.admin.figures()

            # Counted since the process began: the tests before this one are in it.
            [(name, before)] = (await until(first)).items()
            assert name == "worker-test"
            wire = await SmtpWire.open(gate.port)
            await offer(gate, 3)
            await offer(gate, to="refuse@dest.test")

            async def told() -> bool:
                [figures] = (await gate.admin.figures()).values()
                return sum(figures.minute.values()) == 4 and figures.sessions == 1

            await until(told)
            [figures] = (await gate.admin.figures()).values()
            assert figures.minute == {"relayed": 3, "refused": 1}
            assert Counter(figures.outcomes) - Counter(before.outcomes) == figures.minute
            assert 0 < figures.began <= (await gate.admin.now())[0]
            await wire.close()
        root = gate.admin.root
        client = connect(valkey_url)
        assert await cast(Any, client.hgetall(f"{root}{FIGURES}")) == {}, "it left"
        await client.aclose()


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


async def test_sixty_held_messages_go_at_the_speed_of_three_slots(
    valkey_url: str, hold_url: str
) -> None:
    """PowerMTA's slots are shared with other feeders: a surplus connection is greeted 421."""
    settings = holding(valkey_url, hold_url, hold={"retry_first": 600.0})
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=0), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, releaser(settings) as releasing:
            wire = await gate.wire()
            for number in range(60):
                reply = await wire.send(f"r{number}@dest.test", body=MESSAGE.format(number))
                assert reply.endswith("queued")
            await wire.close()
            # Some 0.1 s a message and session: two seconds for sixty over three.
            await pmta.fault(slots=3, reply_delay=0.05)
            began = time.monotonic()
            await gate.publish(generation(vmta(1, daily=900), number=2, port=pmta.smtp_port))

            async def gone() -> bool:
                return {row["state"] for row in await rows(hold_url)} == {"done"}

            await until(gone, 20.0)
            assert time.monotonic() - began < 8.0
            assert len(await pmta.messages()) == 60
            assert [row["failures"] for row in await rows(hold_url)] == [0] * 60
            assert releasing.parts.relay.servers.all_closed
            assert releasing.parts.relay.capacity <= 4
            report = await pmta.report()
            assert report["totals"]["connections_refused"] < 60


async def test_a_process_that_finds_no_slot_gets_those_that_another_does_not_use(
    valkey_url: str, hold_url: str
) -> None:
    """A worker keeps sessions for a minute after its last mail; a releaser cannot see them."""
    settings = holding(valkey_url, hold_url, relay={"circuit_wait": 1.0, "idle": 600.0})
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=3), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, releaser(settings):
            wires = [await gate.wire() for _ in range(3)]
            await pmta.fault(slots=3, reply_delay=0.05)
            replies = await asyncio.gather(
                *(wire.send("you@dest.test", body=MESSAGE.format(1)) for wire in wires)
            )
            assert all(reply.startswith("250 2.0.0 OK") for reply in replies)
            [pool] = gate.worker.parts.relay.pools
            assert (pool.counts["idle"], pool.bound) == (3, pool.server.sessions // 2)
            reply = await wires[0].send("me@dest.test", body=MESSAGE.format(2))
            assert reply.endswith("queued")
            for wire in wires:
                await wire.close()
            await gate.publish(generation(vmta(1, daily=900), number=2, port=pmta.smtp_port))

            async def gone() -> bool:
                return [(r["state"], r["failures"]) for r in await rows(hold_url)] == [("done", 0)]

            await until(gone, 25.0)


async def test_live_mail_waits_for_the_sessions_there_are(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            await pmta.fault(slots=3, reply_delay=0.02)
            replies = await asyncio.gather(*(offer(gate, 2) for _ in range(20)))
            assert {reply[:3] for one in replies for reply in one} == {"250"}
            assert gate.log_lines("relay_failed") == []
            assert len(await pmta.messages()) == 40


async def test_tired_sessions_end_and_the_message_goes_over_another(valkey_url: str) -> None:
    """A 421 to MAIL on a kept session is the end of the channel (RFC 5321 section 3.8)."""
    async with StandIn.start() as pmta:
        plan = generation(servers=(server(pmta.smtp_port),), tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            await pmta.fault(reply_delay=0.1)
            await asyncio.gather(*(offer(gate) for _ in range(8)))
            [pool] = gate.worker.parts.relay.pools
            assert pool.counts["idle"] == 8
            await pmta.fault(reply_delay=0.0, mails=1)
            assert [reply[:3] for reply in await offer(gate, 4)] == ["250"] * 4
            assert gate.worker.parts.relay.servers.all_closed
            assert gate.log_lines("relay_failed") == []
            said = gate.log_lines("relay_session_ended")
            assert len(said) >= 8
            assert said[0]["said"] == "mail: 421 4.3.2 too many messages in this session, closing"
            assert len(await pmta.messages()) == 12
            await gate.worker.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 12}


async def test_a_size_said_once_does_not_lock_the_gateway(valkey_url: str) -> None:
    big = BARE + ("y" * 70 + "\r\n") * 400
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            service = gate.worker.service
            await pmta.fault(size="10000")
            assert (await offer(gate))[0].startswith("250")
            assert service.max_message_size == 10_000 - 512
            [pool] = gate.worker.parts.relay.pools
            await pmta.fault(size="26214400")
            pool.sweep(asyncio.get_running_loop().time() + 3600.0)
            assert service.max_message_size == 26_214_400
            wire = await SmtpWire.open(gate.port)
            assert (await wire.send("you@dest.test", body=big)).startswith("250")
            await wire.close()


async def test_a_size_that_is_no_number_says_nothing(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            [pool] = gate.worker.parts.relay.pools
            for said, offered in (
                ("400abc", 26_214_400),
                ("", 26_214_400),
                ("0", 26_214_400),
                ("-5", 26_214_400),
                # Our own fields leave nothing of it; 0 would say that there is no limit.
                ("400", 1),
            ):
                pool.sweep(asyncio.get_running_loop().time() + 3600.0)
                await pmta.fault(size=said)
                assert (await offer(gate))[0].startswith("250"), said
                assert gate.worker.service.max_message_size == offered, said
