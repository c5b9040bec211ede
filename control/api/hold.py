"""/api/v2/hold: what waits, one message, and what became of it."""

import re
from datetime import UTC, datetime
from typing import Any

from control.api.route import Call, Route
from control.explain.fate import Fate, evidence, fate, told
from control.held.event import HoldEvent, event_view
from control.held.filter import HoldFilter, arguments, checked, message_id
from control.held.forecast import HoldForecast, hold_forecast, turn
from control.held.held import (
    OPEN,
    STATES,
    HeldDetail,
    HeldPage,
    HeldView,
    HoldSummary,
    content,
    held_view,
    moment,
    recipients,
    summary,
)
from control.ledger.status import closed_ips
from control.messages.search import MessageFilter, search
from control.plan.rows import tenants
from control.problem import RefusedError, bad, missing
from control.store.database import Connection
from control.tenants.view import must_exist
from policy.duplicate import recipient_digest
from settings.statements import statements

_SQL = statements("control.held", "hold")

FILTERS = {
    "tenant": "only this tenant's",
    "campaign": "only of this campaign",
    "recipient": "only to this address",
    "reason": "only what waits for this reason",
    "message": "a message id, the id of one recipient's row, or an envelope id",
}
_STATE = {"state": f"of {', '.join(STATES)}, comma between; without: {', '.join(OPEN)}"}
_PAGE = {"limit": "at most so many, 1 to 1000; 100", "after": "the `after` of the page before"}
_AFTER = re.compile(r"([0-9]{1,15})\.([0-9a-z]{1,80})")


async def filters(call: Call) -> HoldFilter:
    """Those of a query. Raises RefusedError."""
    found = checked(HoldFilter(**{name: call.query.get(name) for name in FILTERS}))
    if found.tenant is not None:
        await must_exist(call.core.pool, found.tenant)
    return found


def number(call: Call, name: str, default: int, most: int) -> int:
    """A number of the query. Raises RefusedError."""
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= most):
        raise bad(name, f"{text!r} is not a number up to {most}")
    return int(text)


async def now(call: Call) -> int:
    """Calendar milliseconds; what waits can be looked at without the ledger, too."""
    try:
        return round((await call.core.publisher.now()).timestamp() * 1000)
    except RefusedError:
        return round(datetime.now(UTC).timestamp() * 1000)


def _states(call: Call) -> list[str]:
    given = call.query.get("state")
    if given is None:
        return list(OPEN)
    found = given.split(",")
    if wrong := [s for s in found if s not in STATES]:
        raise bad("state", f"{wrong[0]!r} is none of {', '.join(STATES)}")
    return found


async def _summary(call: Call) -> HoldSummary:
    wanted = await filters(call)
    records = await call.core.pool.fetch(_SQL["summary"], *arguments(wanted), _states(call))
    return summary(records, await now(call))


async def _messages(call: Call) -> HeldPage:
    wanted = await filters(call)
    limit = max(1, number(call, "limit", 100, 1000))
    arrived, row = -1, ""
    if after := call.query.get("after"):
        if (match := _AFTER.fullmatch(after)) is None:
            raise bad("after", f"{after!r} is not what a page before gave")
        arrived, row = int(match[1]), match[2]
    records = await call.core.pool.fetch(
        _SQL["messages"], *arguments(wanted), _states(call), arrived, row, limit + 1
    )
    page, more = records[:limit], len(records) > limit
    return HeldPage(
        now=moment(await now(call)),
        messages=[held_view(r) for r in page],
        after=f"{page[-1]['arrived']}.{page[-1]['id']}" if more else "",
    )


async def _one(call: Call) -> HeldDetail:
    name = message_id(call.path["message"])
    async with call.core.pool.acquire() as connection:
        record = await row_of(connection, name, call.query.get("tenant"))
        if record is None:
            raise missing("held message", name)
        bucket, body = record["bucket"], record["body"]
        same = await connection.fetch(_SQL["siblings"], bucket, record["tenant"], body)
        kept = await connection.fetchrow(_SQL["body"], bucket, body)
    return HeldDetail(
        held=held_view(record),
        key=record["key"],
        notify=record["notify"].decode("ascii", "backslashreplace"),
        orcpt=record["orcpt"].decode("ascii", "backslashreplace"),
        content=content(kept),
        recipients=recipients(same),
    )


async def row_of(connection: Connection, name: str, tenant: str | None) -> Any:
    """The row of a message or of one recipient; None where there is none."""
    # Of a message with several recipients the first: rows are numbered from 0 or 1.
    return await connection.fetchrow(_SQL["by_id"], [name, f"{name}x0", f"{name}x1"], tenant)


