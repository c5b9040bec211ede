"""PowerMTA servers and their addresses."""

from typing import Annotated

import msgspec

from control.store.change import Act
from control.store.reference import key, new_name
from policy.model import Address, Name
from settings.statements import statements

_SQL = statements(__package__, "server")


class ServerAddresses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and where it takes mail, best first."""

    name: Name
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]


async def put(act: Act, server: ServerAddresses) -> str:
    """Add the server or replace its addresses; returns its name. Raises RefusedError."""
    name = await key(act.connection, "server", server.name)
    if name is None:
        new_name("name", server.name)
        name = server.name
    await act.connection.execute(_SQL["add"], name, act.now)
    await act.connection.execute(_SQL["drop_addresses"], name)
    for position, address in enumerate(server.addresses):
        await act.connection.execute(
            _SQL["add_address"], name, position, address.host, address.port
        )
    after = {"addresses": [str(a) for a in server.addresses]}
    await act.audit("server.put", name, None, after)
    return name
