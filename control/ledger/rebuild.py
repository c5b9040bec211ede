"""Writing back what a lost ledger held, from PostgreSQL's records, before it opens again.

Owns: counters of IPs and their providers, and duplicate entries. Not here: when it may open
(`control.ledger.loss`), opening (`control.ledger.opening`).
Rules: everything is written before the incarnation is in force, which is what gateways check, so
that none decides on half of it. Counters are raised, never lowered: a ledger that went back keeps
what it still knows. Written twice, it is the same.
Not rebuilt: mailbox maxima and spacing, the windows of tenants, paces. No record names the mailbox,
and the others are over within an hour or a burst.
"""

import logging

import msgspec

from control.store.database import Connection, allow, fetch
from policy.ledger.admin import LedgerAdmin
from policy.ledger.known import Counters, Entry
from policy.limits import day_of
from policy.model import UNLIMITED
from policy.plan import Generation, decode
from settings.hold import Hold
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "ledger")

PLANS = 200
"""Generations looked through for the IP of a VirtualMTA that the present one has no more."""

ENTRIES_OUTLIVE_ROWS = 10 * 86_400.0
"""Seconds; as gateways give them (`gateway.process`)."""

_READ_AT_ONCE = 5_000

LONGEST = 3_600.0
"""Seconds for one statement: these read all that waits and all that was sent within its life, while
nothing may be sent; cut short they would begin again and never end."""


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


class _Count(msgspec.Struct, frozen=True):
    day: int
    vmta: str
    provider: str
    count: int


async def write_back(
    connection: Connection, admin: LedgerAdmin, generation: Generation, now: int, hold: Hold
) -> tuple[int, int]:
    """Raise the counters and write the entries; (IP days, entries) written.

    `connection` in a transaction, `now` in calendar milliseconds."""
    await allow(connection, LONGEST)
    counters = await known_counters(connection, generation, day_of(now))
    await admin.raise_counters(counters)
    await admin.free_entries()
    entries = 0
    kept = {"sent_kept": hold.sent_kept, "entry_kept": hold.age + ENTRIES_OUTLIVE_ROWS}
    # The surest last: a message of which only a copy tells, then those that wait here, then those
    # that PowerMTA has; such a one is sent, whatever else waits under its key.
    since = now - int(hold.sent_kept * 1000)
    sources = (
        ("whole_entries", (since,)),
        ("behind_entries", ()),
        ("held_entries", ()),
        ("sent_entries", (since,)),
    )
    for statement, arguments in sources:
        chunk: list[Entry] = []
        cursor = connection.cursor(
            _SQL[statement], *arguments, prefetch=_READ_AT_ONCE, timeout=LONGEST
        )
        async for row in cursor:
            chunk.append(msgspec.convert(dict(row), Entry))
            if len(chunk) == _READ_AT_ONCE:
                entries += await admin.put_entries(chunk, **kept)
                chunk.clear()
        entries += await admin.put_entries(chunk, **kept)
    return len(counters), entries


async def known_counters(
    connection: Connection, generation: Generation, today: int
) -> list[Counters]:
    """Recipients by IP and day of grant, for yesterday, today and tomorrow (the day may turn
    meanwhile): those PowerMTA took, and those of which nobody knows."""
    counts: list[_Count] = []
    for statement in ("relayed", "charged"):
        counts += await fetch(
            connection, _Count, _SQL[statement], today - 1, today + 1, timeout=LONGEST
        )
    ips = await _ips(connection, generation, {count.vmta for count in counts})
    days: dict[tuple[str, int], dict[str, int]] = {}
    for count in counts:
        if (ip := ips.get(count.vmta)) is None:
            log.warning("%d recipients of the unknown VirtualMTA %s", count.count, count.vmta)
            continue
        providers = days.setdefault((ip, count.day), {})
        providers[count.provider] = providers.get(count.provider, 0) + count.count
    return [
        Counters(ip, day, sum(providers.values()), providers)
        for (ip, day), providers in days.items()
    ]


async def _ips(connection: Connection, generation: Generation, names: set[str]) -> dict[str, str]:
    """VirtualMTA to IP; a renamed or removed one by the last generation that had it."""
    found = {name: vmta.ip for name, vmta in generation.vmta.items()}
    if names <= found.keys():
        return found
    for row in await connection.fetch(_SQL["plans"], PLANS):
        for vmta in decode(row["encoded"]).vmtas:
            found.setdefault(vmta.name, vmta.ip)
    return found


async def close_ips(
    admin: LedgerAdmin, generation: Generation, lost: dict[str, str], day: int
) -> Closed:
    """Let every IP that has a quota and lives on a server in `lost` open `day` exhausted; what it
    sent on that day is not known, and at most its quota. Unlimited ones may send.

    By the opening figure, which leaves the count of what is granted afterwards true."""
    vmtas = [v for v in generation.vmtas if v.server in lost and v.daily != UNLIMITED]
    _, usage = await admin.usage([v.ip for v in vmtas])
    closed = Closed(day, {}, {v.server: lost[v.server] for v in vmtas})
    for vmta in vmtas:
        assert vmta.daily != UNLIMITED
        opening = usage[vmta.ip].opening
        await admin.set_opening(vmta.ip, day, max(vmta.daily, opening), {})
        closed.ips[vmta.ip] = ClosedIp(vmta.server, opening)
    return closed


async def free_ips(admin: LedgerAdmin, closed: Closed) -> None:
    """Undo `close_ips`."""
    for ip, was in closed.ips.items():
        await admin.set_opening(ip, closed.day, was.opening, {})
