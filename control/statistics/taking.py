"""Records become counters: the door's consumer.

Rule: all of a batch is added up first, and each row of a table changes once, in the order of its
key, the tables in one order: two transactions wait for each other and never in a circle.
Failure: the transaction is the door's; what was not committed is met again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from control.accounting.columns import storable
from control.accounting.door import Batch
from control.accounting.fact import Fact
from control.statistics.counts import (
    ATTEMPTS,
    COLUMNS,
    WIDTH,
    Increments,
    category_in,
    counts,
    increments_of,
    outcome_of,
)
from control.statistics.names import CAMPAIGN, MAILBOX, OTHER, Name, Names
from control.statistics.owner import Told, address_of, owners, told
from control.store.database import Connection
from policy.address import mailbox_of, normal_domain
from policy.author import FromProblem, from_mailbox
from policy.limits import day_of
from policy.provider import OTHER as OTHER_PROVIDER
from policy.provider import provider_of
from settings.statements import statements

_SQL = statements(__package__, "statistics")

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


class _Place(NamedTuple):
    """Where a heap counts."""

    day: int
    tenant: str
    ip: str
    campaign: str
    provider: str
    mailbox: str


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
        places = []
        for heap, count in heaps.items():
            more = absent.get(heap.message) or _NOTHING
            owner = known.of(heap.day, storable(heap.vmta or more.vmta), heap.source_ip)
            if more.vmta and not owner.ip:
                later = await owners(connection, {more.vmta}, set())
                owner = later.of(heap.day, more.vmta, "")
            place = _Place(
                heap.day,
                owner.tenant or more.tenant,
                owner.ip,
                _name(heap.job or more.campaign),
                _provider(heap.domain or more.domain),
                _name(heap.mailbox),
            )
            places.append((place, heap.outcome, heap.ours, count))
        own = await self._names.admitted(connection, _wanted(place for place, *_ in places))
        sums = _Sums()
        for place, outcome, ours, count in places:
            sums.add(_bounded(place, own), outcome, count, ours=ours)
        await sums.put(connection)


class _Sums:
    """Of one batch, by table and key."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[int | str, ...], Increments]] = {
            name: {} for name in ("add_ip", "add_campaign", "add_mailbox", "add_detail")
        }
        self._categories: Counter[tuple[int | str, ...]] = Counter()

    def add(self, place: _Place, outcome: str, count: int, *, ours: bool) -> None:
        """That `count` records of one kind belong there."""
        day, tenant, ip, campaign, provider, mailbox = place
        added = _added(outcome, ours)
        for table, key in (
            ("add_ip", (day, tenant, ip, provider)),
            ("add_campaign", (day, tenant, campaign, provider)),
            ("add_mailbox", (day, tenant, mailbox)),
            ("add_detail", (day, tenant, ip, campaign, provider)),
        ):
            sums = self._tables[table].setdefault(key, [0] * WIDTH)
            for column in added:
                sums[column] += count
        if category := category_in(outcome):
            self._categories[day, tenant, ip, provider, category] += count

    async def put(self, connection: Connection) -> None:
        """Table after table, row after row in the order of their keys."""
        for table, rows in self._tables.items():
            keys = sorted(rows)
            columns = [list(column) for column in zip(*keys, strict=True)]
            numbers = [list(column) for column in zip(*map(rows.__getitem__, keys), strict=True)]
            await connection.execute(_SQL[table], *columns, *numbers[: _WIDTHS[table]])
        if self._categories:
            found = sorted(self._categories.items())
            keyed = [list(column) for column in zip(*(key for key, _ in found), strict=True)]
            await connection.execute(_SQL["add_category"], *keyed, [count for _, count in found])


_WIDTHS = {"add_ip": WIDTH, **dict.fromkeys(("add_campaign", "add_mailbox", "add_detail"), -1)}
"""How many counters a table has: `ended` is of the IP alone, whose limits it is for."""
_NOTHING = Told("", "", "", "")
assert COLUMNS[-1] == "ended"


@lru_cache(maxsize=256)
def _added(outcome: str, ours: bool) -> tuple[int, ...]:
    """Numbers of the columns that one record is counted in."""
    return tuple(at for at, n in enumerate(increments_of(outcome, ours=ours)) if n)


def _day(fact: Fact, latest: int) -> int:
    """Of its grant; of what the gateway did not grant, of the time PowerMTA took it. What claims to
    be of a day that has not come counts on the one it was written."""
    day = day_of(fact.queued or fact.at) if fact.envelope is None else fact.envelope.day
    return day if day <= latest else day_of(fact.at)


def _heap(fact: Fact, latest: int) -> _Heap:
    envelope = fact.envelope
    nameless = envelope is not None and not fact.vmta
    return _Heap(
        _day(fact, latest),
        fact.vmta,
        address_of(fact.source_ip),
        envelope.message if envelope is not None and nameless else "",
        fact.job,
        fact.rcpt.rpartition("@")[2].lower(),
        _mailbox(fact.author, fact.orig),
        outcome_of(fact),
        envelope is not None,
    )


@lru_cache(maxsize=8192)
def _mailbox(author: str, orig: str) -> str:
    """The mailbox that sent it: the From field's, else the return path's; '' for none. A return
    path with `=` in it is made for each recipient (VERP), and names nobody's mailbox."""
    if author:
        found = from_mailbox(author)
        if not isinstance(found, FromProblem):
            return found
    local = orig.rpartition("@")[0]
    return "" if "=" in local else mailbox_of(orig) or ""


@lru_cache(maxsize=8192)
def _provider(domain: str) -> str:
    normal = normal_domain(domain)
    return OTHER_PROVIDER if normal is None else provider_of(normal)


@lru_cache(maxsize=8192)
def _name(text: str) -> str:
    return storable(text)[:_LONGEST]


def _wanted(places: Iterable[_Place]) -> Iterator[Name]:
    for place in places:
        yield Name(place.day, place.tenant, CAMPAIGN, place.campaign)
        yield Name(place.day, place.tenant, MAILBOX, place.mailbox)


def _bounded(place: _Place, own: set[Name]) -> _Place:
    """With `other` in place of names that are not let in."""
    day, tenant = place.day, place.tenant
    campaign, mailbox = place.campaign, place.mailbox
    if campaign and Name(day, tenant, CAMPAIGN, campaign) not in own:
        campaign = OTHER
    if mailbox and Name(day, tenant, MAILBOX, mailbox) not in own:
        mailbox = OTHER
    return place._replace(campaign=campaign, mailbox=mailbox)
