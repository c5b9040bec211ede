"""What was written since the last generation, as triggers noted it (`plan_touched` of the schema).

Rule: a change takes what it compiles, in the transaction that stores the generation. So what is
noted is always the difference between the rows and the last generation, whoever wrote it.
"""

from collections.abc import Iterable

import msgspec

from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "touched")

MOST = 2_000
"""Names beyond which everything is read: that is no slower then."""


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Names whose rows are to be read again; one whose row is gone is gone from the plan."""

    everything: bool = False
    servers: set[str] = set()
    tenants: set[str] = set()
    pools: set[str] = set()
    vmtas: set[str] = set()
    domains: set[str] = set()
    """Tenants whose domains were."""
    mailboxes: dict[str, set[str]] = {}
    """Tenant to addresses."""


EVERYTHING = Touched(everything=True)


async def take(connection: Connection) -> Touched:
    """What was touched; it is noted no more, if the transaction commits."""
    return touched(await connection.fetch(_SQL["take"], MOST + 1))


async def look(connection: Connection) -> Touched:
    """What was touched; it stays noted."""
    return touched(await connection.fetch(_SQL["look"], MOST + 1))


def touched(notes: Iterable[tuple[str, str, str]]) -> Touched:
    """Of (kind, name, part). Raises KeyError for a kind that nobody knows."""
    found: dict[str, set[str]] = {k: set() for k in ("all", *_KINDS)}
    mailboxes: dict[str, set[str]] = {}
    count = 0
    for kind, name, part in notes:
        count += 1
        found[kind].add(name)
        if kind == "mailbox":
            mailboxes.setdefault(name, set()).add(part)
    return Touched(
        everything=bool(found["all"]) or count > MOST,
        servers=found["server"],
        tenants=found["tenant"],
        pools=found["pool"],
        vmtas=found["vmta"],
        domains=found["domain"],
        mailboxes=mailboxes,
    )


_KINDS = ("server", "tenant", "pool", "vmta", "domain", "mailbox")
