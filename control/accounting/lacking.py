"""Servers whose records tell that mail went and not what became of it.

Rule: what a day carries over falls by final records alone, delivered (d) and bounced (b). An
accounting file that is configured without one of them reads as mail that PowerMTA tries for ever:
quotas shrink until `bounce-after` is over for it, and nothing else would say why. Of thousands of
recipients somebody is delivered and somebody bounces, else a type is not written.
Batches that name no server may be of any.
"""

from typing import Any

import msgspec

from policy.limits import day_of
from settings.statements import statements

_SQL = statements(__package__, "door")

DAYS = 3
"""Whose records are looked at: a feed that is mended is well after three days at the latest, one
that was mended today as soon as it told of both."""
TAKEN = 1_000
"""Records, after which one of them tells of a delivery; the worst list is not refused as a whole
for three days."""
DELIVERED = 5_000
"""Deliveries, after which somebody bounced: 0.02 % is a list nobody has."""


class Lacking(msgspec.Struct, frozen=True, kw_only=True):
    """A server whose records lack a type."""

    server: str
    """'': batches that name none."""
    kind: str
    """d or b."""

    @property
    def what(self) -> str:
        """In a sentence."""
        whose = f"of {self.server}" if self.server else "that names no server"
        became = "deliveries" if self.kind == "d" else "bounces"
        return (
            f"accounting {whose} tells of no {became} ({self.kind} records): what earlier days "
            "carry over into today's quotas does not fall by them"
        )


async def lacking(pool: Any, now: int) -> list[Lacking]:
    """`now` in calendar milliseconds."""
    rows = await pool.fetch(_SQL["kinds_lately"], day_of(now) - DAYS + 1)
    return judge({row["server"]: (row["others"], row["d"], row["b"]) for row in rows})


def judge(counts: dict[str, tuple[int, int, int]]) -> list[Lacking]:
    """From records of each server that are neither, of d and of b. Pure."""
    _, any_d, any_b = counts.get("", (0, 0, 0))
    found = []
    for server, (others, d, b) in sorted(counts.items()):
        if others + b >= TAKEN and not d and not any_d:
            found.append(Lacking(server=server, kind="d"))
        elif d >= DELIVERED and not b and not any_b:
            found.append(Lacking(server=server, kind="b"))
    return found
