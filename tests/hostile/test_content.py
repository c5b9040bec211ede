"""Smuggling: what looks like the end of a message, and is not, never makes a second one."""

import pytest

from tests.support.gateway.house import MESSAGE, house, until_gone, works
from tests.support.session.smtpwire import SmtpWire

SECOND = (
    b"MAIL FROM:<evil@acme.test>\r\nRCPT TO:<victim@dest.test>\r\nDATA\r\n"
    b"From: evil@acme.test\r\n\r\nsmuggled\r\n"
)
ENVELOPE = b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
HEAD = b"From: a@acme.test\r\nSubject: x\r\n\r\nfirst"
LOOK_ALIKES = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CR.LF": b"\r.\n",
    "CRLF.CR": b"\r\n.\r",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF.CR CRLF": b"\r\n.\rX\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRLF NUL.CRLF": b"\r\n\x00.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\x00\r\n",
    "CR NUL LF.CR NUL LF": b"\r\x00\n.\r\x00\n",
    "CRLF.space CRLF": b"\r\n. \r\n",
    "CRLF space.CRLF": b"\r\n .\r\n",
    "CRLF.tab CRLF": b"\r\n.\t\r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "VT.VT": b"\x0b.\x0b",
    "FF": b"\x0c.\x0c",
    "NEL.NEL": b"\x85.\x85",
    "UTF-8 line separator": "\u2028.\u2028".encode(),
    "fullwidth dot": "\r\n\uff0e\r\n".encode(),
}
SOUND = {
    "CRLF.space CRLF", "CRLF space.CRLF", "CRLF.tab CRLF", "CRLF..CRLF", "VT.VT", "FF",
    "NEL.NEL", "UTF-8 line separator", "fullwidth dot",
}  # fmt: skip
"""Without a bare CR, a bare LF or a NUL: content like any other, and one message."""


def unstuffed(content: bytes) -> bytes:
    lines = content.split(b"\r\n")
    return b"\r\n".join(line[line.startswith(b".") :] for line in lines)


async def test_no_look_alike_of_the_end_makes_a_second_message(valkey_url: str) -> None:
    """The hidden transaction is content; the one after the real end is a transaction."""
    async with house(valkey_url) as (gate, pmta):
        for name, look_alike in LOOK_ALIKES.items():
            content = HEAD + look_alike + SECOND
            wire = await SmtpWire.open(gate.port)
            wire.say(ENVELOPE + content + b".\r\nNOOP\r\n")
            replies = [await wire.reply() for _ in range(5)]
            assert [reply[:3] for reply in replies[:3]] == ["250", "250", "354"], name
            sound = name in SOUND
            assert replies[3].startswith("250 2.0.0 OK " if sound else "554 5.6.0"), name
            assert replies[4].startswith("250"), name  # NOOP: in step
            assert (await wire.send("c@dest.test", body=MESSAGE)).startswith("250 2.0.0 OK ")
            await wire.close()
            expected = [["b@dest.test"], ["c@dest.test"]] if sound else [["c@dest.test"]]
            came = await pmta.messages()
            assert [m.rcpts for m in came] == expected, name
            if sound:
                assert came[0].content is not None
                assert came[0].content.endswith(unstuffed(content)), name
            await pmta.reset()
        await until_gone(gate)


async def test_an_end_behind_a_bare_cr_is_an_end_and_what_precedes_it_is_refused(
    valkey_url: str,
) -> None:
    """CR CRLF.CRLF holds a real end: what follows it are commands of this client, unhidden."""
    async with house(valkey_url) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        wire.say(ENVELOPE + HEAD + b"\r\r\n.\r\n" + SECOND + b".\r\n")
        codes = [(await wire.reply())[:9] for _ in range(8)]
        assert codes[3] == "554 5.6.0"
        assert codes[7] == "250 2.0.0"
        await wire.close()
        await until_gone(gate)
        assert [m.rcpts for m in await pmta.messages()] == [["victim@dest.test"]]


