"""What careless programs put before a message, and whom they write to: as Postfix takes it, or with
a reason why not (README, what clients get away with)."""

import pytest

from tests.support.gateway.generations import generation
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn

HEAD = "From: Anna <news@acme.test>\r\nSubject: Bonjour\r\n\r\n"
BODY = "From here on it is text\r\n\ufeffand so is this\r\n"
MAILBOX = "From news@acme.test Mon Jan  1 00:00:00 2024\r\n"
BEFORE = {
    "a BOM": ("\ufeff", ""),
    "an mbox line": (MAILBOX, "X-Mailbox-Line: " + MAILBOX),
    "two, one of them quoted": (
        f"{MAILBOX}>>{MAILBOX}",
        f"X-Mailbox-Line: {MAILBOX}X-Mailbox-Line: >>{MAILBOX}",
    ),
    "both": ("\ufeff" + MAILBOX, "X-Mailbox-Line: " + MAILBOX),
    "PowerMTA's own field behind it": (MAILBOX + "X-Job: j\r\n", "X-Mailbox-Line: " + MAILBOX),
    "a field with a blank before its colon": ("From : a@b.test\r\n", None),
    "an mbox line further down": ("A: b\r\n" + MAILBOX, "A: b\r\n" + MAILBOX),
}


@pytest.mark.parametrize("name", BEFORE)
async def test_what_stands_before_the_first_field_ends_no_header(
    valkey_url: str, name: str
) -> None:
    before, after = BEFORE[name]
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("b@dest.test", body=before + HEAD + BODY)
        if after is None:
            assert answer.startswith("550 5.6.0 "), "two From: fields"
        else:
            assert answer.startswith("250 2.0.0 OK"), answer
            [received] = await pmta.messages()
            assert received.content == (after + HEAD + BODY).encode()
            assert received.header_names[-2:] == ["From", "Subject"]
        await wire.close()


async def test_mail_to_the_postmaster_goes_where_it_was_said(valkey_url: str) -> None:
    settings = settings_for(valkey_url, gateway={"postmaster": "postmaster@dest.test"})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        for spelt in ("Postmaster", "postmaster", "POSTMASTER"):
            assert (await wire.send(spelt, body=HEAD)).startswith("250 2.0.0 OK"), spelt
        assert [m.rcpts for m in await pmta.messages()] == [["postmaster@dest.test"]] * 3
        await wire.close()
