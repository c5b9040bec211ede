"""Fair shares of mailboxes, and how near a day came to them. Pure."""

import math
from collections.abc import Sequence


def shares(wanted: Sequence[int], total: int) -> list[float]:
    """Max-min fair: each gets what it wants, or the level that uses up `total`."""
    level, left = 0.0, float(total)
    ordered = sorted(wanted)
    for place, want in enumerate(ordered):
        even = left / (len(ordered) - place)
        if want >= even:
            level = even
            break
        left -= want
    else:
        return [float(want) for want in wanted]
    return [min(float(want), level) for want in wanted]


def farthest(sent: Sequence[int], fair: Sequence[float]) -> int:
    """Whole recipients by which one is away from its share, at most."""
    far = max((abs(s - f) for s, f in zip(sent, fair, strict=True)), default=0.0)
    return math.ceil(far - 1e-9)


def jain(sent: Sequence[int], fair: Sequence[float]) -> float | None:
    """Jain's index of sent ÷ share: 1 is perfect, 1/n is one that has all; None without shares."""
    parts = [s / f for s, f in zip(sent, fair, strict=True) if f > 0]
    squares = sum(part * part for part in parts)
    return sum(parts) ** 2 / (len(parts) * squares) if squares else None
