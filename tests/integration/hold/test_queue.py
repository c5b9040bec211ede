"""The queue hears of every row that may go, whoever made it so, and reads no dead rows."""

import json
from typing import Any

import asyncpg
import pytest

from policy.limits import DAY as DAY_MS
from policy.model import MailboxLimits
from settings.statements import statements
from tests.support.gateway.generations import tenant
from tests.support.hold.held import DAY, MIDNIGHT, claimed, hold
from tests.support.hold.many import hold_many
from tests.support.hold.queues import queue_case

_ROWS = statements("gateway.hold.release", "release")["rows"]


async def test_it_knows_what_is_there_and_hears_what_comes(link: Any, hold_url: str) -> None:
    await hold(link, "old", arrived=MIDNIGHT)
    async with queue_case(hold_url) as here:
        assert await here.ids() == ["old"]
        await claimed(link, "old")
        assert await here.ids() == []
        await hold(link, "new", arrived=MIDNIGHT + 5, mailbox="b@acme.example")
        await hold(link, "older", bucket=DAY - 1, arrived=MIDNIGHT - 5)
        assert await here.ids() == ["older", "new"]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"waiting": True, "due": 9}, "waiting = false, due = 0"),
        ({"paused": True}, "paused = false"),
        ({"state": "claimed"}, "state = 'held', reason = 'failed'"),
        ({"state": "doubt"}, "state = 'held', reason = 'absent'"),
    ],
)
async def test_it_hears_what_comes_back(
    link: Any, hold_url: str, before: dict[str, Any], change: str
) -> None:
    await hold(link, "m", **before)
    await hold(link, "later", arrived=MIDNIGHT + 9)
    async with queue_case(hold_url) as here:
        assert await here.ids() == ["later"]
        await claimed(link, "later")
        await link.execute(f"UPDATE held SET {change} WHERE id = 'm'")
        assert await here.ids() == ["m"]


async def test_it_hears_of_rows_in_another_line_by_now(link: Any, hold_url: str) -> None:
    await hold(link, "m")
    async with queue_case(hold_url) as here:
        assert await here.ids() == ["m"]
        await link.execute("UPDATE held SET provider = 'yahoo'")
        assert [p.line.group.key for p in await here.picks()] == [("acme", "yahoo")]


async def test_a_commit_that_is_late_is_heard_however_old_its_mail(
    link: Any, hold_url: str
) -> None:
    other = await asyncpg.connect(hold_url)
    await other.execute("SELECT hold_partition($1)", DAY)
    async with queue_case(hold_url) as here:
        await here.look()
        change = other.transaction()
        await change.start()
        await hold(other, "late", arrived=MIDNIGHT)
        await hold(link, "soon", arrived=MIDNIGHT + 10)
        assert await here.ids() == ["soon"]
        await claimed(link, "soon")
        await change.commit()
        assert await here.ids() == ["late"]
        assert await here.ids() == []
    await other.close()


async def test_what_was_read_before_it_was_heard_of_hides_nothing_behind_it(
    link: Any, hold_url: str
) -> None:
    """It became ready, was met, and waits again, all between two questions for what is new."""
    await hold(link, "twin", arrived=MIDNIGHT + 5, waiting=True, due=1)
    for number in range(3):
        await hold(link, f"m{number}", arrived=MIDNIGHT + 10 * number)
    async with queue_case(hold_url) as here:
        await here.look()
        await link.execute("UPDATE held SET waiting = false, due = 0 WHERE id = 'twin'")
        picks = await here.queue.next(here.queue.groups(), 3)
        assert [pick.row[2] for pick in picks] == ["m0", "twin", "m1"]
        await link.execute("UPDATE held SET waiting = true, due = 1 WHERE id = 'twin'")
        await claimed(link, "m0", "m1")
        assert await here.ids() == ["m2"]


async def test_what_another_had_in_hand_and_left_is_asked_for_again(
    link: Any, hold_url: str
) -> None:
    await hold(link, "m")
    async with queue_case(hold_url) as here:
        picks = await here.picks()
        here.queue.settle(picks, set(), ())  # locked by somebody: it was not claimed
        assert await here.ids() == ["m"]
        await claimed(link, "m")
        here.queue.settle(picks, set(), ())
        assert await here.ids() == []


async def test_a_round_whose_reads_find_only_what_is_gone_says_that_there_may_be_more(
    link: Any, hold_url: str
) -> None:
    """Who took it for an empty queue would sleep before each next one."""
    names = [f"m{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        await hold(link, name, mailbox=f"{name}@acme.example", arrived=MIDNIGHT + number)
    async with queue_case(hold_url) as here:
        await here.look()
        await claimed(link, *names[:-1])
        assert await here.ids(1) == []
        assert here.queue.short
        assert await here.ids(1) == ["m19"]
        await claimed(link, "m19")
        assert await here.ids(1) == []
        assert not here.queue.short


async def test_a_mailbox_that_sent_live_mail_stands_behind(link: Any, hold_url: str) -> None:
    default = MailboxLimits(daily_min=5)
    async with queue_case(hold_url, tenant(mailbox_default=default)) as here:
        here.counts.all = {"a@acme.example": 3, "b@acme.example": 1}
        for number in range(3):
            for mailbox in "ab":
                await hold(
                    link, f"{mailbox}{number}", mailbox=f"{mailbox}@acme.example",
                    arrived=MIDNIGHT + number,
                )  # fmt: skip
        assert await here.ids(3) == ["b0", "b1", "a0"]
        here.counts.all = {"a@acme.example": 0, "b@acme.example": 9}
        here.now += DAY_MS
        assert await here.ids() == ["a1", "a2", "b2"]


async def test_a_snapshot_of_before_does_not_make_it_read_what_is_gone(
    link: Any, hold_url: str
) -> None:
    """The dead at the head of an index are the trap: a read begins behind them."""
    await link.execute("SELECT hold_partition($1)", DAY)
    await hold_many(link, 0, 4000)
    watcher = await asyncpg.connect(hold_url)
    await watcher.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await watcher.fetchval("SELECT count(*) FROM held")
    async with queue_case(hold_url) as here:
        for _ in range(2):
            gone = await here.ids()
            assert len(gone) == 1000
            await link.execute(
                "UPDATE held SET state = 'done', until = 0, reason = '', detail = '', "
                "ending = 'relayed' WHERE id = ANY($1::text[])",
                gone,
            )
        head = (DAY, MIDNIGHT - 1, "")
        assert await _pages(link, head) > 50, "the dead at the head are kept: that is the trap"
        (line,) = here.queue.tenants["acme"].groups["acme", "gmail"].campaigns.values()
        assert await _pages(link, line.after) < 15
    await watcher.close()


async def _pages(link: Any, after: tuple[int, int, str]) -> int:
    """That are touched by who reads ten rows of the line behind this place."""
    plan = await link.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_ROWS}",
        ["acme"], ["news@acme.example"], ["gmail"], [True], *([part] for part in after), [10],
    )  # fmt: skip
    return int(json.loads(plan)[0]["Plan"]["Shared Hit Blocks"])
