"""PowerMTA servers and their addresses."""

from typing import Annotated

import msgspec

from control.store.change import Act
from policy.model import Address, Name
from settings.statements import statements

_SQL = statements(__package__, "server")


class ServerAddresses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and where it takes mail, best first."""

    name: Name
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]


async def put(act: Act, server: ServerAddresses) -> str:
    """Add the server or replace its addresses."""
    await act.connection.execute(_SQL["add"], server.name, act.now)
    await act.connection.execute(_SQL["drop_addresses"], server.name)
    for position, address in enumerate(server.addresses):
        await act.connection.execute(
            _SQL["add_address"], server.name, position, address.host, address.port
        )
    after = {"addresses": [str(a) for a in server.addresses]}
    await act.audit("server.put", server.name, None, after)
    return server.name
