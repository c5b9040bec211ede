"""The side towards PowerMTA: failover, circuits, budgets, login, TLS, sessions that go away."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.relay.endpoint import Endpoint
from policy.model import Address, Server
from settings.model import Relay
from tests.support.certificates import make_certificate
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

HOUSE = (tenant(networks=("127.0.0.0/8",)),)
MESSAGE = "From: a@acme.test\r\nSubject: x\r\n\r\nhello\r\n"


def server(*ports: int, name: str = "pmta1", sessions: int = 80) -> Server:
    addresses = tuple(Address(host="127.0.0.1", port=port) for port in ports)
    return Server(name=name, addresses=addresses, sessions=sessions)


async def offer(gate: GatewayUnderTest, count: int = 1, to: str = "you@dest.test") -> list[str]:
    wire = await SmtpWire.open(gate.port)
    try:
        return [await wire.send(to, body=MESSAGE) for _ in range(count)]
    finally:
        await wire.close()


def free_port() -> int:
    """A port nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_another_address_of_the_same_server_takes_over(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(servers=(server(free_port(), pmta.smtp_port),), tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            assert all(reply.startswith("250") for reply in await offer(gate, 3))
            assert len(await pmta.messages()) == 3


async def test_an_opening_that_is_cut_short_holds_no_slot_of_the_server() -> None:
    """A server that takes connections and never greets: what we open is closed again."""
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    listening = await asyncio.start_server(mute, "127.0.0.1", 0)
    address = Address(host="127.0.0.1", port=listening.sockets[0].getsockname()[1])
    endpoint = Endpoint(Relay(connect_timeout=30.0), "gateway.test")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await endpoint.open(address, lambda session: None)
    async with asyncio.timeout(5):
        await gone.wait()
    listening.close()


async def test_a_server_that_hangs_up_after_ehlo_is_away_and_costs_no_charge(
    valkey_url: str,
) -> None:
    async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 curt\r\n")
        await reader.readline()
        writer.write(b"250 curt\r\n")
        writer.close()

    listening = await asyncio.start_server(curt, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with gateway(settings_for(valkey_url), generation(port=port, tenants=HOUSE)) as gate:
        replies = await offer(gate, 3)
        assert {reply[:9] for reply in replies} == {"451 4.3.0"}
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}
        assert gate.log_lines("session_crashed") == []
    listening.close()


async def test_ips_of_a_server_that_is_away_are_skipped(valkey_url: str) -> None:
    rows = (vmta(1, server="gone"), vmta(2))
    async with StandIn.start() as pmta:
        servers = (server(free_port(), name="gone"), server(pmta.smtp_port))
        async with gateway(
            settings_for(valkey_url), generation(*rows, servers=servers, tenants=HOUSE)
        ) as gate:
            assert all(reply.startswith("250") for reply in await offer(gate, 8))
            assert {m.vmta for m in await pmta.messages()} == {"vmta-2"}
            await gate.worker.parts.reserver.drain()
            # What was charged for the server that is away was given back.
            assert await gate.used("192.0.2.1", "192.0.2.2") == {"192.0.2.1": 0, "192.0.2.2": 8}


async def test_a_server_that_is_away_defers_and_comes_back(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"circuit_wait": 0.2, "circuit_wait_max": 0.4})
    async with StandIn.start() as pmta:
        await pmta.fault(greeting="421 4.3.2 all slots are taken")
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            assert (await offer(gate))[0].startswith("451 4.3.0")
            # The circuit is open now: nothing is asked of the server, nothing charged.
            [reply] = await offer(gate)
            assert reply.startswith("451 4.3.0 the PowerMTA server of pool acme-pool is away")
            await pmta.fault(greeting=None)
            async with asyncio.timeout(10):
                while not (await offer(gate))[0].startswith("250"):
                    await asyncio.sleep(0.05)
            assert all(reply.startswith("250") for reply in await offer(gate, 20))
            await gate.worker.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 21}


async def test_hazard_14_an_unknown_virtual_mta_rests_and_others_go_on(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        await pmta.fault(unknown_vmta=["vmta-1"])
        plan = generation(vmta(1), vmta(2), port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            replies = await offer(gate, 10)
            assert all(reply.startswith("250") for reply in replies), replies
            assert {m.vmta for m in await pmta.messages()} == {"vmta-2"}
            failed = gate.log_lines("relay_failed")
            assert len(failed) == 1
            assert "5.5.0" in failed[0]["why"]


async def test_hazard_14_transient_refusals_at_mail_never_reach_the_client_as_5xx(
    valkey_url: str,
) -> None:
    settings = settings_for(valkey_url, relay={"circuit_wait": 0.2})
    async with StandIn.start() as pmta:
        await pmta.fault(mail="452 4.3.2 Server resources temporarily exhausted")
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            replies = await offer(gate, 8)
            assert {reply[:3] for reply in replies} == {"451"}
            # Five different messages failed: the server is left alone.
            assert len(gate.log_lines("relay_failed")) == 5
            await pmta.fault(mail=None)
            async with asyncio.timeout(10):
                while not (await offer(gate))[0].startswith("250"):
                    await asyncio.sleep(0.05)
            await gate.worker.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}


async def test_hazard_14_a_refused_login_is_ours(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"login": "gate", "password": "rotated"})
    async with StandIn.start(login=("gate", "right")) as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            assert (await offer(gate))[0].startswith("451 4.3.0")
            [line] = gate.log_lines("relay_failed")
            assert "auth" in line["why"]
            assert "rotated" not in str(gate.log_lines())


