"""How many requests a minute, of each of many: the generic cell rate algorithm, pure.

Rule: one number a key, the moment at which all that was taken is given back (ITU-T I.371, annex A,
as virtual scheduling). A key whose moment is over is as one never seen, so that dropping it
changes nothing, and nothing is left of who asks no more. Those whose moment is ahead are never
dropped: who could push its own out would begin anew. When there is no room, keys that are new share
one allowance, and those that are known keep theirs.
"""

import math
from typing import NamedTuple

WINDOW = 60.0
"""Seconds that an allowance is of."""


class Left(NamedTuple):
    """What a request met."""

    most: int
    """Requests in WINDOW."""
    remaining: int
    """More of them now."""
    wait: float
    """Seconds until there is one more than that."""

    @property
    def seconds(self) -> int:
        """The same in whole ones."""
        return math.ceil(self.wait)


class Allowance:
    """`most` requests in WINDOW, all at once or one by one; of at most `keys` who are known."""

    def __init__(self, most: int, keys: int) -> None:
        self.most = most
        self._keys = keys
        self._step = WINDOW / most
        self._free: dict[str, float] = {}
        self._shared = -math.inf
        self._look = -math.inf

    def __len__(self) -> int:
        """Keys that are kept."""
        return len(self._free)

    def see(self, key: str, now: float) -> Left:
        """What is left, nothing taken."""
        self._forget(now)
        return self._left(self._moment(key), now)

    def take(self, key: str, now: float) -> Left:
        """What is left when one is taken, of who `see` said has one."""
        after = max(self._moment(key), now) + self._step
        if self._known(key):
            self._free[key] = after
        else:
            self._shared = after
        return self._left(after, now)

    def _moment(self, key: str) -> float:
        return self._free.get(key, -math.inf) if self._known(key) else self._shared

    def _known(self, key: str) -> bool:
        """Whether it has an allowance of its own, or may get one."""
        return key in self._free or len(self._free) < self._keys

    def _forget(self, now: float) -> None:
        """All whose moment is over: each window, and where there is no room once a second, for it
        looks at every one."""
        if now >= self._look + (1.0 if len(self._free) >= self._keys else WINDOW):
            self._free = {key: free for key, free in self._free.items() if free > now}
            self._look = now

    def _left(self, moment: float, now: float) -> Left:
        taken = max(0.0, moment - now)
        # The tolerance: sums of steps miss the window by some 1e-12.
        remaining = max(0, math.floor((WINDOW - taken) / self._step + 1e-6))
        wait = taken + (remaining + 1) * self._step - WINDOW
        return Left(self.most, remaining, max(0.0, wait))
