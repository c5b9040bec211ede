"""In which order held mail is asked for, when less may go than waits.

Owns: turns between tenants, and the order within one. Not here: what may go at all (the ledger
decides, and the caller leaves out what is known to be blocked, so that a full provider never
blocks another).
Rule: an order, never a ceiling: as long as anything waits, a round is full.
Failure: none; an empty round for nothing waiting or a size below 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace

import msgspec

EARLY_ONE_IN = 20
"""5 % of a tenant's share of a round, at least one pick: confirmations and password resets that go
before its campaigns. In rounds so small that a tenant has one pick, they all go first."""


class Waiting(msgspec.Struct, frozen=True):
    """One held row that could be asked for now."""

    id: str
    tenant: str
    pool: str
    provider: str
    mailbox: str
    bulk: bool
    """It carries a campaign id, List-Unsubscribe or Precedence."""
    arrived: int
    """Milliseconds of calendar time."""


def order(
    waiting: Sequence[Waiting],
    *,
    round_size: int,
    behind: Mapping[tuple[str, str], int],
    first: str = "",
) -> list[Waiting]:
    """At most `round_size` picks, the first to be asked for at the front. O(n log n).

    `behind[(tenant, mailbox)]`: recipients a mailbox lacks to its daily minimum.
    `first`: the tenant after which the turn begins; with the tenant of the last pick, many small
    rounds are as fair as a big one.

    Tenants take turns, by name. Within one: mail that is not bulk for one pick in 20, oldest first;
    then the oldest of the mailbox that lacks most, again and again; then the oldest of any kind.

    It is exact on a part of what waits that holds `round_size` of the oldest rows of each
    (tenant, pool, provider, bulk), and of each mailbox behind as many of the oldest as it lacks,
    at most `round_size`. No fewer will do: the others may leave a tenant the whole round. A row
    may be there twice (by its group and by its mailbox); it counts once."""
    queues: dict[str, list[Waiting]] = {}
    for row in sorted({row.id: row for row in waiting}.values(), key=_age):
        queues.setdefault(row.tenant, []).append(row)
    # A tenant that is gone by now, or never was, is a place among the names all the same.
    turn = sorted(queues, key=lambda tenant: (tenant <= first, tenant))
    shares = _shares([(tenant, len(queues[tenant])) for tenant in turn], round_size)
    lines = [_line(queues[tenant], share, behind) for tenant, share in shares.items()]
    picks: list[Waiting] = []
    while lines:
        standing = []
        for line in lines:
            if (pick := next(line, None)) is not None:
                picks.append(pick)
                standing.append(line)
        lines = standing
    return picks


def _age(row: Waiting) -> tuple[int, str]:
    return row.arrived, row.id


def _shares(sizes: Sequence[tuple[str, int]], round_size: int) -> dict[str, int]:
    """How many picks turns would give each: equal, what one cannot use goes to the others, and
    what does not divide to the first in turn."""
    shares = dict.fromkeys((tenant for tenant, _ in sizes), 0)
    left, open_sizes = max(round_size, 0), list(sizes)
    for level, (tenant, size) in enumerate(sorted(sizes, key=lambda pair: pair[1])):
        even = left // (len(sizes) - level)
        if size > even:
            open_sizes = [pair for pair in sizes if pair[1] >= size]
            break
        shares[tenant] = size
        left -= size
    else:
        return shares
    even, odd = divmod(left, len(open_sizes))
    for place, (tenant, _) in enumerate(open_sizes):
        shares[tenant] = even + (place < odd)
    return shares


def _line(
    queue: Sequence[Waiting], share: int, behind: Mapping[tuple[str, str], int]
) -> Iterator[Waiting]:
    """One tenant's picks, from its rows by age."""
    taken: set[str] = set()
    lacks: dict[str, int] = {}
    by_mailbox: dict[str, list[Waiting]] = {}
    for row in reversed(queue):
        if (lack := behind.get((row.tenant, row.mailbox), 0)) > 0:
            lacks[row.mailbox] = lack
            by_mailbox.setdefault(row.mailbox, []).append(row)
    early = min(share, max(1, share // EARLY_ONE_IN))
    for row in queue:
        if len(taken) >= early:
            break
        if not row.bulk:
            taken.add(row.id)
            if row.mailbox in lacks:
                lacks[row.mailbox] -= 1
            yield row
    for row in _behind(by_mailbox, lacks, taken):
        if len(taken) >= share:
            return
        taken.add(row.id)
        yield row
    for row in queue:
        if len(taken) >= share:
            return
        if row.id not in taken:
            taken.add(row.id)
            yield row


def _behind(
    by_mailbox: Mapping[str, list[Waiting]], lacks: Mapping[str, int], taken: set[str]
) -> Iterator[Waiting]:
    """Always the oldest row of the mailbox that lacks most; of equals, the one with the older row.
    `by_mailbox` has the oldest row last and is used up."""

    def entry(mailbox: str, lack: int) -> list[tuple[int, int, str, str]]:
        rows = by_mailbox[mailbox]
        while rows and rows[-1].id in taken:
            rows.pop()
        return [(-lack, *_age(rows[-1]), mailbox)] if rows and lack > 0 else []

    heap = [one for mailbox in by_mailbox for one in entry(mailbox, lacks[mailbox])]
    heapify(heap)
    while heap:
        minus, _, _, mailbox = heap[0]
        yield by_mailbox[mailbox].pop()
        if following := entry(mailbox, -minus - 1):
            heapreplace(heap, following[0])
        else:
            heappop(heap)
