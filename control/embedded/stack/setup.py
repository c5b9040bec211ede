"""What a stack puts into an empty control plane: its token, its PowerMTA server."""

from pathlib import Path

from control.parts import Parts
from control.plan.rows import servers
from control.pmta import server
from control.pmta.server import ServerAddress, ServerAddresses
from control.store.change import Act
from control.store.files import write_private
from control.users.token import PREFIX, new_token, put
from policy.model import Address

SERVER = "pmta1"
WHO = "sendgate up"


async def prepare(core: Parts, token_file: Path, pmta: Address) -> str:
    """Make the admin token and the PowerMTA server; change only what differs. Returns the token."""
    token = _token(token_file)
    known = await core.gate.tokens.name_of(token) == "admin"
    found = await servers(core.pool, [SERVER])
    there = [s.addresses for s in found] == [[{"host": pmta.host, "port": pmta.port}]]

    async def act(a: Act) -> None:
        if not known:
            await put(a, "admin", token)
        if not there:
            address = ServerAddress(host=pmta.host, port=pmta.port)
            await server.put(a, ServerAddresses(name=SERVER, addresses=(address,)))

    if not (known and there):
        await core.publisher.change(WHO, act)
    await core.publisher.reconcile(WHO)
    return token


def _token(file: Path) -> str:
    try:
        found = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        found = ""
    if not found.startswith(PREFIX):
        found = new_token()
        write_private(file, found + "\n")
    return found
