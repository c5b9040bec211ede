"""Domains whose providers were learnt, as control tells them to every process through the ledger.

One hash: `v`, which says which table it is, and `t`, the table. It is swapped whole: at most as
many domains as `providers.domains`, some 30 octets each. Lost with the ledger, it is written again.
"""

from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from policy.ledger.ledger import root_key

_KEY = "providers"
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(dict[str, str])


class LearntTable:
    """Of the ledger of this name. All methods raise redis-py's errors."""

    def __init__(self, client: Redis, name: str) -> None:
        self._client = client
        self._key = f"{root_key(name)}{_KEY}"

    async def version(self) -> str:
        """Which table it is; '': there is none."""
        found = await cast(Any, self._client.hget(self._key, "v"))
        return found.decode() if found else ""

    async def read(self) -> tuple[str, dict[str, str] | None]:
        """(version, domain to provider). None: there is no table, or none that can be read, which
        says nothing of any domain."""
        version, table = await cast(Any, self._client.hmget(self._key, "v", "t"))
        if not version or not table:
            return "", None
        try:
            return version.decode(), _decoder.decode(table)
        except msgspec.DecodeError:
            return version.decode(), None

    async def write(self, version: str, table: dict[str, str]) -> None:
        """Both at once."""
        fields = {"v": version, "t": _encode(table)}
        await cast(Any, self._client.hset(self._key, mapping=cast(Any, fields)))
