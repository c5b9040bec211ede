"""A PowerMTA that answers wrongly: its session is closed, and no other message pays for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import pytest

from policy.model import Address, Server
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.house import HOUSE, MESSAGE, resident
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.fake import CLOSE, SILENT, FakePowerMta, Script, Step, fake_pmta
from tests.support.session.smtpwire import SmtpWire

MEGABYTE = 1_048_576
OURS = "451 4.3.0"
UNKNOWN = "451 4.3.0 no final answer"

WRONG: dict[str, tuple[Step, ...]] = {
    "1xx": (b"100 hold on\r\n",),
    "000": (b"000 nothing\r\n",),
    "999": (b"999 much\r\n",),
    "600": (b"600 later\r\n",),
    "four-digits": (b"2500 ok\r\n",),
    "two-digits": (b"25 ok\r\n",),
    "letters": (b"OK\r\n",),
    "glued": (b"250ok\r\n",),
    "blank-first": (b" 250 ok\r\n",),
    "empty-line": (b"\r\n",),
    "nul-first": (b"\x00250 ok\r\n",),
    "bare-cr": (b"250 o\rk\r\n",),
    "binary": (bytes(range(128, 256)) + b"\r\n",),
    "changing-code": (b"250-first\r\n550 second\r\n",),
    "changing-code-up": (b"550-first\r\n250 second\r\n",),
    "huge-line": (b"250 ", *(b"x" * 65_536,) * 160, b"\r\n"),
    "no-line-end": (b"2" * 65_536,) * 160,
    "endless-lines": (*(b"250-and on\r\n" * 5000,) * 100, b"250 done\r\n"),
    "half-and-close": (b"250 2.", CLOSE),
    "half-a-multiline-and-close": (b"250-more\r\n", CLOSE),
    "half-and-silence": (b"25", SILENT),
    "half-a-multiline-and-silence": (b"250-more\r\n", SILENT),
    "close": (CLOSE,),
    "silence": (SILENT,),
    "closing": (b"421 4.3.2 shutting down\r\n", CLOSE),
    "closing-and-silence": (b"421 4.3.2 shutting down\r\n",),
    "extra-refusal-before": (b"451 4.3.0 no\r\n550 5.1.1 no\r\n",),
    "354": (b"354 go\r\n",),
}


def at(stage: str, name: str) -> Script:
    return {stage: WRONG[name]}


@contextlib.asynccontextmanager
async def facing(
    valkey_url: str, scripts: Mapping[str, Script], *, sessions: int = 100, budget: float = 3.0
) -> AsyncIterator[tuple[GatewayUnderTest, FakePowerMta]]:
    relay = {"budget": budget, "circuit_failures": 1000, "hello": "gateway.test", "late_reply": 0.5}
    settings = settings_for(valkey_url, relay=relay, hold={"enabled": False})
    async with fake_pmta(scripts) as fake:
        address = Address(host="127.0.0.1", port=fake.port)
        servers = (Server(name="pmta1", addresses=(address,), sessions=sessions),)
        plan = generation(vmta(1, daily=10_000), servers=servers, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            yield gate, fake


async def send(gate: GatewayUnderTest, name: str) -> str:
    """One message of the script `name`; its reply."""
    wire = await SmtpWire.open(gate.port)
    try:
        return await wire.send(f"{name}@dest.test", sender=f"{name}@acme.test", body=MESSAGE)
    finally:
        await wire.close()


async def send_among_good(gate: GatewayUnderTest, names: list[str]) -> dict[str, str]:
    """Each bad one with two good ones around it, all at once over the same pool."""
    everything = [one for name in names for one in (f"good-1-{name}", name, f"good-2-{name}")]
    replies = await asyncio.gather(*(send(gate, name) for name in everything))
    return dict(zip(everything, replies, strict=True))


def good_ones_went(replies: dict[str, str], fake: FakePowerMta) -> None:
    good = {name: reply for name, reply in replies.items() if name.startswith("good")}
    assert {n: r for n, r in good.items() if not r.startswith("250 2.0.0 OK ")} == {}
    assert sorted(n for n in fake.taken if n.startswith("good")) == sorted(good)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_a_wrong_reply_before_the_dot_fails_its_own_message_only(
    valkey_url: str, stage: str
) -> None:
    names = [name for name in WRONG if (stage, name) != ("data", "354")]
    scripts = {f"{stage}-{name}": at(stage, name) for name in names}
    async with facing(valkey_url, scripts) as (gate, fake):
        before = resident()
        replies = await send_among_good(gate, list(scripts))
        bad = {name: replies[name] for name in scripts}
        assert {n: r for n, r in bad.items() if not r.startswith(OURS)} == {}
        assert set(fake.dots) & set(scripts) == set()
        good_ones_went(replies, fake)
        assert resident() - before < 64 * MEGABYTE
        await gate.worker.parts.reserver.drain()
        assert await gate.used("192.0.2.1") == {"192.0.2.1": len(fake.taken)}
        assert gate.log_lines("session_crashed") == []


async def test_a_wrong_reply_to_the_dot_is_unknown_and_stays_charged(valkey_url: str) -> None:
    scripts = {f"dot-{name}": at("dot", name) for name in WRONG}
    definite = {"dot-closing", "dot-closing-and-silence", "dot-extra-refusal-before"}
    async with facing(valkey_url, scripts) as (gate, fake):
        replies = await send_among_good(gate, list(scripts))
        for name in scripts:
            told = OURS if name in definite else UNKNOWN
            assert replies[name].startswith(told), (name, replies[name])
            assert replies[name].startswith(UNKNOWN) == (name not in definite)
        good_ones_went(replies, fake)
        assert set(scripts) <= set(fake.dots)
        await gate.worker.parts.reserver.drain()
        charged = len(fake.taken) + len(scripts) - len(definite)
        assert await gate.used("192.0.2.1") == {"192.0.2.1": charged}


OUT_OF_STEP: dict[str, Script] = {
    "two-at-mail": {"mail": (b"250 ok\r\n250 ok\r\n",)},
    "three-at-mail": {"mail": (b"250 ok\r\n250 ok\r\n354 go\r\n",)},
    "two-at-rcpt": {"rcpt": (b"250 ok\r\n250 ok\r\n",)},
    "refused-and-taken-at-rcpt": {"rcpt": (b"550 5.1.1 no\r\n250 ok\r\n",)},
    "taken-and-refused-at-rcpt": {"rcpt": (b"250 ok\r\n550 5.1.1 no\r\n",)},
    "go-ahead-at-rcpt": {"rcpt": (b"354 go\r\n",), "data": (b"354 go\r\n",)},
    "go-ahead-at-mail": {"mail": (b"354 go\r\n",)},
    "250-at-data": {"data": (b"250 ok\r\n",)},
    "200-at-data": {"data": (b"200 ok\r\n",)},
    "334-at-data": {"data": (b"334 \r\n",)},
    "verdict-ahead": {"data": (b"354 go\r\n250 2.6.0 taken\r\n",)},
    "half-a-verdict-ahead": {"data": (b"354 go\r\n250 2.",)},
    "none-at-rcpt": {"rcpt": ()},
}


@pytest.mark.parametrize("sessions", [1, 6])
async def test_replies_that_are_not_in_step_are_nobodys_verdict(
    valkey_url: str, sessions: int
) -> None:
    """Neither Relayed nor a refusal that MailWizz would take as the recipient's."""
    # One session that waits for a reply to the end of its budget lets nobody else in.
    names = [name for name in OUT_OF_STEP if name != "none-at-rcpt" or sessions > 1]
    async with facing(
        valkey_url, OUT_OF_STEP, sessions=sessions, budget=20.0 if sessions == 1 else 3.0
    ) as (
        gate,
        fake,
    ):
        replies = await send_among_good(gate, names)
        bad = {name: replies[name] for name in names}
        assert {n: r for n, r in bad.items() if not r.startswith(OURS)} == {}
        good_ones_went(replies, fake)
        assert set(fake.taken) & set(OUT_OF_STEP) == set()


