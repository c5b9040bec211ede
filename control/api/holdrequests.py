"""/api/v2/hold/requests and /forget: asking the releasers, and watching what they do."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from control.api.hold import number
from control.api.route import DRY, Call, Route
from control.held import request as holdrequest
from control.held.filter import HoldFilter, address, some
from control.held.request import Forget, HoldOrder
from control.held.requestview import HoldAnswer, HoldRequest, request_view
from control.messages.search import forget
from control.problem import bad, missing
from control.store.change import Act
from control.tenants.view import must_exist
from settings.statements import statements

_SQL = statements("control.held", "hold")

LONGEST_WAIT = 10
"""Seconds one question may stay open; commands ask again."""
LOOK_EVERY = 0.2
"""Seconds between two looks meanwhile."""


async def _order(call: Call) -> HoldAnswer:
    wanted = holdrequest.order(call.body, dry=call.dry)
    await must_exist(call.core.pool, wanted.tenant)

    async def act(a: Act) -> HoldAnswer:
        return await holdrequest.ask(a, wanted, dry=call.dry)

    if not holdrequest.concerns_campaign(wanted):
        return await _alone(call, act)
    # In one transaction with the plan by which new mail of the campaign is held.
    done = await call.core.publisher.change(call.who, act, dry=call.dry)
    return msgspec.structs.replace(
        _tried(done.result) if call.dry else done.result,
        generation=done.generation,
        late=done.late,
        notes=[*done.result.notes, *done.notes],
    )


async def _forget(call: Call) -> HoldAnswer:
    wanted: Forget = call.body
    some(HoldFilter(tenant=wanted.tenant, recipient=wanted.recipient))
    await must_exist(call.core.pool, wanted.tenant)

    async def act(a: Act) -> HoldAnswer:
        settings = call.core.settings
        answer = await holdrequest.forget(a, wanted, secret=settings.control.secret, dry=call.dry)
        whom = address(wanted.recipient or "", "recipient")
        await forget(a.connection, whom, wanted.tenant, settings.log)
        return answer

    return await _alone(call, act)


async def _alone(call: Call, act: Callable[[Act], Awaitable[HoldAnswer]]) -> HoldAnswer:
    """A request that changes no plan: nothing is published."""
    now = await call.core.publisher.now()
    async with call.core.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        kept = False
        try:
            answer = await act(Act(connection, now, call.who))
            if not call.dry:
                await transaction.commit()
                kept = True
        finally:
            if not kept:
                await transaction.rollback()
    return _tried(answer) if call.dry else answer


def _tried(answer: HoldAnswer) -> HoldAnswer:
    """Without the number of a request that was rolled back."""
    request = msgspec.structs.replace(answer.request, id=0)
    return msgspec.structs.replace(answer, request=request)


async def _list(call: Call) -> list[HoldRequest]:
    await must_exist(call.core.pool, call.query.get("tenant"))
    before = number(call, "before", 0, 1 << 60) or None
    limit = max(1, number(call, "limit", 50, 1000))
    tenant = call.query.get("tenant")
    records = await call.core.pool.fetch(_SQL["requests"], tenant, before, limit)
    return [request_view(r) for r in records]


async def _one(call: Call) -> HoldRequest:
    text = call.path["request"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad("request", f"{text!r} is not a number")
    wait, seen = number(call, "wait", 0, LONGEST_WAIT), number(call, "seen", 0, 1 << 60)
    ends = asyncio.get_running_loop().time() + wait
    while True:
        record = await call.core.pool.fetchrow(_SQL["request"], int(text), call.query.get("tenant"))
        if record is None:
            raise missing("request", text)
        over = record["state"] in ("done", "failed") or record["changed"] != seen
        if over or asyncio.get_running_loop().time() >= ends:
            return request_view(record)
        await asyncio.sleep(LOOK_EVERY)


_REQUESTS = "/api/v2/hold/requests"

ROUTES = [
    Route(
        "GET",
        _REQUESTS,
        "What was asked of the releasers and how far it is, newest first",
        _list,
        list[HoldRequest],
        query={
            "tenant": "only this tenant's",
            "before": "id of the last one seen",
            "limit": "at most so many, 1 to 1000; 50",
        },
    ),
    Route(
        "POST",
        _REQUESTS,
        "Pause, resume, release, drop or settle held mail; a releaser does it in small steps",
        _order,
        HoldAnswer,
        body=HoldOrder,
        query=DRY,
        status=202,
    ),
    Route(
        "GET",
        f"{_REQUESTS}/{{request}}",
        "One request",
        _one,
        HoldRequest,
        query={
            "tenant": "only this tenant's",
            "wait": f"seconds to wait for news, at most {LONGEST_WAIT}",
            "seen": "`changed` as last seen: more than that is news",
        },
    ),
    Route(
        "POST",
        "/api/v2/hold/forget",
        "Remove a recipient's waiting mail, and its address from the history",
        _forget,
        HoldAnswer,
        body=Forget,
        query=DRY,
        status=202,
    ),
]
