"""What a reservation costs the ledger's server, and how long its function runs at most.

`python -m tests.bench.ledger`. Here and not in `loadtest`, which may not import the product: the
batches are the gateway's own, sent to an embedded Valkey (append-only file, synced always) over a
plain socket one after the other, encoded beforehand, so that no Python runs between them.

The figure is CPU time of the server's threads by the kernel's scheduler: it has the append-only
file in it, which the function's own time (INFO commandstats) has not, and no waiting. Rounds of all
plans are interleaved; the best round counts, the median says how loaded the machine was.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import sys
import tempfile
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import msgspec

from control.embedded.servers.valkey import LocalValkey
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.known import Counters
from policy.ledger.library import function, library
from policy.ledger_port import Granted, Item, Refund, Reserve
from policy.mailbox import Record
from settings.ledger import Ledger
from tests.bench.plans import (
    PROVIDERS,
    SCENES,
    Scene,
    crowded,
    mailbox,
    one_pool,
)  # fmt: skip

SIZES = (1, 4, 16, 64)
RESERVATIONS = 512
"""A round of one case: enough calls at the largest size for a steady figure."""

DAY = 86_400_000
CASES = {"unpaced": (1.0, ""), "paced": (0.2, ""), "new key": (1.0, "new"), "copy": (1.0, "seen")}


class Row(msgspec.Struct):
    """One case: microseconds of server CPU a reservation, every round."""

    plan: str
    case: str
    batch: int
    micros: list[float] = []

    @property
    def best(self) -> float:
        return min(self.micros)

    @property
    def median(self) -> float:
        return statistics.median(self.micros)


class Longest(msgspec.Struct):
    """One batch that costs much: microseconds the function ran, every round. It is elapsed time:
    the best round is the function's, the others have what else ran on the machine in them."""

    case: str
    items: int
    micros: list[int] = []


class Server:
    """The Valkey under measurement, and a socket that sends what is encoded already."""

    def __init__(self, valkey: LocalValkey) -> None:
        self.client = connect(valkey.url, timeout=60)
        self._tasks = Path(f"/proc/{valkey.pid}/task")
        host, port = valkey.url.rpartition("@")[2].partition("/")[0].split(":")
        password = valkey.url.split(":")[2].partition("@")[0]
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_packed("AUTH", password))
        assert self._socket.recv(100).startswith(b"+OK")
        self._batches = count(1)

    async def load(self) -> None:
        await cast(Any, self.client.function_load(library()))

    def cpu(self) -> float:
        """Microseconds all threads of the server have run."""
        stats = ((task / "schedstat").read_text() for task in self._tasks.iterdir())
        return sum(int(stat.split()[0]) for stat in stats) / 1000

    def batch(self, place: "Place", items: Sequence[Item], name: str = "") -> bytes:
        """`name`: of the function; ours if empty."""
        return _packed(
            "FCALL", name or function(), 1, place.admin.root, f"b{next(self._batches)}",
            place.incarnation, msgspec.msgpack.encode(items), 60, 25_000, 604_800_000, 3_456_000,
        )  # fmt: skip

    def call(self, batch: bytes) -> list[Any]:
        """The results of one batch, as `decide.lua` gives them."""
        self._socket.sendall(batch)
        data = self._socket.recv(1 << 20)
        assert data.startswith(b"$"), data[:300]
        head = data.index(b"\r\n") + 2
        size = int(data[1 : head - 2])
        while len(data) < head + size + 2:
            data += self._socket.recv(1 << 20)
        state, *_, results = msgspec.msgpack.decode(data[head:-2])
        assert state == "open"
        return cast(list[Any], results)

    async def function_time(self, batch: bytes) -> int:
        """Microseconds the function of one call ran."""
        await self.client.config_resetstat()
        self.call(batch)
        stats = await self.client.info("commandstats")
        return int(stats["cmdstat_fcall"]["usec"])


class Place(msgspec.Struct):
    """One plan in force, in a ledger of its own on the same server."""

    scene: Scene
    admin: LedgerAdmin
    incarnation: str

    @classmethod
    async def open(cls, server: Server, scene: Scene, name: str) -> "Place":
        admin = LedgerAdmin(server.client, name)
        incarnation = await admin.open()
        await admin.publish(scene.generation)
        now, _ = await admin.now()
        for tenant, _, boxes in scene.senders:
            key, today = f"{admin.root}boxes:{tenant}", now // DAY
            record = msgspec.msgpack.encode(Record(today, today, 1, 0, now))
            for first in range(0, boxes, 10_000):
                some = range(first, min(first + 10_000, boxes))
                counted = {mailbox(tenant, number): record for number in some}
                await cast(Any, server.client.hset(key, mapping=counted))
        return cls(scene, admin, incarnation)


def _packed(*words: str | bytes | int) -> bytes:
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded)


