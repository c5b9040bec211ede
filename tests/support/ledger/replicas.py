"""A second Valkey that follows the first, under the same password: what a failover needs."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from control.embedded.servers.valkey import LocalValkey


def secret(server: LocalValkey) -> str:
    """Its password."""
    return server.url.split("@")[0].rpartition(":")[2]


async def follow(first: LocalValkey, second: LocalValkey) -> None:
    """Make the second a whole replica of the first. From then on `order` speaks to it."""
    # One connection, for the password changes under it.
    other = Redis.from_url(second.url, single_connection_client=True)
    try:
        await other.config_set("masterauth", secret(first))
        await other.config_set("requirepass", secret(first))
        await other.execute_command("REPLICAOF", "127.0.0.1", first.port)
        async with asyncio.timeout(20):
            while (await other.info("replication"))["master_link_status"] != "up":
                await asyncio.sleep(0.02)
    finally:
        await other.aclose()


async def order(first: LocalValkey, server: LocalValkey, *command: Any) -> Any:
    """Tell one of the two something, with the first's password."""
    client = Redis.from_url(f"redis://:{secret(first)}@127.0.0.1:{server.port}/0")
    try:
        return await client.execute_command(*command)
    finally:
        await client.aclose()


async def promote(first: LocalValkey, second: LocalValkey) -> None:
    """The second is a master of its own; the first does not know."""
    await order(first, second, "REPLICAOF", "NO", "ONE")


async def demote(first: LocalValkey, second: LocalValkey) -> None:
    """The first follows the second."""
    await order(first, first, "CONFIG", "SET", "masterauth", secret(first))
    await order(first, first, "REPLICAOF", "127.0.0.1", second.port)
