"""What gateway processes tell through the ledger (`policy.ledger.bulletin`), read by control."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import Redis

from policy.ledger.bulletin import (
    CIRCUITS,
    FIGURES,
    LOGINS,
    LOGINS_BEFORE,
    Figures,
    OpenCircuit,
    decode_figures,
)
from policy.ledger.bulletin import decode as open_circuits

WORKER_ALIVE = 15.0
"""Seconds without a sign after which a gateway worker counts as gone."""


class Processes:
    """Those of one ledger; `root` is the beginning of its keys."""

    def __init__(self, client: Redis, root: str) -> None:
        self.client = client
        self.root = root

    async def workers(self) -> dict[str, int]:
        """Live gateway workers and the generation each runs."""
        seconds, micro = await cast(Any, self.client.time())
        alive_since = seconds + micro / 1e6 - WORKER_ALIVE
        ids = await cast(Any, self.client.zrangebyscore(f"{self.root}workers", alive_since, "+inf"))
        if not ids:
            return {}
        running = await cast(Any, self.client.hmget(f"{self.root}running", ids))
        return {i.decode(): int(n or 0) for i, n in zip(ids, running, strict=True)}

    async def circuits(self) -> dict[str, list[OpenCircuit]]:
        """Live gateway processes and the circuits of each that are not closed."""
        names = list(await self.workers())
        if not names:
            return {}
        shown = await cast(Any, self.client.hmget(f"{self.root}{CIRCUITS}", names))
        return {
            n: open_circuits(data) if data else [] for n, data in zip(names, shown, strict=True)
        }

    async def figures(self) -> dict[str, Figures]:
        """Live gateway processes and what each has done."""
        names = list(await self.workers())
        if not names:
            return {}
        shown = await cast(Any, self.client.hmget(f"{self.root}{FIGURES}", names))
        return {name: decode_figures(data) for name, data in zip(names, shown, strict=True)}

    async def stir(self) -> None:
        """Gateway processes trust no denial they remember: releasers look at all that waits."""
        await cast(Any, self.client.publish(f"{self.root}news", "look"))

    async def logins(self) -> dict[str, int]:
        """Logins that let a client in since `took_logins`: calendar milliseconds of the last."""
        found = await cast(Any, self.client.hgetall(f"{self.root}{LOGINS}"))
        return {name.decode(): int(at) for name, at in found.items()}

    async def took_logins(self, names: Iterable[str]) -> None:
        """They were written down."""
        await cast(Any, self.client.hdel(f"{self.root}{LOGINS}", *names))

    async def former_logins(self) -> dict[str, int]:
        """As `logins`, of those that did it by a former password."""
        found = await cast(Any, self.client.hgetall(f"{self.root}{LOGINS_BEFORE}"))
        return {name.decode(): int(at) for name, at in found.items()}

    async def took_former_logins(self, names: Iterable[str]) -> None:
        """They were written down."""
        await cast(Any, self.client.hdel(f"{self.root}{LOGINS_BEFORE}", *names))

    async def wait_for(self, number: int, timeout: float = 10.0) -> list[str]:
        """Wait until every live worker runs generation `number` or a later one. Returns those
        that do not after `timeout` seconds of real time."""
        deadline = time.monotonic() + timeout
        while True:
            late = [w for w, n in (await self.workers()).items() if n < number]
            if not late or time.monotonic() >= deadline:
                return late
            await asyncio.sleep(0.02)
