"""IPs that stay closed for the rest of a day, because what they sent on it is not known.

Not here: whether it is known (`control.ledger.loss`).
"""

import msgspec

from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin
from policy.model import UNLIMITED
from policy.plan import Generation
from settings.statements import statements

_SQL = statements(__package__, "ledger")

FULL = 1_000_000_000_000
"""What an IP opens its day at that is in no plan now: whatever quota it gets when it is added
again, it had more. More digits Lua would write with an exponent."""


class ClosedIp(msgspec.Struct, frozen=True):
    """An IP that sends nothing more on a day."""

    server: str
    opening: int
    """What its day opened at before."""


class Closed(msgspec.Struct, frozen=True):
    """What stays closed on `day`."""

    day: int = 0
    ips: dict[str, ClosedIp] = {}
    why: dict[str, str] = {}
    """By server."""


async def servers_of(connection: Connection, plan: Generation, day: int) -> list[str]:
    """Servers that have a VirtualMTA, or had one on `day`: what was removed may come again before
    the day is over, and has its counts still."""
    rows = await connection.fetch(_SQL["ips_of_day"], day)
    return sorted({v.server for v in plan.vmtas} | {row["server"] for row in rows})


async def close_ips(
    connection: Connection,
    admin: LedgerAdmin,
    generation: Generation,
    lost: dict[str, str],
    day: int,
    unknown: str = "",
) -> Closed:
    """Let every IP that has a quota and lived on a server in `lost` on `day` open it exhausted;
    what it sent on that day is not known, and at most its quota. Unlimited ones may send. One that
    was removed meanwhile may be added again before the day is over, with any quota.

    `unknown`: why there may be charges of which only a VirtualMTA is known, and not the IP; any
    server's, then. By the least that the day opens at, which leaves the count of what is granted
    afterwards true, and stands whatever carry-over publishes."""
    if unknown:
        servers_lost = await servers_of(connection, generation, day)
        lost = dict.fromkeys(servers_lost, unknown) | lost
    vmtas = {v.ip: v for v in generation.vmtas}
    servers = {v.ip: v.server for v in generation.vmtas if v.server in lost}
    for row in await connection.fetch(_SQL["ips_of_day"], day):
        if row["server"] in lost:
            servers.setdefault(row["ip"], row["server"])
    if not servers:
        return Closed()
    _, usage = await admin.usage(list(servers))
    closed = Closed(day, {}, {})
    for ip, server in servers.items():
        daily = vmtas[ip].daily if ip in vmtas else FULL
        if daily == UNLIMITED:
            continue
        opening = usage[ip].opening
        await admin.set_opening(ip, day, opening, {}, least=max(daily, opening))
        closed.ips[ip] = ClosedIp(server, opening)
        closed.why[server] = lost[server]
    return closed


async def free_ips(admin: LedgerAdmin, closed: Closed) -> None:
    """Undo `close_ips`."""
    for ip, was in closed.ips.items():
        await admin.set_opening(ip, closed.day, was.opening, {}, least=0)
