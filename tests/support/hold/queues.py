"""A queue on a hold of a test's own, that looks whenever it is asked."""

import contextlib
import os
from collections.abc import AsyncIterator, Sequence

from gateway.hold.database import Database
from gateway.hold.release.queue import Queue
from gateway.watch.log import Log
from policy.fairness import Pick
from policy.model import Tenant
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.hold.held import MIDNIGHT


class Counts:
    """The ledger's, of mailboxes that sent something."""

    def __init__(self) -> None:
        self.all: dict[str, int] = {}
        self.asked: list[str] = []

    async def today(
        self, tenant: Tenant, mailboxes: Sequence[str], now: int
    ) -> list[tuple[int, int, int]] | None:
        del now
        least = tenant.mailbox_default.daily_min or 0
        self.asked += mailboxes
        return [(least, least, self.all.get(mailbox, 0)) for mailbox in mailboxes]


class QueueCase:
    """A queue that looks whenever it is asked, on a day of the test's own."""

    def __init__(self, database: Database, tenants: tuple[Tenant, ...]) -> None:
        self.database = database
        self.now = MIDNIGHT
        self.counts = Counts()
        plan = generation(vmta(1), tenants=tenants)
        self.queue = Queue(
            database, self.counts, generation=lambda: plan, now=lambda: self.now, round_size=1000,
            look=86_400,
        )  # fmt: skip

    async def look(self) -> None:
        self.queue._asked = self.queue._counted = float("-inf")
        await self.queue.look()

    async def picks(self, most: int = 1000) -> list[Pick]:
        await self.look()
        return await self.queue.next(self.queue.groups(), most)

    async def ids(self, most: int = 1000) -> list[str]:
        return [pick.row[2] for pick in await self.picks(most)]


@contextlib.asynccontextmanager
async def queue_case(url: str, *tenants: Tenant) -> AsyncIterator[QueueCase]:
    log = os.memfd_create("log")
    database = Database(url, connections=2, timeout=5.0, log=Log(descriptor=log))
    await database.open()
    try:
        yield QueueCase(database, tenants or (tenant(),))
    finally:
        await database.close()
        os.close(log)
