"""A login with a former password: either lets its clients in, until the end of that one."""

import asyncio
import base64
from typing import Any

import msgspec

from policy.model import FormerPassword, Login
from policy.plan import Generation
from tests.hostile.test_logins import count_hashes
from tests.support.gateway.generations import _HASHER, PASSWORD, PASSWORD_HASH, generation, tenant
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

NEXT = "the next one"
NEXT_HASH = _HASHER.hash(NEXT)
HOUR = 3_600_000
MAIL = "From: a@acme.test\r\nSubject: x\r\n\r\nx\r\n.\r\n"


def rotating(until: int, *, number: int, port: int = 2525, **changes: Any) -> Generation:
    """acme's login has a next password; `secret` is good until then."""
    former = FormerPassword(hash=PASSWORD_HASH, until=until)
    login = msgspec.structs.replace(Login(name="acme", hash=NEXT_HASH, former=former), **changes)
    return generation(number=number, port=port, tenants=(tenant(logins=(login,)),))


async def says(gate: GatewayUnderTest, password: str, login: str = "acme") -> str:
    """The code of an answer to AUTH."""
    wire = await SmtpWire.open(gate.port)
    said = await wire.ask("AUTH PLAIN " + plain(login, password))
    await wire.close()
    return said[:3]


def plain(login: str, password: str) -> str:
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()


async def test_both_are_good_and_the_former_one_ends_by_the_ledgers_clock(
    valkey_url: str,
) -> None:
    """Remembered or not, and also for a session that it began."""
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        assert await says(gate, PASSWORD) == "235"
        now, _ = await gate.admin.now()
        await gate.publish(rotating(now + HOUR, number=2, port=pmta.smtp_port))
        hashes = count_hashes(gate)
        for _ in range(3):
            assert await says(gate, NEXT) == "235"
            assert await says(gate, PASSWORD) == "235"
        assert len(hashes) == 1, "the next one once; the other is remembered"
        assert await says(gate, "neither") == "535"
        old, new = await gate.wire(), await gate.wire(password=NEXT)
        for wire in (old, new):
            await send(wire)
        assert await gate.admin.set_clock(now + HOUR - 60_000)
        await until(gate, now + HOUR - 60_000)
        assert await says(gate, PASSWORD) == "235", "a minute before its end"
        assert await gate.admin.set_clock(now + HOUR)
        await until(gate, now + HOUR)
        assert await says(gate, PASSWORD) == "535"
        assert await says(gate, NEXT) == "235"
        assert (await old.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0")
        await send(new)
        await old.close()
        await new.close()
        assert len(await pmta.messages()) == 3
        for line in gate.log_lines():
            assert PASSWORD not in str(line)
            assert NEXT not in str(line)
            assert "argon2" not in str(line)


async def test_a_former_password_that_is_taken_away_is_wrong_at_once(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), generation()) as gate:
        now, _ = await gate.admin.now()
        await gate.publish(rotating(now + HOUR, number=2))
        old = await gate.wire()
        assert await says(gate, NEXT) == "235"
        await gate.publish(rotating(now + HOUR, number=3, former=None))
        assert await says(gate, PASSWORD) == "535"
        assert (await old.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0")
        await old.close()
        assert await says(gate, NEXT) == "235"
        # The next one called off instead.
        await gate.publish(generation(number=4))
        assert await says(gate, PASSWORD) == "235"
        assert await says(gate, NEXT) == "535"


async def test_what_is_wrong_costs_the_same_whoever_is_being_changed(valkey_url: str) -> None:
    """Else the clock would tell who is there, and whose password is changed."""
    async with gateway(settings_for(valkey_url), generation()) as gate:
        now, _ = await gate.admin.now()
        both = rotating(now + HOUR, number=2)
        other = Login(name="still", hash=PASSWORD_HASH)
        changed = msgspec.structs.replace(both.tenants[0], logins=(*both.tenants[0].logins, other))
        await gate.publish(msgspec.structs.replace(both, tenants=(changed,)))
        hashes = count_hashes(gate)
        for login in ("acme", "still", "nobody"):
            before = len(hashes)
            assert await says(gate, "neither", login) == "535"
            assert len(hashes) - before == 2, login
        assert await gate.admin.set_clock(now + HOUR)
        await until(gate, now + HOUR)
        for login in ("acme", "still", "nobody"):
            before = len(hashes)
            assert await says(gate, "neither", login) == "535"
            assert len(hashes) - before == 1, login


async def test_that_the_former_one_was_used_is_told(valkey_url: str) -> None:
    """So that one sees which clients have it still."""
    async with gateway(settings_for(valkey_url), generation()) as gate:
        now, _ = await gate.admin.now()
        await gate.publish(rotating(now + HOUR, number=2))
        assert await says(gate, NEXT) == "235"
        async with asyncio.timeout(10):
            while not await gate.admin.logins():
                await asyncio.sleep(0.02)
        assert await gate.admin.former_logins() == {}
        assert await says(gate, PASSWORD) == "235"
        async with asyncio.timeout(10):
            while not (told := await gate.admin.former_logins()):
                await asyncio.sleep(0.02)
        assert list(told) == ["acme"]
        await gate.admin.took_former_logins(told)
        assert await gate.admin.former_logins() == {}


async def send(wire: SmtpWire) -> None:
    """One message, which is taken."""
    assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("250")
    assert (await wire.ask("RCPT TO:<b@dest.test>")).startswith("250")
    assert (await wire.ask("DATA")).startswith("354")
    wire.say(MAIL)
    assert (await wire.reply()).startswith("250")


async def until(gate: GatewayUnderTest, time: int) -> None:
    """The gateway's clock follows the ledger's with its next sign of life."""
    async with asyncio.timeout(10):
        while gate.worker.parts.clock.now() < time:
            await asyncio.sleep(0.02)
