"""What waits to travel to the ledger, in order, and how much of it goes in one call.

Rule: a change of an entry, which costs the ledger little and which nobody waits for, takes no
reservation's place; and neither do those fill a call that somebody waits for.
"""

import asyncio
import math
from collections.abc import Iterable

from policy.ledger_port import Change, Decision, Item


class Asked:
    """One item on its way. Nobody waits for a refund or a change."""

    __slots__ = ("answer", "deadline", "item")

    def __init__(
        self,
        item: Item,
        answer: asyncio.Future[Decision] | None = None,
        deadline: float = math.inf,
    ) -> None:
        """`deadline`: loop time at which who waits is turned away."""
        self.item = item
        self.answer = answer
        self.deadline = deadline


class Queue:
    """`batch`: most items of a call that are no changes, and most changes."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._items: list[Asked] = []
        self.asking = 0
        """How many of them somebody waits for."""

    def __len__(self) -> int:
        return len(self._items)

    def all(self) -> list[Asked]:
        """What waits, the oldest first."""
        return self._items

    @property
    def urgent(self) -> bool:
        """Somebody waits, or a call would be full."""
        return self.asking > 0 or len(self._items) >= self._batch

    def add(self, asked: Asked) -> None:
        """At the end."""
        self._items.append(asked)
        if asked.answer is not None:
            self.asking += 1

    def first(self, changes: Iterable[Change]) -> None:
        """Put changes in front of all else."""
        self._items = [*[Asked(change) for change in changes], *self._items]

    def cut(self) -> list[Asked]:
        """The head of the queue: one call."""
        changes = others = end = 0
        for asked in self._items:
            if isinstance(asked.item, Change):
                changes += 1
            else:
                others += 1
            if changes > self._batch or others > self._batch:
                break
            end += 1
        batch, self._items = self._items[:end], self._items[end:]
        self.asking -= sum([asked.answer is not None for asked in batch])
        return batch

    def take(self) -> list[Asked]:
        """All of it; nothing is left."""
        found, self._items, self.asking = self._items, [], 0
        return found
