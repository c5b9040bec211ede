"""Limits of any minute and any hour, looked for in the seconds in which PowerMTA took mail. Pure.

A message is granted, and taken a little later: within `relay.budget`, 20 s. So what was taken in
a span that much shorter was granted within the whole span, and no such span has more than the
limit, wherever it begins. What was under way when the clock moved was granted on the other side
of the move: it may count beside the limit in spans that have the move in them.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping

MINUTE, HOUR = 60, 3_600
LATE = 20
"""Seconds from a grant to PowerMTA's receipt, at most."""

Taken = dict[str, Counter[int]]
"""Who, to second since 1970, to recipients."""


def taken() -> Taken:
    """Empty."""
    return defaultdict(Counter)


def fullest(seconds: Mapping[int, int], span: int, moved: Mapping[int, int]) -> tuple[int, int]:
    """(the most recipients in any span, less what was under way when the clock moved in it; the
    second at which that span ends). `span` in seconds."""
    most, at = 0, 0
    inside: deque[tuple[int, int]] = deque()
    moves: deque[tuple[int, int]] = deque()
    coming = deque(sorted(moved.items()))
    count = late = 0
    for second, here in sorted(seconds.items()):
        inside.append((second, here))
        count += here
        while coming and coming[0][0] <= second:
            moves.append(coming.popleft())
            late += moves[-1][1]
        begins = second - (span - LATE)
        while inside[0][0] <= begins:
            count -= inside.popleft()[1]
        while moves and moves[0][0] <= begins:
            late -= moves.popleft()[1]
        if count - late > most:
            most, at = count - late, second
    return most, at


def over(
    by_whom: Taken, limits: Mapping[str, int], span: int, moved: Mapping[int, int]
) -> Iterator[tuple[str, int, int]]:
    """(who and when, how many, how many at most), of each whose fullest span has more."""
    for who, seconds in sorted(by_whom.items()):
        limit = limits.get(who)
        if limit is None:
            continue
        most, at = fullest(seconds, span, moved)
        if most > limit:
            yield f"{who}, until second {at}", most, limit
