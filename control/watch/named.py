"""Metrics by the names that operators' dashboards have: of each IP, of parts and of queues.

Rule: exactly these names, all gauges, nothing appended. Labels are IPs, servers' kinds and domains
that operators set up, never anything a client chose.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from control.plan.publish import Publisher
from policy.ledger.admin import IpUsage, LedgerAdmin
from policy.ledger.known import chunks
from policy.limits import day_of
from settings.statements import statements

_SQL = statements(__package__, "named")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Of now."""

    ips: dict[str, int]
    """By status; every status is there."""
    quotas: dict[str, int]
    """Recipients a day by IP; an unlimited one has none."""
    sent: dict[str, int]
    """Recipients today."""
    stopped: bool
    """Whether an operator stopped all sending."""
    queues: dict[str, int]
    """What waits: `default` jobs, `hold` recipients' messages, `accounting` posted batches."""
    domains: dict[str, bool]
    """Whether what DNS has of a sending domain is right; what is not known is not there."""
    blocklists: dict[tuple[str, str], bool]
    """By IP and list, whether it is listed; what is not known is not there."""
    servers: tuple[str, ...] = ()
    """PowerMTA servers of the plan in force."""
    unfinished: dict[str, int] = {}
    """Recipients given to IPs of a server today that accounting has no end of; a server of which no
    record was ever read is not there."""
    bounces: int = 0
    """That accounting told of, ever."""


LINES = 10_000
"""Of what blocklists say, and of domains; beyond it those where all is well are left out."""

STATUSES = ("new", "warming", "active", "paused", "retiring")


async def named(pool: Any, publisher: Publisher, admin: LedgerAdmin) -> Named:
    """Raises redis-py's errors and those of a database that is away."""
    ips = dict.fromkeys(STATUSES, 0)
    ips |= {row["state"]: row["ips"] for row in await pool.fetch(_SQL["ips"])}
    queues = dict(await pool.fetchrow(_SQL["queues"]))
    lists = await pool.fetch(_SQL["blocklists"], LINES)
    domains = await pool.fetch(_SQL["domains"], LINES)
    generation = await publisher.current()
    vmtas = [] if generation is None else generation.vmtas
    used: dict[str, IpUsage] = {}
    now = 0
    for some in chunks(v.ip for v in vmtas):
        now, more = await admin.usage(some)
        used |= more
    sent = {v.ip: used[v.ip].relayed if v.ip in used else 0 for v in vmtas}
    told = {row["server"] for row in await pool.fetch(_SQL["feeds"])}
    ended = {row["ip"]: row["ended"] for row in await pool.fetch(_SQL["ended"], day_of(now))}
    unfinished: dict[str, int] = {}
    for v in vmtas:
        if v.server in told:
            open_still = max(0, sent[v.ip] - ended.get(v.ip, 0))
            unfinished[v.server] = unfinished.get(v.server, 0) + open_still
    return Named(
        ips=ips,
        quotas={v.ip: v.daily for v in vmtas if isinstance(v.daily, int)},
        sent=sent,
        stopped=generation is not None and generation.stopped,
        queues=queues,
        domains={row["domain"]: row["valid"] for row in domains},
        blocklists={(row["subject"], row["zone"]): row["listed"] for row in lists},
        servers=() if generation is None else tuple(one.name for one in generation.servers),
        unfinished=unfinished,
        bounces=await pool.fetchval(_SQL["bounces"]),
    )


Asked = Callable[[], Awaitable[Named]]
