"""The ledger on Valkey or Redis: one function call a batch.

Owns: batch ids, the time a batch may take, telling "away" from "closed", the connection that
batches travel on: one, held from batch to batch, because a worker has one batch under way. Batches
at the same time have their own, and the pool has those back.
Rule: a batch whose reply is unknown is repeated under its own id, never as a new one; the
ledger keeps the first reply. redis-py's silent retries are off, for they repeat without an id
of ours (policy/README.md: charging).
Every batch leaves on a connection to the server process that the ledger was opened on, or opened
again on (policy/README.md: ledger loss); any other one means closed. With a lease it leaves only
while that lasts, and so do its repeats.
Failure: no reply within the budget raises `LedgerAwayError`, and what was charged stays charged.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from policy.ledger.connection import ask, elsewhere, hang_up, held, put_back, tried
from policy.ledger.lease import Lease, Seen
from policy.ledger.library import KNOWN, UNKNOWN, function, library
from policy.ledger.rawconnection import RawConnection
from policy.ledger.reopening import NOT_SINGLE, closed, reopen
from policy.ledger.reply import Reply, read
from policy.ledger.scripts import source
from policy.ledger_port import Answer, Item, LedgerAwayError, LedgerClosedError

REPLY_KEPT = 60
"""Seconds the ledger remembers a batch's reply; longer than any batch may be repeated."""

ENTRY_KEPT = 3_456_000.0
"""Seconds an entry lives that nobody changes: longer than a message may be held."""

_TROUBLE = (RedisError, OSError, TimeoutError, msgspec.DecodeError)


