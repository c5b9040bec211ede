"""What 100,000 mailboxes take of Valkey, and what their limits add to a decision.

`python -m tests.bench.mailboxes`. A real Valkey (append-only file, synced always). Memory is the
server's own figure (INFO) before and after: limits of their own, the plan, records with today's and
yesterday's counts, first day and last message. The cost is measured as in `tests.bench.ledger`, 16
reservations a call; with limits every mailbox has a maximum and a ramp of its own that never bind.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from control.embedded.servers.valkey import LocalValkey
from policy.ledger.admin import LedgerAdmin
from policy.limits import day_of
from policy.mailbox import Record
from policy.model import MailboxLimits, Tenant
from tests.bench.ledger import Place, Row, Server, measure
from tests.bench.plans import Scene, mailbox, many_tenants

LIMITS = MailboxLimits(daily_max=1_000_000, daily_min=30, spacing=0.0, ramp_from=20_000)
RAMP = (500_000, 2_000_000)
BATCH = 16


def limited(scene: Scene, boxes: int) -> Scene:
    """The same with `boxes` mailboxes of each tenant, each with limits of its own."""

    def with_limits(one: Tenant) -> Tenant:
        own = {mailbox(one.name, number): LIMITS for number in range(boxes)}
        return msgspec.structs.replace(one, mailboxes=own, mailbox_ramp=RAMP)

    tenants = tuple(with_limits(one) for one in scene.generation.tenants)
    plan = msgspec.structs.replace(scene.generation, tenants=tenants)
    return msgspec.structs.replace(scene, generation=plan, senders=_senders(scene, boxes))


def _senders(scene: Scene, boxes: int) -> tuple[tuple[str, str, int], ...]:
    return tuple((name, pool, boxes) for name, pool, _ in scene.senders)


async def memory(client: Redis, scene: Scene, name: str) -> int:
    """Octets that a ledger takes with its plan and a record of each mailbox."""

    async def used() -> int:
        return int((await client.info("memory"))["used_memory"])

    admin = LedgerAdmin(client, name)
    before = await used()
    await admin.open()
    await admin.publish(scene.generation)
    now, _ = await admin.now()
    record = msgspec.msgpack.encode(Record(day_of(now) - 40, day_of(now), 30, 30, now))
    for tenant, _, boxes in scene.senders:
        counted = {mailbox(tenant, number): record for number in range(boxes)}
        await cast(Any, client.hset(f"{admin.root}boxes:{tenant}", mapping=counted))
    return await used() - before


async def taken(client: Redis) -> int:
    """Octets that 100,000 mailboxes add to a plan of 100 tenants and 100 IPs."""
    scene = many_tenants(share=1.0)
    bare = await memory(client, msgspec.structs.replace(scene, senders=()), "bare")
    return await memory(client, limited(scene, 1_000), "full") - bare


async def cost(server: Server, rounds: int) -> dict[str, Row]:
    """Microseconds of server CPU a reservation."""
    scene = many_tenants(share=1.0)
    scenes = {
        "100 mailboxes, no limits": msgspec.structs.replace(scene, senders=_senders(scene, 1)),
        "100,000 mailboxes, no limits": scene,
        "100 mailboxes, limits": limited(scene, 1),
        "100,000 mailboxes, limits": limited(scene, 1_000),
    }
    places = {
        name: await Place.open(server, one, f"c{number}")
        for number, (name, one) in enumerate(scenes.items())
    }
    rows = {name: Row(name, "unpaced", BATCH) for name in scenes}
    for seed in range(rounds):
        for name, place in places.items():
            measure(server, place, rows[name], seed, "")
    return rows


async def run(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="sendgate-bench-") as folder:
        async with LocalValkey(Path(folder)) as valkey:
            server = Server(valkey)
            await server.load()
            print(f"100,000 mailboxes take {await taken(server.client) / 1e6:.1f} MB")
            for row in (await cost(server, rounds)).values():
                print(f"{row.plan:30} {row.best:6.1f} µs (median {row.median:6.1f})")
            await server.client.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(run(parser.parse_args().rounds))
