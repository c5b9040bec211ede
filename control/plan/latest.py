"""The last generation in memory, for what would otherwise read and decode it each time.

Rule: PostgreSQL says which one is the last; another control node's is noticed by its digest, and
decoded once.
"""

import hashlib
import logging
from importlib.resources import files

import msgspec

from control.plan.beside import Beside
from control.plan.stored import Last, put_together
from control.store.database import Connection
from policy.plan import BadGenerationError, Generation
from policy.unpacking import Unpacking
from settings.model import Settings
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "generation")


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """A generation in memory."""

    last: Last
    generation: Generation
    beside: Beside | None = None
    """None: not read yet."""
    text: str | None = None
    """PowerMTA's configuration for it by our settings; None: not made here yet."""


async def last_of(connection: Connection) -> Last | None:
    """What PostgreSQL has; None before the first."""
    record = await connection.fetchrow(_SQL["last"])
    return None if record is None else Last(**dict(record))


async def newest_generation(connection: Connection) -> Generation | None:
    """The last generation, decoded; None before the first. Raises BadGenerationError."""
    encoded = await connection.fetchval(_SQL["newest"])
    return None if encoded is None else await put_together(connection, encoded)


class Memory:
    """One generation."""

    def __init__(self) -> None:
        self._latest: Latest | None = None
        self._unpacking = Unpacking()

    async def latest(self, connection: Connection, last: Last) -> Latest:
        """The generation of `last`. Raises BadGenerationError for one of another version."""
        if self._latest is None or self._latest.last != last:
            encoded = await connection.fetchval(_SQL["encoded"], last.number, last.digest)
            generation = await put_together(connection, encoded, self._unpacking)
            self._latest = Latest(last=last, generation=generation)
        return self._latest

    async def readable(self, connection: Connection, last: Last) -> bool:
        """Whether `latest` raises nothing. An older or newer version's may not be."""
        try:
            await self.latest(connection, last)
        except BadGenerationError as error:
            log.error(
                "generation %d cannot be read; what all rows make is published: %s",
                *(last.number, error),
            )
            return False
        return True

    def beside(self, last: Last) -> Beside | None:
        """Of the generation of `last`; None: not in memory."""
        of_last = self._latest is not None and self._latest.last == last
        return self._latest.beside if self._latest is not None and of_last else None

    def put(self, latest: Latest) -> None:
        """One that was committed."""
        self._latest = latest


_MAKERS = {
    "policy": ("model.py", "plan.py", "warmup/plan.py"),
    "control.plan": ("compile.py", "hours.py", "mailbox.py", "rows.py", "rows.sql"),
}
"""What makes a generation of rows: another version of it may make another one."""


def basis_of(settings: Settings) -> str:
    """A digest of all that a generation is made of besides rows and time."""
    found = hashlib.sha256()
    parts = (settings.warmup, settings.hold, settings.ledger.name)
    found.update(msgspec.msgpack.encode(parts, order="deterministic"))
    for package, names in _MAKERS.items():
        for name in names:
            found.update((files(package) / name).read_bytes())
    return found.hexdigest()
