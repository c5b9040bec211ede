"""A message from the client's MAIL to PowerMTA's 250, on real parts."""

import asyncio
import hashlib

import pytest

from policy.denial import Limit
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn

MESSAGE = (
    "From: Anna <news@mail1.acme.test>\r\n"
    "To: you@dest.test\r\n"
    "Message-ID: <1@acme.test>\r\n"
    "Subject: Bonjour\r\n"
    "\r\n"
    "hello\r\n"
)


async def test_a_message_is_charged_stamped_and_relayed(valkey_url: str) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("you@dest.test", body=MESSAGE)
        assert answer.startswith("250 2.0.0 OK ")
        [received] = await pmta.messages()
        assert received.vmta == "vmta-1"
        assert received.envid == answer.split()[-1]
        assert received.rcpts == ["you@dest.test"]
        assert received.content == MESSAGE.encode()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}
        [line] = gate.log_lines("message")
        assert (line["outcome"], line["envelope"]) == ("relayed", received.envid)
        await wire.close()


async def test_a_session_of_a_tenant_without_a_way_in_is_deferred(valkey_url: str) -> None:
    """Its login was taken away under way: nothing new of it may be sent, or held."""
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        for command in ("MAIL FROM:<news@acme.test>", "RCPT TO:<you@dest.test>", "DATA"):
            assert (await wire.ask(command))[0] in "23"
        closed = (tenant(logins=()),)
        await gate.publish(generation(number=2, port=pmta.smtp_port, tenants=closed))
        answer = await wire.ask(f"{MESSAGE}\r\n.")
        assert answer == "451 4.3.0 this tenant takes no mail now"
        assert await wire.ask("MAIL FROM:<news@acme.test>") == "530 5.7.0 authentication required"
        assert await pmta.messages() == []
        await wire.close()


@pytest.mark.parametrize(("ids", "code"), [((7, 8), "451"), ((7, 7), "250"), ((0, 8), "250")])
async def test_a_message_of_a_former_tenant_never_goes_as_the_next_ones(
    valkey_url: str, ids: tuple[int, int], code: str
) -> None:
    """Its tenant was removed, and the name given again, between DATA and the final dot. Of one that
    a former control did not number nobody knows it."""
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url),
            generation(port=pmta.smtp_port, tenants=(tenant(id=ids[0]),)),
        ) as gate,
    ):
        wire = await gate.wire()
        for command in ("MAIL FROM:<news@acme.test>", "RCPT TO:<you@dest.test>", "DATA"):
            assert (await wire.ask(command))[0] in "23"
        following = (tenant(id=ids[1]),)
        await gate.publish(generation(number=2, port=pmta.smtp_port, tenants=following))
        answer = await wire.ask(f"{MESSAGE}\r\n.")
        assert answer[:3] == code
        if code == "451":
            assert answer == "451 4.3.0 the tenant that this message began for is gone"
            assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}
        assert len(await pmta.messages()) == (code == "250")
        await wire.close()


async def test_a_network_that_names_nobody_any_more_ends_the_sessions_it_began(
    valkey_url: str,
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url),
            generation(port=pmta.smtp_port, tenants=(tenant(networks=("127.0.0.0/8",)),)),
        ) as gate,
    ):
        wire = await gate.wire(login="")
        assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
        await gate.publish(generation(number=2, port=pmta.smtp_port, tenants=(tenant(),)))
        assert await wire.ask("MAIL FROM:<news@acme.test>") == "530 5.7.0 authentication required"
        await wire.close()


async def test_exhausted_pool_defers_and_names_the_limit(valkey_url: str) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url), generation(vmta(1, daily=2), port=pmta.smtp_port)
        ) as gate,
    ):
        wire = await gate.wire()
        answers = [await wire.send("you@dest.test", body=MESSAGE) for _ in range(4)]
        assert [a[:3] for a in answers] == ["250", "250", "451", "451"]
        assert "the daily quota of vmta-1 is used up (2 of 2), until 20" in answers[2]
        assert len(await pmta.messages()) == 2
        assert gate.log_lines("message")[-1]["limit"] == Limit.IP_QUOTA
        await wire.close()


async def test_a_spoofed_virtual_mta_is_replaced(valkey_url: str) -> None:
    spoofed = (
        "X-Virtual-MTA: evil\r\nx-virtual-mta : evil2\r\nX-VIRTUAL-mta\r\n : evil3\r\n"
        ".X-Virtual-MTA: evil4\r\nX-Job: j\r\nX-Envid: e\r\n\tfolded\r\nX-DKIM-Options: d\r\n"
        "x-dkim-key: k\r\nX-Schedule: s\r\nnot a header\r\nX-Virtual-MTA: evil5\r\n"
    )
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send("a@dest.test", body=spoofed + MESSAGE)).startswith("250")
        [received] = await pmta.messages()
        assert not received.duplicate_virtual_mta_header
        assert received.vmta == "vmta-1"
        assert received.content == b"not a header\r\n" + MESSAGE.encode()
        await wire.close()


