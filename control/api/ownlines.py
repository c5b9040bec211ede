"""/api/v2/powermta/own: lines of the operator's own in the blocks of VirtualMTAs and pools."""

from functools import partial
from typing import Any

from control.api.listing import Listing
from control.api.route import DRY, Call, Route, Thing, changed
from control.plan.changed import Changed
from control.plan.publish import Publisher
from control.plan.view import Reader
from control.pmta.own import NewOwnLines, OwnLines, every, one, put


class OwnLinesApi:
    """Of every tenant: a line of PowerMTA's may reach beyond its block. `rollups`: whether domains
    are rolled up by their providers."""

    def __init__(self, pool: Any, publisher: Publisher, *, rollups: bool) -> None:
        self._pool = pool
        self._publisher = publisher
        self._put_lines = partial(put, rollups=rollups)

    async def _list(self, _: Call) -> list[OwnLines]:
        return await every(self._pool)

    async def _one(self, call: Call) -> OwnLines:
        return await self._read(call, self._pool)

    async def _read(self, call: Call, connection: Reader) -> OwnLines:
        return await one(connection, call.path["name"])

    async def _put(self, call: Call) -> Changed[OwnLines]:
        name = call.path["name"]
        return await changed(
            self._publisher, call, lambda act: self._put_lines(act, name, call.body)
        )

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/powermta/own"
        what = "Lines of your own in the block of one VirtualMTA or pool"
        return [
            Route(
                "GET",
                path,
                "Blocks that have lines of your own",
                self._list,
                list[OwnLines],
                listing=Listing(key=("name",), sorts=("name", "-name")),
            ),
            Route("GET", f"{path}/{{name}}", what, self._one, OwnLines, thing=Thing(self._read)),
            Route(
                "PUT",
                f"{path}/{{name}}",
                "Put lines of your own in the block of a VirtualMTA or pool, or none",
                self._put,
                Changed[OwnLines],
                body=NewOwnLines,
                query=DRY,
            ),
        ]
