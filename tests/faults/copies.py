"""Copies in doubt behind first messages that nobody has a row of, which then go themselves, and of
some of which the answer is lost."""

import asyncio

from tests.faults.books import OPEN, Quota
from tests.faults.conftest import Begin
from tests.faults.mail import keyed
from tests.faults.proxy import Cut
from tests.faults.scenario import PROBES, Scenario
from tests.faults.stack import AMPLE

_CLIENTS = 12
"""So many dots are out when the workers die."""

_PLENTY = {"vmta-small": Quota(AMPLE), "vmta-large": Quota(AMPLE)}
"""What waits here waits in doubt."""

_ONLY_READIED = """
CREATE OR REPLACE FUNCTION hold_leave_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.readied := pg_current_xact_id();
    RETURN NEW;
END $$
"""
"""What became ready is found all the same: that is no column of a state."""

_BEHIND = "SELECT count(*) FROM held WHERE behind <> ''"
_ACCEPTED = "SELECT count(*) FROM probe WHERE accepted"


async def lose_dots_and_workers(scenario: Scenario, waves: int) -> None:
    """The dots of every client are swallowed, and all workers killed before anything of the
    messages is written down; clients that heard nothing send them again."""
    stack, proxy = scenario.stack, scenario.stack.proxies["pmta"]
    before = proxy.cuts
    proxy.tear(Cut.SWALLOWED, _CLIENTS * waves)
    sending = asyncio.create_task(scenario.load.send(_CLIENTS * waves, patience=60.0))
    for wave in range(1, waves + 1):
        await scenario.until(lambda: proxy.cuts - before >= _CLIENTS * wave, "dots are out")  # noqa: B023
        stack.gateway.kill(*stack.gateway.workers())
    await sending
    proxy.tear(Cut.SWALLOWED, 0)


async def copies_that_go(
    begin: Begin, scale: int, name: str, *, breakage: str = "", unbind: bool = False
) -> Scenario:
    """Until the copies have gone and the answers of some were lost. `unbind`: columns of a row
    stay when it leaves their state, as before there was a rule."""
    scenario = await begin(
        name,
        through=("pmta",),
        control=True,
        breakage=breakage,
        quotas=_PLENTY,
        load={"connections": _CLIENTS, "make": keyed},
        gateway={"workers": 2},
    )
    stack, proxy = scenario.stack, scenario.stack.proxies["pmta"]
    await stack.accounting_is_whole()
    if unbind:
        await stack.postgres.execute(_ONLY_READIED)
        await stack.postgres.execute("ALTER TABLE held DROP CONSTRAINT held_columns_of_state")
    await lose_dots_and_workers(scenario, 2 * scale)
    assert await stack.postgres.number(_BEHIND) >= _CLIENTS * scale, "no copy stands behind a first"
    for _ in range(PROBES):
        await _one_more_probe(scenario)
        proxy.tear(Cut.AFTER_DOT, 6 * scale)
        stack.control.thaw()
        if await scenario.none_waits(*OPEN, "doubt", patience=4.0) or not proxy.cuts_left:
            break
        proxy.tear(Cut.AFTER_DOT, 0)
    assert stack.pmta.receipts.read(), "no copy went"
    scenario.fault_ends()
    return scenario


async def _one_more_probe(scenario: Scenario) -> None:
    """PowerMTA has taken it, and nobody has read that: what it proves is proved when we say so, and
    it is not the probe whose answer is lost. Where the one before proved everything after all (the
    copies of a busy machine went when we had stopped waiting), none is sent any more."""
    stack = scenario.stack
    stack.control.freeze()
    before = await stack.postgres.number(_ACCEPTED)
    await stack.advance((stack.settings_of_gateway.hold.probe_gap + 60) / 86_400)
    async with asyncio.timeout(60):
        while await stack.postgres.number(_ACCEPTED) == before:
            if await scenario.none_waits(*OPEN, "doubt", patience=0.05):
                stack.control.thaw()
                return
