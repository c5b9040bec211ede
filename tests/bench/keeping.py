"""What it costs to keep a message: `python -m tests.bench.keeping [--size N] [--batch N]`.

Sessions ask `Holding` to keep newsletters, each its next when the last is kept, in a PostgreSQL of
their own with fsync on. The figures are CPU time, of this process and of PostgreSQL's, in
microseconds a message, the best of the rounds: a clock on the wall shows who else is at work here.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import uvloop

from gateway.hold.holding import Holding
from gateway.hold_port import Keeping, Kept
from gateway.message.message import Message, Recipient, Sender
from gateway.watch.log import Log
from loadtest.newsletter import newsletter
from settings.hold import Hold
from settings.model import Settings
from tests.bench.processes import cpu_of
from tests.support.gateway.generations import generation
from tests.support.hold.database import migrated
from tests.support.servers.parts import SharedParts

_ROUNDS = 5


def keepings(size: int, numbers: range) -> list[Keeping]:
    """One message for each number, all to be held for the same reason."""
    content = newsletter(size)
    end = content.index(b"\r\n\r\n") + 4
    return [
        Keeping(
            message=Message(
                id=f"{number:027d}",
                tenant="acme",
                sender=Sender(b"news@bench.example", body8=True),
                recipients=(Recipient(b"user%d@dest.example" % number, "dest.example"),),
                head=content[:end],
                body=content[end:],
                peer="127.0.0.1",
            ),
            head=content[:end],
            pool="acme-default",
            providers=("other",),
            mailbox="news@bench.example",
            bulk=True,
            campaign="",
            key="",
            message_id=f"<{number}@bench.example>",
            state="held",
            reason="ip_quota",
            detail="every IP of the pool has used its allowance of the day",
            until=1_795_392_000_000,
        )
        for number in numbers
    ]


async def keep(hold: Holding, messages: list[Keeping], sessions: int) -> None:
    """All of them, by so many sessions."""
    left = iter(messages)

    async def session(mine: Iterator[Keeping]) -> None:
        for keeping in mine:
            assert hold.admit(keeping.message, keeping.pool, keeping.providers).accept
            assert await hold.keep(keeping, 20.0) is Kept.KEPT

    await asyncio.gather(*(session(left) for _ in range(sessions)))


async def measure(url: str, options: argparse.Namespace) -> None:
    """Print the best round."""
    settings = Settings(hold=Hold(batch=options.batch))
    settings = msgspec.structs.replace(
        settings, database=msgspec.structs.replace(settings.database, url=url)
    )
    plan = generation()
    hold = Holding(
        settings,
        generation=lambda: plan,
        change=lambda _: None,
        now=lambda: round(time.time() * 1000),
        log=Log(),
    )
    await hold.open()
    watcher = await asyncpg.connect(url)
    # Connections, their statements and the day's partition are there before anything is measured.
    await keep(hold, keepings(options.size, range(10 * options.sessions)), options.sessions)
    ours, theirs, first = [], [], 10 * options.sessions
    for _ in range(_ROUNDS):
        messages = keepings(options.size, range(first, first + options.messages))
        first += options.messages
        found = await watcher.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        )
        servers = [row["pid"] for row in found]
        before = sum(map(cpu_of, servers))
        started = time.process_time()
        await keep(hold, messages, options.sessions)
        ours.append((time.process_time() - started) / options.messages * 1e6)
        theirs.append((sum(map(cpu_of, servers)) - before) / options.messages * 1e6)
    print(f"{options.size} octets: {min(ours):.0f} µs here, {min(theirs):.0f} µs in PostgreSQL")
    await watcher.close()
    await hold.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="keeping", description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="octets of a message")
    parser.add_argument("--messages", type=int, default=4000, help="of a round")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--batch", type=int, default=256, help="most messages in a commit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sendgate-keeping-") as folder:
        parts = SharedParts(Path(folder))
        try:
            url = uvloop.run(parts.create_database("hold", migrated))
            uvloop.run(measure(url, options))
        finally:
            parts.close()


if __name__ == "__main__":
    main()
