"""A finished accounting file that is gone before it was begun, with receipts nobody else has."""

from pathlib import Path

from tests.faults.proxy import Cut
from tests.faults.scenario import Scenario


async def lose_the_middle_file(scenario: Scenario, scale: int) -> Path:
    """While control is away PowerMTA takes messages whose replies are lost, in a file of their own;
    that file is taken out of the folder. Returns where it lies now; control runs again."""
    stack = scenario.stack
    proxy = stack.proxies["pmta"]
    await stack.accounting_is_whole()
    await scenario.load.send(50 * scale)
    stack.control.kill()
    await stack.pmta.command("rotate acct")
    proxy.tear(Cut.AFTER_DOT, 10 * scale)
    await scenario.load.send(100 * scale)
    await scenario.until(lambda: not proxy.cuts_left, "every cut was made", 30.0)
    await scenario.settle()
    lost = stack.pmta.stream.with_name(await stack.pmta.command("rotate acct"))
    # The books know what nobody else will.
    stack.pmta.receipts.read()
    await scenario.load.send(50 * scale)
    away = stack.folder / lost.name
    lost.rename(away)
    await stack.needs_control()
    return away
