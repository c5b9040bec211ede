"""PowerMTA takes nothing for a day, and one message waits for it all alone."""

import asyncio
import enum

from policy.limits import DAY
from tests.faults.conftest import Begin
from tests.faults.scenario import Scenario

_HOURS = 26
_HOUR = DAY // 24

PRODUCTION = {"retry_first": 60.0, "retry_most": 3600.0}
"""Waits between two attempts, as they are set where a day is a day."""


class Refusing(enum.Enum):
    """How."""

    CONNECTIONS = "connections"
    GREETING = "greeting"


async def refused_for_a_day(
    begin: Begin, name: str, how: Refusing, breakage: str = "", hours: int = _HOURS
) -> Scenario:
    """One message is acknowledged and held, and tried again every hour; then PowerMTA is back, and
    whatever waits may go."""
    scenario = await begin(name, hold=PRODUCTION, breakage=breakage)
    pmta, ledger = scenario.stack.pmta, scenario.stack.ledger
    if how is Refusing.CONNECTIONS:
        pmta.kill()
    else:
        await pmta.fault(greeting="554 5.3.2 no service here")
    await scenario.load.send(1)
    for _ in range(hours):
        tried = await _attempts(scenario)
        now, _ = await ledger.now()
        assert await ledger.set_clock(now + _HOUR) is not None
        await _tried_again(scenario, tried)
    if how is Refusing.CONNECTIONS:
        await pmta.restart()
    else:
        await pmta.fault(greeting=None)
    scenario.fault_ends()
    await scenario.stack.advance(2 / 24)
    return scenario


async def _attempts(scenario: Scenario) -> int:
    return await scenario.stack.postgres.number("SELECT coalesce(max(attempt), 0) FROM held")


async def _tried_again(scenario: Scenario, before: int, patience: float = 8.0) -> None:
    """Until it was, or has ended; a message that never goes again is for the books to find."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while loop.time() < deadline:
        rows = await scenario.stack.postgres.rows()
        if any(row.ending for row in rows) or await _attempts(scenario) > before:
            return
        await asyncio.sleep(0.05)
