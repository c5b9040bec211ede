"""The ledger's name leads to what was its replica; connections of before lead where they did."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.scenario import Scenario

_QUOTAS = {"vmta-small": Quota(40), "vmta-large": Quota(700)}
"""More than is sent until the ledger is rebuilt, less than is offered: two ledgers that both count
to it show."""


@asynccontextmanager
async def failed_over(
    begin: Begin, scale: int, name: str, *, demoted: bool, breakage: str = ""
) -> AsyncIterator[Scenario]:
    """A ledger that failed over and was rebuilt, under load. Of the two workers one has connections
    to the server of before, the other is new."""
    scenario = await begin(
        name,
        quotas={vmta: Quota(quota.daily * scale) for vmta, quota in _QUOTAS.items()},
        load={"rate": 40.0 * scale},
        breakage=breakage,
        through=("valkey",),
        control=True,
        gateway={"workers": 2},
    )
    stack = scenario.stack
    await stack.accounting_is_whole()
    before = (await stack.ledger.standing()).incarnation
    async with stack.valkey.replica(stack.folder / "replica") as replica:
        scenario.load.start()
        await scenario.load.until_offered(100 * scale)
        await stack.valkey.lose_to(replica, demoted=demoted)
        stack.proxies["valkey"].lead_to(replica.port)
        stack.gateway.kill(stack.gateway.workers()[0])
        scenario.fault_ends()
        await stack.ledger.afresh()
        async with asyncio.timeout(60):
            while (await stack.ledger.standing()).incarnation in ("", before):
                await asyncio.sleep(0.1)
        yield scenario