_UNSEEN = "nobody has seen lately that the ledger's name still leads to the process that was opened"

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Real elapsed seconds, the time a machine slept included: a worker frozen overnight must
    not take an old batch or an old grant for a fresh one (policy/README.md: charging)."""
    return time.clock_gettime(_CLOCK)


_encode = msgspec.msgpack.Encoder().encode
# hiredis's stub knows tuples of one element only.
_pack = cast(Callable[[tuple[str | bytes | int, ...]], bytes], hiredis.pack_command)


def root_key(name: str) -> str:
    """Every key of ledger `name` starts with this; the braces keep them on one cluster slot."""
    return f"sg:{{{name}}}:"


class RedisLedger:
    """A ledger of one name. Safe to call from one event loop only."""

    def __init__(
        self,
        client: Redis,
        name: str = "main",
        *,
        attempts: int = 3,
        budget: float = 4.0,
        trying: float = 25.0,
        sent_kept: float = 604_800.0,
        entry_kept: float = ENTRY_KEPT,
        single: bool = False,
        lease: Lease | None = None,
        others: Sequence[Redis] = (),
    ) -> None:
        """`client` from `connect`. `budget`: seconds for a batch with all its repeats, below the
        ledger's memory of it. Duplicate entries: `trying` real seconds until a message under way
        is in doubt, `sent_kept` calendar seconds a sent one counts, `entry_kept` the life of any
        other. `single`: a restart of the server loses nothing, so go on after it (checked, see
        `policy.ledger.reopening`). `lease`: how long its connection is trusted unasked;
        without one, for ever. `others`: clients of the same ledger, hung up with ours when somebody
        else answers."""
        self.client = client
        self.root = root_key(name)
        self.incarnation = ""
        self._single = single
        self._lease = lease
        self._clients = (client, *others)
        self._run = ""
        self._why = ""
        self._raw: RawConnection | None = None
        self._newest, self._newest_of = (0, ""), ""
        self._distrusted = ""
        self._attempts = attempts
        self._budget = budget
        self._entries = (round(trying * 1000), round(sent_kept * 1000), round(entry_kept))
        self._prefix = os.urandom(6).hex()
        self._batches = 0

    def __repr__(self) -> str:
        return f"<RedisLedger {self.root} incarnation {self.incarnation or 'none'}>"

    async def attach(self) -> str:
        """Read which incarnation is in force; '' when the ledger is not open.

        Raises LedgerAwayError."""
        try:
            async with tried(self.client) as connection:
                return await self._attach(connection)
        except _TROUBLE as error:
            raise LedgerAwayError(str(error)) from error

    async def _attach(self, connection: Any) -> str:
        # Known before the question leaves: batches answered meanwhile count on.
        known, known_of, known_by = self._newest[0], self._newest_of, self._run
        self.incarnation = ""
        names = ("id", "run", "seq", f"after:{known_by}")
        found = await ask(connection, "HMGET", f"{self.root}inc", *names)
        incarnation, run, sequence, after = (value.decode() if value else "" for value in found)
        # `after`: where the number stood when the process we knew was followed by another one.
        # The number itself may have caught up since, by others' batches on a copy.
        if incarnation == known_of and int(after or sequence or 0) < known:
            self._distrusted = incarnation
        if incarnation and incarnation == self._distrusted:
            # Closing it may not have arrived: others must not go on with it.
            await self._close(incarnation)
            self._why = "the ledger has gone back in time"
            return ""
        self._why = closed(incarnation, run, connection.run)
        if self._why is NOT_SINGLE and self._single:
            self._why = await reopen(connection, self.root, incarnation, run)
        if self._why:
            return ""
        if incarnation != self._newest_of:
            self._newest, self._newest_of = (0, ""), incarnation
        if self._lease is not None and connection.run != known_by:
            self._lease.end()
        self.incarnation, self._run = incarnation, connection.run
        return incarnation

    async def keep_lease(self) -> None:
        """Side task of a process with a lease; runs until cancelled."""
        assert self._lease is not None
        await self._lease.keep(self._ours, self._leave)

    def _ours(self) -> Seen | None:
        return Seen(self._run, self.incarnation) if self.incarnation else None

    async def _must_be_ours(self) -> None:
        """Raises LedgerClosedError when nobody knows whether the ledger's name still leads to the
        process that our connection leads to."""
        lease = self._lease
        if lease is not None and not await lease.holds(self._ours, self._leave):
            raise LedgerClosedError(_UNSEEN)

    async def _leave(self) -> None:
        """Another server may be the ledger's by now: whatever leads to the old one ends."""
        self.incarnation = ""
        if self._lease is not None:
            self._lease.end()
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.hang_up("another server answers under the ledger's name")
            await put_back(self.client, raw)
        for client in self._clients:
            with contextlib.suppress(*_TROUBLE):
                await hang_up(client)

    def next_batch(self) -> str:
        """A batch id no other process makes."""
        self._batches += 1
        return f"{self._prefix}:{self._batches}"

    async def decide(self, items: Sequence[Item]) -> Answer:
        attached = not self.incarnation
        if attached and not await self.attach():
            raise LedgerClosedError(self._why)
        await self._must_be_ours()
        try:
            return await self.decide_batch(self.next_batch(), items)
        except LedgerClosedError:
            # A closed ledger changes nothing. It may have been opened again since we attached,
            # and without mail meanwhile nobody here has noticed that it was closed.
            if attached or not await self.attach():
                raise
        return await self.decide_batch(self.next_batch(), items)

    async def decide_batch(self, batch: str, items: Sequence[Item]) -> Answer:
        """As `decide`, under a given id: repeating it answers the same and changes nothing."""
        payload = _encode(items)
        # What is known when the batch leaves: batches may overtake each other.
        asked = self.incarnation
        known = self._newest if asked == self._newest_of else (0, "")
        wire = await self._send(batch, asked, payload)
        if wire.state != "open":
            if asked == self.incarnation:
                self.incarnation = ""
            raise LedgerClosedError("the ledger is not the one that was opened")
        if (wire.sequence, batch) != known and wire.sequence <= known[0]:
            await self._close(asked)
            raise LedgerClosedError("the ledger has gone back in time")
        if asked == self._newest_of:
            self._newest = max(self._newest, (wire.sequence, batch))
        decisions = tuple([result.value for result in wire.results])
        if len(decisions) != len(items):
            # Whose they are cannot be told: all stay charged, and nobody is told to send.
            raise LedgerAwayError(f"{len(decisions)} decisions for {len(items)} items")
        return Answer(decisions, wire.generation, wire.now, wire.sequence)

    async def _send(self, batch: str, asked: str, payload: bytes) -> Reply:
        """One batch under its id until it is answered. Raises LedgerAwayError."""
        deadline = elapsed() + self._budget
        trouble: Exception | None = None
        for attempt in range(1, self._attempts + 1):
            left = deadline - elapsed()
            if left <= 0:
                # Asleep meanwhile, perhaps for longer than the ledger remembers this batch.
                break
            if self._lease is not None and not self._lease.valid:
                # What was charged stays charged; a reply that comes after the lease's end counts,
                # for its grants are as old as the question.
                raise LedgerClosedError(_UNSEEN)
            try:
                return read(await self._call(batch, asked, payload, deadline))
            except _TROUBLE as error:
                trouble = error
                if elsewhere(error):
                    await self._leave()
            await asyncio.sleep(max(min(0.05 * attempt, deadline - elapsed()), 0))
        what = f"{type(trouble).__name__}: {trouble}" if trouble else "no reply within the budget"
        raise LedgerAwayError(what) from trouble

    async def _close(self, incarnation: str) -> None:
        """A copy from before: counts we know of are missing in it. It is closed for everybody,
        and for us even if it does not answer now, until a new opening."""
        self._distrusted = incarnation
        if self.incarnation == incarnation:
            self.incarnation = ""
        with contextlib.suppress(*_TROUBLE):
            await cast(Any, self.client.eval(source("close"), 1, self.root, incarnation))

    async def _call(self, batch: str, asked: str, payload: bytes, deadline: float) -> bytes:
        raw = await self._take(asked, deadline)
        try:
            command = self._packed(batch, asked, payload)
            try:
                return await raw.ask(command, deadline - elapsed())
            except ResponseError as error:
                if str(error) != UNKNOWN:
                    raise
            # A new version of ours, or a server that came back without its functions.
            await self._load(raw, deadline)
            return await raw.ask(command, deadline - elapsed())
        finally:
            if self._raw is None and not raw.ended:
                # The pool's own lending and checking would cost more than the batch.
                self._raw = raw
            else:
                await put_back(self.client, raw)

    async def _load(self, raw: RawConnection, deadline: float) -> None:
        command = _pack(("FUNCTION", "LOAD", library()))
        try:
            await raw.ask(command, deadline - elapsed())
        except ResponseError as error:
            if KNOWN not in str(error):
                raise

    def _packed(self, batch: str, asked: str, payload: bytes) -> bytes:
        arguments = (1, self.root, batch, asked, payload, REPLY_KEPT, *self._entries)
        return _pack(("FCALL", function(), *arguments))

    async def _take(self, asked: str, deadline: float) -> RawConnection:
        """A connection to the process that incarnation `asked` was opened on; for one batch at a
        time, and kept for the next. Raises LedgerClosedError when no connection leads there."""
        raw, self._raw = self._raw, None
        if raw is not None:
            if raw.run == self._run and not raw.ended:
                return raw
            raw.hang_up("it leads to another process, or nowhere")
            await put_back(self.client, raw)

        async def to_our_process(connection: Any) -> None:
            if connection.run != self._run and await self._attach(connection) != asked:
                raise LedgerClosedError(self._why or "another ledger was opened")

        async with asyncio.timeout(deadline - elapsed()):
            return await held(self.client, to_our_process)
