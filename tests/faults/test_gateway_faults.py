"""The gateway's own processes die and freeze under load."""

import asyncio

from tests.faults.conftest import Begin
from tests.faults.mail import divided
from tests.faults.midnight import over_midnight

TWO = {"workers": 2}


async def test_a_killed_worker_loses_nothing_and_nothing_goes_twice(
    begin: Begin, scale: int
) -> None:
    """Replies of PowerMTA take a while, so that it dies with dots out and answers owed."""
    scenario = await begin("kill -9 a worker", gateway=TWO)
    gateway = scenario.stack.gateway
    await scenario.stack.pmta.fault(reply_delay=0.05)
    scenario.load.start()
    for count in (150, 250):
        await scenario.load.until_offered(count * scale)
        gateway.kill(gateway.workers()[0])
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.unheard, "nothing was under way: the fault came at no time at all"


async def test_a_worker_killed_between_recipients_that_part_ways_loses_neither(
    begin: Begin, scale: int
) -> None:
    """One recipient of two is refused at RCPT. The worker dies before, in and after the commit that
    precedes DATA: who was accepted gets the message once, who was refused is reported."""
    scenario = await begin(
        "kill -9 a worker, recipients refused", load={"make": divided}, gateway=TWO
    )
    gateway = scenario.stack.gateway
    await scenario.stack.pmta.fault(reply_delay=0.05)
    scenario.load.start()
    for count in (150, 250):
        await scenario.load.until_offered(count * scale)
        gateway.kill(gateway.workers()[0])
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.unheard, "nothing was under way: the fault came at no time at all"
    assert any(row.ending == "refused" for row in scenario.rows)


async def test_a_frozen_worker_that_thaws_sends_nothing_twice(begin: Begin, scale: int) -> None:
    scenario = await begin("SIGSTOP a worker, 5 s", gateway=TWO)
    gateway = scenario.stack.gateway
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    victim = gateway.workers()[0]
    gateway.freeze(victim)
    await asyncio.sleep(5.0)
    gateway.thaw(victim)
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


async def test_a_worker_frozen_for_longer_than_a_lease_gives_its_grants_up(
    begin: Begin, scale: int
) -> None:
    """Everybody has given its messages up by then: clients, the ledger's entries, midnight."""
    scenario = await begin(
        "SIGSTOP a worker beyond lease and midnight",
        load={"patience": 6.0},
        through=("pmta",),
        gateway=TWO,
    )
    scenario.load.start()
    await scenario.load.until_offered(100 * scale)
    assert await over_midnight(scenario) == []
    await scenario.close()


async def test_a_killed_gateway_starts_again_and_goes_on(begin: Begin, scale: int) -> None:
    """The parent dies; its workers notice, finish what they have and end."""
    scenario = await begin("kill -9 the supervisor", gateway=TWO)
    gateway = scenario.stack.gateway
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    gateway.kill()
    await gateway.restart()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


async def test_a_gateway_killed_whole_starts_again_and_goes_on(begin: Begin, scale: int) -> None:
    scenario = await begin("kill -9 every gateway process", gateway=TWO)
    gateway = scenario.stack.gateway
    await scenario.stack.pmta.fault(reply_delay=0.05)
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    gateway.kill_all()
    await gateway.restart()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()
    assert scenario.findings.unheard, "nothing was under way: the fault came at no time at all"
