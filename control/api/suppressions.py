"""/api/v2/suppressions: recipients that get no mail any more, of one tenant or of all."""

from typing import Literal, get_args

from control.api.route import DRY, GONE, Call, Route
from control.problem import bad
from control.suppressions.entry import AT_ONCE, ImportedRows, NewSuppression
from control.suppressions.suppressions import (
    Imported,
    Suppressed,
    SuppressionPage,
    Suppressions,
    Wanted,
)
from control.tenants.view import Known
from policy.suppression import EVERYBODY, REASONS

PATH = "/api/v2/suppressions"
_ORIGINS = get_args(Literal["rule", "hand", "import", "api"])
_LAST = 1 << 62


class SuppressionsApi:
    """Decodes, calls, encodes."""

    def __init__(self, suppressions: Suppressions, known: Known) -> None:
        self._suppressions = suppressions
        self._known = known

    async def _add(self, call: Call) -> Suppressed:
        wanted: NewSuppression = call.body
        await self._known(wanted.tenant)
        by = _one_of(call, "by", _ORIGINS) or "api"
        if by not in ("api", "hand"):
            raise bad("by", f"{by}: who adds one says api or hand")
        return await self._suppressions.add(call.who, wanted, by=by, dry=call.dry)  # type: ignore[arg-type]

    async def _remove(self, call: Call) -> Suppressed:
        tenant, text = call.query.get("tenant"), call.query.get("address")
        if text is None:
            raise bad("address", "is missing")
        await self._known(tenant)
        return await self._suppressions.remove(
            call.who, tenant or EVERYBODY, text, reason=call.reason, dry=call.dry
        )

    async def _page(self, call: Call) -> SuppressionPage:
        query = call.query
        tenant = query.get("tenant")
        await self._known(tenant)
        if tenant is None and query.get("everybody", "") in ("1", "true", "yes"):
            tenant = EVERYBODY
        number = {
            name: call.number(name, 0, _LAST) if name in query else None
            for name in ("before", "after")
        }
        return await self._suppressions.page(
            Wanted(
                tenant=tenant,
                address=query.get("address"),
                reason=_one_of(call, "reason", REASONS),
                origin=_one_of(call, "origin", _ORIGINS),
                ended=query.get("ended", "") in ("1", "true", "yes"),
                before=number["before"],
                after=number["after"],
                limit=max(1, call.number("limit", 100, AT_ONCE)),
            )
        )

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
                query={
                    "tenant": "only this tenant's",
                    "everybody": "1: only those that concern all tenants",
                    "address": "only this address",
                    "reason": f"one of {', '.join(REASONS)}",
                    "origin": f"one of {', '.join(_ORIGINS)}",
                    "ended": "1: those that ended or were removed, too",
                    "before": "the `before` of the part before",
                    "after": "0, then the `after` of the part before: the oldest change first, so "
                    "that none is missed while others are made",
                    "limit": f"at most so many, 1 to {AT_ONCE}; 100",
                },
            ),
            Route(
                "POST",
                PATH,
                "Let an address get no mail any more",
                self._add,
                Suppressed,
                body=NewSuppression,
                query={**DRY, "by": "hand: by a person; api otherwise"},
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


def _one_of(call: Call, name: str, known: tuple[str, ...]) -> str | None:
    given = call.query.get(name)
    if given is not None and given not in known:
        raise bad(name, f"{given!r} is none of {', '.join(known)}")
    return given
