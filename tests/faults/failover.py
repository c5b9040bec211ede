"""A store's name leads elsewhere: to its replica or standby for good, or to that for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.faults.books import OPEN, Quota
from tests.faults.conftest import Begin
from tests.faults.load import Offer
from tests.faults.mail import Mail, mail
from tests.faults.scenario import Scenario
from tests.faults.stack import AMPLE
from tests.support.hold.standbys import caught_up, cut_off, promote, standby_of

_QUOTAS = {"vmta-small": Quota(40), "vmta-large": Quota(700)}
"""More than is sent until the ledger is rebuilt, less than is offered: two ledgers that both count
to it show."""


@asynccontextmanager
async def failed_over(
    begin: Begin,
    scale: int,
    name: str,
    *,
    demoted: bool,
    breakage: str = "",
    make: Callable[[int], Mail] = mail,
    reply_delay: float = 0.0,
    **sections: dict[str, Any],
) -> AsyncIterator[Scenario]:
    """A ledger that failed over and was rebuilt, under load. Of the two workers one has connections
    to the server of before, the other is new. `reply_delay`: seconds PowerMTA takes for each reply
    meanwhile, so that messages are half-way."""
    scenario = await begin(
        name,
        quotas={vmta: Quota(quota.daily * scale) for vmta, quota in _QUOTAS.items()},
        load={"rate": 40.0 * scale, "make": make},
        breakage=breakage,
        through=("valkey",),
        control=True,
        gateway={"workers": 2},
        **sections,
    )
    stack = scenario.stack
    await stack.accounting_is_whole()
    before = (await stack.ledger.standing()).incarnation
    async with stack.valkey.replica(stack.folder / "replica") as replica:
        scenario.load.start()
        await scenario.load.until_offered(100 * scale)
        if reply_delay:
            await stack.pmta.fault(reply_delay=reply_delay)
            await scenario.load.until_offered(len(scenario.load.offers) + 10)
        await stack.valkey.lose_to(replica, demoted=demoted)
        stack.proxies["valkey"].lead_to(replica.port)
        stack.gateway.kill(stack.gateway.workers()[0])
        scenario.fault_ends()
        await stack.ledger.afresh()
        async with asyncio.timeout(60):
            while (await stack.ledger.standing()).incarnation in ("", before):
                await asyncio.sleep(0.1)
        if reply_delay:
            await stack.pmta.fault(reply_delay=0.0)
        yield scenario


async def ended_while_others_pass(scenario: Scenario, patience: float = 90.0) -> None:
    """Let everything go, settle what is in doubt, and send mail that passes until nobody waits whom
    PowerMTA never takes: such a failure counts while others pass only."""
    stack, load = scenario.stack, scenario.load
    await stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
    load.make = mail
    async with asyncio.timeout(patience):
        while not await scenario.none_waits("doubt", patience=1.5):
            await stack.advance((stack.settings_of_gateway.hold.probe_gap + 60) / 86_400)
        while not await scenario.none_waits(*OPEN, patience=0.3):
            await load.send(2)


_SCARCE = {"vmta-small": Quota(10), "vmta-large": Quota(40)}
"""Nearly everything is held."""


@asynccontextmanager
async def misled(
    begin: Begin, scale: int, name: str, *, breakage: str = ""
) -> AsyncIterator[tuple[Scenario, list[Offer]]]:
    """PostgreSQL's name led to its standby for seconds, under load. Also yields what was offered
    later than half a second after it was right again."""
    scenario = await begin(
        name, quotas=_SCARCE, load={"rate": 60.0}, breakage=breakage, through=("postgres",)
    )
    stack, proxy = scenario.stack, scenario.stack.proxies["postgres"]
    async with standby_of(stack.postgres.server, stack.folder / "standby") as standby:
        await caught_up(stack.postgres.server, standby)
        scenario.load.start()
        await scenario.load.until_offered(150 * scale)
        proxy.lead_to(standby.port)
        proxy.cut()
        await asyncio.sleep(5.0)
        proxy.lead_to(stack.postgres.server.port)
        scenario.fault_ends()
        begin_at = len(scenario.load.offers) + 30
        await scenario.load.until_offered(begin_at + 150 * scale)
        await scenario.settle()
        yield scenario, scenario.load.offers[begin_at:]


@asynccontextmanager
async def replaced(
    begin: Begin, scale: int, name: str, *, breakage: str = ""
) -> AsyncIterator[Scenario]:
    """PostgreSQL's name leads for good to a standby that lags. What was held when the standby was
    cut off has since been released by the primary, or is claimed at that moment; what was held
    later only the primary had."""
    scenario = await begin(
        name,
        quotas=_SCARCE,
        breakage=breakage,
        through=("postgres",),
        control=True,
        hold={"claim": 8},
    )
    stack, proxy = scenario.stack, scenario.stack.proxies["postgres"]
    primary = stack.postgres.server
    receipts = stack.pmta.receipts
    async with standby_of(primary, stack.folder / "standby") as standby:
        await scenario.load.send(150 * scale)
        await scenario.settle()
        await caught_up(primary, standby)
        await cut_off(standby)
        seen = {row.id for row in scenario.rows}
        await scenario.load.send(30 * scale)
        await scenario.settle()
        scenario.gone_with_primary = {row.recipient for row in scenario.rows if row.id not in seen}
        await stack.pmta.fault(reply_delay=0.2)
        before = len(receipts.read())
        await scenario.next_day()
        await scenario.until(lambda: len(receipts.read()) >= before + 20, "20 are released")
        await promote(standby)
        proxy.lead_to(standby.port)
        proxy.cut()
        stack.postgres.server = standby
        try:
            # What was under way to PowerMTA arrives, and counts as seen before.
            await scenario.settle()
            scenario.fault_ends()
            yield scenario
        finally:
            # The stack stops its own.
            stack.postgres.server = primary
