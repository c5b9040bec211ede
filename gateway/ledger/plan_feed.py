"""The generation in force: fetched from the ledger, checked, swapped as one reference.

Owns: the current generation, the sign of life that tells control what this worker runs.
Rules: the last good generation stays in use while the ledger or control is away; a generation
that cannot be read, or has a part that is missing or spoilt, is logged and skipped. Announcements
make it quick, polling makes it sure.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.watch import metrics
from gateway.watch.log import Log
from policy.division import read_manifest
from policy.ledger.bulletin import CIRCUITS, FIGURES
from policy.ledger.connection import elsewhere, hang_up
from policy.ledger.ledger import root_key
from policy.ledger.parts import fetched
from policy.plan import BadGenerationError, Generation, decode
from policy.unpacking import BadPartError, Unpacking

_POLL = 1.0
_LONG_DEAD = 3600
_TROUBLE = (RedisError, OSError, TimeoutError)


_NUMBER = metrics.gauge(
    "sendgate_generation",
    "Number of the generation in force; the lowest of the workers.",
    workers="livemin",
)


class PlanFeed:
    """Follows one ledger."""

    def __init__(
        self,
        client: Redis,
        name: str,
        worker: str,
        log: Log,
        *,
        swapped: Callable[[Generation], None],
        stepped: Callable[[], None],
        polled: Callable[[], Awaitable[None]],
        told: Callable[[int], None] = lambda _now: None,
        bulletin: Callable[[Any], Callable[[list[Any]], None]] = lambda _: lambda _: None,
    ) -> None:
        """`swapped` is called with every new generation, `stepped` when the clock was moved or
        the ledger opened, `polled` about once a second while the ledger's server answers,
        `told` what the ledger's time is then, and `bulletin` adds to the sign of life."""
        self._client = client
        self._root = root_key(name)
        self._worker = worker
        self._log = log
        self._swapped = swapped
        self._stepped = stepped
        self._polled = polled
        self._told = told
        self._bulletin = bulletin
        self._unpacking = Unpacking()
        self.current: Generation | None = None
        self.first = asyncio.Event()
        self._refused = 0
        self._spoilt = 0
        self._away = False
        self._ended = False

    def generation(self) -> Generation | None:
        """The generation in force; None before the first."""
        return self.current

    async def run(self) -> None:
        """Side task; runs until `end` and a cancellation."""
        while not self._ended:
            try:
                async with self._client.pubsub() as news:
                    await cast(Any, news.subscribe(f"{self._root}news"))
                    await self._bury()
                    while not self._ended:
                        await self._look()
                        await self._sign()
                        await self._polled()
                        await self._listen(news)
            except _TROUBLE as error:
                if not self._away:
                    self._away = True
                    self._log.error("ledger_away", why=str(error))
                if elsewhere(error):
                    await self._hang_up()
                await asyncio.sleep(_POLL)

    async def _hang_up(self) -> None:
        """Another server is the ledger's: what leads to this one would stay for ever."""
        with contextlib.suppress(*_TROUBLE):
            await hang_up(self._client)

    async def _listen(self, news: Any) -> None:
        """Wait for one announcement, at most a poll's length."""
        message = await news.get_message(ignore_subscribe_messages=True, timeout=_POLL)
        while message is not None:
            if not message["data"].startswith(b"generation"):
                # Opened anew, a ledger may use the number of one we could not read again.
                self._refused = 0
                self._stepped()
            message = await news.get_message(ignore_subscribe_messages=True, timeout=0)

    async def _look(self) -> None:
        number = int(await self._client.get(f"{self._root}gen") or 0)
        if self._away:
            self._away = False
            self._log.info("ledger_back")
            self._stepped()
        if not number or number == self._refused:
            return
        if self.current is not None and self.current.number == number:
            return
        data = await self._client.get(f"{self._root}gen:{number}")
        if data is None:
            return
        try:
            generation = await self._read(cast(bytes, data))
        except BadPartError as error:
            # Looked for again: it may be written again under the same number.
            if number != self._spoilt:
                self._spoilt = number
                self._log.error("generation_refused", number=number, why=str(error))
            return
        except BadGenerationError as error:
            self._refused = number
            self._log.error("generation_refused", number=number, why=str(error))
            return
        self.current = generation
        self._swapped(generation)
        _NUMBER.set(number)
        self._log.info("generation", number=number, tenants=len(generation.tenants))
        self.first.set()

    async def _read(self, data: bytes) -> Generation:
        """Parts that are not known are fetched, and read step by step, for clients wait meanwhile.
        Raises `BadGenerationError`."""
        manifest = read_manifest(data)
        if manifest is None:
            return decode(data)
        lacking = self._unpacking.lacking(manifest)
        bodies = await fetched(self._client, self._root, lacking)
        steps = self._unpacking.steps(manifest, bodies)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast(Generation, end.value)
            await asyncio.sleep(0)

    async def _sign(self) -> None:
        """Tell control that this worker lives and what it runs."""
        number = self.current.number if self.current is not None else 0
        seconds, micro = await cast(Any, self._client.time())
        offset = int(await self._client.get(f"{self._root}offset") or 0)
        self._told(seconds * 1000 + micro // 1000 + offset)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.zadd(f"{self._root}workers", {self._worker: seconds + micro / 1e6})
            pipe.hset(f"{self._root}running", self._worker, str(number))
            arrived = self._bulletin(pipe)
            answers = await pipe.execute()
        arrived(answers)

    async def _bury(self) -> None:
        """Forget workers that were killed long ago: they could not say goodbye."""
        seconds, _ = await cast(Any, self._client.time())
        dead = await cast(
            Any, self._client.zrangebyscore(f"{self._root}workers", 0, seconds - _LONG_DEAD)
        )
        if dead:
            await cast(Any, self._client.zrem(f"{self._root}workers", *dead))
            await cast(Any, self._client.hdel(f"{self._root}running", *dead))
            await cast(Any, self._client.hdel(f"{self._root}{CIRCUITS}", *dead))
            await cast(Any, self._client.hdel(f"{self._root}{FIGURES}", *dead))

    def end(self) -> None:
        """Before the cancellation: redis-py swallows one that comes while it gives up on a
        connection, and a worker once lived on for ever, drained and deaf."""
        self._ended = True

    async def leave(self) -> None:
        """Drain: control need not wait for this worker any more."""
        try:
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.zrem(f"{self._root}workers", self._worker)
                pipe.hdel(f"{self._root}running", self._worker)
                pipe.hdel(f"{self._root}{CIRCUITS}", self._worker)
                pipe.hdel(f"{self._root}{FIGURES}", self._worker)
                await pipe.execute()
        except _TROUBLE:
            self._log.debug("leave_unsaid")
