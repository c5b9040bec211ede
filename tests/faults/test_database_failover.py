"""PostgreSQL's name leads to its standby, for a while under load, or for good."""

import asyncio
import re

import msgspec
import pytest

from control.cli.main import run
from control.ledger.restore import Restored
from tests.faults.conftest import Begin
from tests.faults.failover import misled, replaced


async def test_after_a_name_that_led_to_a_standby_mail_is_held_at_once(
    begin: Begin, scale: int
) -> None:
    """Nothing may be held while it does; nothing of that stays when it leads to the primary."""
    async with misled(begin, scale, "read-only standby") as (scenario, later):
        assert all(offer.acknowledged for offer in later), "a connection to the standby was kept"
        await scenario.next_day()
        await scenario.flows_again()
        await scenario.close()
    assert scenario.findings.deferred > 20, "the standby took nothing"


async def test_a_standby_that_lagged_and_took_over_sends_nothing_again(
    begin: Begin, scale: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What its primary released is held there: in doubt until PowerMTA's accounting has said so."""
    name = "PostgreSQL fails over to an asynchronous standby"
    async with replaced(begin, scale, name) as scenario:
        stack = scenario.stack
        await scenario.until(
            lambda: "messages are in doubt" in stack.control.log.read_text(), "it is noticed"
        )
        said = stack.control.log.read_text()
        assert "failed over: timeline 2" in said
        # Accounting has settled some of them when we look.
        put = re.search(r"(\d+) messages are in doubt", said)
        assert put is not None
        assert int(put[1]) > 50 * scale, "what its primary sent, and what it did not"
        taken = {receipt.recipient for receipt in stack.pmta.receipts.all}
        told = await stack.postgres.number(
            "SELECT (after->>'unknown')::int FROM audit_log WHERE action = 'restore'"
        )
        assert told == sum(
            offer.mail.keyed and offer.mail.recipient in scenario.gone_with_primary - taken
            for offer in scenario.load.offers
        ), "the messages with an entry that are not here"
        words = ["restore", "--config", str(stack.folder / "control.toml"), "--dry-run", "--json"]
        log = stack.gateway.served.log
        assert await asyncio.to_thread(run, [*words, "--log", str(log)]) == 0
        done = msgspec.json.decode(capsys.readouterr().out, type=Restored)
        assert len(done.unknown.logged) == len(scenario.gone_with_primary - taken)
        await stack.ledger.afresh()
        async with asyncio.timeout(60):
            while (await stack.ledger.standing()).incarnation == "":
                await asyncio.sleep(0.1)
        # The day's quota is spent, as the rebuilt ledger has to know.
        await scenario.load.send(60 * scale)
        await scenario.next_day()
        await scenario.flows_again()
        await scenario.close()
    assert set(scenario.findings.unknowable) == scenario.gone_with_primary - taken