def measure(server: Server, place: Place, row: Row, seed: int, key: str) -> None:
    """One round of one case."""
    asks = list(islice(place.scene.asks(seed, keyed=key != ""), RESERVATIONS))
    if key == "seen":
        asks = [msgspec.structs.replace(ask, key="seen") for ask in asks]
        server.call(server.batch(place, asks[:1]))
    slices = [asks[i : i + row.batch] for i in range(0, len(asks), row.batch)]
    batches = [server.batch(place, items) for items in slices]
    before = server.cpu()
    answers = [server.call(batch) for batch in batches]
    row.micros.append((server.cpu() - before) / len(asks))
    wanted = 3 if key == "seen" else 1
    assert all(kind == wanted for results in answers for kind, _ in results[1:]), answers[0]


async def common(server: Server, rounds: int) -> list[Row]:
    """The case that almost every message is: some IP may send."""
    rows, places = [], {}
    for build in SCENES:
        for share in (1.0, 0.2):
            places[build, share] = await Place.open(server, build(share=share), f"b{len(places)}")
    for seed in range(rounds):
        known = iter(rows[:])
        for size in SIZES:
            for case, (share, key) in CASES.items():
                for build in SCENES:
                    place = places[build, share]
                    row = next(known, None)
                    if row is None:
                        row = Row(place.scene.name, case, size)
                        rows.append(row)
                    measure(server, place, row, seed, key)
    return rows


async def full(server: Server, rounds: int) -> tuple[list[Row], list[Longest]]:
    """99 of a pool's 100 IPs are at gmail's ceiling: who finds out, and those after."""
    largest = Ledger().batch
    after = [Row("100 IPs, 99 full", "unpaced", size) for size in SIZES]
    found = [
        Longest("finds 99 of 100 IPs full", 1),
        Longest("as many pools × providers as items, each finds 99 of 100 IPs full", largest),
        Longest("the same again, all indexes built", largest),
        Longest("refunds of as many IPs, all in all those indexes", largest),
    ]
    for turn in range(rounds):
        scene = one_pool(share=1.0, ceilings={"gmail": 1}, open_ip=True)
        place = await _filled(server, scene, f"full{turn}")
        item = Reserve("acme", "acme-pool", mailbox("acme", 1), (("gmail", 1),))
        found[0].micros.append(await server.function_time(server.batch(place, [item])))
        gmail = msgspec.structs.replace(scene, providers=("gmail",))
        for row in after:
            measure(server, Place(gmail, place.admin, place.incarnation), row, turn, "")

        scene = crowded(largest)
        place = await _filled(server, scene, f"crowd{turn}")
        many = [
            Reserve("acme", pool, mailbox("acme", number), ((provider, 1),))
            for number, (_, pool, _) in enumerate(scene.senders)
            for provider in PROVIDERS
        ][:largest]
        for longest in found[1:3]:
            longest.micros.append(await server.function_time(server.batch(place, many)))
        now, _ = await place.admin.now()
        back = [
            Refund(Granted(row.name, row.ip, row.server, "acme", "", (("gmail", 1),), now, 0.0,
                           place.incarnation))
            for row in scene.generation.vmtas[:largest]
        ]  # fmt: skip
        found[3].micros.append(await server.function_time(server.batch(place, back)))
    return after, found


async def _filled(server: Server, scene: Scene, name: str) -> Place:
    """The plan with every IP at the ceilings it has."""
    place = await Place.open(server, scene, name)
    now, _ = await place.admin.now()
    await place.admin.raise_counters(
        Counters(row.ip, now // DAY, sum(row.ceilings.values()), dict(row.ceilings))
        for row in scene.generation.vmtas
    )
    return place


async def run(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sendgate-bench-") as folder:
        async with LocalValkey(Path(folder)) as valkey:
            server = Server(valkey)
            await server.load()
            info = await server.client.info("server")
            version = f"{info['server_name']} {info['valkey_version']}"
            rows = await common(server, rounds)
            after, longest = await full(server, max(rounds // 2, 1))
            await server.client.aclose()
    for row in rows + after:
        print(
            f"{row.plan:22} {row.case:8} batch {row.batch:2}: "
            f"{row.best:6.1f} µs a reservation (median {row.median:6.1f})"
        )
    for one in longest:
        print(
            f"{one.case}: {one.items} items, {min(one.micros) / 1000:.2f} ms "
            f"(worst round {max(one.micros) / 1000:.2f})"
        )
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared; appendfsync always",
        "server": version,
        "unit": "microseconds of server CPU a reservation",
        "plans": {build.__name__: (build.__doc__ or "").replace("\n    ", " ") for build in SCENES},
        "rows": [
            {**msgspec.to_builtins(r), "best": r.best, "median": r.median} for r in rows + after
        ],
        "longest_script_run": msgspec.to_builtins(longest),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    figures = asyncio.run(run(options.rounds))
    if options.json:
        options.json.write_text(json.dumps(_rounded(figures), indent=1) + "\n", encoding="utf-8")
    return 0


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
