"""What this process tells the others through the ledger: where mail passed, its open circuits, how
much it did.

Owns: writing it with the sign of life (`plan_feed`), and asking when mail passed anywhere.
Failure: a ledger that is away knows of no pass, so that no failure is counted against a message.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.relay.relay import Relay
from policy.ledger.bulletin import (
    CIRCUITS,
    FIGURES,
    FULL,
    LOGINS,
    LOGINS_BEFORE,
    PASSED,
    UNKNOWN,
    Figures,
    OpenCircuit,
    encode,
    encode_figures,
    path_field,
)
from policy.ledger.ledger import root_key

_WANTED = 15_000
"""Milliseconds for which a process that found no slot is taken to be looking for one."""


_WORDS = 300
"""Characters of PowerMTA's that others are told."""
_MINUTE = 60.0
_SIGNS = 100
"""Signs of life remembered; one a second makes a minute."""


class Bulletin:
    """One process's."""

    def __init__(
        self,
        client: Redis,
        name: str,
        process: str,
        relay: Relay,
        *,
        clock: Callable[[], float],
        now: Callable[[], int],
    ) -> None:
        """`name` is the ledger's; `clock` and `now` as the relay's."""
        self._client = client
        self._root = root_key(name)
        self._process = process
        self._relay = relay
        self._clock = clock
        self._now = now
        self._shown = False
        self._unknown: set[str] = set()
        """VirtualMTAs that the ledger calls unknown and this process rests."""
        self.sessions: Callable[[], int] | None = None
        """Client sessions open now; None where none are taken."""
        self.counted: Callable[[], Mapping[str, int]] = dict
        """Messages by outcome since this process began."""
        self.logged_in: set[str] = set()
        """Logins that let a client in, not told yet."""
        self.logged_in_before: set[str] = set()
        """Those that did it by a former password."""
        self._began = 0
        self._past: deque[tuple[float, dict[str, int]]] = deque(maxlen=_SIGNS)

    def write(self, pipe: Any) -> Callable[[list[Any]], None]:
        """Add to the end of a pipeline what is new; what is returned takes its answers."""
        passes = self._relay.passes
        news = passes.news()
        if news:
            pipe.hset(f"{self._root}{PASSED}", mapping={path_field(*p): t for p, t in news.items()})
        circuits = self._circuits()
        if circuits:
            pipe.hset(f"{self._root}{CIRCUITS}", self._process, encode(circuits))
        elif self._shown:
            pipe.hdel(f"{self._root}{CIRCUITS}", self._process)

        pipe.hset(f"{self._root}{FIGURES}", self._process, encode_figures(self._figures()))

        now = self._now()
        logins, before = frozenset(self.logged_in), frozenset(self.logged_in_before)
        for key, names in ((LOGINS, logins), (LOGINS_BEFORE, before)):
            if names:
                pipe.hset(f"{self._root}{key}", mapping=dict.fromkeys(names, now))
        full = {one.name: now for one in self._relay.servers.not_closed() if one.full}
        if full:
            pipe.hset(f"{self._root}{FULL}", mapping=full)
        vmtas = self._relay.vmtas
        unknown = {one.name: one.why[:_WORDS] for one in vmtas.unknown()}
        if news_of := {name: why for name, why in unknown.items() if name not in self._unknown}:
            pipe.hset(f"{self._root}{UNKNOWN}", mapping=news_of)
        if known_again := self._unknown - unknown.keys():
            pipe.hdel(f"{self._root}{UNKNOWN}", *known_again)
        pipe.hgetall(f"{self._root}{UNKNOWN}")
        pipe.hgetall(f"{self._root}{FULL}")

        def arrived(answers: list[Any]) -> None:
            passes.told(news)
            self.logged_in.difference_update(logins)
            self.logged_in_before.difference_update(before)
            self._shown = bool(circuits)
            self._follow(answers[-2], unknown)
            since = now - _WANTED
            wanted = {name.decode() for name, at in answers[-1].items() if int(at) >= since}
            self._relay.want_slots(wanted - full.keys())

        return arrived

    def _follow(self, found: Mapping[bytes, bytes], before: Mapping[str, str]) -> None:
        """What others found out of VirtualMTAs. `before`: those that were unknown here when the
        ledger was asked."""
        relay, said = self._relay, {name.decode(): why.decode() for name, why in found.items()}
        for name in before.keys() - said.keys():
            relay.vmtas.succeeded(name)
        resting = {one.name for one in relay.vmtas.unknown()}
        for name in (said.keys() & relay.known) - before.keys() - resting:
            relay.vmtas[name].failed("", said[name], self._clock(), immediate=True, unknown=True)
        self._unknown = said.keys() & (before.keys() | relay.known)

    def _figures(self) -> Figures:
        self._began = self._began or self._now()
        at, outcomes = self._clock(), {name: n for name, n in self.counted().items() if n}
        self._past.append((at, outcomes))
        while at - self._past[0][0] > _MINUTE:
            self._past.popleft()
        before = self._past[0][1]
        minute = {name: n - before.get(name, 0) for name, n in outcomes.items()}
        return Figures(
            began=self._began,
            sessions=None if self.sessions is None else self.sessions(),
            outcomes=outcomes,
            minute={name: n for name, n in minute.items() if n},
            packs=True,
        )

    def _circuits(self) -> list[OpenCircuit]:
        relay = self._relay
        if relay.servers.all_closed and relay.vmtas.all_closed:
            return []
        now = self._clock()
        return [
            OpenCircuit("server", one.name, one.state.value, one.why, one.rests(now))
            for one in relay.servers.not_closed()
        ] + [
            OpenCircuit("vmta", one.name, one.state.value, one.why, one.rests(now), one.unknown)
            for one in relay.vmtas.not_closed()
        ]

    async def passed(self, server: str, vmta: str) -> int:
        """When a message last passed on this path, by any process, in ledger milliseconds; 0:
        nobody knows."""
        ours = self._relay.passes.last(server, vmta)
        try:
            found = await cast(
                Any, self._client.hget(f"{self._root}{PASSED}", path_field(server, vmta))
            )
        except (RedisError, OSError, TimeoutError):
            return ours
        return max(ours, int(found or 0))
