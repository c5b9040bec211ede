"""What happens to PowerMTA's accounting files."""

import asyncio

from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.mail import bouncing
from tests.faults.middlefile import lose_the_middle_file
from tests.faults.poster import KEY
from tests.faults.proxy import Cut
from tests.faults.stack import AMPLE
from tests.faults.twoways import Death, counts_once

_NO_LIMIT = {"vmta-small": Quota(AMPLE), "vmta-large": Quota(AMPLE)}
_UNGUARDED = {"max_bounce_rate": 100.0, "max_spam_rate": 100.0}
"""So much bounces and is complained of: the guard would pause both IPs, and their mail wait."""


async def test_a_middle_file_that_is_missing_proves_no_absence(begin: Begin, scale: int) -> None:
    """What is in doubt stays so however many probes are read; when the file is back, it says that
    PowerMTA had taken everything."""
    scenario = await begin(
        "an accounting stream without its middle file", through=("pmta",), control=True
    )
    stack = scenario.stack
    away = await lose_the_middle_file(scenario, scale)
    for _ in range(4):
        await stack.advance((stack.settings_of_gateway.hold.probe_gap + 60) / 86_400)
        await scenario.none_waits("doubt", patience=3.0)
    found = await scenario.books()
    assert not found.problems
    assert found.doubt > 5 * scale
    away.rename(stack.pmta.stream.with_name(away.name))
    scenario.fault_ends()
    await scenario.close()


async def test_every_record_counts_once_whatever_is_killed_while_it_comes_two_ways(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "kill -9 control, PostgreSQL and PowerMTA amid accounting by webhook and file",
        load={"make": bouncing, "rate": 40.0},
        control=True,
        quotas=_NO_LIMIT,
        warmup=_UNGUARDED,
        accounting={"webhook_key": KEY, "batch": 10},
    )
    stack = scenario.stack
    deaths = [
        Death(stack.control.kill, stack.control.start),
        Death(stack.postgres.kill, stack.postgres.restart),
        Death(stack.pmta.kill, stack.pmta.restart),
        Death(stack.control.kill, stack.control.start),
    ]
    await counts_once(scenario, scale, deaths)


async def test_every_record_counts_once_whatever_is_killed_while_it_comes_by_agent_and_webhook(
    begin: Begin, scale: int
) -> None:
    """The agent dies by itself, with control away, and with the database; the database also by
    itself, while both bring records."""
    scenario = await begin(
        "kill -9 the agent, control, PostgreSQL and PowerMTA amid accounting by webhook and agent",
        load={"make": bouncing, "rate": 40.0},
        control=True,
        feed=False,
        quotas=_NO_LIMIT,
        warmup=_UNGUARDED,
        accounting={"webhook_key": KEY, "batch": 10, "poll": 0.2},
    )
    stack = scenario.stack
    agent = await stack.agent()

    async def agent_again() -> None:
        agent.start()

    def agent_and_control_die() -> None:
        agent.kill()
        stack.control.kill()

    async def agent_then_control_again() -> None:
        agent.start()
        await asyncio.sleep(0.7)
        await stack.control.start()

    def agent_and_postgres_die() -> None:
        stack.postgres.kill()
        agent.kill()

    async def agent_then_postgres_again() -> None:
        agent.start()
        await asyncio.sleep(0.7)
        await stack.postgres.restart()

    # Doubt ends by the receipts that the agent shipped.
    deaths = [
        Death(agent.kill, agent_again),
        Death(stack.postgres.kill, stack.postgres.restart),
        Death(stack.pmta.kill, stack.pmta.restart),
        Death(agent_and_control_die, agent_then_control_again),
        Death(agent_and_postgres_die, agent_then_postgres_again),
    ]
    await counts_once(scenario, scale, deaths)


async def test_what_is_in_doubt_goes_by_the_receipts_that_an_agent_ships(
    begin: Begin, scale: int
) -> None:
    """Replies are lost of messages that PowerMTA took, and of others whose dot never reached it; no
    disk is shared, and the agent is killed before the proof is there."""
    scenario = await begin(
        "doubt that ends by the stream of an agent which was killed",
        through=("pmta",),
        control=True,
        feed=False,
        accounting={"poll": 0.2},
        quotas=_NO_LIMIT,
    )
    stack, load = scenario.stack, scenario.load
    agent = await stack.agent()
    await load.send(30 * scale)
    agent.kill()
    proxy = stack.proxies["pmta"]
    for cut in (Cut.AFTER_DOT, Cut.DOT_LOST):
        proxy.tear(cut, 6 * scale)
        await load.send(40 * scale)
        await scenario.until(lambda: not proxy.cuts_left, "every cut was made", 30.0)
    found = await scenario.books()
    assert not found.problems
    # A probe of our own may have been the one that was cut.
    assert 10 * scale <= found.doubt <= 12 * scale, "nobody has said what became of them"
    never = found.offered - found.delivered
    assert never >= 5 * scale
    assert (
        await stack.postgres.number("SELECT count(*) FROM held WHERE state = 'doubt'")
        == found.doubt
    )
    agent.start()
    scenario.fault_ends()
    # Those that arrived are told of by their receipts; the others by probes that are read behind
    # where their receipt would be, and go then. The first may already have gone when the books are
    # closed the second time.
    await scenario.close()
    found = scenario.findings
    assert scenario.released == found.offered - found.delivered
