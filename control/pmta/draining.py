"""Whether PowerMTA still has mail queued for VirtualMTAs that do not send, as agents count it.

Rule: a queue is empty when it was counted as empty for a while, in every count: what a gateway
handed over last may be on its way. What nobody counted is not known to be empty.
"""

from typing import Any

import msgspec

from control.pmta.offer import Applied
from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "draining")

MOST = 10_000
"""VirtualMTAs of one server that are counted."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Of one VirtualMTA whose server has an agent."""

    vmta: str
    heard: int
    """When that agent was heard of last, milliseconds of the machine's clock."""
    queued: int | None
    """Recipients; None: they were not counted."""
    since: int | None
    """Since when there are none, the same clock; None: there are, or nobody knows."""

    def is_of_now(self, now: int, silent: float) -> bool:
        """Whether its agent was heard of within `silent` seconds: one that says nothing says
        nothing of now."""
        return now - self.heard <= silent * 1000

    def empty_for(self, now: int, silent: float) -> float | None:
        """Seconds for which nothing was queued; None: it is not known. As `is_of_now`."""
        if self.since is None or self.queued != 0 or not self.is_of_now(now, silent):
            return None
        return (now - self.since) / 1000


async def idle(pool: Any, server: str) -> list[str]:
    """VirtualMTAs of a server whose queues are to be counted."""
    return [row["name"] for row in await pool.fetch(_SQL["idle"], server, MOST)]


async def keep(pool: Any, said: Applied, now: int) -> None:
    """What an agent counted. `now`: milliseconds of the machine's clock."""
    empty = [name for name, queued in said.queued.items() if queued == 0]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["full"], said.server, empty)
        await connection.execute(_SQL["empty"], said.server, empty, now)


async def counts(connection: Connection, vmtas: list[str]) -> dict[str, Counted]:
    """Of those whose server has an agent, by name."""
    return {
        row["name"]: Counted(
            vmta=row["name"], heard=row["heard"], queued=row["queued"], since=row["since"]
        )
        for row in await connection.fetch(_SQL["counted"], vmtas)
    }
