"""A client's own ENVID and ORCPT: PowerMTA gets our envelope id, the client's is told again."""

from policy.limits import DAY
from policy.model import HoldBounds
from tests.integration.hold.test_upkeep import Held, held, until
from tests.support.gateway.generations import generation
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn

MESSAGE = "From: Anna <news@acme.test>\r\n\r\nhello\r\n"


async def test_the_envelope_id_of_a_client_is_in_the_log(valkey_url: str) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("b@dest.test", body=MESSAGE, parameters=" ENVID=QQ+2B314159")
        assert (await pmta.messages())[0].envid == answer.split()[-1]
        [line] = gate.log_lines("message")
        assert (line["envid"], line["envelope"]) == ("QQ+314159", answer.split()[-1])
        await wire.send("c@dest.test", body=MESSAGE)
        assert "envid" not in gate.log_lines("message")[-1]
        await wire.close()


async def _held(case: Held, recipient: str) -> None:
    wire = await case.gate.wire()
    for command in (
        "MAIL FROM:<bounce@acme.test> ENVID=QQ+2B314159 RET=HDRS",
        f"RCPT TO:<{recipient}> ORCPT=rfc822;first+2Blast@dest.test",
    ):
        assert (await wire.ask(command)).startswith("250 ")
    await wire.ask("DATA")
    wire.say(MESSAGE + ".\r\n")
    assert (await wire.reply()).endswith(" queued")
    await wire.close()


async def _report(case: Held) -> bytes:
    async def reported() -> bool:
        return [event["dsn"] for event in await case.events()] == ["sent"]

    await until(reported)
    [report] = [m for m in await case.pmta.messages() if m.rcpts == ["bounce@acme.test"]]
    assert report.content is not None
    return report.content


async def test_a_report_of_a_late_refusal_names_them(valkey_url: str, hold_url: str) -> None:
    async with held(valkey_url, hold_url, dsn=True) as case:
        await _held(case, "refuse@dest.test")
        await case.publish(2, daily=10)
        said = await _report(case)
        assert b"\r\n\r\nOriginal-Envelope-Id: QQ+314159\r\nReporting-MTA: dns; " in said
        assert b"\r\n\r\nOriginal-Recipient: rfc822;first+last@dest.test\r\nFinal-Reci" in said


async def test_a_report_of_expiry_names_them(valkey_url: str, hold_url: str) -> None:
    terms = {"hold": HoldBounds(age=2 * 86_400.0), "dsn": True}
    async with held(valkey_url, hold_url, terms=terms) as case:
        await _held(case, "b@dest.test")
        await case.advance(2 * DAY + 60_000)

        async def expired() -> bool:
            await case.tidy()
            return bool(await case.events())

        await until(expired)
        said = await _report(case)
        assert b"\r\n\r\nOriginal-Envelope-Id: QQ+314159\r\nReporting-MTA: dns; " in said
        assert b"\r\n\r\nOriginal-Recipient: rfc822;first+last@dest.test\r\nFinal-Reci" in said
