"""Parts of a plan as they lie in the ledger: a string each, named by its digest (`division`).

Rule: a part is written before a publication names it, and lives for `STAGED` until one does, so
that who is ended meanwhile leaves nothing. Those in force last; those that went stay as long as the
generation that named them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from policy.division import Manifest, Part
from policy.ledger.scripts import source

STAGED = 3600
"""Seconds that anything stays which no publication put in force."""
_AT_ONCE = 64
"""Parts of one command, 28 KB each at most."""


def named(digests: Iterable[bytes]) -> list[str]:
    """As the ledger's keys have them."""
    return [digest.hex() for digest in digests]


async def fetched(client: Redis, root: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """Those that are there. Raises redis-py's errors."""
    found: dict[bytes, bytes] = {}
    for some in _some(digests):
        bodies = await cast(Any, client.mget([f"{root}part:{name}" for name in named(some)]))
        found.update({d: body for d, body in zip(some, bodies, strict=True) if body is not None})
    return found


async def missing(client: Redis, root: str, manifest: Manifest) -> list[bytes]:
    """Those that are not there; the others stay for a while. Raises redis-py's errors."""
    return await _missing(client, root, manifest.digests())


async def put(client: Redis, root: str, parts: Sequence[Part], *, afresh: bool) -> None:
    """All of them, beside those in force. `afresh`: those that are there, too. Raises redis-py's
    errors."""
    by = {part.digest: part for part in parts}
    wanted = list(by) if afresh else await _missing(client, root, list(by))
    for some in _some(wanted):
        async with client.pipeline(transaction=False) as pipe:
            for digest in some:
                key, body = f"{root}part:{digest.hex()}", by[digest].body()
                if afresh:
                    # Of one in force the end of its life stays what it was: none.
                    pipe.set(key, body, xx=True, keepttl=True)
                pipe.set(key, body, nx=True, ex=STAGED)
            await pipe.execute()


async def _missing(client: Redis, root: str, digests: Sequence[bytes]) -> list[bytes]:
    asked = msgspec.msgpack.encode(named(digests))
    found = await cast(Any, client.eval(source("missing"), 1, root, STAGED, asked))
    return [bytes.fromhex(name.decode()) for name in found]


def _some(digests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (digests[begin : begin + _AT_ONCE] for begin in range(0, len(digests), _AT_ONCE))
