"""PowerMTA servers and their addresses."""

from control.act import Act
from control.store.statements import statements
from control.view.server import ServerAddresses

_SQL = statements("server")


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
