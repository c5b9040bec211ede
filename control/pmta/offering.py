"""Gives agents their server's version: at once where it is another offer than they looked at last,
else when there is one, or the wait is over.

Rule: any control node answers; another node's offer is seen within half a second, our own at once.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from control.pmta import speaking
from control.pmta.desired import Desired, desired
from control.pmta.dkim import Seal
from control.pmta.known import names
from control.pmta.offer import Offer
from control.pmta.speaking import Speaker
from control.pmta.version import read, sealed_keys

LOOK_EVERY = 0.5
"""Seconds between two looks for what another node offered, or an agent said to it."""


class Bell:
    """Wakes those who wait in this process for offers, or for what agents say."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until it rings, `seconds` at most."""
        rung = self._rung
        try:
            async with asyncio.timeout(seconds):
                await rung.wait()
        except TimeoutError:
            return


class Answer(msgspec.Struct, frozen=True):
    """What an agent gets; `offer` is None when there is no other one."""

    tag: str
    offer: Offer | None


class Offering:
    """`clock`: real seconds of the machine; `longest`: seconds that an agent may wait."""

    def __init__(
        self, pool: Any, bell: Bell, seal: Seal, *, longest: float, clock: Callable[[], float]
    ) -> None:
        self._pool = pool
        self._bell = bell
        self._seal = seal
        self._longest = longest
        self._clock = clock
        self._closed = False

    async def close(self, _: object = None) -> None:
        """Nobody waits any more: control ends."""
        self._closed = True
        self._bell.ring()

    async def answer(self, who: Speaker, seen: str, wait: float, *, look: bool) -> Answer:
        """The offer that is not `seen`; waits up to `wait` seconds for it. `look`: who asks will
        not bring it into force, and is not waited for. Raises RefusedError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(wait, self._longest)
        if look:
            await speaking.there(self._pool, who.server)
        else:
            await speaking.heard(self._pool, who, round(self._clock() * 1000))
        while True:
            wanted = await desired(self._pool, who.server)
            if wanted is not None and tag_of(wanted) != seen:
                offer = await self._offer(wanted, look=look)
                if offer is not None:
                    return Answer(tag_of(wanted), offer)
            left = until - loop.time()
            if left <= 0 or self._closed:
                return Answer(seen, None)
            await self._bell.wait(min(left, LOOK_EVERY))

    def _opened(self, sealed: dict[str, bytes]) -> dict[str, str]:
        """Key file to PEM. Raises RefusedError."""
        return {name: self._seal.open(key).decode("ascii") for name, key in sealed.items()}

    async def _offer(self, wanted: Desired, *, look: bool) -> Offer | None:
        """None: another one is wanted by now, and this one was forgotten."""
        async with self._pool.acquire() as connection, connection.transaction():
            found = await read(connection, wanted.server, wanted.version)
            if found is None:
                return None
            sealed = await sealed_keys(connection, list(found.keys))
        # Before it is on its way: what the agent says next may be of it.
        if not look:
            await speaking.fetched(self._pool, wanted.server, wanted.offer)
        opened = await asyncio.to_thread(self._opened, sealed)
        return Offer(
            version=found.version,
            digest=found.digest,
            files=found.fileset.files,
            keys=opened,
            known=names(found.fileset),
            overwrite=wanted.overwrite,
        )


def tag_of(wanted: Desired) -> str:
    """The `ETag` of an offer. A restored database counts its versions and offers anew from the
    dump's on: when it was offered tells one from another that an agent was given before."""
    return f'"{wanted.version}.{wanted.offer}.{wanted.at}"'
