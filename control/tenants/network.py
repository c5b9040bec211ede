"""Source networks that name a tenant without a login."""

from typing import Annotated

import msgspec

from control.keyset import Column, Keyset
from control.plan.changed import Removed
from control.problem import in_the_way, missing, taken
from control.store.change import Act
from control.store.database import Connection
from control.store.refusal import unless_taken
from control.values.network import NetworkText, source_network, warning
from control.values.part import Part, Slice
from control.values.wanted import meant
from settings.statements import statements

_SQL = statements(__package__, "network")
LIST = Keyset(
    _SQL["part"], {"network": (Column(name="network", sql="n.network", kind="cidr"),)}, given=1
)


class NewNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more source network of a tenant."""

    network: Annotated[NetworkText, meant("CIDR, such as 10.0.0.0/8.")]


async def networks(connection: Connection, tenant: str) -> list[str]:
    """Those of one tenant."""
    return [row["network"] for row in await connection.fetch(_SQL["all"], tenant)]


async def network_part(connection: Connection, tenant: str, part: Part) -> Slice[str]:
    """Those of one tenant, by address. Raises RefusedError."""
    rows, after = await LIST.rows(connection, part, tenant)
    return Slice([row["network"] for row in rows], after)


async def add(act: Act, tenant: str, new: NewNetwork) -> list[str]:
    """Returns all of the tenant's. Raises RefusedError."""
    await _tenant(act, tenant)
    found = source_network(new.network, "network")
    before = await networks(act.connection, tenant)
    if found in before:
        act.no_change(f"network {found} names tenant {tenant} already")
        return before
    with unless_taken(taken("network", f"{found} names another tenant already")):
        await act.connection.execute(_SQL["add"], found, tenant)
    if (text := warning(found, tenant)) is not None:
        act.note(text)
    await act.audit("network.add", tenant, None, {"network": found})
    return await networks(act.connection, tenant)


async def remove(
    act: Act, tenant: str, network: str, *, force: bool = False, reason: str = ""
) -> Removed:
    """Mail from there needs a login from now on. Raises RefusedError.

    `force`: the tenant's client may be turned away, and takes that for the recipient's fault."""
    await _tenant(act, tenant)
    wanted = source_network(network, "network")
    before = await networks(act.connection, tenant)
    if wanted not in before:
        raise missing("network", f"{wanted} of tenant {tenant}")
    if not force and not await act.connection.fetchval(_SQL["other_way"], tenant, wanted):
        found = (
            f"tenant {tenant} has no login and no other network: its mail would be turned away, "
            "which MailWizz takes for final; add another first, or use --force"
        )
        raise in_the_way(f"network {wanted}", [found])
    await act.connection.execute(_SQL["remove"], wanted, tenant)
    await act.audit("network.remove", tenant, {"network": wanted}, {"force": force}, reason)
    return Removed(noun="network", name=wanted)


async def _tenant(act: Act, name: str) -> None:
    if await act.connection.fetchval(_SQL["tenant"], name) is None:
        raise missing("tenant", name)
