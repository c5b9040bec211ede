"""Valkey dies, freezes and loses its disk under load."""

import asyncio

import pytest

from tests.faults.conftest import Begin
from tests.faults.failover import ended_while_others_pass, failed_over
from tests.faults.mail import parted


async def test_a_killed_ledger_that_kept_its_data_opens_by_itself(begin: Begin, scale: int) -> None:
    """One server, synced before every answer: nothing can be missing, so nobody has to ask."""
    scenario = await begin("kill -9 Valkey, data kept")
    valkey = scenario.stack.valkey
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    valkey.kill()
    await asyncio.sleep(1.0)
    await valkey.restart()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_a_frozen_ledger_delays_and_loses_nothing(begin: Begin, scale: int) -> None:
    """Its replies come when nobody waits for them any more: what they charged stays charged."""
    scenario = await begin("SIGSTOP Valkey, 4 s")
    valkey = scenario.stack.valkey
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    valkey.freeze()
    await asyncio.sleep(4.0)
    valkey.thaw()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_a_ledger_that_lost_its_data_stays_closed_until_the_receipts_rebuilt_it(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("kill -9 Valkey, data lost", load={"rate": 60.0}, control=True)
    stack = scenario.stack
    await stack.accounting_is_whole()
    scenario.load.start()
    await scenario.load.until_offered(300 * scale)
    stack.valkey.kill()
    stack.valkey.wipe()
    taken = len(stack.pmta.receipts.read())
    await stack.valkey.restart()
    scenario.fault_ends()
    await scenario.flows_again(60.0)
    assert len(stack.pmta.receipts.read()) > taken
    await scenario.load.until_offered(350 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_a_lost_ledger_without_a_feed_opens_the_next_day(begin: Begin, scale: int) -> None:
    """Nobody can say what was sent today, so nothing more is; what comes in waits."""
    scenario = await begin(
        "kill -9 Valkey, data lost, no feed", load={"rate": 60.0}, control=True, feed=False
    )
    stack = scenario.stack
    scenario.load.start()
    await scenario.load.until_offered(200 * scale)
    stack.valkey.kill()
    stack.valkey.wipe()
    await stack.valkey.restart()
    taken = len(stack.pmta.receipts.read())
    await scenario.load.until_offered(300 * scale)
    await asyncio.sleep(6.0)
    assert len(stack.pmta.receipts.read()) == taken, "sent on a guess"
    await scenario.next_day()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_cut_connections_to_the_ledger_charge_once(begin: Begin, scale: int) -> None:
    """The reply of a batch is lost on the way: its repeat must not charge again, nor go twice."""
    scenario = await begin("cut connections to Valkey", through=("valkey",))
    proxy = scenario.stack.proxies["valkey"]
    scenario.load.start()
    for count in range(100, 300, 20):
        await scenario.load.until_offered(count * scale)
        proxy.cut()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


@pytest.mark.parametrize("demoted", [False, True], ids=["cut off", "demoted"])
async def test_a_ledger_whose_replica_took_over_is_lost_and_rebuilt(
    begin: Begin, scale: int, demoted: bool
) -> None:
    name = "demoted master" if demoted else "old master cut off, takes writes"
    async with failed_over(begin, scale, name, demoted=demoted) as scenario:
        await scenario.flows_again()
        await scenario.load.until_offered(900 * scale)
        await scenario.close()
    assert scenario.findings.deferred == 0


async def test_a_ledger_fails_over_amid_messages_that_part(begin: Begin, scale: int) -> None:
    """Of each message some recipients are with PowerMTA, one is refused, one is held, and the
    ledger that charged all of them is gone before a part of the charge has gone back."""
    async with failed_over(
        *(begin, scale, "ledger failed over amid divided messages"),
        demoted=False,
        make=parted,
        reply_delay=0.1,
        hold={"failures": 3, "retry_most": 1.0},
    ) as scenario:
        await scenario.flows_again()
        await scenario.load.until_offered(700 * scale)
        found = await scenario.books()
        assert not found.problems, found.problems
        await ended_while_others_pass(scenario)
        await scenario.close()
    assert scenario.findings.deferred == 0
    assert scenario.findings.delivered > 300 * scale
    endings = {row.ending for row in scenario.rows}
    assert {"relayed", "refused", "failed"} <= endings
