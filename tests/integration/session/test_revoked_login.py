"""A login that goes while its client's connection is open: the message under way is the tenant's
still and is sent whole; the next one is nobody's."""

import base64

import pytest

from policy.model import Login, Pool, Tenant
from policy.plan import Generation
from tests.support.gateway.generations import _HASHER, generation, tenant, vmta
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn

NEXT = "the next one"
CONTENT = "From: a@acme.test\r\nSubject: x\r\n\r\nthe whole of it\r\n"
REFUSED = "530 5.7.0 authentication required"


def plan(port: int, tenants: tuple[Tenant, ...], number: int = 1) -> Generation:
    """With an IP for each of two tenants, whichever are there."""
    rows = (vmta(1), vmta(2))
    pools = tuple(
        Pool(name=f"{name}-pool", tenant=name, members=(row.name,))
        for name, row in zip(("acme", "zen"), rows, strict=True)
    )
    return generation(*rows, number=number, port=port, tenants=tenants, pools=pools)


def without(how: str, port: int) -> Generation:
    """The plan once acme's login went."""
    zen, next_ = tenant("zen"), Login(name="acme", hash=_HASHER.hash(NEXT))
    other = Login(name="other", hash=next_.hash)
    left = {
        "removed": (tenant(logins=(other,)), zen),
        "another password": (tenant(logins=(next_,)), zen),
        "another tenant's": (tenant(logins=(other,)), tenant("zen", logins=(*zen.logins, next_))),
        "the last one": (tenant(logins=()), zen),
    }[how]
    return plan(port, left, number=2)


HOW = ("removed", "another password", "another tenant's", "the last one")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "the end"])
async def test_what_is_under_way_is_sent_whole_and_the_next_is_refused(
    valkey_url: str, how: str, at: str
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), plan(pmta.smtp_port, (tenant(), tenant("zen")))) as gate,
    ):
        wire, idle = await gate.wire(), await gate.wire()

        async def reached(place: str) -> None:
            if place == at:
                await gate.publish(without(how, pmta.smtp_port))

        assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("250")
        await reached("MAIL")
        assert (await wire.ask("RCPT TO:<b@dest.example>")).startswith("250")
        await reached("RCPT")
        assert (await wire.ask("DATA")).startswith("354")
        wire.say(CONTENT[:40])
        await wire.writer.drain()
        await reached("DATA")
        wire.say(CONTENT[40:])
        await wire.writer.drain()
        await reached("the end")
        # Its end and the next transaction in one go, as pipelining clients write them.
        wire.say(".\r\nMAIL FROM:<a@acme.test>\r\nRCPT TO:<c@dest.example>\r\nDATA\r\n")
        # Of a tenant without any way in left nothing is sent: it may be about to go. Its client
        # keeps the message.
        sent = "451 4.3.0 this tenant takes no mail now" if how == "the last one" else "250 2.0.0"
        assert (await wire.reply()).startswith(sent)
        assert [await wire.reply() for _ in range(3)] == [REFUSED] * 3
        assert await idle.ask("MAIL FROM:<a@acme.test>") == REFUSED
        received = await pmta.messages()
        assert len(received) == (0 if how == "the last one" else 1)
        assert all(b"the whole of it" in (one.content or b"") for one in received)
        blob = base64.b64encode(b"\0acme\0secret").decode()
        assert (await idle.ask(f"AUTH PLAIN {blob}")).startswith("535 5.7.8")
        assert (await wire.ask("NOOP")).startswith("250"), "it may sign in anew"
        await wire.close()
        await idle.close()
