"""Connections that know which server process they lead to, lent by the pool or held raw.

Rule: every new connection asks the server's run id and role before its first use, and a command can
name the process that may answer it. A process cannot change under a connection, so one look a
connection is enough (policy/README.md: ledger loss). A replica is nobody's ledger: what it shows is
a copy, and may be an old one.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ClusterDownError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as BrokenError

from policy.ledger.rawconnection import RawConnection

_RUN_ID = re.compile(rb"^run_id:([0-9a-f]+)\r?$", re.MULTILINE)
_REPLICA = re.compile(rb"^role:slave\r?$", re.MULTILINE)

_ELSEWHERE = ("READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "MOVED", "LOADING")
"""Errors by which a server says that it is not the one to ask, or may be cut off from those that
are. Not among them is MISCONF: the right server, and its disk is full."""


_TELLING = (ReadOnlyError, ClusterDownError, BusyLoadingError)
"""The same as redis-py's classes, which drop the first word."""


class ReplicaError(BrokenError):
    """The ledger's name leads to a replica."""


def elsewhere(error: Exception) -> bool:
    """Whether this reply means that another server may be the ledger's by now."""
    return isinstance(error, _TELLING) or str(error).startswith(_ELSEWHERE)


class _Introduced:
    """Mixed into redis-py's connections. `run` is '' where the user may not ask INFO."""

    run = ""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """uvloop raises RuntimeError for a transport that was reset a moment ago; redis-py takes
        that for a bug, and a cut connection once ended the whole process."""
        try:
            await cast(Any, super()).send_packed_command(command, check_health=check_health)
        except RuntimeError as error:
            raise BrokenError(str(error)) from error

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        this = cast(Any, self)
        self.run = ""
        await cast(Any, super()).on_connect_check_health(check_health=check_health)
        await this.send_command("INFO", "server", "replication", check_health=False)
        # A user without INFO can still be told so, by whoever needs the run id.
        with contextlib.suppress(ResponseError):
            info = await this.read_response(disable_decoding=True)
            if _REPLICA.search(info):
                raise ReplicaError(
                    "the ledger's server is a replica: its name must lead to a master"
                )
            found = _RUN_ID.search(info)
            self.run = found[1].decode() if found else ""


class _Tcp(_Introduced, Connection):
    pass


class _Tls(_Introduced, SSLConnection):
    pass


class _Unix(_Introduced, UnixDomainSocketConnection):
    pass


_KINDS: dict[Any, Any] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def introduce(client: Redis) -> Redis:
    """Make the client's connections ask for the run id; before its first command."""
    pool = cast(Any, client.connection_pool)
    pool.connection_class = _KINDS[pool.connection_class]
    return client


def connect(url: str, *, timeout: float = 2.0, connections: int = 16, repeats: int = 0) -> Redis:
    """A client that never repeats a command by itself, unless `repeats` says how often: only for
    commands whose repetition changes nothing. `timeout` in seconds for connecting and each
    reply. Every connection knows the run id of its server."""
    return introduce(
        Redis.from_url(
            url,
            retry=Retry(NoBackoff(), repeats),
            retry_on_timeout=False,
            retry_on_error=[],
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            max_connections=connections,
            health_check_interval=0,
        )
    )


async def hang_up(client: Redis, *, in_use: bool = True) -> None:
    """Close the client's connections: the next ones are made anew, to whom the name leads then."""
    await cast(Any, client.connection_pool).disconnect(inuse_connections=in_use)


@contextlib.asynccontextmanager
async def lent(client: Redis) -> AsyncIterator[Any]:
    """A connection of the client's pool, connected; `run` names the process behind it."""
    pool = cast(Any, client.connection_pool)
    connection = await pool.get_connection()
    try:
        yield connection
    finally:
        await pool.release(connection)


@contextlib.asynccontextmanager
async def tried(client: Redis) -> AsyncIterator[Any]:
    """As `lent`, and seen to work: one that died with its server is found out by using it."""
    async with lent(client) as connection:
        try:
            await ask(connection, "PING")
        except BrokenError:
            await connection.connect()
        yield connection


async def held(client: Redis, ready: Callable[[Any], Awaitable[None]]) -> RawConnection:
    """A connection of the client's pool, raw, until `put_back`. `ready` may ask on it
    before; what it raises is raised, and the connection stays in the pool."""
    async with contextlib.AsyncExitStack() as undo:
        pool = cast(Any, client.connection_pool)
        connection = await pool.get_connection()
        undo.push_async_callback(pool.release, connection)
        await ready(connection)
        try:
            raw = RawConnection(connection)
        except BrokenError:
            await connection.disconnect(nowait=True)
            raise
        undo.pop_all()
        return raw


async def put_back(client: Redis, raw: RawConnection) -> None:
    """The pool has the connection again; closed, if it has ended."""
    if not raw.give_back():
        await raw.connection.disconnect(nowait=True)
    await cast(Any, client.connection_pool).release(raw.connection)


async def ask(connection: Any, *command: str | bytes | int) -> Any:
    """The reply to one command, from the process the connection was lent with: never from
    another one that a new connection would lead to. Raises redis-py's errors."""
    # redis-py connects again inside `send_command`. Nothing is awaited between this look and its
    # own, so that cannot happen to a connection that is whole here.
    if not connection.is_connected:
        raise BrokenError("the connection to the ledger broke")
    await connection.send_command(*command)
    return await connection.read_response()


def fields(info: bytes) -> dict[str, str]:
    """The fields of an INFO reply."""
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
