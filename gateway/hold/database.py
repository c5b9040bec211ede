"""Connections of one gateway process to PostgreSQL.

Owns: opening them, refusing a server that may forget a commit, telling a definite failure from
an unknown one, lending connections. Rules: a gateway starts and relays without PostgreSQL; only
holding needs it. A standby takes no mail: a connection to one is refused, an answer that says "not
me" ends every connection, and so does another server behind the name, looked for over connections
made for that (a primary that was cut off takes the commits of those who stay with it, and they are
lost with it).
Failure: `AwayError` when nothing was sent, `UnknownError` when a commit may have happened.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec

from gateway.hold.primary import CONNECT, LOST, STANDBY, WRITABLE, Whereabouts, server_of
from gateway.watch.log import Log
from settings.statements import statements

Connection = Any
"""asyncpg's connection; asyncpg ships no types."""

PARTITION = statements("gateway.hold", "database")["partition"]
"""Makes the part of the hold for a day of keeping, where it is not there."""

_AT_HAND = 1.0
"""Seconds after which what lies at hand goes back to the pool, which closes what nobody uses."""
# 08: connection exceptions; 57P: the server shuts down, crashed, or starts; 25P03, 25P04: it ended
# a transaction that waited for us, or lasted, too long, and the session with it.
_LOST_CLASSES = ("08", "57P", "25P03", "25P04")
_READ_ONLY = "25006"


class AwayError(Exception):
    """PostgreSQL cannot be used now; nothing was sent to it."""


class StandbyError(AwayError):
    """The server takes no writes; nothing was changed on it."""


class UnknownError(Exception):
    """The connection was lost, or silent, while a statement was under way."""


