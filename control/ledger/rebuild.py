"""Writing back what a lost ledger held, from PostgreSQL's records, before it opens again.

Owns: counters of IPs and their providers, and duplicate entries. Not here: when it may open
(`control.ledger.loss`), what stays closed (`control.ledger.closed`), opening
(`control.ledger.opening`).
Rules: everything is written before the incarnation is in force, which is what gateways check, so
that none decides on half of it. Counters are raised, never lowered: a ledger that went back keeps
what it still knows. Written twice, it is the same.
What went around the gateways counts as well.
Counts are the IP's: what was booked names it, and for the rest it is what its VirtualMTA was on
that day (`vmta_ip`; `former` for what an older version booked). Two at once have it both.
Where mailboxes' ramps began is what the ledger said last (`control.progress.began`): no older, so
that a ramp is at the stage it was at, or begins anew at its first.
Not rebuilt: mailbox maxima and spacing, the windows of tenants, paces. No record names the mailbox,
and the others are over within an hour or a burst.
"""

import logging
from collections.abc import Mapping

import msgspec

from control.ledger.former import former
from control.store.database import Connection, allow, fetch
from policy.ledger.admin import LedgerAdmin
from policy.ledger.known import Counters, Entry
from policy.ledger.mailboxes import go_on
from policy.limits import DAY, day_of
from policy.mailbox import IDLE_DAYS
from settings.hold import Hold
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "ledger")

ENTRIES_OUTLIVE_ROWS = 10 * 86_400.0
"""Seconds; as gateways give them (`gateway.process`)."""

_READ_AT_ONCE = 5_000

LONGEST = 3_600.0
"""Seconds for one statement: these read all that waits and all that was sent within its life, while
nothing may be sent; cut short they would begin again and never end."""


class Written(msgspec.Struct, frozen=True):
    """What was written back."""

    counters: int
    """IP days."""
    entries: int
    mailboxes: int
    """Whose ramps go on."""
    unknown: str
    """Why there may be charges of IPs that nobody can name; '': there are none."""


class _Count(msgspec.Struct, frozen=True):
    day: int
    vmta: str
    ip: str
    """'' where nobody wrote it down."""
    provider: str
    count: int


async def write_back(connection: Connection, admin: LedgerAdmin, now: int, hold: Hold) -> Written:
    """Raise the counters and write the entries.

    `connection` in a transaction, `now` in calendar milliseconds."""
    await allow(connection, LONGEST)
    counters, unknown = await known_counters(connection, day_of(now))
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
    return Written(len(counters), entries, await _ramps(connection, admin, day_of(now)), unknown)


async def _ramps(connection: Connection, admin: LedgerAdmin, today: int) -> int:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    records = await connection.fetch(_SQL["began"], today - IDLE_DAYS, timeout=LONGEST)
    for tenant, mailbox, first, day in records:
        found.setdefault(tenant, {})[mailbox] = first, day
    for tenant, began in found.items():
        await go_on(admin.client, admin.root, tenant, began)
    return len(records)


async def known_counters(connection: Connection, today: int) -> tuple[list[Counters], str]:
    """Recipients by IP and day of grant, for yesterday, today and tomorrow (the day may turn
    meanwhile): those PowerMTA took, those of which nobody knows, and those that went around the
    gateways. With why there may be more of IPs that nobody can name, or ''."""

    async def read(statement: str) -> list[_Count]:
        days = (today - 1, today + 1)
        return await fetch(connection, _Count, _SQL[statement], *days, timeout=LONGEST)

    around = await read("bypass")
    counts = [*await read("relayed"), *await read("charged"), *around]
    unnamed = [count for count in counts if not count.ip]
    ips: Mapping[str, set[str]] = {}
    unknown = ""
    if unnamed:
        since = min(count.day for count in unnamed) * DAY / 1000
        plans = await former(connection, {count.vmta for count in unnamed}, since)
        ips, unknown = plans.ips, plans.unknown
        if unknown:
            log.error("charges whose IP is not known: %s", unknown)
    days: dict[tuple[str, int], dict[str, int]] = {}
    for count in counts:
        # A name that was two IPs': who of them sent is not known, and too high is not too low.
        its = {count.ip} if count.ip else ips.get(count.vmta, set())
        if not its:
            log.warning("%d recipients of the unknown VirtualMTA %s", count.count, count.vmta)
        for ip in its:
            providers = days.setdefault((ip, count.day), {})
            providers[count.provider] = providers.get(count.provider, 0) + count.count
    apart: dict[tuple[str, int], dict[str, int]] = {}
    for count in around:
        apart.setdefault((count.ip, count.day), {})[count.provider] = count.count
    found = [
        Counters(ip, day, sum(providers.values()), providers, apart.get((ip, day), {}))
        for (ip, day), providers in days.items()
    ]
    return found, unknown