async def _fate(call: Call) -> Fate:
    found = await _known(call)
    if found.found != "unknown":
        return found
    wanted = MessageFilter(message=message_id(found.message), tenant=call.query.get("tenant"))
    page = await search(call.core.pool, wanted, call.core.settings.log)
    return told(found.message, page.messages) if page.messages else found


async def _known(call: Call) -> Fate:
    """By the hold and the accounting."""
    asked = call.path["message"]
    name = message_id(asked)
    async with call.core.pool.acquire() as connection:
        record = await row_of(connection, name, call.query.get("tenant"))
        ids = [name] if record is None else sorted({record["id"], record["body"]})
        if record is None and call.query.get("tenant") is not None:
            # A receipt does not say whose it is.
            return fate(asked, None, [])
        records = await connection.fetch(_SQL["receipts"], ids)
        proofs = evidence(records if record is None else _of_recipient(records, record))
        if record is None or record["state"] not in OPEN:
            return fate(asked, held_view(record) if record else None, proofs)
    held = held_view(record)
    owners = await tenants(call.core.pool, [held.tenant])
    paused = any(held.campaign in owner.paused_campaigns for owner in owners)
    before, forecast = None, ""
    if held.state == "held" and not held.paused and not paused:
        before, forecast = await _place(call, held, record["arrived"])
    at, closed = moment(await now(call)), await _closed(call, held.pool)
    return fate(
        *(asked, held, proofs),
        now=at,
        closed=closed,
        campaign_paused=paused,
        before=before,
        forecast=forecast,
    )


async def _closed(call: Call, pool: str) -> list[str]:
    """IPs of the pool that lost today's counts."""
    found = await closed_ips(call.core.pool, call.core.admin)
    generation = await call.core.publisher.current() if found else None
    if generation is None or (its := generation.pool.get(pool)) is None:
        return []
    return sorted({generation.vmta[name].ip for name in its.members} & found.keys())


def _of_recipient(records: list[Any], row: Any) -> list[Any]:
    """Without those of other recipients: an envelope id may name several."""
    if row["id"] == row["body"]:
        return records
    mine = recipient_digest(row["recipient"])
    return [r for r in records if not r["recipients"] or mine in r["recipients"]]


async def _place(call: Call, held: HeldView, arrived: int) -> tuple[int, str]:
    """(how many go first, when its turn comes)."""
    async with call.core.pool.acquire() as connection:
        before = await connection.fetchval(
            _SQL["before"], held.pool, held.provider, held.bulk, arrived, held.id
        )
        records = await connection.fetch(_SQL["waiting"], held.tenant)
    generation = await call.core.publisher.current()
    if generation is None:
        return before, ""
    group = held.pool, held.provider
    return before, turn(records, generation, held.tenant, group, before, await now(call))


async def _forecast(call: Call) -> HoldForecast:
    tenant = call.query.get("tenant")
    await must_exist(call.core.pool, tenant)
    generation = await call.core.publisher.current()
    if generation is None:
        raise RefusedError("nothing has been published yet", status=404)
    records = await call.core.pool.fetch(_SQL["waiting"], tenant)
    return hold_forecast(records, generation, await now(call))


async def _events(call: Call) -> list[HoldEvent]:
    await must_exist(call.core.pool, call.query.get("tenant"))
    after = number(call, "after", 0, 1 << 60)
    limit = max(1, number(call, "limit", 100, 1000))
    records = await call.core.pool.fetch(_SQL["events"], after, call.query.get("tenant"), limit)
    return [event_view(r) for r in records]


_OF = {"tenant": FILTERS["tenant"]}

ROUTES = [
    Route(
        "GET", "/api/v2/hold", "What waits, counted", _summary, HoldSummary, query=FILTERS | _STATE
    ),
    Route(
        "GET",
        "/api/v2/hold/messages",
        "Held messages by arrival",
        _messages,
        HeldPage,
        query=FILTERS | _STATE | _PAGE,
    ),
    Route(
        "GET",
        "/api/v2/hold/forecast",
        "When what waits will be gone, by pool and provider",
        _forecast,
        HoldForecast,
        query=_OF,
    ),
    Route("GET", "/api/v2/hold/messages/{message}", "One message", _one, HeldDetail, query=_OF),
    Route(
        "GET",
        "/api/v2/hold/events",
        "What the sender's system is to be told: soft or internal, never hard",
        _events,
        list[HoldEvent],
        query={"after": "id of the last one seen", "limit": _PAGE["limit"], **_OF},
    ),
    Route(
        "GET",
        "/api/v2/explain/{message}",
        "Why a message waits, or how it ended; by message id or envelope id",
        _fate,
        Fate,
        query=_OF,
    ),
]
