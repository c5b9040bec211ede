"""The names of pools and VirtualMTAs, which are one name space: PowerMTA has one for both, and does
not tell capitals. A tenant comes with a pool, so they are its; `control.sources` fills pools."""

from control.problem import RefusedError
from control.store.change import Act
from control.store.refusal import unless_taken
from policy.plan import SYSTEM_VIRTUAL_MTA
from settings.statements import statements

_SQL = statements(__package__, "poolname")


async def holder_of(act: Act, name: str) -> str | None:
    """Which pool or VirtualMTA has this name already, in whatever case."""
    if name.lower() == SYSTEM_VIRTUAL_MTA:
        return "Sendgate's own VirtualMTA"
    found = await act.connection.fetchval(_SQL["holder"], name)
    return None if found is None else str(found)


async def add_pool(act: Act, name: str, tenant: str, *, taken: RefusedError) -> None:
    """An empty pool. Raises `taken` where the name is another's."""
    with unless_taken(taken):
        await act.connection.execute(_SQL["add"], name, tenant, act.now)
