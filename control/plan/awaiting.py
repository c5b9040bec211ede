"""Waits until servers run what they were offered."""

import asyncio
from collections.abc import Callable
from typing import Any

from control import kinds
from control.plan.offered import Offered, arrived, removed
from control.pmta.offering import LOOK_EVERY, Bell
from control.pmta.standing import standings
from control.problem import RefusedError
from control.store.database import Connection
from settings.control import Control
from settings.statements import statements

_GENERATION = statements(__package__, "generation")


class Waiting:
    """Of one control process. `clock`: real seconds of the machine."""

    def __init__(
        self, pool: Any, settings: Control, bell: Bell, clock: Callable[[], float]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._bell = bell
        self._clock = clock

    async def until(self, offered: list[Offered], open_: Connection = None) -> None:
        """Until all run what they were offered. `open_`: whose transaction PostgreSQL is not to end
        meanwhile (database.idle_transaction), and which reads what others commit. Raises
        RefusedError, naming the server, the step and what PowerMTA said."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.pmta_apply_wait
        waiting = {one.server: one for one in offered}
        while waiting:
            found = await standings(open_ or self._pool, list(waiting))
            if gone := waiting.keys() - {one.server for one in found}:
                raise removed(min(gone))
            for standing in found:
                if arrived(standing, waiting[standing.server]):
                    del waiting[standing.server]
            left = until - loop.time()
            if waiting and left <= 0:
                raise self._too_long(list(waiting.values()))
            if waiting:
                await self._bell.wait(min(left, LOOK_EVERY))
                if open_ is not None:
                    await open_.execute(_GENERATION["alive"])

    async def heard(self, connection: Connection, what: dict[str, str]) -> None:
        """`what`: each server lacks. Raises RefusedError where nobody would bring it into force: at
        once, because a wait would only hold up everybody else's change."""
        now, bound = round(self._clock() * 1000), self._settings.pmta_agent_silent
        for one in await standings(connection, list(what)) if what else ():
            if age := one.silent(now, bound):
                raise RefusedError(
                    f"the agent of {one.server} was not heard of for {age:.0f} s, and PowerMTA "
                    f"must know {what[one.server]} first: nothing was changed; look at it with "
                    "`systemctl status sendgate-agent` there, and try again",
                    kind=kinds.PMTA_SILENT,
                    alone="PowerMTA cannot be told now: nothing was changed; try again later",
                )

    def _too_long(self, waiting: list[Offered]) -> RefusedError:
        named = ", ".join(f"{one.server} (version {one.version})" for one in waiting)
        return RefusedError(
            f"PowerMTA was not heard to run its new configuration within "
            f"{self._settings.pmta_apply_wait:g} s (control.pmta_apply_wait) on {named}: nothing "
            "was changed, the version before is offered again; look at the agent's log there",
            kind=kinds.PMTA_SILENT,
            alone="PowerMTA did not take the new configuration in time: nothing was changed",
        )
