"""Whether a recipient is suppressed, asked of memory: no file and no database on the message path.

Owns: what this process has mapped, and a side task that maps it again when the node's file changed.
Not here: writing the file (`gateway.hold.upkeep.suppressed`).
Rules: what was known once stays known, whatever happens to the file or to PostgreSQL; before
anything was known nobody can say, and then no recipient is taken and none is released.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from gateway.suppressions.columns import Columns, ends, halves, reason
from gateway.suppressions.file import HEAD, LOOKED, FileError, Loaded, load
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.suppression import EVERYBODY, Digests, Known, spelt

_KNOWN: Final = metrics.gauge(
    "sendgate_suppressions_known",
    "1 while it is known who is suppressed, of the worst worker; 0: all recipients are deferred.",
    workers="livemin",
)
_ENTRIES: Final = metrics.gauge(
    "sendgate_suppressions_entries",
    "Suppressed addresses that workers know of, those that ended a while ago among them.",
    workers="mostrecent",
)
_AGE: Final = metrics.gauge(
    "sendgate_suppressions_age_seconds",
    "Seconds since this node last asked PostgreSQL for changed suppressions; -1 before the first.",
    workers="mostrecent",
)
_BROKEN: Final = metrics.counter(
    "sendgate_suppressions_unreadable_total",
    "Files of suppressions that a worker could not use; it goes on with what it knew.",
)


class Mapped:
    """One state of the files."""

    def __init__(self, loaded: Loaded) -> None:
        self.count = loaded.base.total + loaded.changes.total
        self._digests = Digests(loaded.header.key)
        self._base: Columns = loaded.base
        self._changes: Columns = loaded.changes

    def look(self, tenant: str, name: bytes, now: int) -> Known:
        """`name` in its one spelling; `now` in calendar milliseconds."""
        for scope in (tenant, EVERYBODY):
            front, back = halves(self._digests.of(scope, name))
            marked = self._changes.find(front, back)
            if marked < 0:
                marked = self._base.find(front, back)
            if marked >= 0 and ends(marked) > now:
                return reason(marked)
        return ""


class Suppressions:
    """Of one process; follows the files of its node."""

    def __init__(self, folder: Path, *, every: float, log: Log) -> None:
        """`every`: seconds between two looks at the file."""
        self._folder = folder
        self._every = every
        self._log = log
        self._mapped: Mapped | None = None
        self._seen: tuple[int, int, int] | None = None
        self._unusable: tuple[int, int, int] | None = None
        self.first = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Something is known."""
        return self._mapped is not None

    @property
    def broken(self) -> bool:
        """The file that is there cannot be used."""
        return self._unusable is not None

    def known(self, tenant: str, recipient: bytes, domain: str, now: int) -> Known:
        """`recipient` as it came, `domain` in lower case and A-labels, `now` in calendar
        milliseconds."""
        mapped = self._mapped
        if mapped is None:
            return "unknown"
        if not mapped.count:
            return ""
        return mapped.look(tenant, spelt(recipient.rpartition(b"@")[0], domain), now)

    async def run(self) -> None:
        """Side task, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every if self._mapped is not None else 0.05)

    async def look(self) -> None:
        """Map the file if it is another one than before."""
        try:
            found = (self._folder / HEAD).stat()
        except OSError:
            found = None
        seen = None if found is None else (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen is None or seen == self._seen:
            return
        try:
            loaded = await asyncio.to_thread(load, self._folder)
        except FileError as error:
            self._unreadable(seen, str(error))
            return
        self._seen, self._unusable = seen, None
        self._mapped = Mapped(loaded)
        if not self.first.is_set():
            self._log.info("suppressions", entries=self._mapped.count, change=loaded.header.change)
            self.first.set()

    def _unreadable(self, seen: tuple[int, int, int], why: str) -> None:
        """Said once for each file; it is looked at again, for its base may have been renewed."""
        if seen == self._unusable:
            return
        self._unusable = seen
        _BROKEN.inc()
        kept = "what was known stays" if self._mapped else "nothing is known, mail is deferred"
        self._log.error("suppressions_unreadable", why=why, kept=kept)

    def gauge(self) -> None:
        """Show what is known."""
        _KNOWN.set(1 if self._mapped is not None else 0)
        _ENTRIES.set(self._mapped.count if self._mapped is not None else 0)
        try:
            _AGE.set(max(time.time() - (self._folder / LOOKED).stat().st_mtime, 0.0))
        except OSError:
            _AGE.set(-1)


class Nobody:
    """Where suppressions are not enforced (`suppressions.enforced`)."""

    ready = True

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.first.set()

    def gauge(self) -> None:
        """Nothing is asked, and so nothing is unknown: an alert on 0 is for those who ask."""
        _KNOWN.set(1)

    def known(self, tenant: str, recipient: bytes, domain: str, now: int) -> Known:
        del tenant, recipient, domain, now
        return ""
