"""All readers of this node and the forgetting of old receipts: tasks of the control process."""

import logging
from collections.abc import Coroutine
from typing import Any

from control.accounting import forgetting, store
from control.accounting.door import Door, sweep
from control.accounting.forgetwork import ForgetWork
from control.accounting.inbox import Inbox
from control.accounting.lacking import lacking
from control.accounting.reader import Now, Reader
from control.again import again
from policy.limits import day_of
from settings.accounting import Accounting
from settings.model import Database

log = logging.getLogger(__name__)

FORGET_EVERY = 600.0
"""Seconds between two deletions of what is more than may be kept."""


class Feed:
    """Reads every configured stream. `pool`: the control process's."""

    def __init__(
        self,
        database: Database,
        pool: Any,
        settings: Accounting,
        now: Now,
        door: Door,
        inbox: Inbox,
    ) -> None:
        self._readers = [
            Reader(database.url, stream, settings, now, door, database.bounds(), database.whole)
            for stream in settings.streams
        ]
        self._pool = pool
        self._settings = settings
        self._inbox = inbox
        self._door = door
        self._work = ForgetWork(pool, settings, now)
        self._now = now

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each in a task of its own until it is cancelled. A group would cancel
        its tasks once, and once may be swallowed."""
        several = [reader.run() for reader in self._readers]
        forget = again(self._forget, FORGET_EVERY, log, "cannot delete old receipts")
        return [*several, self._inbox.run(), self._work.run(), forget]

    async def tidy(self, now: int) -> None:
        """Delete what is older than it is kept: receipts (`accounting.kept`), records as they came
        (`accounting.records_kept`). Calendar milliseconds. Raises asyncpg's errors."""
        settings = self._settings
        await store.forget(self._pool, day_of(now - round(settings.kept * 1000)))
        await sweep(self._pool, now, settings.records_kept, settings.set_aside_most)
        await forgetting.sweep(self._pool, now - round(settings.records_kept * 1000))
        self._door.forget()

    async def _forget(self) -> None:
        """What is bounded by number, and not by age alone, grows faster than by days."""
        await self.tidy(await self._now())
        for one in await lacking(self._pool, await self._now()):
            log.warning("%s", one.what)
