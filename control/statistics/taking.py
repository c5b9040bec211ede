"""Records become counters: the door's consumer.

Rule: all of a batch is added up first, and each row of a table changes once, in the order of its
key, the tables in one order: two transactions wait for each other and never in a circle.
Failure: the transaction is the door's; what was not committed is met again.
"""

from collections import Counter
from collections.abc import Set
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple

from control.accounting.columns import storable
from control.accounting.door import Batch
from control.accounting.fact import Fact
from control.statistics import names
from control.statistics.counts import (
    ATTEMPTS,
    WIDTH,
    Increments,
    category_in,
    counts,
    day_counted,
    increments_of,
    outcome_of,
)
from control.statistics.names import Name, Names
from control.statistics.owner import Owner, Told, address_of, owners, told
from control.statistics.tables import (
    CAMPAIGN,
    CATEGORY,
    DETAIL,
    IP,
    MAILBOX,
    PAIR,
    addition,
)
from control.store.database import Connection
from policy.address import mailbox_of, normal_domain
from policy.author import FromProblem, from_mailbox
from policy.limits import day_of
from policy.provider import OTHER as OTHER_PROVIDER
from policy.provider import provider_of
from settings.statements import statements

_SQL = statements(__package__, "statistics")

_ADD = {table: addition(table) for table in (IP, CAMPAIGN, MAILBOX, PAIR, DETAIL, CATEGORY)}

IMPORT = "import"
"""Origin of history: it says nothing of how far records have come."""

_LONGEST = 254
"""Characters of a name that are kept: of an address, which campaigns are shorter than."""


class _Heap(NamedTuple):
    """What records have in common; how many there are is counted."""

    day: int
    vmta: str
    source_ip: str
    message: str
    """Of those that name no VirtualMTA: what else is known stands under it."""
    job: str
    domain: str
    mailbox: str
    outcome: str
    ours: bool


_Place = tuple[int, str, str, str, str, str]
"""Where a heap counts: day, IP, tenant, campaign, provider, mailbox."""

_GOOD = frozenset("rdt")
"""Outcomes that pause no IP."""

_Rows = dict[Any, Increments]
"""Of a table, by key."""


class Statistics:
    """`names_most`: campaigns, and mailboxes, that count by name for each tenant and day."""

    def __init__(self, names_most: int) -> None:
        self._names = Names(names_most)

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:
        """As `control.accounting.door.Consumer`."""
        attempts = [fact.at for fact in batch.facts if fact.kind in ATTEMPTS]
        if attempts and batch.origin != IMPORT:
            await connection.execute(_SQL["feed"], batch.server, min(attempts), now)
        latest = day_of(now) + 1
        heaps = Counter(_heap(fact, latest) for fact in batch.facts if counts(fact))
        if not heaps:
            return
        known = await owners(
            connection,
            {storable(heap.vmta) for heap in heaps},
            {heap.source_ip for heap in heaps},
        )
        absent = await told(connection, {heap.message for heap in heaps if heap.message})
        whose: dict[tuple[int, str, str], Owner] = {}
        places: list[tuple[_Place, str, bool, int]] = []
        for heap, count in heaps.items():
            day, vmta, source_ip, message, job, domain, mailbox, outcome, ours = heap
            more = absent.get(message) or _NOTHING
            asked = (day, vmta or more.vmta, source_ip)
            owner = whose.get(asked)
            if owner is None:
                owner = known.of(day, storable(asked[1]), source_ip)
                if more.vmta and not owner.ip:
                    later = await owners(connection, {more.vmta}, set())
                    owner = later.of(day, more.vmta, "")
                whose[asked] = owner
            tenant, campaign = owner.tenant or more.tenant, _name(job or more.campaign)
            provider = _provider(domain or more.domain)
            place = (day, owner.ip, tenant, campaign, provider, _name(mailbox))
            places.append((place, outcome, ours, count))
        wanted = {
            (day, tenant, names.CAMPAIGN, campaign)
            for (day, _, tenant, campaign, _, _), *_ in places
        }
        wanted |= {
            (day, tenant, names.MAILBOX, mailbox) for (day, _, tenant, *_, mailbox), *_ in places
        }
        own: Set[tuple[int, str, str, str]] = await self._names.admitted(
            connection, (Name(*one) for one in wanted)
        )
        beyond = {one for one in wanted if one[3] and one not in own}
        sums = _Sums()
        for place, outcome, ours, count in places:
            sums.add(_bounded(place, beyond) if beyond else place, outcome, count, ours=ours)
        await sums.put(connection)
        # Bounces and complaints: what may pause an IP is looked at soon.
        grave = {ip for (_, ip, *_), outcome, *_ in places if outcome not in _GOOD} - {""}
        if grave:
            await connection.execute(_SQL["changed"], sorted(grave), now)


