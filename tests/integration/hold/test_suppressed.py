"""A suppressed address gets nothing: live, waiting already, and with PostgreSQL away."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.ledger.restore import restore
from policy.model import Profile
from policy.suppression import Digests
from settings.model import Settings
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, next_day, until
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, releaser
from tests.support.hold.database import rows, states
from tests.support.hold.suppressed import following, forgive, suppress, suppressions
from tests.support.pmta.standin import StandIn

AWAY = "postgresql://nobody@127.0.0.1:1/none"
REFUSED = "550 5.7.1 recipient is suppressed: "


async def answer(gate: GatewayUnderTest, recipient: str, utf8: bool = False) -> str:
    """To RCPT."""
    wire = await gate.wire()
    await wire.ask("MAIL FROM:<news@acme.test>" + (" SMTPUTF8" if utf8 else ""))
    said = await wire.ask(f"RCPT TO:<{recipient}>")
    await wire.close()
    return said


async def refuses(gate: GatewayUnderTest, recipient: str, refusal: str = REFUSED) -> None:
    """Within five seconds of a change."""
    await until(lambda: _begins(gate, recipient, refusal), 5.0)


async def takes(gate: GatewayUnderTest, recipient: str) -> None:
    await until(lambda: _begins(gate, recipient, "250"), 5.0)


async def _begins(gate: GatewayUnderTest, recipient: str, words: str) -> bool:
    return (await answer(gate, recipient)).startswith(words)


def plan(pmta: StandIn, number: int = 1, *, daily: int = 1000, **fields: Any) -> Any:
    return generation(
        vmta(1, daily=daily), port=pmta.smtp_port, tenants=(tenant(**fields),), number=number
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_recipient_is_refused_seconds_after_it_is_suppressed_and_taken_again_after(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "first@dest.test", reason="complaint")
    async with StandIn.start() as pmta, releaser(settings), gateway(settings, plan(pmta)) as gate:
        assert (await answer(gate, "first@dest.test")) == REFUSED + "complaint"
        assert (await answer(gate, "first@other.test")).startswith("250")
        await suppress(hold_url, "second@dest.test", tenant="acme")
        await suppress(hold_url, "third@dest.test", tenant="globex")
        await refuses(gate, "second@dest.test", REFUSED + "other")
        await takes(gate, "third@dest.test")
        await forgive(hold_url, "second@dest.test", "acme")
        await takes(gate, "second@dest.test")
        wire = await gate.wire()
        assert (await wire.send("first@dest.test", body=MESSAGE.format(1))).startswith("550 5.7.1")
        await wire.ask("RSET")
        assert (await wire.send("fine@dest.test", body=MESSAGE.format(2))).startswith("250")
        await wire.close()
        assert [m.rcpts for m in await pmta.messages()] == [["fine@dest.test"]]
        [line, *_] = gate.log_lines("recipient_suppressed")
        assert (line["recipient"], line["reason"]) == ("first@dest.test", "complaint")


@pytest.mark.parametrize(
    ("suppressed", "same", "another"),
    [
        ("anna@bücher.example", "anna@BÜCHER.example", "anna@bucher.example"),
        ("anna@bücher.example", "anna@xn--BCHER-kva.example", "Anna@bücher.example"),
        ("Änne@dest.test", "Änne@DEST.test", "änne@dest.test"),
        ('"an na"@dest.test', '"an na"@dest.test', "anna@dest.test"),
        ("anna@dest.test", '"anna"@dest.test.', "anna@sub.dest.test"),
        ("a@[IPv6:2001:db8::7]", "a@[ipv6:2001:DB8:0::7]", "a@[IPv6:2001:db8::8]"),
    ],
)
async def test_addresses_are_compared_in_their_one_spelling(
    valkey_url: str, hold_url: str, state: Path, suppressed: str, same: str, another: str
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, suppressed)
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        await refuses(gate, "nobody@dest.test", "250")
        assert (await answer(gate, same, utf8=True)).startswith(REFUSED)
        assert (await answer(gate, another, utf8=True)).startswith("250")


async def test_one_with_an_end_ends(valkey_url: str, hold_url: str, state: Path) -> None:
    settings = following(valkey_url, hold_url, state)
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        now, _ = await gate.admin.now()
        ends = msgspec.json.decode(msgspec.json.encode(_iso(now + 3_600_000)))
        await suppress(hold_url, "anna@dest.test", until=ends)
        await refuses(gate, "anna@dest.test")
        assert await gate.admin.set_clock(now + 3_601_000)
        await takes(gate, "anna@dest.test")


def _iso(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


@pytest.mark.parametrize("profile", [Profile.MAILWIZZ, Profile.MTA])
async def test_a_tenant_may_have_them_taken_and_nothing_sent(
    valkey_url: str, hold_url: str, state: Path, profile: Profile
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "gone@dest.test")
    async with StandIn.start() as pmta:
        terms = plan(pmta, suppressed="accept", profile=profile)
        async with gateway(settings, terms) as gate:
            wire = await gate.wire()
            said = await wire.send("gone@dest.test", body=MESSAGE.format(1))
            if profile is Profile.MTA:
                assert said.startswith(REFUSED), "its client tells the sender"
            else:
                assert said.startswith("250"), said
                assert said.endswith("(suppressed)")
                both = ["gone@dest.test", "fine@dest.test", "gone@DEST.test"]
                assert (await wire.send(*both, body=MESSAGE.format(2))).startswith("250")
                assert [m.rcpts for m in await pmta.messages()] == [["fine@dest.test"]]
                assert await rows(hold_url) == []
                told = [x for x in gate.log_lines("message") if x["outcome"] == "suppressed"]
                assert [line["recipients"] for line in told] == [["gone@dest.test"]] * 2
                await wire.ask("MAIL FROM:<news@acme.test>")
                await wire.ask("RCPT TO:<gone@dest.test>")
                await wire.ask("RSET")
                await wire.ask("MAIL FROM:<news@acme.test>")
                assert (await wire.ask("DATA")).startswith("503"), "nothing stays of a reset"
            await wire.close()


async def test_mail_that_waited_already_is_not_released(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    async with (
        StandIn.start() as pmta,
        gateway(settings, plan(pmta, daily=1)) as gate,
        releaser(settings) as releasing,
    ):
        wire = await gate.wire()
        for n in range(3):
            assert (await wire.send(f"r{n}@dest.test", body=MESSAGE.format(n))).startswith("250")
        assert await states(hold_url) == {"held": 2}
        await wire.close()
        heard: list[dict[str, Any]] = []
        releasing.log.hear = heard.append
        await suppress(hold_url, "r1@DEST.test", reason="complaint")
        await until(lambda: _knows(releasing, b"r1@dest.test"))
        await next_day(gate)
        await until(lambda: _is(hold_url, {"refused": 1, "done": 1}))
        assert [m.rcpts for m in await pmta.messages()] == [["r0@dest.test"], ["r2@dest.test"]]
        [row] = await rows(hold_url, "state = 'refused'")
        assert row["verdict"] == "the recipient is suppressed: complaint"
        [told] = [line for line in heard if line["outcome"] == "suppressed"]
        assert told["recipients"] == ["r1@dest.test"]


async def _is(url: str, wanted: dict[str, int]) -> bool:
    return await states(url) == wanted


async def _knows(releasing: Any, recipient: bytes) -> bool:
    parts = releasing.parts
    return bool(parts.suppressions.known("acme", recipient, "dest.test", parts.clock.now()))


def away(settings: Settings) -> Settings:
    """Nobody answers there."""
    database = msgspec.structs.replace(settings.database, url=AWAY)
    return msgspec.structs.replace(settings, database=database)


async def test_a_restart_without_postgresql_knows_what_was_known(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "anna@dest.test")
    async with StandIn.start() as pmta:
        async with gateway(settings, plan(pmta)) as gate:
            await refuses(gate, "anna@dest.test")
        async with gateway(away(settings), plan(pmta, 2)) as gate:
            assert not gate.log_lines("suppressions_unknown")
            assert (await answer(gate, "anna@dest.test")).startswith(REFUSED)
            wire = await gate.wire()
            assert (await wire.send("fine@dest.test", body=MESSAGE.format(1))).startswith("250")
            await wire.close()
            assert [m.rcpts for m in await pmta.messages()] == [["fine@dest.test"]]


@pytest.mark.parametrize("damage", ["never there", "head", "base"])
async def test_what_was_never_known_or_cannot_be_read_defers_until_it_is(
    valkey_url: str, hold_url: str, state: Path, damage: str
) -> None:
    settings = following(valkey_url, hold_url, state)
    async with StandIn.start() as pmta:
        if damage != "never there":
            await suppress(hold_url, "anna@dest.test")
            async with gateway(settings, plan(pmta)) as gate:
                await refuses(gate, "anna@dest.test")
            [file] = state.glob("*.head" if damage == "head" else "*.base")
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)
        async with gateway(away(settings), plan(pmta, 2)) as gate:
            assert (await answer(gate, "fine@dest.test")).startswith("451 4.3.0 which recipients")
            assert gate.log_lines("suppressions_unknown")
            assert bool(gate.log_lines("suppressions_unreadable")) == (damage != "never there")
        async with gateway(settings, plan(pmta, 3)) as gate:
            await takes(gate, "fine@dest.test")


async def test_a_damaged_file_is_mended_while_what_was_known_stays(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "anna@dest.test")
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        await refuses(gate, "anna@dest.test")
        head = state / "suppressions.head"
        head.write_bytes(b"nonsense")
        await until(lambda: _mended(head))
        assert gate.log_lines("suppressions_unreadable")
        assert (await answer(gate, "anna@dest.test")).startswith(REFUSED)
        await suppress(hold_url, "b@dest.test")
        await refuses(gate, "b@dest.test")


async def _mended(head: Path) -> bool:
    return head.read_bytes() != b"nonsense"


async def test_another_process_writes_when_the_writer_ends(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    async with StandIn.start() as pmta:
        async with releaser(settings):
            pass
        async with releaser(settings), gateway(settings, plan(pmta)) as gate:
            async with releaser(settings, "writes no more"):
                await suppress(hold_url, "a@dest.test")
                await refuses(gate, "a@dest.test")
            await suppress(hold_url, "b@dest.test")
            await refuses(gate, "b@dest.test")


async def test_a_restored_list_is_read_as_a_whole(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "a@dest.test", "b@dest.test")
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        await refuses(gate, "b@dest.test")
        async with suppressions(hold_url) as door:
            await door._pool.execute("DELETE FROM suppression WHERE address = 'b@dest.test'")
            await door._pool.execute("UPDATE suppression_state SET change = change - 1")
        await takes(gate, "b@dest.test")
        async with suppressions(hold_url) as door:
            await door._pool.execute("DELETE FROM suppression")
            await door._pool.execute("UPDATE suppression_state SET lineage = 'another'")
        await takes(gate, "a@dest.test")


async def test_a_list_that_lost_changes_and_made_as_many_since_is_read_as_a_whole(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    """A standby without the last one took over, and before anybody looks a new one has its
    number."""
    settings = following(valkey_url, hold_url, state)
    await suppress(hold_url, "a@dest.test", "b@dest.test")
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        await refuses(gate, "b@dest.test")
        async with suppressions(hold_url) as door, door._pool.acquire() as link:
            async with link.transaction():
                await link.execute("SELECT FROM suppression_state FOR UPDATE")
                key = await link.fetchval("SELECT key FROM suppression_state")
                await link.execute(
                    "UPDATE suppression SET address = 'c@dest.test', digest = $1 "
                    "WHERE address = 'b@dest.test'",
                    Digests(key).of("", b"c@dest.test"),
                )
            await restore(door._pool, gate.admin, who="test")
        await refuses(gate, "c@dest.test")
        await takes(gate, "b@dest.test")


async def test_many_changes_reach_the_gateway_in_parts(
    valkey_url: str, hold_url: str, state: Path
) -> None:
    settings = following(valkey_url, hold_url, state)
    settings = msgspec.structs.replace(
        settings, suppressions=msgspec.structs.replace(settings.suppressions, changes=100)
    )
    async with StandIn.start() as pmta, gateway(settings, plan(pmta)) as gate:
        names = [f"u{n}@dest.test" for n in range(260)]
        for some in itertools.batched(names, 60) if hasattr(itertools, "batched") else [names]:
            await suppress(hold_url, *some)
        await refuses(gate, names[-1])
        await asyncio.gather(*(refuses(gate, name) for name in names[::40]))
        await forgive(hold_url, names[80])
        await takes(gate, names[80])
