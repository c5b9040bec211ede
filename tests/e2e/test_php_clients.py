"""MailWizz's own mailers, for real: Symfony Mailer, Swift Mailer, and PHPMailer beside them."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import gateway, holding, settings_for
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn
from tests.support.session.recorder import recorder

SCRIPT = Path(__file__).parent / "php" / "send.php"
LIBRARIES = {
    "symfony": "/usr/share/php/Symfony/Component/Mailer/autoload.php",
    "swift": "/usr/share/php/Swift/autoload.php",
    "phpmailer": "/usr/share/php/libphp-phpmailer/autoload.php",
}
_STRIPPED = re.compile(rb"(?im)^x-(?:virtual-mta|job|envid): stolen\r\n")

pytestmark = pytest.mark.php


def needs(client: str) -> None:
    if shutil.which("php") is None or not Path(LIBRARIES[client]).exists():
        pytest.skip(f"PHP with {client} is not installed (.ci/run installs it)")


async def send(client: str, port: int, count: int, *, sender: str) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        "php", "-d", "error_reporting=E_ERROR", str(SCRIPT), client, "127.0.0.1", str(port),
        "acme", "secret", sender, "you@dest.test", str(count),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.mark.parametrize("client", LIBRARIES)
async def test_a_mailers_message_arrives_byte_for_byte(valkey_url: str, client: str) -> None:
    needs(client)
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
        recorder(gate.port) as wire,
    ):
        results = await send(client, wire.port, 2, sender="news@acme.test")
        assert results == [{"ok": True}] * 2
        sent = wire.contents()
        assert len(_STRIPPED.findall(sent[0])) == 3
        received = await pmta.messages()
        assert [message.vmta for message in received] == ["vmta-1"] * 2
        assert not any(message.duplicate_virtual_mta_header for message in received)
        assert [message.content for message in received] == [
            _STRIPPED.sub(b"", content) for content in sent
        ]
        if client != "symfony":
            assert "مرحبا".encode() in sent[0]
        assert b"\r\n.dot" in sent[0]
        names = [name.lower() for name in received[0].header_names]
        assert names.count("x-virtual-mta") <= 1


@pytest.mark.parametrize("client", LIBRARIES)
async def test_a_mailer_over_quota_is_told_that_its_message_waits(
    valkey_url: str, hold_url: str, client: str
) -> None:
    needs(client)
    async with (
        StandIn.start() as pmta,
        gateway(
            holding(valkey_url, hold_url), generation(vmta(1, daily=2), port=pmta.smtp_port)
        ) as gate,
    ):
        assert await send(client, gate.port, 3, sender="news@acme.test") == [{"ok": True}] * 3
        assert len(await pmta.messages()) == 2
        [held] = await rows(hold_url)
        assert (held["recipient"], held["state"], held["reason"]) == (
            b"you@dest.test",
            "held",
            "ip_quota",
        )


@pytest.mark.parametrize("client", LIBRARIES)
async def test_without_a_hold_a_mailer_over_quota_is_told_the_limit(
    valkey_url: str, client: str
) -> None:
    needs(client)
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url), generation(vmta(1, daily=2), port=pmta.smtp_port)
        ) as gate,
    ):
        results = await send(client, gate.port, 3, sender="news@acme.test")
        assert [result["ok"] for result in results] == [True, True, False], results
        if client != "phpmailer":  # which keeps the server's words to itself
            assert "the daily quota of vmta-1 is used up (2 of 2)" in results[2]["error"]
        assert len(await pmta.messages()) == 2
