"""The limits that evidence is held to, and what a rate proves.

Sources: limits and days are the operator's own (`WARMUP_MAX_BOUNCE_RATE`, `WARMUP_MAX_SPAM_RATE`).
A pause needs proof: the rate is over its limit, and a healthy IP would show that many less than
once in a thousand. Measured by `tests/unit/test_warmup_false_pauses.py`: the bare percentage,
looked at each evening, pauses a healthy IP of 50 a day in every fifth week; this in one of a
hundred.
"""

from typing import Literal

import msgspec

from policy.warmup.tail import tail

LEAST_COMPLAINTS = 2
"""One report alone proves nothing: of three mails it would, by arithmetic."""


class Limit(msgspec.Struct, frozen=True):
    """Of one rate; shares of 1."""

    most: float
    """A step is taken under it only."""
    healthy: float
    """What an IP shows that nothing is wrong with."""
    least: int = 1
    """Fewer are never proof."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of an IP."""

    bounces: Limit = Limit(0.05, 0.02)
    """Of relayed."""
    complaints: Limit = Limit(0.001, 0.0003, LEAST_COMPLAINTS)
    """Of delivered."""
    doubt: float = 0.001
    """How rarely a healthy IP may be paused by chance."""
    min_use: float = 0.5
    """Of its quota, for a day to count."""
    deferred: float = 0.5
    """Of a provider's attempts: so many put off hold its growth."""
    guard: Literal["proof", "literal"] = "proof"
    """`literal` pauses on the bare percentage."""


Verdict = Literal["under", "over", "proven"]


def verdict(count: int, of: int, limit: Limit, rule: Rule) -> Verdict:
    """What so many show. `over`: the limit is reached, and chance may be why."""
    if not reached(count, of, limit):
        return "under"
    above = of == 0 or count > limit.most * of
    if rule.guard == "literal":
        return "proven" if above else "over"
    if above and count >= limit.least and tail(count, max(of, count), limit.healthy) < rule.doubt:
        return "proven"
    return "over"


def reached(count: int, of: int, limit: Limit) -> bool:
    """Whether a step may not be taken: it asks for a rate under the limit."""
    return count > 0 and count >= limit.most * of


def proof(of: int, limit: Limit, rule: Rule) -> int:
    """The smallest count that pauses. The tail falls as counts rise: found by halving."""
    low, high = 0, of + 1
    while high - low > 1:
        middle = (low + high) // 2
        if verdict(middle, of, limit, rule) == "proven":
            high = middle
        else:
            low = middle
    return high
