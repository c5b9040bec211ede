"""A hop that knows HELO only (RFC 5321 3.2), and one that refuses us."""

from typing import Any

import pytest

from gateway.relay.endpoint import Endpoint, OpenError
from settings.model import Relay
from tests.support.gateway.generations import generation
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.fake import CLOSE, Script, fake_pmta

HEAD = "From: Anna <news@acme.test>\r\nSubject: Bonjour\r\n\r\n"


def endpoint(**changes: Any) -> Endpoint:
    return Endpoint(Relay(hello="gateway.test", connect_timeout=2.0, **changes), "gateway.test")


@pytest.mark.parametrize("code", [b"500", b"501", b"502", b"504"])
async def test_a_hop_without_ehlo_is_greeted_with_helo_and_takes_mail(
    valkey_url: str, code: bytes
) -> None:
    opening: Script = {"ehlo": (code + b" 5.5.1 command not recognized\r\n",)}
    async with (
        fake_pmta(opening=opening) as fake,
        gateway(settings_for(valkey_url), generation(port=fake.port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send(
            "b@dest.test", body=HEAD, sender="one@acme.test", parameters=" RET=HDRS ENVID=x"
        )
        assert answer.startswith("250 2.0.0 OK"), answer
        answer = await wire.send("b@dest.test", "c@dest.test", body=HEAD, sender="two@acme.test")
        assert answer.startswith("250 2.0.0 OK"), answer
        assert fake.taken == ["one", "two"]
        assert fake.heard == [
            b"EHLO gateway.test", b"HELO gateway.test",
            b"MAIL FROM:<one@acme.test>", b"RCPT TO:<b@dest.test>", b"DATA",
            b"MAIL FROM:<two@acme.test>", b"RCPT TO:<b@dest.test>", b"RCPT TO:<c@dest.test>",
            b"DATA",
        ]  # fmt: skip
        await wire.close()


@pytest.mark.parametrize(
    ("opening", "heard"),
    [
        ({"ehlo": (b"554 5.7.1 go away\r\n",)}, 1),
        ({"ehlo": (b"550 5.7.1 not you\r\n",)}, 1),
        ({"ehlo": (b"451 4.3.0 later\r\n",)}, 1),
        ({"ehlo": (b"421 4.3.2 full\r\n", CLOSE)}, 1),
        ({"ehlo": (b"502 no\r\n",), "helo": (b"502 no\r\n",)}, 2),
        ({"ehlo": (b"502 no\r\n", CLOSE)}, 1),
        ({"ehlo": (b"502 no\r\n250 fake\r\n",)}, 1),
    ],
)
async def test_what_is_no_missing_ehlo_opens_no_session(opening: Script, heard: int) -> None:
    async with fake_pmta(opening=opening) as fake:
        with pytest.raises(OpenError):
            await endpoint().open(fake.address, lambda session: None)
        assert len(fake.heard) == heard, fake.heard


@pytest.mark.parametrize(
    "changes", [{"tls": "starttls", "verify": False}, {"login": "gate", "password": "s3cret"}]
)
async def test_helo_gives_neither_tls_nor_a_login(changes: dict[str, Any]) -> None:
    async with fake_pmta(opening={"ehlo": (b"502 5.5.1 no\r\n",)}) as fake:
        with pytest.raises(OpenError):
            await endpoint(**changes).open(fake.address, lambda session: None)
        assert fake.heard[:2] == [b"EHLO gateway.test", b"HELO gateway.test"]
        assert not [line for line in fake.heard if line.startswith((b"AUTH", b"STARTTLS", b"MAIL"))]
