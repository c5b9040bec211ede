"""Looks every day at what DNS has of each sending domain, PTR records of its IPs included.

Rule: an alert stays until a look finds all right; one that nobody answered changes nothing. So many
domains are asked about at a time, each as `sendgate domain check` does; names that nobody has (RFC
2606) are not.
Failure: what one look does not come to, the next does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from control.alerts.alert import Raised, settle
from control.plan.rows import of_domain
from control.plan.view import View
from control.problem import RefusedError
from control.published.asking import Servers
from control.published.check import check
from control.published.finding import DomainCheck
from control.published.subject import subject_of
from control.values.reserved import registered
from policy.number import count
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "daily")

SOURCE = "dns"
"""Of its alerts."""
AT_ONCE = 4
"""Domains under way; each asks some ten questions."""
TOLD = 100
"""Domains with an alert of their own; those beyond are one alert."""


def read_by_powermta(settings: Settings) -> tuple[str, ...]:
    """Addresses, or `@DOMAIN`, whose mail PowerMTA reads."""
    return (*settings.control.pmta_bounces, *settings.control.pmta_complaints)


class DailyCheck:
    """Of one control node. `read`: addresses, or `@DOMAIN`, whose mail PowerMTA reads;
    `over_after`: as `alert.settle` has it, milliseconds."""

    def __init__(
        self,
        pool: Any,
        view: View,
        servers: Servers,
        read: Sequence[str],
        calendar: Callable[[], Awaitable[int]],
        *,
        over_after: int,
    ) -> None:
        self._pool = pool
        self._view = view
        self._servers = servers
        self._read = read
        self._calendar = calendar
        self._over_after = over_after

    async def __call__(self) -> str:
        """One look; in a sentence, what it found. Raises asyncpg's errors."""
        rows = await self._pool.fetch(_SQL["domains"])
        there = set(registered(row["domain"] for row in rows))
        waiting = [(r["tenant"], r["domain"]) for r in reversed(rows) if r["domain"] in there]
        found: list[DomainCheck] = []

        async def work() -> None:
            while waiting:
                checked = await self._one(*waiting.pop())
                if checked is not None:
                    found.append(checked)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        await self._pool.execute(_SQL["forget"])
        wrong = await self._pool.fetch(_SQL["wrong"])
        now = await self._calendar()
        async with self._pool.acquire() as connection, connection.transaction():
            await settle(connection, now, SOURCE, _raised(wrong), over_after=self._over_after)
        unknown = sum(one.verdict == "unknown" for one in found)
        return f"{count(len(found), 'domain')}: {len(wrong)} wrong, {unknown} not known"

    async def _one(self, tenant: str, domain: str) -> DomainCheck | None:
        """None: it went meanwhile."""
        try:
            async with self._view() as connection:
                subject = subject_of(await of_domain(connection, tenant, domain), tenant, domain)
        except RefusedError as error:
            if error.status != 404:
                raise
            return None
        # The connection is back by now: DNS may take its time.
        checked = await check(subject, self._servers.questions(), self._read)
        bad = [one for one in checked.findings if one.verdict == checked.verdict != "ok"]
        what = "; ".join(f"{one.about} {one.name}: {one.what}" for one in bad)
        values = (tenant, domain, checked.verdict, what, await self._calendar())
        await self._pool.execute(_SQL["keep"], *values)
        return checked


def _raised(wrong: Sequence[Any]) -> list[Raised]:
    raised = [
        Raised(
            key=f"dns:{row['domain']}:{row['tenant']}",
            severity="warning",
            what=f"what DNS has of {row['domain']} is wrong: {row['what']}",
            next=f"sendgate domain check {row['domain']} --tenant {row['tenant']}",
        )
        for row in wrong[:TOLD]
    ]
    if (more := len(wrong) - TOLD) > 0:
        raised.append(
            Raised(
                key="dns",
                severity="warning",
                what=f"what DNS has of {more} more domains is wrong",
                next="sendgate domain check",
            )
        )
    return raised
