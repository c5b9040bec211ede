"""PostgreSQL dies and freezes under load: mail that can go now needs none, the rest waits in it."""

import asyncio

from tests.faults.conftest import Begin
from tests.faults.mail import divided


async def test_a_killed_database_comes_back_with_every_held_message(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("kill -9 PostgreSQL")
    postgres = scenario.stack.postgres
    scenario.load.start()
    await scenario.load.until_offered(200 * scale)
    before = len(scenario.stack.pmta.receipts.read())
    postgres.kill()
    await asyncio.sleep(1.5)
    assert len(scenario.stack.pmta.receipts.read()) > before, "mail that may go needs no database"
    await postgres.restart()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


async def test_a_commit_of_unknown_end_is_never_acknowledged_and_never_released(
    begin: Begin, scale: int
) -> None:
    """Frozen for longer than an answer may take: what its thaw commits late has a tombstone."""
    scenario = await begin("SIGSTOP PostgreSQL, 8 s")
    postgres = scenario.stack.postgres
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    postgres.freeze()
    await asyncio.sleep(8.0)
    postgres.thaw()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.next_day()
    await scenario.close()


async def test_recipients_that_part_ways_while_the_database_is_frozen_wait_together(
    begin: Begin, scale: int
) -> None:
    """Who is refused at RCPT cannot be kept, so nobody gets the message, and its client is told."""
    scenario = await begin("SIGSTOP PostgreSQL, recipients refused", load={"make": divided})
    postgres = scenario.stack.postgres
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    postgres.freeze()
    await asyncio.sleep(8.0)
    postgres.thaw()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.deferred, "nobody was refused while it was frozen"


async def test_database_and_ledger_away_together_defer_and_lose_nothing(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("kill -9 PostgreSQL and Valkey")
    stack = scenario.stack
    scenario.load.start()
    await scenario.load.until_offered(200 * scale)
    stack.postgres.kill()
    stack.valkey.kill()
    await asyncio.sleep(2.0)
    await asyncio.gather(stack.postgres.restart(), stack.valkey.restart())
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


async def test_cut_connections_to_the_database_lose_no_acknowledged_message(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("cut connections to PostgreSQL", through=("postgres",))
    proxy = scenario.stack.proxies["postgres"]
    scenario.load.start()
    for count in range(150, 350, 25):
        await scenario.load.until_offered(count * scale)
        proxy.cut()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.next_day()
    await scenario.close()