async def test_login_and_starttls_towards_powermta(valkey_url: str, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    relay = {
        "tls": "starttls",
        "ca": str(files.certificate),
        "login": "gate",
        "password": "right",
    }
    async with StandIn.start(login=("gate", "right"), tls=(files.certificate, files.key)) as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url, relay=relay), plan) as gate:
            replies = await offer(gate, 3)
            assert all(reply.startswith("250") for reply in replies), gate.log_lines()
    strangers = tmp_path / "other"
    strangers.mkdir()
    distrusted = {**relay, "ca": str(make_certificate(strangers).certificate)}
    async with StandIn.start(tls=(files.certificate, files.key)) as pmta:
        plan = generation(number=2, port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url, relay=distrusted), plan) as gate:
            assert (await offer(gate))[0].startswith("451")
            assert "certificate" in gate.log_lines("relay_failed")[0]["why"].lower()


async def test_sessions_never_exceed_the_servers_budget(valkey_url: str) -> None:
    async with StandIn.start(max_sessions=4) as pmta:
        plan = generation(servers=(server(pmta.smtp_port, sessions=4),), tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            replies = await asyncio.gather(*(offer(gate, 3) for _ in range(24)))
            assert {reply[:3] for one in replies for reply in one} == {"250"}
            [pool] = gate.worker.parts.relay.pools
            assert sum(pool.counts.values()) <= 4
            assert repr(pool).startswith("<Pool pmta1: 0 busy")


async def test_a_kept_session_that_died_unnoticed_costs_nobody_a_message(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            assert (await offer(gate))[0].startswith("250")
            [pool] = gate.worker.parts.relay.pools
            # Frozen, the peer neither reads nor closes; then it is gone with what was said to it.
            session = pool._idle[0]
            assert session._transport is not None
            session._transport.pause_reading()
            await pmta.fault(freeze=True)
            sending = asyncio.create_task(offer(gate))
            await asyncio.sleep(0.05)
            session._transport.abort()
            await pmta.fault(freeze=False)
            assert (await sending)[0].startswith("250")
            assert len(await pmta.messages()) == 2


async def test_the_size_offered_is_the_smallest_of_the_servers(valkey_url: str) -> None:
    async with StandIn.start(max_size=20_000) as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            assert gate.worker.service.max_message_size == 26_214_400
            await offer(gate)  # its EHLO tells
            assert gate.worker.service.max_message_size == 20_000 - 512
            wire = await SmtpWire.open(gate.port)
            big = MESSAGE + ("y" * 70 + "\r\n") * 400
            assert (await wire.send("you@dest.test", body=big)).startswith("552 5.3.4")
            assert len(await pmta.messages()) == 1
            await wire.close()


async def test_idle_sessions_are_closed_in_time(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"idle": 0.1})
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            await offer(gate)
            [pool] = gate.worker.parts.relay.pools
            assert pool.counts["idle"] == 1
            pool.sweep(asyncio.get_running_loop().time() + 1.0)
            assert pool.counts == {"busy": 0, "idle": 0, "owing": 0, "waiting": 0}


async def test_hazard_8_an_old_grant_is_given_back_before_mail_and_before_the_dot(
    valkey_url: str,
) -> None:
    settings = settings_for(valkey_url, relay={"grant_lifetime": 0.2})
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            await pmta.fault(reply_delay=0.3)
            assert (await offer(gate))[0].startswith("451 4.3.0")
            await pmta.fault(reply_delay=0)
            assert (await offer(gate))[0].startswith("250")
            await gate.worker.parts.reserver.drain()
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}
            assert len(await pmta.messages()) == 1
            assert "grew old" in gate.log_lines("relay_failed")[0]["why"]


