"""A PowerMTA that is hostile before the first message: no session, no password, no memory."""

import asyncio
import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.relay.endpoint import Endpoint, OpenError
from gateway.relay.wire import Session
from policy.outcome import Scope
from settings.model import Relay
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.house import resident
from tests.support.pmta.fake import CLOSE, EHLO, SILENT, Script, Step, fake_pmta

MEGABYTE = 1_048_576
LOGIN: dict[str, Any] = {"login": "gate", "password": "s3cret"}
AUTH_EHLO = EHLO.replace(b"250 SIZE", b"250-AUTH PLAIN\r\n250 SIZE")

WRONG: dict[str, tuple[Step, ...]] = {
    "flood of lines": (*(b"220-come in\r\n" * 5000,) * 200, SILENT),
    "flood without line ends": (*(b"2" * 65_536,) * 160, SILENT),
    "one huge line": (b"250 ", *(b"x" * 65_536,) * 160, b"\r\n"),
    "nothing": (SILENT,),
    "end": (CLOSE,),
    "half and end": (b"2", CLOSE),
    "half a multiline and end": (b"250-a\r\n", CLOSE),
    "half and silence": (b"25", SILENT),
    "closing": (b"421 4.3.2 all slots are taken\r\n", CLOSE),
    "refusal": (b"554 5.7.1 go away\r\n",),
    "000": (b"000 ok\r\n",),
    "999": (b"999 ok\r\n",),
    "1xx": (b"100 ok\r\n",),
    "354": (b"354 ok\r\n",),
    "letters": (b"hello\r\n",),
    "NUL": (b"\x00\x00\x00\r\n",),
    "line end": (b"\r\n",),
    "binary": (bytes(range(128, 256)) + b"\r\n",),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
}


def endpoint(**changes: Any) -> Endpoint:
    settings = {"connect_timeout": 0.5, "hello": "gateway.test", **changes}
    return Endpoint(Relay(**settings), "gateway.test")


async def refused(
    opening: Script, server_tls: ssl.SSLContext | None = None, **changes: Any
) -> list[bytes]:
    """Opens a session and expects none; the commands PowerMTA has heard."""
    async with fake_pmta(opening=opening, tls=server_tls) as fake:
        with pytest.raises(OpenError) as caught:
            await endpoint(**changes).open(fake.address, lambda session: None)
        assert caught.value.failure.scope is Scope.SERVER
        assert caught.value.failure.why.isprintable()
        assert len(caught.value.failure.why) < 10_000
        async with asyncio.timeout(30):
            while fake.open:
                await asyncio.sleep(0.005)
        return fake.heard


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "auth"])
async def test_a_wrong_reply_opens_no_session_and_leaves_no_connection(stage: str) -> None:
    before = resident()

    async def one(steps: tuple[Step, ...]) -> None:
        opening: dict[str, tuple[Step, ...]] = {"ehlo": (AUTH_EHLO,), stage: steps}
        await refused(opening, **LOGIN)

    await asyncio.gather(*(one(steps) for steps in WRONG.values()))
    assert resident() - before < 64 * MEGABYTE


AHEAD: dict[str, dict[str, tuple[Step, ...]]] = {
    "two greetings": {"greeting": (b"220 a\r\n220 b\r\n",)},
    "a login behind the greeting": {"greeting": (b"220 a\r\n" + AUTH_EHLO + b"235 ok\r\n",)},
    "a login behind the EHLO": {"ehlo": (AUTH_EHLO + b"235 2.7.0 ok\r\n",)},
    "half a login behind the EHLO": {"ehlo": (AUTH_EHLO + b"235",)},
    "a verdict behind the login": {"auth": (b"235 ok\r\n250 2.1.0 ok\r\n",)},
    "half a verdict behind the login": {"auth": (b"235 ok\r\n25",)},
}


@pytest.mark.parametrize("name", AHEAD)
async def test_replies_before_their_commands_open_no_session(name: str) -> None:
    """aiosmtplib would take them for the replies of the commands that follow."""
    heard = await refused({"ehlo": (AUTH_EHLO,), **AHEAD[name]}, **LOGIN)
    if not name.endswith("the login"):
        assert not [line for line in heard if line.startswith(b"AUTH")]


async def test_an_ehlo_of_thousands_of_lines_opens_no_session_and_a_long_one_does() -> None:
    many = b"".join(b"250-X-EXTENSION-%d\r\n" % number for number in range(5000))
    await refused({"ehlo": (many + b"250 SIZE 1\r\n",)})
    odd = (
        b"250-fake\r\n250-\r\n250-=\r\n250-SIZE x\r\n250-AUTH\r\n250-\xff\x00\r\n250 PIPELINING\r\n"
    )
    async with fake_pmta(opening={"ehlo": (odd,)}) as fake:
        session = await endpoint().open(fake.address, lambda session: None)
        assert session.usable
        assert "PIPELINING" in session.extensions
        assert session.max_size == 0
        session.close("done")


def server_side(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


STARTTLS_EHLO = EHLO.replace(b"250 SIZE", b"250-STARTTLS\r\n250 SIZE")
INJECTED = b"250-evil\r\n250-AUTH PLAIN\r\n250 X-INJECTED\r\n235 ok\r\n"


@pytest.mark.parametrize("pieces", [1, 2])
async def test_what_is_said_in_plain_text_behind_starttls_is_not_believed(
    certificate: Certificate, pieces: int
) -> None:
    """A man in the middle adds replies to the go-ahead: they answer no command under TLS."""
    go = (b"220 go\r\n" + INJECTED,) if pieces == 1 else (b"220 go\r\n", INJECTED)
    opening = {"ehlo": (STARTTLS_EHLO,), "starttls": go}
    tls = {"tls": "starttls", "ca": str(certificate.certificate)}
    async with fake_pmta(opening=opening, tls=server_side(certificate)) as fake:
        try:
            session = await endpoint(**tls).open(fake.address, lambda session: None)
        except OpenError:
            # The plain octets broke the handshake: as good.
            return
        assert "X-INJECTED" not in session.extensions
        assert fake.heard.count(b"EHLO gateway.test") == 2
        assert isinstance(session, Session)
        session.close("done")


@pytest.mark.parametrize(
    "opening",
    [
        {"ehlo": (AUTH_EHLO,)},
        {"ehlo": (AUTH_EHLO + STARTTLS_EHLO,)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"454 4.7.0 not now\r\n",)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"250 go\r\n",)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"220 go\r\n" + b"not tls\r\n" * 100,)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"220 go\r\n", CLOSE)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"220 go\r\n", SILENT)},
        {"ehlo": (STARTTLS_EHLO,), "starttls": (b"2", CLOSE)},
    ],
    ids=["stripped", "stripped and shown", "refused", "250", "garbage", "end", "silence", "half"],
)
async def test_without_tls_no_password_leaves(opening: Script, certificate: Certificate) -> None:
    tls = {"tls": "starttls", "ca": str(certificate.certificate)}
    heard = await refused(opening, server_side(certificate), **tls, **LOGIN)
    assert not [line for line in heard if re.match(rb"AUTH|.*s3cret", line, re.I)]


async def test_a_certificate_of_somebody_else_gets_no_password(
    certificate: Certificate, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other")
    tls = {"tls": "starttls", "ca": str(other.certificate)}
    heard = await refused({"ehlo": (STARTTLS_EHLO,)}, server_side(certificate), **tls, **LOGIN)
    assert not [line for line in heard if line.startswith(b"AUTH")]
