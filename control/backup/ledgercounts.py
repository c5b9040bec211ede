"""What the ledger counted today and yesterday, by IP and provider: into a backup, and back.

Put back, counters are raised to it and never lowered, and only where the days are still charged:
it is the least that went, which rebuilding from PowerMTA's accounting raises further. Everything
else a ledger has is rebuilt or over soon (`control.ledger.rebuild`).
"""

from collections.abc import Iterable

from policy.ledger.admin import LedgerAdmin
from policy.ledger.daycounts import TOTAL, DayCounts, day_counts
from policy.ledger.known import Counters


async def counts(admin: LedgerAdmin, ips: Iterable[str], today: int) -> list[Counters]:
    """Raises redis-py's errors."""
    found = await day_counts(admin.client, admin.root, ips, (today - 1, today))
    return [_counters(ip, day, of) for (ip, day), of in sorted(found.items())]


async def raised(admin: LedgerAdmin, kept: Iterable[Counters], today: int) -> int:
    """Raise what is still charged; how many IP days. Raises redis-py's errors."""
    charged = [one for one in kept if today - 1 <= one.day <= today]
    await admin.raise_counters(charged)
    return len(charged)


def _counters(ip: str, day: int, of: DayCounts) -> Counters:
    by_provider = {
        provider: of.charged.get(provider, 0) + of.around.get(provider, 0)
        for provider in {*of.charged, *of.around} - {TOTAL}
    }
    total = of.charged.get(TOTAL, 0) + sum(of.around.values())
    return Counters(ip, day, total, by_provider, dict(of.around))
