"""PowerMTA dies, freezes and is cut off under load, before and after the dot."""

import asyncio

from tests.faults.conftest import Begin
from tests.faults.proxy import Cut


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
    await scenario.load.until_offered(500 * scale)
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
    await scenario.load.until_offered(500 * scale)
    await scenario.close()


async def test_a_connection_cut_before_the_dot_sends_the_message_another_way(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("cut before the dot", through=("pmta",))
    proxy = scenario.stack.proxies["pmta"]
    scenario.load.start()
    await scenario.load.until_offered(100 * scale)
    proxy.tear(Cut.BEFORE_DOT, 20 * scale)
    await scenario.load.until_offered(300 * scale)
    await scenario.until(lambda: not proxy.cuts_left, "every cut was made")
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(400 * scale)
    await scenario.close()


async def test_a_reply_cut_off_after_the_dot_is_doubt_and_never_a_second_copy(
    begin: Begin, scale: int
) -> None:
    scenario = await begin("cut after the dot", through=("pmta",))
    proxy = scenario.stack.proxies["pmta"]
    scenario.load.start()
    await scenario.load.until_offered(100 * scale)
    proxy.tear(Cut.AFTER_DOT, 20 * scale)
    await scenario.load.until_offered(300 * scale)
    await scenario.until(lambda: not proxy.cuts_left, "every cut was made")
    scenario.fault_ends()
    await scenario.flows_again()
    await scenario.load.until_offered(400 * scale)
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
    await scenario.load.until_offered(400 * scale)
    await scenario.close()
