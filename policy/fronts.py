"""Whose turn is next in several groups of a tenant, and who is near it.

Owns: reading the heaps of `policy.fairness`, where an entry may be void, or stand too far in front.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace

from policy.fairness import Entry, Line, Standing


def front(heap: list[Entry], *, by_age: bool) -> Entry | None:
    """The first that is true."""
    while heap:
        entry = heap[0]
        line = entry[2]
        if entry[1] != line.version:
            heappop(heap)
        elif not by_age and entry[0] != line.box.rank + line.head:
            heapreplace(heap, (line.box.rank + line.head, line.version, line))
        else:
            return entry
    return None


def unread(standings: Sequence[Standing], share: int, early: int) -> list[Line]:
    """Lines among the next `share` (and the next `early` that are no campaigns) of which no row is
    known, or their last: with that one gone nobody knows where they begin, and they stand before
    all others until they are read. One read of many costs less than many."""
    found: dict[int, Line] = {}
    for number, heaps in (
        (early, [standing.early for standing in standings]),
        (share, [standing.line for standing in standings]),
    ):
        for line in _foremost(heaps, number):
            if not line.rows or (line.unread > 0 and len(line.rows) == 1):
                found[id(line)] = line
    return list(found.values())


class Fronts:
    """Whose turn is next in several groups. Made anew after lines were read or announced."""

    __slots__ = ("_by_age", "_fronts", "_heaps")

    def __init__(self, standings: Sequence[Standing], *, by_age: bool) -> None:
        """By age alone: of what is no campaign."""
        self._by_age = by_age
        self._heaps = [s.early if by_age else s.line for s in standings]
        self._fronts = [(heap[0], place) for place, heap in enumerate(self._heaps) if heap]
        heapify(self._fronts)

    def first(self) -> Line | None:
        """None: nobody's."""
        fronts = self._fronts
        while fronts:
            known, place = fronts[0]
            found = front(self._heaps[place], by_age=self._by_age)
            if found is not None and found[2] is known[2] and found[:2] == known[:2]:
                return known[2]
            if found is None:
                heappop(fronts)
            else:
                heapreplace(fronts, (found, place))
        return None


def _foremost(heaps: Sequence[list[Entry]], number: int) -> Iterator[Line]:
    """Lines of the `number` first entries of them all, in no more steps than that takes."""
    ahead = [(heap[0], place, 0) for place, heap in enumerate(heaps) if heap]
    heapify(ahead)
    while ahead and number > 0:
        entry, place, index = heappop(ahead)
        heap = heaps[place]
        if entry[1] == entry[2].version:
            number -= 1
            yield entry[2]
        for child in (2 * index + 1, 2 * index + 2):
            if child < len(heap):
                heappush(ahead, (heap[child], place, child))
