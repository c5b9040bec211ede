"""From when on the looks at a stream show that nothing is missing. Pure."""

from control.accounting.look import Look

SKEW = 3_600_000
"""Milliseconds by which PowerMTA's clock may be wrong, where its times say since when its records
are complete."""


class Since:
    """Of one stream. `first`: it was never read to its end."""

    def __init__(self, *, first: bool) -> None:
        self._first = first
        self._run = 0
        """Time of the oldest record behind the last place where nothing was proved; 0: none."""

    def behind(self, found: Look, began: int) -> int:
        """Behind this look, which began then (calendar milliseconds); never later."""
        oldest = found.receipts.oldest
        if found.begins or not self._run:
            self._run = oldest
        elif oldest:
            self._run = min(self._run, oldest)
        # What the first reading shows is known when it is through: until then a day may turn
        # behind which nothing is proved.
        since = self._run + SKEW if self._first and found.end and self._run else began
        self._first = self._first and not found.end
        return min(since, began)
