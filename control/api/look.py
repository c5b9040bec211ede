"""/api/v2/status, /audit, and the content of a held message: one look, and who looked."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from control.accounting.status import streams
from control.api.hold import now, number, row_of
from control.api.route import Call, Route
from control.checks.certificate import certificate_end, certificate_troubles
from control.explain import status
from control.explain.status import DOUBT, Status
from control.held.content import HeldContent, opened, shown
from control.ledger.clock import moment
from control.problem import RefusedError, bad, missing
from control.store.change import Act
from control.users.audit import AuditFilter, AuditPage, audit_page
from control.version import VERSION
from settings.model import Gateway
from settings.statements import statements

_SQL = statements("control.explain", "status")
_HOLD = statements("control.held", "hold")


async def _status(call: Call) -> Status:
    core, at = call.core, await now(call)
    held = [dict(row) for row in await core.pool.fetch(_SQL["hold"], at - DOUBT)]
    ledger = await core.opening.status()
    generation, workers, figures, circuits = None, {}, {}, {}
    try:
        generation = await core.publisher.current()
        workers = await core.admin.workers()
        figures, circuits = await core.admin.figures(), await core.admin.circuits()
    except (RedisError, OSError, RefusedError):
        pass  # `ledger` says that it is away
    gateway = core.settings.gateway
    troubles, end = await asyncio.to_thread(_certificate, gateway)
    return status.status(
        status.Parts(
            now=at,
            version=VERSION,
            generation=generation,
            workers=workers,
            figures=figures,
            circuits=circuits,
            held=held,
            slow_from=core.settings.hold.slow_from,
            ledger=ledger,
            accounting=await streams(core.pool, core.settings.accounting, at),
            certificate=end,
            certificate_problems=troubles,
        )
    )


def _certificate(gateway: Gateway) -> tuple[list[str], str]:
    """(what is wrong with it, when it ends in ISO time); reads files."""
    return certificate_troubles(gateway), certificate_end(gateway)


async def _audit(call: Call) -> AuditPage:
    query = call.query
    for name in ("subject", "who", "action", "since"):
        if query.get(name) == "":
            raise bad(name, "is empty; leave it out to match any")
    return await audit_page(
        call.core.pool,
        AuditFilter(
            subject=query.get("subject"),
            who=query.get("who"),
            action=query.get("action"),
            since=moment(query["since"], "since") if "since" in query else None,
            before=number(call, "before", 0, 1 << 60) or None,
            limit=max(1, number(call, "limit", 100, 1000)),
        ),
    )


async def _content(call: Call) -> HeldContent:
    name, part = call.path["message"], call.query.get("part", "headers")
    if part not in ("headers", "whole"):
        raise bad("part", f"{part!r} is neither headers nor whole")
    reason = call.query.get("reason", "")
    at = datetime.fromtimestamp(await now(call) / 1000, UTC)
    async with call.core.pool.acquire() as connection, connection.transaction():
        record = await row_of(connection, name, call.query.get("tenant"))
        if record is None:
            raise missing("held message", name)
        kept: Any = await connection.fetchrow(_HOLD["content"], record["bucket"], record["body"])
        if kept is None:
            raise RefusedError(f"message {name} ended, its content is gone", status=404)
        what = (record["body"], kept["codec"], kept["content"], call.core.settings.hold.keys)
        head, body = await asyncio.to_thread(opened, *what)
        seen = {"part": part, "tenant": record["tenant"]}
        await Act(connection, at, call.who).audit(
            "hold.read", record["body"], None, seen, reason[:500]
        )
    return shown(record["body"], head, body, whole=part == "whole")


ROUTES = [
    Route("GET", "/api/v2/status", "What is wrong, then how everything stands", _status, Status),
    Route(
        "GET",
        "/api/v2/audit",
        "Who changed what, when and why, newest first",
        _audit,
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
    Route(
        "GET",
        "/api/v2/hold/messages/{message}/content",
        "The headers of a held message, or all of it; each look is audited",
        _content,
        HeldContent,
        query={
            "part": "headers (without it), or whole",
            "reason": "for the audit log",
            "tenant": "only this tenant's",
        },
    ),
]
