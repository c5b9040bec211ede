"""PostgreSQL goes away, or the process has no more time, between two reads of one round: what was
taken until then stands in its line again, and the very next round has it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.hold.database import AwayError, UnknownError
from tests.support.hold.held import MIDNIGHT, claimed, hold
from tests.support.hold.queues import QueueCase, queue_case

_ALL = ["a1", "b0", "b1", "b2", "b3", "c0"]
_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'sendgate gateway' AND datname = current_database()
    AND wait_event_type = 'Lock'
"""


async def _rows(link: Any) -> None:
    """Of three mailboxes, and one more that somebody has by now: the first read of a round is short
    by that one."""
    for mailbox, number in (("a", 0), ("a", 1), *(("b", n) for n in range(4)), ("c", 0)):
        await hold(
            link, f"{mailbox}{number}", mailbox=f"{mailbox}@acme.example",
            arrived=MIDNIGHT + number,
        )  # fmt: skip


@pytest.mark.parametrize("where", [1, 2])
@pytest.mark.parametrize("how", ["cut", "cancelled"])
async def test_a_round_that_breaks_off_gives_back_what_it_took(
    link: Any, hold_url: str, how: str, where: int
) -> None:
    await _rows(link)
    async with queue_case(hold_url) as here, _holding_up(here, hold_url, where) as held_up:
        await here.look()
        await claimed(link, "a0")
        work = asyncio.create_task(here.queue.next(here.queue.groups(), 5))
        await asyncio.wait([work, held_up], return_when=asyncio.FIRST_COMPLETED)
        assert held_up.done(), "the round was over before: nothing is broken off"
        while not (backend := await link.fetchval(_WAITING)):
            await asyncio.sleep(0.01)
        if how == "cut":
            await link.execute("SELECT pg_terminate_backend($1)", backend)
            with pytest.raises(UnknownError):
                await work
        else:
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        await held_up.result().rollback()
        assert await _then(link, here) == _ALL


@contextlib.asynccontextmanager
async def _holding_up(
    here: QueueCase, url: str, where: int
) -> AsyncIterator["asyncio.Future[Any]"]:
    """Read number `where` finds the table locked: by the transaction that is told then."""
    locker = await asyncpg.connect(url)
    read, reads = here.queue._read, 0
    change = locker.transaction()
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def met(*args: Any) -> None:
        nonlocal reads
        reads += 1
        if reads == where:
            await change.start()
            await locker.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            told.set_result(change)
        await read(*args)

    here.queue._read = met  # type: ignore[method-assign]
    yield told
    await locker.close()


async def _then(link: Any, here: QueueCase) -> list[str]:
    """What the next rounds have, without a look at every line."""
    assert here.queue.complete
    found: list[str] = []
    async with asyncio.timeout(20):
        while len(found) < len(_ALL):
            with contextlib.suppress(AwayError, UnknownError):
                picks = await here.queue.next(here.queue.groups(), 2)
                assert picks, f"nobody knows of what is not among {found}"
                ids = [pick.row[2] for pick in picks]
                await claimed(link, *ids)
                found += ids
    assert not await here.queue.next(here.queue.groups(), 2)
    return sorted(found)
