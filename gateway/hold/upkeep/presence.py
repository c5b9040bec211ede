"""That this process is alive, and that others are not.

Rules: a process beats in PostgreSQL before it claims anything; what a process had claimed that was
not heard of for a lease is in doubt, never held again (policy/README.md: hold). After trouble with
PostgreSQL nobody is declared gone for one lease: the others could not beat either.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.watch.log import Log
from policy.ledger_port import Change, EntryState
from settings.statements import statements

_SQL = statements("gateway.hold.upkeep", "upkeep")
_BEAT = _SQL["beat"]
_LEAVE = _SQL["leave_claimants"]
_GONE = _SQL["gone"]
_UNDIVIDED = _SQL["undivided"]

_BEATS = 6
"""Beats in one lease."""


class Presence:
    """One process among the claimants."""

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        lease: float,
        attempt: float,
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`lease` in real seconds; `attempt`: most seconds from the commit of a divided message to
        the end of its attempt; `now` in ledger milliseconds."""
        self._database = database
        self.name = name
        self._lease = lease
        self._attempt = round(attempt * 1000)
        self._change = change
        self._now = now
        self._log = log
        self._good_since: float | None = None

    async def run(self) -> None:
        """Side task; runs until cancelled."""
        while True:
            heard = await self.beat()
            await asyncio.sleep(self._lease / _BEATS if heard else 1.0)

    async def beat(self) -> bool:
        """Say that we live; False when PostgreSQL did not take it."""
        loop = asyncio.get_running_loop()
        try:
            async with self._database.connection() as link:
                await link.execute(_BEAT, self.name, timeout=self._lease / _BEATS)
        except (AwayError, UnknownError, RefusedError) as error:
            self._log.debug("beat_failed", why=str(error))
            self._good_since = None
            return False
        if self._good_since is None:
            self._good_since = loop.time()
        return True

    async def bury(self) -> None:
        """Claims of processes that are gone become doubt, and what they were dividing.

        Raises AwayError, UnknownError, RefusedError."""
        loop = asyncio.get_running_loop()
        if self._good_since is None or loop.time() - self._good_since < self._lease:
            return
        async with self._database.connection() as link:
            self._tell(await link.fetch(_GONE, self._now(), self._lease))
            self._tell(await link.fetch(_UNDIVIDED, self._now(), self._attempt))

    def _tell(self, rows: Sequence[Any]) -> None:
        """Each is committed by itself, and told as soon as it is: another look finds none of it."""
        for row in rows:
            if row["key"]:
                self._change(Change(row["key"], row["id"], row["attempt"], EntryState.DOUBT))
        if rows:
            self._log.warning("claims_of_the_gone", count=len(rows), first=rows[0]["id"])

    async def leave(self) -> None:
        """We end, and hold no claim."""
        try:
            async with self._database.connection() as link:
                await link.execute(_LEAVE, self.name)
        except (AwayError, UnknownError, RefusedError) as error:
            self._log.debug("leave_failed", why=str(error))
