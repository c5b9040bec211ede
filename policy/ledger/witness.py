"""What a ledger knows of PostgreSQL: how far that had come, and what it must have held.

Not part of the counts: kept whatever happens to the ledger's incarnation, so that either store can
say that the other one knows less (`control.failover`, `control.restore`).
"""

from typing import Any, cast

from policy.ledger.admin import LedgerAdmin
from policy.ledger.known import CHUNK


async def beats(admin: LedgerAdmin) -> int:
    """How many of PostgreSQL's beats were heard here."""
    return int(await cast(Any, admin.client.get(f"{admin.root}beats")) or 0)


async def put_beats(admin: LedgerAdmin, count: int) -> None:
    """After PostgreSQL has committed that many."""
    await admin.client.set(f"{admin.root}beats", count)


async def held_since(admin: LedgerAdmin, since: int) -> tuple[int, int]:
    """(how many entries of held messages are newer than `since`, the newest); milliseconds."""
    count, newest = 0, 0
    names: list[bytes] = []

    async def look() -> None:
        nonlocal count, newest
        for found in await admin.client.mget(names) if names else ():
            words = cast(bytes, found).split() if found else ()
            if len(words) == 5 and words[0] == b"H" and int(words[2]) > since:
                count, newest = count + 1, max(newest, int(words[2]))
        names.clear()

    async for key in admin.client.scan_iter(match=f"{admin.root}dup:*", count=CHUNK):
        names.append(cast(bytes, key))
        if len(names) == CHUNK:
            await look()
    await look()
    return count, newest