async def test_a_go_ahead_after_a_refusal_gets_no_dot_and_the_refusal_stands(
    valkey_url: str,
) -> None:
    refused = (b"550 5.1.1 unknown here\r\n",)
    scripts: dict[str, Script] = {f"refused-{n}": {"rcpt": refused} for n in range(5)}
    async with facing(valkey_url, scripts) as (gate, fake):
        replies = await send_among_good(gate, list(scripts))
        assert {replies[name] for name in scripts} == {"550 5.1.1 unknown here"}
        assert set(fake.dots) & set(scripts) == set()
        good_ones_went(replies, fake)


AHEAD = b"250 2.1.0 a\r\n250 2.1.5 b\r\n354 c\r\n250 2.6.0 not yours\r\n"


@pytest.mark.parametrize("extra", [b"250 2.0.0 extra\r\n", b"2", b"550 5.1.1 no\r\n", AHEAD])
async def test_what_comes_behind_a_verdict_closes_the_session_and_answers_nobody(
    valkey_url: str, extra: bytes
) -> None:
    """The next message of the same client goes out at once, and is refused: it must hear so."""
    scripts: dict[str, Script] = {
        "first": {"dot": (b"250 2.6.0 first\r\n" + extra,)},
        "second": {"dot": (b"554 5.6.0 second refused\r\n",)},
        "third": {"rcpt": (b"550 5.1.1 third unknown\r\n",), "data": (b"503 5.5.1 no\r\n",)},
    }
    async with facing(valkey_url, scripts, sessions=1, budget=20.0) as (gate, fake):
        wire = await SmtpWire.open(gate.port)
        for _ in range(5):
            for name, told in (
                ("first", "250 2.0.0 OK"),
                ("second", "554 5.6.0 second refused"),
                ("first", "250 2.0.0 OK"),
                ("third", "550 5.1.1 third unknown"),
            ):
                reply = await wire.send(
                    f"{name}@dest.test", sender=f"{name}@acme.test", body=MESSAGE
                )
                assert reply.startswith(told), (name, reply)
        await wire.close()
        assert fake.heard.count(b"EHLO gateway.test") == 11


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.02])
async def test_a_late_extra_reply_makes_no_refusal_an_acceptance(
    valkey_url: str, delay: float
) -> None:
    """It may come while the next message is under way: that one is refused, and hears so or that
    it shall try again, never 250."""
    scripts: dict[str, Script] = {
        "first": {"dot": (b"250 2.6.0 first\r\n", delay, b"250 2.0.0 extra\r\n")},
        "second": {"dot": (b"554 5.6.0 second refused\r\n",)},
        "third": {"rcpt": (b"550 5.1.1 third unknown\r\n",), "data": (b"503 5.5.1 no\r\n",)},
    }
    async with facing(valkey_url, scripts, sessions=1, budget=20.0) as (gate, _):
        wire = await SmtpWire.open(gate.port)
        for _ in range(10):
            for name, told in (
                ("first", "250 2.0.0 OK"),
                ("second", "554 5.6.0 second refused"),
                ("first", "250 2.0.0 OK"),
                ("third", "550 5.1.1 third unknown"),
            ):
                reply = await wire.send(
                    f"{name}@dest.test", sender=f"{name}@acme.test", body=MESSAGE
                )
                assert reply.startswith((told, OURS)), (name, reply)
        await wire.close()


