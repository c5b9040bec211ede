"""/api/v2/status and /audit: one look, and who looked."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.explain.look import Look
from control.explain.status import Status
from control.ledger.clock import moment
from control.problem import bad
from control.users.audit import AuditFilter, AuditPage

Audit = Callable[[AuditFilter], Awaitable[AuditPage]]


class LookApi:
    """How everything stands, and what was done."""

    def __init__(self, look: Look, audit: Audit) -> None:
        self._look = look
        self._entries = audit

    async def _status(self, _: Call) -> Status:
        return await self._look()

    async def _audit(self, call: Call) -> AuditPage:
        query = call.query
        for name in ("subject", "who", "action", "since"):
            if query.get(name) == "":
                raise bad(name, "is empty; leave it out to match any")
        return await self._entries(
            AuditFilter(
                subject=query.get("subject"),
                who=query.get("who"),
                action=query.get("action"),
                since=moment(query["since"], "since") if "since" in query else None,
                before=call.number("before", 0, 1 << 60) or None,
                limit=max(1, call.number("limit", 100, 1000)),
            )
        )

    def routes(self) -> list[Route]:
        """All of them."""
        path, wrong = "/api/v2/status", "What is wrong, then how everything stands"
        return [
            Route("GET", path, wrong, self._status, Status),
            Route(
                "GET",
                "/api/v2/audit",
                "Who changed what, when and why, newest first",
                self._audit,
                AuditPage,
                query={
                    "subject": "only this one, or what stands after it and a slash",
                    "who": "only by this token or part of ours",
                    "action": "only this one (ip.set), or all of its noun (ip)",
                    "since": "ISO time, UTC when it names no zone",
                    "before": "the `before` of the page before",
                    "limit": "at most so many, 1 to 1000; 100",
                },
            ),
        ]
