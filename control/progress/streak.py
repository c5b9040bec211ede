"""Days in a row on which mailboxes reached their quota: a day that is over is counted once.

Rule: of the ledger's count and of accounting, whichever knows more: a lost ledger has forgotten
what accounting has, and accounting may be behind. What the quota was is what it is now.
"""

import asyncio
from itertools import islice
from typing import Any

from control.progress import counted
from control.progress.counted import Counted
from control.progress.progress import Plan
from control.progress.standing import standing, terms_at
from policy.isotime import date_of
from policy.ledger.admin import LedgerAdmin
from policy.ledger.mailboxes import forget_idle
from policy.mailbox import IDLE_DAYS
from policy.model import Tenant
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "progress")

_AT_ONCE = 2_000
"""Mailboxes of one statement."""


class Streaks:
    """Of one control process."""

    def __init__(self, pool: Any, admin: LedgerAdmin, plan: Plan) -> None:
        self._pool = pool
        self._admin = admin
        self._plan = plan

    async def count(self, day: int, today: int) -> str:
        """Take a day that is over into account; again it changes nothing. Returns a sentence."""
        plan = await self._plan()
        reached = missed = idle = 0
        for tenant in () if plan is None else plan.tenants:
            sent = await self._sent(tenant.name, day, today)
            names = iter({**tenant.mailboxes, **dict.fromkeys(sent)})
            while some := list(islice(names, _AT_ONCE)):
                did = _reached(tenant, some, sent, day)
                reached += sum(did.values())
                missed += len(did) - sum(did.values())
                if did:
                    await self._pool.execute(
                        _SQL["streak"], day, tenant.name, list(did), list(did.values())
                    )
                await asyncio.sleep(0)
            idle += await forget_idle(self._admin.client, self._admin.root, tenant.name, today)
        forgot = f"; {idle} that sent nothing for {IDLE_DAYS} days are new again" if idle else ""
        return (
            f"{count(reached, 'mailbox')} reached {agree(reached, 'its', 'their')} minimum on "
            f"{date_of(day)}, {missed} did not{forgot}"
        )

    async def _sent(self, tenant: str, day: int, today: int) -> dict[str, Counted]:
        rows: list[Any] = await self._pool.fetch(_SQL["relayed"], day, tenant)
        sent = {row["mailbox"]: Counted(row["relayed"]) for row in rows}
        ledger = self._admin.client, self._admin.root
        for name, one in (await counted.of_tenant(*ledger, tenant, today)).items():
            known = {today: one.sent, today - 1: one.before}.get(day, 0)
            booked = sent[name].sent if name in sent else 0
            sent[name] = Counted(max(booked, known), first=one.first)
        return sent


def _reached(
    tenant: Tenant, names: list[str], sent: dict[str, Counted], day: int
) -> dict[str, bool]:
    """Of those with a quota."""
    found, none = {}, Counted()
    for name in names:
        stands = standing(terms_at(tenant, name), sent.get(name, none), 1.0, day)
        if stands.quota:
            found[name] = stands.status == "reached"
    return found
