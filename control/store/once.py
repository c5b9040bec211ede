"""A request that may come twice is done once: its answer is kept with what it changed.

Rule: whoever makes the change calls `settle` in its transaction, so that the answer is committed
with it or not at all. A claim that was lost, because whoever had it took too long, commits nothing.
Time is that of PostgreSQL: one clock for all control nodes, which nobody moves.
"""

import logging
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec

from control.problem import RefusedError
from control.store.database import Connection
from control.store.refusal import UNREACHABLE
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "once")


class Known(msgspec.Struct, frozen=True):
    """What is known of a key."""

    request: bytes
    status: int | None
    answer: bytes | None
    """None: it is not done yet; empty: it was too large to be kept."""
    left: float
    """Seconds until somebody else may do it."""


class Once:
    """One request with a key, while it is done. `encode`: its answer as it is kept."""

    def __init__(
        self, holder: str, key: bytes, status: int, encode: Callable[[Any], bytes]
    ) -> None:
        self._named = holder, key, secrets.token_bytes(16)
        self._status = status
        self._encode = encode
        self._shape: Callable[[Any], Any] | None = None
        self.settled = False

    async def known(self, pool: Any, kept: float) -> Known | None:
        """Of the last `kept` seconds."""
        row = await pool.fetchrow(_SQL["one"], *self._named[:2], kept)
        return None if row is None else Known(**row)

    async def claim(self, pool: Any, request: bytes, running: float, kept: float) -> bool:
        """Whether it is ours to do, for `running` seconds; `request` tells it from others."""
        return bool(
            await pool.fetchval(
                _SQL["claim"], *self._named[:2], request, self._named[2], running, kept
            )
        )

    async def kept(self, pool: Any, kept: float) -> tuple[int, float]:
        """(how many keys of its holder there are, seconds until the oldest is kept no more)."""
        row = await pool.fetchrow(_SQL["kept"], self._named[0], kept)
        return row["used"], row["frees"]

    def shaped(self, shape: Callable[[Any], Any]) -> None:
        """What makes an answer of that with which `settle` is called."""
        self._shape = shape

    async def settle(self, connection: Connection, found: Any) -> None:
        """In the transaction of the change. Raises RefusedError: it is to be rolled back."""
        answer = found if self._shape is None else self._shape(found)
        sealed = self._encode(answer)
        if not await connection.fetchval(_SQL["settle"], *self._named, self._status, sealed):
            raise RefusedError(
                "the request took longer than control.idempotency_running, and its Idempotency-Key "
                "was used again meanwhile: nothing was changed by this one"
            )
        self.settled = True

    async def finish(self, pool: Any, answer: Any) -> None:
        """It is answered so. Trouble is no refusal: the change is made, and what was committed with
        it says the same, but for what came behind."""
        try:
            await pool.execute(_SQL["finish"], *self._named, self._status, self._encode(answer))
        except UNREACHABLE as error:
            log.warning("an answer is kept as it was before its commit: %s", error)

    async def release(self, pool: Any) -> None:
        """It was refused."""
        try:
            await pool.execute(_SQL["release"], *self._named)
        except UNREACHABLE as error:
            log.warning("an Idempotency-Key stays in use for a while: %s", error)


_HERE: ContextVar[Once | None] = ContextVar("once", default=None)


def doing(once: Once | None) -> None:
    """What this task does from now on is that request; None: none that has a key."""
    _HERE.set(once)


def shaped(shape: Callable[[Any], Any]) -> None:
    """As `Once.shaped`, of the request that is done here, if it has a key."""
    if (once := _HERE.get()) is not None:
        once.shaped(shape)


async def settle(connection: Connection, found: Any) -> None:
    """Keep what the request that is done here is answered, if it has a key: in the transaction of
    its change, the first one of a request. Raises RefusedError: it is to be rolled back."""
    once = _HERE.get()
    if once is not None and not once.settled:
        await once.settle(connection, found)


async def sweep(pool: Any, kept: float) -> None:
    """Take away what is older than `kept` seconds."""
    await pool.execute(_SQL["sweep"], kept)
