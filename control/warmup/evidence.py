"""What was seen of IPs: their days from the sums of statistics and from the ledger, and what
providers said.

Rule: of a day the recipients are what PowerMTA took or what the ledger granted, whichever is more:
accounting is behind the ledger at midnight. Of days that are over its counts are in `ledger_day`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from control.store.database import Connection
from control.warmup.source import Source
from policy.ledger.admin import LedgerAdmin
from policy.ledger.daycounts import TOTAL, day_counts
from policy.limits import day_of
from policy.warmup.decision import Signals
from policy.warmup.evidence import WATCHED, Day, counts
from settings.statements import statements

_SQL = statements(__package__, "evidence")

READ = 60
"""Days that are read: those of evidence, and as many more as silence counts."""
LEDGER_DAYS = 7
"""The ledger's counts are readable for a week."""
WEEK = 7


class Reply(msgspec.Struct, frozen=True):
    """Of one IP, provider, rule and day."""

    day: int
    provider: str
    rule: str
    action: str
    last_at: int


class Seen(msgspec.Struct, frozen=True):
    """Of one IP."""

    days: Mapping[str, tuple[Day, ...]]
    """By provider; all of them under ''."""
    replies: tuple[Reply, ...] = ()

    @property
    def last_mail(self) -> int | None:
        """The last day on which it sent; None: none is known."""
        return max((d.day for d in self.days.get("", ()) if d.relayed), default=None)

    @property
    def providers(self) -> list[str]:
        """Those that mail went to, or that said something."""
        return sorted(({*self.days} | {one.provider for one in self.replies}) - {""})


NOTHING = Seen({})


async def seen_of(
    connection: Connection, admin: LedgerAdmin, found: Iterable[Source], today: int
) -> dict[str, Seen]:
    """By VirtualMTA. Raises redis-py's errors."""
    of = list(found)
    ips, tenants = [s.ip for s in of], [s.tenant for s in of]
    rows = await connection.fetch(_SQL["days"], ips, tenants, today - READ, today)
    replies = await connection.fetch(_SQL["replies"], ips, tenants, today - WATCHED, today)
    last = range(today - LEDGER_DAYS + 1, today + 1)
    granted = await day_counts(admin.client, admin.root, ips, last)
    days: dict[str, dict[str, dict[int, Day]]] = {ip: {"": {}} for ip in ips}
    for row in rows:
        day = _day(row)
        days[row["ip"]].setdefault(row["provider"], {})[day.day] = day
        all_ = days[row["ip"]][""]
        all_[day.day] = _sum(all_.get(day.day), day)
    charged = await _let_go(connection, ips, today)
    charged |= {key: dict(counted.charged) for key, counted in granted.items()}
    begun = {s.ip: day_of(s.created) for s in of}
    for (ip, number), by_provider in charged.items():
        if number < begun[ip]:
            continue  # another tenant's
        for provider, count in by_provider.items():
            of_one = days[ip].setdefault("" if provider == TOTAL else provider, {})
            day = of_one.get(number, Day(number, 0))
            if count > day.relayed:
                of_one[number] = msgspec.structs.replace(day, relayed=count)
    told: dict[str, list[Reply]] = {ip: [] for ip in ips}
    for row in replies:
        told[row["ip"]].append(Reply(*(row[name] for name in Reply.__struct_fields__)))
    return {
        s.name: Seen(
            {provider: tuple(of_one.values()) for provider, of_one in days[s.ip].items()},
            tuple(told[s.ip]),
        )
        for s in of
    }


async def _let_go(
    connection: Connection, ips: list[str], today: int
) -> dict[tuple[str, int], dict[str, int]]:
    """What the ledger had counted of days that went to PostgreSQL, as it gives its own."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    for row in await connection.fetch(_SQL["ledger_days"], ips, today - READ, today):
        of_day = found.setdefault((row["ip"], row["day"]), {TOTAL: 0})
        of_day[TOTAL] += row["sent"]
        if row["provider"]:
            of_day[row["provider"]] = row["sent"]
    return found


async def pool_days(
    connection: Connection, tenants: Iterable[str], first: int, today: int
) -> dict[tuple[str, str, str], list[Day]]:
    """By tenant, pool and provider, of pools with more than one IP."""
    found: dict[tuple[str, str, str], list[Day]] = {}
    for row in await connection.fetch(_SQL["pools"], sorted(set(tenants)), first, today):
        day = _day(row)
        found.setdefault((row["tenant"], row["pool"], row["provider"]), []).append(day)
    return found


def signals_of(
    seen: Seen, provider: str, *, since: int, since_day: int, today: int, quota: int, min_use: float
) -> Signals:
    """What a provider said of the IP. `since`: when sending there began last, calendar
    milliseconds."""
    its = [one for one in seen.replies if one.provider == provider]
    blocks = [one for one in its if one.action == "pause" and one.last_at > since]
    rated = sorted({one.day for one in its if one.action == "backoff"})
    calm = None
    if rated:
        days = seen.days.get(provider, ())
        calm = sum(rated[-1] < d.day < today and counts(d, quota, min_use) for d in days)
    return Signals(
        blocked=max(blocks, key=lambda one: one.last_at).rule if blocks else "",
        rate_days=sum(max(since_day, today - WEEK) <= day < today for day in rated),
        calm_days=calm,
    )


def _day(row: Any) -> Day:
    return Day(
        row["day"],
        int(row["relayed"]),
        int(row["delivered"]),
        int(row["bounced_address"]),
        int(row["complaints"]),
        int(row["deferred"]),
    )


def _sum(one: Day | None, other: Day) -> Day:
    if one is None:
        return other
    return Day(
        other.day,
        one.relayed + other.relayed,
        one.delivered + other.delivered,
        one.bounced + other.bounced,
        one.complaints + other.complaints,
        one.deferred + other.deferred,
    )
