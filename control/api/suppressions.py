"""/api/v2/suppressions: recipients that get no mail any more, of one tenant or of all."""

from typing import Annotated, Literal

import msgspec

from control.api.listing import Listing
from control.api.route import DRY, GONE, Call, Route, Thing
from control.plan.view import Reader
from control.problem import bad
from control.suppressions.entry import AT_ONCE, ImportedRows, NewSuppression
from control.suppressions.suppressions import (
    Imported,
    Suppressed,
    SuppressionPage,
    SuppressionQuery,
    Suppressions,
)
from control.tenants.view import Known
from control.values.wanted import meant
from policy.suppression import EVERYBODY

PATH = "/api/v2/suppressions"
_OTHER_WAY = {"-changed": "before", "changed": "after"}
AddedBy = Literal["api", "hand"]


class Adding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one is added."""

    by: Annotated[AddedBy, meant("hand: by a person; api otherwise.")] = "api"


class SuppressionsApi:
    """Decodes, calls, encodes."""

    def __init__(self, suppressions: Suppressions, known: Known) -> None:
        self._suppressions = suppressions
        self._known = known

    async def _add(self, call: Call) -> Suppressed:
        wanted: NewSuppression = call.body
        await self._known(wanted.tenant)
        by: AddedBy = call.wanted.by
        return await self._suppressions.add(call.who, wanted, by=by, dry=call.dry)

    async def _remove(self, call: Call) -> Suppressed:
        tenant, text = call.query.get("tenant"), call.query.get("address")
        if text is None:
            raise bad("address", "is missing")
        await self._known(tenant)
        return await self._suppressions.remove(
            *(call.who, tenant or EVERYBODY, text),
            reason=call.reason,
            dry=call.dry,
            still=call.still,
        )

    async def _page(self, call: Call) -> SuppressionPage:
        wanted: SuppressionQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._suppressions.page(wanted)

    async def _read(self, call: Call, connection: Reader) -> SuppressionPage:
        return await self._suppressions.page(call.wanted, connection)

    async def _import(self, call: Call) -> Imported:
        wanted: ImportedRows = call.body
        await self._known(wanted.tenant)
        tenant = wanted.tenant or EVERYBODY
        return await self._suppressions.take(call.who, tenant, wanted.rows, dry=call.dry)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "Recipients that get no mail any more, the latest change first",
                self._page,
                SuppressionPage,
                wanted=SuppressionQuery,
                thing=Thing(self._read, which=frozenset({"address"})),
                listing=Listing(
                    sorts=("-changed", "changed"),
                    rows="suppressions",
                    own=_OTHER_WAY,
                    told=_OTHER_WAY,
                    starts={"after": "0"},
                ),
            ),
            Route(
                "POST",
                PATH,
                "Let an address get no mail any more",
                self._add,
                Suppressed,
                body=NewSuppression,
                query=DRY,
                wanted=Adding,
            ),
            Route(
                "DELETE",
                PATH,
                "Let an address get mail again",
                self._remove,
                Suppressed,
                query={
                    **GONE,
                    "tenant": "whose; without it the one that concerns all tenants",
                    "address": "which",
                },
                needed=frozenset({"address"}),
            ),
            Route(
                "POST",
                f"{PATH}/import",
                f"A part of a list, at most {AT_ONCE} rows; sent again it changes nothing",
                self._import,
                Imported,
                body=ImportedRows,
                query=DRY,
            ),
        ]
