"""MailWizz's workers: so many connections at a time, each of one tenant, for so many messages.

Rule: each message is offered once. A 4xx is no other answer than a 5xx: MailWizz leaves the
recipient. What was not begun (no connection, a 421 greeting) is offered again.
Failure: NoConnectionError when nothing can be begun for a minute.
"""

import asyncio
import ssl
import time
from array import array
from collections import deque
from collections.abc import Iterable
from enum import IntEnum

from loadtest.injection.session import Session, State
from loadtest.injection.tally import Tally
from loadtest.laboratory.letters import Letters
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World

_PATIENCE = 60.0
_PAUSE = 0.2


class Answer(IntEnum):
    """What a client was told of a message."""

    NONE = 0
    """It was not offered."""
    TAKEN = 1
    DEFERRED = 2
    REFUSED = 3
    UNHEARD = 4
    """The connection ended in it."""


class NoConnectionError(Exception):
    """The gateway takes nobody."""


class Errand:
    """The work of one connection: see `loadtest.injection.session.Load`."""

    tls: ssl.SSLContext | None = None
    kept = True
    timed = True

    def __init__(
        self, mail: Letters, login: tuple[str, str], numbers: list[int], answers: bytearray
    ) -> None:
        self.mail = mail
        self.login: tuple[str, str] | None = login
        self.tally = Tally()
        self.left = deque(numbers)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers = answers
        self._now: int | None = None

    def next(self, session: Session) -> tuple[int, float] | None:
        """The next number."""
        del session
        self._settle()
        if not self.left:
            return None
        self._now = self.left.popleft()
        return self._now, 0.0

    def waits(self) -> bool:
        """It never does."""
        return False

    def over(self) -> None:
        """The connection is gone."""
        self._settle()
        if not self.ended.done():
            self.ended.set_result(None)

    def _settle(self) -> None:
        """What became of the message that was under way: one of the counts is one higher."""
        if self._now is None:
            return
        tally, number, self._now = self.tally, self._now, None
        answer = Answer.UNHEARD
        if tally.accepted:
            answer = Answer.TAKEN
        elif tally.deferred:
            answer = Answer.DEFERRED
        elif tally.refused:
            answer = Answer.REFUSED
        self._answers[number] = answer
        tally.accepted = tally.deferred = tally.refused = tally.lost = 0


class Clients:
    """All workers."""

    def __init__(self, world: World, traffic: Traffic, host: str, port: int) -> None:
        self._world = world
        self._traffic = traffic
        self._settings = world.scenario.clients
        self._letters = Letters(traffic, self._settings.size)
        self._host, self._port = host, port
        self.answers = bytearray(len(traffic))
        """By number: an `Answer`."""
        self.latencies = array("f")
        """Seconds from MAIL to the answer, of messages taken."""
        self.trouble: list[str] = []
        """The first few replies that were not positive."""
        self.done = 0

    async def send(self, numbers: Iterable[int]) -> None:
        """Offer these, and return when each is answered. Raises NoConnectionError."""
        lines = self._lines(numbers)
        turn = deque(lines)
        begun = [time.monotonic()]

        async def worker() -> None:
            while turn:
                tenant = turn.popleft()
                line = lines[tenant]
                most = self._settings.connection_messages
                part = [line.popleft() for _ in range(min(most, len(line)))]
                if not part:
                    continue
                if line:
                    turn.append(tenant)
                left = await self._connection(tenant, part)
                if len(left) < len(part):
                    begun[0] = time.monotonic()
                elif time.monotonic() - begun[0] > _PATIENCE:
                    said = "; ".join(self.trouble) or "no reply"
                    raise NoConnectionError(f"nothing was taken for {_PATIENCE:.0f} s: {said}")
                else:
                    await asyncio.sleep(_PAUSE)
                if left:
                    if not line:
                        turn.append(tenant)
                    line.extendleft(reversed(left))

        workers = [asyncio.create_task(worker()) for _ in range(self._settings.workers)]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()

    def _lines(self, numbers: Iterable[int]) -> dict[int, deque[int]]:
        """By tenant, in their order."""
        lines: dict[int, deque[int]] = {}
        for number in numbers:
            tenant = self._world.tenant_of(self._traffic.mailbox[number])
            lines.setdefault(tenant, deque()).append(number)
        return lines

    async def _connection(self, tenant: int, numbers: list[int]) -> list[int]:
        """One connection; the numbers it did not come to."""
        errand = Errand(self._letters, self._world.tenants[tenant].login, numbers, self.answers)
        session = Session(errand)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: session, self._host, self._port
            )
        except OSError as error:
            errand.tally.note(f"connect: {error}")
            session.state = State.CLOSED
            errand.over()
        await errand.ended
        self.latencies.extend(errand.tally.latencies)
        for text in errand.tally.trouble:
            if len(self.trouble) < 5:
                self.trouble.append(text)
        self.done += len(numbers) - len(errand.left)
        return list(errand.left)
