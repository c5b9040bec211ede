"""A worker frozen over midnight with grants in its hand: what it spends when it thaws."""

import asyncio

from policy.limits import day_of
from tests.faults.receipts import Receipt
from tests.faults.scenario import Scenario

SLOW = 0.1
"""Seconds each chunk to and from PowerMTA takes: a frozen worker has grants in its hand."""


async def over_midnight(scenario: Scenario) -> list[Receipt]:
    """Freeze one of several workers beyond lease and midnight, thaw it, and return what PowerMTA
    took afterwards on grants of the day before. The load runs before and after."""
    stack = scenario.stack
    stack.proxies["pmta"].delay = SLOW
    await scenario.load.until_offered(len(scenario.load.offers) + 50)
    victim = stack.gateway.workers()[0]
    # Its clients move in step: frozen between the dots and their replies it has no grant left to
    # spend. What comes next after a reply waits two chunks for the replies to its envelope.
    relayed = stack.gateway.relayed(victim)
    await scenario.until(lambda: stack.gateway.relayed(victim) > relayed, "the victim relays")
    await asyncio.sleep(SLOW)
    stack.gateway.freeze(victim)
    await asyncio.sleep(stack.lease + 1.0)
    await scenario.next_day()
    # The others' grants of yesterday end within the budget of a relay.
    await asyncio.sleep(stack.settings_of_gateway.relay.budget + 0.5)
    now, _ = await stack.ledger.now()
    stack.gateway.thaw(victim)
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(len(scenario.load.offers) + 50)
    late = stack.pmta.receipts.read()
    return [r for r in late if r.seen > scenario.ended and r.day < day_of(now)]
