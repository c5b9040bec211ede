"""Whose turn it is: tenants by weight, over however many rounds.

Owns: the turns. Start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996): a turn begins where the
tenant's turn before ended, or now if that is later, and lasts 1 ÷ weight; the one that begins first
is next. Who was away has saved nothing up, and stands behind nobody's backlog.

Bound: while a tenant of weight w waits, another one of weight v gets at most v ÷ w + 1 turns before
it, however much that one has waiting (proof: the other's turns begin within the 1 ÷ w that ours
begins from now, and each lasts 1 ÷ v).
Failure: none; a weight of 0 or less is not one (`policy.model`).
"""

from collections.abc import Mapping
from heapq import heapify, heappop, heapreplace


class Turns:
    """Remembers where each tenant's next turn begins."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ends: dict[str, float] = {}
        self._served: dict[str, int] = {}
        self._count = 0

    def share_out(
        self, rooms: Mapping[str, int], weights: Mapping[str, float], size: int
    ) -> list[str]:
        """At most `size` turns in order, and no more for each tenant than it has room for; a
        tenant that `weights` does not name weighs 1. Of equals, who waited longest."""
        heap = [
            (max(self._ends.get(name, 0.0), self._now), self._served.get(name, 0), name)
            for name, room in rooms.items()
            if room > 0
        ]
        heapify(heap)
        left = dict(rooms)
        turns: list[str] = []
        while heap and len(turns) < size:
            begins, _, name = heap[0]
            turns.append(name)
            self._now = begins
            self._count += 1
            self._served[name] = self._count
            self._ends[name] = ends = begins + 1.0 / weights.get(name, 1.0)
            left[name] -= 1
            if left[name]:
                heapreplace(heap, (ends, self._count, name))
            else:
                heappop(heap)
        return turns

    def forget(self, names: frozenset[str]) -> None:
        """All but these tenants."""
        for gone in self._ends.keys() - names:
            del self._ends[gone], self._served[gone]
