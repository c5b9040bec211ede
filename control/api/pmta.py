"""PowerMTA: its servers and who leaves them alone, its configuration, its keys."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from control.api.listing import Listing
from control.api.route import DRY, GONE, Call, Route, Thing, changed
from control.plan.changed import Changed, Removed, removed
from control.plan.publish import Publisher
from control.plan.rows import ServerRow, servers
from control.plan.view import Reader
from control.pmta.circuit import CircuitsView, circuits_view
from control.pmta.key import KeyFile
from control.pmta.releasing import release
from control.pmta.server import ServerAddresses, remove, shown
from control.pmta.told import ToldView
from control.problem import RefusedError, missing
from policy.ledger.admin import LedgerAdmin

Servers = Callable[[list[str] | None], Awaitable[list[ServerRow]]]
"""PowerMTA servers of these names, or (None) all."""

Reports = Callable[[], Awaitable[list[ToldView]]]
"""What PowerMTA servers said of themselves."""


_NAMED = Listing(key=("name",), sorts=("name", "-name"))
_CIRCUITS = Listing(
    key=("process", "kind", "name"), sorts=("process", "-process", "name", "-name"), rows="circuits"
)


class PmtaApi:
    """`keys`: the folder of the key files as PowerMTA sees it; empty where it does not sign.
    `silent`: seconds (control.pmta_agent_silent); `clock`: real seconds of the machine."""

    def __init__(
        self,
        publisher: Publisher,
        servers: Servers,
        admin: LedgerAdmin,
        reports: Reports,
        *,
        keys: str,
        silent: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._publisher = publisher
        self._of_servers = servers
        self._admin = admin
        self._reports = reports
        self._keys = keys
        self._silent = silent
        self._clock = clock

    async def _servers(self, _: Call) -> list[ServerRow]:
        return await self._of_servers(None)

    async def _put_server(self, call: Call) -> Changed[ServerAddresses]:
        return await changed(self._publisher, call, lambda act: shown(act, call.body))

    async def _server(self, call: Call) -> ServerRow:
        name = call.path["server"]
        for found in await self._of_servers([name]):
            return found
        raise missing("PowerMTA server", name)

    async def _read(self, call: Call, connection: Reader) -> ServerRow:
        name = call.path["server"]
        for found in await servers(connection, [name]):
            return found
        raise missing("PowerMTA server", name)

    async def _remove_server(self, call: Call) -> Changed[Removed]:
        name, reason = call.path["server"], call.reason
        return await changed(
            self._publisher, call, lambda act: removed("server", remove(act, name, reason))
        )

    async def _release(self, call: Call) -> Changed[Removed]:
        name, reason = call.path["server"], call.reason
        gone = partial(release, now=round(self._clock() * 1000), silent=self._silent)
        return await changed(
            self._publisher, call, lambda act: removed("agent of", gone(act, name, reason))
        )

    async def _circuits(self, _: Call) -> CircuitsView:
        return circuits_view(await self._admin.circuits())

    async def _told(self, _: Call) -> list[ToldView]:
        return await self._reports()

    async def _key_files(self, _: Call) -> list[KeyFile]:
        if not self._keys:
            raise RefusedError(
                "control.pmta_keys is not set: PowerMTA signs nothing; set it to the folder of the "
                "key files as PowerMTA sees it"
            )
        found = await self._publisher.key_files()
        return [KeyFile(name=name, pem=pem.decode("ascii")) for name, pem in found.items()]

    def routes(self) -> list[Route]:
        """All of them."""
        path, files = "/api/v2/servers", "/api/v2/powermta"
        rests, keys = "Who leaves which server alone", "Its DKIM key files (private)"
        return [
            Route("GET", path, "PowerMTA servers", self._servers, list[ServerRow], listing=_NAMED),
            Route(
                "POST",
                path,
                "Add a PowerMTA server or replace its addresses",
                self._put_server,
                Changed[ServerAddresses],
                body=ServerAddresses,
                query=DRY,
            ),
            Route(
                "GET",
                f"{path}/{{server}}",
                "One PowerMTA server",
                self._server,
                ServerRow,
                thing=Thing(self._read),
            ),
            Route(
                "DELETE",
                f"{path}/{{server}}",
                "Remove a PowerMTA server that no IP is on",
                self._remove_server,
                Changed[Removed],
                query=GONE,
            ),
            Route(
                "DELETE",
                f"{path}/{{server}}/agent",
                "Wait no more for the agent that kept PowerMTA's configuration there",
                self._release,
                Changed[Removed],
                query=GONE,
            ),
            Route(
                "GET",
                f"{files}/status",
                "What PowerMTA servers say of themselves, as their agents tell",
                self._told,
                list[ToldView],
                listing=Listing(
                    key=("server", "agent"), sorts=("server", "-server", "age", "-age")
                ),
            ),
            Route(
                "GET", "/api/v2/circuits", rests, self._circuits, CircuitsView, listing=_CIRCUITS
            ),
            Route(
                "GET",
                f"{files}/keys",
                keys,
                self._key_files,
                list[KeyFile],
                listing=_NAMED,
                secret=True,
            ),
        ]