async def test_hazard_12_the_plan_changes_while_a_message_is_under_way(valkey_url: str) -> None:
    async with StandIn.start() as pmta, StandIn.start() as second:
        plan = generation(vmta(1, daily=5), port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            under_way = asyncio.create_task(offer(gate, 1, "late-0.3@dest.test"))
            await pmta.until_messages(1)
            moved = generation(
                vmta(1, name="vmta-new", daily=2), number=2, port=second.smtp_port, tenants=HOUSE
            )
            await gate.publish(moved)
            assert (await under_way)[0].startswith("250")
            replies = await offer(gate, 2)
            assert [reply[:3] for reply in replies] == ["250", "451"]
            assert [m.vmta for m in await second.messages()] == ["vmta-new"]


async def test_profile_and_limits_survive_a_ledger_that_goes_away(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        settings = settings_for(valkey_url, ledger={"budget": 0.5, "timeout": 0.2, "attempts": 1})
        async with gateway(settings, plan) as gate:
            broken = msgspec.structs.replace(settings.ledger, url="redis://127.0.0.1:1/0")
            from policy.ledger.connection import connect
            from policy.ledger.ledger import RedisLedger

            away = RedisLedger(connect(broken.url, timeout=0.2), attempts=1, budget=0.5)
            away.incarnation = gate.worker.parts.ledger.incarnation
            kept, gate.worker.parts.reserver._ledger = gate.worker.parts.reserver._ledger, away
            [reply] = await offer(gate)
            assert reply.startswith("451 4.3.0 the ledger does not answer")
            assert not gate.worker.ready
            gate.worker.parts.reserver._ledger = kept
            # No message is needed to find out: a balancer that sees 503 sends none.
            async with asyncio.timeout(5):
                while not gate.worker.ready:
                    await asyncio.sleep(0.02)
            assert (await offer(gate))[0].startswith("250")
            await away.client.aclose()


async def test_hazard_11_a_ledger_that_lost_its_data_sends_nothing(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=1), port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            assert (await offer(gate))[0].startswith("250")
            await gate.admin.client.flushall()
            [reply] = await offer(gate)
            assert reply.startswith("451 4.3.0 the ledger is closed")
            # Opened under a new incarnation, with its plan published again, it serves anew.
            await gate.admin.open()
            await gate.publish(msgspec.structs.replace(plan, number=2))
            assert (await offer(gate))[0].startswith("250")
            assert len(await pmta.messages()) == 2


async def test_hazard_11_an_older_copy_of_the_ledger_is_closed(valkey_url: str) -> None:
    """Restored from a copy: the same incarnation, with counts missing."""
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=2), port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            client, root = gate.admin.client, gate.admin.root
            old = await client.hget(f"{root}inc", "seq")  # type: ignore[misc]
            assert [r[:3] for r in await offer(gate, 2)] == ["250", "250"]
            await client.hset(f"{root}inc", "seq", old or "0")  # type: ignore[misc]
            for key in await client.keys(f"{root}day:*"):
                await client.delete(key)
            for _ in range(2):
                assert (await offer(gate))[0].startswith("451 4.3.0 the ledger is closed")
            # Closed for every gateway, and an operator sees it as lost.
            assert await gate.admin.incarnation() == ""
            await gate.admin.open()
            assert (await offer(gate))[0].startswith("250")
            assert len(await pmta.messages()) == 3


async def test_hazard_11_an_older_copy_after_an_empty_ledger_is_closed_too(
    valkey_url: str,
) -> None:
    """First nothing was there, then an old copy came: the copy is still from before."""
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=2), port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url), plan) as gate:
            client, root = gate.admin.client, gate.admin.root
            incarnation = await gate.admin.incarnation()
            assert [r[:3] for r in await offer(gate, 2)] == ["250", "250"]
            await client.delete(f"{root}inc")
            assert (await offer(gate))[0].startswith("451 4.3.0 the ledger is closed")
            for key in await client.keys(f"{root}day:*"):
                await client.delete(key)
            copy = {"id": incarnation, "seq": "1"}
            await client.hset(f"{root}inc", mapping=copy)  # type: ignore[misc]
            for _ in range(3):
                assert (await offer(gate))[0].startswith("451 4.3.0 the ledger is closed")
            # Put back once more, it is closed for everybody once more.
            await client.hset(f"{root}inc", mapping=copy)  # type: ignore[misc]
            async with asyncio.timeout(5):
                while await gate.admin.incarnation():
                    await asyncio.sleep(0.02)
            assert len(await pmta.messages()) == 2


@pytest.mark.parametrize("fault", ["ehlo", "starttls"])
async def test_refusals_while_opening_are_deferrals(
    valkey_url: str, fault: str, tmp_path: Path
) -> None:
    files = make_certificate(tmp_path)
    relay = {"tls": "starttls", "ca": str(files.certificate)} if fault == "starttls" else {}
    async with StandIn.start(tls=(files.certificate, files.key)) as pmta:
        await pmta.fault(**{fault: "502 5.5.1 no"})
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings_for(valkey_url, relay=relay), plan) as gate:
            assert (await offer(gate))[0].startswith("451 4.3.0")
