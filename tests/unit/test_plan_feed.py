"""The feed ends when it is told, even if a library swallows the cancellation."""

import asyncio
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.ledger.plan_feed import PlanFeed
from gateway.watch.log import Log


class Deaf:
    """A client whose every wait swallows a cancellation, as redis-py does while it gives up on
    a connection."""

    def __init__(self) -> None:
        self.swallowed = 0

    def pubsub(self) -> "Deaf":
        return self

    async def __aenter__(self) -> "Deaf":
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def subscribe(self, channel: str) -> None:
        del channel
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.swallowed += 1
            raise RedisConnectionError("gave up") from None


async def test_a_swallowed_cancellation_does_not_keep_a_drained_worker_alive() -> None:
    client: Any = Deaf()

    async def polled() -> None:
        return None

    feed = PlanFeed(
        client, "main", "w", Log(level="error"),
        swapped=lambda generation: None, stepped=lambda: None, polled=polled,
    )  # fmt: skip
    task = asyncio.create_task(feed.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    feed.end()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    ended = task.done()
    task.cancel()
    assert client.swallowed == 1
    assert ended
