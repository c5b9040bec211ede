"""What mailboxes lack to their minimum: by the day, and the last word of it once."""

import os
from typing import Any

from gateway.hold.release.arrears import Arrears
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.limits import DAY as DAY_MS
from policy.model import MailboxLimits
from tests.support.gateway.generations import tenant
from tests.support.hold.held import DAY, MIDNIGHT, hold
from tests.support.hold.queues import queue_case

_ROWS = (
    "SELECT day, tenant, pool, mailboxes, behind, missing, most FROM hold_shortfall ORDER BY day"
)


async def _told(link: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await link.fetch(_ROWS)]


async def test_it_is_told_by_pool_until_the_day_is_over_and_then_logged_once(
    link: Any, hold_url: str
) -> None:
    for mailbox in "abc":
        await hold(link, mailbox, mailbox=f"{mailbox}@acme.example")
    log = os.memfd_create("log")
    async with queue_case(hold_url, tenant(mailbox_default=MailboxLimits(daily_min=5))) as here:
        here.counts.all = {"a@acme.example": 5, "b@acme.example": 3}
        arrears = Arrears(here.database, here.queue, lambda: here.now, Log(descriptor=log))
        await arrears.tell()
        assert await _told(link) == [], "it does not know every line yet"
        await here.look()
        await arrears.tell()
        assert await _told(link) == [(DAY, "acme", "acme", 3, 2, 7, 5)]
        shown = {
            name: metrics.REGISTRY.get_sample_value(
                name, {"tenant": "acme", "pid": str(os.getpid())}
            )
            or metrics.REGISTRY.get_sample_value(name, {"tenant": "acme"})
            for name in ("sendgate_minimum_behind_mailboxes", "sendgate_minimum_missing_recipients")
        }
        assert list(shown.values()) == [2, 7]
        here.now += DAY_MS
        await arrears.tell()
        assert len(await _told(link)) == 1, "its counts are of the day before"
        here.counts.all = {}
        await here.look()
        await arrears.tell()
        await arrears.tell()
        assert (DAY + 1, "acme", "acme", 3, 3, 15, 5) in await _told(link)
        assert len(await here.ids()) == 3
        await arrears.tell()
        assert (DAY + 1, "acme", "acme", 0, 0, 0, 0) in await _told(link)
        assert (DAY, "acme", "acme", 3, 2, 7, 5) in await _told(link)
    os.lseek(log, 0, os.SEEK_SET)
    lines = [line for line in os.read(log, 1 << 16).splitlines() if b"minimum_missed" in line]
    os.close(log)
    assert len(lines) == 1
    assert b'"missing":7' in lines[0]


async def test_a_day_that_ended_well_is_not_logged(link: Any, hold_url: str) -> None:
    await link.execute(
        "INSERT INTO hold_shortfall (day, tenant, pool, at, mailboxes, behind, missing, most)"
        " VALUES ($1, 'acme', 'acme', $2, 3, 0, 0, 0), ($1 - 41, 'acme', 'acme', 0, 1, 1, 1, 1)",
        *(DAY - 1, MIDNIGHT - 1),
    )
    log = os.memfd_create("log")
    async with queue_case(hold_url) as here:
        await here.look()
        await Arrears(here.database, here.queue, lambda: here.now, Log(descriptor=log)).tell()
    assert b"minimum_missed" not in os.pread(log, 1 << 16, 0)
    os.close(log)
    assert [row[0] for row in await _told(link)] == [DAY - 1], "and what is old is let go"
