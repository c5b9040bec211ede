"""Mail that needs what the hop before PowerMTA does not offer."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from policy.model import Profile
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, until
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import execute, rows, states
from tests.support.pmta.fake import FakePowerMta, fake_pmta

BARE = b"250-fake\r\n250 PIPELINING\r\n"
FULL = b"250-fake\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
EIGHT_BITS = MESSAGE.format(1) + "café\r\n"


@contextlib.asynccontextmanager
async def hop(
    valkey_url: str, hold_url: str, profile: Profile = Profile.MAILWIZZ
) -> AsyncIterator[tuple[FakePowerMta, GatewayUnderTest]]:
    settings = holding(valkey_url, hold_url, relay={"idle": 0.1, "max_messages": 1})
    async with fake_pmta() as fake:
        fake.opening = {"ehlo": (BARE,)}
        house = tenant(profile=profile)
        plan = generation(vmta(1), port=fake.port, tenants=(house,))
        async with gateway(settings, plan) as gate, releaser(settings):
            yield fake, gate


async def test_eight_bit_content_is_held_and_goes_when_the_hop_takes_it(
    valkey_url: str, hold_url: str
) -> None:
    async with hop(valkey_url, hold_url) as (fake, gate):
        wire = await gate.wire()
        answer = await wire.send("b@dest.test", body=EIGHT_BITS, parameters=" BODY=8BITMIME")
        assert answer.endswith(" queued"), answer
        [row] = await rows(hold_url)
        assert (row["state"], row["waiting"]) == ("held", True)
        assert row["detail"].endswith("does not offer 8BITMIME")
        [line] = gate.log_lines("relay_failed")
        assert line["why"] == row["detail"]
        # Others pass, and no circuit opened.
        assert (await wire.send("c@dest.test", body=MESSAGE.format(2))).startswith("250 2.0.0 OK")
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 1}
        assert fake.dots == ["a"]
        fake.opening = {"ehlo": (FULL,)}
        await execute(hold_url, "UPDATE held SET due = 0")

        async def gone() -> bool:
            return await states(hold_url) == {"done": 1}

        await until(gone)
        assert fake.dots == ["a", "a"]
        await wire.close()


async def test_eight_bit_content_is_deferred_for_a_client_that_queues(
    valkey_url: str, hold_url: str
) -> None:
    async with hop(valkey_url, hold_url, Profile.MTA) as (fake, gate):
        wire = await gate.wire()
        assert (await wire.send("b@dest.test", body=EIGHT_BITS)).startswith("451")
        assert fake.dots == []
        await wire.close()


@pytest.mark.parametrize(
    ("rcpt", "body", "answer"),
    [
        ("b@dest.test", MESSAGE.format(1), "250"),
        ("b@bücher.test", MESSAGE.format(1), "250"),
        ("josé@dest.test", MESSAGE.format(1), "550 5.6.7"),
        ("b@dest.test", "X-Name: José\r\n" + MESSAGE.format(1), "550 5.6.7"),
    ],
)
async def test_only_internationalized_mail_needs_smtputf8(
    valkey_url: str, hold_url: str, rcpt: str, body: str, answer: str
) -> None:
    async with hop(valkey_url, hold_url) as (fake, gate):
        wire = await gate.wire()
        assert (await wire.send(rcpt, body=body, parameters=" SMTPUTF8")).startswith(answer)
        spoken = [line for line in fake.heard if line.startswith((b"MAIL", b"RCPT"))]
        assert all(line.isascii() and b"SMTPUTF8" not in line for line in spoken)
        assert len(fake.dots) == (answer == "250")
        await wire.close()