class _Sums:
    """Of one batch, by key."""

    def __init__(self) -> None:
        self._details: _Rows = {}
        self._mailboxes: _Rows = {}
        self._categories: _Rows = {}

    def add(self, place: _Place, outcome: str, count: int, *, ours: bool) -> None:
        """That `count` records of one kind belong there."""
        detail, mailbox = place[:5], (place[0], place[2], place[5])
        details = self._details.get(detail)
        if details is None:
            details = self._details[detail] = [0] * WIDTH
        mailboxes = self._mailboxes.get(mailbox)
        if mailboxes is None:
            mailboxes = self._mailboxes[mailbox] = [0] * WIDTH
        for column in _added(outcome, ours):
            details[column] += count
            mailboxes[column] += count
        if category := category_in(outcome):
            day, ip, tenant, _, provider, _ = place
            self._categories.setdefault((day, ip, tenant, provider, category), [0])[0] += count

    async def put(self, connection: Connection) -> None:
        """Table after table, row after row in the order of their keys."""
        ips: _Rows = {}
        campaigns: _Rows = {}
        pairs: _Rows = {}
        for (day, ip, tenant, campaign, provider), numbers in self._details.items():
            for rows, key in (
                (ips, (day, ip, tenant, provider)),
                (campaigns, (day, tenant, campaign, provider)),
                (pairs, (day, ip, campaign, tenant)),
            ):
                before = rows.get(key)
                rows[key] = numbers if before is None else list(map(add, before, numbers))
        for table, rows in (
            (IP, ips),
            (CAMPAIGN, campaigns),
            (MAILBOX, self._mailboxes),
            (PAIR, pairs),
            (DETAIL, self._details),
            (CATEGORY, self._categories),
        ):
            if rows:
                await connection.execute(_ADD[table], *_columns(rows, len(table.counted)))


def _columns(rows: _Rows, width: int) -> list[list[Any]]:
    """An array for each key and each of `width` counters; none at all of one that stays: every
    value of an array costs the driver more than counting it did."""
    keys = sorted(rows)
    columns = [list(column) for column in zip(*keys, strict=True)]
    counted = list(zip(*map(rows.__getitem__, keys), strict=True))[:width]
    return columns + [list(column) if any(column) else [] for column in counted]


_NOTHING = Told("", "", "", "")


@lru_cache(maxsize=256)
def _added(outcome: str, ours: bool) -> tuple[int, ...]:
    """Numbers of the columns that one record is counted in."""
    return tuple(at for at, n in enumerate(increments_of(outcome, ours=ours)) if n)


def _heap(fact: Fact, latest: int) -> _Heap:
    envelope = fact.envelope
    nameless = envelope is not None and not fact.vmta
    return _Heap(
        day_counted(fact, latest),
        fact.vmta,
        address_of(fact.source_ip),
        envelope.message if envelope is not None and nameless else "",
        fact.job,
        fact.rcpt.rpartition("@")[2].lower(),
        mailbox(fact.author, fact.orig),
        outcome_of(fact),
        envelope is not None,
    )


@lru_cache(maxsize=8192)
def mailbox(author: str, orig: str) -> str:
    """The mailbox that sent it: the From field's, else the return path's; '' for none. A return
    path with `=` in it is made for each recipient (VERP), and names nobody's mailbox."""
    if author:
        found = from_mailbox(author)
        if not isinstance(found, FromProblem):
            return found
    local = orig.rpartition("@")[0]
    return "" if "=" in local else mailbox_of(orig) or ""


def _provider(domain: str) -> str:
    """As it is known now: whose servers a domain has may be learnt while we run."""
    normal = _normal(domain)
    return OTHER_PROVIDER if normal is None else provider_of(normal)


_normal = lru_cache(maxsize=8192)(normal_domain)


@lru_cache(maxsize=8192)
def _name(text: str) -> str:
    return storable(text)[:_LONGEST]


def _bounded(place: _Place, beyond: Set[tuple[int, str, str, str]]) -> _Place:
    """With `other` in place of names that are not let in."""
    day, ip, tenant, campaign, provider, mailbox = place
    if (day, tenant, names.CAMPAIGN, campaign) in beyond:
        campaign = names.OTHER
    if (day, tenant, names.MAILBOX, mailbox) in beyond:
        mailbox = names.OTHER
    return (day, ip, tenant, campaign, provider, mailbox)
