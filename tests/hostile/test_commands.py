"""Commands that try to be two: control characters, endless arguments, addresses and parameters
that would end a command or a header field towards PowerMTA."""

import pytest

from tests.support.gateway.house import MESSAGE, conversation, house, nothing_happened, until_gone
from tests.support.session.smtpwire import SmtpWire

COMMANDS = (
    b"EHLO x", b"HELO x", b"MAIL FROM:<a@acme.test>", b"RCPT TO:<b@dest.test>", b"DATA", b"RSET",
    b"NOOP", b"VRFY x", b"HELP", b"QUIT", b"AUTH PLAIN AGFjbWUAc2VjcmV0", b"STARTTLS",
)  # fmt: skip


async def test_no_control_character_is_part_of_any_command(valkey_url: str) -> None:
    """CR, NUL and the rest refuse the command; a bare LF ends no line, so it ends no command. A tab
    is a blank."""
    async with house(valkey_url) as (gate, pmta):
        for command in COMMANDS:
            for octet in (*range(0x09), *range(0x0B, 0x20), 0x7F):
                for line in (command + bytes([octet]), command[:3] + bytes([octet]) + command[3:]):
                    said = await conversation(gate.port, b"EHLO x\r\n" + line + b"\r\nNOOP\r\n")
                    assert said[-2] == "501 5.5.2 control characters in a command", (line, said)
                    assert said[-1].startswith("250")
            if command[:4] != b"QUIT":
                break_out = command + b"\nMAIL FROM:<evil@acme.test>"
                said = await conversation(gate.port, b"EHLO x\r\n" + break_out + b"\r\nNOOP\r\n")
                assert "500 5.5.2 line ends with a bare LF" in said, said
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_an_over_long_argument_of_any_command_is_refused_in_step(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for command in COMMANDS:
            for length in (2049 - len(command), 13_000, 100_000):
                line = command + b"x" * length
                if command.startswith(b"AUTH") and length < 12_000:
                    continue  # RFC 4954 section 4 allows 12,288 octets
                said = await conversation(gate.port, b"EHLO x\r\n" + line + b"\r\nNOOP\r\n")
                assert said[-2] == "500 5.5.2 line too long", (command, length, said[-2:])
                assert said[-1].startswith("250")
        await until_gone(gate)
        await nothing_happened(gate, pmta)


REFUSED = (
    b"a@x.test>\\r\\nRCPT TO:<victim@dest.test", b"a@x.test> <b@x.test", b"a>b@x.test",
    b"a<b@x.test", b"a@x.test>>", b"@relay.test:a@x.test", b"@a.test,@b.test:c@x.test",
    b"a b@x.test", b'"a@x.test', b'a"b"@x.test', b'"a"b@x.test', b'"\\"@x.test', b"a@b@x.test",
    b"a@", b"@x.test", b"a", b"a@x.test,b@x.test", b"a;b@x.test", b"a:b@x.test", b"a(b)@x.test",
    b"a\\b@x.test", b"\xff@x.test", b"a@\xff.test", b"\xc3@x.test", b"a@x..test", b"a@-x.test",
    b"a@x.test\xa0>", b"a@[1.2.3.4", b"|/bin/sh@x.test> NOTIFY=NEVER <", b"a@x.test NOTIFY=NEVER",
    b"a" * 250 + b"@x.test", b"a@" + b"b." * 130 + b"test", b'"' + b"\\a" * 130 + b'"@x.test',
)  # fmt: skip
TAKEN = {
    # Odd, and nobody's business but the receiver's: they travel as they came, and as one address.
    b"user%victim.test@x.test": b"user%victim.test@x.test",
    b"relay!user@x.test": b"relay!user@x.test",
    b'"a b"@x.test': b'"a b"@x.test',
    b'"a\\" b@c>"@x.test': b'"a\\" b@c>"@x.test',
    b'"RCPT TO:<v@x.test>"@x.test': b'"RCPT TO:<v@x.test>"@x.test',
    b"-oQ/tmp@x.test": b"-oQ/tmp@x.test",
    b"|/bin/sh@x.test": b"|/bin/sh@x.test",
    b"a@[192.0.2.7]": b"a@[192.0.2.7]",
}


async def test_an_address_is_one_address_or_refused(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for address in REFUSED:
            wire = await SmtpWire.open(gate.port)
            for verb in (b"MAIL FROM:<", b"RCPT TO:<"):
                wire.say(verb + address + b">\r\n")
                reply = await wire.reply()
                assert reply.startswith(("501", "553", "503 5.5.1 send MAIL first")), (
                    address, verb, reply,
                )  # fmt: skip
            wire.say("MAIL FROM:<a@acme.test> SMTPUTF8\r\n")
            assert (await wire.reply()).startswith("250")
            wire.say(b"RCPT TO:<" + address + b">\r\n")
            reply = await wire.reply()
            assert reply.startswith(("501", "553")), (address, reply)
            assert (await wire.ask("DATA")).startswith("503 5.5.1 send RCPT first")
            await wire.close()
        await nothing_happened(gate, pmta)
        for address in TAKEN:
            wire = await SmtpWire.open(gate.port)
            reply = await wire.send(address.decode(), sender=address.decode(), body=MESSAGE)
            assert reply.startswith("250 2.0.0 OK "), (address, reply)
            await wire.close()
        kept = [(m.mail_from, *m.rcpts) for m in await pmta.messages()]
        assert kept == [(meant.decode(), meant.decode()) for meant in TAKEN.values()]


PARAMETERS = (
    "ENVID=a+0D+0ABcc:x", "ENVID=a+0", "ENVID=a+0d+0a", "ENVID=", "ENVID", "ENVID=" + "a" * 101,
    "RET=FULL,HDRS", "RET", "SIZE=-1", "SIZE=1e3", "SIZE=" + "9" * 400, "SIZE=\u0661", "BODY=",
    "BODY=8BITMIME BODY=7BIT", "SMTPUTF8=yes", "AUTH=", "X-VIRTUAL-MTA=evil", "MT-PRIORITY=9",
    "XVMTA=evil", "*VMTA=evil", "=x", "ENVID==x", "SIZE=1>RCPT",
)  # fmt: skip
ORCPT = (
    "rfc822;a+0D+0ABcc:+20x@x.test", "rfc822;a+0A", "rfc822;+00", "rfc822;+7F", "rfc822;a+0",
    "rfc822;a+zz", "rfc822;a+0d", "rfc822;", ";a@x.test", "rfc822", "rfc822;a=b", "rfc822;a;b\xff",
    "rfc 822;a", "rfc822;\u00e9@x.test", "a\u00e9;b", "r<x>;b@x.test", "rfc822;" + "a" * 600,
)  # fmt: skip


async def test_no_parameter_of_mail_or_rcpt_carries_a_line_end_or_a_command(
    valkey_url: str,
) -> None:
    """xtext (RFC 3461 section 4) can spell CR and LF: whoever decodes it into the header of a
    report must find none. ENVID is never passed on, ORCPT is."""
    async with house(valkey_url) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        for parameter in PARAMETERS:
            reply = await wire.ask(f"MAIL FROM:<a@acme.test> {parameter}")
            if parameter.startswith("ENVID=a+0D+0A"):
                # Well-formed, and thrown away: PowerMTA gets an envelope id of ours.
                assert reply.startswith("250")
                await wire.ask("RSET")
                continue
            assert reply.startswith(("501 5.5.4", "555 5.5.4", "552")), (parameter, reply)
        await wire.ask("MAIL FROM:<a@acme.test> SMTPUTF8")
        for original in ORCPT:
            reply = await wire.ask(f"RCPT TO:<b@dest.test> ORCPT={original}")
            assert reply.startswith(("501 5.5.4", "501 5.1.3")), (original, reply)
        sound = "rfc822;b+2Bc+20d+C3+BC@dest.test"
        assert (await wire.ask(f"RCPT TO:<b@dest.test> ORCPT={sound}")).startswith("250")
        await wire.ask("DATA")
        wire.say(MESSAGE + ".\r\n")
        reply = await wire.reply()
        assert reply.startswith("250 2.0.0 OK ")
        await wire.close()
        [kept] = await pmta.messages()
        assert reply.endswith(" " + kept.envid)


@pytest.mark.parametrize(
    "hello",
    ["EHLO", "EHLO ", "HELO"],
)
async def test_a_greeting_needs_a_name(valkey_url: str, hello: str) -> None:
    async with house(valkey_url) as (gate, _):
        said = await conversation(gate.port, f"{hello}\r\nMAIL FROM:<a@b.test>\r\n".encode())
        assert said[1].startswith("501")
        assert said[2] == "503 5.5.1 send EHLO first"


async def test_a_greeting_of_any_octets_is_repeated_nowhere(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for name in (b"\xff\xfe", b"<script>", b"x" * 2000, b"%s%n", b"$(id)", "\u202e".encode()):
            said = await conversation(
                gate.port, b"EHLO " + name + b"\r\nMAIL FROM:<a@acme.test>\r\nQUIT\r\n"
            )
            assert said[-1].startswith("221")
            assert said[-2].startswith("250 2.1.0")
            assert name[:8].decode("utf-8", "replace") not in "".join(said)
        await nothing_happened(gate, pmta)
