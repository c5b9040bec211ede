"""What a ledger knows of PostgreSQL: how far that had come, and what it must have held.

Not part of the counts: kept whatever happens to the ledger's incarnation, so that either store can
say that the other one knows less (`control.ledger.failover`, `control.ledger.restore`).
"""

from typing import Any, cast

from policy.ledger.admin import LedgerAdmin
from policy.ledger.known import CHUNK

MESSAGE = 27
"""Characters of a message id (`gateway.message.ids`); an owner of one of several goes on."""


async def beats(admin: LedgerAdmin) -> int:
    """How many of PostgreSQL's beats were heard here."""
    return int(await cast(Any, admin.client.get(f"{admin.root}beats")) or 0)


async def put_beats(admin: LedgerAdmin, count: int) -> None:
    """After PostgreSQL has committed that many."""
    await admin.client.set(f"{admin.root}beats", count)


async def held_since(admin: LedgerAdmin, since: int) -> dict[str, int]:
    """Messages to when their entry was last held, later than `since`; milliseconds.

    Also messages that came before: an entry is as new as its last change."""
    held: dict[str, int] = {}
    names: list[bytes] = []

    async def look() -> None:
        for found in await admin.client.mget(names) if names else ():
            words = cast(bytes, found).split() if found else ()
            if len(words) == 5 and words[0] == b"H" and int(words[2]) > since:
                held[words[4].decode()[:MESSAGE]] = int(words[2])
        names.clear()

    async for key in admin.client.scan_iter(match=f"{admin.root}dup:*", count=CHUNK):
        names.append(cast(bytes, key))
        if len(names) == CHUNK:
            await look()
    await look()
    return held
