"""PowerMTA servers and their addresses."""

from typing import Annotated, Any

import msgspec

from control.problem import bad, counted, in_the_way, missing, quoted
from control.store.change import Act
from control.store.database import Connection
from control.store.reference import key
from control.values.host import HostText, reachable_host
from control.values.name import new_name
from policy.model import Address, Name
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "server")


class ServerAddress(Address, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `host:port`."""

    host: HostText


class ServerAddresses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and where it takes mail, best first."""

    name: Name
    addresses: Annotated[tuple[ServerAddress, ...], msgspec.Meta(min_length=1)]


async def put(act: Act, server: ServerAddresses) -> str:
    """Add the server or replace its addresses; returns its name. Raises RefusedError."""
    name = await key(act.connection, "server", server.name)
    if name is None:
        new_name("name", server.name)
        name = server.name
    for number, address in enumerate(server.addresses):
        reachable_host(f"addresses[{number}].host", address.host)
    if len({str(address) for address in server.addresses}) < len(server.addresses):
        raise bad("addresses", "one of them is there twice")
    before = await act.connection.fetchval(_SQL["addresses"], name)
    await act.connection.execute(_SQL["add"], name, act.now)
    await act.connection.execute(_SQL["drop_addresses"], name)
    for position, address in enumerate(server.addresses):
        await act.connection.execute(
            _SQL["add_address"], name, position, address.host, address.port
        )
    after = {"addresses": [str(a) for a in server.addresses]}
    await act.audit("server.put", name, {"addresses": before} if before else None, after)
    return name


async def names(connection: Connection) -> list[str]:
    """All, in order."""
    return [row["name"] for row in await connection.fetch(_SQL["names"])]


async def remove(act: Act, name: str, reason: str = "") -> str:
    """Take a server away. Raises RefusedError while IPs are on it, or mail is in doubt there: what
    became of it is in its accounting."""
    if await act.connection.fetchval(_SQL["one"], name) is None:
        raise missing("PowerMTA server", name)
    found = []
    if ips := [row["ip"] for row in await act.connection.fetch(_SQL["ips"], name)]:
        found.append(f"{counted(ips, 'IP')} on it: remove them first (`sendgate ip remove`)")
    if waiting := await act.connection.fetchval(_SQL["open"], name):
        found.append(
            f"{count(waiting, 'message')} {agree(waiting, 'is', 'are')} in doubt or being "
            f"sent there: wait, or `sendgate hold settle`"
        )
    if found:
        raise in_the_way(f"PowerMTA server {name}", found)
    await act.connection.execute(_SQL["remove"], name)
    await act.audit("server.remove", name, reason=reason)
    return name


async def shown(act: Act, server: ServerAddresses) -> ServerAddresses:
    """Add the server or replace its addresses, and what it is then."""
    return msgspec.structs.replace(server, name=await put(act, server))


async def was_there(pool: Any, name: str) -> None:
    """Raises RefusedError for a server that there is not and was not: of one that was removed
    records still come."""
    if not await pool.fetchval(_SQL["was_there"], name):
        found = ", ".join(await names(pool)) or "none"
        raise bad("server", f"there is no PowerMTA server {quoted(name)}; there are: {found}")
