"""/api/v2/status and /audit: one look, and who looked."""

from typing import Protocol

from control.api.listing import Listing
from control.api.route import Call, Route
from control.explain.look import Look
from control.explain.status import Status
from control.users.audit import AuditPage, AuditQuery

_LISTING = Listing(
    key=("id",), sorts=("-id",), rows="entries", own={"-id": "before"}, told={"-id": "before"}
)


class Audit(Protocol):
    """What was done."""

    async def __call__(self, wanted: AuditQuery, *, own: bool) -> AuditPage:
        """`own`: the tenant that is named asks itself. Raises RefusedError."""


class LookApi:
    """How everything stands, and what was done."""

    def __init__(self, look: Look, audit: Audit) -> None:
        self._look = look
        self._entries = audit

    async def _status(self, _: Call) -> Status:
        return await self._look()

    async def _audit(self, call: Call) -> AuditPage:
        return await self._entries(call.wanted, own=call.asker.tenants is not None)

    def routes(self) -> list[Route]:
        """All of them."""
        path, wrong = "/api/v2/status", "What is wrong, then how everything stands"
        return [
            Route("GET", path, wrong, self._status, Status),
            *(
                Route(
                    "GET",
                    f"/api/{version}/audit",
                    "Who changed what, when, from where and why, newest first",
                    self._audit,
                    AuditPage,
                    wanted=AuditQuery,
                    listing=_LISTING if version == "v2" else None,
                )
                for version in ("v1", "v2")
            ),
        ]
