"""What limits of a minute and an hour cost the ledger's server: none set, and all at every level.

`python -m tests.bench.rates`. As `tests.bench.ledger`, whose server and figure it has: CPU time of
the server's threads a reservation, rounds of both plans interleaved, the best of each.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from control.embedded.servers.valkey import LocalValkey
from policy.model import MailboxLimits, Rate
from tests.bench.ledger import Place, Row, Server, measure
from tests.bench.plans import PROVIDERS, Scene, one_ip, one_pool

SIZES = (1, 16)
OUT_OF_REACH = Rate(minute=500_000_000, hour=900_000_000)


def all_set(scene: Scene) -> Scene:
    """The same with both limits at each of the six levels."""
    plan, rate = scene.generation, OUT_OF_REACH
    limited = msgspec.structs.replace(
        plan,
        rate=rate,
        provider_rates=dict.fromkeys(PROVIDERS, rate),
        pools=tuple(msgspec.structs.replace(pool, rate=rate) for pool in plan.pools),
        vmtas=tuple(msgspec.structs.replace(vmta, rate=rate) for vmta in plan.vmtas),
        tenants=tuple(
            msgspec.structs.replace(tenant, rate=rate, mailbox_default=MailboxLimits(rate=rate))
            for tenant in plan.tenants
        ),
    )
    return msgspec.structs.replace(scene, name=f"{scene.name}, all set", generation=limited)


async def run(rounds: int) -> list[Row]:
    """Rows of both plans, with and without."""
    with tempfile.TemporaryDirectory() as folder:
        async with LocalValkey(Path(folder)) as valkey:
            server = Server(valkey)
            await server.load()
            places, rows = [], []
            for build in (one_ip, one_pool):
                plain = build(share=1.0)
                for scene in (plain, all_set(plain)):
                    places.append(await Place.open(server, scene, f"r{len(places)}"))
            for place in places:
                rows += [Row(place.scene.name, "unpaced", size) for size in SIZES]
            for seed in range(rounds):
                for row in rows:
                    place = next(p for p in places if p.scene.name == row.plan)
                    measure(server, place, row, seed, "")
            await server.client.aclose()
    return rows


if __name__ == "__main__":
    for row in asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 12)):
        print(f"{row.plan:28} batch {row.batch:3}: {row.best:6.1f} µs (median {row.median:.1f})")
