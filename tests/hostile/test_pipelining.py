"""Commands pipelined at every state and cut at every octet: the same replies, the same mail."""

import asyncio
import re

import pytest

from tests.support.gateway.house import conversation, house, nothing_happened, until_gone, works
from tests.support.gateway.worker import GatewayUnderTest
from tests.support.pmta.standin import StandIn

MAIL, RCPT, DATA = b"MAIL FROM:<a@acme.test>\r\n", b"RCPT TO:<b@dest.test>\r\n", b"DATA\r\n"
CONTENT = b"From: a@acme.test\r\n\r\n..x\r\n.\r\n"
TRANSCRIPT = (
    b"EHLO x\r\nNOOP\r\n" + MAIL + RCPT + b"RSET\r\n" + DATA + MAIL + MAIL + b"RCPT TO:<>\r\n"
    + DATA + RCPT + DATA + CONTENT + MAIL + RCPT + DATA + b"bad\n.\r\n.\r\n" + b"FOO\r\n"
    + MAIL + RCPT + DATA + CONTENT + b"QUIT\r\nNOOP\r\n"
)  # fmt: skip


def shown(replies: list[str]) -> list[str]:
    """Replies without what is new in every run: the envelope id."""
    return [re.sub(r"^(250 2\.0\.0 OK) \S+$", r"\1", reply) for reply in replies]


async def quiet(gate: GatewayUnderTest, pmta: StandIn, messages: int) -> None:
    await until_gone(gate)
    assert len(await pmta.messages(limit=10_000)) == messages


async def test_several_transactions_in_one_segment_are_answered_in_turn(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        whole = await conversation(gate.port, TRANSCRIPT, end=False)
        lines = [line for line in whole if line[3] == " " or line.startswith("220")]
        assert [line[:3] for line in lines] == [
            "220", "250", "250", "250", "250", "250", "503", "250", "503", "501", "503", "250",
            "354", "250", "250", "250", "354", "554", "500", "250", "250", "354", "250", "221",
        ], whole  # fmt: skip
        await quiet(gate, pmta, 2)


@pytest.mark.slow
async def test_a_cut_at_any_octet_changes_nothing(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        whole = shown(await conversation(gate.port, TRANSCRIPT, end=False))

        async def cut(at: int) -> None:
            # Two segments, the second one after the gateway has seen the first.
            cut_at = TRANSCRIPT[:at], TRANSCRIPT[at:]
            said = await conversation(gate.port, *cut_at, end=False, pause=0.02)
            assert shown(said) == whole, at

        for start in range(1, len(TRANSCRIPT), 40):
            await asyncio.gather(
                *(cut(at) for at in range(start, min(start + 40, len(TRANSCRIPT))))
            )
        await quiet(gate, pmta, 2 * len(TRANSCRIPT))


async def test_octet_by_octet_it_is_the_same_conversation(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        whole = shown(await conversation(gate.port, TRANSCRIPT, end=False))
        single = [bytes([octet]) for octet in TRANSCRIPT]
        assert shown(await conversation(gate.port, *single, end=False)) == whole
        await quiet(gate, pmta, 4)


async def test_who_talks_on_after_quit_still_reads_every_reply(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        whole = shown(await conversation(gate.port, TRANSCRIPT, end=False))
        late = [b"NOOP\r\n"] * 4
        said = await conversation(gate.port, TRANSCRIPT, *late, end=False, pause=0.05)
        assert shown(said) == whole
        await quiet(gate, pmta, 4)


async def test_quit_ends_at_once_and_what_follows_is_not_read(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for before in (b"", b"EHLO x\r\n", b"EHLO x\r\n" + MAIL, b"EHLO x\r\n" + MAIL + RCPT):
            stream = before + b"QUIT\r\n" + b"EHLO x\r\n" + MAIL + RCPT + DATA + CONTENT
            said = await conversation(gate.port, stream)
            assert said[-1].startswith("221 2.0.0"), said
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_quit_inside_content_is_content(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        body = b"From: a@acme.test\r\n\r\nQUIT\r\nRSET\r\n" + MAIL + RCPT + DATA
        said = await conversation(gate.port, b"EHLO x\r\n" + MAIL + RCPT + DATA + body + b".\r\n")
        assert said[-1].startswith("250 2.0.0 OK ")
        [message] = await pmta.messages()
        assert message.content is not None
        assert message.content.endswith(body)


async def test_rset_between_pipelined_commands_forgets_the_envelope(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for reset in (b"RSET\r\n", b"EHLO again\r\n", b"HELO again\r\n"):
            for cut in ([MAIL], [MAIL, RCPT]):
                stream = b"EHLO x\r\n" + b"".join(cut) + reset + RCPT + DATA + b"NOOP\r\n"
                said = await conversation(gate.port, stream)
                assert [line[:9] for line in said[-3:-1]] == ["503 5.5.1"] * 2, said
                assert said[-1].startswith("250")
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_recipients_of_one_transaction_never_reach_the_next(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        stream = b"EHLO x\r\n"
        for number in range(50):
            refused = number % 3 == 0
            stream += MAIL + f"RCPT TO:<b{number}@dest.test>\r\n".encode() + DATA
            stream += b"bad\n\r\n.\r\n" if refused else CONTENT
        said = await conversation(gate.port, stream + b"QUIT\r\n")
        accepted = [line for line in said if line.startswith("250 2.0.0 OK ")]
        came = await pmta.messages()
        assert [m.rcpts for m in came] == [[f"b{n}@dest.test"] for n in range(50) if n % 3]
        # Each reply names the message it is about.
        assert [line.rpartition(" ")[2] for line in accepted] == [m.envid for m in came]
        await works(gate)
