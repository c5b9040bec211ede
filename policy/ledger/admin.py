"""What control does with a ledger: open it, publish to it, move its clock, read it.

Not here: reservations (`policy.ledger.ledger`). Every change is one script: all of it or nothing.
"""

import secrets
from collections.abc import Iterable
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from policy.division import Divider, Division, read_manifest
from policy.ledger.connection import ask, fields, hang_up, tried
from policy.ledger.known import CHUNK, Counters, Entry, chunks
from policy.ledger.ledger import ENTRY_KEPT, root_key
from policy.ledger.packing import BUCKETS
from policy.ledger.parts import fetched, missing
from policy.ledger.processes import Processes
from policy.ledger.publishing import Publishing
from policy.ledger.reopening import reopen
from policy.ledger.scripts import source
from policy.plan import BadGenerationError, Generation, decode
from policy.unpacking import Unpacking


class LedgerRefusedError(Exception):
    """The server must not serve as a ledger; the text says what to change."""


class IpUsage(msgspec.Struct, frozen=True):
    """Today's counters of one IP, in recipients; `tat` in open milliseconds."""

    ip: str
    relayed: int
    opening: int
    tat: float
    by_provider: dict[str, int]
    opening_by_provider: dict[str, int]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger says of itself, read on one connection: of one server process."""

    incarnation: str
    """'' when it is closed or was never opened."""
    run: str
    """Run id of the server it was opened on, or opened again on."""
    server: str
    """Run id of the server that answers; '' where our user may not ask INFO."""
    sequence: int
    """Batches it has decided."""
    now: int
    """Calendar milliseconds."""
    offset: int
    """Of the clock seam, milliseconds."""

    @property
    def whole(self) -> bool:
        """It is open, and by the server process it was opened on."""
        return self.incarnation != "" and self.run == self.server != ""


class LedgerAdmin(Processes):
    """Control's side of one ledger. `client` from `policy.ledger.connection.connect`."""

    def __init__(self, client: Redis, name: str = "main") -> None:
        super().__init__(client, root_key(name))
        self.name = name
        self._publishing = Publishing(client, self.root)

    async def afresh(self) -> None:
        """Let what is asked next go over new connections."""
        await hang_up(self.client, in_use=False)

    async def _run(self, script: str, *arguments: str | bytes | int) -> Any:
        return await cast(Any, self.client.eval(source(script), 1, self.root, *arguments))

    async def server_problems(self) -> list[str]:
        """Why this server cannot keep the promise, as sentences; empty when it can."""
        async with tried(self.client) as connection:
            try:
                info = fields(await ask(connection, "INFO"))
            except NoPermissionError as error:
                return [f"the ledger's user may not ask INFO ({error})"]
        found = []
        major = int(info["redis_version"].split(".")[0])
        if major < 7:
            found.append(
                f"the server is version {info['redis_version']}; Redis 7 or Valkey 7.2 is needed"
            )
        if info.get("aof_enabled") != "1":
            found.append(
                "the append-only file is off: set `appendonly yes` (and `appendfsync always`)"
            )
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            found.append(f"`maxmemory-policy {policy}` may evict counters: set noeviction")
        return found

    async def incarnation(self) -> str:
        """The incarnation in force, '' when the ledger was never opened (or lost its data)."""
        found = await cast(Any, self.client.hget(f"{self.root}inc", "id"))
        return found.decode() if found else ""

    async def standing(self) -> Standing:
        """Raises redis-py's errors."""
        async with tried(self.client) as connection:
            inc = await ask(connection, "HMGET", f"{self.root}inc", "id", "run", "seq")
            clock = await ask(connection, "EVAL", source("clock"), 1, self.root, "show")
            incarnation, run, sequence = (value.decode() if value else "" for value in inc)
            return Standing(
                incarnation=incarnation,
                run=run,
                server=connection.run,
                sequence=int(sequence or 0),
                now=int(clock[0]),
                offset=int(clock[1]),
            )

    async def reopen(self, standing: Standing) -> str:
        """Open a `single` ledger again after a restart of its server; '' or why not."""
        async with tried(self.client) as connection:
            return await reopen(connection, self.root, standing.incarnation, standing.run)

    async def open(self, replaces: str = "", *, lost: bool = False) -> str:
        """Open under a new incarnation, replacing `replaces` only. Returns the one in force.
        `lost`: counters of before are gone or not to be trusted; limits of a minute and an hour
        count as used up.

        Raises LedgerRefusedError when the server is set up in a way that loses counts."""
        if problems := await self.server_problems():
            raise LedgerRefusedError("; ".join(problems))
        if lost:
            # It is closed: nobody charges one meanwhile.
            async for key in self.client.scan_iter(match=f"{self.root}rate:*", count=CHUNK):
                await self.client.unlink(key)
        async with tried(self.client) as connection:
            # The run id is of the very process that runs the script.
            arguments = (secrets.token_hex(8), replaces, connection.run, int(lost))
            answer = await ask(connection, "EVAL", source("open"), 1, self.root, *arguments)
        return cast(bytes, answer).decode()

    async def publish(
        self, generation: Generation, division: Division | None = None, *, afresh: bool = False
    ) -> int:
        """Put a generation in force. Returns the number in force, which is higher than
        `generation.number` when another control node was quicker. `afresh`: what is there already
        is written again, for it may be spoilt."""
        division = Divider().divide(generation) if division is None else division
        return await self._publishing.publish(generation, division, afresh=afresh)

    async def whole(self) -> bool:
        """Whether all that gateways read of the generation in force is there."""
        number = await self.number()
        data = await self.client.get(f"{self.root}gen:{number}")
        if not data:
            return number == 0
        try:
            manifest = read_manifest(cast(bytes, data))
        except BadGenerationError:
            return False
        return manifest is None or not await missing(self.client, self.root, manifest)

    async def close(self, incarnation: str) -> bool:
        """Close a ledger that is open under an incarnation it should not have."""
        return bool(await self._run("close", incarnation))

    async def current(self) -> Generation | None:
        """The generation in force, None before the first. Raises BadGenerationError."""
        data = await self.client.get(f"{self.root}gen:{await self.number()}")
        if not data:
            return None
        manifest = read_manifest(cast(bytes, data))
        if manifest is None:
            return decode(cast(bytes, data))
        bodies = await fetched(self.client, self.root, manifest.digests())
        return Unpacking().at_once(manifest, bodies)

    async def number(self) -> int:
        """Its number, 0 before the first."""
        found = await self.client.get(f"{self.root}gen")
        return int(found) if found else 0

    async def now(self) -> tuple[int, int]:
        """(calendar time, offset of the clock seam), milliseconds."""
        now, offset = await self._run("clock", "show")
        return int(now), int(offset)

    async def set_clock(self, target: int) -> int | None:
        """Move calendar time forward to `target` milliseconds; None when that is backwards."""
        answer = await self._run("clock", "set", target)
        return None if answer is None else int(answer[0])

    async def set_opening(
        self,
        ip: str,
        day: int,
        total: int,
        by_provider: dict[str, int],
        least: int | None = None,
    ) -> None:
        """What `ip` opens `day` at (policy/README.md: carry-over). `least`: whatever is published
        for that day, it opens at no less; 0: that is over; None: as it was."""
        pairs: list[str | int] = []
        for provider, count in by_provider.items():
            pairs += [provider, count]
        await self._run("opening", ip, day, total, "" if least is None else least, *pairs)

    async def raise_counters(self, counters: Iterable[Counters]) -> None:
        """Raise counters to what is known; none is lowered."""
        for chunk in chunks(counters):
            async with self.client.pipeline(transaction=False) as pipe:
                for one in chunk:
                    rows = [
                        x
                        for provider, count in sorted(one.by_provider.items())
                        for x in (provider, count, one.bypass.get(provider, 0))
                    ]
                    pipe.eval(
                        source("raise"),
                        1,
                        *cast(list[str], [self.root, one.ip, one.day, one.total, *rows]),
                    )
                await pipe.execute()

    async def charge_bypass(
        self, incarnation: str, ip: str, day: int, totals: dict[str, int]
    ) -> bool:
        """Charge what went around the gateways: recipients of a day so far, by provider. A total
        told again, or a lower one, changes nothing. False: another incarnation is in force."""
        pairs = [x for pair in sorted(totals.items()) for x in pair]
        return bool(await self._run("bypass", incarnation, ip, day, *pairs))

    async def put_entries(
        self, entries: Iterable[Entry], *, sent_kept: float, entry_kept: float = ENTRY_KEPT
    ) -> int:
        """Write duplicate entries; sent ones live `sent_kept` calendar seconds from their `since`
        on, others `entry_kept` real seconds. Returns how many were written."""
        written = 0
        for chunk in chunks(entries):
            values: list[str | int] = []
            for one in chunk:
                values += [one.key, one.owner, one.attempt, one.state, one.since, one.server]
            written += int(await self._run("entries", int(sent_kept), int(entry_kept), *values))
        return written

    async def free_entries(self) -> int:
        """Free the duplicate entries that are not sent; those of held messages are written back
        after it. Returns how many were freed."""
        freed, names = 0, list[str]()
        for match, most in (("dup:*", CHUNK), (f"{BUCKETS}*", CHUNK // 10)):
            async for key in self.client.scan_iter(match=f"{self.root}{match}", count=CHUNK):
                names.append(cast(bytes, key).decode().removeprefix(self.root))
                if len(names) == most:
                    freed += int(await self._run("entries_free", *names))
                    names.clear()
        return freed + (int(await self._run("entries_free", *names)) if names else 0)

    async def granted(self, ips: Iterable[str], days: range) -> dict[str, dict[int, int]]:
        """Recipients charged, by IP and day; days without any are left out. A day's counters are
        readable for a week after its last."""
        asked = [(ip, day) for ip in ips for day in days]
        found: dict[str, dict[int, int]] = {}
        for chunk in chunks(asked):
            async with self.client.pipeline(transaction=False) as pipe:
                for ip, day in chunk:
                    pipe.hget(f"{self.root}day:{day}:{ip}", "n")
                counts = await pipe.execute()
            for (ip, day), count in zip(chunk, counts, strict=True):
                if count and int(count):
                    found.setdefault(ip, {})[day] = int(count)
        return found

    async def usage(self, ips: list[str]) -> tuple[int, dict[str, IpUsage]]:
        """(calendar time, today's counters by IP)."""
        answer = await self._run("usage", *ips)
        return int(answer[0]), {u.ip: u for u in map(_usage, answer[1:])}


def _usage(entry: list[bytes]) -> IpUsage:
    counts = {entry[i].decode(): int(entry[i + 1]) for i in range(2, len(entry), 2)}
    return IpUsage(
        ip=entry[0].decode(),
        relayed=counts.get("n", 0),
        opening=counts.get("o", 0),
        tat=float(entry[1]),
        by_provider={k[2:]: v for k, v in counts.items() if k.startswith("n:")},
        opening_by_provider={k[2:]: v for k, v in counts.items() if k.startswith("o:")},
    )
