"""Overflow: the pools whose IPs carry a pool's mail while its own may not.

Rule: one walk for everybody, with an end whatever the rows say. Pools that overflow into each
other in a circle are refused before anything is made of them (`circles`); who walks first, or
reads rows that nobody checked, still comes to an end.
"""

from collections.abc import Mapping

from policy.model import Pool

DEEPEST = 8
"""Most pools of one chain, the first included; as the ledger's script has it (`limiting.lua`)."""


def chain(pool: Pool, pools: Mapping[str, Pool]) -> list[Pool]:
    """`pool`, then those its mail overflows to, each once and at most `DEEPEST`."""
    found = [pool]
    names = {pool.name}
    for _ in range(DEEPEST - 1):
        name = found[-1].overflow
        step = pools.get(name) if name else None
        if step is None or step.name in names:
            break
        found.append(step)
        names.add(step.name)
    return found


def circles(overflow: Mapping[str, str | None]) -> list[str]:
    """A sentence for each circle in pool → overflow pool, whatever leads into it."""
    found: list[str] = []
    done: set[str] = set()
    for start in sorted(overflow):
        way: list[str] = []
        step: str | None = start
        while step is not None and step not in done:
            done.add(step)
            way.append(step)
            step = overflow.get(step)
        if step not in way:
            continue
        ring = way[way.index(step) :]
        found.append(
            f"pool {ring[0]} overflows into itself: name another pool"
            if len(ring) == 1
            else f"pools {' → '.join([*ring, ring[0]])} overflow in a circle: one of them must "
            "overflow elsewhere or not at all"
        )
    return found


def too_deep(overflow: Mapping[str, str | None]) -> list[str]:
    """A sentence for each pool with a longer chain than anybody walks."""
    found: list[str] = []
    for start in sorted(overflow):
        step: str | None = start
        for _ in range(DEEPEST):
            step = overflow.get(step) if step is not None else None
        if step is not None:
            found.append(f"pool {start}: more than {DEEPEST} pools overflow one into the next")
    return found
