"""What PowerMTA has of the plan: handed over before a change is published, with all that it had,
taken back with one that was not, and without what went when no gateway names it any more.

Everything here is called under the publish lock, so that no two texts overtake one another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from control.pmta.generator.virtualmta import key_file
from control.pmta.handover import Former, Handover
from control.pmta.staged import staged_text
from control.problem import RefusedError, counted
from control.store.database import Connection
from settings.statements import statements

log = logging.getLogger(__name__)

_ROWS = statements(__package__, "rows")

Selectors = Mapping[tuple[str, str], str]
"""(Tenant, domain) to the selector of its DKIM key."""


class PowerMta:
    """One control process's side of it. `late`: the gateways that do not run a generation yet."""

    def __init__(self, handover: Handover, late: Callable[[int], Awaitable[list[str]]]) -> None:
        self._handover = handover
        self._late = late
        self._gone: set[str] = set()
        self.behind = False
        """It may have another configuration, or other key files, than the last generation's."""

    async def put(self, text: str, keys: Mapping[str, bytes]) -> Former | None:
        """As `Handover.put`, ahead of the plan. Raises RefusedError."""
        self._gone -= keys.keys()
        had = await self._handover.text()
        adds = text if had is None else await asyncio.to_thread(staged_text, text, had)
        former = await self._handover.put(adds, keys)
        if adds != text:
            self.behind = True
        return former

    async def take_back(self, former: Former) -> None:
        """It gets what it had before a change that was refused."""
        try:
            await self._handover.take_back(former)
        except (RefusedError, OSError) as error:
            self.behind = True
            log.warning("PowerMTA has what a refused change would have brought: %s", error)

    def lose(self, before: set[str], after: set[str]) -> str:
        """Key files that went go with the next `follow`; what is left to do by hand, or ''. A file
        two tenants share stays with the other one's key."""
        gone = before - after
        if not gone:
            return ""
        if self._handover.has_keys:
            self._gone |= gone
            self.behind = True
            return ""
        return f"delete {counted(sorted(gone), 'DKIM key file')} where PowerMTA has its keys"

    async def follow(self, number: int, text: str) -> str:
        """Hand it generation `number`'s configuration when all gateways run that; '' or what keeps
        it waiting."""
        if late := await self._late(number):
            return f"PowerMTA keeps what went until {counted(late, 'gateway worker')} let go of it"
        try:
            await self._handover.put(text)
            await self._handover.forget_keys(self._gone)
        except RefusedError as error:
            return f"PowerMTA keeps what went until it takes its configuration: {error}"
        self._gone.clear()
        self.behind = False
        return ""


async def key_names(connection: Connection, signing: Selectors) -> set[str]:
    """Key files: of the keys that sign, and of those that are about to or were until lately."""
    names = {key_file(domain, selector) for (_, domain), selector in signing.items()}
    others = await connection.fetch(_ROWS["other_keys"])
    return names | {key_file(row["domain"], row["selector"]) for row in others}
