"""The releaser dies and freezes while it releases, and the hold meets its bound and midnight."""

import asyncio

import pytest

from tests.faults.books import OPEN, Quota
from tests.faults.conftest import Begin
from tests.faults.copies import copies_that_go
from tests.faults.mail import sizes, twin
from tests.faults.scenario import Scenario
from tests.faults.several import restored_with_several
from tests.faults.stack import AMPLE

SCARCE = {"vmta-small": Quota(10, {"gmail": 5}), "vmta-large": Quota(40, {"gmail": 10})}
"""Of hundreds of messages fifty may go: the rest is held."""

PLENTY = {"vmta_small": Quota(AMPLE), "vmta_large": Quota(AMPLE)}


async def filled(begin: Begin, scale: int, name: str, **options: object) -> Scenario:
    """A scenario whose hold is full of mail that may not go today."""
    scenario = await begin(name, quotas=SCARCE, load={"rate": 300.0}, **options)
    await scenario.load.send(400 * scale, patience=60.0 * scale)
    assert all(offer.acknowledged for offer in scenario.load.offers)
    return scenario


async def releasing(scenario: Scenario, count: int) -> None:
    """Wait until PowerMTA has taken so many messages more than the first day's."""
    receipts = scenario.stack.pmta.receipts
    most = 50 + count
    await scenario.until(lambda: len(receipts.read()) >= most, f"{count} released", 30.0)


async def drained(scenario: Scenario) -> None:
    """Wait until nothing is held or claimed any more; doubt may stay."""
    assert await scenario.none_waits(*OPEN, patience=60.0), scenario.waiting()


@pytest.mark.parametrize("beyond_lease", [False, True], ids=["short", "beyond its lease"])
async def test_a_frozen_releaser_that_thaws_changes_nothing_that_moved_on(
    begin: Begin, scale: int, beyond_lease: bool
) -> None:
    name = "SIGSTOP the releaser" + (" beyond its lease" if beyond_lease else "")
    scenario = await filled(begin, scale, name)
    stack = scenario.stack
    await stack.pmta.fault(reply_delay=0.05)
    await stack.raise_quotas(**PLENTY)
    await releasing(scenario, 20)
    [victim] = stack.gateway.releasers()
    stack.gateway.freeze(victim)
    await asyncio.sleep(stack.lease + 2.0 if beyond_lease else 2.0)
    stack.gateway.thaw(victim)
    scenario.fault_ends()
    await scenario.flows_again()
    await drained(scenario)
    await scenario.close()


async def test_a_killed_releaser_leaves_doubt_and_never_a_second_copy(
    begin: Begin, scale: int
) -> None:
    # Few claims at a time: what it had claimed is in doubt, and the rest has to flow.
    scenario = await filled(
        begin, scale, "kill -9 the releaser while it releases", hold={"claim": 16}
    )
    stack = scenario.stack
    await stack.pmta.fault(reply_delay=0.05)
    await stack.raise_quotas(**PLENTY)
    for count in (20, 120):
        await releasing(scenario, count)
        [victim] = await scenario.until(stack.gateway.releasers, "a releaser runs")
        stack.gateway.kill(victim)
    scenario.fault_ends()
    await scenario.flows_again(40.0)
    await drained(scenario)
    await scenario.close()


async def test_the_next_day_releases_what_the_day_before_held(begin: Begin, scale: int) -> None:
    """Midnight comes while rows are held and claimed, and mail comes in."""
    scenario = await filled(begin, scale, "the day turns with mail held and claimed")
    scenario.load.start()
    for _ in range(3):
        await scenario.next_day()
        scenario.fault_ends()
        await scenario.flows_again()
        await scenario.load.until_offered(len(scenario.load.offers) + 100 * scale)
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_a_full_hold_defers_naming_a_date_and_loses_nothing(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "the hold's bound is reached", quotas=SCARCE, hold={"messages": 100, "slow_most": 0.0}
    )
    await scenario.load.send(300 * scale)
    deferred = [offer for offer in scenario.load.offers if offer.deferred]
    assert deferred
    await scenario.close()


async def test_hazard_4_a_message_and_its_twin_go_once(begin: Begin, scale: int) -> None:
    """Both are sent at the same moment; some are denied, held, and released the day after."""
    scenario = await begin("every message has a twin", quotas=SCARCE, load={"make": twin})
    await scenario.load.send(300 * scale)
    scenario.fault_ends()
    await scenario.next_day()
    await scenario.close()
    assert scenario.findings.deferred == 0


async def test_hazard_4_the_twin_of_a_message_whose_commit_failed_is_not_lost(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "twins while PostgreSQL is frozen", quotas=SCARCE, load={"make": twin, "rate": 60.0}
    )
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    scenario.stack.postgres.freeze()
    await asyncio.sleep(4.0)
    scenario.stack.postgres.thaw()
    scenario.fault_ends()
    await scenario.load.until_offered(300 * scale)
    await scenario.close()


async def test_copies_behind_first_messages_go_once_when_these_never_did(
    begin: Begin, scale: int
) -> None:
    """The answers of some copies are lost, too: their doubt is their own."""
    scenario = await copies_that_go(begin, scale, "copy behind a first")
    # Many looks at every doubt.
    await asyncio.sleep(3.0)
    await scenario.close()


async def test_several_recipients_in_doubt_dropped_and_restored_get_it_once(
    begin: Begin, scale: int
) -> None:
    scenario = await restored_with_several(
        begin, scale, "several recipients in doubt, restored, dropped"
    )
    await scenario.close()
    assert scenario.findings.doubt


async def test_hazard_17_a_paused_tenant_releases_nothing_and_loses_nothing(
    begin: Begin, scale: int
) -> None:
    scenario = await filled(begin, scale, "tenant paused while its mail waits")
    stack = scenario.stack
    await stack.pause_tenant(paused=True)
    await stack.raise_quotas(**PLENTY)
    before = len(stack.pmta.receipts.read())
    await asyncio.sleep(2 * stack.settings_of_gateway.hold.sweep)
    assert len(stack.pmta.receipts.read()) == before
    await stack.pause_tenant(paused=False)
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.close()


async def test_large_and_small_mail_held_together_comes_out_octet_for_octet(
    begin: Begin, scale: int
) -> None:
    """Small contents are packed in the event loop while threads beside it pack large ones."""
    scenario = await begin(
        "large and small held mail together",
        quotas=SCARCE,
        store="headers",
        load={"connections": 10, "rate": 400.0, "make": sizes},
    )
    stack = scenario.stack
    await scenario.load.send(300 * scale, patience=120.0 * scale)
    scenario.fault_ends()
    await stack.raise_quotas(**PLENTY)
    await scenario.flows_again()
    await drained(scenario)
    await scenario.close()
    assert stack.gateway.harm() == []
    assert scenario.findings.acknowledged == scenario.findings.delivered == 300 * scale
    taken = await stack.pmta.digests()
    sent = {offer.mail.recipient: offer.mail.digest() for offer in scenario.load.offers}
    assert taken == sent
