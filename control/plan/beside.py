"""What PowerMTA's configuration says besides a generation: who signs, lines of the operator's."""

import msgspec

from control.plan.rows import selectors
from control.plan.touched import Touched
from control.pmta.own import texts
from control.store.database import Connection


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Of all tenants."""

    selectors: dict[tuple[str, str], str] = {}
    """(Tenant, domain) to the selector of its DKIM key."""
    own: dict[str, str] = {}
    """VirtualMTA or pool to lines of the operator's in its block."""


async def beside(connection: Connection) -> Beside:
    """As the rows are."""
    return Beside(selectors=await selectors(connection), own=await texts(connection))


async def beside_of(connection: Connection, known: Beside | None, found: Touched) -> Beside:
    """What is `known` with what was touched since read again."""
    if known is None:
        return await beside(connection)
    signing, own = known.selectors, known.own
    if found.domains:
        kept = {key: name for key, name in signing.items() if key[0] not in found.domains}
        signing = kept | await selectors(connection, found.domains)
    if found.vmtas or found.pools:
        own = await texts(connection)
    return Beside(selectors=signing, own=own)
