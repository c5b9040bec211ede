"""What the ledger's duplicate entries take: `python -m tests.bench.entries [--before LIBRARY]`.

Octets an entry, and CPU time of the server (`tests.bench.ledger`) for a message with a duplicate
key and for one without: reservations in batches of 16, and with them the changes to "sent" of the
16 before. `--before` is the library of another version, for the same figures in the same run:
`python -c "from policy.ledger.library import library; print(library())"` there.

Buckets are as full as 3 million messages a day fill them: keys are drawn from as small a part of
all as the entries are of 22.5 millions, which is what stands when they live for 7 days and are
cleared away within an eighth.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec

from control.embedded.servers.valkey import LocalValkey
from gateway.message.ids import Ids
from policy.ledger.library import library
from policy.ledger_port import Change, EntryState, Item, Reserve
from tests.bench.ledger import Place, Server
from tests.bench.plans import mailbox, one_ip

STANDING = 22_500_000
BATCH = 16
MESSAGES = 4096
"""Of a round."""
AT_ONCE = 500
_SHARE = 1 << 20


class Version(msgspec.Struct):
    """One library with its ledger. `micros`: a message, each round, without and with keys."""

    name: str
    function: str
    place: Place
    micros: dict[bool, list[float]]


def function_of(text: str) -> str:
    """The name in a library's first line."""
    return text.partition("name=")[2].split()[0]


class Messages:
    """Messages whose keys fall into a part of the buckets as small as `entries` is of all."""

    def __init__(self, entries: int, seed: int) -> None:
        self._draw = random.Random(seed)
        self._keys = max(int(_SHARE * entries / STANDING), 1)
        self._ids = Ids(self._draw.randbytes(6))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Key and owner."""
        while True:
            first, rest = self._draw.randrange(self._keys), self._draw.getrandbits(108)
            yield f"{first:05x}{rest:027x}", self._ids.message(1_795_392_000.0)


def fill(server: Server, version: Version, messages: Iterator[tuple[str, str]], count: int) -> None:
    """So many sent entries."""
    while count > 0:
        some = [
            Change(key, owner, 1, EntryState.SENT, "pmta1")
            for key, owner in islice(messages, min(count, AT_ONCE))
        ]
        server.call(server.batch(version.place, some, version.function))
        count -= len(some)


def batches(
    messages: Iterator[tuple[str, str]], draw: random.Random, keyed: bool
) -> Iterator[list[Item]]:
    """Reservations, and the changes of those before."""
    changes: list[Change] = []
    for _ in range(MESSAGES // BATCH):
        asks = [
            Reserve(
                "acme", "acme-pool", mailbox("acme", draw.randrange(100)), (("gmail", 1),),
                key=key if keyed else "", owner=owner if keyed else "", attempt=1,
            )
            for key, owner in islice(messages, BATCH)
        ]  # fmt: skip
        yield [*changes, *asks]
        if keyed:
            changes = [Change(a.key, a.owner, 1, EntryState.SENT, "pmta1") for a in asks]


async def used(server: Server) -> tuple[int, int]:
    """Octets in use, and resident."""
    found = await server.client.info("memory")
    return int(found["used_memory"]), int(found["used_memory_rss"])


async def versions(server: Server, before: Path | None, name: str) -> list[Version]:
    """Both libraries, or ours alone, each with a ledger that is empty."""
    texts = {"now": library()}
    if before is not None:
        texts = {"before": before.read_text(encoding="utf-8"), **texts}
    found = []
    for known, text in texts.items():
        await cast(Any, server.client.function_load(text, replace=True))
        place = await Place.open(server, one_ip(share=1.0), f"{name}{known}")
        await server.client.set(f"{place.admin.root}entries", "packed")
        found.append(Version(known, function_of(text), place, {False: [], True: []}))
    return found


async def memory(server: Server, before: Path | None, entries: int) -> None:
    """Print what so many entries take."""
    for version in await versions(server, before, f"m{entries}"):
        start = await used(server)
        fill(server, version, iter(Messages(entries, 1)), entries)
        took = [(b - a) / entries for a, b in zip(start, await used(server), strict=True)]
        print(
            f"{version.name:6} {entries:9,} entries: {took[0]:5.1f} octets each in use, "
            f"{took[1]:5.1f} resident"
        )
        await server.client.delete(f"{version.place.admin.root}x")


async def time(server: Server, before: Path | None, entries: int, rounds: int) -> None:
    """Print the CPU time of a message, in ledgers that have so many entries."""
    measured = await versions(server, before, "t")
    for version in measured:
        fill(server, version, iter(Messages(entries, 1)), entries)
    for turn in range(rounds):
        for version in measured:
            for keyed in (False, True):
                messages, draw = iter(Messages(entries, turn + 2)), random.Random(turn)
                encoded = [
                    server.batch(version.place, items, version.function)
                    for items in batches(messages, draw, keyed)
                ]
                start = server.cpu()
                for batch in encoded:
                    server.call(batch)
                version.micros[keyed].append((server.cpu() - start) / MESSAGES)
    for version in measured:
        without, with_key = version.micros[False], version.micros[True]
        more = [b - a for a, b in zip(without, with_key, strict=True)]
        print(
            f"{version.name:6}: a message {min(without):5.1f} µs (median "
            f"{statistics.median(without):5.1f}), with a key {min(with_key):5.1f} "
            f"({statistics.median(with_key):5.1f}); more: {min(with_key) - min(without):5.1f} "
            f"({statistics.median(more):5.1f})"
        )


async def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="sendgate-entries-") as folder:
        async with LocalValkey(Path(folder)) as valkey:
            server = Server(valkey)
            for entries in options.entries:
                await memory(server, options.before, entries)
            await time(server, options.before, options.full, options.rounds)
            await server.client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.entries", description=__doc__)
    parser.add_argument("--before", type=Path, help="the library of another version")
    parser.add_argument("--entries", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--full", type=int, default=100_000, help="entries while time is measured")
    parser.add_argument("--rounds", type=int, default=10)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
