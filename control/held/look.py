"""Looking at what waits."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from control.held.content import HeldContent, opened, shown
from control.held.event import HoldEvent, event_view
from control.held.filter import AFTER, HoldFilter, arguments
from control.held.forecast import HoldForecast, hold_forecast
from control.held.held import (
    CAMPAIGNS,
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
from control.held.shortfall import SHOWN, HoldShortfall, hold_shortfall
from control.plan.inforce import in_force
from control.plan.publish import Publisher
from control.problem import RefusedError, bad, missing, quoted
from control.store.change import Act
from control.store.database import Connection
from policy.limits import day_of
from settings.statements import statements

_SQL = statements(__package__, "hold")


class Hold:
    """Filters are those of `checked`; `keys`: `hold.keys`, which open content."""

    def __init__(self, pool: Any, publisher: Publisher, keys: tuple[str, ...]) -> None:
        self._pool = pool
        self._publisher = publisher
        self._keys = keys

    async def now(self) -> int:
        """Calendar milliseconds; what waits can be looked at without the ledger, too."""
        try:
            return round((await self._publisher.now()).timestamp() * 1000)
        except RefusedError:
            return round(datetime.now(UTC).timestamp() * 1000)

    async def summary(self, wanted: HoldFilter, states: list[str]) -> HoldSummary:
        """What matches, counted."""
        records = await self._pool.fetch(_SQL["summary"], *arguments(wanted), states, CAMPAIGNS)
        return summary(records, await self.now())

    async def messages(
        self, wanted: HoldFilter, states: list[str], limit: int, after: str | None
    ) -> HeldPage:
        """A page of at most `limit`, behind the page that gave `after`. Raises RefusedError."""
        arrived, row = -1, ""
        if after:
            if (match := AFTER.fullmatch(after)) is None:
                raise bad("after", f"{quoted(after)} is not what a page before gave")
            arrived, row = int(match[1]), match[2]
        records = await self._pool.fetch(
            _SQL["messages"], *arguments(wanted), states, arrived, row, limit + 1
        )
        page, more = records[:limit], len(records) > limit
        return HeldPage(
            now=moment(await self.now()),
            messages=[held_view(r) for r in page],
            after=f"{page[-1]['arrived']}.{page[-1]['id']}" if more else "",
        )

    async def one(self, name: str, tenant: str | None) -> HeldDetail:
        """A message with its content and its other recipients. Raises RefusedError."""
        async with self._pool.acquire() as connection:
            record = await _row(connection, name, tenant)
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

    async def content(
        self, name: str, tenant: str | None, *, whole: bool, who: str, reason: str
    ) -> HeldContent:
        """The header block of a message, or all of it; audited. Raises RefusedError."""
        at = datetime.fromtimestamp(await self.now() / 1000, UTC)
        async with self._pool.acquire() as connection, connection.transaction():
            record = await _row(connection, name, tenant)
            if record is None:
                raise missing("held message", name)
            kept: Any = await connection.fetchrow(_SQL["content"], record["bucket"], record["body"])
            if kept is None:
                raise RefusedError(f"message {name} ended, its content is gone", status=404)
            message = record["body"]
            head, body = await asyncio.to_thread(
                opened, message, kept["codec"], kept["content"], self._keys
            )
            seen = {"part": "whole" if whole else "headers", "tenant": record["tenant"]}
            await Act(connection, at, who).audit(
                *("hold.read", message, None, seen, reason[:500]), tenant=record["tenant"]
            )
        return shown(message, head, body, whole=whole)

    async def forecast(self, tenant: str | None) -> HoldForecast:
        """When what waits will be gone. Raises RefusedError."""
        generation = await in_force(self._publisher)
        records = await self._pool.fetch(_SQL["waiting"], tenant)
        return hold_forecast(records, generation, await self.now())

    async def shortfall(self, tenant: str | None) -> HoldShortfall:
        """Of the last days, the newest first."""
        now = await self.now()
        records = await self._pool.fetch(_SQL["shortfall"], day_of(now) - SHOWN, tenant)
        return hold_shortfall(records, now)

    async def events(self, after: int, tenant: str | None, limit: int) -> list[HoldEvent]:
        """What the sender's system is to be told, behind event `after`."""
        records = await self._pool.fetch(_SQL["events"], after, tenant, limit)
        return [event_view(r) for r in records]

    async def trace(self, name: str, tenant: str | None) -> tuple[Any, list[Any]]:
        """(its row in the hold or None, its receipts)."""
        async with self._pool.acquire() as connection:
            record = await _row(connection, name, tenant)
            ids = [name] if record is None else sorted({record["id"], record["body"]})
            return record, await connection.fetch(_SQL["receipts"], ids)

    async def queue(self, held: HeldView, arrived: int) -> tuple[int, list[Any]]:
        """(how many of its pool and provider go first, what its tenant has waiting)."""
        async with self._pool.acquire() as connection:
            before = await connection.fetchval(
                _SQL["before"], held.pool, held.provider, held.bulk, arrived, held.id
            )
            return before, await connection.fetch(_SQL["waiting"], held.tenant)


async def _row(connection: Connection, name: str, tenant: str | None) -> Any:
    # Of a message with several recipients the first: rows are numbered from 0 or 1.
    return await connection.fetchrow(_SQL["by_id"], [name, f"{name}x0", f"{name}x1"], tenant)