@pytest.mark.parametrize(
    ("rcpt", "code", "charged"),
    [
        ("refuse@dest.test", "550 5.1.1", 0),
        ("suppressed@dest.test", "550 5.7.1", 0),
        ("refuse-data@dest.test", "554 5.6.0", 0),
        ("defer@dest.test", "451 4.3.0", 0),
        ("defer-data@dest.test", "451 4.3.0", 0),
        # The dot is on its way before the hang-up is seen: nobody knows, so it stays charged.
        ("drop-before-dot@dest.test", "451 4.3.0", 1),
        ("drop-after-dot@dest.test", "451 4.3.0", 1),
        ("lose-after-dot@dest.test", "451 4.3.0", 1),
        ("garbage@dest.test", "451 4.3.0", 1),
        ("extra@dest.test", "250 2.0.0", 1),
        ("pipeline-354@dest.test", "550", 0),
    ],
)
async def test_what_powermta_answers_is_settled_by_the_table(
    valkey_url: str, rcpt: str, code: str, charged: int
) -> None:
    """Hazard 9 among them: a 354 after a refused RCPT must not get a dot."""
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send(rcpt, body=MESSAGE)).startswith(code)
        # The session after any trouble is in step, for the client and towards PowerMTA.
        assert (await wire.send("next@dest.test", body=MESSAGE)).startswith("250")
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": charged + 1}
        assert (await pmta.report())["illegal_dots"] == []
        await wire.close()


async def test_a_connection_lost_in_the_middle_of_the_content_is_refunded(valkey_url: str) -> None:
    long = MESSAGE + "x" * 70 + "\r\n"
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("drop-before-dot@dest.test", body=MESSAGE + long * 50_000)
        assert answer.startswith("451 4.3.0")
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}
        assert gate.log_lines("relay_failed")[0]["why"].endswith("before the dot")
        await wire.close()


async def test_an_unanswered_dot_is_unknown_and_a_late_reply_settles_it(valkey_url: str) -> None:
    settings = settings_for(valkey_url, relay={"budget": 0.3}, ledger={"budget": 0.2})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("late-1@dest.test", body=MESSAGE)
        assert answer.startswith("451 4.3.0 no final answer")
        [line] = gate.log_lines("message")
        assert line["outcome"] == "unknown"
        assert line["envelope"] in answer
        async with asyncio.timeout(5):
            while not gate.log_lines("late_reply"):
                await asyncio.sleep(0.02)
        assert gate.log_lines("late_reply")[0]["verdict"] == "relayed"
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}
        await wire.close()


async def test_a_large_message_passes_byte_for_byte(valkey_url: str) -> None:
    body = "".join(f"{n:09d} Żółć مرحبا ..dots\r\n..{n}\r\n" for n in range(60_000))
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("a@dest.test", body=MESSAGE + body, parameters=" BODY=8BITMIME")
        assert answer.startswith("250")
        [received] = await pmta.messages()
        sent = (MESSAGE + body).replace("\r\n.", "\r\n").encode()
        assert received.sha256 == hashlib.sha256(sent).hexdigest()
        await wire.close()


async def test_several_recipients_are_one_charge_and_one_refusal(valkey_url: str) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url), generation(vmta(1, daily=5), port=pmta.smtp_port)
        ) as gate,
    ):
        wire = await gate.wire()
        three = ("a@dest.test", "b@gmail.com", "c@dest.test")
        assert (await wire.send(*three, body=MESSAGE)).startswith("250")
        assert (await wire.send(*three, body=MESSAGE)).startswith("451")
        refused = await wire.send("d@dest.test", "refuse@dest.test", body=MESSAGE)
        assert refused.startswith("550 5.1.1")
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 3}
        six = [f"r{n}@dest.test" for n in range(6)]
        assert (await wire.send(*six, body=MESSAGE)).startswith("554 5.5.3")
        assert len(await pmta.messages()) == 1
        await wire.close()


async def test_a_strict_tenant_sends_from_added_domains_only(valkey_url: str) -> None:
    strict = tenant(strict=True, domains={"mail2.acme.test": "acme-pool"})
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url), generation(port=pmta.smtp_port, tenants=(strict,))
        ) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send("a@dest.test", body=MESSAGE)).startswith("550 5.7.1")
        added = MESSAGE.replace("mail1", "mail2")
        assert (await wire.send("a@dest.test", body=added)).startswith("250")
        await wire.close()


@pytest.mark.parametrize(
    "header",
    [
        "Subject: no from\r\n",
        "From: a@x.test\r\nFrom: b@x.test\r\n",
        "From: a@x.test, b@x.test\r\n",
        "From: nobody\r\n",
        " From: a@x.test\r\n",
    ],
)
async def test_a_message_without_one_sender_is_refused(valkey_url: str, header: str) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send("a@dest.test", body=header + "\r\nx\r\n"))[0] == "5"
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}
        assert await pmta.messages() == []
        await wire.close()


async def test_a_client_that_hangs_up_after_the_dot_is_settled_all_the_same(
    valkey_url: str,
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        await wire.ask("MAIL FROM:<a@acme.test>")
        await wire.ask("RCPT TO:<late-0.2@dest.test>")
        await wire.ask("DATA")
        wire.say(MESSAGE + ".\r\n")
        await wire.writer.drain()
        await wire.close()
        await pmta.until_messages(1)
        async with asyncio.timeout(5):
            while not gate.log_lines("message"):
                await asyncio.sleep(0.01)
        assert gate.log_lines("message")[0]["outcome"] == "relayed"
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}
