"""Reading what PostgreSQL knows of a loss: feeds, probes, and since when a server matters."""

from collections.abc import Callable

from control.ledger.closed import servers_of
from control.ledger.loss import Probe, Stream, Weighed, weigh
from control.ledger.status import LedgerRow
from control.store.database import Connection, fetch
from policy.limits import DAY, day_of
from policy.plan import Generation
from settings.statements import statements

_SQL = statements(__package__, "ledger")


async def weighed(
    connection: Connection,
    row: LedgerRow,
    plan: Generation,
    *,
    grants_left: float,
    age: Callable[[str], float],
) -> Weighed:
    """For every server of `servers_of`; `grants_left` and `age` as in `weigh`."""
    streams = {s.server: s for s in await fetch(connection, Stream, _SQL["streams"])}
    ids = [i for probes in row.asked.values() for i in probes]
    probes = {p.id: p for p in await fetch(connection, Probe, _SQL["probes"], ids)}
    day = day_of(row.lost_at)
    servers = await servers_of(connection, plan, day)
    # No probe reaches a server that is in no plan: nothing proves that its records are all read.
    for gone in set(servers) - plan.server.keys():
        streams.pop(gone, None)
    began = dict.fromkeys(servers, day * DAY)
    for first in await connection.fetch(_SQL["first_vmtas"]):
        created = int(first["created"].timestamp() * 1000)
        began[first["server"]] = max(began.get(first["server"], 0), created)
    return weigh(servers, streams, row.asked, probes, began=began, grants_left=grants_left, age=age)