@pytest.mark.parametrize("start", ["first", "later"])
async def test_the_end_is_found_however_tcp_cuts_it(valkey_url: str, start: str) -> None:
    """Split at every octet around the final dot; the second transaction follows in the rest."""
    body = HEAD + b"\r\n" if start == "later" else b""
    stream = ENVELOPE + body + b".\r\n" + ENVELOPE + HEAD + b"\r\n.\r\nQUIT\r\n"
    first_end = len(ENVELOPE + body)
    async with house(valkey_url) as (gate, pmta):
        cuts = range(first_end - 4, first_end + 6)
        for cut in cuts:
            wire = await SmtpWire.open(gate.port)
            wire.say(stream[:cut])
            # By then the gateway has read the first part: it answered DATA, the last command.
            seen = [await wire.reply() for _ in range(2 if cut < len(ENVELOPE) else 3)]
            wire.say(stream[cut:])
            while (reply := await wire.reply()) != "":
                seen.append(reply)
            codes = [reply[:3] for reply in seen]
            # An empty message has no From: it is refused, and the session goes on.
            assert codes[:3] == ["250", "250", "354"], cut
            assert codes[3][0] == ("5" if start == "first" else "2"), (cut, seen)
            assert codes[4:] == ["250", "250", "354", "250", "221"], (cut, seen)
            await wire.close()
        await until_gone(gate)
        each = 1 if start == "first" else 2
        assert len(await pmta.messages()) == each * len(cuts)


async def test_bdat_ends_the_session_before_its_octets_are_commands(valkey_url: str) -> None:
    """CHUNKING is not offered: whoever sends BDAT sends octets we cannot tell from commands."""
    async with house(valkey_url) as (gate, pmta):
        for start in (b"", b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\n"):
            for chunk in (b"BDAT 200 LAST", b"BDAT 0", b"bdat 99999999999999", b"BDAT"):
                wire = await SmtpWire.open(gate.port)
                wire.say(start + chunk + b"\r\n" + SECOND + b".\r\n")
                if start:
                    assert [(await wire.reply())[:3] for _ in range(2)] == ["250", "250"]
                assert (await wire.reply()).startswith("502 5.5.1")
                assert await wire.reply() == ""
                await wire.close()
        await until_gone(gate)
        assert await pmta.messages() == []


REFUSED_DATA = {
    "no MAIL": b"DATA\r\n",
    "no recipient": b"MAIL FROM:<a@acme.test>\r\nDATA\r\n",
    "every recipient refused": b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<>\r\nDATA\r\n",
    "an argument": b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA now\r\n",
    "after RSET": b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nRSET\r\nDATA\r\n",
}


async def test_content_behind_a_refused_data_closes_the_session(valkey_url: str) -> None:
    """RFC 2920 3.1 forbids it to clients: the content may hold whole transactions."""
    async with house(valkey_url) as (gate, pmta):
        for name, commands in REFUSED_DATA.items():
            wire = await SmtpWire.open(gate.port)
            wire.say(commands + MESSAGE.encode() + SECOND + b".\r\n" + SECOND + b".\r\n")
            said = []
            while (reply := await wire.reply()) != "":
                said.append(reply)
            wrong = [reply for reply in said if reply.startswith(("354", "250 2.0.0 OK "))]
            assert not wrong, (name, said)
            assert said[-1].startswith("421 4.7.0"), (name, said)
            await wire.close()
        await until_gone(gate)
        assert await pmta.messages() == []
        await works(gate)


async def test_an_http_request_ends_before_its_body_is_commands(valkey_url: str) -> None:
    """A browser or a web application can be made to send one here, with SMTP as its body."""
    async with house(valkey_url) as (gate, pmta):
        for first in ("GET / HTTP/1.1", "POST / HTTP/1.1", "post /", "CONNECT x:25", "HEAD *",
                      "OPTIONS *", "Host: gateway.test", "host:gateway.test"):  # fmt: skip
            wire = await SmtpWire.open(gate.port, ehlo=False)
            wire.say(f"{first}\r\n\r\nEHLO x\r\n".encode() + SECOND + b".\r\nQUIT\r\n")
            assert (await wire.reply()).startswith("220")
            assert (await wire.reply()).startswith("421 4.7.0"), first
            assert await wire.reply() == ""
            await wire.close()
        await until_gone(gate)
        assert await pmta.messages() == []
