"""Whether the ledger may keep duplicate entries packed (`buckets.lua`): a word in it.

Rule: it is there only while every process knows packed entries. One of a version before reads
strings alone, and would let the copy of a packed message go; so without the word all entries are
written as strings, and read in both forms.
"""

from typing import Any, cast

from policy.ledger.bulletin import FIGURES, decode_figures
from policy.ledger.processes import Processes

FORM = "entries"
"""The word's key, below the ledger's root."""
PACKED = "packed"

BUCKETS = "dups:"
"""How the keys of buckets begin, below the root; those of strings begin with `dup:`."""

REMEMBERED = 3_600
"""Seconds for which a process that went without a word counts: it may only be frozen."""


async def all_pack(processes: Processes) -> bool | None:
    """Whether every process that was heard of within `REMEMBERED` and has not said goodbye knows
    packed entries; None when there is none. Raises redis-py's errors."""
    client: Any = processes.client
    seconds, _ = await client.time()
    since = seconds - REMEMBERED
    names = await client.zrangebyscore(f"{processes.root}workers", since, "+inf")
    if not names:
        return None
    shown = await client.hmget(f"{processes.root}{FIGURES}", names)
    return all(decode_figures(data).packs for data in shown)


async def packs(processes: Processes) -> bool:
    """Whether the word is there."""
    found = await cast(Any, processes.client).get(f"{processes.root}{FORM}")
    return bool(found == PACKED.encode())


async def pack(processes: Processes, yes: bool) -> None:
    """Write the word, or take it away; entries that are there stay as they are."""
    if yes:
        await processes.client.set(f"{processes.root}{FORM}", PACKED)
    else:
        await processes.client.delete(f"{processes.root}{FORM}")
