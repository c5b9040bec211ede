"""AUTH under attack: blobs, aborts, guesses, and commands around it."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

from tests.support.gateway.generations import PASSWORD_HASH, generation
from tests.support.gateway.house import MESSAGE, conversation, nothing_happened, until_gone
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire


@contextlib.asynccontextmanager
async def guarded(
    valkey_url: str, **changes: object
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    """A login is needed, from everywhere."""
    settings = settings_for(valkey_url, gateway=changes, hold={"enabled": False})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port)) as gate,
    ):
        yield gate, pmta


def count_hashes(gate: GatewayUnderTest) -> list[str]:
    """Grows by one with every password hash that is computed."""
    counted: list[str] = []
    authenticator = gate.worker.service.authenticator
    # As cheap as the hashes of the tests' logins; an unknown login is checked against it.
    authenticator._decoy = PASSWORD_HASH
    verify = authenticator._verify

    def counting(stored: str, password: bytes) -> bool:
        counted.append(stored)
        return verify(stored, password)

    authenticator._verify = counting  # type: ignore[method-assign]
    return counted


def plain(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return "AUTH PLAIN " + base64.b64encode(raw).decode()


BLOBS = {
    "AUTH": "501", "AUTH ": "501", "AUTH PLAIN x y": "501", "AUTH CRAM-MD5": "504",
    "AUTH XOAUTH2 eA==": "504", "AUTH EXTERNAL =": "504", "AUTH GSSAPI": "504",
    "AUTH \u00e9": "504", "AUTH PLAIN \u00e9": "501", "AUTH PLAIN =": "501",
    "AUTH PLAIN ====": "501", "AUTH PLAIN AA": "501", "AUTH PLAIN A A": "501",
    "AUTH PLAIN not*base64": "501", "AUTH PLAIN AGFjbWUAc2VjcmV0!": "501",
    plain("acme"): "501", plain("acme\0secret"): "501", plain("\0acme\0secret\0x"): "501",
    plain("\0\0\0"): "501", plain("\0" * 4000): "501", "AUTH LOGIN \u00e9": "501",
    "AUTH LOGIN *": "501", "AUTH PLAIN *": "501",
}  # fmt: skip
GUESSES = (
    plain("\0\0"), plain("\0acme\0"), plain("\0\0secret"), plain("\0ACME\0secret"),
    plain("\0acme \0secret"), plain("\0acme\0secret "), plain("\0acme\0" + "x" * 5000),
    plain(b"\0\xff\xfe\0\xff"), plain("\0" + "l" * 5000 + "\0secret"), plain("acme\0x\0secret"),
)  # fmt: skip


async def test_a_blob_is_a_login_or_one_clear_refusal(valkey_url: str) -> None:
    async with guarded(valkey_url) as (gate, pmta):
        hashes = count_hashes(gate)
        for blob, code in BLOBS.items():
            wire = await SmtpWire.open(gate.port)
            assert (await wire.ask(blob)).startswith(code), blob
            assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0"), blob
            await wire.close()
        assert hashes == []
        for guess in GUESSES:
            wire = await SmtpWire.open(gate.port)
            assert (await wire.ask(guess)).startswith("535 5.7.8"), guess
            assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0"), guess
            await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_login_dialogue_takes_any_octets_and_stays_in_step(valkey_url: str) -> None:
    """`*`, nothing, garbage, NUL and a megabyte, at each of its three questions."""
    questions = (("AUTH PLAIN",), ("AUTH LOGIN",), ("AUTH LOGIN", "YWNtZQ=="))
    answers = {
        b"*": "501 5.7.0", b"!!": "501 5.5.2", b"\x00": "501 5.5.2", b"a": "501 5.5.2",
        b"\xff\xfe": "501 5.5.2", b"YQ==\x00": "501 5.5.2", b"A" * 1_000_000: "500 5.5.2",
        b"*\nMAIL FROM:<a@acme.test>": "500 5.5.2",
    }  # fmt: skip
    async with guarded(valkey_url) as (gate, pmta):
        for question in questions:
            for answer, reply in answers.items():
                wire = await SmtpWire.open(gate.port)
                for said in question:
                    assert (await wire.ask(said)).startswith("334")
                wire.say(answer + b"\r\n")
                assert (await wire.reply()).startswith(reply), (question, answer[:20])
                if b"\n" in answer:
                    assert (await wire.reply()).startswith("530"), "what came behind the bare LF"
                assert (await wire.ask("NOOP")).startswith("250"), (question, answer[:20])
                assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0")
                assert (await wire.ask(plain("\0acme\0secret"))).startswith("235")
                await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_megabyte_as_initial_response_is_one_refusal(valkey_url: str) -> None:
    async with guarded(valkey_url) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        wire.say(b"AUTH PLAIN " + b"QUJD" * 262_144 + b"\r\n")
        assert await wire.reply() == "500 5.5.2 line too long"
        assert (await wire.ask(plain("\0acme\0secret"))).startswith("235")
        await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_line_of_auth_has_12288_octets_with_its_end(valkey_url: str) -> None:
    """RFC 4954 section 4, for the command and for each answer."""
    async with guarded(valkey_url) as (gate, pmta):
        for length, code in ((12_288, "501 5.5.2"), (12_289, "500 5.5.2")):
            wire = await SmtpWire.open(gate.port)
            said = "AUTH PLAIN ".ljust(length - 2, "A")
            assert (await wire.ask(said)).startswith(code), length
            for question in ("AUTH PLAIN", "AUTH LOGIN"):
                assert (await wire.ask(question)).startswith("334")
                answer = await wire.ask("A" * (length - 2 - 1) + "!")
                assert answer.startswith(code), (question, length)
            assert (await wire.ask(plain("\0acme\0secret"))).startswith("235")
            await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_commands_pipelined_around_a_login_are_answered_in_turn(valkey_url: str) -> None:
    envelope = "MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
    async with guarded(valkey_url) as (gate, pmta):
        right, wrong = plain("\0acme\0secret"), plain("\0acme\0no")
        said = await conversation(
            gate.port, f"EHLO x\r\n{right}\r\n{envelope}{MESSAGE}.\r\nQUIT\r\n".encode()
        )
        assert [line[:3] for line in said[-6:]] == ["235", "250", "250", "354", "250", "221"]
        said = await conversation(gate.port, f"EHLO x\r\n{wrong}\r\n{envelope}QUIT\r\n".encode())
        assert [line[:3] for line in said[-5:]] == ["535", "530", "530", "530", "221"]
        before = f"EHLO x\r\nMAIL FROM:<a@acme.test>\r\n{right}\r\nQUIT\r\n"
        said = await conversation(gate.port, before.encode())
        assert [line[:3] for line in said[-3:]] == ["530", "235", "221"]
        dialogue = "EHLO x\r\nAUTH LOGIN\r\nYWNtZQ==\r\nc2VjcmV0\r\nNOOP\r\nQUIT\r\n"
        said = await conversation(gate.port, dialogue.encode())
        assert [line[:3] for line in said[-5:]] == ["334", "334", "235", "250", "221"]
        assert len(await pmta.messages()) == 1


async def test_a_second_login_and_one_within_a_transaction_are_refused(valkey_url: str) -> None:
    async with guarded(valkey_url) as (gate, _):
        wire = await SmtpWire.open(gate.port, ehlo=False)
        await wire.reply()
        assert (await wire.ask(plain("\0acme\0secret"))).startswith("503")  # before EHLO
        await wire.ask("HELO client.test")
        assert (await wire.ask(plain("\0acme\0secret"))).startswith("500")  # after HELO
        await wire.ask("EHLO client.test")
        assert (await wire.ask(plain("\0acme\0secret"))).startswith("235")
        for again in (plain("\0acme\0secret"), plain("\0acme\0wrong"), "AUTH LOGIN"):
            assert (await wire.ask(again)).startswith("503")
        await wire.ask("MAIL FROM:<a@acme.test>")
        assert (await wire.ask(plain("\0acme\0secret"))).startswith("503 5.5.1")
        await wire.ask("RCPT TO:<b@dest.test>")
        assert (await wire.ask("DATA")).startswith("354")
        wire.say(MESSAGE + ".\r\n")
        assert (await wire.reply()).startswith("250 2.0.0 OK ")
        await wire.close()


async def test_guesses_are_late_bounded_and_cost_the_same_for_any_login(valkey_url: str) -> None:
    async with guarded(valkey_url, auth_delay=0.1, auth_attempts=3) as (gate, pmta):
        hashes = count_hashes(gate)
        for login in ("acme", "nobody"):
            for _ in range(3):
                wire = await SmtpWire.open(gate.port)
                loop = asyncio.get_running_loop()
                started, before = loop.time(), len(hashes)
                answers = [await wire.ask(plain(f"\0{login}\0guess{n}")) for n in range(3)]
                # uvloop's clock goes in whole milliseconds, which no float is.
                assert round((loop.time() - started) * 1000) >= 300
                assert [answer[:9] for answer in answers] == ["535 5.7.8"] * 2 + ["421 4.7.0"]
                assert await wire.reply() == ""
                assert len(hashes) - before == 3
                await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_guesses_pipelined_in_one_segment_get_no_more_attempts(valkey_url: str) -> None:
    """Nor do they when STARTTLS, RSET or EHLO lie between them."""
    async with guarded(valkey_url, auth_attempts=3) as (gate, _):
        hashes = count_hashes(gate)
        guesses = "".join(f"{plain(f'_{n}'.replace('_', chr(0) + 'acme' + chr(0)))}\r\nRSET\r\n"
                          f"EHLO again\r\n" for n in range(200))  # fmt: skip
        said = await conversation(gate.port, b"EHLO x\r\n" + guesses.encode())
        assert said[-1].startswith("421 4.7.0")
        assert len([line for line in said if line.startswith("535")]) == 2
        assert len(hashes) == 3
        await until_gone(gate)
