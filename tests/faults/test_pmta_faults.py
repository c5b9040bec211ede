"""PowerMTA dies, freezes and is cut off under load, before and after the dot."""

import asyncio

import pytest

from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.proxy import Cut
from tests.faults.refusing import Refusing, refused_for_a_day
from tests.faults.stack import AMPLE


async def test_a_killed_powermta_gets_every_message_once(begin: Begin, scale: int) -> None:
    scenario = await begin("kill -9 PowerMTA")
    pmta = scenario.stack.pmta
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    pmta.kill()
    await asyncio.sleep(1.0)
    await pmta.restart()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


async def test_a_frozen_powermta_with_dots_in_its_socket_buffer_takes_them_once(
    begin: Begin, scale: int
) -> None:
    """The gateway has long given its answers when PowerMTA reads those dots."""
    scenario = await begin("SIGSTOP PowerMTA beyond the relay budget")
    pmta = scenario.stack.pmta
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    pmta.freeze()
    await asyncio.sleep(scenario.stack.settings_of_gateway.gateway.answer_budget + 2.0)
    pmta.thaw()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


@pytest.mark.parametrize("where", Cut, ids=lambda where: where.name.lower())
async def test_a_cut_conversation_never_makes_a_second_copy(
    begin: Begin, scale: int, where: Cut
) -> None:
    """Before the dot it goes another way; with the dot out, nobody knows, and nobody guesses."""
    name = where.name.lower().replace("_", " ")
    scenario = await begin(f"connection to PowerMTA cut, {name}", through=("pmta",))
    proxy = scenario.stack.proxies["pmta"]
    scenario.load.start()
    await scenario.load.until_offered(100 * scale)
    proxy.tear(where, 20 * scale)
    await scenario.until(lambda: not proxy.cuts_left, "every cut was made", 60.0)
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(300 * scale)
    await scenario.close()


async def test_a_stalled_network_before_powermta_loses_nothing(begin: Begin, scale: int) -> None:
    """Dots lie in the network and arrive late, after their clients were answered."""
    scenario = await begin("stalled network before PowerMTA", through=("pmta",))
    proxy = scenario.stack.proxies["pmta"]
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    proxy.stall()
    await asyncio.sleep(scenario.stack.settings_of_gateway.gateway.answer_budget + 1.0)
    proxy.go_on()
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(320 * scale)
    await scenario.close()


@pytest.mark.parametrize("how", Refusing, ids=lambda how: how.value)
async def test_a_lone_message_outlives_a_day_of_refusals(begin: Begin, how: Refusing) -> None:
    """Nothing that PowerMTA refuses to everybody is charged to it, and it is its own probe."""
    name = f"PowerMTA refuses {how.value} for a day, one held"
    scenario = await refused_for_a_day(begin, name, how)
    await scenario.flows_again()
    await scenario.close()
    assert [row.ending for row in scenario.rows] == ["relayed"]
    assert scenario.findings.delivered == 1


async def test_three_slots_carry_all_live_and_held_mail(begin: Begin, scale: int) -> None:
    """PowerMTA's other feeders have the rest; our worker and our releaser share these."""
    scenario = await begin("PowerMTA has three slots for us")
    stack = scenario.stack
    await stack.pmta.fault(slots=3)
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    scenario.fault_ends()
    await stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
    await scenario.flows_again()
    await scenario.load.until_offered(300 * scale)
    await scenario.close()
    charged = "SELECT count(*) FROM held WHERE failures > 0 OR ending <> 'relayed'"
    assert await stack.postgres.number(charged) == 0
