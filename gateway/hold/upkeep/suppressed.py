"""Writes the node's file of suppressions from what PostgreSQL has.

Owns: following the numbered changes of `suppression`, the files of `gateway.suppressions.file`.
Rules: one process of a node writes, whichever got the lock first; another takes over when it ends.
What changed is written beside the base; the base is made anew when that has grown, from time to
time from the whole list, and at once where the list is another one (a restored database, a removed
tenant) than the file was made from.
Failure: without PostgreSQL the file stays as it is.
"""

import asyncio
import fcntl
import os
from array import array
from pathlib import Path
from typing import Any

from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.suppressions.columns import (
    FOREVER,
    NOTHING,
    Columns,
    columns,
    halves,
    mark,
    merged,
)
from gateway.suppressions.file import LOOKED, FileError, Header, load, save_base, save_head
from gateway.suppressions.known import Suppressions
from gateway.watch.log import Log
from settings.statements import statements
from settings.suppressions import Suppressions as Settings

_SQL = statements("gateway.hold.upkeep", "suppressed")
_LOCK = "suppressions.lock"
_PART = 5_000
"""Rows of one answer: 5 ms of the loop."""
_GROWTH = 20
"""A base is made anew when so many-th of it changed: else a long list would be written again and
again while a long one is imported."""
_PATIENCE = 10.0


class Writer:
    """Of one process."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        settings: Settings,
        *,
        reader: Suppressions,
        waits: float,
        log: Log,
    ) -> None:
        """`reader` is told of each file; `waits`: seconds for which others may lock first."""
        self._database = database
        self._folder = folder
        self._settings = settings
        self._reader = reader
        self._waits = waits
        self._log = log
        self._lock = -1
        self._key = b""
        self._lineage = ""
        self._change = 0
        self._base: Columns = NOTHING
        self._name = ""
        self._changes: dict[tuple[int, int], int] = {}
        self._read_whole = 0.0
        self._away = False

    async def run(self) -> None:
        """Side task, until cancelled."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._waits)
        while not self._locked():
            await asyncio.sleep(1.0)
        await self._database.open()
        await self._take_up()
        while True:
            try:
                if not self._read_whole or loop.time() - self._read_whole > self._settings.whole:
                    await self._whole()
                else:
                    await self._follow()
                self._looked()
                self._away = False
            except (AwayError, UnknownError, RefusedError, OSError) as error:
                if not self._away:
                    self._log.warning("suppressions_not_followed", why=str(error))
                self._away = True
            await asyncio.sleep(self._settings.poll)

    async def close(self) -> None:
        """Behind the side task: let another process write."""
        self._release()
        await self._database.close()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _locked(self) -> bool:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            return False
        except OSError as error:
            self._release()
            if not self._away:
                self._log.error("suppressions_not_written", why=str(error))
            self._away = True
            return False
        return True

    async def _take_up(self) -> None:
        """Where the writer before left off."""
        try:
            found = await asyncio.to_thread(load, self._folder)
        except FileError as error:
            self._log.info("suppressions_from_the_start", why=str(error))
            return
        header = found.header
        self._key, self._lineage = header.key, header.lineage
        self._change, self._base, self._name = header.change, found.base, header.base
        self._changes = {(f, b): m for f, b, m in zip(*found.changes, strict=True)}

    async def _follow(self) -> None:
        """What changed since the last time."""
        async with self._database.connection() as link:
            state = await link.fetchrow(_SQL["state"], timeout=_PATIENCE)
            same = state["key"] == self._key and state["lineage"] == self._lineage
            if same and state["change"] >= self._change:
                await self._read_changes(link, state["change"])
                return
        await self._whole()

    async def _read_changes(self, link: Any, until: int) -> None:
        fresh = False
        while self._change < until:
            rows = await link.fetch(
                _SQL["changes"], self._change, _PART, FOREVER, timeout=_PATIENCE
            )
            for row in rows:
                self._changes[halves(row["digest"])] = mark(row["reason"], row["ends"])
            # Numbers of what said nothing new are nobody's.
            self._change = (
                rows[-1]["change"]
                if len(rows) == _PART
                else max(until, rows[-1]["change"] if rows else until)
            )
            fresh = True
            if len(self._changes) > self._most:
                await self._save()
                fresh = False
        if fresh or self._reader.broken:
            await self._save()

    async def _whole(self) -> None:
        """The list from its beginning; what changes meanwhile has a later number than is noted."""
        made = array("Q"), array("Q"), array("Q")
        async with self._database.connection() as link:
            state = await link.fetchrow(_SQL["state"], timeout=_PATIENCE)
            last = b""
            while True:
                rows = await link.fetch(_SQL["whole"], last, _PART, FOREVER, timeout=_PATIENCE)
                for row in rows:
                    front, back = halves(row["digest"])
                    made[0].append(front)
                    made[1].append(back)
                    made[2].append(mark(row["reason"], row["ends"]))
                if len(rows) < _PART:
                    break
                last = rows[-1]["digest"]
        self._key, self._lineage = state["key"], state["lineage"]
        self._change, self._base, self._changes = state["change"], Columns(*made), {}
        self._name = ""
        await self._save()
        self._read_whole = asyncio.get_running_loop().time()

    @property
    def _most(self) -> int:
        return max(self._settings.changes, self._base.total // _GROWTH)

    async def _save(self) -> None:
        changed = columns((f, b, m) for (f, b), m in sorted(self._changes.items()))
        if not self._name or changed.total > self._most or self._reader.broken:
            base = await asyncio.to_thread(merged, self._base, changed)
            name = await asyncio.to_thread(save_base, self._folder, self._change, base)
            self._base, self._name, self._changes, changed = base, name, {}, NOTHING
        header = Header(
            count=changed.total,
            change=self._change,
            key=self._key,
            lineage=self._lineage,
            base=self._name,
        )
        await asyncio.to_thread(save_head, self._folder, header, changed)
        await self._reader.look()

    def _looked(self) -> None:
        path = self._folder / LOOKED
        path.touch(mode=0o600)
