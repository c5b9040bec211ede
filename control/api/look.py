"""/api/v2/status and /audit: one look, and who looked."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.explain.look import Look
from control.explain.status import Status
from control.users.audit import AuditPage, AuditQuery

Audit = Callable[[AuditQuery], Awaitable[AuditPage]]


class LookApi:
    """How everything stands, and what was done."""

    def __init__(self, look: Look, audit: Audit) -> None:
        self._look = look
        self._entries = audit

    async def _status(self, _: Call) -> Status:
        return await self._look()

    async def _audit(self, call: Call) -> AuditPage:
        return await self._entries(call.wanted)

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
                )
                for version in ("v1", "v2")
            ),
        ]
