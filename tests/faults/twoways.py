"""Accounting that comes by webhook and by another way at once, while parts are killed amid it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from tests.faults.database import PostgresPart
from tests.faults.poster import Poster
from tests.faults.scenario import Scenario


class Death(NamedTuple):
    """Of whatever dies together."""

    kill: Callable[[], None]
    again: Callable[[], Awaitable[None]]


async def counts_once(scenario: Scenario, scale: int, deaths: list[Death]) -> None:
    """What control counted is what PowerMTA said, whoever died meanwhile. Receipts come by the
    other way alone, complaints by webhook alone, and the others by both."""
    stack, load = scenario.stack, scenario.load
    async with Poster(stack.pmta.accounting, stack.api) as poster:
        load.start()
        for death in deaths:
            # In the middle: more is counted, and more is posted that does not count yet.
            more = poster.answered + 3
            await load.until_offered(len(load.offers) + 60 * scale)
            await scenario.until(partial(poster.has_answers, more), "it is posted")
            death.kill()
            await asyncio.sleep(0.7)
            await death.again()
        scenario.fault_ends()
        await scenario.flows_again()
        await scenario.close()
        await scenario.until(poster.idle, "everything is posted", 60.0)
        assert poster.unanswered > 0, "nothing was posted while control or its database was away"
        counted = await _counted(stack.postgres, poster.files.total())
    told = Counter(poster.files) + Counter(f=poster.complaints)
    assert min(told[kind] for kind in "rdbf") > 0
    assert counted == told, f"control counted {counted}, PowerMTA said {told}"


async def _counted(postgres: PostgresPart, written: int) -> Counter[str]:
    """What counted, by type, when all of the files was read and all that was posted taken in. What
    was stored and not answered came again, so no number of those looked at says that."""
    read = "SELECT coalesce(sum(records), 0)::bigint FROM accounting_stream"
    waiting = "SELECT count(*) FROM accounting_batch"
    async with asyncio.timeout(60):
        while await postgres.number(waiting) or await postgres.number(read) < written:
            await asyncio.sleep(0.1)
    assert await postgres.number("SELECT count(*) FROM accounting_set_aside") == 0
    one = "SELECT coalesce(sum(records), 0)::bigint FROM accounting_kind WHERE kind = '{}'"
    kinds = ("r", "d", "b", "t", "f")
    return +Counter({kind: await postgres.number(one.format(kind)) for kind in kinds})
