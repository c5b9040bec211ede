"""Golden SMTP conversations: every `*.dialog` file, through the real listener.

`C:` sends a line with CRLF, `C=` sends exactly these octets (Python escapes), `S:` expects a reply
(all its lines, one `S:` each; `*` matches the rest), `S!` expects the end of the connection,
`PMTA n` expects that many messages at PowerMTA so far, `USED n` that many charged recipients,
`include FILE` runs another dialog first, `listen NAME` chooses a listener (plain, starttls,
required, strict). `#` is a comment.
"""

import asyncio
import base64
import codecs
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from settings.model import Listener
from tests.support.certificates import Certificate
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.statuscodes import well_coded

FOLDER = Path(__file__).parent
DIALOGS = sorted(path for path in FOLDER.glob("*.dialog") if not path.name.startswith("_"))
LISTENERS = {
    "plain": Listener(port=0),
    "starttls": Listener(port=0, tls="starttls"),
    "required": Listener(port=0, tls="starttls", require_tls=True),
    "implicit": Listener(port=0, tls="implicit"),
}


@dataclass
class Stage:
    """What a dialog plays on."""

    gate: GatewayUnderTest
    pmta: StandIn


@pytest.fixture
async def stage(valkey_url: str, certificate: Certificate) -> AsyncIterator[Stage]:
    settings = settings_for(
        valkey_url,
        gateway={
            "listeners": tuple(LISTENERS.values()),
            "certificate": str(certificate.certificate),
            "key": str(certificate.key),
            "max_message_size": 20_000,
            "max_line_length": 1000,
            "command_timeout": 5.0,
        },
    )
    tenants = (
        tenant(max_recipients=3),
        tenant("globex", senders=("allowed.test",), default_pool="globex-pool"),
    )
    from policy.model import Pool

    pools = (
        Pool(name="acme-pool", tenant="acme", members=("vmta-1",)),
        Pool(name="globex-pool", tenant="globex"),
    )
    async with StandIn.start() as pmta:
        plan = generation(vmta(1), port=pmta.smtp_port, tenants=tenants, pools=pools)
        async with gateway(settings, plan) as gate:
            yield Stage(gate, pmta)


class Player:
    """Runs one dialog."""

    def __init__(self, stage: Stage, certificate: Certificate) -> None:
        self._stage = stage
        self._certificate = certificate
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def play(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        port = dict(zip(LISTENERS, self._stage.gate.ports, strict=True))
        name = next((line.split()[1] for line in lines if line.startswith("listen ")), "plain")
        context = self._certificate.client_context() if name == "implicit" else None
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", port[name], ssl=context, server_hostname="localhost" if context else None
        )
        try:
            await self._run(path, lines)
        finally:
            self._writer.close()

    async def _run(self, path: Path, lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            where = f"{path.name}:{number}: {line}"
            kind, _, rest = line.partition(" ")
            if kind == "include":
                included = FOLDER / rest
                await self._run(included, included.read_text(encoding="utf-8").splitlines())
            elif kind == "C:":
                self._writer.write(_words(rest) + b"\r\n")
            elif kind == "C=":
                self._writer.write(codecs.escape_decode(rest.encode())[0])  # type: ignore[attr-defined]
            elif kind == "S:":
                got = await self._line(where)
                fits = got.startswith(rest[:-1]) if rest.endswith("*") else got == rest
                assert fits, f"{where}\n  got: {got}"
            elif kind == "S!":
                assert await self._line(where) == "", where
            elif kind == "TLS":
                await self._writer.start_tls(
                    self._certificate.client_context(), server_hostname="localhost"
                )
            elif kind == "PMTA":
                assert len(await self._stage.pmta.messages()) == int(rest), where
            elif kind == "USED":
                await self._stage.gate.worker.parts.reserver.drain()
                used = await self._stage.gate.used("192.0.2.1")
                assert used["192.0.2.1"] == int(rest), where
            else:
                assert not line or kind in ("#", "listen"), where

    async def _line(self, where: str) -> str:
        try:
            async with asyncio.timeout(10):
                line = (await self._reader.readline()).decode().rstrip("\r\n")
                assert not line or well_coded(line), f"{where}\n  no enhanced code: {line}"
                return line
        except TimeoutError:
            raise AssertionError(f"{where}\n  got: nothing in 10 s") from None
        except (ConnectionError, ssl.SSLError):
            return ""


def _words(text: str) -> bytes:
    """`{b64:...}` becomes base64, with \\0 for NUL."""
    if "{b64:" in text:
        before, _, after = text.partition("{b64:")
        inner, _, rest = after.partition("}")
        blob = base64.b64encode(inner.replace("\\0", "\0").encode()).decode()
        text = before + blob + rest
    return text.encode()


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
async def test_dialog(path: Path, stage: Stage, certificate: Certificate) -> None:
    await Player(stage, certificate).play(path)
