"""What happens to PowerMTA's accounting files."""

import asyncio
from collections import Counter
from functools import partial

from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.database import PostgresPart
from tests.faults.mail import bouncing
from tests.faults.middlefile import lose_the_middle_file
from tests.faults.poster import KEY, Poster
from tests.faults.proxy import Cut
from tests.faults.stack import AMPLE

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
    """Receipts come by file alone, complaints by webhook alone, and the others by both at once."""
    scenario = await begin(
        "kill -9 control, PostgreSQL and PowerMTA amid accounting by webhook and file",
        load={"make": bouncing, "rate": 40.0},
        control=True,
        quotas=_NO_LIMIT,
        warmup=_UNGUARDED,
        accounting={"webhook_key": KEY, "batch": 10},
    )
    stack, load = scenario.stack, scenario.load
    async with Poster(stack.pmta.accounting, stack.api) as poster:
        load.start()
        for kill, again in (
            (stack.control.kill, stack.control.start),
            (stack.postgres.kill, stack.postgres.restart),
            (stack.pmta.kill, stack.pmta.restart),
            (stack.control.kill, stack.control.start),
        ):
            # In the middle: more is counted, and more is posted that does not count yet.
            more = poster.answered + 3
            await load.until_offered(len(load.offers) + 60 * scale)
            await scenario.until(partial(poster.has_answers, more), "it is posted")
            kill()
            await asyncio.sleep(0.7)
            await again()
        scenario.fault_ends()
        await scenario.flows_again()
        await scenario.close()
        await scenario.until(poster.idle, "everything is posted", 60.0)
        assert poster.unanswered > 0
        both = poster.files.total() + poster.posted
        counted = await _counted(stack.postgres, both)
    told = Counter(poster.files) + Counter(f=poster.complaints)
    assert min(told[kind] for kind in "rdbf") > 0
    assert counted == told, "by type: what control counted, and what PowerMTA said"


async def test_every_record_counts_once_whatever_is_killed_while_it_comes_by_agent_and_webhook(
    begin: Begin, scale: int
) -> None:
    """Receipts come by the agent alone, complaints by webhook alone, the others by both; the
    agent dies twice, once with control away."""
    scenario = await begin(
        "kill -9 the agent, control and PowerMTA amid accounting by webhook and agent",
        load={"make": bouncing, "rate": 40.0},
        control=True,
        feed=False,
        quotas=_NO_LIMIT,
        warmup=_UNGUARDED,
        accounting={"webhook_key": KEY, "batch": 10, "poll": 0.2},
    )
    stack, load = scenario.stack, scenario.load
    agent = await stack.agent()

    async def agent_again() -> None:
        agent.start()

    def both_die() -> None:
        agent.kill()
        stack.control.kill()

    async def both_again() -> None:
        agent.start()
        await asyncio.sleep(0.7)
        await stack.control.start()

    async with Poster(stack.pmta.accounting, stack.api) as poster:
        load.start()
        for kill, again in (
            (agent.kill, agent_again),
            (stack.pmta.kill, stack.pmta.restart),
            (both_die, both_again),
        ):
            more = poster.answered + 3
            await load.until_offered(len(load.offers) + 60 * scale)
            await scenario.until(partial(poster.has_answers, more), "it is posted")
            kill()
            await asyncio.sleep(0.7)
            await again()
        scenario.fault_ends()
        await scenario.flows_again()
        # Doubt ends by the receipts that the agent shipped.
        await scenario.close()
        await scenario.until(poster.idle, "everything is posted", 60.0)
        both = poster.files.total() + poster.posted
        counted = await _counted(stack.postgres, both)
    told = Counter(poster.files) + Counter(f=poster.complaints)
    assert min(told[kind] for kind in "rdbf") > 0
    assert counted == told, "by type: what control counted, and what PowerMTA said"


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


async def _counted(postgres: PostgresPart, both: int) -> Counter[str]:
    """What counted, by type, when all that came either way has been looked at."""
    looked = "SELECT coalesce(sum(records + repeated), 0)::bigint FROM accounting_kind"
    waiting = "SELECT count(*) FROM accounting_batch"
    async with asyncio.timeout(60):
        while await postgres.number(waiting) or await postgres.number(looked) < both:
            await asyncio.sleep(0.1)
    assert await postgres.number("SELECT count(*) FROM accounting_set_aside") == 0
    one = "SELECT coalesce(sum(records), 0)::bigint FROM accounting_kind WHERE kind = '{}'"
    kinds = ("r", "d", "b", "t", "f")
    return +Counter({kind: await postgres.number(one.format(kind)) for kind in kinds})