async def test_odd_but_sound_replies_are_understood(valkey_url: str) -> None:
    """Bare LF, no text, NUL and 8 bits in a text, many lines: what they say is clear."""
    sound: dict[str, Script] = {
        "bare-lf": {"mail": (b"250 ok\n",), "rcpt": (b"250 ok\n",), "dot": (b"250 ok\n",)},
        "no-text": {"mail": (b"250\r\n",), "rcpt": (b"250\r\n",), "dot": (b"250\r\n",)},
        "lines": {"dot": (b"250-2.6.0 a\r\n250-2.6.0 b\r\n250 2.6.0 c\r\n",)},
        "octets": {"rcpt": (b"2", b"50", b" ok", b"\r", b"\n")},
        "nul": {"mail": (b"250 o\x00k\r\n",), "dot": (b"250 \xff\x00\r\n",)},
    }
    refused: dict[str, Script] = {
        "refused": {
            "rcpt": (b"550-5.1.1 no\x00\x1b[2J\xff\r\n550 5.1.1 \xc2\x85" + b"y" * 1500 + b"\r\n",),
            "data": (b"503 5.5.1 no\r\n",),
        }
    }
    async with facing(valkey_url, {**sound, **refused}) as (gate, fake):
        replies = await send_among_good(gate, [*sound, *refused])
        assert {replies[name][:12] for name in sound} == {"250 2.0.0 OK"}
        told = replies["refused"]
        assert told.startswith("550 5.1.1 no")
        assert told.isprintable()
        assert len(told) < 512
        good_ones_went(replies, fake)
