"""A tenant's removal, in two steps: first its ways in go, then the tenant.

Why: a gateway that still runs the plan of before takes mail of it, and holds it, after any look at
what waits. So a plan without its logins and networks comes first; it is waited for until every
gateway process runs it and what was under way by the former one has its answer; what waits is
looked at again; and only then the tenant goes, in one transaction.
Rule: nothing stays half done. What is in the way of the second step puts the first back; a removal
that nobody finishes (its control process was killed) is put back by `give_up` after a time. Until
then the tenant is shown as leaving: `tenant remove` goes on, `tenant resume` calls it off.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from control.plan.changed import Charged, Removed, Seen, sure
from control.plan.done import Done
from control.plan.publish import Publisher
from control.problem import RefusedError, counted, in_the_way
from control.store.change import Act
from control.tenants.removal import in_its_way, remove_tenant
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "removal")

Workers = Callable[[], Awaitable[dict[str, int]]]
"""Live gateway processes and the generation that each runs."""


class Leaving:
    """Removes tenants. `answered`: seconds from the end of a message to its answer, at most."""

    def __init__(
        self,
        pool: Any,
        publisher: Publisher,
        charged: Charged,
        workers: Workers,
        *,
        answered: float,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._charged = charged
        self._workers = workers
        self._answered = answered

    async def remove(
        self,
        who: str,
        name: str,
        seen: Seen | None = None,
        *,
        force: bool,
        reason: str,
        dry: bool,
    ) -> Done[Removed]:
        """Raises RefusedError with all that is in the way; the tenant is as it was then. `seen`: it
        is to be as who asks saw it, until the end."""

        async def go(act: Act) -> Removed:
            return await remove_tenant(act, name, self._charged, force=force, reason=reason)

        if dry:
            return await self._publisher.change(who, sure(go, seen), dry=True)

        async def leave(act: Act) -> tuple[datetime, Seen | None]:
            await in_its_way(act, name, self._charged, force=force)
            await act.connection.execute(_SQL["leave"], name, act.now)
            await act.audit("tenant.leave", name, None, {"force": force}, reason)
            # That it is leaving is no change of somebody else's.
            return act.now, None if seen is None else await seen.go_on(act.connection)

        left = await self._publisher.change(who, sure(leave, seen))
        (since, still), removed = left.result, False

        async def finish(act: Act) -> Removed:
            if await act.connection.fetchval(_SQL["leaving"], name) != since:
                raise RefusedError(
                    f"tenant {name} stays, or somebody else removes it: its removal was called "
                    "off, or begun again, meanwhile"
                )
            return await go(act)

        try:
            if left.late:
                late = counted(left.late, "gateway worker")
                found = f"{late} may still take mail of it: look at them, or try again"
                raise in_the_way(f"tenant {name}", [found])
            if await self._workers():
                # What is under way has been taken by the plan of before, and may be held by it.
                await asyncio.sleep(self._answered)
            done = await self._publisher.change(who, sure(finish, still))
            removed = True
        finally:
            if not removed:
                await self._put_back(who, name, since)
        return done

    async def give_up(self, after: float) -> None:
        """Put back what nobody finished within `after` seconds. Raises RefusedError."""
        before = await self._publisher.now() - timedelta(seconds=after)
        for row in await self._pool.fetch(_SQL["left_before"], before):
            await self._stay("control", row["name"], row["leaving"])

    async def _put_back(self, who: str, name: str, since: datetime) -> None:
        """What was in the way is what is to be told, not that this did not work, too."""
        try:
            await self._stay(who, name, since)
        except RefusedError as error:
            log.warning("tenant %s is leaving until its removal is given up: %s", name, error)

    async def _stay(self, who: str, name: str, since: datetime) -> None:
        async def stay(act: Act) -> None:
            if await act.connection.fetchval(_SQL["stay"], name, since) is None:
                act.no_change(f"tenant {name} is not leaving any more")
            else:
                await act.audit("tenant.stay", name, reason="its removal was not finished")

        await self._publisher.change(who, stay)
