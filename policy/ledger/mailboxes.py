"""What the ledger counts of mailboxes, read: today's recipients, ramps, when they sent last.

Not here: counting (`counting.lua`, which has the record), the rules (`policy.mailbox`). Reading
takes part in no decision, and neither does forgetting those that count like ones that never were.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from policy.ledger.scripts import source
from policy.mailbox import IDLE_DAYS, Record

AT_ONCE = 1_000
"""Mailboxes asked for with one command, or scanned: about a millisecond of the server."""

KEPT = 40 * 86_400
"""Seconds a tenant's mailboxes stay after the last of them sent (`prelude.lua`: KEEP_COUNTS)."""

_decode = msgspec.msgpack.Decoder(Record).decode
_encode = msgspec.msgpack.Encoder().encode


async def records(
    client: Redis, root: str, tenant: str, mailboxes: Sequence[str], today: int
) -> list[Record | None]:
    """As they count on a day; None of one that never sent. Raises redis-py's errors."""
    key, found = _key(root, tenant), []
    for begin in range(0, len(mailboxes), AT_ONCE):
        some = list(mailboxes[begin : begin + AT_ONCE])
        values = await cast(Any, client.hmget(key, some))
        found += [None if value is None else _decode(value).on(today) for value in values]
    return found


async def page(
    client: Redis, root: str, tenant: str, cursor: int, today: int
) -> tuple[list[tuple[str, Record]], int]:
    """A part of all that are known, in no order, and where the next begins (0: nowhere); one that
    sends meanwhile may come twice."""
    found = await cast(Any, client.hscan(_key(root, tenant), cursor, count=AT_ONCE))
    following, values = found
    return [(name.decode(), _decode(value).on(today)) for name, value in values.items()], following


async def every(
    client: Redis, root: str, tenant: str, today: int
) -> AsyncIterator[list[tuple[str, Record]]]:
    """All of them, in parts."""
    cursor = 0
    while True:
        part, cursor = await page(client, root, tenant, cursor, today)
        yield part
        if not cursor:
            return


async def go_on(
    client: Redis, root: str, tenant: str, began: Mapping[str, tuple[int, int]]
) -> None:
    """Give a ledger that was lost the first day of mailboxes, and the last that each sent on; what
    it knows of one stays. Raises redis-py's errors; again it is the same."""
    key, rows = _key(root, tenant), list(began.items())
    for begin in range(0, len(rows), AT_ONCE):
        async with client.pipeline(transaction=False) as pipe:
            for name, (first, day) in rows[begin : begin + AT_ONCE]:
                record = Record(first=first, day=day, count=0, before=0, last=0)
                pipe.hsetnx(key, name, cast(Any, _encode(record)))
            pipe.expire(key, KEPT)
            await pipe.execute()


async def number(client: Redis, root: str, tenant: str) -> int:
    """How many are known."""
    return int(await cast(Any, client.hlen(_key(root, tenant))))


async def forget_idle(client: Redis, root: str, tenant: str, today: int) -> int:
    """Let go of those that would begin anew: else a tenant's bound is that of all it ever had.
    Returns how many. Raises redis-py's errors; again it is the same."""
    key, cursor, gone, redis = _key(root, tenant), 0, 0, cast(Any, client)
    while True:
        cursor, values = await redis.hscan(key, cursor, count=AT_ONCE)
        idle = [name for name, found in values.items() if today - _decode(found).day > IDLE_DAYS]
        for begin in range(0, len(idle), AT_ONCE):
            some = idle[begin : begin + AT_ONCE]
            gone += await redis.eval(source("idle"), 1, root, tenant, IDLE_DAYS, *some)
        if not cursor:
            return gone


def _key(root: str, tenant: str) -> str:
    return f"{root}boxes:{tenant}"