class RefusedError(Exception):
    """PostgreSQL answered with an error: the statement changed nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.code = str(getattr(error, "sqlstate", "") or "")

    @property
    def passes(self) -> bool:
        """It may be taken later: conflicts, no resources, locks, an operator, a standby."""
        return self.code[:2] in ("25", "40", "53", "55", "57", "58")


async def _as_it_is(connection: Connection) -> None:
    """Our statements leave nothing behind in a session; asyncpg's reset would cost a round trip
    for every commit."""
    del connection


class Database:
    """A bounded pool that connects when it is needed.

    A connection whose work ended well stays at hand for the next who asks, unless somebody waits
    for the pool: lending one through the pool costs 60 microseconds (two tasks, a timer), half as
    much as executing a commit."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        timeout: float,
        log: Log,
        bounds: Mapping[str, str] | None = None,
        whole: str = "0",
        whereabouts: Whereabouts | None = None,
    ) -> None:
        """`timeout` in seconds for one statement, unless a caller has less time; `bounds` are what
        PostgreSQL itself keeps (`settings.model.Database.bounds`, `whole`); `whereabouts`: shared
        with the other pools of the process."""
        self._url = url
        self._connections = connections
        self._timeout = timeout
        self._session = {"application_name": "sendgate gateway", **(bounds or {})}
        self._whole = whole
        self._log = log
        self._pool: Any = None
        self._at_hand: list[Connection] = []
        self._tidying: asyncio.TimerHandle | None = None
        self._returning: set[asyncio.Task[None]] = set()
        self._whereabouts = whereabouts or Whereabouts()
        self._moves = 0
        """Of the whereabouts, those that this pool has followed."""
        self._epoch = 0
        """Connections lent in an earlier one are closed when they come back."""
        self._waiting = 0
        """Those who wait for the pool: while there are any, nothing stays at hand."""
        self.refused = ""
        """Why this server must not be used; empty: no reason is known."""

    async def open(self) -> None:
        """Make the pool; connects to nobody yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._connections,
            command_timeout=self._timeout,
            timeout=CONNECT,
            max_inactive_connection_lifetime=60.0,
            init=self._prepare,
            reset=_as_it_is,
            server_settings=self._session,
            **WRITABLE,
        )

    async def _prepare(self, connection: Connection) -> None:
        server = await server_of(connection, self._whole)
        await self._compare(server.process)
        why = server.problem
        if why and why != self.refused:
            self._log.error("database_refused", why=why)
        self.refused = why
        if why:
            raise asyncpg.InterfaceError(why)
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )

    async def watch(self, every: float) -> None:
        """Side task: look whether the name still leads to the server that connections lead to."""
        while True:
            await asyncio.sleep(every)
            if self._whereabouts.process:
                await self.look()

    async def look(self) -> None:
        """Over a new connection. No answer says nothing about the connections there are."""
        try:
            async with self.fresh(CONNECT):
                pass
        except StandbyError as error:
            await self._leave(str(error))
        except (AwayError, UnknownError) as error:
            self._log.debug("database_unseen", why=str(error))

    async def _compare(self, process: str) -> None:
        before = self._whereabouts.process
        if self._whereabouts.seen(process):
            await self._leave(f"another server answers: {process}, after {before}")

    async def _leave(self, why: str) -> None:
        """What leads to the server of before ends: at once what lies idle, the rest when it comes
        back."""
        self._log.warning("database_left", why=why)
        self._epoch += 1
        self._moves = self._whereabouts.moves
        await self._pool.expire_connections()
        await self._return()

    @asynccontextmanager
    async def connection(self, patience: float = CONNECT) -> AsyncIterator[Connection]:
        """One connection, waited for at most `patience` seconds. Raises AwayError before, and
        UnknownError or RefusedError for what happens inside; UnknownError too when another server
        was found behind the name meanwhile: what this one committed may be lost with it."""
        where = self._whereabouts
        if self._moves != where.moves:
            await self._leave("another pool of this process found another server")
        connection = self._lend() or await self._acquire(patience)
        epoch, moves = self._epoch, where.moves
        stayed = well = False
        try:
            yield connection
            # Others' sessions may end on the same server: that takes nothing from this commit.
            stayed = moves == where.moves
            well = stayed and epoch == self._epoch
        except asyncpg.PostgresError as error:
            code = str(error.sqlstate or "")
            if code.startswith(_LOST_CLASSES) or code == _READ_ONLY:
                _cut(connection)
                await self._leave(str(error))
                if code == _READ_ONLY:
                    raise StandbyError(str(error)) from error
                raise UnknownError(str(error)) from error
            if connection.is_in_transaction():
                _cut(connection)
            raise RefusedError(error) from error
        except LOST as error:
            if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
                # A value that cannot be encoded: found out before anything was sent.
                raise RefusedError(error) from error
            # What it is doing nobody knows: never hand it to the next.
            _cut(connection)
            raise UnknownError(f"{type(error).__name__}: {error}") from error
        finally:
            if well and not self._waiting and _fit(connection):
                self._keep_at_hand(connection)
            else:
                await self._release(connection)
        if not stayed:
            raise UnknownError("the server was left while it worked")

    def _lend(self) -> Connection | None:
        """One that lies at hand and is alive. The dead have left the pool by themselves."""
        while self._at_hand:
            connection = self._at_hand.pop()
            if _fit(connection):
                return connection
        return None

    async def _acquire(self, patience: float) -> Connection:
        assert self._pool is not None
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=patience)
        except asyncpg.TargetServerAttributeNotMatched as error:
            raise StandbyError(STANDBY) from error
        except (asyncpg.PostgresError, *LOST) as error:
            raise AwayError(f"{type(error).__name__}: {error}") from error
        finally:
            self._waiting -= 1

    def _keep_at_hand(self, connection: Connection) -> None:
        self._at_hand.append(connection)
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(_AT_HAND, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        task = asyncio.get_running_loop().create_task(self._return())
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _return(self) -> None:
        """Give the pool what lies at hand."""
        while self._at_hand:
            await self._release(self._at_hand.pop())

    async def _release(self, connection: Connection) -> None:
        try:
            await self._pool.release(connection, timeout=1.0)
        except (asyncpg.PostgresError, *LOST) as error:
            # The pool has cut it off already, and its wrapper takes no more orders: to say it
            # again raised, and ended a process whose database had only paused.
            self._log.warning("database_lost", why=f"{type(error).__name__}: {error}")

    @asynccontextmanager
    async def fresh(self, patience: float) -> AsyncIterator[Connection]:
        """A connection of its own, past the pool: the pool's may all hang. Where it leads to
        another server than those, they end: what is settled here must not be undone there."""
        try:
            connection = await asyncpg.connect(
                self._url, timeout=patience, command_timeout=patience,
                server_settings=self._session, **WRITABLE,
            )  # fmt: skip
        except asyncpg.TargetServerAttributeNotMatched as error:
            raise StandbyError(STANDBY) from error
        except (asyncpg.PostgresError, *LOST) as error:
            raise AwayError(f"{type(error).__name__}: {error}") from error
        try:
            await self._compare((await server_of(connection, self._whole)).process)
            yield connection
        except (asyncpg.PostgresError, *LOST) as error:
            raise UnknownError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Give up what hangs after a second."""
        if self._pool is None:
            return
        if self._tidying is not None:
            self._tidying.cancel()
        self._waiting += 1  # what is lent now goes back, too
        try:
            async with asyncio.timeout(1.0):
                await asyncio.gather(self._return(), *self._returning)
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


def _fit(connection: Connection) -> bool:
    """Whether the next may have it as it is."""
    try:
        return not connection.is_closed() and not connection.is_in_transaction()
    except asyncpg.InterfaceError:
        return False  # it was lost, and its wrapper takes no orders any more


def _cut(connection: Connection) -> None:
    """End a pooled connection at once. One that was lost has left the pool by itself, and its
    wrapper takes no orders any more."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
