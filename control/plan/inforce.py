"""The generation in force: who runs it, and publishing it again."""

import msgspec

from control.plan.publish import Publisher
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin
from policy.plan import Generation


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """The generation in force and who runs it."""

    number: int
    created: float
    tenants: int
    pools: int
    vmtas: int
    ledger: int
    """Number the ledger has; another one is published again by itself."""
    workers: dict[str, int]
    """Live gateway workers and the generation each runs."""


class Nothing(msgspec.Struct, frozen=True):
    """No view: the change concerns the whole plan."""


async def in_force(publisher: Publisher, connection: Connection = None) -> Generation:
    """The last one. `connection`: of who has one already. Raises RefusedError (404) before the
    first."""
    generation = await publisher.current(connection)
    if generation is None:
        raise RefusedError("nothing has been published yet", status=404)
    return generation


async def generation_view(publisher: Publisher, admin: LedgerAdmin) -> GenerationView:
    """The last one beside what the ledger and the gateways run. Raises RefusedError (404)."""
    found = stored_view(await in_force(publisher))
    ledger, workers = await admin.number(), await admin.workers()
    return msgspec.structs.replace(found, ledger=ledger, workers=workers)


def stored_view(generation: Generation) -> GenerationView:
    """Without what is measured."""
    return GenerationView(
        number=generation.number,
        created=generation.created,
        tenants=len(generation.tenants),
        pools=len(generation.pools),
        vmtas=len(generation.vmtas),
        ledger=0,
        workers={},
    )


async def again(act: Act) -> Nothing:
    """Publish what the rows say."""
    await act.audit("generation.publish", "generation")
    return Nothing()
